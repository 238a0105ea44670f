"""Generated images beside the real images that are most like them, so that a person sees copies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.spatial.distance import cdist

from lookalike.base.arrays import Floats, Labels, Pixels
from lookalike.data import Images, scaled
from lookalike.runs.samples import grid, png

SHOWN = 16  # generated images
BESIDE = 3  # real images beside each
SIDE = 64  # pixels that an image in the picture has at least
BLOCK = 1024  # real images whose features are in memory at one time


@dataclass(frozen=True)
class Nearest:
    """Generated images with their nearest real ones; the image that is nearest to a real one comes first.

    Attributes
    ----------
    rows : tuple of dict
        Of each image its name, the names of the real images from near to far, and their distances.
    of : int
        Number of real images that were compared.
    picture : bytes
        A PNG with a row for each image: the generated one, then the real ones.
    """

    rows: tuple[dict[str, Any], ...]
    of: int
    picture: bytes

    def json(self) -> dict[str, Any]:
        """Return all but the picture as JSON values."""
        return {"real": self.of, "images": list(self.rows)}


def nearest(made: Images, real: Images, features: Callable[[Pixels], Floats], seed: int) -> Nearest:
    """Return 16 of the generated images, drawn with `seed`, with the 3 real images nearest to each.

    Parameters
    ----------
    made, real : Images
        Images of one shape (C, H, W), 16 and 3 at least. A copy is found where `real` holds the training images.
    features
        From images (N, C, H, W) uint8 to features (N, D), whose Euclidean distance counts.
    seed : int
        Seed of the draw.
    """
    drawn = np.random.default_rng(seed).permutation(len(made))[:SHOWN]
    far, rows = _neighbours(features(made.pixels[drawn]), real.pixels, features)
    order = np.argsort(far[:, 0], kind="stable")
    drawn, far, rows = drawn[order], far[order], rows[order]
    beside = np.concatenate([made.pixels[drawn][:, None], real.pixels[rows]], 1)
    times = max(1, SIDE // max(made.shape[1:]))
    beside = beside.repeat(times, 3).repeat(times, 4)
    x = torch.from_numpy(np.ascontiguousarray(scaled(beside.reshape(-1, *beside.shape[2:]))))
    found = tuple(
        {"image": made.names[i], "real": [real.names[j] for j in mine], "distances": away.tolist()}
        for i, mine, away in zip(drawn, rows, far, strict=True)
    )
    return Nearest(found, len(real), png(grid(x, 1 + BESIDE)))


def _neighbours(one: Floats, real: Pixels, features: Callable[[Pixels], Floats]) -> tuple[Floats, Labels]:
    """Return the distances (N, 3) of features (N, D) to the nearest real images, and the rows (N, 3) of these."""
    far, rows = np.zeros((len(one), 0)), np.zeros((len(one), 0), np.int64)
    for start in range(0, len(real), BLOCK):
        block = cdist(one, features(real[start : start + BLOCK]))
        numbers = np.broadcast_to(np.arange(start, start + block.shape[1]), block.shape)
        far, rows = np.concatenate([far, block], 1), np.concatenate([rows, numbers], 1)
        best = np.argsort(far, axis=1, kind="stable")[:, :BESIDE]
        far, rows = np.take_along_axis(far, best, 1), np.take_along_axis(rows, best, 1)
    return far, rows
