"""Images as rows of numbers, as scikit-learn takes them, in blocks of one size."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lookalike.base.arrays import Floats, Pixels
from lookalike.data import scaled


def flat(pixels: Pixels) -> Floats:
    """(N, C, H, W) uint8, scaled to [-1, 1], or (N, F) float32, as (N, entries) float64."""
    return scaled(pixels).reshape(len(pixels), -1).astype(np.float64)


# Rows: matrix products of other sizes end in other bits, and so do rows beyond whole tiles of a kernel, whatever the
# processor: 384 are whole tiles of 4, 8, 12, 16 and 24 for one to four threads.
BLOCK = 384


def blocks(pixels: Pixels) -> Iterator[tuple[Floats, int]]:
    """`flat` rows by the `BLOCK`, the last one padded with zeros, each with how many of its rows count.

    An image's score then depends neither on what else is scored nor on the order.
    """
    x = flat(pixels)
    for i in range(0, len(x), BLOCK):
        rows = x[i : i + BLOCK]
        yield np.concatenate([rows, np.zeros((BLOCK - len(rows), x.shape[1]))]), len(rows)
