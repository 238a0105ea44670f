"""The group of each image: the slide, patient, part or batch that it is from, by its name or by a CSV file."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from lookalike.base import files
from lookalike.base.arrays import Index
from lookalike.base.errors import DataError, ModelError, UsageError, show
from lookalike.base.unicode import composed

COLUMNS = "file,group"
LIMIT = 1 << 28  # bytes of a CSV file
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Groups:
    """The groups of N images, and what their whole source has in each group.

    Attributes
    ----------
    of : (N,) the group of each image; "" means none
    counts : group -> class -> number of images that are no official test images, in all classes of the source, so that
        a group is in the same part whichever classes are read
    tested : the groups that have an official test image
    """

    of: tuple[str, ...]
    counts: Mapping[str, Mapping[str, int]]
    tested: frozenset[str]

    @classmethod
    def among(
        cls, of: Sequence[str], labels: npt.NDArray[np.int64], classes: Sequence[str], test: Mask | None
    ) -> Groups:
        """Return the groups of all images of a source, from group, label and official part of each image."""
        counts: dict[str, Counter[str]] = {}
        tested = frozenset[str]() if test is None else frozenset(of[i] for i in np.flatnonzero(test).tolist()) - {""}
        for i, (group, label) in enumerate(zip(of, labels.tolist(), strict=True)):
            if group and label >= 0 and (test is None or not test[i]):
                counts.setdefault(group, Counter())[classes[label]] += 1
        return cls(tuple(of), counts, tested)

    def select(self, rows: npt.NDArray[np.int64]) -> Groups:
        """Return the groups of the images `rows`; what the source has stays."""
        return replace(self, of=tuple(self.of[i] for i in rows))

    def names(self, rows: Index) -> list[str]:
        """Return the groups of the images `rows`, each once, sorted."""
        return sorted({self.of[i] for i in rows.tolist()} - {""})

    def said(self, **parts: Index) -> str:
        """Return the line `said` of the parts `train`, `held_out` and `test`, each given as rows."""
        return said({name: len(self.names(rows)) for name, rows in parts.items()})


@dataclass(frozen=True)
class Rule:
    """How the name of an image gives its group: a regular expression, or the rows of a CSV file.

    Attributes
    ----------
    given : the expression, or the path of the file
    pattern : the expression; None for a file
    table : file -> group
    """

    given: str
    pattern: re.Pattern[str] | None
    table: Mapping[str, str]

    @classmethod
    def of(cls, given: str) -> Self:
        """Return the rule of a `--group`.

        Raises
        ------
        UsageError
            For no regular expression, or a CSV file that is not there.
        DataError
            For a CSV file without the columns `file` and `group`, or with two groups of one file.
        """
        if is_file(given):
            return cls(given, None, _table(given))
        try:
            return cls(given, re.compile(given), {})
        except (re.error, RecursionError, OverflowError) as error:
            raise UsageError(
                f"--group {show(given)} is no regular expression ({show(error)}); give one that finds the group in an "
                rf"image's name, such as 'slide\d+', or a CSV file with the columns {COLUMNS}"
            ) from error

    def __call__(self, name: str) -> str:
        """Return the group of the image of this name; "" means none."""
        if self.pattern is None:
            return self.table.get(composed(name), "")
        found = self.pattern.search(name)
        return (found[1 if self.pattern.groups else 0] or "") if found else ""

    def groups(self, names: Sequence[str], used: Mask) -> tuple[str, ...]:
        """Return the group of each image; of those not `used` (bool (N,)) some may have none.

        Raises
        ------
        DataError
            For a used image without a group.
        UsageError
            Where all used images are of one group.
        """
        of = tuple(self(name) for name in names)
        mine = np.flatnonzero(used).tolist()
        if missing := [names[i] for i in mine if not of[i]]:
            what, do = ("finds no group in the name", "write it so that it fits every name")
            if self.pattern is None:
                what, do = "has no group", "add a row for each image"
            raise DataError(
                f"--group {show(self.given)} {what} of {len(missing):,} of {len(mine):,} images, first "
                f"{show(missing[0])}; {do}"
            )
        if len({of[i] for i in mine}) == 1:
            raise UsageError(
                f"--group {show(self.given)} puts all {len(mine):,} images into one group, {show(of[mine[0]], 60)}; "
                "a split needs two or more groups"
            )
        return of

    def check_files(self, names: Sequence[str]) -> None:
        """Raise DataError for a file in the table that is none of the images `names`."""
        if strange := sorted(set(self.table) - set(map(composed, names))):
            raise DataError(
                f"--group {show(self.given)} names {len(strange):,} files that are no images of DATA, first "
                f"{show(strange[0])}; write names as score does, such as {show(names[0])}"
            )


def said(counts: Mapping[str, int]) -> str:
    """Return a line with the number of groups in each of the parts `train`, `held_out` and `test` that has some."""
    words = {"train": "to train on", "held_out": "held out", "test": "to test on"}
    there = (f"{counts[name]:,} {word}" for name, word in words.items() if counts.get(name))
    return f"groups of images: {', '.join(there)}"


def is_file(given: str) -> bool:
    """Return whether a `--group` is the path of a CSV file, which no name of an image matches."""
    return given.lower().endswith(".csv")


def digest(given: str | None) -> str | None:
    """Return the SHA-256 of the CSV file that a `--group` names; None where it names none. Raises as `Rule.of`."""
    return sha256(_bytes(given)).hexdigest() if given is not None and is_file(given) else None


def stamp(given: str) -> str:
    """Return a `--group` as part of a folder's name: of a CSV file its name and what it holds."""
    return f"{Path(given).stem}-{(digest(given) or '')[:8]}" if is_file(given) else given


def _bytes(given: str) -> bytes:
    path = Path(given)
    if not path.exists():
        raise UsageError(
            f"--group {show(given)}: there is no such file; give a CSV file with the columns {COLUMNS}, or a regular "
            "expression that finds the group in an image's name"
        )
    try:
        return files.read_bytes(path, LIMIT)
    except ModelError as error:
        raise DataError(f"--group: {error}") from error


def _table(given: str) -> dict[str, str]:
    """Return file -> group of a CSV file."""
    table: dict[str, str] = {}
    for file, group in _rows(given):
        # score writes ./ before a name that a spreadsheet would run
        name = composed(file.removeprefix("./"))
        if table.setdefault(name, group) != group:
            both = f"{show(table[name], 60)} and {show(group, 60)}"
            raise DataError(f"--group {show(given)}: {show(name)} has two groups, {both}; give each file one")
    return table


def _rows(given: str) -> Iterator[tuple[str, str]]:
    """Yield (file, group) of each row; a row without a group is left out."""
    text = io.StringIO(_bytes(given).decode("utf-8-sig", "surrogateescape"), newline="")
    rows = csv.DictReader(text)
    try:
        there = rows.fieldnames or ()
        if not {"file", "group"} <= set(there):
            raise DataError(
                f"--group {show(given)} has the columns {show(','.join(there)) or 'of an empty file'}; it needs "
                f"{COLUMNS}"
            )
        yield from ((row["file"], row["group"]) for row in rows if row["file"] and row["group"])
    except csv.Error as error:
        raise DataError(f"--group {show(given)} cannot be read as CSV: {show(error)}; mend it") from error
