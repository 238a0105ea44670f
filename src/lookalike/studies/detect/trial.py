"""One training of a detector, and its scores of test images, class by class; tables and the bench share them."""

from __future__ import annotations

import shlex
from dataclasses import KW_ONLY, dataclass, replace
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any, ClassVar, Self
from zipfile import BadZipFile

import numpy as np

from lookalike.base import files
from lookalike.base.arrays import Floats, Labels, Pixels
from lookalike.base.errors import ModelError, listed, show
from lookalike.data import Images, read
from lookalike.detect.auc import area
from lookalike.detect.model import Model
from lookalike.features.cache import clock
from lookalike.runs import record
from lookalike.runs.folder import made_by_version, shown, training_seconds
from lookalike.runs.reading import Reading
from lookalike.runs.run import PLACES, run
from lookalike.runs.settings import TrainSettings, train_settings
from lookalike.studies.detect.parts import FEW, GIVEN, HELD_OUT, TEST, WHOLE, images_of
from lookalike.studies.trial import Trial, name_of

BLOCK = 512  # images scored at once
SCORES_LIMIT = 1 << 28  # bytes of the scores of one class
CALIBRATION = 0.1  # of the training images, for the threshold


@dataclass(frozen=True)
class DetectorTrial(Trial):
    """A trial that trains one detector.

    Parameters
    ----------
    known, extra_fakes : tuple of str
        Classes as `lookalike train` takes them.
    scored : tuple of str
        Classes whose test images are scored: official ones, or else the split's test part.
    whole : tuple of str
        Classes whose images are all scored; no training learns them.
    test_data : str
        Where the images are that are scored, if not in `data`: all images there of the classes in `scored` and `whole`.
    sizes : Reading, optional
        The sizes of all images, and of their content keys; None: as the known classes' own images are. Detectors of
        single classes that are joined need one split, and so one size of the keys.
    held_out : bool
        Scores the held-out images of these classes too: those that set the threshold, were their class known.
    """

    _: KW_ONLY
    known: tuple[str, ...] = ()
    extra_fakes: tuple[str, ...] = ()
    scored: tuple[str, ...] = ()
    whole: tuple[str, ...] = ()
    test_data: str = ""
    sizes: Reading | None = None
    held_out: bool = False

    places: ClassVar[tuple[str, ...]] = (*PLACES, TEST, HELD_OUT, WHOLE, FEW, GIVEN)

    def __str__(self) -> str:
        return f"{self.method} on {listed(self.known)}, seed {self.seed}"

    def joined(self, other: Self) -> Self:
        """The same training, which scores what either scores."""
        scored, whole = (tuple(dict.fromkeys((*a, *b))) for a, b in zip(self._names(), other._names(), strict=True))
        return self.but(scored=scored, whole=whole, held_out=self.held_out or other.held_out)

    def train_settings(self) -> TrainSettings:
        """The settings of the training."""
        return train_settings(
            **{"known": self.known, "extra_fakes": self.extra_fakes, "method": self.method, "seed": self.seed}
            | {"preset": self.preset, "calibration": CALIBRATION, **self.place}
            | dict(self.settings)
        )

    def folder(self, runs: Path) -> Path:
        """The folder of the training; trials that differ only in what they score share it."""
        method = "-".join((self.method, *(["extra_fakes", *self.extra_fakes] if self.extra_fakes else [])))
        sides = (*self.sizes.size, *(self.sizes.key_size or ())) if self.sizes else ()
        sizes = f"at={','.join(map(str, sides))}" if sides else ""
        way = "-".join(filter(None, (method, self.changed(), sizes)))
        parts = (self.preset, name_of(self.data), ",".join(self.known), way)
        return runs.joinpath(*map(files.safe_name, parts), f"seed-{self.seed}")

    def is_done(self, runs: Path) -> bool:
        """Whether all scores of the trial are stored."""
        folder = self.folder(runs)
        return all(self._file(folder, part, name).exists() for part, name in self._parts())

    def shown(self, runs: Path) -> str:
        """The images that were shown."""
        return shown(self.folder(runs))

    def made_by(self, runs: Path) -> str | None:
        """The version that trained it."""
        return made_by_version(self.folder(runs))

    def perform(self, runs: Path, command: str = "") -> None:
        """Trains and scores what is missing; a folder that holds other files is refused before it is locked."""
        record.begun(files.make_folder(self.folder(runs)))
        super().perform(runs, command)

    def work(self, folder: Path, command: str) -> None:
        """Trains what is not trained yet and scores what is not scored yet."""
        settings = self.train_settings()
        model: Model | None = None
        for part, name in self._parts():
            if self._file(folder, part, name).exists():
                continue
            model = model or self.model(folder, command)
            files.make_folder(folder / part)
            _store(model, images_of(self.images(model, part), settings, name, part), self._file(folder, part, name))

    def model(self, folder: Path, command: str) -> Model:
        """The model in its folder, which is trained where it is not there yet."""
        settings = self.train_settings()
        return run(self._taught(settings), settings, folder, command=tuple(shlex.split(command)), held=True)

    def images(self, model: Model, part: str = TEST) -> Images:
        """All images of the data that hold a part, at the size of the model."""
        data = self.test_data if part == GIVEN else self.data
        how = self.train_settings().reading() | ({"group": None} if part == GIVEN else {})
        return read_once(data, model.size, model.channels, tuple(how.items()), model.key_size)

    def scores(self, runs: Path, name: str, part: str = TEST) -> ClassScores:
        """What was stored of class `name`; ModelError where it is missing or damaged."""
        path = self._file(self.folder(runs), part, name)
        try:
            with np.load(BytesIO(files.read_bytes(path, SCORES_LIMIT)), allow_pickle=False) as arrays:
                label = arrays["label"] if "label" in arrays else np.zeros(len(arrays["score"]), np.int64)
                return ClassScores(arrays["score"], arrays["p_value"], float(arrays["seconds"]), label)
        except (OSError, ValueError, LookupError, EOFError, BadZipFile) as error:
            raise ModelError(
                f"{show(path)} holds no scores: {show(error)}; if it is there remove it, and run the same command again"
            ) from error

    def cost(self, runs: Path) -> float:
        """Seconds of training and of scoring all images that are measured."""
        return (training_seconds(self.folder(runs)) or 0.0) + sum(
            self.scores(runs, name, part).seconds for part, name in self._parts() if part != HELD_OUT
        )

    def promise(self, runs: Path) -> float:
        """The AUC of its known classes against all others that it scored; 0.5 where it scored one of both alone."""
        scores = {name: self.scores(runs, name, self.part_of(name)).score for name in (*self.scored, *self.whole)}
        known, others = ([s for name, s in scores.items() if (name in self.known) == own] for own in (True, False))
        return area(np.concatenate(known), np.concatenate(others)) if known and others else 0.5

    def part_of(self, name: str) -> str:
        """The part that measures class `name`."""
        return GIVEN if self.test_data else WHOLE if name in self.whole else TEST

    def _file(self, folder: Path, part: str, name: str) -> Path:
        """The file of a class's scores."""
        own = f"{name_of(self.test_data)} {name}" if part == GIVEN else name
        return folder / part / f"{files.safe_name(own)}.npz"

    def _taught(self, settings: TrainSettings) -> str | Images:
        """What the training reads: its classes alone."""
        if self.sizes is None:
            return self.data
        channels = 1 if settings.grey else None
        how = tuple(settings.reading().items())
        images = read_once(self.data, self.sizes.size, channels, how, self.sizes.key_size)
        return images.of(*self.known, *self.extra_fakes)

    def _names(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        return self.scored, self.whole

    def _parts(self) -> list[tuple[str, str]]:
        """The images that are scored, as pairs (part, class)."""
        held_out = [(HELD_OUT, name) for name in self.scored if self.held_out]
        return [(self.part_of(name), name) for name in (*self.scored, *self.whole)] + held_out


@dataclass(frozen=True)
class ClassScores:
    """The scores of one class's images, in the order of the data."""

    score: Floats  # (N,)
    p_value: Floats  # (N,)
    seconds: float  # for all of them
    label: Labels  # (N,) number of the most likely known class, were the image of one

    def of(self, rows: Labels) -> Self:
        """The scores of these images (n,)."""
        return replace(self, score=self.score[rows], p_value=self.p_value[rows], label=self.label[rows])


def _store(model: Model, pixels: Pixels, path: Path) -> None:
    """Scores images, and writes the scores and the seconds."""
    began = clock()
    said = [model.score(pixels[i : i + BLOCK]) for i in range(0, len(pixels), BLOCK)]
    label = [np.zeros(len(s.score), np.int64) if s.classes is None else s.classes.argmax(1) for s in said]
    out = BytesIO()
    np.savez(
        out,
        label=np.concatenate(label),
        score=np.concatenate([s.score for s in said]),
        p_value=np.concatenate([s.p_value for s in said]),
        seconds=clock() - began,
    )
    files.write_bytes(path, out.getvalue())


@lru_cache(maxsize=2)
def read_once(
    data: str,
    size: tuple[int, int] | None,
    channels: int | None,
    reading: tuple[tuple[str, Any], ...],
    key_size: tuple[int, int] | None,
) -> Images:
    """As `lookalike.data.read`, for trials that one process does one after the other."""
    return read(data, size=size, channels=channels, key_size=key_size, **dict(reading))
