"""Kernel distance of features (KID, Binkowski et al. 2018), which is unbiased for any number of images."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lookalike.base.arrays import Floats

CELLS = 4_000_000  # entries of the kernel matrix in memory at one time
DEGREE = 3
SPLITS = 10  # parts for the standard error


class Kernel(NamedTuple):
    """The squared maximum mean discrepancy (MMD) and its standard error."""

    value: float
    error: float


def distance(one: Floats, other: Floats, *, seed: int = 0) -> Kernel:
    """Return the unbiased MMD^2 of features (N, D) and (M, D) with the kernel k(x, y) = (x . y / D + 1)^3.

    N and M are at least 20. The standard error comes from ten disjoint parts of both sides.
    """
    random = np.random.default_rng(seed)
    orders = [random.permutation(len(side)) for side in (one, other)]
    parts = zip(*(np.array_split(order, SPLITS) for order in orders), strict=True)
    each = [discrepancy(one[rows], other[columns]) for rows, columns in parts]
    return Kernel(discrepancy(one, other), float(np.std(each, ddof=1) / np.sqrt(SPLITS)))


def discrepancy(one: Floats, other: Floats) -> float:
    """Return the estimate without its error (Gretton et al. 2012, equation 3); the memory hardly grows with N."""
    n, m = len(one), len(other)
    # Sums over pairs of different images: the diagonal k(x, x) would bias the estimate.
    same = (_sum(one, one) - _diagonal(one)) / (n * (n - 1)), (_sum(other, other) - _diagonal(other)) / (m * (m - 1))
    return float(same[0] + same[1] - 2 * _sum(one, other) / (n * m))


def _sum(one: Floats, other: Floats) -> float:
    """Return the sum of the kernel over all pairs."""
    size = max(1, CELLS // len(other))
    blocks = (one[i : i + size] for i in range(0, len(one), size))
    return float(sum(((block @ other.T / one.shape[1] + 1) ** DEGREE).sum() for block in blocks))


def _diagonal(one: Floats) -> float:
    """Return the sum of k(x, x) over all images."""
    return float((((one * one).sum(1) / one.shape[1] + 1) ** DEGREE).sum())
