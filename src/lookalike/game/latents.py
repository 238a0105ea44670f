"""Where (z, y) come from: the priors of the generator's input."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

if TYPE_CHECKING:
    from lookalike.game.source import Source


class Latent(Protocol):
    """A prior over z."""

    @property
    def z_dim(self) -> int:
        """Number of entries of z."""

    def draw(self, n: int, generator: torch.Generator, truncation: float | None = None) -> Tensor:
        """(n, z_dim) float32 on the CPU; none beyond `truncation`, where one is given."""

    def within(self, z: Tensor) -> Tensor:
        """z (n, z_dim) brought back to where the prior has its mass, row by row; the search stays there."""


@dataclass(frozen=True)
class Normal:
    """z ~ N(0, 1) (vtgan-2021, section 3; 100 entries, the weak twin 400)."""

    z_dim: int = 100

    def __str__(self) -> str:
        return f"{self.z_dim} entries, standard normal"

    def draw(self, n: int, generator: torch.Generator, truncation: float | None = None) -> Tensor:
        """(n, z_dim) standard normal float32, cut at `truncation` (Brock et al. 2019)."""
        if truncation is None:
            return torch.randn(n, self.z_dim, generator=generator)
        z = torch.empty(n, self.z_dim)
        return torch.nn.init.trunc_normal_(z, a=-truncation, b=truncation, generator=generator)

    def within(self, z: Tensor) -> Tensor:
        """Rows longer than sqrt(z_dim), the length of nearly all draws, are shortened to it."""
        length: Tensor = torch.linalg.vector_norm(z, dim=1, keepdim=True)
        return z * (math.sqrt(self.z_dim) / length).clamp(max=1)


@dataclass(frozen=True)
class Uniform:
    """z ~ U(-1, 1), the prior of the original DCGAN paper."""

    z_dim: int = 100

    def __str__(self) -> str:
        return f"{self.z_dim} entries, uniform in [-1, 1]"

    def draw(self, n: int, generator: torch.Generator, truncation: float | None = None) -> Tensor:
        """(n, z_dim) float32 in [-1, 1), or within `truncation` where that is less."""
        return (torch.rand(n, self.z_dim, generator=generator) * 2 - 1) * min(1.0, truncation or 1.0)

    def within(self, z: Tensor) -> Tensor:
        """Entries clamped to [-1, 1]."""
        return z.clamp(-1, 1)


class Labels(Protocol):
    """A prior over the classes that G is asked for."""

    def draw(self, n: int, source: Source, generator: torch.Generator) -> Tensor:
        """(n,) int64 class numbers on the CPU."""


@dataclass(frozen=True)
class UniformLabels:
    """Every class as often as any other (gan-augmentation-2020: what is rare is wanted)."""

    def __str__(self) -> str:
        return "every class alike"

    def draw(self, n: int, source: Source, generator: torch.Generator) -> Tensor:
        """(n,) uniform class numbers."""
        return torch.randint(source.classes, (n,), generator=generator)


@dataclass(frozen=True)
class LabelsAsInData:
    """Every class as often as among the training images."""

    def __str__(self) -> str:
        return "as in the training images"

    def draw(self, n: int, source: Source, generator: torch.Generator) -> Tensor:
        """(n,) labels of training images drawn at random."""
        return source.labels[torch.randint(len(source.labels), (n,), generator=generator)]
