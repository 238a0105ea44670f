"""What every detector is: scores and verdicts. A larger score means less like the known classes.

The threshold is a conformal quantile of held-out known images, so that it is set before any test image is seen: of new
known images at most the allowed share is flagged, whatever the distribution of the scores (split conformal inference).
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


@dataclass(frozen=True)
class Scores:
    """What a detector says of N images."""

    score: Floats  # (N,) larger = less like the known classes
    parts: Mapping[str, Floats] = field(default_factory=dict)  # each (N,), what the score is made of
    nearest: Pixels | None = None  # (N, C, H, W) uint8, the closest image that the detector can make
    classes: Floats | None = None  # (N, K) probabilities of K known classes, were the image of one of them


class Detector(Protocol):
    """The face that GANs and baselines share."""

    kind: str

    def score(self, pixels: Pixels) -> Scores:
        """Scores of images (N, C, H, W) uint8, or of vectors (N, F) float32."""

    def tensors(self) -> dict[str, Tensor]:
        """What must be stored to score again."""

    def facts(self) -> dict[str, Any]:
        """Settings that must be stored to score again, as JSON."""


@dataclass(frozen=True)
class Threshold:
    """Held-out known images' scores (n,) and the share of false alarms that the user allows."""

    calibration: Floats
    allowed: float

    def __post_init__(self) -> None:
        if not 0 < self.allowed < 1:
            raise UsageError(f"the share of false alarms must lie between 0 and 1, not {self.allowed}; try 0.05")
        if (n := len(self.calibration)) < (needed := images_needed(self.allowed)):
            enough = math.ceil(1000 / (n + 1)) / 1000  # rounded up, or it would be refused again
            more = f", or allow more (--false-alarms {enough:g})" if enough < 1 else ""
            raise DataError(
                f"{n} calibration images cannot promise {self.allowed:g} false alarms: {needed} are needed; "
                f"add known images, hold out more of them (--calibration){more}"
            )

    @property
    def value(self) -> float:
        """The score above which an image is flagged: the k-th smallest, k = ceil((n + 1)(1 - allowed))."""
        # 1e-9: (n + 1)(1 - allowed) may be a rounded whole number
        k = math.ceil((len(self.calibration) + 1) * (1 - self.allowed) - 1e-9)
        return float(np.sort(self.calibration)[k - 1])

    def p_values(self, score: Floats) -> Floats:
        """(N,) share of known images that look at least as unlike: (1 + #{calibration >= score}) / (n + 1)."""
        below = np.searchsorted(np.sort(self.calibration), score, side="left")
        return np.asarray((1 + len(self.calibration) - below) / (len(self.calibration) + 1), dtype=np.float64)

    def flags(self, score: Floats) -> npt.NDArray[np.bool_]:
        """(N,) True where the score lies above the threshold."""
        return np.asarray(score > self.value)


def images_needed(allowed: float) -> int:
    """How many held-out images can promise this share of false alarms."""
    return math.ceil(1 / allowed - 1e-9) - 1  # 1e-9: 1 / allowed may be a rounded whole number
