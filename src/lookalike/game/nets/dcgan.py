"""DCGAN as published (Radford et al. 2016): strided convolutions, batch norm, no pooling."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import nn

from lookalike.game.nets import Shape, Stages, divisible, image_shape, initialise


@dataclass(frozen=True)
class Dcgan:
    """G halves its channels and doubles its sides at each level. D does the reverse.

    Parameters
    ----------
    width : int
        Channels of the layer next to the image.
    levels : int or None
        Doublings from the seed map to the image. None: as many as leave a seed map of at least 4 px. That makes 4 for
        64 px, as published.
    """

    width: int = 64
    levels: int | None = None
    name = "dcgan"
    feature_layer = "level1"
    initial_weights = "N(0, 0.02)"
    multiple = 8
    d_batch_norm = True

    def __str__(self) -> str:
        levels = f"{self.levels} level(s)" if self.levels else "levels down to a seed map of 4"
        return f"dcgan, width {self.width}: {levels} of strided convolutions"

    def _plan(self, shape: Shape) -> tuple[int, int, int, int]:
        """(levels, C, H, W) for images of `shape`. Raises UsageError for a shape that does not fit."""
        _, h, w = image_shape(shape, "dcgan")
        # bit_length - 1 is the rounded-down log2
        levels = self.levels if self.levels is not None else max(1, (min(h, w) // 4).bit_length() - 1)
        return levels, *divisible(shape, 2**levels, "dcgan")

    def generator(self, shape: Shape, z_dim: int) -> nn.Module:
        """G: (N, z_dim) -> (N, C, H, W) float32 in [-1, 1]."""
        levels, c, h, w = self._plan(shape)
        wide = self.width * 2 ** (levels - 1)
        seed = (wide, h >> levels, w >> levels)
        parts: list[nn.Module] = [
            # no bias before a batch norm, which would subtract it again
            nn.Linear(z_dim, seed[0] * seed[1] * seed[2], bias=False),
            nn.Unflatten(1, seed),
            nn.BatchNorm2d(wide),
            nn.ReLU(),
        ]
        for _ in range(levels - 1):
            parts += [nn.ConvTranspose2d(wide, wide // 2, 4, 2, 1, bias=False), nn.BatchNorm2d(wide // 2), nn.ReLU()]
            wide //= 2  # half the channels at twice the sides
        return initialise(nn.Sequential(*parts, nn.ConvTranspose2d(wide, c, 4, 2, 1, bias=False), nn.Tanh()), 0.02)

    def trunk(self, shape: Shape) -> Stages:
        """D's stages level1, level2, ... and features: (N, C, H, W) -> (N, F)."""
        levels, c, _, _ = self._plan(shape)
        stages: Stages = []
        for i in range(levels):
            out = self.width * 2**i
            parts: list[nn.Module] = [nn.Conv2d(c, out, 4, 2, 1, bias=False)]
            if i > 0:  # none next to the image, as published
                parts.append(nn.BatchNorm2d(out))
            stages.append((f"level{i + 1}", initialise(nn.Sequential(*parts, nn.LeakyReLU(0.2)), 0.02)))
            c = out
        # the head's dense layer on these stands for DCGAN's last convolution
        return [*stages, ("features", nn.Flatten())]

    def weak(self) -> Dcgan:
        """The same with one level: G makes a map of half the image's sides straight from z."""
        return replace(self, levels=1)
