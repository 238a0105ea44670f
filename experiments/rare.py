"""Can a GAN learn a class of 25 images beside nine classes of 1,000? By method, for two rare classes, one seed.

    python experiments/rare.py

Fashion-MNIST's training images: the last 10,000 are held out, and of the others 1,000 of each class train, but 25 of
one class. Preset small, 150,000 images shown. Of the rare class 500 images are generated. The figures go
to experiments/results/rare.csv: the share that a classifier recognises, which learnt from all 50,000 images; the mean
distance of two generated images over that of two held-out ones, by its features; the median distance, in pixels, to the
nearest of the few training images, over that of held-out images (near 0: copies); and the share of the other nine
classes' images that it recognises. Images go to docs/rare.png. All stays in runs/rare. Takes about half an hour.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from conditioning import development
from lines import digits, measured, save
from matplotlib.figure import Figure
from scipy.spatial.distance import cdist

from lookalike.base.arrays import Floats, Pixels
from lookalike.data import Images
from lookalike.detect.model import Model
from lookalike.runs.run import run
from lookalike.runs.settings import train_settings
from lookalike.studies.trial import FiguresTrial
from lookalike.use.generate import generators
from lookalike.use.quality.diversity import within
from lookalike.use.quality.own import Own, own

RUNS = Path("runs/rare")
DATA = "fashion-mnist"
FIGURES = ("recognised", "variety", "nearest", "others_recognised")
COMMON, MADE = 1_000, 500  # images of each other class; generated images of the rare class
IMAGES = 150_000  # shown
RARE = ("Pullover", "Ankle boot")
CELLS = [  # method, rare class, its images, seed
    (method, name, 25, 0) for name in RARE for method in ("auto-gan", "sn-projection", "acgan")
]
SHOWN = 12  # images of a row in the picture
PICTURE = Path(__file__).parents[1] / "docs" / "rare.png"


@dataclass(frozen=True)
class RareTrial(FiguresTrial):
    """One training with a rare class, whose images are measured."""

    _: KW_ONLY
    rare: str = ""
    n: int = 0

    def __str__(self) -> str:
        return f"{self.method}, {self.n} of {self.rare}, seed {self.seed}"

    def folder(self, runs: Path) -> Path:
        """The folder of its data, its run and its figures."""
        return runs / f"{self.rare.replace(' ', '-')}-{self.n}" / self.method / f"seed-{self.seed}"

    def measure(self, folder: Path, command: str) -> dict[str, Any]:
        """Trains, makes images and measures them."""
        images = development()
        rows, file = few(images, self.rare, self.n), folder / "few.npz"
        folder.mkdir(parents=True, exist_ok=True)
        np.savez(file, images=images.pixels[rows, 0], labels=np.array(images.classes)[images.labels[rows]])
        s = train_settings(
            known=tuple(sorted(images.classes)), method=self.method, seed=self.seed, images=IMAGES, calibration=0.0,
            threads=1,
        )  # fmt: skip
        model = run(str(file), s, folder / "run")
        return compared(model, images, self.rare, images.pixels[rows[images.labels[rows] == self.label(images)]])

    def label(self, images: Images) -> int:
        """The number of the rare class."""
        return images.classes.index(self.rare)


def few(images: Images, rare: str, n: int) -> npt.NDArray[np.int64]:
    """Rows of the first 1,000 images of each class that are not held out, and the first n of the rare class."""
    train = ~np.asarray(images.test)
    return np.concatenate(
        [
            np.flatnonzero(train & (images.labels == label))[: n if name == rare else COMMON]
            for label, name in enumerate(images.classes)
        ]
    )


@lru_cache
def judge() -> Own:
    """A classifier of all images that are not held out."""
    images = development()
    train = ~np.asarray(images.test)
    return own(images.pixels[train], images.labels[train], f"{DATA}, training part", 0)


def compared(model: Model, images: Images, rare: str, training: Pixels) -> dict[str, float]:
    """The figures of a model's images beside the held-out ones and the few of training."""
    made = {name: np.concatenate([*one.images(MADE, seed=0)]) for name, one in generators(model).items()}
    said = {name: judge().probabilities(x).argmax(1) == images.classes.index(name) for name, x in made.items()}
    held_out = images.pixels[np.asarray(images.test) & (images.labels == images.classes.index(rare))]
    apart = [within(judge().features(x)).mean for x in (made[rare], held_out)]
    near = [np.median(_flat_distances(x, training).min(1)) for x in (made[rare], held_out)]
    return {
        "recognised": float(said[rare].mean()),
        "variety": apart[0] / apart[1],
        "nearest": float(near[0] / near[1]),
        "others_recognised": float(np.mean([own.mean() for name, own in said.items() if name != rare])),
    }


def _flat_distances(x: Pixels, others: Pixels) -> Floats:
    return np.asarray(cdist(x.reshape(len(x), -1).astype(float), others.reshape(len(others), -1).astype(float)))


def picture(trials: list[RareTrial]) -> Figure:
    """The rare class in each training of 25 images and seed 0, below images that it learnt from."""
    images = development()
    chosen = [trial for trial in trials if (trial.n, trial.seed) == (25, 0)]
    rows = {}
    for name in dict.fromkeys(trial.rare for trial in chosen):
        real = few(images, name, 25)
        rows[f"{name}, real"] = images.pixels[real[images.labels[real] == images.classes.index(name)]][:SHOWN]
        for trial in (one for one in chosen if one.rare == name):
            one = generators(Model.load(trial.folder(RUNS) / "run"))[name]
            rows[f"{name}, {trial.method}"] = np.concatenate([*one.images(SHOWN, seed=0)])
    figure = Figure(figsize=(9, len(rows)), layout="constrained")
    for axes, (title, shown) in zip(figure.subplots(len(rows), 1), rows.items(), strict=True):
        axes.imshow(np.concatenate(list(shown[:, 0]), 1), cmap="gray", vmin=0, vmax=255)
        axes.set_title(title, loc="left", fontsize="medium")
        axes.set(xticks=[], yticks=[])
    return figure


def main() -> None:
    """Trains every cell, writes the table and draws the picture."""
    trials = [RareTrial(DATA, method, seed, rare=rare, n=n) for method, rare, n, seed in CELLS]
    lines = [
        {"method": trial.method, "rare": trial.rare, "images": trial.n, "seed": trial.seed, **digits(figures, FIGURES)}
        for trial, figures in zip(trials, measured(trials, RUNS), strict=True)
    ]
    save("rare", lines)
    picture(trials).savefig(PICTURE, dpi=100)


if __name__ == "__main__":
    main()
