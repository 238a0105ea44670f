"""Figures of a classifier equal scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, recall_score, top_k_accuracy_score

from lookalike.studies.augment.figures import figures


def drawn(n, k, seed):
    """Probabilities (n, k) and labels (n,)."""
    random = np.random.default_rng(seed)
    shares = random.random((n, k))
    return shares / shares.sum(1, keepdims=True), random.integers(0, k, n)


@pytest.mark.parametrize(("k", "top"), [(10, 2), (5, 3), (2, 1)])
def test_all_figures_are_scikit_learns(k, top):
    """Accuracy, top-k accuracy, balanced accuracy and recall, bit for bit."""
    shares, labels = drawn(200, k, 0)
    found, said = figures(shares, labels, top=top, rare=np.array([0, 1])), shares.argmax(1)
    assert found["accuracy"] == accuracy_score(labels, said)
    assert found["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(labels, said), abs=1e-15)
    recall = recall_score(labels, said, average=None)
    assert found["recall"] == recall.tolist() and found["rare_recall"] == recall[:2].mean()
    if k > 2:
        assert found["top_accuracy"] == top_k_accuracy_score(labels, shares, k=top)
    else:
        assert found["top_accuracy"] == found["accuracy"]


def test_a_class_that_does_not_occur_has_no_recall():
    """Of four classes one has no test image: its recall is None, and no mean counts it."""
    shares, labels = drawn(90, 4, 1)
    labels = labels % 3
    found = figures(shares, labels, top=2, rare=np.array([3]))
    assert found["recall"][3] is None and found["rare_recall"] is None
    assert found["balanced_accuracy"] == pytest.approx(np.mean(found["recall"][:3]))


def test_as_many_guesses_as_classes_are_always_right():
    """The top-2 accuracy of two classes is 1."""
    assert figures(*drawn(20, 2, 2), top=2, rare=np.array([0]))["top_accuracy"] == 1.0
