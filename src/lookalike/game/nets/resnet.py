"""Residual networks of splitting-gan-2017 and kplus1-2020, after WGAN-GP's and SN-GAN's for CIFAR-10.

G: a dense layer to a small map (4 x 4 for 32 px, 6 x 6 for 48 px), blocks that double its sides, batch norm,
convolution, tanh. D: two blocks that halve the sides, two that do not, the mean or sum of what is left; no batch norm.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

from torch import Tensor, nn

from lookalike.game.nets import Shape, Stages, divisible
from lookalike.game.nets.residual import Residual

SIDE = 6  # of G's first map, at most where the sides can be halved so often
GRAIN = 4  # D halves the sides twice
BLOCKS = 4  # of D


@dataclass(frozen=True)
class Resnet:
    """Residual blocks of equal width.

    Parameters
    ----------
    width : int
        Channels of every block in G and D: splitting-gan-2017's ResNet-A has 128, its ResNet-B 256.
    pool : "mean" or "sum"
        D's features over what is left of the image: WGAN-GP's mean, or SN-GAN's sum, without which weights of norm 1
        could not tell classes apart.
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
        """(N, z_dim) -> (N, C, H, W) in [-1, 1]."""
        c, h, w = divisible(shape, GRAIN, "resnet")
        blocks = min(max(1, math.ceil(math.log2(max(h, w) / SIDE))), _halvings(math.gcd(h, w)))
        seed = (self.width, h >> blocks, w >> blocks)
        parts: list[nn.Module] = [nn.Linear(z_dim, math.prod(seed)), nn.Unflatten(1, seed)]
        parts += [_up(self.width) for _ in range(blocks)]
        out = nn.Sequential(nn.BatchNorm2d(self.width), nn.ReLU(), _convolution(self.width, c, 3, 1.0), nn.Tanh())
        nn.init.xavier_uniform_(parts[0].weight)  # type: ignore[arg-type]
        nn.init.zeros_(parts[0].bias)  # type: ignore[arg-type]
        return nn.Sequential(*parts, out)  # the last norm stays the same for all classes

    def trunk(self, shape: Shape) -> Stages:
        """block1 to block4 and features."""
        c, _, _ = divisible(shape, GRAIN, "resnet")
        return [
            ("block1", _down(c, self.width, first=True)),
            ("block2", _down(self.width, self.width)),
            *[(f"block{i}", Residual(_pair(self.width, self.width), nn.Identity())) for i in (3, BLOCKS)],
            ("features", nn.Sequential(nn.ReLU(), Pool(self.pool))),
        ]

    def weak(self) -> Resnet:
        """A quarter of the width."""
        return replace(self, width=max(2, self.width // 4))


class Pool(nn.Module):
    """(N, C, H, W) -> (N, C), the mean or the sum over H and W."""

    def __init__(self, how: Literal["mean", "sum"]) -> None:
        super().__init__()
        self.how = how

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C)."""
        return x.mean((2, 3)) if self.how == "mean" else x.sum((2, 3))


def _halvings(side: int) -> int:
    """How often a side can be halved: the twos in it."""
    return (side & -side).bit_length() - 1


def _convolution(into: int, out: int, kernel: int, gain: float) -> nn.Conv2d:
    layer = nn.Conv2d(into, out, kernel, padding=kernel // 2)
    nn.init.xavier_uniform_(layer.weight, gain)
    assert layer.bias is not None, "it has one"
    nn.init.zeros_(layer.bias)
    return layer


def _inner(into: int, out: int) -> nn.Conv2d:
    return _convolution(into, out, 3, math.sqrt(2))


def _up(width: int) -> Residual:
    """G's block: twice the sides."""
    norms = [nn.BatchNorm2d(width), nn.ReLU()], [nn.BatchNorm2d(width), nn.ReLU()]
    main = nn.Sequential(*norms[0], nn.Upsample(scale_factor=2), _inner(width, width), *norms[1], _inner(width, width))
    return Residual(main, nn.Sequential(_convolution(width, width, 1, 1.0), nn.Upsample(scale_factor=2)))


def _pair(into: int, out: int) -> nn.Sequential:
    """Two convolutions, each behind its ReLU."""
    return nn.Sequential(nn.ReLU(), _inner(into, out), nn.ReLU(), _inner(out, out))


def _down(into: int, out: int, *, first: bool = False) -> Residual:
    """D's block: half the sides; the image itself goes through no ReLU."""
    main = list(_pair(into, out).children())[first:]
    shortcut = [nn.AvgPool2d(2), _convolution(into, out, 1, 1.0)]  # pooling first gives the same, cheaper
    return Residual(nn.Sequential(*main, nn.AvgPool2d(2)), nn.Sequential(*shortcut))
