"""The network of mcgan-2021 and vtgan-2021: G has two transposed convolutions, D two convolutions (section 3.1.1).

The papers print no sizes. Ours are those of the public AnoGAN code that the authors' earlier work builds on. G has a
dense layer to a seed map, transposed convolutions without overlap, and 3 x 3 and 5 x 5 convolutions. D has no batch
norm.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import nn

from lookalike.base.errors import UsageError
from lookalike.game.nets import Shape, Stages, divisible, initialise
from lookalike.game.nets.grey import convolution

STD = 0.02  # of the first weights, DCGAN's. With Glorot's larger ones D's first features, and V(x), detect less


@dataclass(frozen=True)
class Anogan:
    """A shallow network for small images.

    Parameters
    ----------
    width : int
        Channels of G's last hidden layer and of D's first.
    layers : int
        Number of transposed convolutions in G and of convolutions in D.
    stride : int
        Stride and kernel size of each transposed convolution.
    g_pool : int
        Max-pooling after each transposed convolution (section 3.1.1, iii); 1 is none.
    pool : int
        Max-pooling after each convolution of D.

    Raises
    ------
    UsageError
        If the stride is no multiple of `g_pool`, so that G's sides would not be whole numbers.
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

    def __post_init__(self) -> None:
        if self.stride % self.g_pool:
            raise UsageError(
                f"the stride of G's layers, {self.stride}, must be a multiple of their pool, {self.g_pool}"
            )

    def __str__(self) -> str:
        made = f"{self.layers} transposed convolution(s) of stride {self.stride}"
        pooled = f" with max-pooling {self.g_pool}" if self.g_pool > 1 else ""
        return f"anogan, width {self.width}: G {made}{pooled}; D {self.layers} with max-pooling {self.pool}"

    def generator(self, shape: Shape, z_dim: int) -> nn.Module:
        """G: (N, z_dim) -> (N, C, H, W) float32 in [-1, 1]."""
        # each layer multiplies the sides by stride / g_pool
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
            # kernel = stride: no output pixel gets two inputs, so there is no checkerboard
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
        """D's stages conv1, pool1, ... and features. pool1 is f(x) in the public AnoGAN code."""
        c, _, _ = divisible(shape, self.pool**self.layers, "anogan")
        stages: Stages = []
        for i in range(self.layers):
            out = self.width * 2**i
            # leaky ReLU is increasing, so max-pooling before it gives the same values with fewer operations
            pool = nn.Sequential(nn.MaxPool2d(self.pool), nn.LeakyReLU(0.2))
            stages += [(f"conv{i + 1}", initialise(convolution(c, out, 5), STD)), (f"pool{i + 1}", pool)]
            c = out
        return [*stages, ("features", nn.Flatten())]

    def weak(self) -> Anogan:
        """One layer each, larger stride and pool (vtgan-2021, section 3.1.1, ii and iii). The values are ours.

        Item iii can also mean a stride of 8 and a pool of 2 in G. With these the normal G made stripes on some seeds.
        `Weakened` takes other values.
        """
        return replace(self, layers=1, stride=4, g_pool=1, pool=4)
