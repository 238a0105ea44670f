"""What the usual ways do to a batch of training images: affine transformations, and MixUp."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample, one_hot

from lookalike.data import scaled

BATCH = 64


class Transform(Protocol):
    """Images (N, C, H, W) in [-1, 1] and their shares of each class (N, K) -> the same of changed images."""

    def __call__(self, x: Tensor, y: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Changed images and shares."""


@dataclass(frozen=True)
class Affine:
    """Each image is turned, sheared, zoomed, shifted and mirrored by chance (gan-augmentation-2020, section IV.A).

    The values are those of the authors' code for Fashion-MNIST, but for `black`.

    Parameters
    ----------
    rotation : float
        Degrees at most, either way.
    shift : float
        Share of height and width at most.
    shear : float
        Degrees at most.
    zoom : float
        Change of scale at most: 0.1 is 0.9 to 1.1.
    flip : bool
        Half of the images are mirrored left to right.
    flip_down : bool
        Half of the images are mirrored top to bottom.
    black : bool
        What comes in from outside is black; otherwise it repeats the border.
    """

    rotation: float = 10.0
    shift: float = 0.1
    shear: float = 0.3
    zoom: float = 0.1
    flip: bool = False
    flip_down: bool = False
    black: bool = False

    def __str__(self) -> str:
        values = (self.rotation, self.shift, self.shear, self.zoom)
        said = {"flip": self.flip, "flip-down": self.flip_down, "black": self.black}
        return ",".join([*(f"{v:g}" for v in values), *(name for name, there in said.items() if there)])

    def __call__(self, x: Tensor, y: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """One transformation per image; classes stay."""
        n, (h, w) = len(x), x.shape[2:]
        turn, shear, zoom_x, zoom_y, left, up, mirror, fall = (
            torch.rand(8, n, generator=generator, dtype=torch.float64) * 2 - 1
        )
        turn, shear = turn * math.radians(self.rotation), shear * math.radians(self.shear)
        zoom_x, zoom_y = 1 + self.zoom * zoom_x, 1 + self.zoom * zoom_y
        if self.flip:
            zoom_x = zoom_x * mirror.sign()
        if self.flip_down:
            zoom_y = zoom_y * fall.sign()
        ratio = h / w  # coordinates run from -1 to 1 along both sides: pixels need not be square there
        cos, sin, cos_s, sin_s = turn.cos(), turn.sin(), (turn + shear).cos(), (turn + shear).sin()
        rows = [
            torch.stack([cos * zoom_x, -sin_s * zoom_y * ratio, 2 * self.shift * left], 1),
            torch.stack([sin * zoom_x / ratio, cos_s * zoom_y, 2 * self.shift * up], 1),
        ]
        grid = affine_grid(torch.stack(rows, 1).to(x.dtype), list(x.shape), align_corners=False)
        if self.black:  # outside there are zeros, and black is -1
            return grid_sample(x + 1, grid, align_corners=False) - 1, y
        return grid_sample(x, grid, padding_mode="border", align_corners=False), y


@dataclass(frozen=True)
class MixUp:
    """Each image is mixed with another one, and so are their classes (Zhang et al. 2018).

    Parameters
    ----------
    alpha : float
        The parameter of Beta(alpha, alpha), which gives one weight per batch.
    """

    alpha: float = 0.2

    def __call__(self, x: Tensor, y: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """lambda x_i + (1 - lambda) x_j, and the same of y."""
        seed = int(torch.randint(2**62, (1,), generator=generator))  # torch draws no Beta from a generator
        lam = np.random.default_rng(seed).beta(self.alpha, self.alpha)
        other = torch.randperm(len(x), generator=generator)
        return lam * x + (1 - lam) * x[other], lam * y + (1 - lam) * y[other]


def one_pass(
    x: Tensor, y: Tensor, classes: int, transform: Transform | None, generator: torch.Generator
) -> Iterator[tuple[Tensor, Tensor]]:
    """Each image once, in a random order: batches of images in [-1, 1] and their shares of each class (n, K).

    Parameters
    ----------
    x, y : Tensor
        Images (N, C, H, W) uint8, and their classes (N,), 0 to K - 1.
    classes : int
        K.
    transform : Transform or None
        What each batch goes through.
    generator : Generator
        Of the order, and of what the transformation draws.
    """
    for rows in torch.randperm(len(x), generator=generator).split(BATCH):
        images, shares = torch.from_numpy(scaled(x[rows].numpy())), one_hot(y[rows], classes).float()
        yield (images, shares) if transform is None else transform(images, shares, generator)
