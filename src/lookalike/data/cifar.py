"""The binary files of CIFAR-10 and CIFAR-100 (Krizhevsky 2009) as a `Source`: 32 x 32 RGB with the official test part.

A row is one label byte (in CIFAR-100 the coarse label, then the fine one) and 3,072 bytes of pixels, channels first.
The Python version of the same data is a pickle and is never read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import compress
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lookalike.base.errors import DataError, show
from lookalike.data import arrays
from lookalike.data.source import Picture, Source, check_classes

SHAPE = (3, 32, 32)
MAX_NAMES = 10_000  # bytes; the hundred names of CIFAR-100 take 900


@dataclass(frozen=True)
class Layout:
    """What the folder of one data set holds.

    Attributes
    ----------
    title, archive : name of the data set, and of the official archive that holds the folder
    train, test : its files, without ".bin"; the training files have five times as many images as the test file
    names, classes : the file with one class name per line, and the number of classes
    label, label_bytes : which byte of a row is the label, and how many bytes stand before the pixels
    pickled : files of the Python version
    """

    title: str
    archive: str
    train: tuple[str, ...]
    test: str
    names: str
    classes: int
    label: int
    label_bytes: int
    pickled: tuple[str, ...]

    @property
    def row_bytes(self) -> int:
        """Return the number of bytes of one row."""
        return self.label_bytes + int(np.prod(SHAPE))


CIFAR_10 = Layout(
    title="CIFAR-10",
    archive="cifar-10-binary.tar.gz",
    train=tuple(f"data_batch_{i}" for i in range(1, 6)),
    test="test_batch",
    names="batches.meta.txt",
    classes=10,
    label=0,
    label_bytes=1,
    pickled=("data_batch_1", "batches.meta"),
)
CIFAR_100 = Layout(
    title="CIFAR-100",
    archive="cifar-100-binary.tar.gz",
    train=("train",),
    test="test",
    names="fine_label_names.txt",
    classes=100,
    label=1,
    label_bytes=2,
    pickled=("train", "test", "meta"),
)
CIFAR_100_COARSE = replace(CIFAR_100, names="coarse_label_names.txt", classes=20, label=0)


def layout_of(folder: Path) -> Layout | None:
    """Return the layout whose binary files, or some of them, are in the folder; CIFAR-100 gets its fine labels.

    Raises
    ------
    DataError
        For a folder of the Python version.
    """
    for layout in (CIFAR_10, CIFAR_100):
        if holds(folder, layout):
            return layout
        if all((folder / name).is_file() for name in layout.pickled):
            raise DataError(
                f"'{show(folder)}' is the Python version of {layout.title}, a pickle, which is never loaded; download "
                f"the binary version, {layout.archive}, and give the folder in it"
            )
    return None


def holds(folder: Path, layout: Layout) -> bool:
    """Return whether the folder has two of the layout's files; an error later names those that are missing."""
    needed = [f"{part}.bin" for part in (*layout.train, layout.test)] + [layout.names]
    return sum((folder / name).is_file() for name in needed) >= 2


def read_folder(folder: Path, layout: Layout) -> Source:
    """Return the training and official test images of a folder of binary files.

    Raises
    ------
    DataError
        For a missing, truncated or damaged file, a wrong ratio of training to test images, or a label without class.
    """
    classes = _names(folder / layout.names, layout)
    parts = {part: _header(folder / f"{part}.bin", layout) for part in (*layout.train, layout.test)}
    tests = parts[layout.test].shape[0]
    wanted = 5 * tests // len(layout.train)
    for part in layout.train:
        if (count := parts[part].shape[0]) != wanted:
            call = f"holds {count:,} images, but the {tests:,} in {layout.test}.bin need {wanted:,} here"
            raise _bad(folder / f"{part}.bin", call, layout)
    labels = [_labels(folder / f"{part}.bin", head, layout) for part, head in parts.items()]
    return Source(
        classes=classes,
        names=tuple(f"{part}/{row}" for part, head in parts.items() for row in arrays.numbered(head.shape[0])),
        labels=np.concatenate(labels),
        decode=lambda wanted: compress(
            (
                picture
                for part, head in parts.items()
                for picture in _pictures(folder / f"{part}.bin", head, layout.label_bytes)
            ),
            wanted,
        ),
        measure=lambda _wanted: iter([SHAPE[1:]]),
        test=np.concatenate([np.full(head.shape[0], part == layout.test) for part, head in parts.items()]),
    )


def _pictures(path: Path, head: arrays.Header, label_bytes: int) -> Iterator[Picture]:
    with arrays.opened(path) as file:
        for row in arrays.rows(file, head, path):
            yield Picture(row[label_bytes:].reshape(SHAPE).transpose(1, 2, 0), "CIFAR", "uint8")


def _labels(path: Path, head: arrays.Header, layout: Layout) -> npt.NDArray[np.int64]:
    with arrays.opened(path) as file:
        labels = np.array([row[layout.label] for row in arrays.rows(file, head, path)], np.int64)
    if labels.max() >= layout.classes:
        row = int(np.argmax(labels >= layout.classes))
        what = f"is damaged: image {row} has label {labels[row]}, but there are {layout.classes} classes"
        raise _bad(path, what, layout)
    return labels


def _header(path: Path, layout: Layout) -> arrays.Header:
    """Return the header that follows from the file's length; the file has none of its own."""
    size = _size(path, layout)
    if size == 0 or size % layout.row_bytes:
        what = f"is truncated or damaged: {size:,} bytes are not a multiple of {layout.row_bytes:,}, one image's bytes"
        raise _bad(path, what, layout)
    return arrays.Header((size // layout.row_bytes, layout.row_bytes), fortran=False, dtype=np.dtype(np.uint8), start=0)


def _names(path: Path, layout: Layout) -> tuple[str, ...]:
    """Return the classes' names; the official file itself ends with blank lines."""
    if _size(path, layout) > MAX_NAMES:
        raise _bad(path, f"is not a list of {layout.classes} names", layout)
    with arrays.opened(path) as file:
        names = tuple(file.read().decode("utf-8", "surrogateescape").split())
    if len(names) != layout.classes:
        raise _bad(path, f"names {len(names)} classes, but {layout.classes} are needed", layout)
    check_classes(names, f"'{show(path)}'")
    return names


def _size(path: Path, layout: Layout) -> int:
    if not path.is_file():
        raise _bad(path, "is missing", layout)
    return path.stat().st_size


def _bad(path: Path, what: str, layout: Layout) -> DataError:
    return DataError(f"'{show(path)}' {what}; unpack {layout.title}'s archive {layout.archive} again")
