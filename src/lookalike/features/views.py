"""Images as a frozen network sees them at some size: local maps of some taps, block by block."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from lookalike.base.arrays import Pixels
from lookalike.data.images import Selection
from lookalike.features.backbone import Backbone, Tap

# Blocks of other sizes give other bits. One image costs as much as a block, so a network sees few images at once. Of
# small ones it sees more, because it takes up to twice as long for each of four as for each of 16.
FEW, SMALL = 16, 2**15  # images; pixels of an image that is small
PIXELS = 2**17  # of a block of larger images
SMALLER = 5 / 7  # the second size at which an image is seen where maps are averaged: 160 beside 224 pixels
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


def block_size(backbone: Backbone, shape: tuple[int, ...], side: int) -> int:
    """How many images (C, H, W) a network sees at once: 16 where it sees 128 x 128 pixels or less, 2 of 224 x 224."""
    pixels = math.prod(seen_size(backbone, shape, side))
    return min(FEW, 2 * PIXELS // pixels) if pixels <= SMALL else max(1, PIXELS // pixels)


def maps(
    backbone: Backbone, pixels: Pixels | Selection, side: int, taps: Sequence[Tap], *, mirrored: bool = False,
    block: int | None = None,
) -> Iterator[tuple[int, list[Tensor]]]:  # fmt: skip
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
    mirrored : bool
        Whether it sees mirror images.
    block : int, optional
        Images of a block; without, `block_size`.
    """
    size, block = seen_size(backbone, pixels.shape[1:], side), block or block_size(backbone, pixels.shape[1:], side)
    for start in range(0, len(pixels), block):
        read = np.asarray(pixels[start : start + block])
        x = _resized(np.ascontiguousarray(read[..., ::-1] if mirrored else read), size)
        n = len(x)
        x = torch.cat([x, x.new_zeros(block - n, *x.shape[1:])])
        found = backbone.maps(x, taps)
        yield n, [avg_pool2d(m, NEIGHBOURS, 1, NEIGHBOURS // 2, count_include_pad=False) for m in found]


def averaged(
    backbone: Backbone, pixels: Pixels | Selection, side: int, taps: Sequence[Tap]
) -> Iterator[tuple[int, list[Tensor]]]:
    """As `maps`, each the mean over an image and its mirror image, at `side` and at `SMALLER` of it.

    Maps of the smaller size are brought to the grid of the larger, and those of mirror images turned back.
    """
    block = block_size(backbone, pixels.shape[1:], side)
    sizes = {seen_size(backbone, pixels.shape[1:], one): one for one in (side, round(SMALLER * side))}  # or one alone
    views = [(one, mirrored) for one in sizes.values() for mirrored in (False, True)]
    every = [maps(backbone, pixels, one, taps, mirrored=mirrored, block=block) for one, mirrored in views]
    for parts in zip(*every, strict=True):
        n, like = parts[0]
        turned = [
            [_on_grid(m.flip(3) if mirrored else m, of.shape[2:]) for m, of in zip(found, like, strict=True)]
            for (_, mirrored), (_, found) in zip(views, parts, strict=True)
        ]
        yield n, [torch.stack(same).mean(0) for same in zip(*turned, strict=True)]


def _on_grid(maps: Tensor, grid: torch.Size) -> Tensor:
    """(n, C, *grid) float32."""
    return maps if maps.shape[2:] == grid else interpolate(maps, size=grid, mode="bilinear", align_corners=False)


def _resized(pixels: Pixels | Selection, size: tuple[int, int]) -> Tensor:
    """(n, 3, *size) float32 from 0 to 255."""
    x = torch.from_numpy(pixels).float()
    if tuple(x.shape[2:]) != size:
        x = interpolate(x, size=size, mode="bilinear", align_corners=False, antialias=True)
    return x.expand(-1, 3, -1, -1)
