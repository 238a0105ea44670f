"""Where z comes from: the prior of the generator's input."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor


class Latent(Protocol):
    """A prior over z."""

    @property
    def z_dim(self) -> int:
        """Number of entries of z."""

    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        """(n, z_dim) float32 on the CPU."""

    def within(self, z: Tensor) -> Tensor:
        """z (n, z_dim) brought back to where the prior has its mass, row by row; the search stays there."""


@dataclass(frozen=True)
class Normal:
    """z ~ N(0, 1) (vtgan-2021, section 3; 100 entries, the weak twin 400)."""

    z_dim: int = 100

    def __str__(self) -> str:
        return f"{self.z_dim} entries, standard normal"

    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        """(n, z_dim) standard normal float32."""
        return torch.randn(n, self.z_dim, generator=generator)

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

    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        """(n, z_dim) float32 in [-1, 1)."""
        return torch.rand(n, self.z_dim, generator=generator) * 2 - 1

    def within(self, z: Tensor) -> Tensor:
        """Entries clamped to [-1, 1]."""
        return z.clamp(-1, 1)
