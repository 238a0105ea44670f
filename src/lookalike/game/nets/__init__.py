"""Networks: a `Net` builds G and the trunk of D for any number of channels, height and width.

Shapes are (C, H, W) for images and (F,) for vectors. D's trunk is a sequence of named stages. f(x) of the variation
score (vtgan-2021, eq. 4) is the output of one of them.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from typing import Protocol

import torch
from torch import Tensor, nn

from lookalike.base.errors import UsageError

Shape = tuple[int, ...]
Stages = list[tuple[str, nn.Module]]


class Net(Protocol):
    """A family of networks. `weak` returns a deliberately poor one (vtgan-2021, section 3.1.1)."""

    @property
    def name(self) -> str:
        """Its name for `--net`."""

    @property
    def feature_layer(self) -> str:
        """The stage of D that is f(x) of the variation score by default."""

    @property
    def initial_weights(self) -> str:
        """The distribution of the first weights, in words. V(x) depends on it."""

    @property
    def multiple(self) -> int:
        """The net works for heights and widths up to 64 px that are multiples of this."""

    @property
    def d_batch_norm(self) -> bool:
        """Whether D has batch norm, so that its answer to an image depends on the other images of a group."""

    def generator(self, shape: Shape, z_dim: int) -> nn.Module:
        """G: (N, z_dim) -> (N, *shape) float32, images in [-1, 1]. Raises UsageError for other shapes."""

    def trunk(self, shape: Shape) -> Stages:
        """The named stages of D's trunk: (N, *shape) -> (N, F)."""

    def weak(self) -> Net:
        """The network of the weak twin."""


def trunk(net: Net, shape: Shape) -> tuple[nn.Sequential, int]:
    """The net's stages as one module from (N, *shape) to (N, F), and F."""
    stages = nn.Sequential(OrderedDict(net.trunk(shape)))  # named, so that files and f(x) can name a stage
    # eval: batch norm must neither need two images nor learn from these zeros
    with torch.no_grad():
        features: int = stages.eval()(torch.zeros(1, *shape)).shape[1]
    return stages, features


def image_shape(shape: Shape, net: str) -> tuple[int, int, int]:
    """`shape` as (C, H, W). Raises UsageError for vectors."""
    if len(shape) != 3:
        raise UsageError(f"net {net} makes images (C, H, W), not vectors of {shape[0]} entries; use net mlp")
    return shape[0], shape[1], shape[2]


def divisible(shape: Shape, grain: int, net: str) -> tuple[int, int, int]:
    """`shape` as (C, H, W). Raises UsageError, with the next smaller size, unless H and W are multiples of `grain`."""
    c, h, w = image_shape(shape, net)
    if h % grain or w % grain:
        near = [max(grain, side // grain * grain) for side in (h, w)]  # down: a larger size could need one more level
        raise UsageError(
            f"net {net} makes heights and widths that are multiples of {grain}, not {h},{w}; "
            f"try --size {near[0]},{near[1]}"
        )
    return c, h, w


def halvings(h: int, w: int) -> int:
    """How often both sides can be halved: the factors of 2 that they share."""
    common = math.gcd(h, w)
    return (common & -common).bit_length() - 1  # the lowest set bit


def initialise(module: nn.Module, std: float | None) -> nn.Module:
    """Draws the weights of linear and (transposed) convolution layers: N(0, std), or Glorot-uniform if std is None.

    Biases become 0. The draws come from torch's global generator, which `GAN` seeds.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            if std is None:
                nn.init.xavier_uniform_(layer.weight)  # Glorot and Bengio 2010
            else:
                nn.init.normal_(layer.weight, 0.0, std)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return module


class Scaled(nn.Module):
    """The last layer of G: tanh for images, which are in [-1, 1]; the identity for vectors, which have no range."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, x: Tensor) -> Tensor:
        """(N, ...) -> (N, *shape)."""
        x = x.reshape(-1, *self.shape)
        return x.tanh() if len(self.shape) == 3 else x
