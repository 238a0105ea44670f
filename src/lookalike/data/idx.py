"""IDX files (the format of MNIST and Fashion-MNIST), gzipped or not, as a `Source`.

Either one pair, given as its images file (`*images*idx3-ubyte[.gz]`, labels beside it), or a folder that holds the
four files `train-*` and `t10k-*`; then the official test part is known.
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
    """Whether the name is that of an IDX images file."""
    return "images" in path.name and path.name.removesuffix(".gz").endswith("idx3-ubyte")


def is_folder(path: Path) -> bool:
    """Whether the folder holds an IDX training file."""
    return _beside(path / "train-images-idx3-ubyte") is not None


def pair(path: Path, classes: tuple[str, ...] | None = None) -> Source:
    """The images of one IDX file with the labels beside it; classes are the label numbers that occur unless named.

    Raises
    ------
    DataError
        for a missing, truncated or damaged file, another data type, or counts that differ.
    """
    return _joined([(path, "")], None, classes)


def four(folder: Path, classes: tuple[str, ...] | None = None) -> Source:
    """Training and official test images of a folder in MNIST's layout. Raises DataError like `pair`."""
    parts = [(_needed(folder / f"{part}-images-idx3-ubyte"), f"{part}/") for part in ("train", "t10k")]
    return _joined(parts, "t10k/", classes)


def _joined(parts: list[tuple[Path, str]], test: str | None, classes: tuple[str, ...] | None) -> Source:
    heads = [_images_header(path) for path, _ in parts]
    labels = np.concatenate([_labels(path, head.shape[0]) for (path, _), head in zip(parts, heads, strict=True)])
    where = f"'{show(parts[0][0])}'"
    if classes is None:  # the numbers that occur: EMNIST's letters begin with 1
        numbers, labels = np.unique(labels, return_inverse=True)
        classes = tuple(map(str, numbers))
    if labels.max() >= len(classes):
        raise DataError(f"{where}: labels go up to {labels.max()}, where there are {len(classes)} classes")
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
            raise DataError(f"'{show(path)}' is damaged: data follow its {head.shape[0]} images")


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
    """The header of an IDX file of unsigned bytes with `axes` axes."""
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
    """The file, unpacked if its name ends in .gz; errors of unpacking become DataError."""
    with arrays.opened(path) as file:
        if path.suffix != ".gz":
            yield file
            return
        try:
            with gzip.GzipFile(fileobj=file) as unpacked:
                yield unpacked  # type: ignore[misc]  # reads like a BinaryIO
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(f"'{show(path)}' is damaged or truncated ({gate.phrase(error)})") from None


def _beside(path: Path) -> Path | None:
    """`path` or `path`.gz, whichever is there."""
    packed = path.with_name(path.name + ".gz")
    return path if path.is_file() else packed if packed.is_file() else None


def _needed(path: Path) -> Path:
    found = _beside(path)
    if found is None:
        raise DataError(f"'{show(path)}' (or .gz) is missing; IDX images need the labels file beside them")
    return found
