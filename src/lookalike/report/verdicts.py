"""The table of true and predicted classes of the test images, for a model of several known classes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from lookalike.runs.folder import Figures

MOST = 10  # the most known classes in the table, and the most unknown ones
SHADES = 5
OTHERS, NEITHER, POOLED = "another known class", "unknown", "all together"


@dataclass(frozen=True)
class Cell:
    """A number of images; `shade` is its share of the row, from 0 (none) to 5 (nearly all)."""

    count: int
    shade: int
    right: bool


@dataclass(frozen=True)
class Row:
    """A true class, its number of images, and the cells of its row."""

    name: str
    known: bool
    of: int
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Table:
    """The table; `columns` are the known classes, perhaps all other known ones together, and unknown."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]


def table(figures: Figures) -> Table:
    """Return the confusion matrix of several known classes; of more than ten, the most often misclassified ones."""
    assert figures.classes is not None, "there are several known classes"
    *known, pooled = figures.classes.confusion
    shown = _worst([1 - row[k] / max(1, sum(row)) if sum(row) else -1 for k, row in enumerate(known)])
    rows = [_row(figures.known[k], known[k], shown, k) for k in shown]
    one_by_one = figures.classes.confusion_unknown if len(figures.unknown) > 1 else ()
    missed = _worst([1 - row[-1] / max(1, sum(row)) if sum(row) else -1 for row in one_by_one])
    rows += [_row(figures.unknown[k], one_by_one[k], shown) for k in missed]
    rows.append(_row(figures.unknown[0] if len(figures.unknown) == 1 else POOLED, pooled, shown))
    others = (OTHERS,) if len(shown) < len(known) else ()
    return Table((*(figures.known[k] for k in shown), *others, NEITHER), tuple(rows))


def _worst(wrong: Sequence[float]) -> list[int]:
    """Return the numbers of the most often misclassified classes, in the model's order."""
    return sorted(sorted(range(len(wrong)), key=lambda k: -wrong[k])[:MOST])


def _row(name: str, counts: Sequence[int], shown: Sequence[int], own: int | None = None) -> Row:
    """Return a class's numbers of images by predicted class; `own` is the number of a known class."""
    cells = [(counts[k], k == own) for k in shown]
    if len(shown) < len(counts) - 1:
        cells.append((sum(counts[:-1]) - sum(counts[k] for k in shown), False))
    cells.append((counts[-1], own is None))
    of = sum(counts)
    return Row(
        name, own is not None, of, tuple(Cell(n, math.ceil(SHADES * n / max(1, of)), right) for n, right in cells)
    )
