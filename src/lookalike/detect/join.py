"""What joins detectors of single classes: their scales, and which of the classes an image is most likely of.

Everything here is learnt from held-out known images. mcgan-2021 has two classes, adds both GANs' scores as they are,
and lets the GAN that tells the classes apart better decide; the usual way here beats both (docs/mcgan-2021.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from lookalike.base.arrays import Floats, Labels
from lookalike.detect.auc import area
from lookalike.detect.scale import Scale

Scaling = Literal["each", "shared"]
Decides = Literal["all", "best"]


@dataclass(frozen=True)
class Join:
    """Scales of K detectors and logits that are linear in their scaled scores.

    Parameters
    ----------
    scales : tuple of Scale
        One per detector.
    weights, biases : ndarray
        (K, K) and (K,) of the logits.
    apart : tuple of float
        AUC of each detector: held-out images of its own class against those of the others.
    order : tuple of int, optional
        Numbers of the detectors, best first: each in turn says how likely an image is of its class and leaves the rest
        to the next (stick-breaking). None: a softmax of all logits.
    """

    scales: tuple[Scale, ...]
    weights: Floats
    biases: Floats
    apart: tuple[float, ...]
    order: tuple[int, ...] | None = None

    @classmethod
    def fit(cls, raw: Floats, labels: Labels, *, scaling: Scaling = "each", decides: Decides = "all") -> Join:
        """From held-out scores (N, K) and labels (N,), 0..K-1, each at least once.

        Parameters
        ----------
        scaling
            "each": each detector's scores are scaled by the images of its own class. "shared": one scale for all, so
            that they compare as they are.
        decides
            Which class: "all" detectors by a softmax regression on their scores, or the "best" one by its own score;
            of more than two classes the next best decides on what is left.
        """
        classes = range(raw.shape[1])
        own = [raw[labels == k, k] for k in classes]
        scales = tuple(Scale.of(score if scaling == "each" else np.concatenate(own)) for score in own)
        apart = tuple(area(raw[labels == k, k], raw[labels != k, k]) for k in classes)
        scaled = _scaled(raw, scales)
        if decides == "all":
            return cls(scales, *_regression(scaled, labels), apart)
        order = tuple(sorted(classes, key=lambda k: -apart[k]))  # of equals the first
        return cls(scales, *_one_by_one(scaled, labels, order), apart, order)

    def __call__(self, raw: Floats) -> tuple[Floats, Floats]:
        """Scaled scores and probabilities of the classes, each (N, K), of images with scores (N, K)."""
        scaled = _scaled(raw, self.scales)
        logits = np.stack([(scaled * row).sum(1) for row in self.weights], 1) + self.biases
        return scaled, _softmax(logits) if self.order is None else _sticks(logits, self.order)


def _scaled(raw: Floats, scales: tuple[Scale, ...]) -> Floats:
    return np.stack([scale(raw[:, k]) for k, scale in enumerate(scales)], 1)


def _regression(scaled: Floats, labels: Labels) -> tuple[Floats, Floats]:
    """Weights (K, K) and biases (K,) of a softmax regression on all scores."""
    fitted = LogisticRegression(max_iter=1000).fit(scaled, labels)
    weights, biases = fitted.coef_, fitted.intercept_
    if scaled.shape[1] == 2:  # scikit-learn keeps the second class's alone
        weights, biases = np.concatenate([0 * weights, weights]), np.concatenate([0 * biases, biases])
    return weights, biases


def _one_by_one(scaled: Floats, labels: Labels, order: tuple[int, ...]) -> tuple[Floats, Floats]:
    """The same of logistic regressions, each on one detector's score: its own class against those after it."""
    weights, biases = np.zeros((len(order), len(order))), np.zeros(len(order))
    for k, later in ((k, order[i + 1 :]) for i, k in enumerate(order[:-1])):
        left = np.isin(labels, (k, *later))
        fitted = LogisticRegression(max_iter=1000).fit(scaled[left, k : k + 1], labels[left] == k)
        weights[k, k], biases[k] = fitted.coef_[0, 0], fitted.intercept_[0]
    return weights, biases


def _softmax(logits: Floats) -> Floats:
    shares = np.exp(logits - logits.max(1, keepdims=True))
    return np.asarray(shares / shares.sum(1, keepdims=True))


def _sticks(logits: Floats, order: tuple[int, ...]) -> Floats:
    """Each class's share of what those before it in `order` leave; the last one's is all that is left."""
    shares, left = np.empty_like(logits), np.ones(len(logits))
    for k in order[:-1]:
        shares[:, k] = left * expit(logits[:, k])
        left = left * expit(-logits[:, k])
    shares[:, order[-1]] = left
    return shares
