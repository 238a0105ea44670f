"""Maps that frozen networks have of images, kept in the user's cache folder while trials of a study run.

Detectors, folds and seeds of a study see the same images again and again; the network sees each once.
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
END = Struct("<?d")  # after the numbers of a stored map
T = TypeVar("T")
See = Callable[[Pixels], list[Tensor]]


@dataclass(frozen=True)
class View:
    """All that the map of an image depends on, but for the image.

    Parameters
    ----------
    key : bytes
        A hash of it.
    shape : tuple of int
        (C, h, w) of the map.
    """

    key: bytes
    shape: tuple[int, int, int]

    @classmethod
    def of(cls, facts: object, shape: tuple[int, int, int]) -> View:
        """The view of these facts, which can be printed."""
        return cls(sha256(repr(facts).encode()).digest(), shape)


@dataclass(frozen=True)
class Map:
    """The map of one image.

    Parameters
    ----------
    values : ndarray
        Float32 as it lies in memory, which decides how later sums are rounded: (h, w, C) or (C, h, w).
    last : bool
        Whether channels are last.
    seconds : float
        What the image cost in the network, with all layers that were asked for.
    """

    values: npt.NDArray[np.float32]
    last: bool
    seconds: float

    def stored(self) -> bytes:
        """What `read` reads."""
        return self.values.tobytes() + END.pack(self.last, self.seconds)

    @classmethod
    def read(cls, data: bytes, shape: tuple[int, int, int]) -> Map:
        """The map (C, h, w) of what `stored` gave."""
        last, seconds = END.unpack(data[-END.size :])
        channels, *grid = shape
        values = np.frombuffer(data, np.float32, prod(shape)).reshape((*grid, channels) if last else shape)
        return cls(values, last, seconds)


class Kept:
    """The maps in a file."""

    def __init__(self, store: Store) -> None:
        self.store, self.spared = store, 0.0  # seconds

    def blocks(
        self, see: See, pixels: Pixels | Selection, block: int, views: Sequence[View]
    ) -> Iterator[tuple[int, list[Tensor]]]:
        """As `lookalike.features.views.maps`. `see` gives the maps (block, C, h, w) of at most `block` images."""
        for start in range(0, len(pixels), AT_ONCE * block):
            began = time.monotonic()
            part = pixels[start : start + AT_ONCE * block]
            images = [_digest(image) for image in part]
            found = self._read(images, views)
            rows = {image: row for row, image in enumerate(images) if image not in found}
            for new in _parts(list(rows), block):
                seen = _seen(see, part[[rows[image] for image in new]], block)
                found |= dict(zip(new, seen, strict=True))
                self._write({image: found[image] for image in new}, views)
            alone = sum(max(one.seconds for one in mine) for mine in found.values())
            self.spared += alone - (time.monotonic() - began)
            for mine in _parts(images, block):
                of_taps = zip(*(found[image] for image in mine), strict=True)
                yield len(mine), [_joined(maps, block) for maps in of_taps]

    def _read(self, images: Sequence[bytes], views: Sequence[View]) -> dict[bytes, list[Map]]:
        """The maps of those images of which the file has every view."""
        keys = {image: [image + view.key for view in views] for image in images}
        there = self.store.read([key for mine in keys.values() for key in mine])
        return {
            image: [Map.read(there[key], view.shape) for key, view in zip(mine, views, strict=True)]
            for image, mine in keys.items()
            if all(key in there for key in mine)
        }

    def _write(self, maps: dict[bytes, list[Map]], views: Sequence[View]) -> None:
        self.store.write({
            image + view.key: one.stored()
            for image, mine in maps.items()
            for view, one in zip(views, mine, strict=True)
        })  # fmt: skip


_current: ContextVar[Kept | None] = ContextVar("_current", default=None)


@contextmanager
def kept() -> Iterator[None]:
    """Within it maps are kept, and taken from those that are; raises as `folder` of `base.cache` does."""
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
    """The maps that are kept; None outside of `kept`."""
    return _current.get()


def clock() -> float:
    """Seconds as `time.monotonic` counts, and those that kept maps spared: what a method costs depends on no other."""
    mine = current()
    return time.monotonic() + (mine.spared if mine else 0.0)


def _digest(image: Pixels) -> bytes:
    """The SHA-256 over the shape, dtype and bytes of an image."""
    return sha256(f"{image.shape} {image.dtype.str} ".encode() + image.tobytes()).digest()


def _parts(of: list[T], size: int) -> Iterator[list[T]]:
    return (of[i : i + size] for i in range(0, len(of), size))


def _seen(see: See, pixels: Pixels, block: int) -> list[list[Map]]:
    """The maps of each of at most `block` images."""
    began = time.monotonic()
    found = see(pixels)
    each = (time.monotonic() - began) / block
    by_tap = []
    for m in found:
        last = m.is_contiguous(memory_format=torch.channels_last) and not m.is_contiguous()
        values = (m.permute(0, 2, 3, 1) if last else m).contiguous().numpy()
        by_tap.append([Map(one, last, each) for one in values[: len(pixels)]])
    return [list(maps) for maps in zip(*by_tap, strict=True)]


def _joined(maps: Sequence[Map], block: int) -> Tensor:
    """(block, C, h, w) in the order of the maps; zeros follow them."""
    values = np.zeros((block, *maps[0].values.shape), np.float32)
    values[: len(maps)] = [one.values for one in maps]
    x = torch.from_numpy(values)
    return x.permute(0, 3, 1, 2) if maps[0].last else x
