"""Scores of different detectors on one scale: deviations from held-out known images' middle, in their spreads."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from lookalike.base.arrays import Floats
from lookalike.base.errors import ModelError, show


@dataclass(frozen=True)
class Scale:
    """What is usual for known images: median, and 84 % quantile minus median (one sigma of a normal)."""

    middle: float
    spread: float

    @classmethod
    def of(cls, score: Floats) -> Scale:
        """The scale of held-out known images' scores (N,), N at least 1."""
        middle, high = np.quantile(score, (0.5, 0.84)).tolist()
        return cls(middle, high - middle or 1.0)

    def __call__(self, score: Floats) -> Floats:
        """(N,) deviations in spreads, large ones as logarithms, so that no detector drowns the others."""
        away = (score - self.middle) / self.spread
        return np.asarray(np.sign(away) * np.log1p(np.abs(away)), dtype=np.float64)

    def json(self) -> list[float]:
        """As it is stored."""
        return [self.middle, self.spread]

    @classmethod
    def stored(cls, value: Any, what: str) -> Scale:
        """What `json` gave; ModelError for anything else."""
        if not isinstance(value, list) or [type(v) for v in value] != [float, float] or not 0 < value[1] < math.inf:
            raise ModelError(f"{what} is scaled by {show(value)}, not by a middle and a spread; train again")
        return cls(value[0], value[1])
