"""Our Deep SVDD against the figures that its authors printed: MNIST, one digit known and the nine others unknown.

    python experiments/deepsvdd.py

Three seeds per digit, 28 x 28, mnist-5k: 350 training and 150 test images of each digit, where the authors had all of
MNIST, about 6,000 and 1,000. The figures go to experiments/results/deepsvdd.csv.
"""

from __future__ import annotations

import statistics

import numpy as np
import torch
from lines import save

from lookalike.data import read
from lookalike.detect.auc import area
from lookalike.detect.baselines import BASELINES

PRINTED = {"0": (0.980, 0.007), "1": (0.997, 0.001), "8": (0.939, 0.016)}  # Ruff et al. 2018, table 1, one-class
SEEDS = 3


def main() -> None:
    """Measures every digit of `PRINTED` and writes the table."""
    torch.set_num_threads(1)
    images = read("mnist-5k")
    test = images.select(np.asarray(images.test))
    lines = []
    for digit, (mean, sd) in PRINTED.items():
        train = images.select(~np.asarray(images.test)).of(digit).pixels
        known, unknown = test.of(digit).pixels, test.of(*(name for name in images.classes if name != digit)).pixels
        found = []
        for seed in range(SEEDS):
            detector = BASELINES["deepsvdd"].fit(train, seed)
            found.append(area(detector.score(known).score, detector.score(unknown).score))
        lines.append(
            {
                "known": digit, "printed": f"{mean:.3f}", "printed_sd": f"{sd:.3f}",
                "ours": f"{statistics.mean(found):.3f}", "ours_sd": f"{statistics.stdev(found):.3f}", "seeds": SEEDS,
            }
        )  # fmt: skip
        print(lines[-1], flush=True)
    save("deepsvdd", lines)


if __name__ == "__main__":
    main()
