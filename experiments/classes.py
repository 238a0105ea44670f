"""Samples by class of gan-augmentation-2020 (its figures 7 and 9): AC-GAN, ALI, and what ALI makes of real images.

    python experiments/recognised.py && python experiments/ali.py
    python experiments/classes.py

It reads the trainings of those two (seed 0), and draws docs/classes-DATA.png of each of their data sets that is there.
A row is a class: its first test images of `ali`, as many of AC-GAN and of ALI, and ALI's reconstructions of the test
images. Nothing is chosen: z are the first of seed 0.
"""

from __future__ import annotations

from pathlib import Path

import ali
import numpy as np
import recognised
import torch
from columns import drawn
from matplotlib.figure import Figure

import lookalike
from lookalike.base.arrays import Pixels
from lookalike.data import scaled, split
from lookalike.data.images import as_pixels
from lookalike.detect.model import Model
from lookalike.use.generate import Generator, generators

EACH = 6  # images of a class
DOCS = Path(__file__).parents[1] / "docs"


def main() -> None:
    """Draws each data set."""
    for data in ali.SIDES:
        if not all((runs / data / "seed-0" / "model.json").exists() for runs in (recognised.RUNS, ali.RUNS)):
            print(f"{data} is left out: it has no trainings", flush=True)
            continue
        gans = [generators(Model.load(runs / data / "seed-0")) for runs in (recognised.RUNS, ali.RUNS)]
        figure(data, *gans).savefig(DOCS / f"classes-{data}.png", dpi=90)


def figure(data: str, acgan: dict[str, Generator], inferred: dict[str, Generator]) -> Figure:
    """A column of images for each kind, whose rows are classes."""
    images = lookalike.read(data, size=ali.SIDES[data], channels=1)
    test = split(images, test=0.2, calibration=0.0, seed=0).test
    rows = [test[images.labels[test] == label][:EACH] for label in range(len(images.classes))]
    real = np.stack([images.pixels[own] for own in rows])
    columns = {
        "test images": real,
        "AC-GAN": made(acgan),
        "ALI": made(inferred),
        "ALI, of the test images": np.stack(
            [reconstructed(one, own) for one, own in zip(inferred.values(), real, strict=True)]
        ),
    }
    return drawn(columns, (14, 6))


def made(able: dict[str, Generator]) -> Pixels:
    """(K, EACH, 1, H, W) the first images of each class."""
    return np.stack([np.concatenate([*one.images(EACH, seed=0)]) for one in able.values()])


def reconstructed(one: Generator, pixels: Pixels) -> Pixels:
    """What G makes of the mean z that the encoder finds in images (N, 1, H, W) of its class."""
    y = torch.full((len(pixels),), one.label)
    return as_pixels(one.gan.generate(one.gan.encode(torch.from_numpy(scaled(pixels)), y), y).cpu())


if __name__ == "__main__":
    main()
