"""One training of a table of quality: what it made, and what that was worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from importlib.util import find_spec
from pathlib import Path
from statistics import fmean
from typing import Any

from lookalike.base import files, workers
from lookalike.data import read
from lookalike.data.sources import open_source
from lookalike.features.faces import PACKAGE
from lookalike.methods import METHODS
from lookalike.runs.folder import FACTS, shown, training_seconds
from lookalike.runs.presets import PRESETS
from lookalike.runs.run import run
from lookalike.runs.settings import TEST, TrainSettings, train_settings
from lookalike.studies.trial import FIGURES, FiguresTrial
from lookalike.use.generate import generators
from lookalike.use.measure import Features, generated, measure

MADE = {"small": 5_000, "paper": 50_000}  # images that are measured, of all classes together
ONE_CLASS = ("stl-10-unlabelled",)  # EfficientNet's features: no classifier learns from one class
ABOVE = {"stl-10-unlabelled": 0.02}  # share of the images above which classes are split: the authors' 2,000 of 100,000
FACES = 100_000  # in preset paper
OF_FACES = ("celeba",)  # MTCNN says how sure it is, where its weights are installed
BY_CLASS = ("FID, no bias", "KID", "within", "taken for it")
TREE = ("nmi", "ari")  # how well the tree of a splitting GAN agrees with the labels


@dataclass(frozen=True)
class QualityTrial(FiguresTrial):
    """A trial that measures the images that a GAN generates.

    Parameters
    ----------
    side : int
        The side of the images, in pixels.
    pooled : bool
        Trains without labels.
    wide : int
        Times the preset's width.
    weights : str
        Inception's file; its figures stand in a file of their own.
    images : int or None
        Images shown in training; None: the preset's.
    """

    _: KW_ONLY
    side: int
    pooled: bool = False
    wide: int = 1
    weights: str = ""
    images: int | None = None

    def __str__(self) -> str:
        return f"{self._way()} on {self.data}, seed {self.seed}"

    def folder(self, runs: Path) -> Path:
        """The folder of the training; tables share trainings that are the same."""
        return runs / f"quality-{self.preset}" / files.safe_name(self.data) / self._way() / f"seed-{self.seed}"

    @property
    def file_name(self) -> str:
        """The name of the file of figures; Inception's features have one of their own."""
        return "figures-inception.json" if self.weights else FIGURES

    def shown(self, runs: Path) -> str:
        """The images that were shown."""
        return shown(self.folder(runs) / "run")

    def is_done(self, runs: Path) -> bool:
        """Whether the trial was measured with the settings of now."""
        return super().is_done(runs) and self.figures(runs).get("asked") == self.depends_on()

    @property
    def made(self) -> int:
        """How many images are measured, of all classes together; of faces as many as the paper's."""
        return FACES if self.preset == "paper" and self.data in OF_FACES else MADE[self.preset]

    def depends_on(self) -> dict[str, Any]:
        """What its figures depend on."""
        return {"made": self.made, "settings": self._how(), "preset": PRESETS[self.preset]}

    @property
    def features(self) -> Features:
        """The name of the network whose features are used."""
        return "inception" if self.weights else "efficientnet" if self.data in ONE_CLASS else "own"

    def train_settings(self, known: tuple[str, ...]) -> TrainSettings:
        """The settings of the training."""
        return train_settings(known=known, test=TEST, **self._how() | self.place)

    def measure(self, folder: Path, command: str) -> dict[str, Any]:
        """Trains, generates and measures."""
        settings, own = self.train_settings(open_source(self.data).classes), folder / "run"
        model = run(self.data, settings, own, command=(command,), wait=workers.tell)
        made = generated(model, self.made // len(generators(model)), self.seed)
        found = measure(
            made,
            read(self.data, size=model.size),
            self.data,
            run=own,
            features=self.features,
            weights=Path(self.weights) if self.weights else None,
            show_faces=self.data in OF_FACES and find_spec(PACKAGE) is not None,
            accuracy=len(made.classes) > 1,
            seed=0,  # the same classifier for all, where the test images are official
        )
        facts = files.read_json(own / FACTS) if (own / FACTS).exists() else {}
        whose = "" if self.weights else "_own"
        return {
            "asked": self.depends_on(),  # the key of files of earlier versions
            "figures": made_figures(found.json(), whose) | {name: facts[name] for name in TREE if facts},
            "real": real_figures(found.json(), whose),
            "features": found.features,
            "sure": found.sure,
            "seconds": training_seconds(own),
            "measured": found.json(),
        }

    def _way(self) -> str:
        return "-".join([self.method, *["pooled"] * self.pooled, *[f"{self.wide}x"] * (self.wide > 1)])

    def _how(self) -> dict[str, Any]:
        preset = PRESETS[self.preset]
        width = self.wide * preset["families"].get(METHODS[self.method].family, preset)["width"]
        above = {"split_above": ABOVE[self.data]} if METHODS[self.method].splitting and self.data in ABOVE else {}
        return {
            "method": self.method, "seed": self.seed, "preset": self.preset, "pooled": self.pooled,
            "size": f"{self.side},{self.side}", "width": width, "calibration": 0, "threads": 1, "images": self.images,
            **above,
        }  # fmt: skip


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
    """What `measure` says of real test images."""
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
