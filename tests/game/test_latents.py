"""Where z comes from: the priors' values."""

from __future__ import annotations

import math

import pytest
import torch

from lookalike.base.seeds import generator
from lookalike.game.latents import Normal, Uniform


def test_normal():
    """N(0, 1): mean 0, deviation 1, and 68.3 % of the entries within one deviation."""
    z = Normal(50).draw(2000, generator(1))
    assert z.shape == (2000, 50)
    assert z.dtype == torch.float32
    assert abs(z.mean().item()) < 0.02
    assert abs(z.std().item() - 1) < 0.02
    assert abs((z.abs() < 1).float().mean().item() - math.erf(1 / math.sqrt(2))) < 0.01


def test_uniform():
    """U(-1, 1): mean 0, deviation 1 / sqrt(3), all within [-1, 1), a tenth in every tenth of the range."""
    z = Uniform(50).draw(2000, generator(1))
    assert z.shape == (2000, 50)
    assert z.dtype == torch.float32
    assert abs(z.mean().item()) < 0.02
    assert abs(z.std().item() - 1 / math.sqrt(3)) < 0.01
    assert z.min() >= -1
    assert z.max() < 1
    assert (torch.histc(z, 10, -1, 1) / z.numel() - 0.1).abs().max() < 0.01


@pytest.mark.parametrize("latent", [Normal(7), Uniform(7)])
def test_repeats(latent):
    """The same generator state gives the same z, another one another z."""
    assert torch.equal(latent.draw(3, generator(1, "z")), latent.draw(3, generator(1, "z")))
    assert not torch.equal(latent.draw(3, generator(1, "z")), latent.draw(3, generator(2, "z")))


def test_papers_sizes():
    """The papers' z has 100 entries unless another number is given."""
    assert (Normal().z_dim, Uniform().z_dim, Normal(400).z_dim) == (100, 100, 400)
