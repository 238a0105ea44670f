"""Does `train` warn of mode collapse and dropped classes where they are, and nowhere else? Twenty healthy trainings.

    python experiments/collapse.py

Small trainings on scikit-learn's digits (8 x 8) and mnist-5k (32 x 32), two seeds each: twenty that should be well, and
others that are made to fail. Each stands beside the judgement of another eye, a small CNN trained on all ten digits:
how many of 200 generated images of a class it recognises, and their variety by its features, as `lookalike augment`
measures them; the worst class counts. A G of several classes that is not conditional is judged by its variety alone.
The last column is the time that watching took, in % of the training. The figures go to
experiments/results/collapse.csv; the trainings stay in runs/collapse.
"""

from __future__ import annotations

import shlex
import time
from dataclasses import KW_ONLY, dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from lines import Line, measured, save

from lookalike.data import read
from lookalike.detect.model import ANY, Model
from lookalike.runs import plan as plans
from lookalike.runs.folder import training_seconds
from lookalike.runs.run import PLACES, run
from lookalike.runs.settings import train_settings
from lookalike.runs.variety import Variety
from lookalike.studies.trial import FiguresTrial
from lookalike.use.filled import variety
from lookalike.use.generate import generators
from lookalike.use.quality.own import Own, own

RUNS = Path("runs/collapse")
SIDES = {"digits": "8,8", "mnist-5k": "32,32"}
SEEDS = range(2)
MADE, GRIDS = 200, 8
THREE, TRIO, ALL = ("3",), ("3", "5", "8"), tuple("0123456789")

Ways = dict[tuple[str, str, tuple[str, ...]], dict[str, Any]]
WELL: Ways = {
    ("digits", "acgan", TRIO): {"images": 30_000},
    ("digits", "cgan", TRIO): {"images": 30_000},
    ("digits", "sn-acgan", TRIO): {"images": 20_000},
    ("digits", "k-plus-one", TRIO): {"images": 15_000},
    ("digits", "wgan-gp", TRIO): {"images": 4_000, "pooled": True},
    ("digits", "sn-binary", THREE): {"images": 15_000},
    ("digits", "sn-binary", ("8",)): {"images": 15_000},
    ("mnist-5k", "anogan", THREE): {"images": 12_000},
    ("mnist-5k", "vtgan", THREE): {"images": 8_000},
    ("mnist-5k", "mcgan", THREE): {"images": 12_000, "extra_fakes": ("8",)},
}
FAILED: Ways = {
    ("digits", "anogan", THREE): {"images": 8_000},  # the papers' small network at 8 x 8: one picture of a 3
    ("digits", "mcgan", THREE): {"images": 8_000, "extra_fakes": ("8",)},
    ("digits", "noisegan", THREE): {"images": 6_000, "lr": 0.05},  # G's step size far too large
    ("digits", "vtgan", THREE): {"images": 4_000, "lr": 1e-6, "d_lr": 0.01},  # D's far larger than G's
    ("digits", "anogan", ALL): {"images": 10_000, "pooled": True},
    ("digits", "acgan", ALL): {"images": 8_000},  # far too few images
    ("digits", "cgan", ALL): {"images": 15_000, "width": 2},
    ("digits", "sn-projection", ALL): {"images": 8_000},
}


@dataclass(frozen=True)
class Watched(FiguresTrial):
    """A training, what it warned of, and what the CNN says of its images."""

    _: KW_ONLY
    known: tuple[str, ...]
    expected: str
    places: ClassVar[tuple[str, ...]] = PLACES

    def folder(self, runs: Path) -> Path:
        """The folder of its training."""
        return runs / self.expected / self.data / f"{self.method}-{''.join(self.known)}" / f"seed-{self.seed}"

    def measure(self, folder: Path, command: str) -> dict[str, Any]:
        """Trains, generates and classifies."""
        settings = train_settings(
            known=self.known, method=self.method, seed=self.seed, calibration=0.0, threads=1, size=SIDES[self.data],
            **dict(self.settings),
        )  # fmt: skip
        warned: list[str] = []
        model = run(self.data, settings, folder, command=tuple(shlex.split(command)), held=True, warn=warned.append)
        seconds = training_seconds(folder) or 0.0
        plan = plans.make(self.data, settings)
        assert plan.recipe.method is not None
        began = time.perf_counter()
        source = Variety(plan, plan.recipe.method)
        for _ in range(GRIDS):
            source.figures(next(iter(generators(model).values())).gan)
        took = (time.perf_counter() - began) / seconds
        return {"warned": warned, "seconds": seconds, "took": took, **seen(self.data, self.known, model, self.seed)}


def seen(data: str, known: tuple[str, ...], model: Model, seed: int) -> dict[str, float | None]:
    """The least share of a class's images that the CNN recognises, and the least variety by its features."""
    shares, varied = [], []
    for name, one in generators(model).items():
        made = np.concatenate(list(one.images(MADE, seed=seed)))
        alone = name != ANY or len(known) == 1
        real = read(data, size=model.size, classes=(name,) if alone else known).pixels
        varied.append(variety(judge(data, model.size).features(made), judge(data, model.size).features(real)))
        if alone:
            shares.append(float((judge(data, model.size).probabilities(made).argmax(1) == ALL.index(name)).mean()))
    return {"recognised": min(shares, default=None), "variety": min(x for x in varied if x is not None)}


@cache
def judge(data: str, size: tuple[int, int]) -> Own:
    """The CNN that knows all ten digits at this size."""
    images = read(data, size=size)
    assert images.classes == ALL
    return own(images.pixels, images.labels, data, 0)


def line(trial: Watched, found: dict[str, Any]) -> Line:
    """A line of the table."""
    settings = " ".join(f"{name}={value}" for name, value in trial.settings if name != "extra_fakes")
    kinds = [kind for kind in ("mode collapse", "dropped classes", "D wins") if any(kind in x for x in found["warned"])]
    return {
        "expected": trial.expected, "data": trial.data, "method": trial.method, "known": "".join(trial.known),
        "settings": settings, "seed": trial.seed,
        "recognised": "" if found["recognised"] is None else f"{found['recognised']:.2f}",
        "variety": f"{found['variety']:.2f}", "warned": ", ".join(kinds), "watching, %": f"{100 * found['took']:.1f}",
    }  # fmt: skip


def main() -> None:
    """Does every training, writes the table and counts the warnings."""
    trials = [
        Watched(data, method, seed, settings=(*given.items(),), known=known, expected=expected)
        for expected, ways in (("well", WELL), ("failed", FAILED))
        for (data, method, known), given in ways.items()
        for seed in SEEDS
    ]
    lines = [line(trial, found) for trial, found in zip(trials, measured(trials, RUNS), strict=True)]
    save("collapse", lines)
    for expected in ("well", "failed"):
        mine = [one for one in lines if one["expected"] == expected]
        print(f"{expected}: {sum(one['warned'] != '' for one in mine)} of {len(mine)} were warned of")


if __name__ == "__main__":
    main()
