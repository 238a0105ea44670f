"""Kernel distance of features (KID, Binkowski et al. 2018): unbiased however few the images are."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lookalike.base.arrays import Floats

CELLS = 4_000_000  # of the kernel held at once
DEGREE = 3
SPLITS = 10  # for the standard error


class Kernel(NamedTuple):
    """Squared maximum mean discrepancy and its standard error."""

    value: float
    error: float


def distance(one: Floats, other: Floats, *, seed: int = 0) -> Kernel:
    """Unbiased MMD^2 of features (N, D) and (M, D) under (x . y / D + 1)^3; N and M at least 20.

    The standard error comes from ten disjoint parts of both sides.
    """
    random = np.random.default_rng(seed)
    orders = [random.permutation(len(side)) for side in (one, other)]
    parts = zip(*(np.array_split(order, SPLITS) for order in orders), strict=True)
    each = [discrepancy(one[rows], other[columns]) for rows, columns in parts]
    return Kernel(discrepancy(one, other), float(np.std(each, ddof=1) / np.sqrt(SPLITS)))


def discrepancy(one: Floats, other: Floats) -> float:
    """The estimate alone, in memory that hardly grows with N."""
    n, m = len(one), len(other)
    same = (_sum(one, one) - _diagonal(one)) / (n * (n - 1)), (_sum(other, other) - _diagonal(other)) / (m * (m - 1))
    return float(same[0] + same[1] - 2 * _sum(one, other) / (n * m))


def _sum(one: Floats, other: Floats) -> float:
    """Of the kernel over all pairs."""
    size = max(1, CELLS // len(other))
    blocks = (one[i : i + size] for i in range(0, len(one), size))
    return float(sum(((block @ other.T / one.shape[1] + 1) ** DEGREE).sum() for block in blocks))


def _diagonal(one: Floats) -> float:
    return float((((one * one).sum(1) / one.shape[1] + 1) ** DEGREE).sum())
