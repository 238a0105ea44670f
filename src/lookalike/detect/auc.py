"""ROC AUC with a bootstrap interval (Efron 1979), and shares with Wilson's interval (Wilson 1927).

The positive class of the ROC curve is the unknown. A larger score means less like the known class.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest

from lookalike.base.arrays import Floats
from lookalike.base.errors import DataError, UsageError

Ints = npt.NDArray[np.int64]
CELLS = 4_000_000  # counts in memory at one time


@dataclass(frozen=True)
class Interval:
    """A figure with its interval; `value`, `low` and `high` are None when it is undefined, and `reason` says why."""

    value: float | None
    low: float | None
    high: float | None
    level: float
    resamples: int
    reason: str | None = None


@dataclass(frozen=True)
class Rate:
    """The share `count` / `of` with its interval; the share and its limits are None where `of` is 0."""

    rate: float | None
    low: float | None
    high: float | None
    count: int
    of: int


@dataclass(frozen=True)
class Band:
    """A ROC curve on a grid: `tpr` (points,) at each `fpr` (points,), with a pointwise interval `low` to `high`."""

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
    """Return the area under the ROC curve with a percentile-bootstrap interval (Efron 1979).

    The area is the probability that an unknown image scores above a known one, where a tie counts half.

    Parameters
    ----------
    known_scores, unknown_scores
        (N,) and (M,) finite scores; larger means less like the known class.
    resamples, level, seed
        Number of bootstrap draws, confidence level in (0, 1), and seed. Each draw takes images with replacement within
        each group. The interval has no width where the groups do not overlap: no draw can show what the images lack.

    Returns
    -------
    Interval
        `value` is None, with a `reason`, when a group is empty.

    Raises
    ------
    DataError
        For scores that are not finite or not of shape (N,).
    UsageError
        For fewer than one resample, or a level outside (0, 1).
    """
    known, unknown = _scores(known_scores, "known"), _scores(unknown_scores, "unknown")
    _check(resamples, level)
    empty = [name for name, group in (("known", known), ("unknown", unknown)) if not group.size]
    if empty:
        reason = f"no {' and no '.join(empty)} images: an AUC needs both groups"
        return Interval(None, None, None, level, resamples, reason)
    places = _Places.of(known, unknown)
    value = float(_areas(*places.counts())[0])
    drawn = np.concatenate([_areas(*counts) for counts in places.resampled(resamples, seed)])
    low, high = np.quantile(drawn, _tails(level))
    return Interval(value, float(low), float(high), level, resamples)


def area(known_scores: npt.ArrayLike, unknown_scores: npt.ArrayLike) -> float:
    """Return the value of `auc` without its interval, or nan where a group is empty."""
    value = auc(known_scores, unknown_scores, resamples=1).value
    return float("nan") if value is None else value


def rate(count: int, of: int, level: float = 0.95) -> Rate:
    """Return the share `count / of` with Wilson's score interval (Wilson 1927).

    The interval stays within [0, 1], and it has a width even where the share is 0 or 1.

    Raises
    ------
    UsageError
        For a count outside 0 to `of`, or a level outside (0, 1).
    """
    if not 0 <= count <= of:
        raise UsageError(f"a rate of {count} in {of} is impossible; give a count from 0 to {of}")
    _check(1, level)
    if of == 0:
        return Rate(None, None, None, count, of)
    limits = binomtest(count, of).proportion_ci(level, "wilson")
    return Rate(count / of, float(limits.low), float(limits.high), count, of)


def roc_curve_band(
    known_scores: npt.ArrayLike,
    unknown_scores: npt.ArrayLike,
    *,
    points: int = 201,
    resamples: int = 500,
    level: float = 0.95,
    seed: int = 0,
) -> Band:
    """Return the ROC curve at `points` false-positive rates from 0 to 1, with a pointwise bootstrap interval.

    Parameters
    ----------
    known_scores, unknown_scores, resamples, level, seed
        As for `auc`.
    points
        Number of points of the grid, both ends included.

    Raises
    ------
    DataError
        When a group is empty, because there is no curve then (`auc` gives the reason as a value); or as for `auc`.
    """
    known, unknown = _scores(known_scores, "known"), _scores(unknown_scores, "unknown")
    _check(resamples, level)
    if not known.size or not unknown.size:
        raise DataError(
            f"a ROC curve needs images of both groups, not {known.size} known and {unknown.size} unknown; give at "
            "least one of each"
        )
    grid = np.linspace(0.0, 1.0, points)
    places = _Places.of(known, unknown)
    drawn = np.concatenate([_curves(*counts, grid) for counts in places.resampled(resamples, seed)])
    low, high = np.quantile(drawn, _tails(level), axis=0)
    return Band(grid, _curves(*places.counts(), grid)[0], low, high)


@dataclass(frozen=True)
class _Places:
    """Both groups as indices into the distinct scores in rising order; ranks need nothing else."""

    known: Ints
    unknown: Ints
    distinct: int

    @classmethod
    def of(cls, known: Floats, unknown: Floats) -> _Places:
        values, places = np.unique(np.concatenate([known, unknown]), return_inverse=True)
        return cls(places[: len(known)], places[len(known) :], len(values))

    def counts(self) -> tuple[Ints, Ints]:
        """Return how many known and how many unknown images have each score, each of shape (1, distinct)."""
        return self._counts(self.known[None]), self._counts(self.unknown[None])

    def resampled(self, resamples: int, seed: int) -> Iterator[tuple[Ints, Ints]]:
        """Yield the counts of `resamples` draws with replacement within each group, some draws at a time."""
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
        # A separate range of indices per row lets one bincount count all rows.
        shifted = places + np.arange(rows)[:, None] * self.distinct
        return np.bincount(shifted.ravel(), minlength=rows * self.distinct).reshape(rows, self.distinct)


def _areas(known: Ints, unknown: Ints) -> Floats:
    """Return the AUC of each row of counts (rows, distinct), by the statistic U of Mann and Whitney (1947)."""
    # For each score: twice the known images below it, plus the tied ones, which count half.
    doubled = 2 * np.cumsum(known, axis=1) - known
    pairs = known.sum(axis=1) * unknown.sum(axis=1)
    # AUC = U / (N M)
    return np.asarray(np.einsum("rd,rd->r", doubled, unknown) / (2 * pairs), np.float64)


def _curves(known: Ints, unknown: Ints, grid: Floats) -> Floats:
    """Return the true-positive rate at each false-positive rate of `grid`, for each row of counts."""
    # The threshold falls from the largest score: the share of images at or above it grows from 0 to 1.
    fpr, tpr = (
        np.pad(np.cumsum(counts[:, ::-1], axis=1) / counts.sum(axis=1, keepdims=True), ((0, 0), (1, 0)))
        for counts in (known, unknown)
    )
    return np.stack([np.interp(grid, x, y) for x, y in zip(fpr, tpr, strict=True)])


def _scores(given: npt.ArrayLike, group: str) -> Floats:
    scores = np.asarray(given, np.float64)
    if scores.ndim != 1:
        raise DataError(f"{group} scores have shape {scores.shape}; give one number per image, shape (N,)")
    bad = int(np.count_nonzero(~np.isfinite(scores)))
    if bad:
        raise DataError(
            f"{bad} of {scores.size} {group} scores are not finite; give finite scores, as an AUC of the rest misleads"
        )
    return scores


def _check(resamples: int, level: float) -> None:
    if resamples < 1 or not 0 < level < 1:
        raise UsageError(f"resamples {resamples}, level {level}; give 1 or more resamples and a level between 0 and 1")


def _tails(level: float) -> tuple[float, float]:
    """Return the quantiles that enclose the middle share `level` of a distribution."""
    return (1 - level) / 2, (1 + level) / 2
