"""What a table of a paper is, and the one way to run it: does what is missing, then writes the table cell by cell."""

from __future__ import annotations

import csv
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files as resources
from pathlib import Path
from typing import Any, Generic, TypeVar

from lookalike.base import files
from lookalike.base.arrays import Warn
from lookalike.base.errors import DataError, UsageError
from lookalike.studies.study import Study
from lookalike.studies.tables.lines import Line, as_csv, chosen
from lookalike.studies.trial import Cell, Trial

T = TypeVar("T", bound=Trial)
Groups = dict[str, list[Cell[T]]]  # what is compared with each other: the cells of one data set, or of the whole table


@dataclass(frozen=True)
class Found(Generic[T]):
    """What a table is written from.

    Parameters
    ----------
    study : Study
        The study that measured it.
    groups : mapping
        Name -> its cells, done or not.
    gone : mapping
        Name of a group -> methods that lack a cell -> how many, in words.
    """

    study: Study
    groups: Groups[T]
    gone: Mapping[str, Mapping[str, str]]

    def done(self, group: str) -> list[Cell[T]]:
        """The cells that can be measured."""
        return [cell for cell in self.groups[group] if cell.is_done(self.study.runs)]

    def methods(self, group: str) -> list[str]:
        """The methods that take part, done or not."""
        return list(dict.fromkeys(cell.method for cell in self.groups[group]))


class Table(ABC, Generic[T]):
    """A paper's table as a protocol."""

    name: str  # PAPER/TABLE, as the command takes it

    @property
    def variant(self) -> str:
        """The end of the files' names where they hold other figures of the same table."""
        return ""

    @property
    @abstractmethod
    def row_names(self) -> tuple[str, ...]:
        """All rows."""

    @property
    @abstractmethod
    def method_names(self) -> tuple[str, ...]:
        """All methods that may be chosen."""

    @abstractmethod
    def groups(self, study: Study, rows: Sequence[str], *, required: bool) -> Groups[T]:
        """The cells of some rows; data that are not here are refused where `required`, else left out with a warning."""

    @abstractmethod
    def lines(self, found: Found[T]) -> list[dict[str, Any]]:
        """The lines of the CSV file: a figure is None where no trial of its cell succeeded."""

    @abstractmethod
    def page(self, found: Found[T], lines: Sequence[Line]) -> str:
        """The table for a reader."""

    def beside(self, found: Found[T]) -> dict[str, str | bytes]:
        """Further files: what their names end in -> what they hold."""
        return {}

    def stem(self, study: Study, rows: Sequence[str]) -> str:
        """The name of its files without suffix; a part, or other figures, never overwrite the whole table."""
        return f"{self.name.replace('/', '-')}-{study.preset}{'-part' * bool(rows or study.methods)}{self.variant}"


def run(table: Table[T], study: Study, out: Path, rows: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Does what is missing, and writes PAPER-TABLE-PRESET.csv, .md and what stands beside them into `out`.

    Parameters
    ----------
    table : Table
        The table.
    study : Study
        The values of the run. Its methods are named as in the table; empty: the table's own choice.
    out : Path
        The folder for the table.
    rows : sequence of str
        Some of the rows; empty: all whose data are here.

    Returns
    -------
    list of dict
        The lines of the CSV file; none where nothing could be measured within `study.minutes`, and no file is written.

    Raises
    ------
    UsageError
        For a row or method that is not there, or where no cell could be measured.
    DataError
        For data of a chosen row that are not here, or that are others than the row's.
    """
    picked = chosen(table.row_names, rows, "row", table.name)
    chosen(table.method_names, study.methods, "method", table.name)
    groups = table.groups(study, picked, required=bool(rows))
    cells = [cell for group in groups.values() for cell in group]
    folder = files.make_folder(out)  # hours before it is needed
    study.perform([trial for cell in cells for trial in cell.trials])
    if not any(cell.is_done(study.runs) for cell in cells):
        if study.minutes is not None:
            return []
        raise UsageError("no cell of the table could be measured; the warnings above say why")
    gone = {name: study.lacking(group, where=f" on {name}" * bool(name)) for name, group in groups.items()}
    found = Found(study, groups, gone)
    lines = table.lines(found)
    stem = table.stem(study, rows)
    written = {".csv": as_csv(lines), **table.beside(found), ".md": table.page(found, lines)}
    encoded = {suffix: held.encode() if isinstance(held, str) else held for suffix, held in written.items()}
    files.write_together(folder, {f"{stem}{suffix}": data for suffix, data in encoded.items()})
    return lines


def of_data(names: Sequence[str], cells: Callable[[str], list[Cell[T]]], warn: Warn, *, required: bool) -> Groups[T]:
    """The cells of each data set; one whose files are not here is refused where `required`, else left out."""
    found = {}
    for name in names:
        try:
            found[name] = cells(name)
        except DataError as error:
            if required:
                raise
            warn(f"{name} is left out: {error}")
    return found


@cache
def printed() -> dict[tuple[str, ...], float]:
    """The papers' printed figures: (paper, table, dataset, known, unknown, method, metric) -> value."""
    text = resources("lookalike.studies.tables").joinpath("printed.csv").read_text("utf-8")
    keys = ("paper", "table", "dataset", "known", "unknown", "method", "metric")
    return {tuple(line[key] for key in keys): float(line["value"]) for line in csv.DictReader(text.splitlines())}
