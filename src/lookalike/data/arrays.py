"""Arrays as a `Source`: `.npz` (`images`, `labels`, optional `classes`), `.npy` (images only) and arrays in memory.

Headers are read and their sizes checked before any data. Images are then read row by row, so that a file larger than
memory can be scored. Python objects are never loaded: a dtype that holds them is refused.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from itertools import compress
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

from lookalike.base.errors import DataError, show
from lookalike.base.unicode import composed
from lookalike.data import gate
from lookalike.data.source import UNLABELLED, Picture, Refused, Skipped, Source, Wanted, check_classes, check_counts

BOMB_RATIO, BOMB_BYTES = 200, 256 * 2**20  # a file that exceeds both is refused
BLOCK_BYTES = 2**20
READ = ("images", "labels", "classes", "generated", "number", "seed")  # the last three are what augment adds
Labels = tuple[npt.NDArray[np.int64], tuple[str, ...]]
Opener = Callable[[], AbstractContextManager[BinaryIO]]


class Header(NamedTuple):
    """What the header of an array file says; `start` is the byte where the data begin."""

    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype[Any]
    start: int

    @property
    def bytes(self) -> int:
        """Return the number of bytes of the data that follow."""
        return math.prod(self.shape) * self.dtype.itemsize


def npz(path: Path, value_range: gate.ValueRange | None = None, allow_empty: bool = False) -> Source:
    """Return the images of a `.npz` file with `images` of shape (N, H, W[, 1 or 3]) or (N, F), and `labels` (N,).

    The labels are numbers or names. Without `labels` the images are unlabelled. Without `classes` the classes are the
    sorted values of the labels.

    Raises
    ------
    DataError
        For any other content; the message says what was found and what is accepted.
    """
    with _archive(path) as archive:
        there = [name.removesuffix(".npy") for name in archive.namelist()]
        if "images" not in there or len(set(there)) != len(there):
            raise DataError(
                f"'{show(path)}' holds {_listed(there)}; store one array 'images', and 'labels' if there are any"
            )
        head = _member_header(archive, "images", path)
        labels = _member(archive, "labels", path) if "labels" in there else None
        names = _member(archive, "classes", path) if "classes" in there else None
    check_images(head, path)
    numbers = number_labels(labels, names, head.shape[0], path)
    source = _source(path, head, lambda: _member_opened(path, "images"), numbers, value_range)
    if unread := [name for name in there if name not in READ]:
        source = replace(source, notes=(f"arrays that are not read: {_listed(unread)}",))
    if source.classes and not allow_empty:
        check_counts(source, f"'{show(path)}'")
    return source


def npy(path: Path, value_range: gate.ValueRange | None = None) -> Source:
    """Return the unlabelled images of a `.npy` file. Raises DataError like `npz`."""
    with opened(path) as file:
        head = _header(file, path)
    check_images(head, path)
    check_bytes(head.start + head.bytes, path.stat().st_size, path)
    return _source(path, head, lambda: opened(path), number_labels(None, None, head.shape[0], path), value_range)


def in_memory(
    images: npt.NDArray[np.uint8],
    labels: npt.NDArray[np.int64],
    classes: tuple[str, ...],
    test: npt.NDArray[np.bool_] | None,
) -> Source:
    """Return a source of uint8 images (N, H, W, C) that are already in memory."""
    return Source(
        classes=classes,
        names=numbered(len(images)),
        labels=labels,
        decode=lambda wanted: (Picture(image, "array", "uint8") for image in images[wanted]),
        measure=lambda _wanted: iter([(images.shape[1], images.shape[2])]),
        test=test,
    )


def numbered(count: int) -> tuple[str, ...]:
    """Return the names of array rows, such as "00042"."""
    return tuple(f"{i:05d}" for i in range(count))


def rows(file: BinaryIO, head: Header, path: Path) -> Iterator[npt.NDArray[Any]]:
    """Yield the rows of an array whose data start here, read in blocks. Raises DataError when the data end early."""
    count, shape = head.shape[0], head.shape[1:]
    row_bytes = math.prod(shape) * head.dtype.itemsize
    # In Fortran order the values of one row are not contiguous, so all rows are read at once.
    block = count if head.fortran else max(1, BLOCK_BYTES // row_bytes)
    for start in range(0, count, block):
        here = min(block, count - start)
        data = file.read(here * row_bytes)
        if len(data) != here * row_bytes:
            raise DataError(f"'{show(path)}' is truncated in image {start + len(data) // row_bytes} of {count}")
        yield from np.frombuffer(data, head.dtype).reshape((here, *shape), order="F" if head.fortran else "C")


def check_bomb(size: int, packed: int, path: Path) -> None:
    """Raise DataError when `packed` bytes claim to unpack to a suspicious `size`, in bytes."""
    if size > BOMB_BYTES and size > BOMB_RATIO * packed:
        raise DataError(f"'{show(path)}' would unpack {packed:,} bytes to {size:,} bytes; it is refused as a zip bomb")


def check_bytes(expected: int, found: int, path: Path) -> None:
    """Raise DataError when a file is shorter or longer than its header says, in bytes."""
    if expected != found:
        kind = "truncated" if found < expected else "damaged"
        raise DataError(f"'{show(path)}' is {kind}: its header says {expected:,} bytes, but there are {found:,}")


def check_images(head: Header, path: Path) -> None:
    """Raise DataError unless the header is that of images (N, H, W[, 1 or 3]) or of vectors (N, F) of numbers."""
    shape, what = head.shape, f"'{show(path)}': images have shape {head.shape} and dtype {head.dtype}"
    if head.dtype.kind not in "buif":
        raise DataError(f"{what}; numbers or booleans are accepted")
    if len(shape) not in (2, 3, 4) or min(shape) < 1:
        raise DataError(f"{what}; (N, H, W), (N, H, W, 1 or 3), or (N, F) for vectors, all at least 1, is accepted")
    if len(shape) == 4 and shape[3] not in (1, 3):
        turn = "; they look channels-first: store numpy.moveaxis(images, 1, -1)" if shape[1] in (1, 3) else ""
        raise DataError(f"{what}; the last axis of (N, H, W, C) must be 1 or 3 channels{turn}")
    if math.prod(shape[1:3]) > gate.MAX_PIXELS:
        raise DataError(f"{what}; at most {gate.MAX_PIXELS:,} pixels per image are allowed")


def number_labels(labels: Any, names: Any, count: int, path: Path) -> Labels:
    """Return (numbers int64 (N,), classes) from the arrays `labels` and `classes`; either may be None."""
    if labels is None:
        return np.full(count, UNLABELLED, dtype=np.int64), ()
    what = f"'{show(path)}': labels have shape {labels.shape} and dtype {labels.dtype}"
    if labels.shape != (count,) or labels.dtype.kind not in "iuUS":
        raise DataError(f"{what}; one whole number or name for each of the {count} images is needed")
    values = _texts(labels) if labels.dtype.kind in "US" else labels.astype(np.int64)
    if values.dtype.kind == "i" and values.min() < UNLABELLED:
        raise DataError(f"{what} and go down to {values.min()}; -1 means no label, others are 0 or more")
    if names is None:
        known = np.unique(values[values != UNLABELLED] if values.dtype.kind == "i" else values)
        classes = tuple(str(value) for value in known)
    elif names.ndim != 1 or names.dtype.kind not in "US" or len(set(names.tolist())) != len(names):
        given = f"'{show(path)}': classes have shape {names.shape} and dtype {names.dtype}"
        raise DataError(f"{given}; distinct names are needed")
    else:
        classes = tuple(_texts(names).tolist())
        known = np.array(classes) if values.dtype.kind == "U" else np.arange(len(classes))
    check_classes(classes, f"'{show(path)}'")
    classes = tuple(map(composed, classes))
    order = {value: number for number, value in enumerate(known.tolist())}
    strange = set(values.tolist()) - set(order) - {UNLABELLED}
    if strange:
        raise DataError(f"'{show(path)}': label '{show(min(strange))}' is none of the {len(classes)} classes")
    return np.array([order.get(value, UNLABELLED) for value in values.tolist()], dtype=np.int64), classes


def _texts(values: npt.NDArray[Any]) -> npt.NDArray[np.str_]:
    return values if values.dtype.kind == "U" else np.char.decode(values, "utf-8", "surrogateescape")


def _source(
    path: Path,
    head: Header,
    data: Opener,
    numbers: Labels,
    value_range: gate.ValueRange | None,
) -> Source:
    names = numbered(head.shape[0])
    convert = _vector if len(head.shape) == 2 else _image

    def decode(wanted: Wanted) -> Iterator[Picture | Skipped]:
        with data() as file:
            file.read(head.start)
            for name, row in compress(zip(names, rows(file, head, path), strict=True), wanted):
                try:
                    values = None if head.dtype in (np.uint8, np.bool_) else gate.span(row)
                    yield Picture(convert(row, value_range), "array", head.dtype.name, values=values)
                except Refused as error:
                    yield Skipped(name, str(error))

    return Source(
        classes=numbers[1],
        names=names,
        labels=numbers[0],
        decode=decode,
        measure=lambda _wanted: iter([] if len(head.shape) == 2 else [(head.shape[1], head.shape[2])]),
        vectors=len(head.shape) == 2,
    )


def _image(row: npt.NDArray[Any], value_range: gate.ValueRange | None) -> npt.NDArray[np.uint8]:
    """Return uint8 (H, W, C).

    Booleans become 0 and 255, uint16 keeps the highest 8 bits, floats are read as [0, 1]; other values need a range.
    """
    row = row if row.ndim == 3 else row[..., None]
    if row.dtype == np.uint8:
        return row
    if row.dtype == np.bool_:
        return row.astype(np.uint8) * np.uint8(255)
    if value_range is None and row.dtype.kind == "u" and row.dtype.itemsize == 2:
        return (row >> 8).astype(np.uint8)
    if value_range is None and row.dtype.kind != "f":
        raise Refused(f"{row.dtype} values from {row.min()} to {row.max()}; {gate.SAY_RANGE}")
    return gate.ranged(row, value_range or (0, 1))


def _vector(row: npt.NDArray[Any], value_range: gate.ValueRange | None) -> npt.NDArray[np.float32]:
    """Return float32 (F,) in [-1, 1]: uint8 is mapped from 0..255, other values by the value range or not at all."""
    if value_range is None and row.dtype != np.uint8:
        gate.check_within(row, -1, 1)
        return row.astype(np.float32).clip(-1, 1)
    low, high = value_range or (0, 255)
    gate.check_within(row, low, high)
    return ((row.astype(np.float64) - low) * (2 / (high - low)) - 1).clip(-1, 1).astype(np.float32)


def _listed(names: list[str]) -> str:
    return ", ".join(f"'{show(name, 40)}'" for name in names[:5]) or "nothing"


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Open the regular file `path` for reading, or raise DataError with its name."""
    try:
        with gate.regular(path) as file:
            yield file
    except Refused as error:
        raise DataError(f"'{show(path)}': {error}") from None


@contextmanager
def _archive(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open the zip archive; all errors of zipfile and numpy for damaged bytes become DataError."""
    try:
        with opened(path) as file, zipfile.ZipFile(file) as archive:
            yield archive
    except (DataError, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001  zipfile, zlib and numpy raise many kinds of error
        raise DataError(f"'{show(path)}' is not a sound .npz file ({gate.phrase(error)})") from None


@contextmanager
def _member_opened(path: Path, name: str) -> Iterator[BinaryIO]:
    with _archive(path) as archive, archive.open(f"{name}.npy") as file:
        yield file  # type: ignore[misc]  # typed as IO[bytes]


def _member_header(archive: zipfile.ZipFile, name: str, path: Path) -> Header:
    info = archive.getinfo(f"{name}.npy")
    check_bomb(info.file_size, info.compress_size, path)
    with archive.open(info) as file:
        head = _header(file, path, name)
    check_bytes(head.start + head.bytes, info.file_size, path)
    return head


def _member(archive: zipfile.ZipFile, name: str, path: Path) -> npt.NDArray[Any]:
    """Return a small member of the archive as a whole."""
    head = _member_header(archive, name, path)
    with archive.open(f"{name}.npy") as file:
        data = file.read()[head.start :]
    return np.frombuffer(data, head.dtype).reshape(head.shape, order="F" if head.fortran else "C")


def _header(file: Any, path: Path, name: str = "images") -> Header:
    """Return the header of the `.npy` data of an array. Raises DataError for a dtype that holds objects."""
    try:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read(file)
    except Exception as error:  # noqa: BLE001  numpy raises many kinds of error when it parses the text
        raise DataError(f"'{show(path)}' is not a sound numpy file ({gate.phrase(error)})") from None
    if dtype.hasobject:
        instead = "numbers, and images of one size" if name == "images" else f"{name}.astype(str)"
        raise DataError(
            f"'{show(path)}': the array {name} holds Python objects, which are never loaded; store {instead}"
        )
    return Header(shape, fortran, dtype, file.tell())
