"""IDX files (the format of MNIST and Fashion-MNIST), gzipped or not, as a `Source`.

The source is one pair of files, named by its images file (`*images*idx3-ubyte[.gz]`, with the labels beside it). Or it
is a folder with the four files `train-*` and `t10k-*`; the latter are then the official test part.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import compress
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from lookalike.base.errors import DataError, show
from lookalike.data import arrays, gate
from lookalike.data.source import Picture, Source, check_classes

UBYTE = 0x08


def is_images(path: Path) -> bool:
    """Return whether the name is that of an IDX images file."""
    return "images" in path.name and path.name.removesuffix(".gz").endswith("idx3-ubyte")


def is_folder(path: Path) -> bool:
    """Return whether the folder holds an IDX training file."""
    return _beside(path / "train-images-idx3-ubyte") is not None


def pair(path: Path, classes: tuple[str, ...] | None = None) -> Source:
    """Return the images of one IDX file with the labels beside it; without `classes` the label numbers name them.

    Raises
    ------
    DataError
        For a missing, truncated or damaged file, another data type, or numbers of images and labels that differ.
    """
    return _joined([(path, "")], None, classes)


def four(folder: Path, classes: tuple[str, ...] | None = None) -> Source:
    """Return the training and official test images of a folder in MNIST's layout. Raises DataError like `pair`."""
    parts = [(_needed(folder / f"{part}-images-idx3-ubyte"), f"{part}/") for part in ("train", "t10k")]
    return _joined(parts, "t10k/", classes)


def _joined(parts: list[tuple[Path, str]], test: str | None, classes: tuple[str, ...] | None) -> Source:
    heads = [_images_header(path) for path, _ in parts]
    labels = np.concatenate([_labels(path, head.shape[0]) for (path, _), head in zip(parts, heads, strict=True)])
    where = f"'{show(parts[0][0])}'"
    if classes is None:  # only the numbers that occur, because EMNIST's letters begin with 1
        numbers, labels = np.unique(labels, return_inverse=True)
        classes = tuple(map(str, numbers))
    if labels.max() >= len(classes):
        raise DataError(f"{where}: labels go up to {labels.max()}, but there are {len(classes)} classes")
    names = tuple(
        prefix + number
        for (_, prefix), head in zip(parts, heads, strict=True)
        for number in arrays.numbered(head.shape[0])
    )
    check_classes(classes, where)
    return Source(
        classes=classes,
        names=names,
        labels=labels,
        decode=lambda wanted: compress(
            (picture for (path, _), head in zip(parts, heads, strict=True) for picture in _pictures(path, head)), wanted
        ),
        measure=lambda _wanted: iter([(head.shape[1], head.shape[2]) for head in heads]),
        test=None if test is None else np.array([name.startswith(test) for name in names]),
    )


def _pictures(path: Path, head: arrays.Header) -> Iterator[Picture]:
    with _opened(path) as file:
        file.read(head.start)
        for row in arrays.rows(file, head, path):
            yield Picture(row[..., None], "IDX", "uint8")
        if file.read(1):
            raise DataError(f"'{show(path)}' is damaged: more data follow its {head.shape[0]} images")


def _images_header(path: Path) -> arrays.Header:
    head = _header(path, 3)
    arrays.check_images(head, path)
    if path.suffix == ".gz":
        arrays.check_bomb(head.bytes, path.stat().st_size, path)
    else:
        arrays.check_bytes(head.start + head.bytes, path.stat().st_size, path)
    return head


def _labels(images: Path, count: int) -> npt.NDArray[np.int64]:
    name = images.name.removesuffix(".gz").replace("images", "labels").replace("idx3", "idx1")
    path = _needed(images.with_name(name))
    head = _header(path, 1)
    if head.shape != (count,):
        raise DataError(f"'{show(path)}' holds {head.shape[0]} labels for the {count} images of '{show(images)}'")
    with _opened(path) as file:
        data = file.read(head.start + head.bytes + 1)
    arrays.check_bytes(head.start + head.bytes, len(data), path)
    return np.frombuffer(data[head.start :], np.uint8).astype(np.int64)


def _header(path: Path, axes: int) -> arrays.Header:
    """Return the header of an IDX file of unsigned bytes with `axes` axes."""
    start = 4 + 4 * axes
    with _opened(path) as file:
        head = file.read(start)
    if len(head) < start or head[:4] != bytes((0, 0, UBYTE, axes)):
        raise DataError(
            f"'{show(path)}' starts with {head[:4].hex() or 'nothing'}; an IDX file of bytes with {axes} axes starts "
            f"with 0000080{axes}"
        )
    shape = tuple(int(length) for length in np.frombuffer(head[4:], ">u4"))
    return arrays.Header(shape, fortran=False, dtype=np.dtype(np.uint8), start=start)


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """Open the file, unpacked if its name ends in .gz; errors of unpacking become DataError."""
    with arrays.opened(path) as file:
        if path.suffix != ".gz":
            yield file
            return
        try:
            with gzip.GzipFile(fileobj=file) as unpacked:
                yield unpacked  # type: ignore[misc]  # it reads like a BinaryIO
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(f"'{show(path)}' is damaged or truncated ({gate.phrase(error)})") from None


def _beside(path: Path) -> Path | None:
    """Return `path` or `path`.gz, whichever exists."""
    packed = path.with_name(path.name + ".gz")
    return path if path.is_file() else packed if packed.is_file() else None


def _needed(path: Path) -> Path:
    found = _beside(path)
    if found is None:
        raise DataError(f"'{show(path)}' (or .gz) is missing; put the images and the labels file into one folder")
    return found
