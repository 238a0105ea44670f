"""Stand-ins for the unknown, made from known images: what a detector must flag, when nothing else is there to ask.

Of each image one stand-in is made. The blend of two images stands for another kind of thing. Small pieces that are cut
out and pasted elsewhere (after Li et al. 2021) stand for a defect on a known thing.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lookalike.base.arrays import Pixels
from lookalike.base.seeds import seed_of

StandIn = Callable[[Pixels, Pixels, np.random.Generator], Pixels]  # (image, another one, draw) -> (C, H, W) uint8
PIECES, PIECE_SIDE = 3, (0.02, 0.07)  # at most so many; sides as shares of the longer side


def blended(image: Pixels, other: Pixels, _draw: np.random.Generator) -> Pixels:
    """Half of the image and half of another one, everywhere."""
    return np.asarray((image.astype(np.uint16) + other + 1) // 2, np.uint8)


def pieced(image: Pixels, other: Pixels, draw: np.random.Generator) -> Pixels:
    """One to three small pieces of the image or of another one lie on it, half of them turned by a quarter."""
    longer = max(image.shape[1:])
    for _ in range(draw.integers(1, PIECES + 1)):
        h, w = (max(2, round(draw.uniform(*PIECE_SIDE) * longer)) for _ in "hw")
        image = _moved(image, (image, other)[draw.integers(2)], h, w, draw, turns=bool(draw.integers(2)))
    return image


STAND_INS: dict[str, StandIn] = {"blend": blended, "pieces": pieced}


def stand_ins(name: str, pixels: Pixels, seed: int) -> Pixels:
    """One stand-in of each image (N, C, H, W) uint8, N at least 2; the other image is another of them."""
    make, made = STAND_INS[name], np.empty_like(pixels)
    for number, image in enumerate(pixels):
        draw = np.random.default_rng(seed_of(seed, "stand-ins", name, number))
        other = (number + int(draw.integers(1, len(pixels)))) % len(pixels)
        made[number] = make(image, pixels[other], draw)
    return made


def _moved(onto: Pixels, source: Pixels, h: int, w: int, draw: np.random.Generator, *, turns: bool) -> Pixels:
    """A copy of `onto` with a part (h, w) of `source` at a random place."""
    height, width = onto.shape[1:]
    h, w = min(h, height, width), min(w, height, width)
    top, left = draw.integers(height - h + 1), draw.integers(width - w + 1)
    part = source[:, top : top + h, left : left + w]
    part = np.rot90(part, axes=(1, 2)) if turns else part
    h, w = part.shape[1:]
    made, top, left = onto.copy(), draw.integers(height - h + 1), draw.integers(width - w + 1)
    made[:, top : top + h, left : left + w] = part
    return made
