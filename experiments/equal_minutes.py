"""Which GAN makes the best images after 5 and after 15 minutes of one core? On clothes, CIFAR-10, steel and tiles.

    python experiments/equal_minutes.py DATA

DATA is a folder with the folders cifar-10-batches-bin, steel and tiles. Training images alone: the last 10,000 of
Fashion-MNIST's and of CIFAR-10's are held out, and a fifth of steel and tiles, which are brought to 64 x 64 pixels.
Preset small, seed 0. A few steps on one thread are timed, in seconds of the processor, and say how many images are
shown; so other work on the machine does not count. The figures are those of `lookalike measure --features efficientnet`
with as many generated images as are held out, and at most 5,000; `size` and `width` are those of the nets. They go to
experiments/results/equal_minutes.csv, of all trainings that are done, and images of 15 minutes to docs/generated.png.
All stays in runs/equal_minutes. The same command goes on. Takes about three hours on two cores.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from dataclasses import KW_ONLY, dataclass, replace
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from lines import save
from matplotlib.figure import Figure

from lookalike.base import files
from lookalike.base.arrays import Pixels
from lookalike.base.threads import computing_with
from lookalike.data import Images, read, split
from lookalike.detect.model import Model
from lookalike.game.gan import GAN
from lookalike.game.train import train
from lookalike.runs import plan as plans
from lookalike.runs.run import run
from lookalike.runs.settings import TrainSettings, train_settings
from lookalike.studies.study import Study
from lookalike.studies.trial import FiguresTrial
from lookalike.use.generate import generators
from lookalike.use.measure import generated, measure

RUNS = Path("runs/equal_minutes")
DATA = {"fashion-mnist": 32, "cifar-10-batches-bin": 32, "steel": 64, "tiles": 64}  # name -> side in pixels
COLOUR = "cifar-10-batches-bin"  # steel is grey, though stored in colour
METHODS = ("auto-gan", "sn-acgan", "acgan", "r3gan")
MINUTES = (5, 15)
WORKERS = 2  # trainings side by side
OFFICIAL, HELD_OUT, MOST = 10_000, 0.2, 5_000  # images or share held out; generated images
TIMED = 20  # steps, after as many that are not
FIGURES = ("FID", "FID, no bias", "KID", "precision", "recall", "recognised", "accuracy score")
SHOWN = 6  # images of a class in the picture
PICTURE = Path(__file__).parents[1] / "docs" / "generated.png"


@dataclass(frozen=True)
class MinutesTrial(FiguresTrial):
    """One training of so many minutes, whose images are measured."""

    _: KW_ONLY
    minutes: int = 0

    def __str__(self) -> str:
        return f"{self.method} on {Path(self.data).name}, {self.minutes} minutes"

    def folder(self, runs: Path) -> Path:
        """The folder of its run and its figures."""
        return runs / Path(self.data).name / f"{self.method}-{self.minutes}"

    def measure(self, folder: Path, command: str) -> dict[str, Any]:
        """Trains, makes images and measures them."""
        images = development(self.data)
        given = {"known": images.classes, "method": self.method, "seed": self.seed, "calibration": 0.0, "threads": 1}
        timed = folder / "timed.json"
        if not timed.exists():
            with computing_with(1):
                files.write_json(timed, shown(images, train_settings(**given), 60 * self.minutes))
        facts = files.read_json(timed)
        model = run(images, train_settings(**given, images=facts["images"]), folder / "run")
        number = min(MOST, int(np.sum(images.test))) // len(images.classes)
        found = measure(
            generated(model, number, 0), images, Path(self.data).name, features="efficientnet", accuracy=True
        )
        figures = {figure.name: (figure.value, figure.real) for figure in found.figures}
        assert found.accuracy is not None
        assert found.named is not None
        recognised = [one["taken for it"] or 0 for one in found.classes.values()]
        return facts | {
            "made": found.made,
            **{name: of for name, of in figures.items() if name in FIGURES},
            "recognised": (float(np.mean(recognised)), found.named.rate),
            "accuracy score": (found.accuracy.made.rate, found.accuracy.real.rate),
        }


@lru_cache
def development(data: str) -> Images:
    """The training images, of which some are held out."""
    side = DATA[Path(data).name]
    images = read(data, size=(side, side), channels=3 if Path(data).name == COLOUR else 1)
    if images.test is None:
        parts = split(images, test=HELD_OUT, calibration=0.0, seed=0)
        return replace(images, test=np.isin(np.arange(len(images)), parts.test))
    images = images.select(np.flatnonzero(~np.asarray(images.test)))
    return replace(images, test=np.arange(len(images)) >= len(images) - OFFICIAL)


def shown(images: Images, settings: TrainSettings, seconds: int) -> dict[str, Any]:
    """How many images a training of so many seconds shows, by a few steps of it, and the nets' size and width."""
    plan = plans.make(images, settings)
    method, batch = plan.recipe.method, plan.recipe.batch
    assert method is not None, "all methods here are GANs"
    gan = GAN(
        method, images.shape, seed=0, device="cpu", classes=len(images.classes), ema=plan.recipe.settings.ema or 0.0
    )
    steps = train(gan, plan.source(), images=2 * TIMED * batch, batch=batch)
    for _ in range(TIMED):
        next(steps)
    began = time.process_time()
    for _ in range(TIMED):
        next(steps)
    step = (time.process_time() - began) / TIMED
    return {
        "images": round(seconds / step) * batch,
        "size": images.shape[-1],
        "width": plan.recipe.settings.width,
        "ms an image": 1000 * step / batch,
    }


def line(trial: MinutesTrial) -> dict[str, str | int]:
    """The figures of one training; of each the real images' stand behind it."""
    found = trial.figures(RUNS)
    facts = {"data": Path(trial.data).name, "method": trial.method, "minutes": trial.minutes, "seed": trial.seed}
    names = {name: (name, f"{name}, real") for name in FIGURES}
    texts = {
        column: "" if value is None else f"{value:.4g}"
        for name, columns in names.items()
        for column, value in zip(columns, found[name], strict=True)
    }
    return facts | {name: found[name] for name in ("images", "size", "width", "made")} | texts


def picture(trials: Iterable[MinutesTrial]) -> Figure:
    """Held-out images of every class, and those that were generated, seed 0."""
    found = list(trials)
    figure = Figure(figsize=(4.2 * len(found), 6), layout="constrained")
    for axes, trial in zip(figure.subplots(1, len(found), squeeze=False)[0], found, strict=True):
        images = development(trial.data)
        made = generators(Model.load(trial.folder(RUNS) / "run"))
        rows = [
            np.concatenate(
                [
                    images.pixels[np.asarray(images.test) & (images.labels == images.classes.index(name))][:SHOWN],
                    *one.images(SHOWN, seed=0),
                ]
            )
            for name, one in made.items()
        ]
        axes.imshow(_tiled(rows), cmap="gray", vmin=0, vmax=255)
        axes.set_title(f"{Path(trial.data).name}: {SHOWN} held out, {SHOWN} generated", fontsize="medium")
        axes.axis("off")
    return figure


def _tiled(rows: list[Pixels]) -> Pixels:
    """(K * H, N * W) or (K * H, N * W, 3) of K rows of images (N, C, H, W)."""
    tiled = np.concatenate([np.concatenate(list(row.transpose(0, 2, 3, 1)), 1) for row in rows])
    return tiled if tiled.shape[2] == 3 else tiled[..., 0]


def main() -> None:
    """Trains every cell and writes the table after each, and at last draws the picture."""
    places = {name: name if name == "fashion-mnist" else str(Path(sys.argv[1]) / name) for name in DATA}
    every = [
        [MinutesTrial(places[name], method, 0, minutes=minutes) for name in DATA]
        for minutes in MINUTES
        for method in METHODS
    ]
    for some in every:
        study = Study(RUNS, workers=WORKERS, warn=print, report=lambda *said: print(*said, flush=True))
        if study.perform(some):
            raise SystemExit(1)
        save("equal_minutes", [line(one) for one in chain(*every) if one.is_done(RUNS)])
    best = [one for one in chain(*every) if (one.method, one.minutes) == (METHODS[0], MINUTES[-1])]
    picture(best).savefig(PICTURE, dpi=90)


if __name__ == "__main__":
    main()
