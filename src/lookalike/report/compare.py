"""Several runs compared: one table per pair of known and unknown classes, and a summary over the seeds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from lookalike.runs.folder import Figures, Run


@dataclass(frozen=True)
class Row:
    """The figures of one run; `number` is its place on the page."""

    number: int
    run: str
    seed: Any
    figures: Figures


@dataclass(frozen=True)
class Seeds:
    """The AUC of one method over `n` seeds."""

    method: str
    n: int
    mean: float
    least: float
    most: float


@dataclass(frozen=True)
class Comparison:
    """The runs with the same known and unknown classes; the best AUC is first, undefined ones are last."""

    rows: tuple[Row, ...]

    def seeds(self) -> Iterator[Seeds]:
        """Yield every method that has a defined AUC, in the order of the rows."""
        for method in dict.fromkeys(row.figures.method for row in self.rows):
            rows = [row for row in self.rows if row.figures.method == method]
            values = [row.figures.auc.value for row in rows if row.figures.auc.value is not None]
            if values:
                yield Seeds(method, len({str(row.seed) for row in rows}), fmean(values), min(values), max(values))


def comparisons(runs: Sequence[Run]) -> list[Comparison]:
    """Return the evaluations of `runs`, grouped by their classes in order of first appearance."""
    groups: dict[tuple[tuple[str, ...], tuple[str, ...]], list[Row]] = {}
    for number, run in enumerate(runs, 1):
        for evaluation in run.evaluations:
            figures = evaluation.figures
            groups.setdefault((figures.known, figures.unknown), []).append(Row(number, run.name, run.seed, figures))
    return [Comparison(tuple(sorted(rows, key=_worst_last))) for rows in groups.values()]


def _worst_last(row: Row) -> float:
    value = row.figures.auc.value
    return 2.0 if value is None else -value
