"""What is measured of a classifier's probabilities: accuracy, top-k accuracy, recall of each class."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import accuracy_score, recall_score, top_k_accuracy_score

from lookalike.base.arrays import Pixels


def figures(
    probabilities: Pixels, labels: npt.NDArray[np.int64], *, top: int, rare: npt.NDArray[np.int64]
) -> dict[str, Any]:
    """Figures of probabilities (N, K) on images of true labels (N,).

    Parameters
    ----------
    probabilities, labels
        (N, K) and (N,), 0 to K - 1.
    top : int
        k of the top-k accuracy.
    rare : ndarray
        (R,) classes that were short in training.

    Returns
    -------
    dict
        `accuracy`, `top_accuracy`, `balanced_accuracy` (mean recall of the classes that occur), `rare_recall` (of those
        that were short; None where there are none) and `recall`, one per class, None for a class that does not occur.
    """
    classes = np.arange(probabilities.shape[1])
    said = probabilities.argmax(1)
    there = np.isin(classes, labels)
    recall = recall_score(labels, said, labels=classes, average=None, zero_division=0.0)
    mine = there & np.isin(classes, rare)
    return {
        "accuracy": float(accuracy_score(labels, said)),
        "top_accuracy": _top(probabilities, labels, top),
        "balanced_accuracy": float(recall[there].mean()),
        "rare_recall": float(recall[mine].mean()) if mine.any() else None,
        "recall": [float(value) if here else None for value, here in zip(recall, there, strict=True)],
    }


def _top(probabilities: Pixels, labels: npt.NDArray[np.int64], top: int) -> float:
    k = probabilities.shape[1]
    if top >= k:
        return 1.0
    if k == 2:  # scikit-learn wants one column then
        return float(accuracy_score(labels, probabilities.argmax(1)))
    return float(top_k_accuracy_score(labels, probabilities, k=top, labels=np.arange(k)))
