"""Rows of text and numbers as CSV, where no cell is a formula to a spreadsheet. No other module writes CSV."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # text that begins so is a formula to a spreadsheet
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)")
_END = "\r\n"  # what csv looks for in a cell to quote it


def as_csv(rows: Iterable[Sequence[object]], *, quoted: bool = False) -> str:
    """The rows as CSV, with a line's end of one character; `quoted` puts all text in quotes."""
    return "".join(_lines(rows, csv.QUOTE_NONNUMERIC if quoted else csv.QUOTE_MINIMAL))


def file_cell(name: str) -> str:
    """The name of a file as a cell. One that would be a formula gets ./ before it, which is the same file."""
    return f"./{name}" if name.startswith(FORMULA) else name


def _cell(value: object) -> object:
    """The value; text that would be a formula, or begins with an apostrophe, has an apostrophe before it.

    So the text is what is left without one apostrophe. A number such as +1 is no formula, and stays.
    """
    if isinstance(value, str) and value.startswith((*FORMULA, "'")) and not NUMBER.fullmatch(value):
        return f"'{value}"
    return value


def _lines(rows: Iterable[Sequence[object]], quoting: int) -> Iterator[str]:
    line = io.StringIO()
    writer = csv.writer(line, lineterminator=_END, quoting=quoting)  # type: ignore[arg-type]  # one of two constants
    for row in rows:
        writer.writerow([_cell(value) for value in row])
        yield line.getvalue().removesuffix(_END) + "\n"
        line.seek(0)
        line.truncate()
