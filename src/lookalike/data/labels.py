"""A CSV file of labels beside or above the images: which image is of which class, and of which part of a split.

Columns are found by their names, such as `file_name,label` as Hugging Face's imagefolder has them. A file is named by
its path from the table, by its name alone where one image has it, and with or without its suffix.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from lookalike.base import files
from lookalike.base.errors import DataError, ModelError, show
from lookalike.base.unicode import composed

FILES = ("file_name", "filename", "file", "path", "filepath", "image", "image_name", "image_id", "img", "id")
CLASSES = ("label", "class", "category", "class_name", "label_name", "target")
PARTS = ("split", "subset", "partition")
COLUMNS = "file_name,label"  # in messages
FIRST = ("metadata", "labels")  # names of the table that counts where there are several
LIMIT = 1 << 28  # bytes of a table


class TableError(DataError):
    """A table of labels that cannot be used; images can still be read without labels."""


@dataclass(frozen=True)
class Labels:
    """What a table says of the images that it names.

    Attributes
    ----------
    path : of the table
    of : image -> class, for images that have one
    part : image -> part of the split; empty where the table has none
    missing : files that it names and that are not there
    column : the column that gives the classes
    other : columns that could give them too, with other words, and are not read
    """

    path: Path
    of: Mapping[str, str]
    part: Mapping[str, str]
    missing: tuple[str, ...]
    column: str
    other: tuple[str, ...]


def labels_of(tables: Sequence[Path], images: Sequence[str], start: str) -> Labels | None:
    """Return the labels of images by the one of these tables that has labels; None where none names an image.

    Parameters
    ----------
    tables : CSV or TSV files of one folder
    images : relative paths
    start : the folder of the tables, relative as the images are

    Raises
    ------
    TableError
        For a table that cannot be read, several that could be meant, or two classes of one file.
    """
    found = [labels for table in tables if (labels := _labels(table, images, start))]
    named = [labels for labels in found if labels.path.stem.lower() in FIRST]
    if len(found) > 1 and len(named) != 1:
        both = " and ".join(f"'{show(labels.path)}'" for labels in found[:2])
        raise TableError(f"{both} both give labels; call the one that counts metadata.csv, or remove the other")
    return next(iter(named or found), None)


def _labels(table: Path, images: Sequence[str], start: str) -> Labels | None:
    """Return what the table says of these images; None where it has no labels, or of none."""
    head, *rows = _rows(table)
    file, label, part = (_column(head, names) for names in (FILES, CLASSES, PARTS))
    if file is None or label is None:
        return None
    where = _Places(images, start)
    of: dict[str, str] = {}
    parts: dict[str, str] = {}
    missing = []
    for row in rows:
        given = [*row, *[""] * (len(head) - len(row))]
        name, mine = where.find(given[file]), composed(given[label].strip())
        if name is None:
            missing.append(given[file])
        elif mine:
            if of.setdefault(name, mine) != mine:
                both = f"'{show(of[name], 60)}' and '{show(mine, 60)}'"
                raise TableError(f"'{show(table)}': {show(name)} has two classes, {both}; give each file one")
            if part is not None:
                parts[name] = given[part].strip()
    other = [i for i in range(len(head)) if i != label and _column([head[i]], CLASSES) is not None]
    differ = tuple(head[i] for i in other if any(i < len(row) and row[i].strip() != row[label].strip() for row in rows))
    return Labels(table, of, parts, tuple(missing), head[label], differ) if of else None


class _Places:
    """Finds the image that a table names."""

    def __init__(self, images: Sequence[str], start: str) -> None:
        paths = {composed(name.removeprefix(f"{start}/") if start else name): name for name in images}
        alone = Counter(PurePosixPath(path).name for path in paths)
        bare = Counter(PurePosixPath(path).stem for path in paths)
        self.images = dict(paths)
        for path, name in paths.items():
            pure = PurePosixPath(path)
            self.images.setdefault(str(pure.with_suffix("")), name)
            if alone[pure.name] == 1:
                self.images.setdefault(pure.name, name)
            if bare[pure.stem] == 1:
                self.images.setdefault(pure.stem, name)

    def find(self, file: str) -> str | None:
        """Return the path of the image that the table calls `file`; None where there is none."""
        path = composed(file.strip()).replace("\\", "/").removeprefix("./")
        return self.images.get(path) or self.images.get(path.rpartition("/")[2])


def _column(head: Sequence[str], names: Sequence[str]) -> int | None:
    """Return the number of the first of these columns that is there."""
    plain = [name.strip().lower().replace(" ", "_").replace("-", "_") for name in head]
    return next((plain.index(name) for name in names if name in plain), None)


def _rows(table: Path) -> list[list[str]]:
    """Return the rows of a table, the head first; they are separated by commas, semicolons or tabs."""
    try:
        data = files.read_bytes(table, LIMIT)
    except ModelError as error:
        raise TableError(f"labels: {error}") from error
    try:
        text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig", "surrogateescape")
    except UnicodeDecodeError as error:  # UTF-16 alone has no way to keep what it cannot read
        raise TableError(f"'{show(table)}' begins as UTF-16 and is not: {error.reason}; save it as UTF-8") from error
    head = text.partition("\n")[0]
    try:
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=head.count), strict=True)
        return [row for row in rows if row] or [[]]
    except csv.Error as error:
        raise TableError(f"'{show(table)}' cannot be read as CSV: {show(error)}; mend it") from error
