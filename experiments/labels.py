"""A K + 1 discriminator as a semi-supervised classifier: MNIST digits of which 100 or 400 have a label.

    python experiments/labels.py

Of mnist-5k's 3,500 training images 10 or 40 of each class keep their label, the others have none (Salimans
et al. 2016, section 5). The same network learns from the labelled images alone too, and a small CNN stands beside both,
the classifier of gan-augmentation-2020, and the same with all 3,500 labels. Accuracy on the 1,500 test images, which
chose nothing; D classifies. The figures go to experiments/results/labels.csv; the trainings stay in
runs/labels.
"""

from __future__ import annotations

import shlex
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from lines import digits, measured, save, with_means

from lookalike.data import Images, read, scaled
from lookalike.game.batch import Batch
from lookalike.runs.run import run
from lookalike.runs.settings import train_settings
from lookalike.studies.augment.classifier import fit
from lookalike.studies.trial import FiguresTrial
from lookalike.use.generate import ANY, generators

RUNS = Path("runs/labels")
COUNTS = (100, 400)
SEEDS = range(3)
FIGURES = ("K + 1", "K + 1, labelled alone", "cnn", "cnn, 3500 labels")
HOW = {
    "net": "anogan", "spectral": False, "beta1": 0.5, "d_lr": 5e-4, "lr": 1e-3, "width": 16,
    "images": 60_000, "batch": 32, "calibration": 0.0, "threads": 1,
}  # fmt: skip
Index = npt.NDArray[np.int64]


def labelled(images: Images, count: int, seed: int) -> Index:
    """Rows of so many training images, as many of each class."""
    random, rows = np.random.default_rng(seed), np.flatnonzero(~_test(images))
    each = [random.permutation(rows[images.labels[rows] == k])[: count // 10] for k in range(10)]
    return np.concatenate(each)


def _test(images: Images) -> npt.NDArray[np.bool_]:
    assert images.test is not None, "mnist-5k has test images"
    return images.test


def partly(images: Images, rows: Index) -> Images:
    """The same images, whose training images outside `rows` are of a class `nobody`."""
    labels = images.labels.copy()
    labels[np.setdiff1d(np.flatnonzero(~_test(images)), rows)] = 10
    return Images(images.pixels, labels, (*images.classes, "nobody"), images.names, images.test)


@dataclass(frozen=True)
class LabelsTrial(FiguresTrial):
    """All four classifiers, with the same labels."""

    _: KW_ONLY
    count: int = 0  # images that keep their label

    def folder(self, runs: Path) -> Path:
        """The folder of both trainings."""
        return runs / f"{self.count}-seed-{self.seed}"

    def measure(self, folder: Path, command: str) -> dict[str, Any]:
        """Trains and measures all four."""
        images = read(self.data, size=(32, 32))
        rows, all_rows = labelled(images, self.count, self.seed), np.flatnonzero(~_test(images))
        by_d = (self._of_d(images, rows, folder, command, more=more) for more in (True, False))
        by_cnn = (self._of_cnn(images, given) for given in (rows, all_rows))
        return dict(zip(FIGURES, (*by_d, *by_cnn), strict=True))

    def _of_d(self, images: Images, rows: Index, folder: Path, command: str, *, more: bool) -> float:
        """Accuracy of D, trained with or without the images that have no label."""
        unlabelled = ("nobody",) if more else ()
        settings = train_settings(
            known=images.classes, method=self.method, seed=self.seed, unlabelled=unlabelled, **HOW
        )
        out = folder / ("more" if more else "alone")
        model = run(partly(images, rows), settings, out, command=tuple(shlex.split(command)))
        gan = generators(model)[ANY].gan
        tests = np.flatnonzero(_test(images))
        gan.D.eval()
        with torch.no_grad():
            says = gan.D(Batch(torch.from_numpy(scaled(images.pixels[tests])), None, None, None)).classes
        assert says is not None, "D classifies"
        return float((says.argmax(1).numpy() == images.labels[tests]).mean())

    def _of_cnn(self, images: Images, rows: Index) -> float:
        """Accuracy of the classifier of gan-augmentation-2020, trained on these rows; it stops by its training loss."""
        given = images.pixels[rows], images.labels[rows]
        found = fit(*given, classes=10, validation=given, seed=self.seed).probabilities(images.pixels[_test(images)])
        return float((found.argmax(1) == images.labels[_test(images)]).mean())


def main() -> None:
    """Measures every number of labels with every seed and writes the table."""
    trials = [LabelsTrial("mnist-5k", "k-plus-one", seed, count=count) for count in COUNTS for seed in SEEDS]
    lines = [
        {"labels": trial.count, "seed": trial.seed, **digits(found, FIGURES)}
        for trial, found in zip(trials, measured(trials, RUNS), strict=True)
    ]
    save("labels", with_means(lines, "labels", FIGURES))


if __name__ == "__main__":
    main()
