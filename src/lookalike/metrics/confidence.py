"""How sure a classifier is of images (kplus1-2020, section 4, where it is a detector of faces)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lookalike.metrics.auc import Rate, rate

LEVELS = (0.9, 0.99, 0.999, 0.9999)  # the paper's 0 stands for no face: a classifier always names a class


def surer(probabilities: npt.NDArray[np.float64]) -> dict[float, Rate]:
    """Level -> the share of images (N, K) whose largest probability of a class is above it."""
    largest = probabilities.max(1)
    return {level: rate(int((largest > level).sum()), len(largest)) for level in LEVELS}
