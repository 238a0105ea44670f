"""Does ALI's encoder undo its G? Held-out images against what G makes of their z; z and its way back.

    python experiments/ali.py

Preset small, all images: scikit-learn's digits and Fashion-MNIST. A reconstruction is G's image of the encoder's mean
z. Its error, the mean distance of pixels from -1 to 1, stands beside that of the same reconstructions dealt to other
images, of the same class and of any. The correlation is between an entry of z and of what the encoder finds in G's
image of it, averaged over entries. The figures go to experiments/results/ali.csv; the trainings stay in runs/ali.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from lines import digits, measured, save, with_means
from torch import Tensor

import lookalike
from lookalike.base.seeds import generator
from lookalike.data import Images, scaled, split
from lookalike.game.gan import GAN
from lookalike.runs.run import PLACES, run
from lookalike.runs.settings import train_settings
from lookalike.studies.trial import FiguresTrial
from lookalike.use.generate import generators

RUNS = Path("runs/ali")
SIDES = {"digits": (8, 8), "fashion-mnist": (32, 32)}
HELD = 1000  # images
SEEDS = range(3)
FIGURES = ("error", "same class", "any class", "correlation")


@dataclass(frozen=True)
class ALITrial(FiguresTrial):
    """ALI of all classes, whose training sees no test image."""

    places: ClassVar[tuple[str, ...]] = PLACES

    def folder(self, runs: Path) -> Path:
        """The folder of its training."""
        return runs / self.data / f"seed-{self.seed}"

    def measure(self, folder: Path, command: str) -> dict[str, Any]:
        """Trains, and measures the ways there and back."""
        images = lookalike.read(self.data, size=SIDES[self.data], channels=1)
        settings = train_settings(
            known=images.classes, method=self.method, seed=self.seed, calibration=0.0, threads=1,
            test=0.2, size=SIDES[self.data],
        )  # fmt: skip
        model = run(self.data, settings, folder, command=tuple(shlex.split(command)), held=True)
        gan = generators(model)[images.classes[0]].gan
        found = errors(gan, images, self.seed)
        return found | {"correlation": correlation(gan, len(images.classes), self.seed)}


def dealt(labels: npt.NDArray[np.int64], seed: int) -> npt.NDArray[np.int64]:
    """For each image another one of its class."""
    random, other = np.random.default_rng(seed), np.arange(len(labels))
    for k in np.unique(labels):
        rows = random.permutation(np.flatnonzero(labels == k))
        other[rows] = np.roll(rows, 1)
    return other


def errors(gan: GAN, images: Images, seed: int) -> dict[str, float]:
    """Errors of the reconstructions of held-out images, beside their own image and beside others."""
    rows = split(images, test=0.2, calibration=0.0, seed=seed).test[:HELD]
    x, y = torch.from_numpy(scaled(images.pixels[rows])), torch.from_numpy(images.labels[rows])
    made = gan.generate(gan.encode(x, y), y)
    same = torch.from_numpy(dealt(images.labels[rows], seed))
    any_class = torch.randperm(len(x), generator=generator(seed, "dealt"))
    orders = (torch.arange(len(x)), same, any_class)
    return {name: far(x, made[order]) for name, order in zip(FIGURES, orders, strict=False)}


def far(x: Tensor, other: Tensor) -> float:
    """Mean distance of pixels."""
    return (x - other).abs().mean().item()


def correlation(gan: GAN, classes: int, seed: int) -> float:
    """The correlation of z with the encoder's answer to G's image of it."""
    random = generator(seed, "way back")
    z, y = gan.method.latent.draw(HELD, random), torch.randint(classes, (HELD,), generator=random)
    found = gan.encode(gan.generate(z, y), y)
    each = [np.corrcoef(z[:, i], found[:, i])[0, 1] for i in range(z.shape[1])]
    return float(np.mean(each))


def main() -> None:
    """Measures every data set with every seed and writes the table."""
    trials = [ALITrial(data, "ali", seed) for data in SIDES for seed in SEEDS]
    lines = [
        {"data": trial.data, "seed": trial.seed, **digits(found, FIGURES)}
        for trial, found in zip(trials, measured(trials, RUNS), strict=True)
    ]
    save("ali", with_means(lines, "data", FIGURES))


if __name__ == "__main__":
    main()
