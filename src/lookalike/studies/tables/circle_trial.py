"""One training on ten Gaussians on a circle: how far what G learnt is from what the paper derives."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from lookalike.base.seeds import generator
from lookalike.game.gan import GAN
from lookalike.game.latents import Normal
from lookalike.game.losses import Minimax
from lookalike.game.method import Method
from lookalike.game.nets.mlp import Mlp
from lookalike.game.optimiser import Adam
from lookalike.game.source import Source
from lookalike.game.train import train
from lookalike.methods import METHODS
from lookalike.studies.tables import circle
from lookalike.studies.trial import FiguresTrial

SAMPLES = 50_000
SCALE = circle.RADIUS  # brings points to the size of images


@dataclass(frozen=True)
class Size:
    """How large a training is: width of three hidden layers, points of each class, points shown."""

    width: int
    each: int
    shown: int
    batch: int = 256


SIZES = {"small": Size(128, 10_000, 1_024_000), "paper": Size(512, 10_000, 2_560_000)}


@dataclass(frozen=True)
class CircleTrial(FiguresTrial):
    """A trial that learns the circle."""

    def folder(self, runs: Path) -> Path:
        """The folder of the figures."""
        return runs / f"gaussians-{self.preset}" / self.method / f"seed-{self.seed}"

    def measure(self, folder: Path, command: str) -> dict[str, Any]:
        """Both divergences, the share of points outside the square, the seconds and the histogram."""
        size, began = SIZES[self.preset], time.monotonic()
        points, labels = circle.draw(size.each, self.seed)
        device, method = torch.device(self.device), method_of(self.method, size.width)
        gan = GAN(method, (2,), seed=self.seed, classes=circle.CLASSES, ema=0.99, device=device)
        source = Source(torch.from_numpy(points / SCALE), torch.from_numpy(labels), None, self.seed, device)
        for _ in train(gan, source, images=size.shown, batch=size.batch):
            pass
        seconds = time.monotonic() - began
        z = gan.method.latent.draw(SAMPLES, generator(self.seed, "generate"))
        share, outside = circle.histogram(SCALE * gan.generate(z).cpu().double().numpy())
        far = {f"kl_to_{name}": circle.divergence(share, target) for name, target in circle.targets().items()}
        return {**far, "outside": outside, "seconds": seconds, "histogram": share.tolist()}


def method_of(name: str, width: int) -> Method:
    """The method without images: an mlp, and three steps of a faster D for one of G (ours), or G outruns it."""
    named = METHODS[name]
    return named.but(
        net=Mlp(width, 3),
        latent=Normal(8),
        losses=(Minimax(), *named.losses[1:]),
        spectral=False,
        optimiser=Adam(5e-4, 0.0, 0.999),
        d_optimiser=Adam(2e-3, 0.0, 0.999),
        d_steps=3,
    )
