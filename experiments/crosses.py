"""Crosses that nobody published: extra fakes under other games, splitting inside K + 1. For detection, and for quality.

    python experiments/crosses.py

Extra fakes: mcgan (images of the look-alike as fakes), vtgan (a weak twin's) and anogan (none). Each has the minimax
game, the hinge game, and the critic's game with its gradient penalty (five steps of D), on two pairs of look-alikes.

Splitting: k-plus-one and mode on three known classes, whole, and with classes that are split after 16 % of the images;
anogan's network and game, without spectral norm.

Each cross is one detector: AUC of the known classes' test images against the look-alike's, accuracy among several known
classes, and KID of 1,000 generated images against the known classes' test images (features of a small CNN).
Preset small. Figures go to experiments/results/crosses.csv, their means and deviations over seeds to crosses.md, and
generated images of the methods with extra fakes, of seed 0, to crosses.png. The trainings stay in runs/crosses. A
training that fails is left out and named.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lines import Line, save
from matplotlib.figure import Figure
from PIL import Image

from lookalike.data import read
from lookalike.detect.auc import area
from lookalike.detect.model import Model
from lookalike.methods import METHODS
from lookalike.studies.detect.trial import DetectorTrial
from lookalike.studies.study import Study
from lookalike.studies.tables.lines import grid, of_seeds, ours
from lookalike.use.generate import generators
from lookalike.use.measure import generated, measure

RUNS = Path("runs/crosses")
RESULTS = Path(__file__).parent / "results"
SEEDS = range(3)
PAIRS = (("mnist-5k", ("3",), "8"), ("fashion-mnist", ("Coat",), "Shirt"))
GROUPS = (
    ("fashion-mnist", ("T-shirt/top", "Pullover", "Coat"), "Shirt"),
    ("mnist-5k", ("3", "5", "9"), "8"),
)
WITH_FAKES = ("anogan", "mcgan", "vtgan")
GAMES: Mapping[str, Mapping[str, Any]] = {
    "minimax": {},
    "hinge": {"loss": "hinge"},
    "critic": {"loss": "wasserstein", "penalty": 10.0, "d_steps": 5, "beta1": 0.0},
}
CLASSIFYING = ("k-plus-one", "mode")
PLAIN = {
    "net": "anogan", "spectral": False, "beta1": 0.5, "lr": 1e-3, "d_lr": 5e-4, "width": 16, "images": 45_000,
}  # fmt: skip
SPLITS: Mapping[str, Mapping[str, Any]] = {"whole": PLAIN, "split": PLAIN | {"split_at": (7_200,)}}
MADE = 1000
FIGURES = ("auc", "accuracy", "kid")
SAID = (
    "AUC: known against unknown test images. Accuracy: which of several known classes. KID: generated images against "
    "the known classes' test images, features of a classifier of the data. Mean ± standard deviation over seeds.\n"
)


@dataclass(frozen=True)
class Cross:
    """One detector of some known classes, whose look-alike is unknown."""

    data: str
    known: tuple[str, ...]
    unknown: str
    method: str
    way: str  # its game, or whether its classes are split
    settings: Mapping[str, Any]

    def trial(self, seed: int) -> DetectorTrial:
        """The training of one cross with a seed."""
        extra_fakes = (self.unknown,) if METHODS[self.method].needs_others else ()
        return DetectorTrial(
            self.data, self.method, seed, settings=(*self.settings.items(),), known=self.known, extra_fakes=extra_fakes,
            scored=(*self.known, self.unknown),
        )  # fmt: skip

    def line(self, figures: Mapping[str, str], seed: int | str) -> dict[str, str | int]:
        """A line of the table."""
        names = {"data": self.data, "known": ", ".join(self.known), "unknown": self.unknown, "method": self.method}
        return {**names, "way": self.way, "seed": seed, **figures}


def crosses() -> Iterator[Cross]:
    """All crosses, in the table's order."""
    for pair in PAIRS:
        yield from (Cross(*pair, method, way, how) for method in WITH_FAKES for way, how in GAMES.items())
    for group in GROUPS:
        yield from (Cross(*group, method, way, how) for method in CLASSIFYING for way, how in SPLITS.items())


def figures(cross: Cross, seed: int) -> dict[str, str]:
    """The figures of a trial that is done."""
    trial = cross.trial(seed)
    known, other = [trial.scores(RUNS, name) for name in cross.known], trial.scores(RUNS, cross.unknown)
    right = [one.label == k for k, one in enumerate(known)]
    said = {
        "auc": f"{area(np.concatenate([one.score for one in known]), other.score):.3f}",
        "accuracy": f"{np.concatenate(right).mean():.3f}" if len(known) > 1 else "",
        "kid": f"{kid(trial):.3f}",
    }
    print(cross.line(said, seed), flush=True)
    return said


def kid(trial: DetectorTrial) -> float:
    """KID of images that the model makes against test images of its classes."""
    folder = trial.folder(RUNS)
    model = Model.load(folder)
    made = generated(model, MADE // len(generators(model)), trial.seed)
    classes = trial.known if len(trial.known) > 1 else ()  # one alone: no features
    real = read(trial.data, size=model.size, classes=classes)
    value = next(one.value for one in measure(made, real, trial.data, run=folder).figures if one.name == "KID")
    assert value is not None, "there are enough images"
    return value


def pages(lines: Sequence[Line]) -> Iterator[str]:
    """A grid for each group of classes: every method and way, mean and deviation over seeds."""
    for data, known, unknown in dict.fromkeys((line["data"], line["known"], line["unknown"]) for line in lines):
        mine = [line for line in lines if (line["data"], line["known"], line["unknown"]) == (data, known, unknown)]
        ways: dict[tuple[str, str], list[Line]] = {}
        for line in mine:
            ways.setdefault((str(line["method"]), str(line["way"])), []).append(line)
        there = [name for name in FIGURES if mine[0][name] != ""]
        body = [[*way, *(ours(_mean(of, name)) for name in there), str(len(of))] for way, of in ways.items()]
        yield "\n".join(
            [f"## {data}: {known} known, {unknown} unknown", "", *grid(["", "", *there, "seeds"], body), ""]
        )


def _mean(lines: Sequence[Line], name: str) -> Mapping[str, Any]:
    """The mean of one figure over seeds, as a line."""
    return of_seeds((), [float(line[name]) for line in lines], [], printed=None, command="")


def picture() -> Figure:
    """A block for each pair, with methods as rows and games as columns: the first images of the last sample grid."""
    side = 4  # images shown each way
    figure = Figure(figsize=(9, 3 * len(WITH_FAKES) * len(PAIRS)), layout="constrained")
    axes = figure.subplots(len(PAIRS) * len(WITH_FAKES), len(GAMES), squeeze=False)
    with_fakes = [cross for cross in crosses() if cross.method in WITH_FAKES]
    for axis, cross in zip(axes.flat, with_fakes, strict=True):
        axis.set_xticks([])
        axis.set_yticks([])
        axis.set_title(f"{', '.join(cross.known)}: {cross.method}, {cross.way}", fontsize=9)
        grids = sorted((cross.trial(0).folder(RUNS) / "samples").glob("[0-9]*.png"))
        if grids:  # else it is among those left out
            made = np.asarray(Image.open(grids[-1]).convert("L"))
            high, wide = (side * length // 8 for length in made.shape)
            axis.imshow(made[:high, :wide], cmap="gray", vmin=0, vmax=255)
    return figure


def main() -> None:
    """Trains and scores side by side what is missing, measures every cross and writes both tables and the picture."""
    study = Study(
        RUNS, workers=os.cpu_count() or 1, report=lambda *said: print(*said, flush=True),
        warn=lambda line: print(line, flush=True),
    )  # fmt: skip
    failed = study.perform([cross.trial(seed) for seed in SEEDS for cross in crosses()])
    lines: list[dict[str, str | int]] = []
    for cross in crosses():
        lines += [cross.line(figures(cross, seed), seed) for seed in SEEDS if cross.trial(seed) not in failed]
        save("crosses", lines)
    left_out = [f"Left out: {trial}: {sentence}\n" for trial, sentence in failed.items()]
    head = ["# Crosses, preset small\n", "`python experiments/crosses.py`\n", SAID, *left_out]
    (RESULTS / "crosses.md").write_text("\n".join([*head, *pages(lines)]))
    picture().savefig(RESULTS / "crosses.png", dpi=70)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
