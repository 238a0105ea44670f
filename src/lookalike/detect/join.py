"""The join of detectors of single classes: their scales, and the probabilities of the classes of an image.

Everything here is learned from held-out known images. In mcgan-2021 there are two classes. The paper adds the scores of
both GANs without a scale, and the GAN that separates the classes better decides. Our preset does better than both rules
(docs/mcgan-2021.md).
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
    """Scales of K detectors, and logits that are linear in their scaled scores.

    Parameters
    ----------
    scales : tuple of Scale
        One scale per detector.
    weights, biases : ndarray
        Float64 (K, K) and (K,), the weights and biases of the logits.
    apart : tuple of float
        AUC of each detector between held-out images of its own class and those of the other classes.
    order : tuple of int, optional
        Numbers of the detectors, the best first. Each in turn gives its class a probability and leaves the rest to the
        next one (stick-breaking). None means a softmax of all logits.
    """

    scales: tuple[Scale, ...]
    weights: Floats
    biases: Floats
    apart: tuple[float, ...]
    order: tuple[int, ...] | None = None

    @classmethod
    def fit(cls, raw: Floats, labels: Labels, *, scaling: Scaling = "each", decides: Decides = "all") -> Join:
        """Fit a join to held-out images.

        Parameters
        ----------
        raw
            Scores float64 (N, K), one column per detector.
        labels
            int64 (N,), 0 to K - 1, each at least once.
        scaling
            With "each", the images of its own class give the scale of each detector. With "shared", all detectors
            have one scale, so their scores compare without change.
        decides
            With "all", a softmax regression on all scores gives the class. With "best", the best detector decides by
            its own score; of more than two classes, the next best one decides between the remaining classes.
        """
        classes = range(raw.shape[1])
        own = [raw[labels == k, k] for k in classes]
        scales = tuple(Scale.of(score if scaling == "each" else np.concatenate(own)) for score in own)
        apart = tuple(area(raw[labels == k, k], raw[labels != k, k]) for k in classes)
        scaled = _scaled(raw, scales)
        if decides == "all":
            return cls(scales, *_regression(scaled, labels), apart)
        order = tuple(sorted(classes, key=lambda k: -apart[k]))  # the sort is stable: of equals the first one
        return cls(scales, *_one_by_one(scaled, labels, order), apart, order)

    def __call__(self, raw: Floats) -> tuple[Floats, Floats]:
        """Return the scaled scores and the class probabilities, each (N, K), for raw scores (N, K)."""
        scaled = _scaled(raw, self.scales)
        # A sum per row, not a matrix product, so that the bits do not depend on the number of images.
        logits = np.stack([(scaled * row).sum(1) for row in self.weights], 1) + self.biases
        return scaled, _softmax(logits) if self.order is None else _sticks(logits, self.order)

    def likely(self, raw: Floats) -> Floats:
        """Return the scaled score of each image's most likely class, (N,), for raw scores (N, K)."""
        scaled, shares = self(raw)
        return np.asarray(scaled[np.arange(len(scaled)), shares.argmax(1)])


def _scaled(raw: Floats, scales: tuple[Scale, ...]) -> Floats:
    return np.stack([scale(raw[:, k]) for k, scale in enumerate(scales)], 1)


def _regression(scaled: Floats, labels: Labels) -> tuple[Floats, Floats]:
    """Return the weights (K, K) and biases (K,) of a softmax regression on all scores."""
    fitted = LogisticRegression(max_iter=1000).fit(scaled, labels)
    weights, biases = fitted.coef_, fitted.intercept_
    if scaled.shape[1] == 2:  # for two classes scikit-learn keeps the logit of the second one only
        weights, biases = np.concatenate([0 * weights, weights]), np.concatenate([0 * biases, biases])
    return weights, biases


def _one_by_one(scaled: Floats, labels: Labels, order: tuple[int, ...]) -> tuple[Floats, Floats]:
    """Return the weights and biases of logistic regressions, each of one class against those later in `order`."""
    weights, biases = np.zeros((len(order), len(order))), np.zeros(len(order))
    for k, later in ((k, order[i + 1 :]) for i, k in enumerate(order[:-1])):
        left = np.isin(labels, (k, *later))
        fitted = LogisticRegression(max_iter=1000).fit(scaled[left, k : k + 1], labels[left] == k)
        weights[k, k], biases[k] = fitted.coef_[0, 0], fitted.intercept_[0]
    return weights, biases


def _softmax(logits: Floats) -> Floats:
    # Minus the largest logit, exp cannot overflow; the shares stay the same.
    shares = np.exp(logits - logits.max(1, keepdims=True))
    return np.asarray(shares / shares.sum(1, keepdims=True))


def _sticks(logits: Floats, order: tuple[int, ...]) -> Floats:
    """Return class probabilities by stick-breaking: each class takes its share of what the earlier ones left."""
    shares, left = np.empty_like(logits), np.ones(len(logits))
    for k in order[:-1]:
        shares[:, k] = left * expit(logits[:, k])
        left = left * expit(-logits[:, k])
    shares[:, order[-1]] = left
    return shares
