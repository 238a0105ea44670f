"""One pass of f-AnoGAN's encoder beside the latent search V(x), on the ten rows of vtgan-2021's table 1.

    python experiments/fanogan.py

Preset small (32 x 32, width 16), three seeds: f-anogan learns the known class of each row. Up to 100 test images a
class are scored twice: by one pass of the encoder, and by V(x) of the same G and D. The mnist rows are mnist-5k's. The
figures go to experiments/results/fanogan.csv: the AUC of each score, and seconds an image on one thread, with another
case on each other core. The trainings stay in runs/fanogan, and the same command goes on where it stopped.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

from lines import Line, mean, save

import lookalike
from lookalike.base import files, workers
from lookalike.detect.auc import area
from lookalike.detect.gan import GANDetector
from lookalike.game.score import EncoderPass, LatentSearch, Score
from lookalike.runs.run import run
from lookalike.runs.settings import train_settings
from lookalike.studies.detect.parts import TEST, images_of
from lookalike.studies.tables.vtgan import ROWS

RUNS = Path("runs/fanogan")
DATA = {"mnist": "mnist-5k", "fashion-mnist": "fashion-mnist"}
SCORES: dict[str, Score] = {"encoder": EncoderPass(), "search": LatentSearch()}
SIDE = 100  # test images of each class
SEEDS = range(3)
FIGURES = ("encoder", "search", "encoder_s", "search_s")


@dataclass(frozen=True)
class Case:
    """A row of the table with a seed."""

    data: str
    known: str
    unknown: str
    seed: int

    def __str__(self) -> str:
        return f"{self.known} and {self.unknown}, seed {self.seed}"

    @property
    def folder(self) -> Path:
        """The folder of its training, which rows with the same known class share."""
        return RUNS / files.safe_name(f"{self.data}-{self.known}") / f"seed-{self.seed}"

    @property
    def done(self) -> Path:
        """The file of its figures."""
        return self.folder.with_name(f"seed-{self.seed}-{files.safe_name(self.unknown)}.json")


def measure(case: Case, _runs: Path, _command: str) -> None:
    """Writes the AUC and the seconds an image of both scores, unless they are there."""
    if case.done.exists():
        return
    settings = train_settings(known=(case.known,), method="f-anogan", seed=case.seed, threads=1)
    model = run(DATA[case.data], settings, files.make_folder(case.folder), wait=workers.tell)
    images = lookalike.read(DATA[case.data], size=model.size, channels=model.channels)
    sides = [images_of(images, settings, name, TEST)[:SIDE] for name in (case.known, case.unknown)]
    found: dict[str, float] = {}
    gan, search = model.detector.gan, model.detector.search
    for name, score in SCORES.items():
        gan.method = gan.method.but(score=score)
        began = time.perf_counter()
        said = [GANDetector(gan, search).score(side).score for side in sides]
        found |= {name: area(*said), f"{name}_s": (time.perf_counter() - began) / sum(map(len, sides))}
    files.write_json(case.done, found)


def main() -> None:
    """Measures every row with every seed and writes the table."""
    cases = [Case(row.dataset, *row.known, row.unknown, seed) for seed in SEEDS for row in ROWS]
    failed = workers.side_by_side(
        measure, cases, RUNS, workers=os.cpu_count() or 1, command="", report=lambda stage, done, of: print(stage)
    )
    if failed:
        raise SystemExit("\n".join(f"{case}: {why}" for case, why in failed.items()))
    lines = [line(case) for case in cases]
    means = [
        {**{key: one[key] for key in ("dataset", "known", "unknown")}, "seed": "mean", **mean(mine, FIGURES)}
        for one in lines[: len(ROWS)]
        if (mine := [each for each in lines if (each["known"], each["unknown"]) == (one["known"], one["unknown"])])
    ]
    every = {"dataset": "all", "known": "", "unknown": "", "seed": "mean", **mean(lines, FIGURES)}
    save("fanogan", [*lines, *means, every])


def line(case: Case) -> Line:
    """The figures of a case as a line of the table."""
    found = json.loads(case.done.read_text())
    digits = {name: f"{found[name]:.4f}" for name in FIGURES}
    return {"dataset": case.data, "known": case.known, "unknown": case.unknown, "seed": case.seed, **digits}


if __name__ == "__main__":
    main()
