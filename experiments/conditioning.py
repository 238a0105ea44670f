"""How should a narrow G learn its class? Quality and variety of sn-projection's images by the way G gets the class.

    python experiments/conditioning.py

Fashion-MNIST's training images: the first 50,000 train, the last 10,000 are held out. Preset small, 150,000 images,
three seeds. The figures go to experiments/results/conditioning.csv: FID, precision and recall of 5,000 generated images
against the held-out ones by features of EfficientNet-Lite0, the share that a classifier of the real images recognises
as its class, and the mean distance of two images of a class over that of two real ones, by that classifier's features:
the mean over classes and the least. Images of each way, seed 0, go to docs/conditioning.png, beside held-out ones. All
stays in runs/conditioning. Takes about 25 minutes on two cores.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from columns import drawn
from lines import digits, measured, save, with_means
from matplotlib.figure import Figure

from lookalike.data import Images, read
from lookalike.detect.model import Model
from lookalike.features.efficientnet import lite0
from lookalike.runs.run import run
from lookalike.runs.settings import train_settings
from lookalike.studies.trial import FiguresTrial
from lookalike.use.generate import generators
from lookalike.use.quality.diversity import within
from lookalike.use.quality.frechet import distance
from lookalike.use.quality.manifold import compare
from lookalike.use.quality.own import own

RUNS = Path("runs/conditioning")
DATA = "fashion-mnist"
WAYS = ("batch-norm", "batch-norm-z", "one-hot")
FIGURES = ("fid", "precision", "recall", "recognised", "within", "least_within")
SEEDS = range(3)
IMAGES, HELD_OUT, MADE = 150_000, 10_000, 500  # shown; real images held out; generated images of a class
SHOWN = 6  # images of a class in the picture
PICTURE = Path(__file__).parents[1] / "docs" / "conditioning.png"


@dataclass(frozen=True)
class ConditioningTrial(FiguresTrial):
    """One training, whose images are measured."""

    _: KW_ONLY
    conditioning: str = ""

    def __str__(self) -> str:
        return f"{self.method} with {self.conditioning}, seed {self.seed}"

    def folder(self, runs: Path) -> Path:
        """The folder of its figures and its run."""
        return runs / self.conditioning / f"seed-{self.seed}"

    def measure(self, folder: Path, command: str) -> dict[str, Any]:
        """Trains, makes images and compares them."""
        images = development()
        s = train_settings(
            known=images.classes, method=self.method, seed=self.seed, images=IMAGES, calibration=0.0, threads=1,
            conditioning=self.conditioning,
        )  # fmt: skip
        return compared(run(images, s, folder / "run"), images)


@lru_cache
def development() -> Images:
    """The training images, of which the last are held out."""
    images = read(DATA, size=(32, 32))
    images = images.select(np.flatnonzero(~np.asarray(images.test)))
    return replace(images, test=np.arange(len(images)) >= len(images) - HELD_OUT)


def compared(model: Model, images: Images) -> dict[str, float]:
    """The figures of a model's images beside the held-out ones."""
    test = np.asarray(images.test)
    made = np.concatenate([np.concatenate([*one.images(MADE, seed=0)]) for one in generators(model).values()])
    labels = np.repeat(np.arange(len(images.classes)), MADE)
    extractor = lite0(images.shape)
    judge = own(images.pixels[~test], images.labels[~test], f"{DATA}, training part", 0)
    real = extractor.features(images.pixels[test])
    overlap = compare(real, extractor.features(made))
    ours, theirs = judge.features(made), judge.features(images.pixels[test])
    apart = [
        within(ours[labels == k]).mean / within(theirs[images.labels[test] == k]).mean
        for k in range(len(images.classes))
    ]
    return {
        "fid": distance(real, extractor.features(made)),
        "precision": overlap.precision,
        "recall": overlap.recall,
        "recognised": float((judge.probabilities(made).argmax(1) == labels).mean()),
        "within": float(np.mean(apart)),
        "least_within": float(min(apart)),
    }


def picture() -> Figure:
    """Held-out images of every class, and generated ones of each way, seed 0."""
    images = development()
    rows = [np.flatnonzero(np.asarray(images.test) & (images.labels == k))[:SHOWN] for k in range(len(images.classes))]
    columns = {"held out": np.stack([images.pixels[own] for own in rows])}
    for way in WAYS:
        made = generators(Model.load(RUNS / way / "seed-0" / "run")).values()
        columns[way] = np.stack([np.concatenate([*one.images(SHOWN, seed=0)]) for one in made])
    return drawn(columns, (12, 5.4))


def main() -> None:
    """Trains in every way, writes the table and draws the picture."""
    trials = [ConditioningTrial(DATA, "sn-projection", seed, conditioning=way) for way in WAYS for seed in SEEDS]
    lines = [
        {"conditioning": trial.conditioning, "seed": str(trial.seed), **digits(figures, FIGURES)}
        for trial, figures in zip(trials, measured(trials, RUNS), strict=True)
    ]
    save("conditioning", with_means(lines, "conditioning", FIGURES))
    picture().savefig(PICTURE, dpi=110)


if __name__ == "__main__":
    main()
