"""Does a paper's claim hold here? One method against another on the same rows with the same seeds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

Values = Mapping[tuple[str, str, int], float]  # (row, method, seed) -> figure


@dataclass(frozen=True)
class Claim:
    """`better` is above `worse` in `figure`, in every row, says the paper."""

    better: str
    worse: str
    figure: str


@dataclass(frozen=True)
class Verdict:
    """What the runs say of a claim."""

    rows: int  # rows that have both methods
    rows_above: int  # rows whose mean over seeds is above
    pairs: int  # pairs of runs with one row and one seed
    pairs_above: int
    difference: float  # mean over rows of the mean over seeds
    low: float  # 95 % interval over rows (Student's t); nan for one row
    high: float

    @property
    def p(self) -> float:
        """Two-sided p of the paired t-test over rows; nan for one row."""
        half = self.high - self.difference
        if self.rows < 2 or half == 0:
            return float("nan")
        t = self.difference / half * student.ppf(0.975, self.rows - 1)
        return float(2 * student.sf(abs(t), self.rows - 1))


def judge(claim: Claim, values: Values) -> Verdict | None:
    """The verdict over pairs that share row and seed; None where there is none."""
    found: dict[str, list[float]] = {}
    for (row, method, seed), value in values.items():
        other = values.get((row, claim.worse, seed))
        if method == claim.better and other is not None and np.isfinite([value, other]).all():
            found.setdefault(row, []).append(value - other)
    if not found:
        return None
    means = np.array([np.mean(differences) for differences in found.values()])
    every = np.concatenate([np.array(differences) for differences in found.values()])
    n, middle = len(means), float(means.mean())
    half = float(student.ppf(0.975, n - 1) * means.std(ddof=1) / n**0.5) if n > 1 else float("nan")
    return Verdict(n, int((means > 0).sum()), len(every), int((every > 0).sum()), middle, middle - half, middle + half)


def sentence(claim: Claim, verdict: Verdict) -> str:
    """The verdict in words."""
    v = verdict
    holds = "holds in every row" if v.rows_above == v.rows else f"holds in {v.rows_above} of {v.rows} rows"
    interval = f" [{v.low:+.3f}, {v.high:+.3f}] over rows" if v.rows > 1 else ""
    return (
        f"{claim.better} above {claim.worse} ({claim.figure}): {holds}, in {v.pairs_above} of {v.pairs} pairs of runs "
        f"with the same seed; mean difference {v.difference:+.3f}{interval}"
    )
