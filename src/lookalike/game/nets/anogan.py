"""The papers' network: two transposed convolutions in G, two convolutions with max-pooling in D (vtgan-2021, 3.1.1).

Sizes that the papers do not print follow the AnoGAN network that the authors' earlier work builds on: a dense layer
to a seed map, transposed convolutions that do not overlap, 3 x 3 and 5 x 5 convolutions, no batch norm in D.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import nn

from lookalike.game.nets import Shape, Stages, divisible, initialise
from lookalike.game.nets.grey import convolution

STD = 0.02  # of initial weights, DCGAN's; Glorot's larger ones leave D's first features, and so V(x), much blinder


@dataclass(frozen=True)
class Anogan:
    """Shallow GAN for small images.

    Parameters
    ----------
    width : int
        Channels of G's last and D's first layer.
    layers : int
        Transposed convolutions in G, convolutions in D.
    stride : int
        Stride and kernel size of each transposed convolution.
    g_pool : int
        Max-pooling behind each transposed convolution ("the immediate max-pooling layer of G"); 1 is none.
    pool : int
        Max-pooling behind each convolution of D.
    """

    width: int = 64
    layers: int = 2
    stride: int = 2
    g_pool: int = 1
    pool: int = 2
    name = "anogan"
    feature_layer = "pool1"
    initial_weights = f"N(0, {STD:g}), biases 0"
    multiple = 4
    d_batch_norm = False

    def __str__(self) -> str:
        made = f"{self.layers} transposed convolution(s) of stride {self.stride}"
        pooled = f" with max-pooling {self.g_pool}" if self.g_pool > 1 else ""
        return f"anogan, width {self.width}: G {made}{pooled}; D {self.layers} with max-pooling {self.pool}"

    def generator(self, shape: Shape, z_dim: int) -> nn.Module:
        """(N, z_dim) -> (N, C, H, W) in [-1, 1]."""
        grain = (self.stride // self.g_pool) ** self.layers
        c, h, w = divisible(shape, grain, "anogan")
        seed = (2 * self.width, h // grain, w // grain)
        entries = seed[0] * seed[1] * seed[2]
        parts: list[nn.Module] = [
            nn.Linear(z_dim, entries),
            nn.BatchNorm1d(entries),
            nn.LeakyReLU(0.2),
            nn.Unflatten(1, seed),
        ]
        for i in range(self.layers):
            parts.append(
                nn.ConvTranspose2d(2 * self.width if i == 0 else self.width, self.width, self.stride, self.stride)
            )
            if self.g_pool > 1:
                parts.append(nn.MaxPool2d(self.g_pool))
            if i < self.layers - 1:
                parts += [nn.Conv2d(self.width, self.width, 3, padding=1), nn.BatchNorm2d(self.width), nn.ReLU()]
        parts += [convolution(self.width, c, 5), nn.Tanh()]
        return initialise(nn.Sequential(*parts), STD)

    def trunk(self, shape: Shape) -> Stages:
        """conv1, pool1, ... and features; pool1 is f(x) in the public AnoGAN code."""
        c, _, _ = divisible(shape, self.pool**self.layers, "anogan")
        stages: Stages = []
        for i in range(self.layers):
            out = self.width * 2**i
            # pooling first gives the same values, cheaper
            pool = nn.Sequential(nn.MaxPool2d(self.pool), nn.LeakyReLU(0.2))
            stages += [(f"conv{i + 1}", initialise(convolution(c, out, 5), STD)), (f"pool{i + 1}", pool)]
            c = out
        return [*stages, ("features", nn.Flatten())]

    def weak(self) -> Anogan:
        """One layer each, larger stride and pool (vtgan-2021, 3.1.1 ii and iii; the values are ours).

        With a stride of 8 and a pool of 2 in G, the other reading, the normal G ended in stripes on some seeds.
        """
        return replace(self, layers=1, stride=4, g_pool=1, pool=4)
