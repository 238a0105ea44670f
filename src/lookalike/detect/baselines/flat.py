"""Images as rows of numbers, as scikit-learn needs them, in blocks of one size."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lookalike.base.arrays import Floats, Pixels
from lookalike.data import scaled


def flat(pixels: Pixels) -> Floats:
    """Return (N, C, H, W) uint8, scaled to [-1, 1], or (N, F) float32, as (N, entries) float64."""
    return scaled(pixels).reshape(len(pixels), -1).astype(np.float64)


# Rows of a block; one image costs as much. Matrix products of another size give other bits, and so do rows outside a
# kernel's whole tiles. On any processor, 48 rows are whole tiles of 4, 8, 12, 16 and 24 rows.
BLOCK = 48


def blocks(pixels: Pixels) -> Iterator[tuple[Floats, int]]:
    """Yield the rows of `flat` in blocks of `BLOCK` rows, each with the number of rows that count.

    The last block is padded with zeros. So an image's score depends neither on the other images nor on their order.
    """
    x = flat(pixels)
    for i in range(0, len(x), BLOCK):
        rows = x[i : i + BLOCK]
        yield np.concatenate([rows, np.zeros((BLOCK - len(rows), x.shape[1]))]), len(rows)
