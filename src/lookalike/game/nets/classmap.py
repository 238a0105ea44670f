"""The class as one more channel of an image, from a learnt vector (gan-augmentation-2020, section IV.B.1)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def beside_shape(shape: tuple[int, ...], size: int) -> tuple[int, ...]:
    """The shape with one more channel for images, or with `size` more entries for vectors."""
    return (shape[0] + 1, *shape[1:]) if len(shape) == 3 else (shape[0] + size,)


def class_map(size: int, shape: tuple[int, ...]) -> nn.Module:
    """A linear layer from the class's vector (N, size) to one channel (N, 1, H, W)."""
    return nn.Sequential(nn.Linear(size, shape[1] * shape[2]), nn.Unflatten(1, (1, *shape[1:])))


def beside(layers: nn.Module, x: Tensor, y: Tensor | None) -> Tensor:
    """x (N, *shape) with its class y (N,) as one more channel or as more entries.

    `layers` has "vector", an embedding, and for images "map", the result of `class_map`.
    """
    assert isinstance(layers, nn.ModuleDict)
    vector = layers["vector"](y)
    # one channel, like one more colour, lets each convolution read the class at every place
    return torch.cat([x, layers["map"](vector) if x.ndim == 4 else vector], 1)
