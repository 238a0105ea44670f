"""Images as a frozen network sees them at some size: local maps of some taps, block by block."""

from __future__ import annotations

import math
import platform
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from lookalike.base.arrays import Pixels
from lookalike.data.images import Selection
from lookalike.features import cache
from lookalike.features.backbone import Backbone, Tap
from lookalike.features.cache import View

BLOCK = 2**18  # pixels that a network sees at once; other block sizes give other bits
EDITION = 1  # of what this file does; counts up with any change of maps, so that none come from the cache of before
NEIGHBOURS = 3  # a place is averaged with those around it (Roth et al. 2022, section 3.1)


def side_of(backbone: Backbone, side: int) -> int:
    """The side at which the network sees images that are wanted at `side`: its own, where it takes one size alone."""
    return side if backbone.size is None else round(math.sqrt(math.prod(backbone.size)))


def seen_size(backbone: Backbone, shape: tuple[int, ...], side: int) -> tuple[int, int]:
    """(H, W) at which the network sees images (C, H, W): its only size, or of about the area `side` x `side`.

    In the second case the aspect stays, and both are multiples of what the network needs.
    """
    if backbone.size is not None:
        return backbone.size
    stretch, multiple = (shape[1] / shape[2]) ** 0.5, backbone.multiple
    height, width = (max(multiple, round(s / multiple) * multiple) for s in (side * stretch, side / stretch))
    return height, width


def maps(
    backbone: Backbone, pixels: Pixels | Selection, side: int, taps: Sequence[Tap]
) -> Iterator[tuple[int, list[Tensor]]]:
    """Blocks of images in order: their number n, and maps float32 (block, channels, h, w) of each tap.

    All blocks have one size, so that bits do not depend on N. In the last one only the first n images are real. Each
    place is averaged with its neighbours.

    Parameters
    ----------
    backbone : Backbone
        The network.
    pixels : ndarray
        (N, C, H, W) uint8; grey images are repeated in three channels.
    side : int
        Side in pixels of a square as large as the images that the network sees.
    taps : sequence of Tap
        Of the network, the earliest first.
    """
    size = seen_size(backbone, pixels.shape[1:], side)
    block = max(1, BLOCK // (size[0] * size[1]))

    def see(part: Pixels) -> list[Tensor]:
        x = _resized(np.ascontiguousarray(part), size)
        x = torch.cat([x, x.new_zeros(block - len(x), *x.shape[1:])])
        return [avg_pool2d(m, NEIGHBOURS, 1, NEIGHBOURS // 2, count_include_pad=False) for m in backbone.maps(x, taps)]

    if kept := cache.current():
        yield from kept.blocks(see, pixels, block, [_view(backbone, size, tap) for tap in taps])
        return
    for start in range(0, len(pixels), block):
        part = pixels[start : start + block]
        yield len(part), see(part)


def _view(backbone: Backbone, size: tuple[int, int], tap: Tap) -> View:
    """What the map of a tap depends on: network, size, and all that rounds sums in another way."""
    facts = (backbone.origin.sha256, size, tap, BLOCK, NEIGHBOURS, EDITION, torch.get_num_threads(), *_makers())
    return View.of(facts, (tap.channels, -(-size[0] // tap.stride), -(-size[1] // tap.stride)))


@lru_cache
def _makers() -> tuple[str, ...]:
    """The versions of what computes maps, and the kind of CPU."""
    versions = [version("lookalike"), torch.__version__]
    with suppress(PackageNotFoundError):
        versions.append(version("onnxruntime"))
    return (*versions, platform.machine(), torch.backends.cpu.get_cpu_capability())


def _resized(pixels: Pixels | Selection, size: tuple[int, int]) -> Tensor:
    """(n, 3, *size) float32 from 0 to 255."""
    x = torch.from_numpy(pixels).float()
    if tuple(x.shape[2:]) != size:
        x = interpolate(x, size=size, mode="bilinear", align_corners=False, antialias=True)
    return x.expand(-1, 3, -1, -1)
