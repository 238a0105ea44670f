"""What does the shape that images are brought to cost? Photographs of many aspects, squashed, cropped or padded.

    python experiments/aspect.py TILES

TILES is the folder of the magnetic tiles, 105 to 630 pixels a side, with the classes Free and others. Free is known; a
fifth is held out and stands against all images of the others. The figures go to experiments/results/aspect.csv: the AUC
and the share missed at a threshold for 5 % false alarms, of `auto` and of nearest neighbours on pixels, seed 0. Takes
about 12 minutes on two cores. Trainings stay in runs/aspect.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from lines import Line, save

from lookalike.base.arrays import Floats
from lookalike.data import read
from lookalike.detect.auc import area
from lookalike.studies.detect.trial import DetectorTrial
from lookalike.studies.study import Study

RUNS = Path("runs/aspect")
KNOWN = "Free"
ASPECTS = ("squash", "crop", "pad")
METHODS = ("auto", "knn")
ALLOWED = 0.05


def line(trial: DetectorTrial, others: tuple[str, ...]) -> Line:
    """The figures of one training."""
    known, unknown = _scores(trial, (KNOWN,)), _scores(trial, others)
    flagged = _p_values(trial, others) <= ALLOWED
    return {
        "method": trial.method,
        "aspect": dict(trial.settings)["aspect"],
        "auc": f"{area(known, unknown):.3f}",
        "missed": f"{1 - flagged.mean():.3f}",
    }


def main() -> None:
    """Trains with every aspect and writes the table."""
    data = sys.argv[1]
    others = tuple(name for name in read(data, size=(8, 8)).classes if name != KNOWN)
    trials = [
        DetectorTrial(
            data, method, 0, known=(KNOWN,), scored=(KNOWN,), whole=others,
            settings=(("aspect", aspect), ("calibration", 0.0)),
        )
        for method in METHODS
        for aspect in ASPECTS
    ]  # fmt: skip
    study = Study(RUNS, workers=2, warn=print, report=lambda *said: print(*said, flush=True))
    if study.perform(trials):
        raise SystemExit(1)
    save("aspect", [line(trial, others) for trial in trials])


def _scores(trial: DetectorTrial, names: tuple[str, ...]) -> Floats:
    return np.concatenate([trial.scores(RUNS, name, trial.part_of(name)).score for name in names])


def _p_values(trial: DetectorTrial, names: tuple[str, ...]) -> Floats:
    return np.concatenate([trial.scores(RUNS, name, trial.part_of(name)).p_value for name in names])


if __name__ == "__main__":
    main()
