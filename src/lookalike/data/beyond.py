"""Images beyond memory, or for many processes: one uint8 .npy file in the cache folder, which is read once and mapped.

Beside it lies what reading found. Both are named by a hash of the files that were read and of how. What nobody has used
for a month is removed when another file is made.
"""

from __future__ import annotations

import hashlib
import math
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from lookalike.base import cache, files
from lookalike.base.errors import ModelError, show
from lookalike.base.words import percent
from lookalike.data.images import content_key
from lookalike.data.source import Source

SHARE = 1 / 4  # of the memory; more images than that are mapped
LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")  # of a container
MONTH = 30 * 24 * 3600  # seconds without use, after which a file is removed
LIMIT = 1 << 34  # bytes of what reading found
PACKAGES = ("pillow", "numpy")  # whose versions decide how images are read
PIXELS, FOUND = "pixels.npy", "found.json"


class Coloured(Exception):  # noqa: N818  it is an outcome: the file is begun again with three channels
    """A colour image after grey ones."""


def in_memory() -> int:
    """The most bytes of images that stay in memory: a share of this machine's or container's, for each process."""
    most = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for limit in LIMITS:
        with suppress(OSError, ValueError):  # "max" is no number
            most = min(most, int(Path(limit).read_text()))
    return int(SHARE * most / int(os.environ.get("LOCAL_WORLD_SIZE", "1")))  # torchrun's number on this machine


_sharing: ContextVar[bool] = ContextVar("_sharing", default=False)


@contextmanager
def shared() -> Iterator[None]:
    """Within the block all images that can be are mapped: of several processes one reads them."""
    before = _sharing.set(True)
    try:
        yield
    finally:
        _sharing.reset(before)


def sharing() -> bool:
    """Whether `shared` is in force."""
    return _sharing.get()


@dataclass(frozen=True)
class Place:
    """Where the images of a source, read in one way, are kept.

    Parameters
    ----------
    folder : Path
        The folder of the two files, and of their lock.
    """

    folder: Path

    def found(self) -> tuple[npt.NDArray[np.uint8], dict[str, Any]] | None:
        """The images (N, C, H, W), mapped, and what reading found; None where they were not read yet."""
        try:
            facts = files.read_json(self.folder / FOUND, limit=LIMIT)
            pixels = np.load(self.folder / PIXELS, mmap_mode="r", allow_pickle=False)
        except (ModelError, OSError, ValueError):
            return None
        if pixels.dtype != np.uint8 or list(pixels.shape) != facts["shape"]:
            return None
        os.utime(self.folder / FOUND)  # it is in use
        return pixels, facts

    def write(self, facts: Mapping[str, Any]) -> None:
        """Writes what reading found, when the images are there. Raises OutputError."""
        files.write_json(self.folder / FOUND, facts)


def place_of(source: str | Path, opened: Source, how: Mapping[str, Any]) -> Place | None:
    """Where the images of a source that are read in this way are kept; None where they cannot be."""
    root, there = files.at_home(source), cache.folder()
    if there is None or opened.vectors or not root.exists():  # data sets that have a name are small
        return None
    digest = hashlib.sha256(repr((_code(), [version(name) for name in PACKAGES], sorted(how.items()))).encode())
    digest.update(repr(opened.names).encode("ascii", "backslashreplace"))  # some classes of a file are other images
    for line in _listed(root, opened.names):
        digest.update(line)
    folder = there / "images" / digest.hexdigest()[:32]
    _sweep(folder.parent)
    return Place(files.make_folder(folder))


@lru_cache
def _code() -> str:
    """A hash of the code that reads images."""
    own = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in own)).hexdigest()


def _listed(root: Path, names: tuple[str, ...]) -> Iterator[bytes]:
    """Name, size and times of each file that is read."""
    if root.is_file():
        yield _stamp(root, "")
        return
    try:
        yield from (_stamp(root / name, name) for name in names)
    except OSError:  # the names are not those of files
        for folder, folders, found in os.walk(root):
            folders.sort()
            yield from (_stamp(Path(folder, name), name) for name in sorted(found))
    yield repr(len(names)).encode()


def _stamp(path: Path, name: str) -> bytes:
    seen = path.stat()
    return f"{name!r} {seen.st_size} {seen.st_mtime_ns} {seen.st_ctime_ns};".encode("ascii", "backslashreplace")


def _sweep(folder: Path) -> None:
    """Removes images that nobody has used for a month."""
    for old in folder.iterdir() if folder.exists() else ():
        used = old / FOUND if (old / FOUND).exists() else old  # a folder alone is what a failed reading left
        with suppress(OSError):
            if time.time() - used.stat().st_mtime > MONTH:
                shutil.rmtree(old)


class Writer:
    """Images that become the rows of an .npy file, one by one.

    Parameters
    ----------
    handle : BinaryIO
        The file, which is empty.
    most : int
        How many images there are at most.
    shape : tuple of int
        (C, H, W); a grey image is repeated in each channel.
    """

    def __init__(self, handle: BinaryIO, most: int, shape: tuple[int, int, int]) -> None:
        self.handle, self.shape, self.keys = handle, shape, list[str]()
        self.start = self._head(most)

    def add(self, image: npt.NDArray[Any], small: npt.NDArray[Any] | None) -> None:
        """Adds an image (H, W, C), whose content key is that of `small` where it is given. Raises Coloured."""
        row = self._row(image)
        self.handle.write(row.data)
        self.keys.append(content_key(row if small is None else self._row(small)))

    def end(self) -> None:
        """Corrects the number of images, of which some may have been left out."""
        end = self.handle.tell()
        self.handle.seek(0)
        assert self._head(len(self.keys)) == self.start, "numpy leaves room for a number of any size"
        self.handle.seek(end)

    def _head(self, n: int) -> int:
        fields = {"descr": "|u1", "fortran_order": False, "shape": (n, *self.shape)}
        np.lib.format.write_array_header_1_0(self.handle, fields)
        return self.handle.tell()

    def _row(self, image: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
        """(C, H, W)."""
        if image.shape[2] > self.shape[0]:
            raise Coloured
        planes = image.transpose(2, 0, 1)
        return np.ascontiguousarray(np.broadcast_to(planes, (self.shape[0], *planes.shape[1:])))


def said(size: int, place: Place) -> str:
    """That images of so many bytes are mapped, and where, as a sentence."""
    where = show(place.folder.parent)
    return (
        f"the images take {size / 1e9:.1f} GB, more than {percent(SHARE)} of the memory: they are read once into "
        f"{where}, and from there in the training"
    )


def bytes_of(n: int, size: tuple[int, int], channels: int | None) -> int:
    """Bytes of n images; of three channels where nobody knows."""
    return n * (channels or 3) * math.prod(size)
