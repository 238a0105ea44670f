"""Scores of different detectors on one scale: their distance from the median of held-out known images, in spreads."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from lookalike.base.arrays import Floats
from lookalike.base.errors import ModelError, show


@dataclass(frozen=True)
class Scale:
    """The usual scores of known images: `middle` is their median, `spread` their 84 % quantile minus the median.

    For a normal distribution the spread is one standard deviation.
    """

    middle: float
    spread: float

    @classmethod
    def of(cls, score: Floats) -> Scale:
        """Return the scale of the scores (N,) of held-out known images; N is at least 1."""
        middle, high = np.quantile(score, (0.5, 0.84)).tolist()
        # Equal scores have no spread; 1 keeps the division defined.
        return cls(middle, high - middle or 1.0)

    def __call__(self, score: Floats) -> Floats:
        """Return the scaled scores, float64 (N,).

        A scaled score is the distance d from the middle in spreads, as sign(d) log(1 + |d|). The logarithm keeps one
        detector's large scores from outweighing those of the others.
        """
        away = (score - self.middle) / self.spread
        return np.asarray(np.sign(away) * np.log1p(np.abs(away)), dtype=np.float64)

    def json(self) -> list[float]:
        """Return the scale as the JSON value that is stored, [middle, spread]."""
        return [self.middle, self.spread]

    @classmethod
    def stored(cls, value: Any, what: str) -> Scale:
        """Return the scale from a value that `json` gave; raises ModelError for any other value."""
        if not isinstance(value, list) or [type(v) for v in value] != [float, float] or not 0 < value[1] < math.inf:
            raise ModelError(f"{what} has the scale {show(value)}, not a middle and a spread; train again")
        return cls(value[0], value[1])
