"""A search that starts at an encoder's z, beside the search from the prior: AUC and images a second in one run.

    python experiments/encoder.py --mnist FOLDER
    python experiments/encoder.py --mnist FOLDER --whole

Preset small, seed 0, `--encoder --images 30000`: a GAN learns one class of three rows of vtgan-2021's table 1, for
15,000 images, and an encoder trains after the game for as many. 48 test images of each class are searched: from the
prior with the preset's 50 evaluations of V(x), and with at most 1,000 until V(x) falls by less than a thousandth in
20; from the encoder's z with 1 (no step), 2, 6, 11 and 21. FOLDER holds MNIST's four IDX files. The figures go to
experiments/results/encoder.csv: AUC, mean V(x) of the known class, evaluations of V(x) and seconds for each image on
one thread; each row, then the means. The trainings stay in runs/encoder. With --whole it is all ten rows, also vtgan,
and three seeds: about eight hours of one core, and the same command goes on.
"""

from __future__ import annotations

import argparse
import csv
import shlex
import time
from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from lines import Line, measured, save
from torch import Tensor

from lookalike.base import files
from lookalike.data import read
from lookalike.data.images import scaled
from lookalike.detect.auc import area
from lookalike.detect.search import Inverter, Search
from lookalike.game.gan import GAN
from lookalike.runs.run import PLACES, run
from lookalike.runs.settings import train_settings
from lookalike.studies.detect.parts import TEST, images_of
from lookalike.studies.tables.detectors import Row
from lookalike.studies.tables.vtgan import ROWS
from lookalike.studies.trial import FiguresTrial

RUNS, RESULTS = Path("runs/encoder"), Path(__file__).parent / "results"
PICKED = ("3/8", "Ankle boot/Sandal", "Coat/Shirt")
METHODS, WHOLE = ("anogan", "mcgan"), ("anogan", "mcgan", "vtgan")
SIDE, IMAGES = 48, 30_000  # test images of each class; images shown to game and encoder
NEVER = {"tolerance": 0.0, "patience": 10**6}
WAYS = {  # name -> whether it starts at the encoder's z, and the search
    "prior, 50": (False, Search(steps=50, **NEVER)),
    "prior, converged": (False, Search(steps=1000)),
    **{f"encoder, {n}": (True, Search(steps=n, **NEVER)) for n in (1, 2, 6, 11, 21)},
}
FIGURES = ("auc", "V", "evaluations", "seconds", "converged")


class Counted(Inverter):
    """A latent search that counts how often it evaluates V(x) and its gradient, for an image."""

    evaluated = 0

    def slope(self, z: Tensor, x: Tensor, fx: Tensor, y: Tensor | None) -> tuple[Tensor, Tensor]:
        """As `Inverter.slope`."""
        self.evaluated += len(z)
        return super().slope(z, x, fx, y)


@dataclass(frozen=True)
class StartTrial(FiguresTrial):
    """A GAN of one class with an encoder, and each way to search."""

    _: KW_ONLY
    row: Row

    places: ClassVar[tuple[str, ...]] = PLACES

    def folder(self, runs: Path) -> Path:
        """The folder of the training."""
        return runs / files.safe_name(f"{self.row.dataset}-{self.row}") / f"{self.method}-seed-{self.seed}"

    def measure(self, folder: Path, command: str) -> dict[str, Any]:
        """Trains, and returns what each way gives."""
        fakes = (self.row.unknown,) if self.method == "mcgan" else ()
        settings = train_settings(
            known=self.row.known,
            extra_fakes=fakes,
            method=self.method,
            seed=self.seed,
            encoder=True,
            images=IMAGES,
            **self.place,
        )
        model = run(self.data, settings, folder, command=tuple(shlex.split(command)), held=True)
        images = read(self.data, size=model.size, channels=model.channels)
        sides = [images_of(images, settings, name, TEST)[:SIDE] for name in (*self.row.known, self.row.unknown)]
        x, known = torch.from_numpy(scaled(np.concatenate(sides))), len(sides[0])
        return {"ways": [{"way": way, **searched(model.detector.gan, x, known, *how)} for way, how in WAYS.items()]}


def searched(gan: GAN, x: Tensor, known: int, encoded: bool, search: Search) -> dict[str, float]:
    """What one way gives for images x, the first `known` of which are of the known class."""
    inverter, began = Counted(gan, search), time.perf_counter()
    found = inverter.search(x, gan.encode(x) if encoded else None)
    took, V = time.perf_counter() - began, found.V.numpy()
    return {
        "auc": area(V[:known], V[known:]),
        "V": float(V[:known].mean()),
        "evaluations": inverter.evaluated / len(x),
        "seconds": took / len(x),
        "converged": float(found.converged.float().mean()),
    }


def main() -> None:
    """Measures every row and method, and writes the table."""
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--mnist", default="mnist-5k", help="a folder with MNIST's four IDX files, or mnist-5k")
    given.add_argument("--whole", action="store_true", help="all rows, three methods and three seeds")
    asked = given.parse_args()
    data = {"mnist": asked.mnist, "fashion-mnist": "fashion-mnist"}
    rows = [row for row in ROWS if asked.whole or str(row) in PICKED]
    trials = [
        StartTrial(data[row.dataset], method, seed, row=row)
        for seed in range(3 if asked.whole else 1)
        for method in (WHOLE if asked.whole else METHODS)
        for row in rows
    ]
    lines: list[dict[str, Any]] = []
    for trial, found in zip(trials, measured(trials, RUNS), strict=True):
        place = {"dataset": trial.row.dataset, "known": trial.row.known[0], "unknown": trial.row.unknown}
        lines += [{**place, "method": trial.method, "seed": str(trial.seed), **way} for way in found["ways"]]
    save("encoder", [*map(written, lines), *means(lines)])
    print("\n".join(table()))


def means(lines: list[dict[str, Any]]) -> Iterator[Line]:
    """The means of each way over rows, methods and seeds."""
    for way in WAYS:
        mine = [line for line in lines if line["way"] == way]
        place = {"dataset": "mean", "known": "", "unknown": "", "method": "", "seed": "", "way": way}
        yield written(place | {name: float(np.mean([line[name] for line in mine])) for name in FIGURES})


def written(line: dict[str, Any]) -> Line:
    """The line with its figures as text."""
    return line | {name: f"{line[name]:.4g}" for name in FIGURES}


def table() -> list[str]:
    """The means in the file as the lines of docs/vtgan-2021.md; the last column is beside the converged search."""
    with (RESULTS / "encoder.csv").open(newline="") as file:
        found = {line["way"]: line for line in csv.DictReader(file) if line["dataset"] == "mean"}
    seconds = float(found["prior, converged"]["seconds"])
    said = []
    for way, line in found.items():
        start, number = way.split(", ")
        where = "the prior" if start == "prior" else "the encoder's z"
        most = "until it converges, at most 1,000" if number == "converged" else number
        figures = [f"{float(line['auc']):.3f}", f"{float(line['V']):.0f}", f"{1 / float(line['seconds']):.1f}"]
        said.append(f"| {where} | {most} | {' | '.join(figures)} | {seconds / float(line['seconds']):.0f} |")
    return said


if __name__ == "__main__":
    main()
