"""Detectors on photographs: magnetic tiles, circuit boards, and steel, each with one class known.

    python experiments/photographs.py DATA [SEEDS]

DATA holds the folders tiles, pcb and steel, with a folder per class. The known class is Free (tiles), good (pcb), and
each kind of steel in turn. Preset small, SEEDS seeds from 0 on (1 unless given). The test images of the known class
stand against up to 60 images of each other class, those with the smallest content keys. The figures go to
experiments/results/photographs.csv: AUC, and misses and false alarms at a threshold for 5 %. The trainings stay in
runs/photographs, and the same command goes on where it stopped.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from lines import Line, mean, save

import lookalike
from lookalike.base import files, workers
from lookalike.detect.auc import area
from lookalike.runs.run import run
from lookalike.runs.settings import train_settings
from lookalike.studies.detect.parts import TEST, images_of

RUNS = Path("runs/photographs")
STEEL = ("crazing", "inclusion", "patches", "pitted_surface", "rolled-in_scale", "scratches")
KNOWN = (("tiles", "Free"), ("pcb", "good"), *(("steel", kind) for kind in STEEL))
METHODS = ("features", "patches", "features-gaussian", "features-knn", "auto", "knn")
EACH = 60  # images of each unknown class
FIGURES = ("auc", "misses", "false_alarms")


@dataclass(frozen=True)
class Case:
    """A known class, a method and a seed."""

    root: str
    data: str
    known: str
    method: str
    seed: int

    def __str__(self) -> str:
        return f"{self.method} on {self.data}, {self.known} known, seed {self.seed}"

    @property
    def folder(self) -> Path:
        """The folder of its training."""
        return RUNS / files.safe_name(f"{self.data}-{self.known}") / self.method / f"seed-{self.seed}"

    @property
    def done(self) -> Path:
        """The file of its figures."""
        return self.folder.with_name(f"seed-{self.seed}.json")


def measure(case: Case, _runs: Path, _command: str) -> None:
    """Trains and scores, unless the figures are there."""
    if case.done.exists():
        return
    settings = train_settings(known=(case.known,), method=case.method, seed=case.seed, threads=1)
    source = Path(case.root, case.data)
    model = run(source, settings, files.make_folder(case.folder), wait=workers.tell)
    images = lookalike.read(source, size=model.size, channels=model.channels, key_size=model.key_size)
    keys = np.array(images.keys)
    unknown = [np.flatnonzero(images.labels == i) for i, name in enumerate(images.classes) if name != case.known]
    rows = np.concatenate([mine[np.argsort(keys[mine])[:EACH]] for mine in unknown])
    known, others = (model.score(side) for side in (images_of(images, settings, case.known, TEST), images.pixels[rows]))
    figures = (area(known.score, others.score), 1 - others.flagged.mean(), known.flagged.mean())
    files.write_json(case.done, dict(zip(FIGURES, map(float, figures), strict=True)))


def line(case: Case) -> Line:
    """The figures of a case as a line of the table."""
    found = json.loads(case.done.read_text())
    digits = {name: f"{found[name]:.4f}" for name in FIGURES}
    return {"data": case.data, "known": case.known, "method": case.method, "seed": case.seed, **digits}


def main() -> None:
    """Measures every case and writes the table, with a mean of each method over the kinds of steel."""
    seeds = range(int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    cases = [Case(sys.argv[1], *which, method, seed) for seed in seeds for which in KNOWN for method in METHODS]
    failed = workers.side_by_side(
        measure, cases, RUNS, workers=os.cpu_count() or 1, command="", report=lambda stage, done, of: print(stage)
    )
    if failed:
        raise SystemExit("\n".join(f"{case}: {why}" for case, why in failed.items()))
    lines = [line(case) for case in cases]
    means = [
        {"data": data, "known": "mean", "method": method, "seed": "mean", **mean(mine, FIGURES)}
        for data in dict.fromkeys(data for data, _ in KNOWN)
        for method in METHODS
        if (mine := [one for one in lines if (one["data"], one["method"]) == (data, method)])
    ]
    save("photographs", [*lines, *means])


if __name__ == "__main__":
    main()
