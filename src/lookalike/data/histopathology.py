"""Breast histopathology (Janowczyk and Madabhushi 2016, Kaggle's IDC patches) as a `Source`: `PATIENT/{0,1}/*.png`.

Class 0 is no invasive ductal carcinoma, class 1 is carcinoma; the classes keep the folders' names. A quarter of the
patients is the test part. No patient is in both parts, because patches of one patient look alike. The patients are the
groups of the patches too, so that no other part shares a patient with another. The paper gan-augmentation-2020 splits
by patch instead.

Patches at the borders are smaller than 50 x 50. They stay and are resized like any image, because the paper counts
them. To leave them out, all 277,524 files would have to be opened twice.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from lookalike.base.errors import show
from lookalike.data import gate
from lookalike.data.folder import of_files
from lookalike.data.groups import Groups
from lookalike.data.listing import SYSTEM, Listing
from lookalike.data.source import Source, check_counts

CLASSES = ("0", "1")
WHOLE = "IDC_regular_ps50_idx5"  # Kaggle's archive holds all patients in this folder, and once more beside it
TEST_SHARE = 0.25  # share of the patients; gan-augmentation-2020 takes the same share of the patches


def is_folder(root: Path) -> bool:
    """Return whether every sub-folder is a patient: its name is a number and it holds only the folders 0 and 1."""
    try:
        folders = [entry for entry in _entries(root / _start(root)) if entry.is_dir(follow_symlinks=False)]
        return bool(folders) and all(_is_patient(entry) for entry in folders)
    except OSError:
        return False  # the reader that opens the folder reports the error


def patients(
    root: Path, value_range: gate.ValueRange | None = None, allow_empty: bool = False, *, by_patient: bool = True
) -> Source:
    """Return the patches of all patients; with `by_patient` some patients are the official test part.

    The patients are sorted by the SHA-256 of their folder's name. The first quarter of them, rounded and at least one,
    is the test part, and each patient is a group. A single patient gives neither. Nor does the source have them without
    `by_patient`: the patches are then split like other images.

    Raises
    ------
    DataError
        For an unreadable folder, or a class without patches.
    """
    listing = Listing(root)
    folders, _ = listing.entries(_start(root))
    found = [(name, label) for folder in folders for label in (0, 1) for name in _patches(listing, folder, label)]
    source = of_files(root, CLASSES, found, listing.ignored, value_range)
    if not allow_empty:
        check_counts(source, f"'{show(root)}'")
    if not by_patient or len(folders) < 2:
        return source
    tested = tuple(f"{folder}/" for folder in _tested(folders))
    test = np.array([name.startswith(tested) for name in source.names], np.bool_)
    mine = [name.split("/")[-3] for name in source.names]
    return replace(source, test=test, groups=Groups.among(mine, source.labels, source.classes, test))


def _tested(folders: list[str]) -> list[str]:
    ranked = sorted(folders, key=lambda folder: hashlib.sha256(os.fsencode(os.path.basename(folder))).digest())
    return ranked[: max(1, int(TEST_SHARE * len(ranked) + 0.5))]


def _patches(listing: Listing, folder: str, label: int) -> list[str]:
    there = f"{folder}/{CLASSES[label]}"
    return listing.walk(there) if (listing.root / there).is_dir() else []


def _start(root: Path) -> str:
    """Return the folder of the patients, relative to the root."""
    return WHOLE if (root / WHOLE).is_dir() else ""


def _is_patient(folder: os.DirEntry[str]) -> bool:
    """Return whether the folder is a patient; it stops at the first other entry, as a class may hold 100,000."""
    if not folder.name.isdecimal():  # Kaggle's patients are numbers; a class "cat" may well have folders 0 and 1
        return False
    found = False
    for entry in _entries(folder.path):
        if entry.name not in CLASSES or not entry.is_dir(follow_symlinks=False):
            return False
        found = True
    return found


def _entries(folder: str | Path) -> Iterator[os.DirEntry[str]]:
    """Yield the entries of the folder without hidden and system entries."""
    with os.scandir(folder) as entries:
        yield from (entry for entry in entries if not entry.name.startswith(".") and entry.name not in SYSTEM)
