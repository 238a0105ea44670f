"""Our Deep SVDD against the figures that its authors printed: MNIST, one digit known and the nine others unknown.

    python experiments/deepsvdd.py

Three seeds per digit, 28 x 28, mnist-5k: 350 training and 150 test images of each digit, where the authors had all of
MNIST, about 6,000 and 1,000. The figures go to experiments/results/deepsvdd.csv, and stay in runs/deepsvdd.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from lines import Line, measured, save

from lookalike.data import read
from lookalike.detect.auc import area
from lookalike.detect.baselines import BASELINES
from lookalike.studies.trial import FiguresTrial

RUNS = Path("runs/deepsvdd")
PRINTED = {"0": (0.980, 0.007), "1": (0.997, 0.001), "8": (0.939, 0.016)}  # Ruff et al. 2018, table 1, one-class
SEEDS = range(3)


@dataclass(frozen=True)
class DigitTrial(FiguresTrial):
    """A detector of one known digit, on all training images of it."""

    _: KW_ONLY
    known: str = ""

    def folder(self, runs: Path) -> Path:
        """The folder of its figure."""
        return runs / self.known / f"seed-{self.seed}"

    def measure(self, folder: Path, command: str) -> dict[str, Any]:
        """Learns, and scores all test images."""
        images = read(self.data)
        test = images.select(np.asarray(images.test))
        train = images.select(~np.asarray(images.test)).of(self.known).pixels
        detector = BASELINES[self.method].fit(train, self.seed)
        sides = test.of(self.known), test.of(*(name for name in images.classes if name != self.known))
        return {"auc": area(*(detector.score(side.pixels).score for side in sides))}


def line(digit: str, found: Sequence[float]) -> Line:
    """The printed figure of a digit, and ours."""
    mean, sd = PRINTED[digit]
    return {
        "known": digit, "printed": f"{mean:.3f}", "printed_sd": f"{sd:.3f}",
        "ours": f"{statistics.mean(found):.3f}", "ours_sd": f"{statistics.stdev(found):.3f}", "seeds": len(found),
    }  # fmt: skip


def main() -> None:
    """Measures every digit of `PRINTED` and writes the table."""
    trials = [DigitTrial("mnist-5k", "deepsvdd", seed, known=digit) for digit in PRINTED for seed in SEEDS]
    found = list(zip(trials, measured(trials, RUNS), strict=True))
    save("deepsvdd", [line(digit, [said["auc"] for one, said in found if one.known == digit]) for digit in PRINTED])


if __name__ == "__main__":
    main()
