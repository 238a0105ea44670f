"""Which classes are known and which is the unknown one, row by row, and which can be known at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lookalike.base.arrays import Warn
from lookalike.base.errors import DataError, listed, show
from lookalike.data import Images, read
from lookalike.data.oddities import remarks
from lookalike.runs.settings import TrainSettings
from lookalike.studies.detect.parts import measurable, said_of_groups, scorable

LEAST = 5  # images to train on; auto takes no fewer
NEEDED = f"{LEAST} to train on, one held-out image and one test image"


@dataclass(frozen=True)
class Cast:
    """The rows of a bench.

    Parameters
    ----------
    rows : mapping
        Unknown class -> the known classes of its row, in the order of the data.
    tested : tuple of str
        Classes that are known in some row: their test images are scored.
    whole : tuple of str
        Classes that are never known: all their images are scored.
    """

    rows: Mapping[str, tuple[str, ...]]
    tested: tuple[str, ...]
    whole: tuple[str, ...]

    @property
    def classes(self) -> tuple[str, ...]:
        """All that take part, the known ones first."""
        return (*self.tested, *self.whole)

    @property
    def fewest(self) -> int:
        """The smallest number of known classes in a row."""
        return min(map(len, self.rows.values()))

    @property
    def known(self) -> tuple[str, ...]:
        """The known classes where they are the same in every row; else none."""
        each = set(self.rows.values())
        return each.pop() if len(each) == 1 else ()


def cast(
    images: Images, splits: Sequence[TrainSettings], known: tuple[str, ...], warn: Warn, tests: Images | None = None
) -> Cast:
    """The rows for these images; says which classes cannot be known, and which not even measured.

    Parameters
    ----------
    images : Images
        All images.
    splits : sequence of TrainSettings
        Settings that differ in the seed of the split.
    known : tuple of str
        The classes that are known in every row; none: all that can be, but for the unknown one.
    tests : Images, optional
        The test images, where they are not a part of `images`; classes that are only there are never known.

    Raises
    ------
    DataError
        For a class of `known` that is too small, or where no row is left.
    """
    _say(images, splits[0], warn)
    there = scorable(images if tests is None else tests, splits[0])
    able = [set(measurable(images, settings, LEAST)) & set(there) for settings in splits]
    fit = tuple(name for name in images.classes if all(name in some for some in able))
    small = [name for name in known if name not in fit]
    if small:
        raise DataError(f"too few images to be known, {_needed(small)}; add images, or name other classes (--known)")
    tested = known or fit
    whole = tuple(name for name in there if name not in tested)
    _say_small([n for n in images.classes if n not in there], () if known else whole, images.classes, warn)
    unknown = [name for name in there if name in whole or not known]
    each = {name: tuple(one for one in tested if one != name) for name in unknown}
    rows = {name: others for name, others in each.items() if others}
    if not rows:
        gone = [name for name in images.classes if name not in fit]
        raise DataError(
            "no class can be known while another is the unknown one"
            + (f": too few images, {_needed(gone)}" if gone else "")
            + "; add images, or another class"
        )
    return Cast(rows, tested, tuple(name for name in whole if name in rows))


def read_tests(test_data: str, data: str, images: Images, settings: TrainSettings) -> Images:
    """The images of a folder of test images, read as those of the data are.

    Raises
    ------
    DataError
        Where none of its classes is one of the data's, where one of its images is in the data too, or where the data
        have an official test part.
    """
    if images.test is not None:
        raise DataError(f"{show(data)} has test images of its own; leave --test-data out")
    size, channels = ((images.shape[1], images.shape[2]), images.shape[0]) if len(images.shape) == 3 else (None, None)
    reading = settings.reading() | {"group": None}  # they are on one side of a split already
    tests = read(test_data, size=size, channels=channels, key_size=images.key_size, **reading)
    if tests.shape != images.shape:
        raise DataError(f"{show(test_data)} has the shape {tests.shape}, and {show(data)} has {images.shape}")
    if not set(tests.classes) & set(images.classes):
        raise DataError(
            f"{show(test_data)} has the classes {_first(tests.classes)}, and {show(data)} has "
            f"{_first(images.classes)}; give test images in class folders of the same names"
        )
    twice = np.isin(tests.keys, images.keys).sum()
    if twice:
        raise DataError(
            f"{twice} of {len(tests)} images of {show(test_data)} {'is' if twice == 1 else 'are'} in {show(data)} too, "
            "and what has taught cannot measure; remove them from one of the two"
        )
    return tests


def _say(images: Images, first: TrainSettings, warn: Warn) -> None:
    """What reading changed or left out, and how the first seed splits groups."""
    for line in remarks(images):
        warn(line)
    if images.skipped:
        warn(f"images left out since they cannot be read: {len(images.skipped)}; lookalike check names the first")
    if images.groups is not None:
        warn(f"seed 0, {said_of_groups(images, images.groups, first)}")


def _say_small(gone: Sequence[str], whole: Sequence[str], classes: Sequence[str], warn: Warn) -> None:
    """A line for classes that are left out, and one for those of `classes` that are the unknown one alone."""
    if gone:
        warn(f"left out: {_first(gone)}: no image to measure stands under no other label")
    if small := [name for name in whole if name in classes]:
        warn(f"never known, only the unknown one: too few images, {_needed(small)}")


def _needed(names: Sequence[str]) -> str:
    return f"{_first(names)}: {NEEDED} that stand under no other label are needed"


def _first(names: Sequence[str]) -> str:
    return f"{listed(names[:5])}{f' and {len(names) - 5} more' if names[5:] else ''}"
