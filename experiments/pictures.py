"""Pictures of the papers: the same images as each GAN finds them, and the normal and the weak twin during training.

    lookalike table vtgan-2021/1 --seeds 1 && lookalike table mcgan-2021/1 --seeds 1
    python experiments/pictures.py

They read the trainings of those tables (seed 0, Coat known, Shirt unknown) and go to docs/queries.png and twins.png.
The images are the first of each class's test images.
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
DOCS = Path(__file__).parents[1] / "docs"


def folder(method: str, extra_fakes: tuple[str, ...], runs: Path) -> Path:
    """The training of the table."""
    return DetectorTrial("fashion-mnist", method, 0, known=(KNOWN,), extra_fakes=extra_fakes).folder(runs)


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
    """Draws both pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--runs", type=Path, default=Path("runs/trainings"), help="where the tables keep their trainings"
    )
    runs = parser.parse_args().runs
    queries(runs).savefig(DOCS / "queries.png", dpi=110)
    twins(runs).savefig(DOCS / "twins.png", dpi=110)


if __name__ == "__main__":
    main()
