"""Differentiable augmentation (Zhao et al. 2020): D never sees an image as it is, so it cannot learn few by heart.

Real and generated images go through the same random changes, in D's step and in G's; gradients pass through them to G,
whose own images stay unchanged.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from lookalike.base.errors import UsageError


@dataclass(frozen=True)
class DiffAugment:
    """Brightness where there are three channels, then translation, then cutout; the defaults are the paper's.

    Parameters
    ----------
    brightness : float
        What is added to an image of three channels, at most, up or down.
    translation : float
        Share of height and width that an image is moved by, at most; what comes in is 0, mid-grey.
    cutout : float
        Share of height and width of the rectangle that becomes 0.
    """

    brightness: float = 0.5
    translation: float = 0.125
    cutout: float = 0.5

    def __str__(self) -> str:
        return (
            f"moved by up to {self.translation:.0%}, a rectangle of {self.cutout:.0%} of the sides cut out, in colour "
            f"brightness changed by up to {self.brightness:g}"
        )

    def check(self, shape: tuple[int, ...]) -> None:
        """Raises UsageError for what is no image."""
        if len(shape) != 3:
            raise UsageError(f"--diff-augment moves and cuts images; vectors of {shape[0]} entries have no places")

    def __call__(self, x: Tensor, random: torch.Generator) -> Tensor:
        """(N, C, H, W) float32, each image changed in its own way; gradients pass."""
        n, c, h, w = x.shape
        if c == 3:
            x = x + ((torch.rand(n, 1, 1, 1, generator=random) * 2 - 1) * self.brightness).to(x)
        return self._cut(self._moved(x, _ints(n, round(self.translation * h), random),
                                     _ints(n, round(self.translation * w), random)), random)  # fmt: skip

    def _moved(self, x: Tensor, down: Tensor, right: Tensor) -> Tensor:
        """Pixel (i, j) becomes that of (i - down, j - right), or 0 where there was none."""
        n, _, h, w = x.shape
        # one more row and column on each side holds the zeros
        rows = (torch.arange(1, h + 1) - down).clamp(0, h + 1).to(x.device)
        columns = (torch.arange(1, w + 1) - right).clamp(0, w + 1).to(x.device)
        each = torch.arange(n, device=x.device)[:, None, None]
        return pad(x, (1, 1, 1, 1)).permute(0, 2, 3, 1)[each, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)

    def _cut(self, x: Tensor, random: torch.Generator) -> Tensor:
        """0 within a rectangle whose centre lies anywhere in the image."""
        n, _, h, w = x.shape
        rows, columns = (self._within(n, side, random) for side in (h, w))
        hidden = rows[:, None, :, None] & columns[:, None, None, :]
        return x.masked_fill(hidden.to(x.device), 0.0)

    def _within(self, n: int, side: int, random: torch.Generator) -> Tensor:
        """(n, side) bool: where a stretch of `cutout` of the side lies."""
        length = round(self.cutout * side)
        first = torch.randint(side + 1 - length % 2, (n, 1), generator=random) - length // 2
        at = torch.arange(side)
        return (at >= first) & (at < first + length)


def _ints(n: int, most: int, random: torch.Generator) -> Tensor:
    """(n, 1) whole numbers from -most to most."""
    return torch.randint(-most, most + 1, (n, 1), generator=random)
