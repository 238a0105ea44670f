"""A folder of images with their classes, or any folder of images, as a `Source`: it is listed first, decoded later."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from itertools import compress
from pathlib import Path

import numpy as np

from lookalike.base.errors import DataError, show
from lookalike.data import gate
from lookalike.data.labels import COLUMNS, TableError
from lookalike.data.layout import Layout, layout_of
from lookalike.data.listing import Listing
from lookalike.data.source import (
    UNLABELLED,
    Picture,
    Refused,
    Skipped,
    Source,
    Wanted,
    check_classes,
    check_counts,
    left_out,
)


def class_folders(root: Path, value_range: gate.ValueRange | None = None, allow_empty: bool = False) -> Source:
    """Return the images of `root` that have a class, as `layout_of` finds them, classes in the order of bytes.

    Raises
    ------
    DataError
        For an unreadable folder, no class, an empty class, or class names that collide.
    """
    listing = Listing(root)
    layout = layout_of(listing)
    if not layout.classes:
        how = f"put them in one folder per class{_csv(listing)}"
        but = f" (it holds images, but no folders: {how})" if layout.loose else ""
        raise DataError(
            f"'{show(root)}' has no class folder{but}; images must lie in {show(root)}/CLASS/IMAGE"
            f"{left_out(listing.ignored)}"
        )
    check_classes(layout.classes, f"'{show(root)}'")
    listing.ignored += layout.loose
    source = _source(root, listing, layout, value_range)
    if not allow_empty:
        check_counts(source, f"'{show(root)}'")
    return source


def any_images(root: Path, value_range: gate.ValueRange | None = None) -> Source:
    """Return all images of `root`: those without a class first, without label, then those that have one.

    Raises
    ------
    DataError
        For an unreadable folder, or when there is no image at all.
    """
    listing = Listing(root)
    try:
        layout = layout_of(listing)
    except TableError:
        listing.tables.clear()  # labels are not needed here
        layout = layout_of(listing)
    if not layout.found and not layout.loose:
        raise DataError(
            f"'{show(root)}' holds no image{left_out(listing.ignored)}; give a folder with files such as JPEG or PNG"
        )
    return _source(root, listing, layout, value_range, [one.name for one in layout.loose])


def is_flat(path: Path) -> bool:
    """Return whether this is a folder of images without classes; raises DataError for an unreadable one."""
    return path.is_dir() and not layout_of(Listing(path)).classes


def one_file(path: Path, value_range: gate.ValueRange | None = None) -> Source:
    """Return a single image file, without label."""
    return of_files(path.parent, (), [(path.name, UNLABELLED)], [], value_range)


def _csv(listing: Listing) -> str:
    there = f"; {show(listing.tables[0])} has no such columns, or names none of the images" if listing.tables else ""
    return f", or add a CSV file with the columns {COLUMNS}{there}"


def _source(
    root: Path,
    listing: Listing,
    layout: Layout,
    value_range: gate.ValueRange | None,
    loose: list[str] | None = None,
) -> Source:
    """Return the images of a layout; those of `loose` come first, without label."""
    number = {name: i for i, name in enumerate(layout.classes)}
    more = [(name, UNLABELLED) for name in loose or ()]
    found = more + [(one.name, number[one.kind]) for one in layout.found]
    source = of_files(root, layout.classes, found, [*listing.ignored, *layout.left_out], value_range)
    tests = layout.tests()
    test = None if tests is None else np.array([False] * len(more) + tests, np.bool_)
    return replace(source, test=test, notes=layout.notes)


def of_files(
    root: Path,
    classes: tuple[str, ...],
    found: list[tuple[str, int]],
    ignored: list[Skipped],
    value_range: gate.ValueRange | None,
) -> Source:
    """Return the images at these (relative path, label) below `root`, in this order."""
    names = tuple(name for name, _ in found)

    def decode(wanted: Wanted) -> Iterator[Picture | Skipped]:
        for name in compress(names, wanted):
            try:
                yield gate.decode(root / name, value_range)
            except Refused as error:
                yield Skipped(name, str(error))

    def measure(wanted: Wanted) -> Iterator[tuple[int, int]]:
        for name in compress(names, wanted):
            try:
                yield gate.size(root / name)
            except Refused:
                continue  # the error is reported when the image is decoded

    return Source(
        classes=classes,
        names=names,
        labels=np.array([label for _, label in found], dtype=np.int64),
        decode=decode,
        measure=measure,
        ignored=tuple(sorted(ignored, key=lambda entry: os.fsencode(entry.name))),
    )
