"""Tables whose figures are computed from the scores of detectors: what such a table is, and its lines."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lookalike.base.errors import DataError, show
from lookalike.data.sources import open_source
from lookalike.detect.baselines import BASELINES
from lookalike.methods import METHODS
from lookalike.studies.claims import Claim, Values, judge, sentence
from lookalike.studies.detect.trial import ClassScores, DetectorTrial
from lookalike.studies.study import Study
from lookalike.studies.tables.lines import Line, grid, not_compared, of_seeds, ours, scales, seconds
from lookalike.studies.tables.table import Found, Groups, Table, printed
from lookalike.studies.trial import Cell

Scores = Mapping[str, ClassScores]  # of one trial: class -> its scores
DATA = {"mnist": "mnist-5k", "fashion-mnist": "fashion-mnist"}
WHOLE = ""  # all cells are one group: a method is compared over all rows


@dataclass(frozen=True)
class Row:
    """One task of a table, in the paper's words."""

    dataset: str
    known: tuple[str, ...]
    unknown: str

    def __str__(self) -> str:
        return f"{','.join(self.known)}/{self.unknown}"


@dataclass(frozen=True)
class DetectorTable(Table[DetectorTrial]):
    """A paper's table of detectors.

    Parameters
    ----------
    name : str
        PAPER/TABLE, as in the printed figures.
    summary : str
        A description of what is measured, in sentences.
    rows : tuple of Row
        The tasks of the table.
    methods : mapping
        The paper's name of a method -> ours; further methods of ours keep their name.
    figures : tuple of str
        Names of what each cell measures, the printed ones first.
    trials : callable
        (row, base) -> the trials of one cell; the base has data, our method, seed and preset.
    measure : callable
        (row, each trial's scores) -> figure name -> value.
    extras : tuple of str
        Further methods of ours that are measured unless some are chosen.
    claims : tuple of Claim
        The paper's claims about its methods.
    data : mapping
        The paper's name of a data set -> what to read.
    constants : mapping
        The name of an answer that needs no training -> as `measure`, for the same images.
    """

    name: str
    summary: str
    rows: tuple[Row, ...]
    methods: Mapping[str, str]
    figures: tuple[str, ...]
    trials: Callable[[Row, DetectorTrial], tuple[DetectorTrial, ...]]
    measure: Callable[[Row, Sequence[Scores]], dict[str, float]]
    extras: tuple[str, ...] = ("knn", "pca", "lof", "rotation", "auto")
    claims: tuple[Claim, ...] = ()
    data: Mapping[str, str] = field(default_factory=lambda: DATA)
    constants: Mapping[str, Callable[[Row, Sequence[Scores]], dict[str, float]]] = field(default_factory=dict)

    @property
    def row_names(self) -> tuple[str, ...]:
        """The names of the rows, as KNOWN/UNKNOWN."""
        return tuple(map(str, self.rows))

    @property
    def method_names(self) -> tuple[str, ...]:
        """The paper's and ours."""
        return (*self.methods, *METHODS, *BASELINES, *self.extras)

    def groups(self, study: Study, rows: Sequence[str], *, required: bool) -> Groups[DetectorTrial]:
        """All cells as one group; DataError where data cannot be opened, or lack a class of a row."""
        picked = [row for row in self.rows if str(row) in rows]
        self._refuse_other_data(picked)
        usual = (*self.methods, *(name for name in self.extras if name not in self.methods))
        cells = [
            Cell(str(row), name, seed, self._trials(row, name, seed, study.preset))
            for seed in range(study.seeds)
            for row in picked
            for name in study.methods or usual
        ]
        return {WHOLE: cells}

    def _trials(self, row: Row, name: str, seed: int, preset: str) -> tuple[DetectorTrial, ...]:
        base = DetectorTrial(self.data[row.dataset], self.methods.get(name, name), seed, preset=preset)
        return self.trials(row, base)

    def _refuse_other_data(self, rows: Sequence[Row]) -> None:
        there = {name: open_source(self.data[name]).classes for name in dict.fromkeys(row.dataset for row in rows)}
        for row in rows:
            for name in (*row.known, row.unknown):
                if name not in there[row.dataset]:
                    raise DataError(
                        f"{show(self.data[row.dataset])} has no class {name}, so it is not {row.dataset}; "
                        f"give the folder of {row.dataset}'s four IDX files, or {DATA[row.dataset]}"
                    )

    def values(self, found: Found[DetectorTrial]) -> Mapping[str, Values]:
        """Each figure by row, method and seed."""
        rows = {str(row): row for row in self.rows}
        values: dict[str, dict[tuple[str, str, int], float]] = {name: {} for name in self.figures}
        for cell in found.done(WHOLE):
            scores = [{name: trial.scores(found.study.runs, name) for name in trial.scored} for trial in cell.trials]
            for method, of in ((cell.method, self.measure), *self.constants.items()):
                for name, value in of(rows[cell.row], scores).items():
                    if math.isfinite(value):  # nan: not defined for these scores
                        values[name][cell.row, method, cell.seed] = value
        return values

    def lines(self, found: Found[DetectorTrial]) -> list[dict[str, Any]]:
        """A line for each row, method and figure, over its seeds."""
        rows, values = {str(row): row for row in self.rows}, self.values(found)
        costs = {cell: sum(trial.cost(found.study.runs) for trial in cell.trials) for cell in found.done(WHOLE)}
        lines = []
        trained = dict.fromkeys((cell.row, cell.method) for cell in found.groups[WHOLE])
        untrained = dict.fromkeys((row, name) for name in self.constants for row, _ in trained)
        for place in (*trained, *untrained):
            row, method = rows[place[0]], place[1]
            spent = [cost for cell, cost in costs.items() if cell.key[:2] == place]
            for figure in self.figures:
                numbers = [value for key, value in values[figure].items() if key[:2] == place]
                if place in untrained and not numbers:
                    continue  # such an answer has some figures alone
                key = (*self.name.split("/"), row.dataset, ",".join(row.known), row.unknown, method, figure)
                spent_here = spent if numbers else []
                lines.append(
                    of_seeds(key, numbers, spent_here, printed=printed().get(key), command=found.study.command)
                )
        return lines

    def page(self, found: Found[DetectorTrial], lines: Sequence[Line]) -> str:
        """The table for a reader: over all rows first, then the paper's claims, then each cell."""
        study, gone = found.study, found.gone[WHOLE]
        paper, number = self.name.split("/")
        used = sorted({line["dataset"] for line in lines if self.data[line["dataset"]] != line["dataset"]})
        notes = [
            f"`{study.command}`", "",
            self.summary + f" Preset {study.preset}; a tenth of the training images is held out for thresholds. "
            "Mean ± standard deviation over seeds; seconds are training and scoring on one thread.",
            *[measured_on(name, self.data[name]) for name in used],
            *self._scales(found),
        ]  # fmt: skip
        said = [*self._judged(self.values(found), gone), *not_compared(gone)]
        return "\n".join(
            [
                f"# {paper}, table {number}, preset {study.preset}", "", *notes, "",
                "## Over the rows", "", *self._over_rows(lines, gone), "",
                *(["## The paper's claims", "", *said, ""] if said else []),
                "## Every cell", "", *_cells(lines), "",
            ]
        )  # fmt: skip

    def _scales(self, found: Found[DetectorTrial]) -> list[str]:
        """How large the GANs' trainings are."""
        ways = {cell.method: cell.trials[0].train_settings() for cell in found.groups[WHOLE]}
        lines = scales(ways)
        return ["", *lines] if lines else []

    def _judged(self, values: Mapping[str, Values], gone: Mapping[str, str]) -> list[str]:
        """A line for each claim whose methods lack no cell."""
        whole = [claim for claim in self.claims if not {claim.better, claim.worse} & set(gone)]
        verdicts = [(claim, judge(claim, values[claim.figure])) for claim in whole]
        return [f"- {sentence(claim, verdict)}" for claim, verdict in verdicts if verdict]

    def _over_rows(self, lines: Sequence[Line], gone: Mapping[str, str]) -> list[str]:
        """Each method's mean over the rows, and in how many it is above what the paper printed for its best method.

        What lacks a seed or a row has neither.
        """
        own = list(self.methods)[-1]  # the paper's method stands last
        best = {
            (known, unknown, figure): value
            for (paper, number, _, known, unknown, method, figure), value in printed().items()
            if (f"{paper}/{number}", method) == (self.name, own)
        }
        head = ["method", "figure", "printed, mean", "ours, mean", f"rows above the printed {own}", "seconds"]
        body = []
        for method, figure in dict.fromkeys((line["method"], line["metric"]) for line in lines):
            mine = [line for line in lines if (line["method"], line["metric"]) == (method, figure)]
            means = [line["mean"] for line in mine if line["mean"] is not None]
            known = [line["printed"] for line in mine if line["printed"] is not None]
            beaten = [
                line["mean"] > best[_row(line)] for line in mine if line["mean"] is not None and _row(line) in best
            ]
            body.append(
                [
                    method,
                    figure,
                    _mean(known),
                    f"{len(means)} of {len(mine)} rows" if len(means) < len(mine) else gone.get(method) or _mean(means),
                    f"{sum(beaten)} of {len(beaten)}" if beaten and method not in gone else "",
                    _mean([line["seconds"] for line in mine if line["seconds"] is not None], 0),
                ]
            )
        return grid(head, body)


def single(row: Row, base: DetectorTrial) -> tuple[DetectorTrial, ...]:
    """One training on the one known class; mcgan's D learns the other class of the row as fake, as in its paper."""
    needs_others = base.method in METHODS and METHODS[base.method].needs_others
    extra_fakes = (row.unknown,) if needs_others else ()
    return (base.but(known=row.known, extra_fakes=extra_fakes, scored=(*row.known, row.unknown)),)


def measured_on(dataset: str, source: str) -> str:
    """A note where a data set is another, or a part of the paper's."""
    part = ", not on all of the paper's images" if source == DATA.get(dataset) else ""
    return f"{dataset} is measured on {show(Path(source).name)}{part}."


def _row(line: Line) -> tuple[str, str, str]:
    return line["known"], line["unknown"], line["metric"]


def _cells(lines: Sequence[Line]) -> list[str]:
    head = ["data", "known", "unknown", "method", "figure", "printed", "ours", "seeds", "seconds"]
    body = [
        [
            line["dataset"], line["known"], line["unknown"], line["method"], line["metric"],
            "" if line["printed"] is None else f"{line['printed']:.2f}",
            ours(line), str(line["seeds"]), seconds(line),
        ]
        for line in lines
    ]  # fmt: skip
    return grid(head, body)


def _mean(values: Sequence[float], digits: int = 3) -> str:
    return f"{math.fsum(values) / len(values):.{digits}f}" if values else ""
