"""Frechet distance of features (FID, Heusel et al. 2017), and what it would be of endlessly many images."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lookalike.base.arrays import Floats
from lookalike.base.errors import DataError

PARTS = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)  # of the images, for the extrapolation
DRAWS = 3  # of each part
GROUPS = 10  # of the jackknife


def distance(one: Floats, other: Floats) -> float:
    """Squared distance of the means, plus tr(A + B - 2 sqrt(A B)) of the covariances, of features (N, D) and (M, D).

    It is too large for few images, since covariances of few scatter: compare it only at the same number of images, or
    take `unbounded`.

    Raises
    ------
    DataError
        For fewer images than features: covariances then lack rank.
    """
    for features in (one, other):
        need(len(features), features.shape[1])
    return _distance(one.astype(np.float64), other.astype(np.float64))


def need(images: int, features: int) -> None:
    """Raises DataError where so many images are too few for a covariance of so many features."""
    if images <= features:
        raise DataError(
            f"{images} images are too few for a Frechet distance of {features} features: {features + 1} are needed; "
            "make more (-n), or look at KID, which few images do not bias"
        )


def _distance(one: Floats, other: Floats) -> float:
    gap = one.mean(0) - other.mean(0)
    first, second = (np.atleast_2d(np.cov(side, rowvar=False)) for side in (one, other))
    values, vectors = np.linalg.eigh(first)
    root = vectors * np.sqrt(values.clip(0))  # first = root root^T; rounding makes zeros negative
    # root^T B root has the eigenvalues of A B and is symmetric: a third faster, and real
    shared = np.sqrt(np.linalg.eigvalsh(root.T @ second @ root).clip(0)).sum()
    return float(gap @ gap + np.trace(first) + np.trace(second) - 2 * shared)


def error(one: Floats, other: Floats, *, seed: int = 0) -> float:
    """Standard error of `distance` by a jackknife (Efron 1982): ten times, a tenth of both sides is left out.

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
    return float(np.sqrt((GROUPS - 1) * np.var(found)))


def needed(features: int) -> int:
    """How many images on either side `unbounded` needs of so many features: half of them is the smallest part."""
    return 2 * (features + 1)


class Unbounded(NamedTuple):
    """The distance at endlessly many images, and what it is at those there are."""

    value: float
    at_all: float
    slope: float  # of the distance over 1 / N
    fit: float  # standard error of `value` on the line; that of the images themselves (`error`) comes on top


def unbounded(one: Floats, other: Floats, *, seed: int = 0) -> Unbounded:
    """FID-infinity (Chong and Forsyth 2020): a line through the distance at parts of the images, over 1 / N, at 0.

    Both sides lose the same share of their images.

    Raises
    ------
    DataError
        Where half of the images are too few.
    """
    least = needed(one.shape[1])
    if (few := min(len(one), len(other))) < least:
        raise DataError(
            f"{few} images are too few for a Frechet distance without bias of {one.shape[1]} features: {least} are "
            "needed on both sides; make more (-n), or look at KID, which few images do not bias"
        )
    random, found = np.random.default_rng(seed), []
    for part in PARTS:
        for _ in range(DRAWS if part < 1 else 1):
            rows = [random.permutation(len(side))[: int(part * len(side))] for side in (one, other)]
            found.append((1 / len(rows[0]), _distance(one[rows[0]], other[rows[1]])))
    inverse, distances = np.array(found).T
    (slope, value), covariance = np.polyfit(inverse, distances, 1, cov=True)
    return Unbounded(float(value), float(distances[-1]), float(slope), float(np.sqrt(covariance[1, 1])))
