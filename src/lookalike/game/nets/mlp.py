"""Fully connected networks, for vectors and for very small images."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from torch import nn

from lookalike.game.nets import Scaled, Shape, Stages, initialise


@dataclass(frozen=True)
class Mlp:
    """Hidden layers of equal width. The last layer of G is tanh for images and linear for vectors.

    Parameters
    ----------
    width : int
        Entries of each hidden layer.
    layers : int
        Number of hidden layers in G and in D.
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
        """G: (N, z_dim) -> (N, *shape) float32."""
        parts: list[nn.Module] = []
        for i in range(self.layers):
            # batch norm in G alone, as in anogan
            parts += [nn.Linear(self.width if i else z_dim, self.width), nn.BatchNorm1d(self.width), nn.ReLU()]
        return initialise(nn.Sequential(*parts, nn.Linear(self.width, math.prod(shape)), Scaled(shape)), None)

    def trunk(self, shape: Shape) -> Stages:
        """D's stages flatten, layer1, layer2, ...: (N, *shape) -> (N, width)."""
        # no batch norm in D, so that an image's realness does not depend on the others
        stages: Stages = [("flatten", nn.Flatten())]
        entries = math.prod(shape)
        for i in range(self.layers):
            layer = initialise(nn.Sequential(nn.Linear(entries, self.width), nn.LeakyReLU(0.2)), None)
            stages.append((f"layer{i + 1}", layer))
            entries = self.width
        return stages

    def weak(self) -> Mlp:
        """The same with one hidden layer of an eighth of the width."""
        # there are no strides to enlarge (vtgan-2021, section 3.1.1, iii), so the width is smaller
        return replace(self, layers=1, width=max(8, self.width // 8))
