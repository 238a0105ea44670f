"""Residual networks of auto-gan: half the channels where the sides are twice as long, so that every size costs alike.

G has a dense layer to a small map, 4 x 4 for most sizes. Blocks double its sides; then batch norm, a convolution and
tanh follow. D's blocks halve the sides down to that map. One more block and the sum over the map follow. A block that
changes the sides has one 3 x 3 convolution. D has no batch norm. Channels by size are BigGAN's idea (Brock et al. 2019,
appendix B); ours were chosen by the quality of images after equal minutes on a laptop.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import pairwise

from torch import nn

from lookalike.game.nets import Shape, Stages, divisible, halvings
from lookalike.game.nets.residual import Residual, convolution, inner
from lookalike.game.nets.resnet import Pool

SEED = 4  # about the side of the smallest map
WIDEST = 8  # the side of the largest map that has all channels
LEAST = 8  # channels of the largest maps
GRAIN = 4


@dataclass(frozen=True)
class Pyramid:
    """Networks whose channels fall as the maps grow, for images of any size.

    Parameters
    ----------
    width : int
        Channels of maps up to about 8 x 8. Each doubling of the sides from there on halves them, but not below 8.
    """

    width: int = 512
    name = "pyramid"
    feature_layer = "block1"
    initial_weights = "Glorot-uniform, sqrt(2) times it within blocks, biases 0"
    multiple = GRAIN
    d_batch_norm = False

    def __str__(self) -> str:
        return f"pyramid, width {self.width}: all channels up to {WIDEST} x {WIDEST}, half at each doubling from there"

    def generator(self, shape: Shape, z_dim: int) -> nn.Module:
        """G: (N, z_dim) -> (N, C, H, W) float32 in [-1, 1]."""
        c, h, w = divisible(shape, GRAIN, self.name)
        levels = _levels(h, w)
        channels = [self._channels(max(h, w) >> level) for level in range(levels + 1)]  # that of the image first
        first = nn.Linear(z_dim, channels[-1] * (h >> levels) * (w >> levels))
        nn.init.xavier_uniform_(first.weight)
        nn.init.zeros_(first.bias)
        blocks = [_up(into, out) for out, into in reversed(list(pairwise(channels)))]
        out = nn.Sequential(nn.BatchNorm2d(channels[0]), nn.ReLU(), convolution(channels[0], c, 3, 1.0), nn.Tanh())
        # nested, so that the last norm stays unconditional, as that of `Resnet`
        return nn.Sequential(first, nn.Unflatten(1, (channels[-1], h >> levels, w >> levels)), *blocks, out)

    def trunk(self, shape: Shape) -> Stages:
        """D's stages block1, block2, ... and features: (N, C, H, W) -> (N, width)."""
        c, h, w = divisible(shape, GRAIN, self.name)
        stages: Stages = []
        for level in range(_levels(h, w)):
            out = self._channels(max(h, w) >> (level + 1))
            stages.append((f"block{level + 1}", _down(c, out, first=level == 0)))
            c = out
        last = nn.Sequential(nn.ReLU(), inner(c, c), nn.ReLU(), inner(c, c))
        stages.append((f"block{len(stages) + 1}", Residual(last, nn.Identity())))
        return [*stages, ("features", nn.Sequential(nn.ReLU(), Pool("sum")))]

    def weak(self) -> Pyramid:
        """The same with a quarter of the width."""
        return replace(self, width=max(2, self.width // 4))

    def _channels(self, side: int) -> int:
        """Channels of a map whose longer side is this."""
        narrower = max(0, round(math.log2(side / WIDEST)))
        return max(min(LEAST, self.width), self.width >> narrower)


def _levels(h: int, w: int) -> int:
    """How often the sides are halved: down to about `SEED`, and as often as both can be."""
    return min(halvings(h, w), max(1, round(math.log2(max(h, w) / SEED))))


def _up(into: int, out: int) -> Residual:
    """A block of G: (N, into, H, W) -> (N, out, 2H, 2W)."""
    main = nn.Sequential(nn.BatchNorm2d(into), nn.ReLU(), nn.Upsample(scale_factor=2), inner(into, out))
    return Residual(main, nn.Sequential(convolution(into, out, 1, 1.0), nn.Upsample(scale_factor=2)))


def _down(into: int, out: int, *, first: bool) -> Residual:
    """A block of D: (N, into, H, W) -> (N, out, H / 2, W / 2). The `first` one has no ReLU on the image."""
    main = [nn.ReLU(), inner(into, out), nn.AvgPool2d(2)][first:]
    return Residual(nn.Sequential(*main), nn.Sequential(nn.AvgPool2d(2), convolution(into, out, 1, 1.0)))
