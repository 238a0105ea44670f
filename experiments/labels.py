"""A K + 1 discriminator as a semi-supervised classifier: MNIST digits of which 100 or 400 have a label.

    python experiments/labels.py

Of mnist-5k's 3,500 training images 10 or 40 of each class keep their label, the others have none (Salimans
et al. 2016, section 5). The same network learns from the labelled images alone too, and a small CNN stands beside both,
the classifier of gan-augmentation-2020, and the same with all 3,500 labels. Accuracy on the 1,500 test images, which
chose nothing; D classifies. The figures go to experiments/results/labels.csv; the trainings stay in
runs/labels.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from lines import mean, save

import lookalike
from lookalike.data import Images, read, scaled
from lookalike.game.batch import Batch
from lookalike.studies.augment.classifier import fit
from lookalike.use.generate import ANY, generators

COUNTS = (100, 400)
SEEDS = range(3)
FIGURES = ("K + 1", "K + 1, labelled alone", "cnn", "cnn, 3500 labels")
HOW = {
    "method": "k-plus-one", "net": "anogan", "spectral": False, "beta1": 0.5, "d_lr": 5e-4, "lr": 1e-3, "width": 16,
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


def accuracy_of_d(images: Images, count: int, seed: int, *, more: bool) -> float:
    """Accuracy of D, trained with or without the images that have no label."""
    out = Path("runs/labels") / f"{count}-{'more' if more else 'alone'}-{seed}"
    how = HOW | {"seed": seed} | ({"unlabelled": ("nobody",)} if more else {})
    given = partly(images, labelled(images, count, seed))
    gan = generators(lookalike.fit(given, known=images.classes, out=out, **how))[ANY].gan
    tests = np.flatnonzero(_test(images))
    x = torch.from_numpy(scaled(images.pixels[tests]))
    gan.D.eval()
    with torch.no_grad():
        says = gan.D(Batch(x, None, None, None)).classes
    assert says is not None, "D classifies"
    return float((says.argmax(1).numpy() == images.labels[tests]).mean())


def accuracy_of_cnn(images: Images, rows: Index, seed: int) -> float:
    """Accuracy of the classifier of gan-augmentation-2020, trained on these rows; it stops by its training loss."""
    given = images.pixels[rows], images.labels[rows]
    found = fit(*given, classes=10, validation=given, seed=seed).probabilities(images.pixels[_test(images)])
    return float((found.argmax(1) == images.labels[_test(images)]).mean())


def line(images: Images, count: int, seed: int) -> dict[str, str | int]:
    """All four accuracies, with the same labels."""
    rows, all_rows = labelled(images, count, seed), np.flatnonzero(~_test(images))
    found = (
        *(accuracy_of_d(images, count, seed, more=more) for more in (True, False)),
        *(accuracy_of_cnn(images, given, seed) for given in (rows, all_rows)),
    )
    figures = {name: f"{value:.3f}" for name, value in zip(FIGURES, found, strict=True)}
    print(count, seed, figures, flush=True)
    return {"labels": count, "seed": seed, **figures}


def main() -> None:
    """Measures every number of labels with every seed and writes the table."""
    digits, lines = read("mnist-5k", size=(32, 32)), []
    for count in COUNTS:
        mine = [line(digits, count, seed) for seed in SEEDS]
        lines += [*mine, {"labels": count, "seed": "mean", **mean(mine, FIGURES)}]
    save("labels", lines)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
