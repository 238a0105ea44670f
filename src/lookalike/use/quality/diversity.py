"""How varied images are: inception score, and mean distances between features (kplus1-2020, section 4)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.spatial.distance import cdist, pdist

from lookalike.base.arrays import Floats

SPLITS = 10
BATCHES = (16, 32, 64, 128, 256, 512, 1024)
CELLS = 4_000_000  # distances held at once


class Score(NamedTuple):
    """Mean and standard deviation over parts of the images; no deviation where parts are the same images by half."""

    mean: float
    sd: float | None


def inception_score(probabilities: Floats, splits: int = SPLITS, *, seed: int = 0) -> Score:
    """exp E KL(p(y|x) || p(y)) of a classifier's probabilities (N, K), by parts of N (Salimans et al. 2016).

    Parts are drawn at random: images often stand in the order of their classes. 1 where all images are taken for the
    same mixture of classes, K where each is surely of one and all are as frequent.
    """
    order = np.random.default_rng(seed).permutation(len(probabilities))
    parts = np.array_split(np.asarray(probabilities, np.float64)[order], splits)
    each = [float(np.exp(_information(part))) for part in parts]
    return Score(float(np.mean(each)), float(np.std(each, ddof=1)) if splits > 1 else None)


def _information(p: Floats) -> float:
    tiny = np.finfo(np.float64).tiny
    return float((p * (np.log(p.clip(tiny)) - np.log(p.mean(0).clip(tiny)))).sum(1).mean())


def mean_distance(features: Floats, batch: int, *, batches: int = 10, seed: int = 0) -> Score:
    """Mean Euclidean distance of the pairs within batches of features (N, D): each pair once, none with itself.

    The deviation is over the batches, where two of them hardly overlap: of twice as many images as a batch, or more.
    The authors' code overwrites half of the matrix with its maximum first, so its figures lie higher.
    """
    random = np.random.default_rng(seed)
    each = [float(pdist(features[random.permutation(len(features))[:batch]]).mean()) for _ in range(batches)]
    apart = 2 * batch <= len(features)
    return Score(float(np.mean(each)), float(np.std(each, ddof=1)) if apart else None)


def by_batch(features: Floats, *, seed: int = 0) -> dict[int, Score]:
    """`mean_distance` for batches of 16 to 1,024 images (N, D), as far as there are so many (section 4's figure)."""
    return {size: mean_distance(features, size, seed=seed) for size in BATCHES if size <= len(features)}


class Apart(NamedTuple):
    """A mean distance and its standard error, None for fewer than 20 images."""

    mean: float
    error: float | None


def within(features: Floats, *, seed: int = 0) -> Apart:
    """Mean Euclidean distance of all pairs of features (N, D), N at least 2, in memory that hardly grows with N.

    The standard error comes from ten disjoint parts.
    """
    n, size = len(features), max(1, CELLS // len(features))
    total = sum(float(cdist(features[i : i + size], features).sum()) for i in range(0, n, size))
    error = None
    if n >= 2 * SPLITS:
        parts = np.array_split(np.random.default_rng(seed).permutation(n), SPLITS)
        error = float(np.std([pdist(features[rows]).mean() for rows in parts], ddof=1) / np.sqrt(SPLITS))
    return Apart(total / (n * (n - 1)), error)
