"""Two sides of images as networks see them -> the figures of one against the other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lookalike.errors import DataError
from lookalike.metrics import diversity, frechet, kernel, manifold

Floats = npt.NDArray[np.float64]
NEAREST = 5
LEAST = 2 * kernel.SPLITS  # images of a side: two in each part of KID's error
BATCH = 100  # for the mean distance


class Side(NamedTuple):
    """N images.

    Parameters
    ----------
    features : (N, D)
    probabilities : (N, K), of the user's own classifier
    labels : (N,), numbers of the same K classes
    named : (N, M), whose the inception score is: the same, or of a published network's M classes
    """

    features: Floats
    probabilities: Floats
    labels: npt.NDArray[np.int64]
    named: Floats

    def select(self, rows: npt.NDArray[np.int64] | npt.NDArray[np.bool_]) -> Side:
        """Some of them."""
        return Side(self.features[rows], self.probabilities[rows], self.labels[rows], self.named[rows])


@dataclass(frozen=True)
class Figure:
    """One figure of the images that are measured, and the same of real images where that can be said."""

    name: str
    value: float | None  # None: too few images
    spread: float | None  # standard error or deviation; None where there is none
    real: float | None  # unseen real images against each other
    note: str = ""


def compared(made: Side, real: Side, seed: int, whose: str = "your classes") -> list[Figure]:
    """Figures of the one side against the other, each of 20 images or more; `whose` classes are named; no `real`."""
    one, other = made.features, real.features
    kid = kernel.distance(one, other, seed=seed)
    balls = manifold.overlap(other, one, NEAREST)
    score = diversity.inception_score(made.named, seed=seed)
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
        Figure("inception score", score.mean, score.sd, None, f"of {whose}, as the network names them"),
        Figure("mean distance", apart.mean, apart.sd, None, f"of features, in batches of {batch}"),
    ]


def _frechet(one: Floats, other: Floats, seed: int) -> list[Figure]:
    """FID, and FID at endlessly many images; None with the number needed where there are too few."""
    spread = _or_none(lambda: frechet.error(one, other, seed=seed))
    ways: tuple[tuple[str, Callable[[], float], float | None], ...] = (
        ("FID", lambda: frechet.distance(one, other), spread),
        ("FID, no bias", lambda: frechet.unbounded(one, other, seed=seed).value, None),
    )
    found = []
    for name, of, error in ways:
        try:
            found.append(Figure(name, of(), error, None, "lower is better"))
        except DataError as few:
            found.append(Figure(name, None, None, None, str(few).partition(";")[0]))
    return found


def by_class(made: Side, real: Side, k: int, seed: int) -> dict[str, float | None]:
    """Of class k: images, share that the classifier takes for it, FID and KID against the real ones, distances."""
    one, other = made.select(made.labels == k), real.select(real.labels == k)
    inside, inside_real = (diversity.within(side.features, side.labels).get(k) for side in (one, other))
    enough = min(len(one.labels), len(other.labels)) >= LEAST
    kid = kernel.distance(one.features, other.features, seed=seed) if enough else None
    return {
        "images": len(one.labels),
        "real images": len(other.labels),
        "taken for it": float((one.probabilities.argmax(1) == k).mean()) if len(one.labels) else None,
        "FID": _or_none(lambda: frechet.distance(one.features, other.features)),
        "KID": kid.value if kid else None,
        "KID, spread": kid.error if kid else None,
        "within": inside,
        "within, real": inside_real,
    }


def distances(made: Side, real: Side, seed: int) -> list[dict[str, float]]:
    """Mean distance of features, and its deviation over ten batches, for batches as large as both sides allow."""
    one, other = (diversity.by_batch(side.features, seed=seed) for side in (made, real))
    return [
        {"batch": n, "mean": one[n].mean, "sd": one[n].sd, "real mean": other[n].mean, "real sd": other[n].sd}
        for n in one
        if n in other
    ]


def _or_none(of: Callable[[], float]) -> float | None:
    """What it says; None of too few images."""
    try:
        return of()
    except DataError:
        return None
