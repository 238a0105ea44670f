"""Two sides of images as networks see them -> the figures of one against the other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from lookalike.base.arrays import Floats
from lookalike.base.errors import DataError
from lookalike.detect.auc import rate
from lookalike.use.quality import diversity, frechet, kernel, manifold

T = TypeVar("T")
NEAREST = 5
LEAST = 2 * kernel.SPLITS  # images of a side: two in each part of KID's error
BATCH = 100  # for the mean distance
OF_A_CLASS = 50  # images of a part for the inception score, for each class: it grows with fewer
PARTS = 10  # of the images for a published network's inception score, as published


class Side(NamedTuple):
    """N images.

    Parameters
    ----------
    features : (N, D)
    labels : (N,), numbers of the user's K classes
    probabilities : (N, K), of the user's own classifier; None where there is one class
    named : (N, M), whose the inception score is: the same, or of a published network's M classes
    """

    features: Floats
    labels: npt.NDArray[np.int64]
    probabilities: Floats | None
    named: Floats | None

    def select(self, rows: npt.NDArray[np.int64] | npt.NDArray[np.bool_]) -> Side:
        """Some of them."""
        shares = (None if one is None else one[rows] for one in (self.probabilities, self.named))
        return Side(self.features[rows], self.labels[rows], *shares)


@dataclass(frozen=True)
class Figure:
    """One figure of the images that are measured, and the same of real images where that can be said."""

    name: str
    value: float | None  # None: too few images
    spread: float | None  # standard error or deviation; None where there is none
    real: float | None  # unseen real images against each other
    note: str = ""
    real_spread: float | None = None


def compared(made: Side, real: Side, seed: int, whose: str = "") -> list[Figure]:
    """Figures of the one side against the other, each of 20 images or more; none of them has a `real`.

    `whose` published classes are named; "": the user's own. Precision to coverage take as many images of either side,
    since they grow or fall with the ratio.
    """
    one, other = made.features, real.features
    kid = kernel.distance(one, other, seed=seed)
    n = min(len(one), len(other))
    balls = manifold.overlap(_drawn(other, n, seed), _drawn(one, n, seed), NEAREST)
    batch = min(BATCH, len(one))
    apart = diversity.mean_distance(one, batch, seed=seed)
    means = (
        "share that looks real",
        "share of the real variety",
        "1: as real ones lie; above: where they crowd",
        "as recall",
    )
    return [
        *_frechet(one, other, seed),
        Figure("KID", kid.value, kid.error, None, "lower is better; 0: alike"),
        *(Figure(n, v, e, None, m) for n, v, e, m in zip(balls.value._fields, *balls, means, strict=True)),
        *_inception(made.named, whose, len(np.unique(real.labels)), seed),
        Figure("mean distance", apart.mean, apart.sd, None, f"of features; +- between batches of {batch}"),
    ]


def _drawn(rows: Floats, n: int, seed: int) -> Floats:
    """So many of them."""
    return rows if n == len(rows) else rows[np.random.default_rng(seed).permutation(len(rows))[:n]]


def _inception(named: Floats | None, whose: str, classes: int, seed: int) -> list[Figure]:
    """In parts of one size, whatever the number; a published network's in ten. Nothing where nobody names classes."""
    if named is None:
        return []
    n, size = len(named), OF_A_CLASS * classes
    parts, what = (PARTS, f"tenths, {n // PARTS:,}") if whose else (n // size, f"parts of {size:,} images")
    if not parts:
        return [Figure("inception score", None, None, None, f"{n} images, {size:,} are needed")]
    score = diversity.inception_score(_drawn(named, n if whose else parts * size, seed), parts, seed=seed)
    note = f"of {whose or 'your classes'}, as the network names them; +- between {what}"
    return [Figure("inception score", score.mean, score.sd, None, note)]


def _frechet(one: Floats, other: Floats, seed: int) -> list[Figure]:
    """FID, and FID at endlessly many images; None with the number needed where there are too few."""
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


def _unbounded(one: Floats, other: Floats, seed: int) -> tuple[float, float]:
    """FID at endlessly many images and its standard error: of the images and of the line; DataError of too few."""
    found = frechet.unbounded(one, other, seed=seed)
    return found.value, float(np.hypot(frechet.error(one, other, seed=seed), found.fit))


def by_class(made: Side, real: Side, k: int, seed: int) -> dict[str, float | None]:
    """Of class k: images, share that the classifier takes for it, FID and KID against the real ones, distances.

    FID is the one without bias: of a class there are few images. Spreads are standard errors, `low` and `high` Wilson's
    interval; None where there are too few images.
    """
    one, other = made.select(made.labels == k), real.select(real.labels == k)
    apart, apart_real = (
        diversity.within(side.features, seed=seed) if len(side.labels) > 1 else None for side in (one, other)
    )
    enough = min(len(one.labels), len(other.labels)) >= LEAST
    kid = kernel.distance(one.features, other.features, seed=seed) if enough else None
    taken = None if one.probabilities is None else one.probabilities.argmax(1) == k
    share = rate(int(taken.sum()), len(taken)) if taken is not None else None
    fid, error = _or_none(lambda: _unbounded(one.features, other.features, seed)) or (None, None)
    return {
        "images": len(one.labels),
        "real images": len(other.labels),
        "taken for it": share.rate if share else None,
        "taken for it, low": share.low if share else None,
        "taken for it, high": share.high if share else None,
        "FID, no bias": fid,
        "FID, no bias, spread": error,
        "KID": kid.value if kid else None,
        "KID, spread": kid.error if kid else None,
        "within": apart.mean if apart else None,
        "within, spread": apart.error if apart else None,
        "within, real": apart_real.mean if apart_real else None,
        "within, real, spread": apart_real.error if apart_real else None,
    }


def distances(made: Side, real: Side, seed: int) -> list[dict[str, float | None]]:
    """Mean distance of features, and its deviation over ten batches, for batches as large as both sides allow."""
    one, other = (diversity.by_batch(side.features, seed=seed) for side in (made, real))
    return [
        {"batch": n, "mean": one[n].mean, "sd": one[n].sd, "real mean": other[n].mean, "real sd": other[n].sd}
        for n in one
        if n in other
    ]


def _or_none(of: Callable[[], T]) -> T | None:
    """What it says; None of too few images."""
    try:
        return of()
    except DataError:
        return None
