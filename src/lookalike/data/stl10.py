"""The binary files of STL-10 (Coates et al. 2011) as a `Source`: 96 x 96 RGB, 5,000 training and 8,000 test images.

An image is 27,648 bytes: channels first, and each channel column by column. The labels are bytes from 1 to 10 in a
separate file. Another 100,000 images, of these and of similar classes, have no label and are a data set of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import compress
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lookalike.base.errors import DataError, show
from lookalike.data import arrays
from lookalike.data.source import Picture, Source, Wanted, check_classes

SHAPE = (3, 96, 96)
ROW = int(np.prod(SHAPE))
CLASSES = 10
NAMES, UNLABELLED = "class_names.txt", "unlabeled_X.bin"
PARTS = ("train", "test")
ARCHIVE = "stl10_binary.tar.gz"
ANY = "any"  # the one class of the images without labels
MAX_NAMES = 10_000  # bytes


def holds(folder: Path) -> bool:
    """Return whether two of the labelled files are in the folder; an error later names those that are missing."""
    return sum((folder / name).is_file() for name in (*(f"{part}_{x}.bin" for part in PARTS for x in "Xy"), NAMES)) >= 2


def read_folder(folder: Path) -> Source:
    """Return the labelled images, with the official test part last.

    Raises
    ------
    DataError
        For a missing, truncated or damaged file, different numbers of images and labels, or a label without class.
    """
    classes = _names(folder / NAMES)
    heads = {part: _header(folder / f"{part}_X.bin") for part in PARTS}
    labels = [_labels(folder / f"{part}_y.bin", head.shape[0]) for part, head in heads.items()]
    return Source(
        classes=classes,
        names=tuple(f"{part}/{row}" for part, head in heads.items() for row in arrays.numbered(head.shape[0])),
        labels=np.concatenate(labels),
        decode=lambda wanted: _decoded({folder / f"{part}_X.bin": head for part, head in heads.items()}, wanted),
        measure=lambda _wanted: iter([SHAPE[1:]]),
        test=np.concatenate([np.full(head.shape[0], part == "test") for part, head in heads.items()]),
    )


def read_unlabelled(folder: Path) -> Source:
    """Return the images without labels, all in one class `any`. Raises DataError like `read_folder`."""
    path = folder / UNLABELLED
    head = _header(path)
    count = head.shape[0]
    return Source(
        classes=(ANY,),
        names=tuple(f"unlabeled/{row}" for row in arrays.numbered(count)),
        labels=np.zeros(count, np.int64),
        decode=lambda wanted: _decoded({path: head}, wanted),
        measure=lambda _wanted: iter([SHAPE[1:]]),
    )


def _decoded(files: dict[Path, arrays.Header], wanted: Wanted) -> Iterator[Picture]:
    return compress((picture for path, head in files.items() for picture in _pictures(path, head)), wanted)


def _pictures(path: Path, head: arrays.Header) -> Iterator[Picture]:
    with arrays.opened(path) as file:
        for row in arrays.rows(file, head, path):
            # The file stores columns before rows.
            yield Picture(row.reshape(SHAPE).transpose(2, 1, 0), "STL", "uint8")


def _labels(path: Path, images: int) -> npt.NDArray[np.int64]:
    """Return the labels as int64 (N,), from 0 to 9."""
    size = _size(path)
    if size != images:
        raise _bad(path, f"holds {size:,} labels, but there are {images:,} images")
    with arrays.opened(path) as file:
        labels = np.frombuffer(file.read(size), np.uint8).astype(np.int64)
    wrong = np.flatnonzero((labels < 1) | (labels > CLASSES))
    if len(wrong):
        raise _bad(path, f"is damaged: image {wrong[0]} has label {labels[wrong[0]]}, but labels are 1 to {CLASSES}")
    return labels - 1


def _header(path: Path) -> arrays.Header:
    """Return the header that follows from the file's length; the file has none of its own."""
    size = _size(path)
    if size == 0 or size % ROW:
        raise _bad(path, f"is truncated or damaged: {size:,} bytes are not a multiple of {ROW:,}, one image's bytes")
    return arrays.Header((size // ROW, ROW), fortran=False, dtype=np.dtype(np.uint8), start=0)


def _names(path: Path) -> tuple[str, ...]:
    if _size(path) > MAX_NAMES:
        raise _bad(path, f"is not a list of {CLASSES} names")
    with arrays.opened(path) as file:
        names = tuple(file.read().decode("utf-8", "surrogateescape").split())
    if len(names) != CLASSES:
        raise _bad(path, f"names {len(names)} classes, but {CLASSES} are needed")
    check_classes(names, f"'{show(path)}'")
    return names


def _size(path: Path) -> int:
    if not path.is_file():
        raise _bad(path, "is missing")
    return path.stat().st_size


def _bad(path: Path, what: str) -> DataError:
    return DataError(f"'{show(path)}' {what}; unpack STL-10's archive {ARCHIVE} again")
