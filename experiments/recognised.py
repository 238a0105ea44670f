"""Is a generated class recognisable? A classifier of real images classifies AC-GAN's images.

    python experiments/recognised.py

Preset small, all images: scikit-learn's digits and Fashion-MNIST. The classifier is gan-augmentation-2020's, trained
once on real training images, a tenth of them for validation; its accuracy on held-out real images stands beside. 1,000
images of each class are made. The figures go to experiments/results/recognised.csv; the trainings stay in
runs/recognised.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from lines import mean, save

import lookalike
from lookalike.data import split
from lookalike.detect.model import Model
from lookalike.studies.augment.classifier import Classifier, fit
from lookalike.use.generate import generators

SETS = {"digits": {"size": "8,8"}, "fashion-mnist": {}}
METHOD = "acgan"
EACH = 1000
SEEDS = range(3)
FIGURES = ("recognised", "worst class", "real images")


def trained(data: str, seed: int) -> Model:
    """The GAN of all classes."""
    classes = lookalike.read(data).classes
    how = {"method": METHOD, "seed": seed, "calibration": 0.0, "threads": 1, **SETS[data]}
    return lookalike.fit(data, known=classes, out=Path("runs/recognised") / f"{data}-{seed}", **how)


def judge(data: str, model: Model) -> tuple[Classifier, float]:
    """The classifier of real images at the model's size, and its accuracy on held-out ones."""
    images = lookalike.read(data, size=model.size, channels=model.channels)
    parts = split(images, test=0.2, calibration=0.1, seed=0)
    train, held, test = (
        (images.pixels[rows], images.labels[rows]) for rows in (parts.train, parts.calibration, parts.test)
    )
    classifier = fit(*train, classes=len(images.classes), validation=held, seed=0)
    return classifier, float((classifier.probabilities(test[0]).argmax(1) == test[1]).mean())


def line(data: str, seed: int, model: Model, classifier: Classifier, real: float) -> dict[str, str | int]:
    """One GAN, measured."""
    shares = [
        (classifier.probabilities(np.concatenate(list(one.images(EACH, seed=seed)))).argmax(1) == k).mean()
        for k, one in enumerate(generators(model).values())
    ]
    figures = zip(FIGURES, (np.mean(shares), min(shares), real), strict=True)
    found = {name: f"{figure:.3f}" for name, figure in figures}
    print(data, seed, found, flush=True)
    return {"data": data, "seed": seed, **found}


def main() -> None:
    """Measures every data set with every seed and writes the table."""
    lines = []
    for data in SETS:
        models = [trained(data, seed) for seed in SEEDS]
        classifier, real = judge(data, models[0])
        mine = [line(data, seed, model, classifier, real) for seed, model in zip(SEEDS, models, strict=True)]
        lines += [*mine, {"data": data, "seed": "mean", **mean(mine, FIGURES)}]
    save("recognised", lines)


if __name__ == "__main__":
    main()
