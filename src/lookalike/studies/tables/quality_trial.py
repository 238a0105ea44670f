"""One training of a table of quality: what it made, and what that was worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from statistics import fmean
from typing import Any

from lookalike.base import files, workers
from lookalike.data import read
from lookalike.data.sources import open_source
from lookalike.features.faces import PACKAGE
from lookalike.runs import run as runs
from lookalike.runs.folder import FACTS
from lookalike.runs.presets import PRESETS
from lookalike.runs.settings import TrainSettings, train_settings
from lookalike.use.generate import generators
from lookalike.use.measure import Features, generated, measure

MADE = {"small": 5_000, "paper": 50_000}  # images that are measured, of all classes together
ONE_CLASS = ("stl-10-unlabelled",)  # EfficientNet's features: no classifier learns from one class
OF_FACES = ("celeba",)  # MTCNN says how sure it is, where its weights are installed
BY_CLASS = ("FID, no bias", "KID", "within", "taken for it")


@dataclass(frozen=True)
class Way:
    """One method of a table: its name there, and how it is trained."""

    name: str
    method: str
    pooled: bool = False  # without labels
    wide: int = 1  # times the preset's width


@dataclass(frozen=True)
class Trial:
    """One training, what it made, and what that was worth."""

    data: str
    way: Way
    seed: int
    preset: str
    side: int
    weights: str = ""  # Inception's file
    images: int | None = None  # shown in training; None: the preset's

    def __str__(self) -> str:
        return f"{self.way.name} on {self.data}, seed {self.seed}"

    def folder(self, runs: Path) -> Path:
        """Where it trains, below `runs`; ways of one training share it."""
        way = "-".join([self.way.method, *["pooled"] * self.way.pooled, *[f"{self.way.wide}x"] * (self.way.wide > 1)])
        return runs / f"quality-{self.preset}" / files.safe_name(self.data) / way / f"seed-{self.seed}"

    def is_done(self, runs: Path) -> bool:
        """Whether it was measured, as it is asked for now."""
        return self.result(runs).exists() and files.read_json(self.result(runs)).get("asked") == self.asked()

    def asked(self) -> dict[str, Any]:
        """What its figures depend on."""
        return {"made": MADE[self.preset], "settings": self._how(), "preset": PRESETS[self.preset]}

    def result(self, runs: Path) -> Path:
        """What was measured: with Inception's features a file of its own."""
        return self.folder(runs) / ("figures-inception.json" if self.weights else "figures.json")

    @property
    def features(self) -> Features:
        """Whose."""
        return "inception" if self.weights else "efficientnet" if self.data in ONE_CLASS else "own"

    def settings(self, known: tuple[str, ...]) -> TrainSettings:
        """What it trains with."""
        return train_settings(known=known, **self._how())

    def _how(self) -> dict[str, Any]:
        width = self.way.wide * PRESETS[self.preset]["families"]["resnet"]["width"]
        return {
            "method": self.way.method, "seed": self.seed, "preset": self.preset, "pooled": self.way.pooled,
            "size": f"{self.side},{self.side}", "width": width, "calibration": 0, "threads": 1, "images": self.images,
        }  # fmt: skip


def perform(trial: Trial, folder: Path, command: str = "") -> None:
    """Trains, generates, measures and stores the figures; waits where another process does."""
    own = files.make_folder(trial.folder(folder))
    with files.lock(own, wait=workers.tell):
        if not trial.is_done(folder):
            _perform(trial, own, folder, command)


def _perform(trial: Trial, own: Path, folder: Path, command: str) -> None:
    """The same in its folder, which is held."""
    settings = trial.settings(open_source(trial.data).classes)
    model = runs.run(trial.data, settings, own / "run", command=(command,), wait=workers.tell)
    made = generated(model, MADE[trial.preset] // len(generators(model)), trial.seed)
    found = measure(
        made,
        read(trial.data, size=model.size),
        trial.data,
        run=own / "run",
        features=trial.features,
        weights=Path(trial.weights) if trial.weights else None,
        show_faces=trial.data in OF_FACES and find_spec(PACKAGE) is not None,
        accuracy=len(made.classes) > 1,
        seed=0,  # the same classifier for all, where the test images are official
    )
    tree = own / "run" / FACTS
    split = {name: files.read_json(tree)[name] for name in ("nmi", "ari")} if tree.exists() else {}
    whose = "" if trial.weights else "_own"
    result = {
        "asked": trial.asked(),
        "figures": made_figures(found.json(), whose) | split,
        "real": real_figures(found.json(), whose),
        "features": found.features,
        "sure": found.sure,
        "seconds": runs.seconds(own / "run"),
        "measured": found.json(),
    }
    files.write_json(trial.result(folder), result)


def made_figures(found: Mapping[str, Any], whose: str) -> dict[str, float | None]:
    """What `measure` says of the generated images, by column; `whose` marks the inception score of our classifier."""
    classes = list(found["classes"].values())
    return (
        {_plain(name, whose): one["value"] for name, one in found["figures"].items()}
        | {f"class_{_plain(name)}": mean_of_all([one[name] for one in classes]) for name in BY_CLASS if classes}
        | ({"accuracy_score": found["accuracy"]["made"]["rate"]} if found["accuracy"] else {})
        | {f"surer_than_{one['above']:g}": one["made"]["rate"] for one in found["confidence"]}
        | {f"distance_{one['batch']}": one["mean"] for one in found["distances"]}
    )


def real_figures(found: Mapping[str, Any], whose: str) -> dict[str, float | None]:
    """What it says of unseen real images."""
    classes = list(found["classes"].values())
    return (
        {_plain(name, whose): one["real"] for name, one in found["figures"].items()}
        | ({"class_within": mean_of_all([one["within, real"] for one in classes])} if classes else {})
        | ({"accuracy_score": found["accuracy"]["real"]["rate"]} if found["accuracy"] else {})
        | {f"surer_than_{one['above']:g}": one["real"]["rate"] for one in found["confidence"]}
        | {f"distance_{one['batch']}": one["real mean"] for one in found["distances"]}
    )


def mean_of_all(values: Sequence[float | None]) -> float | None:
    """None where one is, or where there is none."""
    there = [value for value in values if value is not None]
    return fmean(there) if there and len(there) == len(values) else None


def _plain(name: str, whose: str = "") -> str:
    """A figure's name as a column's."""
    plain = name.lower().replace(",", "").replace(" ", "_")
    return f"{plain}{whose}" if plain == "inception_score" else plain
