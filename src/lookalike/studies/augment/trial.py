"""One way to train a classifier on short classes, with one seed: what it learns from, and what it reaches.

All ways share the split, the scaling, the validation images, the classifier and its stopping rule; nothing is weighted.
They differ in what is added to the training images, or in what each batch goes through.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lookalike.base import files, workers
from lookalike.base.arrays import Labels, Pixels
from lookalike.base.names import ClassifierName
from lookalike.base.seeds import seed_of
from lookalike.data import Images, scaled, split
from lookalike.data.groups import Groups
from lookalike.data.images import as_pixels
from lookalike.data.sparsify import sparsify
from lookalike.detect.model import Model
from lookalike.features import cache
from lookalike.methods import METHODS
from lookalike.runs.folder import shown, training_seconds
from lookalike.runs.reading import read_used
from lookalike.runs.run import run
from lookalike.runs.settings import TrainSettings, train_settings
from lookalike.studies.augment import classifier, larger, probe
from lookalike.studies.augment.figures import figures
from lookalike.studies.augment.transforms import Affine, MixUp, Transform
from lookalike.studies.trial import FiguresTrial, name_of
from lookalike.use.augment import wanted
from lookalike.use.generate import generators

NONE, OVERSAMPLE = "none", "oversample"
TRANSFORMS: dict[str, Transform] = {"affine": Affine(), "mixup": MixUp()}
GANS = tuple(name for name, method in METHODS.items() if method.conditional)
RECONSTRUCTED, ALI = "ali-reconstructed", "ali"  # gan-augmentation-2020, section V.C
WAYS = (NONE, OVERSAMPLE, *TRANSFORMS, *GANS, RECONSTRUCTED)
CNN: ClassifierName = "cnn"
LARGER = "cnn-larger"  # of the table's CIFAR-100 alone
CLASSIFIERS = {CNN: classifier, "probe": probe, LARGER: larger}
TEST = 0.2  # of all images, where the data has no official test part
VALIDATION = 0.1  # of the training images
BLOCK = 256  # images that an encoder and G take at one time
TOP = 2  # of the top-k accuracy; as in gan-augmentation-2020 for ten classes
MANY, TOP_OF_MANY = 20, 5  # from so many classes on, as there for a hundred
RARE = 0.1  # a class that lacks more than this share of what it is filled up to is rare


@dataclass(frozen=True)
class ClassifierTrial(FiguresTrial):
    """A trial that fills up short classes in one way and trains a classifier; its method is one of `WAYS`.

    The seed is that of the split, of what is left out, of the GAN and of the classifier. Preset and settings are the
    GAN's.

    Parameters
    ----------
    classes : tuple of str
        Classes of the data, each with enough images.
    to : str
        How far the short classes are filled up; see `lookalike.use.augment.wanted`.
    share : float
        The share of all training images that are used at all.
    keep : tuple of (str, float or int)
        Of these classes only so many training images stay.
    affine : Affine
        The transformations of the way `affine`.
    rare : tuple of (str, int)
        Of these classes only so many images are learnt from, the validation images among them; all test images stay.
    classifier : str
        One of `CLASSIFIERS`. All share the GAN in the folder of a way.
    """

    _: KW_ONLY
    classes: tuple[str, ...]
    to: str = "balance"
    share: float = 1.0
    keep: tuple[tuple[str, float | int], ...] = ()
    affine: Affine = Affine()
    rare: tuple[tuple[str, int], ...] = ()
    classifier: str = CNN

    @property
    def file_name(self) -> str:
        """One for each classifier."""
        return f"figures-{self.classifier}.json"

    @property
    def transform(self) -> Transform | None:
        """The transformation of each batch, or None."""
        return self.affine if self.method == "affine" else TRANSFORMS.get(self.method)

    @property
    def generates(self) -> bool:
        """Whether a GAN makes images."""
        return self.method in (*GANS, RECONSTRUCTED)

    def train_settings(self) -> TrainSettings:
        """The settings of the GAN, which trains on all of the images that it gets."""
        method = ALI if self.method == RECONSTRUCTED else self.method if self.generates else GANS[0]
        given = {"known": self.classes, "method": method, "seed": self.seed, "preset": self.preset, **self.place}
        return train_settings(**given | dict(self.settings) | {"test": 0.0, "calibration": 0.0})

    def cost(self, runs: Path) -> float:
        """Seconds of all trainings."""
        return spent(self.figures(runs))

    def shown(self, runs: Path) -> str:
        """The images that were shown to the GAN."""
        return shown(self.folder(runs) / "gan")

    def folder(self, runs: Path) -> Path:
        """The folder of the training and the figures."""
        less = [f"{self.share:g}"] * (self.share < 1) + [f"{name}={amount}" for name, amount in self.keep]
        less += [f"rare {name}={number}" for name, number in self.rare]
        data = ",".join([name_of(self.data), *less])
        turned = str(self.affine) if self.method == "affine" and self.affine != Affine() else ""
        way = "-".join(filter(None, (self.method, turned, self.changed(), self.to)))
        return runs.joinpath(*map(files.safe_name, (f"augment-{self.preset}", data, way)), f"seed-{self.seed}")

    def measure(self, folder: Path, command: str) -> dict[str, Any]:
        """Trains the GAN, if any, and the classifier; figures of the latter on test images."""
        settings = self.train_settings()
        parts = parts_of(self, read_used(self.data, settings))
        there = np.bincount(parts.train[1], minlength=len(parts.images.classes))
        counts = {name: int(there[parts.images.classes.index(name)]) for name in self.classes}
        short = wanted(self.to, counts)
        rare = [name for name, n in short.items() if n > RARE * (n + counts[name])] or list(short)
        found: dict[str, Any] = {"counts": counts, "short": short, "rare": rare, "way": self.method, "seed": self.seed}
        given = parts.train
        if self.generates:
            model = run(parts.images, settings, folder / "gan", command=tuple(shlex.split(command)), wait=workers.tell)
            found["gan_seconds"] = training_seconds(folder / "gan")
            every = dict.fromkeys(counts, max(counts.values()))
            if self.method == RECONSTRUCTED:
                added, alone = (_reconstructed(model, parts, numbers, self.seed) for numbers in (short, every))
            else:
                added, alone = (_made(model, parts.images.classes, n, self.seed) for n in (short, every))
            given = _with(given, *added)
            found["generated_only"] = _measured(alone, parts, self, rare)
        elif self.method == OVERSAMPLE:
            given = _with(given, *_repeated(parts, short, self.seed))
        return found | _measured(given, parts, self, rare)


def cost(found: Mapping[str, Any]) -> float:
    """The seconds that GAN and classifier train."""
    return float(found["seconds"] + found.get("gan_seconds", 0.0))


def spent(found: Mapping[str, Any]) -> float:
    """The seconds of `cost`, and those of the classifier that generated images alone train."""
    return cost(found) + float(found.get("generated_only", {}).get("seconds", 0.0))


@dataclass(frozen=True)
class Parts:
    """The images of a trial: (pixels (N, C, H, W) uint8, labels (N,)) of each part."""

    train: tuple[Pixels, Labels]
    validation: tuple[Pixels, Labels]
    test: tuple[Pixels, Labels]
    images: Images  # those of `train`, with names and content
    said: str  # how many groups each part has; "" without groups


def parts_of(trial: ClassifierTrial, images: Images) -> Parts:
    """The same parts for every way, as if what is left out had never been there; one in ten is for validation."""
    for less in (dict.fromkeys(trial.classes, trial.share), dict(trial.keep)):
        images = sparsify(images, less, trial.seed)
    if trial.rare:
        images = sparsify(_tested(images, trial.seed), dict(trial.rare), trial.seed)
    found = split(images, test=TEST, calibration=VALIDATION, seed=trial.seed)
    train, validation, test = (
        (images.pixels[rows], images.labels[rows]) for rows in (found.train, found.calibration, found.test)
    )
    groups = images.groups
    said = groups.said(train=found.train, held_out=found.calibration, test=found.test) if groups is not None else ""
    return Parts(train, validation, test, replace(images.select(found.train), test=None), said)


def _tested(images: Images, seed: int) -> Images:
    """The images with their test part as if it were official."""
    if images.test is not None:
        return images
    test, groups = np.zeros(len(images), np.bool_), images.groups
    test[split(images, test=TEST, calibration=0.0, seed=seed).test] = True
    if groups is not None:
        groups = Groups.among(groups.of, images.labels, images.classes, test)
    return replace(images, test=test, groups=groups)


def _measured(
    given: tuple[Pixels, Labels], parts: Parts, trial: ClassifierTrial, rare: Sequence[str]
) -> dict[str, Any]:
    """Figures of the classifier that learns from `given`, on the test images."""
    began, k = cache.clock(), len(parts.images.classes)
    how = CLASSIFIERS[trial.classifier]
    fitted = how.fit(*given, classes=k, validation=parts.validation, seed=trial.seed, transform=trial.transform)
    top = TOP_OF_MANY if k >= MANY else TOP
    numbers = np.array([parts.images.classes.index(name) for name in rare])
    found = figures(fitted.probabilities(parts.test[0]), parts.test[1], top=top, rare=numbers)
    recall = dict(zip(parts.images.classes, found["recall"], strict=True))
    cost: dict[str, Any] = fitted.facts() | {"seconds": cache.clock() - began}
    return found | cost | {"recall": {name: recall[name] for name in trial.classes}}


def _made(model: Model, classes: tuple[str, ...], counts: dict[str, int], seed: int) -> tuple[Pixels, Labels]:
    """So many generated images of each class."""
    able = generators(model)
    pixels = [np.concatenate(list(able[name].images(n, seed=seed))) for name, n in counts.items()]
    labels = np.repeat([classes.index(name) for name in counts], list(counts.values()))
    return np.concatenate(pixels), labels.astype(np.int64)


def _with(given: tuple[Pixels, Labels], pixels: Pixels, labels: Labels) -> tuple[Pixels, Labels]:
    return np.concatenate([given[0], pixels]), np.concatenate([given[1], labels])


def _repeated(parts: Parts, counts: dict[str, int], seed: int) -> tuple[Pixels, Labels]:
    """Random oversampling: so many training images of each class, drawn with replacement."""
    (pixels, labels), classes = parts.train, parts.images.classes
    random = np.random.default_rng(seed_of(seed, OVERSAMPLE))
    rows = [random.choice(np.flatnonzero(labels == classes.index(name)), n) for name, n in counts.items()]
    more = np.concatenate(rows)
    return pixels[more], labels[more]


def _reconstructed(model: Model, parts: Parts, counts: dict[str, int], seed: int) -> tuple[Pixels, Labels]:
    """The same images as G makes them of the mean z that the encoder finds (gan-augmentation-2020, section V.C)."""
    pixels, labels = _repeated(parts, counts, seed)
    able, made = generators(model), list[Pixels]()
    own = torch.tensor([able[parts.images.classes[label]].label for label in labels])  # the number in the GAN
    gan = next(iter(able.values())).gan
    for i in range(0, len(pixels), BLOCK):
        x, y = torch.from_numpy(scaled(pixels[i : i + BLOCK])), own[i : i + BLOCK]
        made.append(as_pixels(gan.generate(gan.encode(x, y), y).cpu()))
    return np.concatenate(made), labels
