"""Differentiable augmentation (DiffAugment, Zhao et al. 2020): a random change of every image before D.

Without it D memorises a small training set. Real and generated images get the same kinds of change, in D's step and in
G's step. Gradients pass through the change to G. The images that G makes for the user are not changed.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from lookalike.base.errors import UsageError
from lookalike.base.ranks import ALONE, Ranks
from lookalike.base.words import percent
from lookalike.game.device import sent


@dataclass(frozen=True)
class DiffAugment:
    """Random brightness (only for three channels), then translation, then cutout. The defaults are the paper's.

    Parameters
    ----------
    brightness : float
        Largest value added to or subtracted from an image of three channels, in units of [-1, 1].
    translation : float
        Largest shift, as a share of height and width. Pixels that enter the image are 0, which is mid-grey.
    cutout : float
        Height and width of the rectangle that becomes 0, as a share of the image's.
    """

    brightness: float = 0.5
    translation: float = 0.125
    cutout: float = 0.5

    def __str__(self) -> str:
        return (
            f"moved by up to {percent(self.translation)}, a rectangle of {percent(self.cutout)} of the sides cut out, "
            f"in colour brightness changed by up to {self.brightness:g}"
        )

    def check(self, shape: tuple[int, ...]) -> None:
        """Raises UsageError unless `shape` is (C, H, W)."""
        if len(shape) != 3:
            raise UsageError(f"--diff-augment moves and cuts images; vectors of {shape[0]} entries have no places")

    def __call__(self, x: Tensor, random: torch.Generator, ranks: Ranks = ALONE) -> Tensor:
        """Changed images (N, C, H, W), float32, from images of the same shape; gradients pass through.

        Of several processes each draws for the images of all, and changes its own.
        """
        n, c, h, w = x.shape
        # `random` is on the CPU on every device: the draws, and their order, are the same everywhere
        if c == 3:
            light = ranks.own(n, lambda n: torch.rand(n, 1, 1, 1, generator=random))
            x = x + sent((light * 2 - 1) * self.brightness, x.device).to(x)
        most = (round(self.translation * side) for side in (h, w))
        down, right = (_ints(n, -one, one + 1, random, ranks) for one in most)
        return self._cut(self._moved(x, down, right), random, ranks)

    def _moved(self, x: Tensor, down: Tensor, right: Tensor) -> Tensor:
        """Shifted images: pixel (i, j) is the former (i - down, j - right), or 0 outside the image."""
        n, _, h, w = x.shape
        # a border of zeros: every index outside the image is clamped onto it
        rows = sent((torch.arange(1, h + 1) - down).clamp(0, h + 1), x.device)
        columns = sent((torch.arange(1, w + 1) - right).clamp(0, w + 1), x.device)
        each = torch.arange(n, device=x.device)[:, None, None]
        # channels go last, so that one index picks a whole pixel
        return pad(x, (1, 1, 1, 1)).permute(0, 2, 3, 1)[each, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)

    def _cut(self, x: Tensor, random: torch.Generator, ranks: Ranks) -> Tensor:
        """Images with zeros within a rectangle whose centre lies anywhere in the image."""
        n, _, h, w = x.shape
        rows, columns = (self._within(n, side, random, ranks) for side in (h, w))
        hidden = rows[:, None, :, None] & columns[:, None, None, :]
        return x.masked_fill(sent(hidden, x.device), 0.0)

    def _within(self, n: int, side: int, random: torch.Generator, ranks: Ranks) -> Tensor:
        """(n, side) bool: a random interval of length `cutout` times `side`."""
        length = round(self.cutout * side)
        # the centre is uniform over the side, so a part of the interval may lie outside
        first = _ints(n, 0, side + 1 - length % 2, random, ranks) - length // 2
        at = torch.arange(side)
        return (at >= first) & (at < first + length)


def _ints(n: int, low: int, high: int, random: torch.Generator, ranks: Ranks) -> Tensor:
    """(n, 1) int64, uniform from `low` to below `high`."""
    return ranks.own(n, lambda n: torch.randint(low, high, (n, 1), generator=random))
