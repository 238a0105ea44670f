"""The interface of all detectors, their scores and the threshold. A larger score means less like the known classes.

The threshold is a conformal quantile of the scores of known images. So no test image has a part in it. Where these
images were held out, at most the allowed share of new known ones is flagged, for any distribution of scores (split
conformal prediction, Vovk et al. 2005). Where they also taught, it is about that share (`baselines/cross.py`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from torch import Tensor

from lookalike.base.arrays import Floats, Pixels
from lookalike.base.errors import DataError, UsageError
from lookalike.base.words import percent


@dataclass(frozen=True)
class Scores:
    """The scores of N images by a detector."""

    score: Floats  # (N,) larger = less like the known classes
    parts: Mapping[str, Floats] = field(default_factory=dict)  # each (N,), the terms of the score
    nearest: Pixels | None = None  # (N, C, H, W) uint8, the closest image that the detector can make
    classes: Floats | None = None  # (N, K) probabilities of K known classes, given that the image is of one of them


class Detector(Protocol):
    """The interface that GANs and baselines share."""

    kind: str

    def score(self, pixels: Pixels) -> Scores:
        """Scores of images (N, C, H, W) uint8, or of vectors (N, F) float32."""

    def tensors(self) -> dict[str, Tensor]:
        """The tensors that must be stored to score again, by name."""

    def facts(self) -> dict[str, Any]:
        """The settings that must be stored to score again, as JSON."""


@dataclass(frozen=True)
class Threshold:
    """The threshold: scores of held-out known images, and the allowed share of false alarms.

    Parameters
    ----------
    calibration : ndarray
        (n,) float64 scores of the calibration images.
    allowed : float
        Share of known images that may be flagged, between 0 and 1.

    Raises
    ------
    UsageError
        If `allowed` is out of range.
    DataError
        If n is too small for `allowed`.
    """

    calibration: Floats
    allowed: float

    def __post_init__(self) -> None:
        if not 0 < self.allowed < 1:
            raise UsageError(f"the share of false alarms must lie between 0 and 1, not {self.allowed}; try 0.05")
        if (n := len(self.calibration)) < (needed := images_needed(self.allowed)):
            enough = math.ceil(1000 / (n + 1)) / 1000  # rounded up, or the advice would be refused again
            more = f", or allow more (--false-alarms {enough:g})" if enough < 1 else ""
            raise DataError(
                f"{n} calibration images cannot promise {percent(self.allowed)} false alarms: {needed} are needed; "
                f"add known images, hold out more of them (--calibration){more}"
            )

    @property
    def value(self) -> float:
        """The score above which an image is flagged: the k-th smallest, k = ceil((n + 1)(1 - allowed))."""
        # a new known image is as likely to be at each of the n + 1 ranks, so n + 1 and not n
        # 1e-9, because (n + 1)(1 - allowed) can be a whole number that was rounded up
        k = math.ceil((len(self.calibration) + 1) * (1 - self.allowed) - 1e-9)
        return float(np.sort(self.calibration)[k - 1])

    def p_values(self, score: Floats) -> Floats:
        """(N,) float64, the share of known images with at least this score: (1 + #{calibration >= score}) / (n + 1)."""
        # side left: equal scores count as at least as high
        below = np.searchsorted(np.sort(self.calibration), score, side="left")
        return np.asarray((1 + len(self.calibration) - below) / (len(self.calibration) + 1), dtype=np.float64)

    def flags(self, score: Floats) -> npt.NDArray[np.bool_]:
        """(N,) bool, True where the score is above the threshold."""
        return np.asarray(score > self.value)


def images_needed(allowed: float) -> int:
    """The smallest number of calibration images for this share of false alarms: ceil(1 / allowed) - 1."""
    return math.ceil(1 / allowed - 1e-9) - 1  # 1e-9, because 1 / allowed can be a whole number that was rounded up
