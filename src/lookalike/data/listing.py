"""A walk below one folder that lists the images, and what it left out and why.

Entries are listed in the order of their names' bytes, so that numbers do not depend on the disk. Links are followed,
also out of the folder: people link class folders and files into the folder that they train on. A link to a folder above
it, or to one that the walk reads anyway, is left out, so there are no loops. Irregular files are left out.
"""

from __future__ import annotations

import os
from pathlib import Path

from lookalike.base.errors import DataError, show
from lookalike.data import gate
from lookalike.data.source import Skipped

SYSTEM = frozenset({"__MACOSX", "@eaDir", "Thumbs.db", "desktop.ini", "lost+found", "$RECYCLE.BIN"})
HIDDEN = "hidden or system entry"
TABLES = (".csv", ".tsv")


def hidden(name: str) -> bool:
    """Whether a file or folder of this name is hidden, or of the system."""
    return name.startswith(".") or name in SYSTEM


class Listing:
    """The folders and images below `root`.

    Attributes
    ----------
    ignored : what was left out so far
    tables : paths of the CSV and TSV files so far, relative to `root`; they are among the ignored too
    outside : the number of links so far that lead out of the folder
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.inside = root.resolve()
        self.ignored: list[Skipped] = []
        self.tables: list[str] = []
        self.outside = 0
        self.listed: dict[str, tuple[list[str], list[str]]] = {}
        self.linked: set[Path] = set()

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
        if folder not in self.listed:  # what is left out counts once
            self.listed[folder] = self._entries(folder)
        return self.listed[folder]

    def _entries(self, folder: str) -> tuple[list[str], list[str]]:
        folders: list[str] = []
        files: list[str] = []
        try:
            with os.scandir(self.root / folder) as entries:
                for entry in sorted(entries, key=lambda entry: os.fsencode(entry.name)):
                    name = f"{folder}/{entry.name}" if folder else entry.name
                    if reason := self._unwanted(entry):
                        self.ignored.append(Skipped(name, reason))
                        if reason == gate.NO_SUFFIX and entry.name.lower().endswith(TABLES):
                            self.tables.append(name)
                    else:
                        (folders if entry.is_dir() else files).append(name)
        except OSError as error:
            where = show(self.root / folder)
            raise DataError(f"cannot list '{where}' ({error.strerror}); give a folder that can be read") from None
        return folders, files

    def _unwanted(self, entry: os.DirEntry[str]) -> str:
        """Return why `entry` is left out; "" when it is a folder or may be an image."""
        if hidden(entry.name):
            return HIDDEN
        if entry.is_symlink() and (reason := self._unwanted_link(entry)):
            return reason
        if entry.is_dir():
            return ""
        if not entry.is_file():
            return "not a regular file"
        suffix = Path(entry.name).suffix.lower()
        return gate.unwanted(suffix)

    def _unwanted_link(self, entry: os.DirEntry[str]) -> str:
        try:
            target = Path(entry.path).resolve(strict=True)
        except (OSError, RuntimeError):  # RuntimeError is raised for links in a circle
            return "dangling link"
        if target.is_dir():
            if Path(entry.path).parent.resolve().is_relative_to(target):
                return "link to a folder above it"
            if self._is_read(target):
                return "link to a folder that is read already"
            self.linked.add(target)
        self.outside += not target.is_relative_to(self.inside)
        return ""

    def _is_read(self, target: Path) -> bool:
        """Return whether the walk comes to this folder by another path."""
        if any(target.is_relative_to(linked) for linked in self.linked):
            return True
        if not target.is_relative_to(self.inside):
            return False
        parts = target.relative_to(self.inside).parts
        return not any(map(hidden, parts))
