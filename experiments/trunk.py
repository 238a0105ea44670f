"""One GAN that is conditional on the class against one GAN per class, with as many images in all.

    python experiments/trunk.py

Five digits of scikit-learn's are known, five unknown. The figures go to experiments/results/trunk.csv: for each method
and seed the AUC of known against unknown, the accuracy among the known classes, and seconds on one thread. Trainings
run side by side; the seconds in the file were taken one at a time. The trainings stay in runs/trunk.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lines import Line, measured, save, with_means

import lookalike
from lookalike.methods import METHODS
from lookalike.runs.run import run
from lookalike.runs.settings import train_settings
from lookalike.studies.trial import FiguresTrial

RUNS = Path("runs/trunk")
KNOWN = ("0", "1", "2", "3", "8")
SHOWN = 40_000  # images, to all GANs together
NAMES = ("anogan", "mcgan", "cgan", "acgan")
SEEDS = range(3)
STAGES = ("train", "score")
FIGURES = ("AUC", "accuracy", "train s", "score s")


@dataclass(frozen=True)
class TrunkTrial(FiguresTrial):
    """A detector of five digits."""

    def folder(self, runs: Path) -> Path:
        """The folder of its training."""
        return runs / self.method / f"seed-{self.seed}"

    def measure(self, folder: Path, command: str) -> dict[str, Any]:
        """Trains, and measures on the split's test part and on all other digits."""
        images = SHOWN if METHODS[self.method].per_class else SHOWN // len(KNOWN)
        settings = train_settings(
            known=KNOWN, method=self.method, seed=self.seed, size=(8, 8), images=images, threads=1
        )
        run(self.data, settings, folder / "model", command=tuple(shlex.split(command)))
        said = lookalike.evaluate(folder / "model", self.data)
        seconds = {f"{stage} s": said["seconds"][stage] for stage in STAGES}
        return {"AUC": said["auc"]["value"], "accuracy": said["classes"]["accuracy"]["rate"], **seconds}


def line(trial: TrunkTrial, found: dict[str, float]) -> Line:
    """The figures of a trial as a line of the table."""
    shares = {name: f"{found[name]:.3f}" for name in ("AUC", "accuracy")}
    seconds = {f"{stage} s": f"{found[f'{stage} s']:.0f}" for stage in STAGES}
    return {"method": trial.method, "seed": trial.seed, **shares, **seconds}


def main() -> None:
    """Measures every method with every seed and writes the table."""
    trials = [TrunkTrial("digits", method, seed) for method in NAMES for seed in SEEDS]
    lines = [line(trial, found) for trial, found in zip(trials, measured(trials, RUNS), strict=True)]
    save("trunk", with_means(lines, "method", FIGURES))


if __name__ == "__main__":
    main()
