"""Pictures of the papers: the same images as each GAN finds them, and the normal and the weak twin during training.

    lookalike table vtgan-2021/1 --seeds 1 && lookalike table mcgan-2021/1 --seeds 1
    python experiments/pictures.py

They read the trainings of those tables (seed 0) and go to docs: queries.png and twins.png with Coat known and Shirt
unknown, pairs-mcgan.png with the pairs of figure 5 of mcgan-2021, and pairs-vtgan.png with those of figure 6 of
vtgan-2021. The images are the first of each class's test images. With --mnist as the tables had it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from lookalike.data import read
from lookalike.detect.model import Model
from lookalike.studies.detect.trial import DetectorTrial

KNOWN, UNKNOWN = "Coat", "Shirt"
METHODS = {
    "DCGAN": ("anogan", ()),
    "MCGAN": ("mcgan", (UNKNOWN,)),
    "NoiseGAN": ("noisegan", ()),
    "VTGAN": ("vtgan", ()),
}
EACH = 6  # images of each class
SHOWN = 4  # moments of the training
FEW = 3  # images of each of the papers' pairs
DOCS = Path(__file__).parents[1] / "docs"
CLOTHES = "fashion-mnist"
BOOT = "Ankle boot"
PAIRS = {  # picture -> pairs (data set, known class, class of the images, mcgan's extra fakes), and the GANs
    "pairs-mcgan": (
        (
            *(("mnist", "9", "4", "4"), ("mnist", "8", "3", "3")),
            *((CLOTHES, BOOT, "Sneaker", "Sandal"), (CLOTHES, BOOT, "Sandal", "Sandal")),
        ),
        {"DCGAN": "anogan", "MCGAN": "mcgan"},
    ),
    "pairs-vtgan": (
        (("mnist", "8", "3", ""), ("mnist", "9", "7", ""), (CLOTHES, BOOT, "Sandal", "")),
        {"AnoGAN": "anogan", "NoiseGAN": "noisegan", "VTGAN": "vtgan"},
    ),
}


def folder(
    method: str, extra_fakes: tuple[str, ...], runs: Path, known: str = KNOWN, data: str | Path = CLOTHES
) -> Path:
    """The training of the table."""
    return DetectorTrial(str(data), method, 0, known=(known,), extra_fakes=extra_fakes).folder(runs)


def pairs(name: str, runs: Path, mnist: str) -> Figure:
    """Images of the papers' pairs, and a row per GAN with the nearest image that it makes, under V(x)."""
    picked, methods = PAIRS[name]
    figure = Figure(figsize=(0.95 * FEW * len(picked), 1.15 * (1 + len(methods))), layout="constrained")
    axes = figure.subplots(1 + len(methods), FEW * len(picked))
    for i, (dataset, known, other, fakes) in enumerate(picked):
        columns, data = axes[:, FEW * i : FEW * (i + 1)], mnist if dataset == "mnist" else dataset
        images = read(data, size=(32, 32))
        pixels = images.pixels[images.test & (images.labels == images.classes.index(other))][:FEW]
        columns[0, FEW // 2].set_title(f"{other}; {known} known", fontsize=8)
        for row, method in zip(columns[1:], methods.values(), strict=True):
            extra = (fakes,) if method == "mcgan" else ()
            said = Model.load(folder(method, extra, runs, known, data)).score(pixels)
            assert said.nearest is not None, "GANs offer their nearest image"
            for axis, made, score in zip(row, said.nearest, said.score, strict=True):
                axis.imshow(made[0], cmap="gray", vmin=0, vmax=255)
                axis.set_xlabel(f"V {score:.0f}", fontsize=7)
        for axis, image in zip(columns[0], pixels, strict=True):
            axis.imshow(image[0], cmap="gray", vmin=0, vmax=255)
    for axis, title in zip(axes[:, 0], ("test image", *methods), strict=True):
        axis.set_ylabel(title, fontsize=8)
    _bare(axes)
    return figure


def queries(runs: Path) -> Figure:
    """A row of test images, and a row per GAN with the nearest image that it makes, under V(x)."""
    images = read("fashion-mnist", size=(32, 32))
    rows = [
        np.flatnonzero(images.test & (images.labels == images.classes.index(name)))[:EACH] for name in (KNOWN, UNKNOWN)
    ]
    pixels = images.pixels[np.concatenate(rows)]
    figure = Figure(figsize=(11, 5.2), layout="constrained")
    axes = figure.subplots(1 + len(METHODS), 2 * EACH)
    for column in range(2 * EACH):
        axes[0, column].imshow(pixels[column, 0], cmap="gray", vmin=0, vmax=255)
        axes[0, column].set_title(KNOWN if column < EACH else UNKNOWN, fontsize=9)
    axes[0, 0].set_ylabel("test image", fontsize=9)
    for row, (title, (method, extra_fakes)) in enumerate(METHODS.items(), 1):
        said = Model.load(folder(method, extra_fakes, runs)).score(pixels)
        assert said.nearest is not None, "GANs offer their nearest image"
        axes[row, 0].set_ylabel(title, fontsize=9)
        for column in range(2 * EACH):
            axes[row, column].imshow(said.nearest[column, 0], cmap="gray", vmin=0, vmax=255)
            axes[row, column].set_xlabel(f"V {said.score[column]:.0f}", fontsize=8)
    _bare(axes)
    return figure


def twins(runs: Path) -> Figure:
    """Sample grids of the normal twin above those of the weak one, at the same moments."""
    samples = folder("vtgan", (), runs) / "samples"
    there = sorted(path.stem for path in samples.glob("[0-9]*.png"))
    moments = [there[round(i * (len(there) - 1) / (SHOWN - 1))] for i in range(SHOWN)]
    figure = Figure(figsize=(11, 6), layout="constrained")
    axes = figure.subplots(2, SHOWN)
    for row, (title, prefix) in enumerate({"normal twin": "", "weak twin": "weak-"}.items()):
        axes[row, 0].set_ylabel(title, fontsize=10)
        for column, moment in enumerate(moments):
            grid = np.asarray(Image.open(samples / f"{prefix}{moment}.png").convert("L"))
            axes[row, column].imshow(grid[: grid.shape[0] // 2, : grid.shape[1] // 2], cmap="gray", vmin=0, vmax=255)
            axes[row, column].set_title(f"{int(moment):,} images shown", fontsize=9)
    _bare(axes)
    return figure


def _bare(axes: np.ndarray) -> None:
    for axis in axes.flat:
        axis.set_xticks([])
        axis.set_yticks([])


def main() -> None:
    """Draws all pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--runs", type=Path, default=Path("runs/trainings"), help="where the tables keep their trainings"
    )
    parser.add_argument("--mnist", default="mnist-5k", help="a folder with MNIST's four IDX files, or mnist-5k")
    asked = parser.parse_args()
    runs = asked.runs
    for name in PAIRS:
        pairs(name, runs, asked.mnist).savefig(DOCS / f"{name}.png", dpi=110)
    queries(runs).savefig(DOCS / "queries.png", dpi=110)
    twins(runs).savefig(DOCS / "twins.png", dpi=110)


if __name__ == "__main__":
    main()
