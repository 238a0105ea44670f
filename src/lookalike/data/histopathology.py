"""Breast histopathology (Kaggle's IDC patches, of Janowczyk and Madabhushi 2016) as a `Source`: `PATIENT/{0,1}/*.png`.

0 is no invasive ductal carcinoma, 1 is some; the classes keep the folders' names. A quarter of the patients is the test
part, so that no patient is in both: patches of one patient look alike. gan-augmentation-2020 splits by patch. The
calibration part is drawn by patch from the other patients, whom it shares with training.

Patches at the borders are smaller than 50 x 50. They stay, and are resized as any image is: the paper counts them, and
leaving them out would open all 277,524 files twice.
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
from lookalike.data.folder import SYSTEM, Listing, of_files
from lookalike.data.source import Source, check_counts

CLASSES = ("0", "1")
WHOLE = "IDC_regular_ps50_idx5"  # Kaggle's archive has all patients in it, and once more beside it
TEST_SHARE = 0.25  # of the patients, as of gan-augmentation-2020's patches


def is_folder(root: Path) -> bool:
    """Whether the sub-folders are patients: numbers, of which each holds folders 0 and 1, or one, and nothing else."""
    try:
        folders = [entry for entry in _entries(root / _start(root)) if entry.is_dir(follow_symlinks=False)]
        return bool(folders) and all(_is_patient(entry) for entry in folders)
    except OSError:
        return False  # who reads it will say so


def patients(
    root: Path, value_range: gate.ValueRange | None = None, allow_empty: bool = False, *, by_patient: bool = True
) -> Source:
    """The patches of all patients; with `by_patient` a test part of patients whose other patches are nowhere else.

    The patients are ranked by SHA-256 of their folder's name, and the first quarter, rounded, at least one, is the
    test part; a single patient makes none. Without `by_patient` there is no test part: patches are split like images.

    Raises
    ------
    DataError
        for an unreadable folder, or no patch of a class.
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
    return replace(source, test=np.array([name.startswith(tested) for name in source.names], np.bool_))


def _tested(folders: list[str]) -> list[str]:
    ranked = sorted(folders, key=lambda folder: hashlib.sha256(os.fsencode(os.path.basename(folder))).digest())
    return ranked[: max(1, int(TEST_SHARE * len(ranked) + 0.5))]


def _patches(listing: Listing, folder: str, label: int) -> list[str]:
    there = f"{folder}/{CLASSES[label]}"
    return listing.walk(there) if (listing.root / there).is_dir() else []


def _start(root: Path) -> str:
    """Where the patients are, relative to the root."""
    return WHOLE if (root / WHOLE).is_dir() else ""


def _is_patient(folder: os.DirEntry[str]) -> bool:
    """Stops at the first other entry: a class folder may hold 100,000."""
    if not folder.name.isdecimal():  # as Kaggle's are; a class "cat" may well have folders 0 and 1
        return False
    found = False
    for entry in _entries(folder.path):
        if entry.name not in CLASSES or not entry.is_dir(follow_symlinks=False):
            return False
        found = True
    return found


def _entries(folder: str | Path) -> Iterator[os.DirEntry[str]]:
    """What is in the folder, but for hidden and system entries."""
    with os.scandir(folder) as entries:
        yield from (entry for entry in entries if not entry.name.startswith(".") and entry.name not in SYSTEM)
