"""Residual networks of splitting-gan-2017 and kplus1-2020, after WGAN-GP's and SN-GAN's for CIFAR-10.

G has a dense layer to a small map, 4 x 4 for 32 px and 6 x 6 for 48 px. Blocks double its sides. Then batch norm, a
convolution and tanh follow. D has two blocks that halve the sides and two that do not, then the mean or sum over the
map. D has no batch norm.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

from torch import Tensor, nn

from lookalike.game.nets import Shape, Stages, divisible, halvings
from lookalike.game.nets.residual import Residual, convolution, inner

SIDE = 6  # largest side of G's first map, if the image's sides can be halved so often
GRAIN = 4  # D halves the sides twice
BLOCKS = 4  # number of D's blocks


@dataclass(frozen=True)
class Resnet:
    """Networks of residual blocks of equal width (splitting-gan-2017, section 4; kplus1-2020, section 3.1).

    Parameters
    ----------
    width : int
        Channels of every block in G and D: 128 in ResNet-A of splitting-gan-2017, 256 in its ResNet-B.
    pool : "mean" or "sum"
        How D's last map becomes features: the mean as in WGAN-GP, or the sum as in SN-GAN. Means are small, and weights
        of norm 1 on them could not separate classes.
    """

    width: int = 128
    pool: Literal["mean", "sum"] = "mean"
    name = "resnet"
    feature_layer = "block2"
    initial_weights = "Glorot-uniform, sqrt(2) times it within blocks, biases 0"
    multiple = GRAIN
    d_batch_norm = False

    def __str__(self) -> str:
        return f"resnet, width {self.width}: G of blocks that double the sides, D of {BLOCKS}, features by {self.pool}"

    def generator(self, shape: Shape, z_dim: int) -> nn.Module:
        """G: (N, z_dim) -> (N, C, H, W) float32 in [-1, 1]."""
        c, h, w = divisible(shape, GRAIN, "resnet")
        # as many doublings as bring the longer side to `SIDE`, but no more than both sides can be halved
        blocks = min(max(1, math.ceil(math.log2(max(h, w) / SIDE))), halvings(h, w))
        seed = (self.width, h >> blocks, w >> blocks)
        parts: list[nn.Module] = [nn.Linear(z_dim, math.prod(seed)), nn.Unflatten(1, seed)]
        parts += [_up(self.width) for _ in range(blocks)]
        out = nn.Sequential(nn.BatchNorm2d(self.width), nn.ReLU(), convolution(self.width, c, 3, 1.0), nn.Tanh())
        nn.init.xavier_uniform_(parts[0].weight)  # type: ignore[arg-type]
        nn.init.zeros_(parts[0].bias)  # type: ignore[arg-type]
        return nn.Sequential(*parts, out)  # nested, so that the last norm stays unconditional, as in the authors' code

    def trunk(self, shape: Shape) -> Stages:
        """D's stages block1 to block4 and features: (N, C, H, W) -> (N, width)."""
        c, _, _ = divisible(shape, GRAIN, "resnet")
        return [
            ("block1", _down(c, self.width, first=True)),
            ("block2", _down(self.width, self.width)),
            *[(f"block{i}", Residual(_pair(self.width, self.width), nn.Identity())) for i in (3, BLOCKS)],
            ("features", nn.Sequential(nn.ReLU(), Pool(self.pool))),
        ]

    def weak(self) -> Resnet:
        """The same with a quarter of the width."""
        return replace(self, width=max(2, self.width // 4))


class Pool(nn.Module):
    """The mean or the sum over H and W: (N, C, H, W) -> (N, C)."""

    def __init__(self, how: Literal["mean", "sum"]) -> None:
        super().__init__()
        self.how = how

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C)."""
        return x.mean((2, 3)) if self.how == "mean" else x.sum((2, 3))


def _up(width: int) -> Residual:
    """A block of G: (N, C, H, W) -> (N, C, 2H, 2W)."""
    norms = [nn.BatchNorm2d(width), nn.ReLU()], [nn.BatchNorm2d(width), nn.ReLU()]
    main = nn.Sequential(*norms[0], nn.Upsample(scale_factor=2), inner(width, width), *norms[1], inner(width, width))
    return Residual(main, nn.Sequential(convolution(width, width, 1, 1.0), nn.Upsample(scale_factor=2)))


def _pair(into: int, out: int) -> nn.Sequential:
    """Two 3 x 3 convolutions, each after a ReLU."""
    return nn.Sequential(nn.ReLU(), inner(into, out), nn.ReLU(), inner(out, out))


def _down(into: int, out: int, *, first: bool = False) -> Residual:
    """A block of D that halves the sides. The `first` one has no ReLU on the image, which would cut its dark half."""
    main = list(_pair(into, out).children())[first:]
    shortcut = [
        nn.AvgPool2d(2),
        convolution(into, out, 1, 1.0),
    ]  # pooling commutes with 1 x 1 convolutions, and is cheaper first
    return Residual(nn.Sequential(*main, nn.AvgPool2d(2)), nn.Sequential(*shortcut))
