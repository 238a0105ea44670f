"""Detectors on photographs: magnetic tiles, circuit boards, and steel, each with one class known.

    python experiments/photographs.py DATA [SEEDS]

DATA holds the folders tiles, pcb and steel, with a folder per class, and tiles-masks and pcb-masks. The known class is
Free (tiles), good (pcb), and each kind of steel in turn. Preset small, SEEDS seeds from 0 on (1 unless given). The test
images of the known class stand against up to 60 images of each other class, those with the smallest content keys. The
figures go to experiments/results/photographs.csv: AUC, misses and false alarms at a threshold for 5 %, and AUROC and
AUPRO of the pixels of heat maps. The trainings stay in runs/photographs, and the same command goes on where it stopped.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from lines import Line, mean, measured, save

import lookalike
from lookalike.base import files
from lookalike.data import Images, split
from lookalike.detect.auc import area
from lookalike.detect.heat import Locates
from lookalike.detect.model import Model
from lookalike.runs.run import PLACES, run
from lookalike.runs.settings import train_settings
from lookalike.studies.detect.parts import TEST, images_of
from lookalike.studies.trial import FiguresTrial
from lookalike.use.masks import masks_of
from lookalike.use.masks import measured as masks_measured

RUNS = Path("runs/photographs")
STEEL = ("crazing", "inclusion", "patches", "pitted_surface", "rolled-in_scale", "scratches")
KNOWN = (("tiles", "Free"), ("pcb", "good"), *(("steel", kind) for kind in STEEL))
METHODS = ("auto", "patches", "features-gaussian", "features-knn", "knn")
EACH = 60  # images of each unknown class
FIGURES = ("auc", "misses", "false_alarms")
OF_PIXELS = ("auroc", "aupro")


@dataclass(frozen=True)
class PhotographTrial(FiguresTrial):
    """A detector of one known class, and its scores of photographs of all classes."""

    _: KW_ONLY
    known: str = ""

    places: ClassVar[tuple[str, ...]] = PLACES

    def __str__(self) -> str:
        return f"{self.method} on {Path(self.data).name}, {self.known} known, seed {self.seed}"

    def folder(self, runs: Path) -> Path:
        """The folder of its training."""
        known = files.safe_name(f"{Path(self.data).name}-{self.known}")
        return runs / known / self.method / f"seed-{self.seed}"

    def measure(self, folder: Path, command: str) -> dict[str, Any]:
        """Trains and scores."""
        settings = train_settings(known=(self.known,), method=self.method, seed=self.seed, threads=1)
        model = run(self.data, settings, folder, command=tuple(shlex.split(command)), held=True)
        images = lookalike.read(self.data, size=model.size, channels=model.channels, key_size=model.key_size)
        keys = np.array(images.keys)
        unknown = [np.flatnonzero(images.labels == i) for i, name in enumerate(images.classes) if name != self.known]
        rows = np.concatenate([mine[np.argsort(keys[mine])[:EACH]] for mine in unknown])
        known = model.score(images_of(images, settings, self.known, TEST))
        others = model.score(images.pixels[rows])
        figures = (area(known.score, others.score), 1 - others.flagged.mean(), known.flagged.mean())
        return dict(zip(FIGURES, map(float, figures), strict=True)) | self._of_pixels(model, images, rows)

    def _of_pixels(self, model: Model, images: Images, unknown: npt.NDArray[np.int64]) -> dict[str, float]:
        """Figures of the heat maps, where there are masks and maps."""
        masks = Path(f"{self.data}-masks")
        if not masks.exists() or not (isinstance(model.detector, Locates) and model.detector.locates):
            return {}
        settings = train_settings(known=(self.known,), method=self.method, seed=self.seed)
        tests = split(images, test=settings.test, calibration=settings.held_out, seed=self.seed).test
        tests = tests[images.labels[tests] == images.classes.index(self.known)]
        marked = masks_of(model, masks, [images.names[i] for i in unknown])
        found = masks_measured(model, marked, images, tests, unknown, lambda *_: None)
        return {"auroc": found.auroc, "aupro": found.aupro}


def line(trial: PhotographTrial, found: Mapping[str, float]) -> Line:
    """The figures of a trial as a line of the table."""
    digits = {name: f"{found[name]:.4f}" if name in found else "" for name in (*FIGURES, *OF_PIXELS)}
    return {
        "data": Path(trial.data).name,
        "known": trial.known,
        "method": trial.method,
        "seed": trial.seed,
        **digits,
    }


def main() -> None:
    """Measures every trial and writes the table, with a mean of each method over the kinds of steel."""
    root, seeds = sys.argv[1], range(int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    trials = [
        PhotographTrial(str(Path(root, data)), method, seed, known=known)
        for seed in seeds
        for data, known in KNOWN
        for method in METHODS
    ]
    lines = [line(trial, found) for trial, found in zip(trials, measured(trials, RUNS), strict=True)]
    means = [
        {"data": data, "known": "mean", "method": method, "seed": "mean", **mean(mine, FIGURES)}
        for data in dict.fromkeys(data for data, _ in KNOWN)
        for method in METHODS
        if (mine := [one for one in lines if (one["data"], one["method"]) == (data, method)])
    ]
    save("photographs", [*lines, *means])


if __name__ == "__main__":
    main()
