"""One way to train a classifier on short classes, with one seed: what it is shown, and what it reaches.

All ways share the split, the scaling, the validation images, the classifier and its stopping rule; nothing is weighted.
They differ in what is added to the training images, or in what each batch goes through.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from lookalike.base import files, workers
from lookalike.base.arrays import Labels, Pixels
from lookalike.base.seeds import seed_of
from lookalike.data import Images, split
from lookalike.data.sparsify import sparsify
from lookalike.detect.model import Model
from lookalike.methods import METHODS
from lookalike.runs.plan import read_used
from lookalike.runs.run import run, seconds
from lookalike.runs.settings import TrainSettings, train_settings
from lookalike.studies.augment import classifier
from lookalike.studies.augment.figures import figures
from lookalike.studies.augment.transforms import Affine, MixUp, Transform
from lookalike.studies.jobs import name_of, of_other_versions
from lookalike.use.augment import wanted
from lookalike.use.generate import generators

NONE, OVERSAMPLE = "none", "oversample"
TRANSFORMS: dict[str, Transform] = {"affine": Affine(), "mixup": MixUp()}
GANS = tuple(name for name, method in METHODS.items() if method.conditional)
WAYS = (NONE, OVERSAMPLE, *TRANSFORMS, *GANS)
VALIDATION = 0.1  # of the training images
TOP = 2  # of the top-k accuracy; as in gan-augmentation-2020 for ten classes
MANY, TOP_OF_MANY = 20, 5  # from so many classes on, as there for a hundred
RARE = 0.1  # a class that lacks more than this share of what it is filled up to is rare
RESULT = "figures.json"


@dataclass(frozen=True)
class Trial:
    """One way with one seed.

    Parameters
    ----------
    data : str
        Folder, file or data set's name.
    classes : tuple of str
        Its classes, each with enough images.
    way : str
        One of `WAYS`.
    seed : int
        Of the split, what is left out, the GAN and the classifier.
    to : str
        How far the short classes are filled up; see `lookalike.use.augment.wanted`.
    share : float
        Of all training images that are used at all.
    keep : tuple of (str, float or int)
        Of these classes only so many training images stay.
    affine : Affine
        What the way `affine` does.
    preset : str
        The GAN's.
    settings : tuple of (str, value)
        Other settings of the GAN's training and of reading.
    """

    data: str
    classes: tuple[str, ...]
    way: str
    seed: int
    to: str = "balance"
    share: float = 1.0
    keep: tuple[tuple[str, float | int], ...] = ()
    affine: Affine = Affine()
    preset: str = "small"
    settings: tuple[tuple[str, Any], ...] = ()

    def __str__(self) -> str:
        return f"{self.way}, seed {self.seed}"

    def but(self, **changes: Any) -> Trial:
        """This trial with other values."""
        return replace(self, **changes)

    @property
    def transform(self) -> Transform | None:
        """What each batch goes through."""
        return self.affine if self.way == "affine" else TRANSFORMS.get(self.way)

    @property
    def generates(self) -> bool:
        """Whether a GAN makes images."""
        return self.way in GANS

    def train_settings(self) -> TrainSettings:
        """What its GAN trains with: all of the images that it is given."""
        method = self.way if self.generates else GANS[0]
        given = {"known": self.classes, "method": method, "seed": self.seed, "preset": self.preset, "threads": 1}
        return train_settings(**given | dict(self.settings) | {"test": 0.0, "calibration": 0.0})

    def folder(self, runs: Path) -> Path:
        """Where it keeps its training and its figures, below `runs`."""
        less = [f"{self.share:g}"] * (self.share < 1) + [f"{name}={amount}" for name, amount in self.keep]
        data = ",".join([name_of(self.data), *less])
        changed = ",".join(f"{name}={value}" for name, value in self.settings)
        turned = str(self.affine) if self.way == "affine" and self.affine != Affine() else ""
        way = "-".join(filter(None, (self.way, turned, changed, self.to)))
        parts = (f"augment-{self.preset}", data, way)
        return runs.joinpath(*map(files.safe_name, parts), f"seed-{self.seed}")

    def is_done(self, runs: Path) -> bool:
        """Whether its figures are there."""
        return (self.folder(runs) / RESULT).exists()


def remarks(trials: Sequence[Trial], runs: Path) -> Iterator[str]:
    """A line where figures are those of another version of this package."""
    done = [files.read_json(trial.folder(runs) / RESULT) for trial in trials if trial.is_done(runs)]
    yield from of_other_versions([one.get("version") for one in done], runs)


@dataclass(frozen=True)
class Parts:
    """The images of a trial: (pixels (N, C, H, W) uint8, labels (N,)) of each part."""

    train: tuple[Pixels, Labels]
    validation: tuple[Pixels, Labels]
    test: tuple[Pixels, Labels]
    images: Images  # those of `train`, with names and content


def parts_of(trial: Trial, images: Images) -> Parts:
    """The same parts for every way, as if what is left out had never been there; one in ten is for validation."""
    for less in (dict.fromkeys(trial.classes, trial.share), dict(trial.keep)):
        images = sparsify(images, less, trial.seed)
    found = split(images, test=0.2, calibration=VALIDATION, seed=trial.seed)
    train, validation, test = (
        (images.pixels[rows], images.labels[rows]) for rows in (found.train, found.calibration, found.test)
    )
    return Parts(train, validation, test, replace(images.select(found.train), test=None))


def perform(trial: Trial, runs: Path, command: str = "") -> None:
    """Trains the GAN, if any, and the classifier, and stores the figures; waits where another process does."""
    folder = files.make_folder(trial.folder(runs))
    with files.lock(folder, wait=workers.tell):
        if not trial.is_done(runs):
            _perform(trial, folder, command)


def _perform(trial: Trial, folder: Path, command: str) -> None:
    """The same in a folder that is held."""
    settings = trial.train_settings()
    parts = parts_of(trial, read_used(trial.data, settings))
    numbers = np.bincount(parts.train[1], minlength=len(parts.images.classes))
    counts = {name: int(numbers[parts.images.classes.index(name)]) for name in trial.classes}
    short = wanted(trial.to, counts)
    rare = [name for name, n in short.items() if n > RARE * (n + counts[name])] or list(short)
    record: dict[str, Any] = {"counts": counts, "short": short, "rare": rare, "way": trial.way, "seed": trial.seed}
    record["version"] = version("lookalike")
    shown = parts.train
    if trial.generates:
        model = run(parts.images, settings, folder / "gan", command=tuple(shlex.split(command)), wait=workers.tell)
        record["gan_seconds"] = seconds(folder / "gan")
        shown = _with(shown, *_made(model, parts.images.classes, short, trial.seed))
        alone = _made(model, parts.images.classes, dict.fromkeys(counts, max(counts.values())), trial.seed)
        record["generated_only"] = _measured(alone, parts, trial, rare)
    elif trial.way == OVERSAMPLE:
        shown = _repeated(shown, parts.images.classes, short, trial.seed)
    record |= _measured(shown, parts, trial, rare)
    files.write_json(folder / RESULT, record)


def _measured(shown: tuple[Pixels, Labels], parts: Parts, trial: Trial, rare: Sequence[str]) -> dict[str, Any]:
    """Figures of the classifier that is trained on `shown`, on the test images."""
    began, k = time.monotonic(), len(parts.images.classes)
    fitted = classifier.fit(*shown, classes=k, validation=parts.validation, seed=trial.seed, transform=trial.transform)
    top = TOP_OF_MANY if k >= MANY else TOP
    numbers = np.array([parts.images.classes.index(name) for name in rare])
    found = figures(fitted.probabilities(parts.test[0]), parts.test[1], top=top, rare=numbers)
    recall = dict(zip(parts.images.classes, found["recall"], strict=True))
    cost = {"epochs": fitted.epochs, "best_epoch": fitted.best, "seconds": time.monotonic() - began}
    return found | cost | {"recall": {name: recall[name] for name in trial.classes}}


def _made(model: Model, classes: tuple[str, ...], counts: dict[str, int], seed: int) -> tuple[Pixels, Labels]:
    """So many generated images of each class."""
    able = generators(model)
    pixels = [np.concatenate(list(able[name].images(n, seed=seed))) for name, n in counts.items()]
    labels = np.repeat([classes.index(name) for name in counts], list(counts.values()))
    return np.concatenate(pixels), labels.astype(np.int64)


def _with(shown: tuple[Pixels, Labels], pixels: Pixels, labels: Labels) -> tuple[Pixels, Labels]:
    return np.concatenate([shown[0], pixels]), np.concatenate([shown[1], labels])


def _repeated(
    shown: tuple[Pixels, Labels], classes: tuple[str, ...], short: dict[str, int], seed: int
) -> tuple[Pixels, Labels]:
    """Random oversampling: images of short classes are drawn again, with replacement."""
    random = np.random.default_rng(seed_of(seed, OVERSAMPLE))
    rows = [random.choice(np.flatnonzero(shown[1] == classes.index(name)), n) for name, n in short.items()]
    more = np.concatenate(rows)
    return _with(shown, shown[0][more], shown[1][more])
