"""A folder with one sub-folder per class, or any folder of images, as a `Source`: it is listed first, decoded later.

Entries are listed in the order of their names' bytes, so that numbers do not depend on the disk. Three kinds of entries
are never followed: links to folders (so there are no loops), links out of the folder, and irregular files.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import compress
from pathlib import Path

import numpy as np

from lookalike.base.errors import DataError, show
from lookalike.data import gate
from lookalike.data.source import UNLABELLED, Picture, Refused, Skipped, Source, Wanted, check_classes, check_counts

SYSTEM = frozenset({"__MACOSX", "@eaDir", "Thumbs.db", "desktop.ini", "lost+found", "$RECYCLE.BIN"})
HIDDEN = "hidden or system entry"
BESIDE = "beside the class folders"


def class_folders(root: Path, value_range: gate.ValueRange | None = None, allow_empty: bool = False) -> Source:
    """Return the images of `root`/CLASS/**; the classes are in the order of their names' bytes.

    Raises
    ------
    DataError
        For an unreadable folder, no class folder, an empty class, or class names that are reserved or collide.
    """
    listing = Listing(root)
    folders, loose = listing.entries("")
    if not folders:
        but = " (it holds images, but no folders: put them in one folder per class)" if loose else ""
        raise DataError(f"'{show(root)}' has no class folder{but}; images must lie in {show(root)}/CLASS/IMAGE")
    listing.ignored += [Skipped(name, BESIDE) for name in loose]
    check_classes(tuple(folders), f"'{show(root)}'")
    source = of_files(root, tuple(folders), listing.labelled(folders), listing.ignored, value_range)
    if not allow_empty:
        check_counts(source, f"'{show(root)}'")
    return source


def any_images(root: Path, value_range: gate.ValueRange | None = None) -> Source:
    """Return all images in `root`, without label, and below its folders, with the folder's name as label.

    Raises
    ------
    DataError
        For an unreadable folder, or when there is no image at all.
    """
    listing = Listing(root)
    folders, loose = listing.entries("")
    found = [(name, UNLABELLED) for name in loose] + listing.labelled(folders)
    if not found:
        raise DataError(f"'{show(root)}' holds no image; give a folder with PNG, JPEG, BMP, GIF, TIFF or WebP files")
    return of_files(root, tuple(folders), found, listing.ignored, value_range)


def is_flat(path: Path) -> bool:
    """Return whether this is a folder without class folders; raises DataError for an unreadable one."""
    return path.is_dir() and not Listing(path).entries("")[0]


def one_file(path: Path, value_range: gate.ValueRange | None = None) -> Source:
    """Return a single image file, without label."""
    return of_files(path.parent, (), [(path.name, UNLABELLED)], [], value_range)


class Listing:
    """A walk below one folder that records what it left out, and why."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.inside = root.resolve()
        self.ignored: list[Skipped] = []

    def labelled(self, folders: list[str]) -> list[tuple[str, int]]:
        """Return (relative path, number of its folder) of all image files below `folders`."""
        return [(name, label) for label, folder in enumerate(folders) for name in self.walk(folder)]

    def walk(self, folder: str) -> list[str]:
        """Return the relative paths of all image files below `folder`, in the order of their bytes."""
        found: list[str] = []
        waiting = [folder]
        while waiting:
            folders, files = self.entries(waiting.pop())
            waiting += folders
            found += files
        return sorted(found, key=os.fsencode)

    def entries(self, folder: str) -> tuple[list[str], list[str]]:
        """Return (folders, image files) directly in `folder` as relative paths, in the order of their bytes."""
        folders: list[str] = []
        files: list[str] = []
        try:
            with os.scandir(self.root / folder) as entries:
                for entry in entries:
                    name = f"{folder}/{entry.name}" if folder else entry.name
                    if reason := self._unwanted(entry):
                        self.ignored.append(Skipped(name, reason))
                    elif entry.is_dir(follow_symlinks=False):
                        folders.append(name)
                    else:
                        files.append(name)
        except OSError as error:
            where = show(self.root / folder)
            raise DataError(f"cannot list '{where}' ({error.strerror}); give a folder that can be read") from None
        return sorted(folders, key=os.fsencode), sorted(files, key=os.fsencode)

    def _unwanted(self, entry: os.DirEntry[str]) -> str:
        """Return why `entry` is left out; "" when it is a folder or may be an image."""
        if entry.name.startswith(".") or entry.name in SYSTEM:
            return HIDDEN
        if entry.is_dir(follow_symlinks=False):
            return ""
        if entry.is_symlink() and (reason := self._unwanted_link(entry)):
            return reason
        if not entry.is_file():
            return "not a regular file"
        return "" if Path(entry.name).suffix.lower() in gate.SUFFIXES else "no image suffix"

    def _unwanted_link(self, entry: os.DirEntry[str]) -> str:
        try:
            target = Path(entry.path).resolve(strict=True)
        except (OSError, RuntimeError):  # RuntimeError is raised for links in a circle
            return "dangling link"
        if target.is_dir():
            return "link to a folder"
        return "" if target.is_relative_to(self.inside) else "link out of the folder"


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
