"""From how few images on does DiffAugment help auto-gan? On clothes and on steel, by the images of a class, one seed.

    python experiments/few_images.py STEEL

STEEL is the folder of the steel photographs. Training images alone: of Fashion-MNIST the last 10,000 are held out, of
steel a fifth; it is brought to 64 x 64 pixels. Of each class the first 20 of the others train, and of Fashion-MNIST
also the first 100. Preset small, three minutes of one core's time, which a few timed steps turn into
images to show. The figures go to experiments/results/few_images.csv, of as many generated images as are held out:
KID by the features of EfficientNet-Lite0; the share that a classifier of all training images takes for their class;
the mean distance of two generated images of a class over that of two held-out ones, by its features; and the median
distance, in pixels, to the nearest training image, over that of held-out images (near 0: copies). The first images of
each training lie in its folder. All stays in runs/few_images. Takes about half an hour on one core.
"""

from __future__ import annotations

import sys
from dataclasses import KW_ONLY, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from equal_minutes import development, shown
from lines import digits, measured, save
from PIL import Image
from scipy.spatial.distance import cdist

from lookalike.base import files
from lookalike.base.arrays import Floats, Labels, Pixels
from lookalike.base.threads import computing_with
from lookalike.data import Images
from lookalike.features.efficientnet import lite0
from lookalike.runs.run import run
from lookalike.runs.settings import train_settings
from lookalike.studies.trial import FiguresTrial
from lookalike.use.generate import generators
from lookalike.use.quality import kernel
from lookalike.use.quality.diversity import within
from lookalike.use.quality.own import Own, own

RUNS = Path("runs/few_images")
FIGURES, KID_ERROR = ("KID", "recognised", "variety", "nearest"), "KID's error"
SECONDS = 180
NUMBERS = {"steel": (20,), "fashion-mnist": (20, 100)}
SHOWN = 8  # images of a class in a picture


@dataclass(frozen=True)
class FewTrial(FiguresTrial):
    """One training on a few images of each class."""

    _: KW_ONLY
    n: int = 0
    changed: bool = False  # whether D sees changed images

    def __str__(self) -> str:
        return f"{Path(self.data).name}, {self.n} of each class{', changed' if self.changed else ''}"

    def folder(self, runs: Path) -> Path:
        """The folder of its run and its figures."""
        return runs / Path(self.data).name / f"{self.n}{'-changed' if self.changed else ''}"

    def measure(self, folder: Path, command: str) -> dict[str, Any]:
        """Trains, makes images and measures them."""
        images = development(self.data)
        few = images.select(some(images, self.n))
        given = {
            "known": images.classes, "method": "auto-gan", "seed": self.seed, "calibration": 0.0, "threads": 1,
            "diff_augment": self.changed,
        }  # fmt: skip
        timed = folder / "timed.json"
        if not timed.exists():
            with computing_with(1):
                files.write_json(timed, shown(few, train_settings(**given), SECONDS))
        facts = files.read_json(timed)
        model = run(few, train_settings(**given, images=facts["images"]), folder / "run")
        made = {
            name: np.concatenate([*one.images(int(np.sum(images.test)) // len(images.classes), seed=0)])
            for name, one in generators(model).items()
        }
        rows = [np.concatenate([*x[:SHOWN].transpose(0, 2, 3, 1)], 1) for x in made.values()]
        Image.fromarray(np.concatenate(rows).squeeze()).save(folder / "made.png")
        return {"images": facts["images"], **compared(made, few, judge(self.data))}


def some(images: Images, n: int) -> Labels:
    """Rows of the images that are held out, and of the first n others of each class."""
    each = [(images.labels == label) & ~np.asarray(images.test) for label in range(len(images.classes))]
    return np.concatenate([np.flatnonzero(images.test), *(np.flatnonzero(mine)[:n] for mine in each)])


@lru_cache
def judge(data: str) -> Own:
    """A classifier of all images that are not held out."""
    images = development(data)
    train = ~np.asarray(images.test)
    return own(images.pixels[train], images.labels[train], f"{Path(data).name}, training part", 0)


def compared(made: dict[str, Pixels], few: Images, judge: Own) -> dict[str, float]:
    """The figures of generated images, by class, beside the held-out ones and those of training."""
    recognised, variety, nearest = [], [], []
    for label, (name, x) in enumerate(made.items()):
        assert few.classes[label] == name
        train, held_out = (few.pixels[(few.labels == label) & (np.asarray(few.test) == side)] for side in (False, True))
        recognised.append((judge.probabilities(x).argmax(1) == label).mean())
        variety.append(within(judge.features(x)).mean / within(judge.features(held_out)).mean)
        near = [np.median(_distances(images, train).min(1)) for images in (x, held_out)]
        nearest.append(near[0] / near[1])
    every = np.concatenate([*made.values()]), few.pixels[np.asarray(few.test)]
    kid = kernel.distance(*(np.asarray(lite0(few.shape).features(x)) for x in every))
    means = dict(zip(FIGURES[1:], map(float, map(np.mean, (recognised, variety, nearest))), strict=True))
    return {"KID": kid.value, KID_ERROR: kid.error, **means}


def _distances(x: Pixels, others: Pixels) -> Floats:
    return np.asarray(cdist(x.reshape(len(x), -1).astype(float), others.reshape(len(others), -1).astype(float)))


def line(trial: FewTrial, found: dict[str, Any]) -> dict[str, str | int]:
    """The figures of one training."""
    facts = {"data": Path(trial.data).name, "images of a class": trial.n}
    facts |= {"DiffAugment": "yes" if trial.changed else "no", "seed": trial.seed, "images shown": found["images"]}
    return facts | {"KID": f"{found['KID']:.5f}", KID_ERROR: f"{found[KID_ERROR]:.5f}"} | digits(found, FIGURES[1:])


def main() -> None:
    """Trains every cell and writes the table."""
    places = {"fashion-mnist": "fashion-mnist", "steel": sys.argv[1]}
    trials = [
        FewTrial(places[name], "auto-gan", 0, n=n, changed=changed)
        for name, numbers in NUMBERS.items() for n in numbers for changed in (False, True)
    ]  # fmt: skip
    save("few_images", [line(trial, found) for trial, found in zip(trials, measured(trials, RUNS), strict=True)])


if __name__ == "__main__":
    main()
