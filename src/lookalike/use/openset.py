"""Several known classes and an unknown one, in the two steps of mcgan-2021: known or unknown, then which.

One detector per known class. Which: a softmax regression on all scaled scores, which gives the detectors that tell the
classes apart the greatest weight. Known or unknown: an image is as unknown as it is to the class that it is most likely
of. What either step learns comes from held-out known images.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from lookalike.metrics.auc import area
from lookalike.use.scale import Scale
from lookalike.use.score import Detector, Floats, Pixels, Scores

WEIGHTS = ("weights", "biases")


def joined(raw: Floats, labels: npt.NDArray[np.int64]) -> tuple[list[Scale], Floats, Floats]:
    """Scales, weights (K, K) and biases (K,) that join detectors, from held-out scores (N, K) and labels (N,)."""
    scales = [Scale.of(raw[labels == k, k]) for k in range(raw.shape[1])]
    scaled = np.stack([scale(raw[:, k]) for k, scale in enumerate(scales)], 1)
    fitted = LogisticRegression(max_iter=1000).fit(scaled, labels)
    weights, biases = fitted.coef_, fitted.intercept_
    if len(scales) == 2:  # scikit-learn keeps the second class's alone
        weights, biases = np.concatenate([0 * weights, weights]), np.concatenate([0 * biases, biases])
    return scales, weights, biases


def combined(raw: Floats, scales: Sequence[Scale], weights: Floats, biases: Floats) -> tuple[Floats, Floats]:
    """Scaled scores and probabilities of the classes, each (N, K), of images with scores (N, K)."""
    scaled = np.stack([scale(raw[:, k]) for k, scale in enumerate(scales)], 1)
    logits = np.stack([(scaled * row).sum(1) for row in weights], 1) + biases
    shares = np.exp(logits - logits.max(1, keepdims=True))
    return scaled, shares / shares.sum(1, keepdims=True)


class OpenSet:
    """Detectors of single classes, joined.

    Parameters
    ----------
    members : mapping
        Class name -> its detector, in the model's order of classes.
    scales : sequence of Scale
        Of each member's scores of its own class.
    weights, biases : ndarray
        (K, K) and (K,) of the softmax regression.
    apart : sequence of float
        AUC of each member: held-out images of its own class against those of the others.
    """

    kind = "openset"

    def __init__(
        self,
        members: Mapping[str, Detector],
        scales: Sequence[Scale],
        weights: Floats,
        biases: Floats,
        apart: Sequence[float],
    ) -> None:
        self.members, self.scales, self.weights, self.biases, self.apart = members, scales, weights, biases, apart

    @classmethod
    def fit(cls, members: Mapping[str, Detector], pixels: Pixels, labels: npt.NDArray[np.int64]) -> OpenSet:
        """Joins the members by held-out images (N, ...) of all classes; labels (N,) are 0..K-1, each at least once."""
        raw = np.stack([member.score(pixels).score for member in members.values()], 1)
        apart = [area(raw[labels == k, k], raw[labels != k, k]) for k in range(len(members))]
        return cls(members, *joined(raw, labels), apart)

    def score(self, pixels: Pixels) -> Scores:
        """The most likely class's scaled score and nearest image; the parts are each class's scaled score."""
        said = [member.score(pixels) for member in self.members.values()]
        raw = np.stack([s.score for s in said], 1)
        scaled, shares = combined(raw, self.scales, self.weights, self.biases)
        parts = {f"as {name}": scaled[:, k] for k, name in enumerate(self.members)}
        offered = [s.nearest for s in said if s.nearest is not None]
        likely, each = shares.argmax(1), np.arange(len(pixels))
        nearest = np.stack(offered)[likely, each] if len(offered) == len(said) else None
        return Scores(scaled[each, likely], parts, nearest, shares)

    def tensors(self) -> dict[str, Tensor]:
        """The members', under their numbers, and the regression's."""
        own = {
            name: torch.from_numpy(np.ascontiguousarray(value))
            for name, value in zip(WEIGHTS, (self.weights, self.biases), strict=True)
        }
        members = enumerate(self.members.values())
        return own | {f"{k}.{name}": tensor for k, member in members for name, tensor in member.tensors().items()}

    def facts(self) -> dict[str, Any]:
        """The members' kind and settings, the scales, and how well each told its class from the others."""
        members = list(self.members.values())
        return {
            "kind": members[0].kind,
            "members": [member.facts() for member in members],
            "scales": [scale.json() for scale in self.scales],
            "apart": list(self.apart),
        }
