"""ROC AUC with a bootstrap interval, and rates with Wilson's (Efron 1979; Wilson 1927).

Positive is the unknown class, and a larger score means less like the known one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from lookalike.base.arrays import Floats
from lookalike.base.errors import DataError, UsageError

Ints = npt.NDArray[np.int64]
CELLS = 4_000_000  # counts held at a time


@dataclass(frozen=True)
class Interval:
    """A figure with its interval; `value`, `low` and `high` are None when undefined, and `reason` says why."""

    value: float | None
    low: float | None
    high: float | None
    level: float
    resamples: int
    reason: str | None = None


@dataclass(frozen=True)
class Rate:
    """`count` of `of` as a share with its interval; None where `of` is 0."""

    rate: float | None
    low: float | None
    high: float | None
    count: int
    of: int


@dataclass(frozen=True)
class Band:
    """ROC curve on a grid: `tpr` (points,) at each `fpr` (points,), and its pointwise interval `low`, `high`."""

    fpr: Floats
    tpr: Floats
    low: Floats
    high: Floats


def auc(
    known_scores: npt.ArrayLike,
    unknown_scores: npt.ArrayLike,
    *,
    resamples: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Area under the ROC curve: the chance that an unknown image scores above a known one, ties counting half.

    Parameters
    ----------
    known_scores, unknown_scores
        (N,) and (M,) finite scores; larger means less like the known class.
    resamples, level, seed
        The percentile bootstrap draws images with replacement within each group, `resamples` times. Groups that do
        not overlap give an interval of no width: resampling cannot show what these images do not hold.

    Returns
    -------
    Interval
        `value` None with a `reason` when a group is empty.

    Raises
    ------
    DataError
        For scores that are not finite or not one row of numbers.
    """
    known, unknown = _scores(known_scores, "known"), _scores(unknown_scores, "unknown")
    _check(resamples, level)
    empty = [name for name, group in (("known", known), ("unknown", unknown)) if not group.size]
    if empty:
        reason = f"no {' and no '.join(empty)} images: AUC compares the two groups"
        return Interval(None, None, None, level, resamples, reason)
    places = _Places.of(known, unknown)
    value = float(_areas(*places.counts())[0])
    drawn = np.concatenate([_areas(*counts) for counts in places.resampled(resamples, seed)])
    low, high = np.quantile(drawn, _tails(level))
    return Interval(value, float(low), float(high), level, resamples)


def area(known_scores: npt.ArrayLike, unknown_scores: npt.ArrayLike) -> float:
    """`auc` without its interval; nan where a group is empty."""
    value = auc(known_scores, unknown_scores, resamples=1).value
    return float("nan") if value is None else value


def rate(count: int, of: int, level: float = 0.95) -> Rate:
    """The share `count / of` with Wilson's score interval, which stays in [0, 1] and has width at 0 and 1."""
    if not 0 <= count <= of:
        raise UsageError(f"a rate of {count} in {of}: give a count between 0 and the number it is counted in")
    _check(1, level)
    if of == 0:
        return Rate(None, None, None, count, of)
    z = NormalDist().inv_cdf(_tails(level)[1])
    share = count / of
    middle = (share + z * z / (2 * of)) / (1 + z * z / of)
    half = z / (1 + z * z / of) * (share * (1 - share) / of + z * z / (4 * of * of)) ** 0.5
    # rounding must not cross 0, 1
    low = 0.0 if count == 0 else middle - half
    high = 1.0 if count == of else middle + half
    return Rate(share, low, high, count, of)


def roc_curve_band(
    known_scores: npt.ArrayLike,
    unknown_scores: npt.ArrayLike,
    *,
    points: int = 201,
    resamples: int = 500,
    level: float = 0.95,
    seed: int = 0,
) -> Band:
    """The ROC curve on `points` false-positive rates from 0 to 1, with a pointwise percentile-bootstrap band.

    Raises DataError when a group is empty: there is no curve then (`auc` gives the reason as a value).
    """
    known, unknown = _scores(known_scores, "known"), _scores(unknown_scores, "unknown")
    _check(resamples, level)
    if not known.size or not unknown.size:
        raise DataError(f"a ROC curve of {known.size} known and {unknown.size} unknown images: each needs one or more")
    grid = np.linspace(0.0, 1.0, points)
    places = _Places.of(known, unknown)
    drawn = np.concatenate([_curves(*counts, grid) for counts in places.resampled(resamples, seed)])
    low, high = np.quantile(drawn, _tails(level), axis=0)
    return Band(grid, _curves(*places.counts(), grid)[0], low, high)


@dataclass(frozen=True)
class _Places:
    """Both groups as places among the distinct scores in rising order: all that ranks need."""

    known: Ints
    unknown: Ints
    distinct: int

    @classmethod
    def of(cls, known: Floats, unknown: Floats) -> _Places:
        values, places = np.unique(np.concatenate([known, unknown]), return_inverse=True)
        return cls(places[: len(known)], places[len(known) :], len(values))

    def counts(self) -> tuple[Ints, Ints]:
        """How many known and unknown images lie at each place, (1, distinct) each."""
        return self._counts(self.known[None]), self._counts(self.unknown[None])

    def resampled(self, resamples: int, seed: int) -> Iterator[tuple[Ints, Ints]]:
        """The counts of `resamples` draws with replacement within each group, some rows at a time."""
        draw = np.random.default_rng(seed)
        rows = max(1, CELLS // self.distinct)
        for done in range(0, resamples, rows):
            shape = min(rows, resamples - done)
            known, unknown = (
                self._counts(group[draw.integers(len(group), size=(shape, len(group)))])
                for group in (self.known, self.unknown)
            )
            yield known, unknown

    def _counts(self, places: Ints) -> Ints:
        rows = len(places)
        shifted = places + np.arange(rows)[:, None] * self.distinct
        return np.bincount(shifted.ravel(), minlength=rows * self.distinct).reshape(rows, self.distinct)


def _areas(known: Ints, unknown: Ints) -> Floats:
    """AUC of each row of counts (rows, distinct): known below, ties half (Mann-Whitney)."""
    doubled = 2 * np.cumsum(known, axis=1) - known
    pairs = known.sum(axis=1) * unknown.sum(axis=1)
    return np.asarray(np.einsum("rd,rd->r", doubled, unknown) / (2 * pairs), np.float64)


def _curves(known: Ints, unknown: Ints, grid: Floats) -> Floats:
    """True-positive rate at each false-positive rate of `grid`, for each row of counts."""
    fpr, tpr = (
        np.pad(np.cumsum(counts[:, ::-1], axis=1) / counts.sum(axis=1, keepdims=True), ((0, 0), (1, 0)))
        for counts in (known, unknown)
    )
    return np.stack([np.interp(grid, x, y) for x, y in zip(fpr, tpr, strict=True)])


def _scores(given: npt.ArrayLike, group: str) -> Floats:
    scores = np.asarray(given, np.float64)
    if scores.ndim != 1:
        raise DataError(f"{group} scores of shape {scores.shape}: give one number per image, shape (N,)")
    bad = int(np.count_nonzero(~np.isfinite(scores)))
    if bad:
        raise DataError(f"{bad} of {scores.size} {group} scores are not finite: an AUC of the rest would mislead")
    return scores


def _check(resamples: int, level: float) -> None:
    if resamples < 1 or not 0 < level < 1:
        raise UsageError(f"resamples {resamples}, level {level}: give 1 or more resamples and a level between 0 and 1")


def _tails(level: float) -> tuple[float, float]:
    return (1 - level) / 2, (1 + level) / 2
