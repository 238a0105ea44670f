"""Networks: a `Net` builds G and D for an image shape; channels, height and width are arguments.

Shapes are (C, H, W) for images and (F,) for vectors. D's trunk is a sequence of named stages, so that f(x) of the
variation score can be any of them.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Protocol

import torch
from torch import Tensor, nn

from lookalike.base.errors import UsageError

Shape = tuple[int, ...]
Stages = list[tuple[str, nn.Module]]


class Net(Protocol):
    """A family of networks; `weak` is the family's deliberately poor member (vtgan-2021, section 3.1.1)."""

    @property
    def name(self) -> str:
        """What `--net` calls it."""

    @property
    def feature_layer(self) -> str:
        """The trunk stage that f(x) of the variation score reads unless told otherwise."""

    @property
    def initial_weights(self) -> str:
        """How weights begin, in words: V(x) depends on it."""

    @property
    def multiple(self) -> int:
        """Heights and widths that are multiples of this, up to 64 px, can be made."""

    @property
    def d_batch_norm(self) -> bool:
        """Whether D has batch norm, so that its answer to an image depends on the others."""

    def generator(self, shape: Shape, z_dim: int) -> nn.Module:
        """(N, z_dim) -> (N, *shape); raises UsageError for a shape it cannot make."""

    def trunk(self, shape: Shape) -> Stages:
        """D's stages: (N, *shape) -> (N, F)."""

    def weak(self) -> Net:
        """The weak twin's network."""


def trunk(net: Net, shape: Shape) -> tuple[nn.Sequential, int]:
    """The net's stages as one module that takes (N, *shape), and how many features it gives."""
    stages = nn.Sequential(OrderedDict(net.trunk(shape)))
    with torch.no_grad():
        features: int = stages.eval()(torch.zeros(1, *shape)).shape[1]
    return stages, features


def image_shape(shape: Shape, net: str) -> tuple[int, int, int]:
    """`shape` as (C, H, W); UsageError for vectors."""
    if len(shape) != 3:
        raise UsageError(f"net {net} makes images (C, H, W), not vectors of {shape[0]} entries; use net mlp")
    return shape[0], shape[1], shape[2]


def divisible(shape: Shape, grain: int, net: str) -> tuple[int, int, int]:
    """(C, H, W) whose sides are multiples of `grain`; UsageError names the next smaller sizes there are."""
    c, h, w = image_shape(shape, net)
    if h % grain or w % grain:
        near = [max(grain, side // grain * grain) for side in (h, w)]  # rounding up could add a level
        raise UsageError(
            f"net {net} makes heights and widths that are multiples of {grain}, not {h},{w}; "
            f"try --size {near[0]},{near[1]}"
        )
    return c, h, w


def initialise(module: nn.Module, std: float | None) -> nn.Module:
    """Weights of all linear and (transposed) convolution layers: N(0, std), or Glorot-uniform for None; biases 0."""
    for layer in module.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            if std is None:
                nn.init.xavier_uniform_(layer.weight)
            else:
                nn.init.normal_(layer.weight, 0.0, std)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return module


class Scaled(nn.Module):
    """tanh for images, which lie in [-1, 1]; the identity for vectors, which may lie anywhere."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, x: Tensor) -> Tensor:
        """(N, ...) -> (N, *shape)."""
        x = x.reshape(-1, *self.shape)
        return x.tanh() if len(self.shape) == 3 else x
