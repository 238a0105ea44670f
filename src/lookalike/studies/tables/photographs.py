"""A table of our own: detectors on photographs and on two data sets that everybody measures, one class known at a time.

Other people's printed figures stand on its page, with their sources.
"""

from __future__ import annotations

import csv
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files as resources
from pathlib import Path
from typing import Any

import numpy as np

from lookalike.base import names
from lookalike.base.errors import DataError, listed, show
from lookalike.base.words import written
from lookalike.data.sources import open_source
from lookalike.detect.auc import area
from lookalike.runs.settings import HELD_OUT
from lookalike.studies.detect.parts import MOST
from lookalike.studies.study import Study
from lookalike.studies.tables.lines import Line, every_seed, grid, not_compared, of_seeds, ours, seconds
from lookalike.studies.tables.photograph_trial import OTHERS, PhotographTrial, named
from lookalike.studies.tables.table import Found, Groups, Table, of_data
from lookalike.studies.trial import Cell

ALLOWED = 0.05  # false alarms, the default of `lookalike train`
ROUNDED = 1e-9  # a p-value of just this share may have been rounded up
METHODS = (
    *("auto", "patches", "features-gaussian", "features-knn"),
    *("knn", "pca", "lof", "iforest-pca", "ocsvm-pca", "rotation"),
)
FIGURES = {  # name -> title
    "auc": "AUC", "misses": "misses", "false_alarms": "false alarms", "accuracy": "accuracy",
    "pixel_auroc": "pixel AUROC", "pixel_aupro": "AUPRO",
}  # fmt: skip
SUMMARY = (
    "AUC of the test images of the known classes against images of the unknown ones; misses and false alarms at a "
    f"threshold for {100 * ALLOWED:.0f} % false alarms. Test images are the official ones. Where there are none, a "
    "fifth of each known class is held out, and all images of an unknown class are scored; of steel, the "
    f"{MOST} of a class with the smallest content keys. Where several classes are known, accuracy is the share of "
    "their test images whose class is right, without a threshold. Pixel AUROC and AUPRO are those of heat maps "
    "against masks. Methods learn from as many images as they take by themselves. Mean ± standard deviation over "
    "seeds; seconds are training and scoring on one thread, and rows with the same known classes share them."
)
ELSEWHERE = (
    "Printed by others, on the whole data sets, with other splits or more training images. They do not compare with "
    "ours to the digit."
)
Figures = dict[str, float]


@dataclass(frozen=True)
class Row:
    """Known classes against unknown ones."""

    known: tuple[str, ...]
    unknown: tuple[str, ...]

    def __str__(self) -> str:
        return f"{named(self.known)}/{named(self.unknown)}"

    def is_within(self, other: Row) -> bool:
        """Whether the other row has these unknown classes and more."""
        return self.known == other.known and set(self.unknown) < set(other.unknown)


def against_each(known: str) -> Callable[[tuple[str, ...]], tuple[Row, ...]]:
    """Rows of one known class: each other class is unknown, and then all of them are."""

    def rows(classes: tuple[str, ...]) -> tuple[Row, ...]:
        if known not in classes:
            raise DataError(f"there is no class {known}, which is the known one; there are {listed(classes)}")
        others = _without(classes, known)
        return (*(Row((known,), (name,)) for name in others), Row((known,), others))

    return rows


def each_known(classes: tuple[str, ...]) -> tuple[Row, ...]:
    """Rows in which each class is known alone, and all others are unknown."""
    return tuple(Row((name,), _without(classes, name)) for name in classes)


def each_unknown(classes: tuple[str, ...]) -> tuple[Row, ...]:
    """Rows in which each class is unknown, and all others are known."""
    return tuple(Row(_without(classes, name), (name,)) for name in classes)


@dataclass(frozen=True)
class Task:
    """One data set of the table.

    Parameters
    ----------
    name : str
        The name that `--rows` takes.
    data : str
        A folder in that of the photographs; or a data set's name, where `installed`.
    rows : callable
        The data's classes -> the rows.
    few : bool
        Whether only `MOST` images of each unknown class are scored.
    installed : bool
        Whether the data are found without a folder.
    """

    name: str
    data: str
    rows: Callable[[tuple[str, ...]], tuple[Row, ...]]
    few: bool = False
    installed: bool = False


TASKS = (
    Task("tiles", "tiles", against_each("Free")),
    Task("pcb", "pcb", against_each("good")),
    Task("steel", "steel", each_known, few=True),
    Task("steel-one-unknown", "steel", each_unknown, few=True),
    Task("cifar-10", "cifar-10-batches-bin", each_known),
    Task("fashion-mnist", "fashion-mnist", each_known, installed=True),
)


@dataclass(frozen=True)
class There:
    """The data of a task, as they were found.

    Parameters
    ----------
    task : Task
        The task.
    data : str
        What is read.
    classes : tuple of str
        All classes.
    rows : mapping
        The rows by name.
    masks : str
        The folder of masks, or nothing.
    """

    task: Task
    data: str
    classes: tuple[str, ...]
    rows: Mapping[str, Row]
    masks: str

    @classmethod
    def of(cls, task: Task, folder: Path | None) -> There:
        """What `folder` holds of a task's data; raises DataError where they are not there, or cannot be its own."""
        if folder is None and not task.installed:
            raise DataError(
                f"{task.name} needs photographs, and no folder was given; name the one that holds {task.data} "
                "(--photographs)"
            )
        path = Path(task.data) if task.installed or folder is None else folder / task.data
        if not task.installed and not path.is_dir():
            raise DataError(f"{show(folder)} holds no folder {task.data}; add it, or name another one (--photographs)")
        source, masks = open_source(str(path)), path.with_name(f"{path.name}-masks")
        if len(source.classes) < 2 or OTHERS in source.classes:
            raise DataError(
                f"{show(path)} must have two classes or more, and none that is called {OTHERS}; add or rename some"
            )
        try:
            rows = {str(row): row for row in task.rows(source.classes)}
        except DataError as error:
            raise DataError(f"{show(path)}: {error}") from None
        marked = str(masks) if not task.installed and masks.is_dir() else ""
        return cls(task, str(path), source.classes, rows, marked)

    def cells(self, picked: Sequence[str], study: Study) -> list[Cell[PhotographTrial]]:
        """Every method on the picked rows with every seed."""
        return [
            Cell(name, method, seed, (self._trial(row, method, seed, study.preset),))
            for seed in range(study.seeds)
            for name, row in self.rows.items()
            if self.task.name in picked or name in picked
            for method in study.methods or METHODS
        ]

    def _trial(self, row: Row, method: str, seed: int, preset: str) -> PhotographTrial:
        """The training of a row, which is that of all rows with its known classes."""
        others = tuple(name for name in self.classes if name not in row.known)
        held_out = 0.0 if method in names.CROSSED else HELD_OUT  # as `lookalike train` does
        return PhotographTrial(
            self.data, method, seed, preset=preset, settings=(("calibration", held_out),), known=row.known,
            scored=row.known, whole=others, few=self.task.few, masks=self.masks,
        )  # fmt: skip


@dataclass(frozen=True)
class Photographs(Table[PhotographTrial]):
    """The table.

    Parameters
    ----------
    folder : Path, optional
        The folder of the photographs: a folder for each data set, and beside it one with masks, NAME-masks.
    """

    folder: Path | None = None

    name = "photographs/1"
    method_names = names.METHODS

    @cached_property
    def _found(self) -> dict[str, There | DataError]:
        """The data of each task, or why they are not here."""
        found: dict[str, There | DataError] = {}
        for task in TASKS:
            try:
                found[task.name] = There.of(task, self.folder)
            except DataError as error:
                found[task.name] = error
        return found

    def _there(self, task: str) -> There:
        found = self._found[task]
        if isinstance(found, DataError):
            raise found
        return found

    @property
    def row_names(self) -> tuple[str, ...]:
        """The data sets, and the rows of those that are here."""
        return (*self._found, *(row for one in self._found.values() if isinstance(one, There) for row in one.rows))

    def groups(self, study: Study, rows: Sequence[str], *, required: bool) -> Groups[PhotographTrial]:
        """The cells of each data set."""
        picked = [
            name
            for name, one in self._found.items()
            if name in rows or (isinstance(one, There) and set(rows) & set(one.rows))
        ]
        return of_data(picked, lambda name: self._there(name).cells(rows, study), study.warn, required=required)

    def values(self, found: Found[PhotographTrial], group: str) -> dict[tuple[str, str, int], Figures]:
        """The figures of a data set's cells that are done, by row, method and seed."""
        rows, runs = self._there(group).rows, found.study.runs
        return {cell.key: measured(rows[cell.row], cell.trials[0], runs) for cell in found.done(group)}

    def lines(self, found: Found[PhotographTrial]) -> list[dict[str, Any]]:
        """A line for each data set, row, method and figure, over its seeds."""
        lines = []
        for group, cells in found.groups.items():
            rows, values = self._there(group).rows, self.values(found, group)
            costs = {cell.key: cell.trials[0].cost(found.study.runs) for cell in found.done(group)}
            for row, method in dict.fromkeys((cell.row, cell.method) for cell in cells):
                mine = {key: one for key, one in values.items() if key[:2] == (row, method)}
                place = (*self.name.split("/"), group, named(rows[row].known), named(rows[row].unknown), method)
                for figure in _figures(mine.values()):
                    numbers = [one[figure] for one in mine.values()] if mine else []
                    spent = [costs[key] for key in mine]
                    lines.append(of_seeds((*place, figure), numbers, spent, printed=None, command=found.study.command))
        return lines

    def beside(self, found: Found[PhotographTrial]) -> dict[str, str | bytes]:
        """Every seed's figures."""
        each: dict[str, dict[tuple[str, int], Figures]] = {}
        for group in found.groups:
            for (row, method, seed), one in self.values(found, group).items():
                each.setdefault(f"{group} {row}", {})[method, seed] = one
        return {"-seeds.csv": every_seed(each)}

    def page(self, found: Found[PhotographTrial], lines: Sequence[Line]) -> str:
        """The table for a reader: each data set's means beside what others printed, and then every row."""
        study = found.study
        text = [f"# Detectors on photographs, preset {study.preset}", "", f"`{study.command}`", "", SUMMARY]
        for group in found.groups:
            text += ["", f"## {group}", "", *self._means(found, group), *_below(not_compared(found.gone[group]))]
            text += _below(_elsewhere(group))
        for group in found.groups:
            text += ["", f"## Every row of {group}", "", *_cells([line for line in lines if line["dataset"] == group])]
        return "\n".join([*text, ""])

    def _means(self, found: Found[PhotographTrial], group: str) -> list[str]:
        """Each method's figures over the rows; a method that lacks a cell has none."""
        values, rows = self.values(found, group), self._whole(found, group)
        there, body = _figures(values.values()), []
        for method in (name for name in found.methods(group) if name not in found.gone[group]):
            of_seeds = [[values[row, method, seed] for row in rows] for seed in range(found.study.seeds)]
            trials = {cell.trials[0] for cell in found.done(group) if cell.method == method}
            cost = statistics.fmean(trial.cost(found.study.runs) for trial in trials)
            body.append([method, *(_over_rows(of_seeds, figure) for figure in there), f"{cost:.0f}"])
        said = f"Means over {len(rows)} rows: {', '.join(rows)}." if len(rows) > 1 else f"The row {rows[0]}."
        return [said, "", *grid(["method", *(FIGURES[name] for name in there), "seconds"], body)]

    def _whole(self, found: Found[PhotographTrial], group: str) -> list[str]:
        """The rows of a data set that were chosen, without those whose unknown class is one of another row's."""
        rows = self._there(group).rows
        picked = {name: rows[name] for name in dict.fromkeys(cell.row for cell in found.groups[group])}
        return [name for name, row in picked.items() if not any(row.is_within(other) for other in picked.values())]


def measured(row: Row, trial: PhotographTrial, runs: Path) -> Figures:
    """The figures of a row, from the scores that its trial stored."""
    known, unknown = (
        [trial.scores(runs, name, trial.part_of(name)) for name in classes] for classes in (row.known, row.unknown)
    )
    score = [np.concatenate([one.score for one in side]) for side in (known, unknown)]
    flagged = [np.concatenate([one.p_value <= ALLOWED + ROUNDED for one in side]) for side in (known, unknown)]
    found = {"auc": area(*score), "misses": 1 - float(flagged[1].mean()), "false_alarms": float(flagged[0].mean())}
    if len(known) > 1:
        right = np.concatenate([one.label == number for number, one in enumerate(known)])
        found["accuracy"] = float(right.mean())
    return {**found, **trial.of_maps(runs, row.unknown)}


def _without(classes: tuple[str, ...], name: str) -> tuple[str, ...]:
    return tuple(other for other in classes if other != name)


def _figures(values: Iterable[Figures]) -> list[str]:
    """The names of the figures that some have, in their order; the first one where there is none."""
    there = {name for one in values for name in one} or {"auc"}
    return [name for name in FIGURES if name in there]


def _over_rows(of_seeds: Sequence[Sequence[Figures]], figure: str) -> str:
    """The mean over seeds of the mean over rows, with its spread over seeds."""
    if figure not in of_seeds[0][0]:
        return ""
    means = [statistics.fmean(one[figure] for one in rows) for rows in of_seeds]
    return written(figure, statistics.fmean(means), statistics.stdev(means) if len(means) > 1 else None)


def _cells(lines: Sequence[Line]) -> list[str]:
    """A line for each row and method, with its figures side by side."""
    found: dict[tuple[str, str, str], dict[str, Line]] = {}
    for line in lines:
        found.setdefault((line["known"], line["unknown"], line["method"]), {})[line["metric"]] = line
    there = [name for name in FIGURES if any(name in of for of in found.values())]
    body = [
        [
            *place,
            *(ours(of[name]) if name in of else "" for name in there),
            str(of["auc"]["seeds"]),
            seconds(of["auc"]),
        ]
        for place, of in found.items()
    ]
    return grid(["known", "unknown", "method", *(FIGURES[name] for name in there), "seeds", "seconds"], body)


def _below(lines: list[str]) -> list[str]:
    """Lines after an empty one."""
    return ["", *lines] if lines else []


def _elsewhere(group: str) -> list[str]:
    """What others printed of a data set."""
    text = resources("lookalike.studies.tables").joinpath("elsewhere.csv").read_text("utf-8")
    printed = [line for line in csv.DictReader(text.splitlines()) if line["dataset"] == group]
    body = [[line["method"], line["value"], line["source"]] for line in printed]
    return [ELSEWHERE, "", *grid(["printed by others", "AUC", "source"], body)] if body else []


TABLE = Photographs()
