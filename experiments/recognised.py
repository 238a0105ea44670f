"""Is a generated class recognisable? A classifier of real images classifies AC-GAN's images.

    python experiments/recognised.py

Preset small, all images: scikit-learn's digits and Fashion-MNIST. The classifier is gan-augmentation-2020's, trained
on real training images, a tenth of them for validation; its accuracy on held-out real images stands beside. 1,000
images of each class are made. The figures go to experiments/results/recognised.csv; the trainings stay in
runs/recognised.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from lines import digits, measured, save, with_means

import lookalike
from lookalike.data import split
from lookalike.runs.run import PLACES, run
from lookalike.runs.settings import train_settings
from lookalike.studies.augment.classifier import Classifier, fit
from lookalike.studies.trial import FiguresTrial
from lookalike.use.generate import generators

RUNS = Path("runs/recognised")
SETS = {"digits": {"size": "8,8"}, "fashion-mnist": {}}
METHOD = "acgan"
EACH = 1000
SEEDS = range(3)
FIGURES = ("recognised", "worst class", "real images")


@dataclass(frozen=True)
class RecognisedTrial(FiguresTrial):
    """A GAN of all classes, and the share of its images that a classifier of real ones calls by their class."""

    places: ClassVar[tuple[str, ...]] = PLACES

    def folder(self, runs: Path) -> Path:
        """The folder of its training."""
        return runs / self.data / f"seed-{self.seed}"

    def measure(self, folder: Path, command: str) -> dict[str, Any]:
        """Trains, generates and classifies."""
        settings = train_settings(
            known=lookalike.read(self.data).classes, method=self.method, seed=self.seed, calibration=0.0, threads=1,
            test=0.2, **SETS[self.data],
        )  # fmt: skip
        model = run(self.data, settings, folder, command=tuple(shlex.split(command)), held=True)
        classifier, real = judge(self.data, model.size, model.channels)
        shares = [
            (classifier.probabilities(np.concatenate(list(one.images(EACH, seed=self.seed)))).argmax(1) == k).mean()
            for k, one in enumerate(generators(model).values())
        ]
        return dict(zip(FIGURES, (float(np.mean(shares)), float(min(shares)), real), strict=True))


@cache
def judge(data: str, size: tuple[int, int], channels: int) -> tuple[Classifier, float]:
    """The classifier of real images at a GAN's size, and its accuracy on held-out ones."""
    images = lookalike.read(data, size=size, channels=channels)
    parts = split(images, test=0.2, calibration=0.1, seed=0)
    train, held, test = (
        (images.pixels[rows], images.labels[rows]) for rows in (parts.train, parts.calibration, parts.test)
    )
    classifier = fit(*train, classes=len(images.classes), validation=held, seed=0)
    return classifier, float((classifier.probabilities(test[0]).argmax(1) == test[1]).mean())


def main() -> None:
    """Measures every data set with every seed and writes the table."""
    trials = [RecognisedTrial(data, METHOD, seed) for data in SETS for seed in SEEDS]
    lines = [
        {"data": trial.data, "seed": trial.seed, **digits(found, FIGURES)}
        for trial, found in zip(trials, measured(trials, RUNS), strict=True)
    ]
    save("recognised", with_means(lines, "data", FIGURES))


if __name__ == "__main__":
    main()
