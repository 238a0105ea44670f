"""A class beside an image: a learnt vector of the class as one more channel (gan-augmentation-2020, section 2.2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def beside_shape(shape: tuple[int, ...], size: int) -> tuple[int, ...]:
    """Shape of an image beside its class's map, or of a vector beside its class's of `size` entries."""
    return (shape[0] + 1, *shape[1:]) if len(shape) == 3 else (shape[0] + size,)


def class_map(size: int, shape: tuple[int, ...]) -> nn.Module:
    """A class's vector (N, size) -> one channel (N, 1, H, W)."""
    return nn.Sequential(nn.Linear(size, shape[1] * shape[2]), nn.Unflatten(1, (1, *shape[1:])))


def beside(layers: nn.Module, x: Tensor, y: Tensor | None) -> Tensor:
    """x (N, *shape) and what `layers` ("vector" and, for images, "map") make of its class y (N,)."""
    assert isinstance(layers, nn.ModuleDict)
    told = layers["vector"](y)
    return torch.cat([x, layers["map"](told) if x.ndim == 4 else told], 1)
