"""What detectors read of images in the maps of frozen networks, kept in the user's cache folder while a study runs.

Detectors, folds and seeds of a study read the same images again and again; the network sees each once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from hashlib import sha256
from math import prod
from struct import Struct
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lookalike.base.arrays import Pixels
from lookalike.base.cache import folder
from lookalike.base.store import Store
from lookalike.data.images import Selection

FILE = "features.sqlite"
AT_ONCE = 4  # blocks that are looked up together, so that images the file lacks fill whole blocks of the network
END = Struct("<d")  # after the numbers of a stored row
T = TypeVar("T")
See = Callable[[Pixels], list[Tensor]]


@dataclass(frozen=True)
class Reading:
    """All that a row of numbers depends on, but for the image that it is read of.

    Parameters
    ----------
    key : bytes
        A hash of it.
    shape : tuple of int
        The shape of the row.
    """

    key: bytes
    shape: tuple[int, ...]

    @classmethod
    def of(cls, facts: object, shape: tuple[int, ...]) -> Reading:
        """The reading of these facts, which can be printed."""
        return cls(sha256(repr(facts).encode()).digest(), shape)


@dataclass(frozen=True)
class Row:
    """What is read of one image.

    Parameters
    ----------
    values : ndarray
        Float32.
    seconds : float
        What the image cost in the network, with all readings that were asked for.
    """

    values: npt.NDArray[np.float32]
    seconds: float

    def stored(self) -> bytes:
        """What `read` reads."""
        return self.values.tobytes() + END.pack(self.seconds)

    @classmethod
    def read(cls, data: bytes, shape: tuple[int, ...]) -> Row:
        """The row of what `stored` gave."""
        (seconds,) = END.unpack(data[-END.size :])
        return cls(np.frombuffer(data, np.float32, prod(shape)).reshape(shape), seconds)


class Kept:
    """The rows in a file."""

    def __init__(self, store: Store) -> None:
        self.store, self.spared = store, 0.0  # seconds

    def blocks(
        self, see: See, pixels: Pixels | Selection, block: int, readings: Sequence[Reading]
    ) -> Iterator[tuple[int, list[Tensor]]]:
        """Blocks in order: the number of images, and of each reading the rows (block, ...) float32, zeros at the end.

        `see` gives the rows (block, ...) of at most `block` images.
        """
        for start in range(0, len(pixels), AT_ONCE * block):
            began = time.monotonic()
            part = pixels[start : start + AT_ONCE * block]
            images = [_digest(image) for image in part]
            found = self._read(images, readings)
            place = {image: i for i, image in enumerate(images) if image not in found}
            for new in _parts(list(place), block):
                seen = _seen(see, part[[place[image] for image in new]], block)
                found |= dict(zip(new, seen, strict=True))
                self._write({image: found[image] for image in new}, readings)
            each = [max(one.seconds for one in found[image]) for image in images]
            whole = block * -(-len(images) // block)  # of the network, which sees whole blocks
            self.spared += whole * sum(each) / len(each) - (time.monotonic() - began)
            for mine in _parts(images, block):
                by_reading = zip(*(found[image] for image in mine), strict=True)
                yield len(mine), [_joined(rows, block) for rows in by_reading]

    def _read(self, images: Sequence[bytes], readings: Sequence[Reading]) -> dict[bytes, list[Row]]:
        """The rows of those images of which the file has every reading."""
        keys = {image: [image + reading.key for reading in readings] for image in images}
        there = self.store.read([key for mine in keys.values() for key in mine])
        return {
            image: [Row.read(there[key], reading.shape) for key, reading in zip(mine, readings, strict=True)]
            for image, mine in keys.items()
            if all(key in there for key in mine)
        }

    def _write(self, rows: dict[bytes, list[Row]], readings: Sequence[Reading]) -> None:
        self.store.write({
            image + reading.key: one.stored()
            for image, mine in rows.items()
            for reading, one in zip(readings, mine, strict=True)
        })  # fmt: skip


_current: ContextVar[Kept | None] = ContextVar("_current", default=None)


@contextmanager
def kept() -> Iterator[None]:
    """Within it rows are kept, and taken from those that are; raises as `folder` of `base.cache` does."""
    there = folder()
    if there is None:
        yield
        return
    store = Store(there / FILE)
    token = _current.set(Kept(store))
    try:
        yield
    finally:
        _current.reset(token)
        store.close()


def current() -> Kept | None:
    """The rows that are kept; None outside of `kept`."""
    return _current.get()


def clock() -> float:
    """Seconds as `time.monotonic` counts, and those that kept rows spared: what a method costs depends on no other."""
    mine = current()
    return time.monotonic() + (mine.spared if mine else 0.0)


def _digest(image: Pixels) -> bytes:
    """The SHA-256 over the shape, dtype and bytes of an image."""
    return sha256(f"{image.shape} {image.dtype.str} ".encode() + image.tobytes()).digest()


def _parts(of: list[T], size: int) -> Iterator[list[T]]:
    return (of[i : i + size] for i in range(0, len(of), size))


def _seen(see: See, pixels: Pixels, block: int) -> list[list[Row]]:
    """The rows of each of at most `block` images."""
    began = time.monotonic()
    found = see(pixels)
    each = (time.monotonic() - began) / block
    rows = [[Row(one, each) for one in of.numpy()[: len(pixels)]] for of in found]
    return [list(mine) for mine in zip(*rows, strict=True)]


def _joined(rows: Sequence[Row], block: int) -> Tensor:
    """(block, ...) float32; zeros follow the rows."""
    values = np.zeros((block, *rows[0].values.shape), np.float32)
    values[: len(rows)] = [one.values for one in rows]
    return torch.from_numpy(values)
