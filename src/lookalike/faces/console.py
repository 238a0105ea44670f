"""What commands print: results on standard output, progress and notes on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from lookalike.base.words import percent


def share(rate: dict[str, Any]) -> str:
    """The share of a rate with its interval, or why there is none."""
    if rate["rate"] is None:
        return interval(None, rate)
    return f"{percent(rate['rate'])} [{percent(rate['low'])}, {percent(rate['high'])}]"


def interval(value: float | None, of: dict[str, Any]) -> str:
    """A figure with the interval that `of` holds, or why there is none."""
    return f"{value:.3f} [{of['low']:.3f}, {of['high']:.3f}]" if value is not None else f"undefined: {of.get('reason')}"


def say(text: str) -> None:
    """One result, on standard output."""
    print(text)


def print_json(value: Any) -> None:
    """A result for a program."""
    print(json.dumps(value, allow_nan=False, indent=2))


def show_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table without lines, on standard output."""
    table = Table(*head, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*[_plain(cell) for cell in row])
    Console(width=None if sys.stdout.isatty() else 140, highlight=False).print(table)


def _plain(text: str) -> str:
    return text.replace("[", r"\[")


_FITTED: ContextVar[Callable[[str], str]] = ContextVar("fitted", default=str)


@contextmanager
def fitted(as_said: Callable[[str], str]) -> Iterator[None]:
    """Within the block, warnings and notes are printed as `as_said` puts them."""
    before = _FITTED.set(as_said)
    try:
        yield
    finally:
        _FITTED.reset(before)


def warn(message: str) -> None:
    """What the user should know, on standard error."""
    print(f"warning: {_FITTED.get()(message)}", file=sys.stderr)


def note(message: str) -> None:
    """What the user may want to know, on standard error."""
    print(_FITTED.get()(message), file=sys.stderr)


def _line_per_stage(unit: str) -> Callable[[str, int, int], None]:
    said: set[str] = set()

    def report(stage: str, _done: int, of: int) -> None:
        if stage not in said:
            said.add(stage)
            print(f"{stage}: {of} {unit}" if of > 1 else stage, file=sys.stderr)

    return report


@contextmanager
def progress(unit: str = "images") -> Iterator[Callable[[str, int, int], None]]:
    """A bar on standard error; where that is no terminal, a line per stage."""
    if not sys.stderr.isatty():
        yield _line_per_stage(unit)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.0f}/{task.total:.0f}"),
        TimeRemainingColumn(),
    )
    bar = Progress(*columns, console=Console(stderr=True), transient=True)
    task = bar.add_task("reading", total=1)

    def report(stage: str, done: int, of: int) -> None:
        bar.update(task, description=stage, completed=done, total=max(of, done, 1))

    bar.start()
    try:
        yield report
    finally:
        with suppress(OSError):  # a terminal that was closed: what ended the work matters
            bar.stop()
