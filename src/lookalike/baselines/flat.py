"""Images as rows of numbers, as scikit-learn takes them."""

from __future__ import annotations

import numpy as np

from lookalike.data import scaled
from lookalike.use.score import Floats, Pixels


def flat(pixels: Pixels) -> Floats:
    """(N, C, H, W) uint8, scaled to [-1, 1], or (N, F) float32, as (N, entries) float64."""
    return scaled(pixels).reshape(len(pixels), -1).astype(np.float64)
