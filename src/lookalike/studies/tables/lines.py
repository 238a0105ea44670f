"""The lines of a table as CSV and Markdown, and which part of it was chosen."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from lookalike.base import cells
from lookalike.base.errors import UsageError, show
from lookalike.base.words import is_share, written
from lookalike.methods import METHODS
from lookalike.runs import choices
from lookalike.runs.presets import PRESETS
from lookalike.runs.settings import TrainSettings

Line = Mapping[str, Any]  # of the CSV file, by column
COLUMNS = (
    *("paper", "table", "dataset", "known", "unknown", "method", "metric"),
    *("printed", "mean", "sd", "seeds", "seconds", "command"),
)


def chosen(there: Sequence[str], given: Sequence[str], what: str, table: str) -> tuple[str, ...]:
    """Those that are given, or all; raises UsageError for one that is not there."""
    for name in given:
        if name not in there:
            raise UsageError(f"table {table} has no {what} {show(name)}; there are {', '.join(dict.fromkeys(there))}")
    return tuple(given) or tuple(there)


def as_csv(lines: Sequence[Line]) -> str:
    """The columns of a file of figures."""
    return cells.as_csv([COLUMNS, *([_digits(column, line[column]) for column in COLUMNS] for line in lines)])


def every_seed(values: Mapping[str, Mapping[tuple[str, int], Mapping[str, float | None]]]) -> str:
    """Data set -> (method, seed) -> figures, as CSV: what the means and the paired differences are made of."""
    rows = (
        (dataset, way, seed, name, f"{value:.4f}")
        for dataset, found in values.items()
        for (way, seed), one in found.items()
        for name, value in one.items()
        if value is not None
    )
    return cells.as_csv([("dataset", "method", "seed", "metric", "value"), *rows])


def _digits(column: str, value: Any) -> Any:
    if not isinstance(value, float) or column == "printed":
        return value
    return f"{value:.1f}" if column == "seconds" else f"{value:.4f}"


def of_seeds(
    key: Sequence[str], numbers: Sequence[float], seconds: Sequence[float], *, printed: float | None, command: str
) -> dict[str, Any]:
    """The line of one figure: `key` are its first seven columns, one number and its seconds for each seed."""
    return dict[str, Any](zip(COLUMNS, key, strict=False)) | {
        "printed": printed,
        "mean": statistics.mean(numbers) if numbers else None,
        "sd": statistics.stdev(numbers) if len(numbers) > 1 else None,
        "seeds": len(numbers),
        "seconds": statistics.mean(seconds) if seconds else None,
        "command": command,
    }


def grid(head: Sequence[str], body: Sequence[Sequence[str]]) -> list[str]:
    """A Markdown table."""
    return [f"| {' | '.join(head)} |", "|" + "---|" * len(head), *[f"| {' | '.join(line)} |" for line in body]]


def ours(line: Line) -> str:
    """The mean and the standard deviation as text."""
    if line["mean"] is None:
        return "not measured"
    return written(line["metric"], line["mean"], line["sd"])


def printed(line: Line) -> str:
    """What the paper prints, as text, with the paper's digits."""
    if line["printed"] is None:
        return ""
    return f"{100 * line['printed']:.4g} %" if is_share(line["metric"]) else f"{line['printed']:g}"


def seconds(line: Line) -> str:
    """The seconds of one trial as text."""
    return "" if line["seconds"] is None else f"{line['seconds']:.0f}"


def scales(ways: Mapping[str, TrainSettings]) -> list[str]:
    """A line for each size of a GAN's training: side of the images, width, images shown; and which ways have it."""
    found: dict[str, list[str]] = {}
    for way, settings in ways.items():
        if settings.method in METHODS:
            preset, side = choices.preset_of(settings), settings.size or PRESETS[settings.preset]["side"]
            shape = side.replace(",", " x ") if isinstance(side, str) else f"{side} x {side}"
            each = " of each class" if choices.per_class(settings) or settings.pooled else ""
            images = f"{settings.images:,} images" if settings.images else f"{preset['images']:,} images{each}"
            width = settings.width or preset["width"]
            found.setdefault(f"{shape} pixels, width {width}, {images} shown", []).append(way)
    return [f"- {', '.join(dict.fromkeys(names))}: {said}." for said, names in found.items()]


def not_compared(gone: Mapping[str, str]) -> list[str]:
    """A line for each method that lacks a cell."""
    return [f"- {method}: not compared, {missing}" for method, missing in gone.items()]
