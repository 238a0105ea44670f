"""Fully connected networks, for vectors and for very small images."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from torch import nn

from lookalike.game.nets import Scaled, Shape, Stages, initialise


@dataclass(frozen=True)
class Mlp:
    """Hidden layers of equal width; G ends in tanh for images and is linear for vectors.

    Parameters
    ----------
    width : int
        Entries of each hidden layer.
    layers : int
        Hidden layers in G and in D.
    """

    width: int = 512
    layers: int = 3
    name = "mlp"
    feature_layer = "layer1"
    initial_weights = "Glorot-uniform, biases 0"
    multiple = 1
    d_batch_norm = False

    def __str__(self) -> str:
        return f"mlp: {self.layers} hidden layer(s) of {self.width}"

    def generator(self, shape: Shape, z_dim: int) -> nn.Module:
        """(N, z_dim) -> (N, *shape)."""
        parts: list[nn.Module] = []
        for i in range(self.layers):
            parts += [nn.Linear(self.width if i else z_dim, self.width), nn.BatchNorm1d(self.width), nn.ReLU()]
        return initialise(nn.Sequential(*parts, nn.Linear(self.width, math.prod(shape)), Scaled(shape)), None)

    def trunk(self, shape: Shape) -> Stages:
        """layer1, layer2, ...: the last one's output are the features."""
        stages: Stages = [("flatten", nn.Flatten())]
        entries = math.prod(shape)
        for i in range(self.layers):
            layer = initialise(nn.Sequential(nn.Linear(entries, self.width), nn.LeakyReLU(0.2)), None)
            stages.append((f"layer{i + 1}", layer))
            entries = self.width
        return stages

    def weak(self) -> Mlp:
        """One narrow hidden layer."""
        return replace(self, layers=1, width=max(8, self.width // 8))
