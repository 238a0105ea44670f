"""The variety of images: inception score, and mean distances between features (kplus1-2020, section 3)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.spatial.distance import cdist, pdist

from lookalike.base.arrays import Floats

SPLITS = 10
BATCHES = (16, 32, 64, 128, 256, 512, 1024)
CELLS = 4_000_000  # distances in memory at one time


class Score(NamedTuple):
    """Mean and standard deviation over parts of the images; no deviation where the parts overlap by half."""

    mean: float
    sd: float | None


def inception_score(probabilities: Floats, splits: int = SPLITS, *, seed: int = 0) -> Score:
    """Return the inception score of Salimans et al. (2016): exp(E_x KL(p(y|x) || p(y))), over parts of the images.

    The score is 1 where all images have the same class probabilities. It is K where each image belongs to one class
    with certainty and all classes are equally frequent.

    Parameters
    ----------
    probabilities
        Float64 (N, K), a classifier's probabilities.
    splits, seed
        Number of parts, which are drawn at random: images often stand in the order of their classes.
    """
    order = np.random.default_rng(seed).permutation(len(probabilities))
    parts = np.array_split(np.asarray(probabilities, np.float64)[order], splits)
    each = [float(np.exp(_information(part))) for part in parts]
    return Score(float(np.mean(each)), float(np.std(each, ddof=1)) if splits > 1 else None)


def _information(p: Floats) -> float:
    tiny = np.finfo(np.float64).tiny  # log 0 times 0 counts as 0
    # E_x sum_y p(y|x) (log p(y|x) - log p(y)), where p(y) is the mean of p(y|x)
    return float((p * (np.log(p.clip(tiny)) - np.log(p.mean(0).clip(tiny)))).sum(1).mean())


def mean_distance(features: Floats, batch: int, *, batches: int = 10, seed: int = 0) -> Score:
    """Return the mean Euclidean distance of all pairs within random batches of features (N, D).

    Each pair counts once, and no image is paired with itself. The standard deviation is that between the batches. It
    needs at least twice as many images as a batch, because two batches then hardly overlap. The authors' code first
    overwrites half of the distance matrix with its maximum, so its figures are larger.
    """
    random = np.random.default_rng(seed)
    each = [float(pdist(features[random.permutation(len(features))[:batch]]).mean()) for _ in range(batches)]
    apart = 2 * batch <= len(features)  # else most pairs of batches share images
    return Score(float(np.mean(each)), float(np.std(each, ddof=1)) if apart else None)


def by_batch(features: Floats, *, seed: int = 0) -> dict[int, Score]:
    """Return batch size -> `mean_distance`, for sizes 16 to 1,024 of at most N images (kplus1-2020, figure 3.iv)."""
    return {size: mean_distance(features, size, seed=seed) for size in BATCHES if size <= len(features)}


class Apart(NamedTuple):
    """A mean distance and its standard error, None for fewer than 20 images."""

    mean: float
    error: float | None


def within(features: Floats, *, seed: int = 0) -> Apart:
    """Return the mean Euclidean distance of all pairs of features (N, D), N at least 2.

    The memory hardly grows with N. The standard error comes from ten disjoint parts.
    """
    n, size = len(features), max(1, CELLS // len(features))
    total = sum(float(cdist(features[i : i + size], features).sum()) for i in range(0, n, size))
    error = None
    if n >= 2 * SPLITS:
        parts = np.array_split(np.random.default_rng(seed).permutation(n), SPLITS)
        error = float(np.std([pdist(features[rows]).mean() for rows in parts], ddof=1) / np.sqrt(SPLITS))
    # The sum counts each pair twice and each image with itself, at distance 0.
    return Apart(total / (n * (n - 1)), error)


def ratio(one: Apart, other: Apart) -> Apart | None:
    """Return one mean distance over the other with its standard error; None where the other is 0.

    The two are independent, so their relative variances add up. The error is None where either side has none.
    """
    if other.mean == 0:
        return None
    value = one.mean / other.mean
    if one.error is None or other.error is None:
        return Apart(value, None)
    # The relative variance of a ratio, written so that one.mean may be 0
    return Apart(value, float(np.hypot(one.error, value * other.error)) / other.mean)
