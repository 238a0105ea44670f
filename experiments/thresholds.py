"""Do thresholds keep their promise? False alarms on 1,000 new known images, by how many known images there were.

    python experiments/thresholds.py

Fashion-MNIST's training images of one class, in turn with the seed: N of them are known, 1,000 others are new. The
threshold is for 5 % false alarms. Methods that learn quickly set it by the images that train, each scored by what the
others teach; `knn, held out` holds out a fifth. The figures go to experiments/results/thresholds.csv: the mean share of
new images flagged over 20 seeds (10 for `auto` with 600 images), its standard deviation, least and largest. They stay
in runs/thresholds.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from lines import Line, measured, save

from lookalike.data import read
from lookalike.detect.baselines import BASELINES
from lookalike.detect.baselines.cross import crossed
from lookalike.detect.detector import Threshold
from lookalike.studies.trial import FiguresTrial

RUNS = Path("runs/thresholds")
DATA = "fashion-mnist"
METHODS = ("knn", "pca", "lof", "mahalanobis", "iforest", "auto")
KNOWN = (40, 100, 600)  # images
NEW = 1000
SEEDS, FEW = range(20), range(10)
ALLOWED = 0.05


@dataclass(frozen=True)
class ThresholdTrial(FiguresTrial):
    """The share of new known images that a threshold flags."""

    _: KW_ONLY
    known: int = 0  # images
    held_out: bool = False

    def folder(self, runs: Path) -> Path:
        """The folder of its figure."""
        return runs / f"{self.method}{'-held-out' * self.held_out}" / f"{self.known}-seed-{self.seed}"

    def measure(self, folder: Path, command: str) -> dict[str, Any]:
        """Learns, sets the threshold and scores new images."""
        images = read(self.data, size=(32, 32))
        mine = np.flatnonzero((images.labels == self.seed % len(images.classes)) & ~np.asarray(images.test))
        drawn = images.pixels[np.random.default_rng(self.seed).permutation(mine)[: self.known + NEW]]
        known, new = drawn[: self.known], drawn[self.known :]
        if self.held_out:
            n = self.known // 5
            detector = BASELINES[self.method].fit(known[n:], self.seed)
            score = detector.score(known[:n]).score
        else:
            detector, score = crossed(BASELINES[self.method], known, self.seed)
        return {"flagged": float(Threshold(score, ALLOWED).flags(detector.score(new).score).mean())}


def main() -> None:
    """Measures every method with every number of images and writes the table."""
    ways = [*((method, False) for method in METHODS), ("knn", True)]
    trials = [
        ThresholdTrial(DATA, method, seed, known=known, held_out=held_out)
        for known in KNOWN
        for method, held_out in ways
        if not held_out or known // 5 >= 1 / ALLOWED - 1
        for seed in (FEW if (method, known) == ("auto", 600) else SEEDS)
    ]
    found: dict[tuple[str, int], list[float]] = {}
    for trial, figures in zip(trials, measured(trials, RUNS), strict=True):
        name = trial.method + ", held out" * trial.held_out
        found.setdefault((name, trial.known), []).append(figures["flagged"])
    lines: list[Line] = [
        {"method": name, "known": known, "seeds": len(of), **_spread(of)} for (name, known), of in found.items()
    ]
    save("thresholds", lines)


def _spread(shares: list[float]) -> dict[str, str]:
    figures = {"mean": np.mean(shares), "sd": np.std(shares, ddof=1), "least": min(shares), "largest": max(shares)}
    return {name: f"{value:.4f}" for name, value in figures.items()}


if __name__ == "__main__":
    main()
