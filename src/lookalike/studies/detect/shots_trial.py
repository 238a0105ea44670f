"""One detector that learns from few images of each known class, and how well it finds what is unknown."""

from __future__ import annotations

import shlex
import warnings
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from lookalike.base import files
from lookalike.base.arrays import Floats
from lookalike.base.errors import DataError, LookalikeError, listed
from lookalike.base.names import CROSSED, GANS
from lookalike.data import Images
from lookalike.detect.auc import area
from lookalike.detect.baselines import BASELINES
from lookalike.detect.detector import Detector
from lookalike.features.cache import clock
from lookalike.runs.reading import reading_used
from lookalike.runs.run import PLACES, run
from lookalike.runs.settings import TrainSettings, train_settings
from lookalike.studies.detect.parts import GIVEN, TEST, WHOLE, drawn, images_of
from lookalike.studies.detect.trial import BLOCK, CALIBRATION, read_once
from lookalike.studies.trial import FIGURES, FiguresTrial, name_of

SPLIT_SEED = 0  # all seeds have the same test images, so that the spread is that of the draws


@dataclass(frozen=True)
class ShotsTrial(FiguresTrial):
    """A trial that learns from `shots` images of each known class, which its seed draws.

    The images of fewer shots are among those of more. A baseline of one known class learns from all of them, as no
    threshold is set. Of several known classes, and for classifiers, some are held out or each is left out in turn, as
    `lookalike train` does.

    Parameters
    ----------
    known, unknown : tuple of str
        The known classes, and those whose images are each compared with the test images of the known ones.
    whole : tuple of str
        Classes of `unknown` that are never known: all their images are scored.
    test_data : str
        See `DetectorTrial`.
    shots : int
        The number of images of each known class.
    """

    _: KW_ONLY
    known: tuple[str, ...]
    unknown: tuple[str, ...]
    shots: int
    whole: tuple[str, ...] = ()
    test_data: str = ""

    places = PLACES

    def __str__(self) -> str:
        images = f"{self.shots} image{'s' if self.shots > 1 else ''}"
        return f"{self.method} on {images} of {listed(self.known)}, seed {self.seed}"

    def folder(self, runs: Path) -> Path:
        """The folder of the training."""
        way = "-".join(filter(None, (self.method, self.changed())))
        parts = (f"shots-{self.preset}", name_of(self.data), ",".join(self.known), way, str(self.shots))
        return runs.joinpath(*map(files.safe_name, parts), f"seed-{self.seed}")

    @property
    def file_name(self) -> str:
        """Other test images have a file of their own."""
        return f"{files.safe_name(name_of(self.test_data))}.json" if self.test_data else FIGURES

    def joined(self, other: Self) -> Self:
        """The same training, measured on what either is."""
        return self.but(
            unknown=tuple(dict.fromkeys((*self.unknown, *other.unknown))),
            whole=tuple(dict.fromkeys((*self.whole, *other.whole))),
        )

    def is_done(self, runs: Path) -> bool:
        """Whether each unknown class was measured, on the images of now."""
        measured = self.figures(runs).get("auc", {}) if super().is_done(runs) else {}
        return all(self._part(name) in measured.get(name, {}) for name in self.unknown)

    def auc(self, runs: Path, unknown: str) -> float:
        """The AUC of an unknown class against the known ones."""
        return float(self.figures(runs)["auc"][unknown][self._part(unknown)])

    def cost(self, runs: Path) -> float:
        """Seconds of training and scoring."""
        return float(self.figures(runs)["seconds"])

    def promise(self, runs: Path) -> float:
        """The mean AUC."""
        return float(np.mean([self.auc(runs, name) for name in self.unknown]))

    def measure(self, folder: Path, command: str) -> dict[str, Any]:
        """The AUC of each unknown class, and the seconds of training and scoring."""
        settings = self._settings()
        images = self._read(self.data, settings)
        rows = np.concatenate([drawn(images, settings, name, self.shots, self.seed) for name in self.known])
        tests = self._read(self.test_data, settings) if self.test_data else images
        began = clock()
        detector = self._taught(images.select(np.sort(rows)), folder, command)
        pixels = {name: images_of(tests, settings, name, self._part(name)) for name in (*self.known, *self.unknown)}
        scores = {name: _scores(detector, mine) for name, mine in pixels.items()}
        known = np.concatenate([scores[name] for name in self.known])
        auc = {name: {self._part(name): area(known, scores[name])} for name in self.unknown}
        return {"auc": auc, "seconds": clock() - began}

    def _part(self, name: str) -> str:
        return GIVEN if self.test_data else WHOLE if name in self.whole else TEST

    def _settings(self, **changes: Any) -> TrainSettings:
        """Settings of the split; with changes those of the training."""
        given = {"known": self.known, "method": self.method, "seed": SPLIT_SEED, "preset": self.preset, **self.place}
        return train_settings(**given | dict(self.settings) | changes)

    def _read(self, data: str, settings: TrainSettings) -> Images:
        reading = reading_used(self.data, settings)
        size, key_size = (reading.size, reading.key_size) if reading else (None, None)
        how = settings.reading() | ({"group": None} if data == self.test_data else {})
        return read_once(data, size, 1 if settings.grey else None, tuple(how.items()), key_size)

    def _taught(self, images: Images, folder: Path, command: str) -> Detector:
        """The detector of these images; DataError where they are too few."""
        if self.method in BASELINES and len(self.known) == 1:
            return self._fitted(images)
        held_out = 0.0 if self.method in (CROSSED if len(self.known) > 1 else GANS) else CALIBRATION
        settings = self._settings(seed=self.seed, test=0.0, calibration=held_out)
        return run(images, settings, folder, command=tuple(shlex.split(command)), held=True).detector

    def _fitted(self, images: Images) -> Detector:
        try:
            with warnings.catch_warnings(action="ignore"):  # of few images
                return BASELINES[self.method].fit(images.pixels, self.seed)
        except LookalikeError:
            raise
        except ValueError as error:  # scikit-learn's, in words of its own
            raise DataError(f"{self.method} needs more known images than {len(images)}; add images") from error


def _scores(detector: Detector, pixels: Any) -> Floats:
    """(N,) scores, block by block."""
    return np.concatenate([detector.score(pixels[i : i + BLOCK]).score for i in range(0, len(pixels), BLOCK)])
