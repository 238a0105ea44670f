"""The figures of one set of images against another, from the outputs of networks for both."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from lookalike.base.arrays import Floats
from lookalike.base.errors import DataError
from lookalike.detect.auc import Rate, rate
from lookalike.use.quality import diversity, frechet, kernel, manifold

T = TypeVar("T")
NEAREST = 5
LEAST = 2 * kernel.SPLITS  # images per side: two in each part of KID's standard error
BATCH = 100  # images per batch for the mean distance
OF_A_CLASS = 50  # images per class in a part for the inception score, which grows with fewer images
PARTS = 10  # parts for a published network's inception score, as in the paper
DRAWS = 10  # draws of images for FID at equal numbers
WORST = {"KID": -1, "taken for it": 1, "variety": 1}  # figures that order classes -> 1 where higher is better


class Side(NamedTuple):
    """The outputs of networks for N images of one side of a comparison.

    Parameters
    ----------
    features : ndarray
        Float64 (N, D).
    labels : ndarray
        int64 (N,), numbers of the user's K classes.
    probabilities : ndarray or None
        Float64 (N, K) of the user's own classifier; None where there is one class only.
    named : ndarray or None
        Float64 (N, M) for the inception score: `probabilities`, or those of a published network's M classes.
    """

    features: Floats
    labels: npt.NDArray[np.int64]
    probabilities: Floats | None
    named: Floats | None

    def select(self, rows: npt.NDArray[np.int64] | npt.NDArray[np.bool_]) -> Side:
        """Return the images at `rows`."""
        shares = (None if one is None else one[rows] for one in (self.probabilities, self.named))
        return Side(self.features[rows], self.labels[rows], *shares)


@dataclass(frozen=True)
class Figure:
    """One figure of the measured images, and the same figure of real images where it exists."""

    name: str
    value: float | None  # None: too few images
    spread: float | None  # standard error or deviation; None where there is none
    real: float | None  # the figure of held-out real images against each other
    note: str = ""
    real_spread: float | None = None


def compared(made: Side, real: Side, seed: int, whose: str = "") -> list[Figure]:
    """Return the figures of one side against the other; their `real` is None.

    Parameters
    ----------
    made, real
        Two sides of 20 images or more.
    seed
        Seed of all random draws.
    whose
        Name of a published network's classes for the inception score; "" means the user's own classes.
    """
    one, other = made.features, real.features
    kid = kernel.distance(one, other, seed=seed)
    # These four figures depend on the ratio of the numbers, so both sides have the same number.
    n = min(len(one), len(other))
    balls = manifold.overlap(_drawn(other, n, seed), _drawn(one, n, seed), NEAREST)
    batch = min(BATCH, len(one))
    apart = diversity.mean_distance(one, batch, seed=seed)
    means = (
        "share of generated images that look real",
        "share of the real variety that is generated",
        "1: spread like real images; above 1: crowded where real ones are dense",
        "as recall, but outliers matter less",
    )
    return [
        *_frechet(one, other, seed),
        Figure("KID", kid.value, kid.error, None, "lower is better; 0: the same distribution"),
        *(Figure(n, v, e, None, m) for n, v, e, m in zip(balls.value._fields, *balls, means, strict=True)),
        *_inception(made.named, whose, len(np.unique(real.labels)), seed),
        Figure("mean distance", apart.mean, apart.sd, None, f"between features; +- between batches of {batch}"),
    ]


def _drawn(rows: Floats, n: int, seed: int) -> Floats:
    """Return n of the rows, drawn at random."""
    return rows if n == len(rows) else rows[np.random.default_rng(seed).permutation(len(rows))[:n]]


def _inception(named: Floats | None, whose: str, classes: int, seed: int) -> list[Figure]:
    """Return the inception score, or nothing where no network gives class probabilities.

    With the user's own classes all parts have one size, so that the score does not depend on the number of images. With
    a published network there are ten parts.
    """
    if named is None:
        return []
    n, size = len(named), OF_A_CLASS * classes
    parts, what = (PARTS, f"tenths, {n // PARTS:,}") if whose else (n // size, f"parts of {size:,} images")
    if not parts:
        return [Figure("inception score", None, None, None, f"there are {n} images, {size:,} are needed")]
    score = diversity.inception_score(_drawn(named, n if whose else parts * size, seed), parts, seed=seed)
    note = f"of {whose or 'your classes'}, by the network's probabilities; +- between {what}"
    return [Figure("inception score", score.mean, score.sd, None, note)]


def _frechet(one: Floats, other: Floats, seed: int) -> list[Figure]:
    """Return FID, and FID extrapolated to infinitely many images; None, with the number needed, for too few images."""
    ways: tuple[tuple[str, Callable[[], tuple[float, float | None]]], ...] = (
        ("FID", lambda: (frechet.distance(one, other), _or_none(lambda: frechet.error(one, other, seed=seed)))),
        ("FID, no bias", lambda: _unbounded(one, other, seed)),
    )
    found = []
    for name, of in ways:
        try:
            found.append(Figure(name, *of(), None, "lower is better"))
        except DataError as few:
            found.append(Figure(name, None, None, None, str(few).partition(";")[0]))
    return found


class Draws(NamedTuple):
    """FID over some draws of images: its mean, standard deviation, smallest and largest value."""

    mean: float
    sd: float
    low: float
    high: float


class Equal(NamedTuple):
    """FID with `images` images on either side: generated against real ones, and real against other real ones."""

    images: int
    made: Draws
    real: Draws


def at_equal_numbers(made: Floats, real: Floats, seed: int) -> Equal | None:
    """Return FID of generated and of real images at one number n of images per side, each over ten draws.

    FID grows as n falls, so only then do the two compare: the second is what perfect images would have. n is the number
    of generated images, or half of that of real ones where these are too few for two disjoint samples. The draws share
    images, so they scatter less than new images would. None where n is at most the number of features.

    Parameters
    ----------
    made, real
        Features (N, D) and (M, D).
    seed
        Seed of the draws.
    """
    n, random = min(len(made), len(real) // 2), np.random.default_rng(seed)
    if n <= made.shape[1]:
        return None
    found = []
    for _ in range(DRAWS):
        order = random.permutation(len(real))
        one, other = real[order[:n]], real[order[n : 2 * n]]
        found.append((frechet.distance(made[random.permutation(len(made))[:n]], one), frechet.distance(other, one)))
    return Equal(
        n, *(Draws(float(np.mean(v)), float(np.std(v, ddof=1)), min(v), max(v)) for v in zip(*found, strict=True))
    )


def _unbounded(one: Floats, other: Floats, seed: int) -> tuple[float, float]:
    """Return FID for infinitely many images and its standard error; raises DataError for too few images."""
    found = frechet.unbounded(one, other, seed=seed)
    # The errors of the images and of the fitted line are taken as independent: their squares add up.
    return found.value, float(np.hypot(frechet.error(one, other, seed=seed), found.fit))


def by_class(made: Side, real: Side, k: int, seed: int) -> dict[str, float | None]:
    """Return the figures of class k: numbers of images, shares classified as k, FID, KID, mean distances and variety.

    FID is the one extrapolated to infinitely many images, because a class has few. `variety` is the mean distance
    within the generated images over that within the real ones. Spreads are standard errors; `low` and `high` are the
    limits of Wilson's interval. A figure is None where there are too few images.
    """
    one, other = made.select(made.labels == k), real.select(real.labels == k)
    apart, apart_real = (
        diversity.within(side.features, seed=seed) if len(side.labels) > 1 else None for side in (one, other)
    )
    varied = diversity.ratio(apart, apart_real) if apart and apart_real else None
    enough = min(len(one.labels), len(other.labels)) >= LEAST
    kid = kernel.distance(one.features, other.features, seed=seed) if enough else None
    share, share_real = _taken(one, k), _taken(other, k)
    fid, error = _or_none(lambda: _unbounded(one.features, other.features, seed)) or (None, None)
    return {
        "images": len(one.labels),
        "real images": len(other.labels),
        "taken for it": share.rate if share else None,
        "taken for it, low": share.low if share else None,
        "taken for it, high": share.high if share else None,
        "taken for it, real": share_real.rate if share_real else None,
        "FID, no bias": fid,
        "FID, no bias, spread": error,
        "KID": kid.value if kid else None,
        "KID, spread": kid.error if kid else None,
        "within": apart.mean if apart else None,
        "within, spread": apart.error if apart else None,
        "within, real": apart_real.mean if apart_real else None,
        "within, real, spread": apart_real.error if apart_real else None,
        "variety": varied.mean if varied else None,
        "variety, spread": varied.error if varied else None,
    }


def _taken(side: Side, k: int) -> Rate | None:
    """Return the share of the images that the user's own classifier takes for class k; None without a classifier."""
    if side.probabilities is None:
        return None
    return rate(int((side.probabilities.argmax(1) == k).sum()), len(side.labels))


def worst_first(classes: Mapping[str, Mapping[str, float | None]]) -> tuple[str, list[str]]:
    """Return a figure's name and the classes, worst first by it; "" and the classes as they stand where none does.

    The figure is the first of KID, the share classified as the class, and variety that exists for every class.
    `classes` maps each class to the result of `by_class`.
    """
    for figure, sign in WORST.items():
        found = {name: sign * value for name, one in classes.items() if (value := one[figure]) is not None}
        if len(found) == len(classes):
            return figure, sorted(found, key=found.__getitem__)
    return "", list(classes)


def distances(made: Side, real: Side, seed: int) -> list[dict[str, float | None]]:
    """Return the mean distance of features and its deviation over ten batches, by batch size, for both sides."""
    one, other = (diversity.by_batch(side.features, seed=seed) for side in (made, real))
    return [
        {"batch": n, "mean": one[n].mean, "sd": one[n].sd, "real mean": other[n].mean, "real sd": other[n].sd}
        for n in one
        if n in other
    ]


def _or_none(of: Callable[[], T]) -> T | None:
    """Return the result of `of`, or None where there are too few images."""
    try:
        return of()
    except DataError:
        return None
