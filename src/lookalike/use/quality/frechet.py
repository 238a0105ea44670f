"""Frechet distance of features (FID, Heusel et al. 2017), and its limit for infinitely many images."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lookalike.base.arrays import Floats
from lookalike.base.errors import DataError

PARTS = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)  # shares of the images for the extrapolation
DRAWS = 3  # random draws per share
GROUPS = 10  # groups of the jackknife


def distance(one: Floats, other: Floats) -> float:
    """Return the Frechet distance |m - n|^2 + tr(A + B - 2 (A B)^(1/2)) (Heusel et al. 2017, equation 6).

    Here m, n are the means and A, B the covariances of the features (N, D) and (M, D). For few images the distance is
    too large, because their covariances scatter. So compare it at the same number of images only, or use `unbounded`.

    Raises
    ------
    DataError
        For at most as many images as features, because the covariances then lack rank.
    """
    for features in (one, other):
        need(len(features), features.shape[1])
    return _distance(one.astype(np.float64), other.astype(np.float64))


def need(images: int, features: int) -> None:
    """Raise DataError where this many images are too few for a covariance of this many features."""
    if images <= features:
        raise DataError(
            f"{images} images are too few for a Frechet distance of {features} features: {features + 1} are needed; "
            "make more (-n), or use KID, which is unbiased for few images"
        )


def _distance(one: Floats, other: Floats) -> float:
    gap = one.mean(0) - other.mean(0)
    first, second = (np.atleast_2d(np.cov(side, rowvar=False)) for side in (one, other))
    # A = root root^T. Rounding may make eigenvalues slightly negative, hence the clip.
    values, vectors = np.linalg.eigh(first)
    root = vectors * np.sqrt(values.clip(0))
    # root^T B root has the eigenvalues of A B but is symmetric: its roots are real, and it takes a third less time.
    shared = np.sqrt(np.linalg.eigvalsh(root.T @ second @ root).clip(0)).sum()
    # Equation (6) of Heusel et al. 2017
    return float(gap @ gap + np.trace(first) + np.trace(second) - 2 * shared)


def error(one: Floats, other: Floats, *, seed: int = 0) -> float:
    """Return the standard error of `distance` by a jackknife (Efron 1982) that leaves out a tenth, ten times.

    Raises
    ------
    DataError
        Where nine tenths of the images are too few.
    """
    for features in (one, other):
        need(len(features) - -(-len(features) // GROUPS), features.shape[1])
    random = np.random.default_rng(seed)
    groups = [random.permutation(len(side)) % GROUPS for side in (one, other)]
    found = [_distance(one[groups[0] != i], other[groups[1] != i]) for i in range(GROUPS)]
    # sqrt((g - 1) / g * sum of squared deviations), where np.var divides by g already
    return float(np.sqrt((GROUPS - 1) * np.var(found)))


def needed(features: int) -> int:
    """Return how many images of each side `unbounded` needs; half of them, the smallest part, must suffice."""
    return 2 * (features + 1)


class Unbounded(NamedTuple):
    """The distance extrapolated to infinitely many images, and what it is for the images that there are."""

    value: float
    at_all: float
    slope: float  # of the distance as a function of 1 / N
    fit: float  # standard error of `value` from the line alone; the images' own (`error`) comes on top


def unbounded(one: Floats, other: Floats, *, seed: int = 0) -> Unbounded:
    """Return FID-infinity (Chong and Forsyth 2020): the distance extrapolated to infinitely many images.

    The distance of parts of the images is almost linear in 1 / N. A line through these points gives the value at
    1 / N = 0. Both sides keep the same share of their images.

    Raises
    ------
    DataError
        Where half of the images are too few.
    """
    least = needed(one.shape[1])
    if (few := min(len(one), len(other))) < least:
        raise DataError(
            f"{few} images are too few for a Frechet distance without bias of {one.shape[1]} features: {least} are "
            "needed on both sides; make more (-n), or use KID, which is unbiased for few images"
        )
    random, found = np.random.default_rng(seed), []
    for part in PARTS:
        for _ in range(DRAWS if part < 1 else 1):
            rows = [random.permutation(len(side))[: int(part * len(side))] for side in (one, other)]
            found.append((1 / len(rows[0]), _distance(one[rows[0]], other[rows[1]])))
    inverse, distances = np.array(found).T
    # The intercept at 1 / N = 0 is the value; its variance is the last entry of the fit's covariance.
    (slope, value), covariance = np.polyfit(inverse, distances, 1, cov=True)
    return Unbounded(float(value), float(distances[-1]), float(slope), float(np.sqrt(covariance[1, 1])))
