"""One pass of f-AnoGAN's encoder beside the latent search V(x), on the ten rows of vtgan-2021's table 1.

    python experiments/fanogan.py

Preset small (32 x 32, width 16), three seeds: f-anogan learns the known class of each row. Up to 100 test images a
class are scored twice: by one pass of the encoder, and by V(x) of the same G and D. The mnist rows are mnist-5k's. The
figures go to experiments/results/fanogan.csv: the AUC of each score, and seconds an image on one thread, with another
case on each other core. The trainings stay in runs/fanogan, and the same command goes on where it stopped.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any, ClassVar

from lines import Line, mean, measured, save

import lookalike
from lookalike.base import files
from lookalike.detect.auc import area
from lookalike.detect.gan import GANDetector
from lookalike.game.score import EncoderPass, LatentSearch, Score
from lookalike.runs.run import PLACES, run
from lookalike.runs.settings import train_settings
from lookalike.studies.detect.parts import TEST, images_of
from lookalike.studies.tables.vtgan import ROWS
from lookalike.studies.trial import FiguresTrial

RUNS = Path("runs/fanogan")
DATA = {"mnist": "mnist-5k", "fashion-mnist": "fashion-mnist"}
SCORES: dict[str, Score] = {"encoder": EncoderPass(), "search": LatentSearch()}
SIDE = 100  # test images of each class
SEEDS = range(3)
FIGURES = ("encoder", "search", "encoder_s", "search_s")


@dataclass(frozen=True)
class BothScoresTrial(FiguresTrial):
    """A GAN of one known class, and both scores of it and of each unknown class."""

    _: KW_ONLY
    known: str = ""
    unknown: tuple[str, ...] = ()

    places: ClassVar[tuple[str, ...]] = PLACES

    def __str__(self) -> str:
        return f"{self.known} known, seed {self.seed}"

    def folder(self, runs: Path) -> Path:
        """The folder of its training."""
        return runs / files.safe_name(f"{self.data}-{self.known}") / f"seed-{self.seed}"

    def measure(self, folder: Path, command: str) -> dict[str, Any]:
        """Unknown class -> the AUC and the seconds an image of both scores."""
        settings = train_settings(known=(self.known,), method=self.method, seed=self.seed, threads=1)
        model = run(self.data, settings, folder, command=tuple(shlex.split(command)), held=True)
        images = lookalike.read(self.data, size=model.size, channels=model.channels)
        sides = {name: images_of(images, settings, name, TEST)[:SIDE] for name in (self.known, *self.unknown)}
        return {name: self._both(model.detector, sides[self.known], sides[name]) for name in self.unknown}

    def _both(self, detector: GANDetector, known: Any, other: Any) -> dict[str, float]:
        found: dict[str, float] = {}
        gan, search = detector.gan, detector.search
        for name, score in SCORES.items():
            gan.method = gan.method.but(score=score)
            began = time.perf_counter()
            said = [GANDetector(gan, search).score(side).score for side in (known, other)]
            found |= {name: area(*said), f"{name}_s": (time.perf_counter() - began) / (len(known) + len(other))}
        return found


def main() -> None:
    """Measures every row with every seed and writes the table."""
    rows = [(row.dataset, *row.known, row.unknown) for row in ROWS]
    trials = {
        (data, known, seed): BothScoresTrial(
            DATA[data], "f-anogan", seed, known=known, unknown=tuple(row[2] for row in rows if row[:2] == (data, known))
        )
        for seed in SEEDS
        for data, known, _ in rows
    }
    found = dict(zip(trials, measured(list(trials.values()), RUNS), strict=True))
    lines = [line(*row, seed, found[*row[:2], seed][row[2]]) for seed in SEEDS for row in rows]
    means = [
        {**{key: one[key] for key in ("dataset", "known", "unknown")}, "seed": "mean", **mean(mine, FIGURES)}
        for one in lines[: len(rows)]
        if (mine := [each for each in lines if (each["known"], each["unknown"]) == (one["known"], one["unknown"])])
    ]
    every = {"dataset": "all", "known": "", "unknown": "", "seed": "mean", **mean(lines, FIGURES)}
    save("fanogan", [*lines, *means, every])


def line(data: str, known: str, unknown: str, seed: int, found: Mapping[str, float]) -> Line:
    """The figures of a row with a seed as a line of the table."""
    said = {name: f"{found[name]:.4f}" for name in FIGURES}
    return {"dataset": data, "known": known, "unknown": unknown, "seed": seed, **said}


if __name__ == "__main__":
    main()
