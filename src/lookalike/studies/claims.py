"""Means with their intervals, and whether a paper's claim holds here; every interval and p is scipy's t-test."""

from __future__ import annotations

import math
import warnings
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import t, ttest_1samp, ttest_rel

from lookalike.base.arrays import Floats

Values = Mapping[tuple[str, str, int], float]  # (row, method, seed) -> figure
MOST_PAIRS = 10**9


class Estimate(NamedTuple):
    """A mean with its interval; bounds and p are nan for a single value."""

    mean: float
    low: float
    high: float
    p: float  # two-sided, of a mean of 0; nan without spread

    def text(self, digits: int = 3, times: int = 1, unit: str = "") -> str:
        """The mean, `times` as large and with its sign and unit, and the interval where there is one."""
        mean, low, high = (f"{times * value:+.{digits}f}" for value in self[:3])
        return f"{mean}{unit} [{low}, {high}]" if self.low == self.low else f"{mean}{unit}"


@dataclass(frozen=True)
class Claim:
    """The paper says that `better` is above `worse` in `figure`, in every row."""

    better: str
    worse: str
    figure: str


@dataclass(frozen=True)
class Verdict:
    """What the trials say of a claim."""

    rows: int  # rows that have both methods
    rows_above: int  # rows whose mean over seeds is above
    pairs: int  # pairs of trials with one row and one seed
    pairs_above: int
    gap: Estimate  # over rows, of the mean over seeds


def mean(values: Sequence[float], level: float = 0.95) -> Estimate:
    """The mean of values (n,), with Student's t interval at `level`."""
    return _estimate(np.asarray(values), lambda: ttest_1samp(values, 0), level)


def difference(one: Sequence[float], other: Sequence[float], level: float = 0.95) -> Estimate:
    """The mean of one - other over pairs, with the interval of the paired t-test.

    Parameters
    ----------
    one, other : sequence of float
        (n,) each, in the same order.
    level : float
        Between 0 and 1.
    """
    return _estimate(np.subtract(one, other), lambda: ttest_rel(one, other), level)


def _estimate(values: Floats, test: Callable[[], Any], level: float) -> Estimate:
    """The mean of values (n,), with what scipy's test says of it."""
    middle = float(values.mean())
    if len(values) < 2:
        return Estimate(middle, *[math.nan] * 3)
    with warnings.catch_warnings(action="ignore", category=RuntimeWarning):  # of values without spread
        found = test()
        low, high = map(float, found.confidence_interval(level))
    return Estimate(middle, low, high, float(found.pvalue) if low < high else math.nan)


def bonferroni(comparisons: int, level: float = 0.95) -> float:
    """The level of each of so many intervals, of which the best is looked at."""
    return 1 - (1 - level) / max(1, comparisons)


def half_width(pairs: int, level: float) -> float:
    """Half the width of the paired interval, in standard deviations of the differences; nan for a single pair."""
    return float(t.ppf((1 + level) / 2, pairs - 1)) / math.sqrt(pairs)


def pairs_needed(width: float, sd: float, level: float) -> int:
    """The least number of pairs, from 2 on, whose interval reaches at most `width` to either side of the mean.

    Parameters
    ----------
    width, sd : float
        `width` above 0, and the standard deviation of the differences, both in one unit.
    level : float
        Between 0 and 1.
    """
    return 2 + bisect_left(range(2, MOST_PAIRS), -width, key=lambda pairs: -sd * half_width(pairs, level))


def judge(claim: Claim, values: Values) -> Verdict | None:
    """The verdict over pairs that share row and seed; None where there is none."""
    found: dict[str, list[float]] = {}
    for (row, method, seed), value in values.items():
        other = values.get((row, claim.worse, seed))
        if method == claim.better and other is not None and np.isfinite([value, other]).all():
            found.setdefault(row, []).append(value - other)
    if not found:
        return None
    means = [float(np.mean(differences)) for differences in found.values()]
    every = [one for differences in found.values() for one in differences]
    return Verdict(len(means), sum(m > 0 for m in means), len(every), sum(one > 0 for one in every), mean(means))


def sentence(claim: Claim, verdict: Verdict) -> str:
    """The verdict in words."""
    v = verdict
    holds = "holds in every row" if v.rows_above == v.rows else f"holds in {v.rows_above} of {v.rows} rows"
    return (
        f"{claim.better} above {claim.worse} ({claim.figure}): {holds}, in {v.pairs_above} of {v.pairs} pairs of "
        f"trials with the same seed; mean difference {v.gap.text()}{' over rows' if v.rows > 1 else ''}"
    )
