"""What does the game do, and what the information about classes? Games with and without it in D and in G.

    python experiments/controls.py

Fashion-MNIST, networks of preset small. Loss and step sizes of each game, with D told the class and not, are chosen by
FID after --choosing images: the first 50,000 training images train, the last 10,000 are held out, seed 0, G as
published. Then all training images train for --images, and 5,000 generated images stand against the test images; the
seeds are fresh. D is told the class by projection; G by class norms that also see z, by the one-hot class, or not.
Where D neither classifies nor is told, a class that G gets has no meaning.

These do not exist: D told where G is not (its images have no class), an AC-GAN whose D is told too (no such head), and
splitting beside these games, since its critic has another loss and five updates.

Into --out, by default experiments/results, go controls-settings.csv (FID of each choice, and which was taken) and
controls.csv: FID, precision and recall by features of EfficientNet-Lite0, and by a classifier of the training images:
the share of images that it takes for the class that G was given (chance where it was given none), the mean distance of
two images that it takes for one class over that of real ones, and the share of its rarest class. Images of each cell,
of the first seed, go to docs/controls.png. All trainings stay in runs/controls; the same command goes on, seed by seed.
The choice takes about 90 minutes of one core, and each seed about 70.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lines import Line, digits, measured, save, with_means
from matplotlib.figure import Figure
from PIL import Image

from lookalike.base import files
from lookalike.base.arrays import Floats, Labels, Pixels
from lookalike.base.seeds import generator
from lookalike.base.threads import computing_with
from lookalike.data import Images, read
from lookalike.data.images import as_pixels
from lookalike.features.efficientnet import lite0
from lookalike.game.gan import GAN
from lookalike.game.losses import AuxiliaryClass
from lookalike.game.method import Method
from lookalike.game.nets.conditioning import ClassBatchNorm, Conditioning, OneHot, Unconditional
from lookalike.game.source import Source
from lookalike.game.train import train
from lookalike.runs.choices import filled, method_of
from lookalike.runs.samples import grid, png
from lookalike.runs.settings import TrainSettings, train_settings
from lookalike.studies.trial import FiguresTrial
from lookalike.use.quality.diversity import within
from lookalike.use.quality.frechet import distance
from lookalike.use.quality.manifold import compare
from lookalike.use.quality.own import own

RUNS, PICTURE = Path("runs/controls"), Path(__file__).parents[1] / "docs" / "controls.png"
DATA, SIDE, HELD_OUT = "fashion-mnist", 32, 10_000  # held-out training images
NOT, NORM, HOT = "not", "norm", "one-hot"  # how G is told
TOLD: dict[str, Conditioning] = {NOT: Unconditional(), NORM: ClassBatchNorm(with_z=True), HOT: OneHot()}
CLASSIFIES = "classifies"  # D of AC-GAN, which is not told the class
GAMES = {  # (game, how D is told) -> the method, and how G is told there as published
    ("binary", NOT): ("sn-binary", NOT),
    ("binary", "told"): ("sn-projection", NORM),
    ("ac-gan", CLASSIFIES): ("sn-acgan", HOT),
    ("k-plus-one", NOT): ("k-plus-one", NOT),
    ("k-plus-one", "told"): ("k-plus-one-projection", NORM),
    ("mode", NOT): ("mode", NOT),
    ("mode", "told"): ("mode-projection", NORM),
}
CELLS = tuple((game, d, g) for (game, d), g in product(GAMES, TOLD) if not (d == "told" and g == NOT))  # what exists
LOSSES, RATES = ("minimax", "hinge"), ((4e-4, 1e-3), (4e-4, 4e-4), (2e-4, 8e-4))  # step sizes of G and of D
FIRST = 1  # of the seeds that measure; seed 0 chose
FIGURES = ("fid", "precision", "recall", "recognised", "within", "rarest")
MADE, SHOWN = 5_000, 40  # generated images that are measured, and that are kept


@dataclass(frozen=True)
class ControlTrial(FiguresTrial):
    """One training with a loss and step sizes, and what its images are worth.

    Parameters
    ----------
    game, d, g : str
        The game, and how D and G are told the class.
    loss : str
        Of the realness.
    rates : tuple of float
        Step sizes of G and of D.
    images : int
        Images shown.
    chooses : bool
        Trains on the first training images and is measured against the last ones.
    """

    _: KW_ONLY
    game: str
    d: str
    g: str
    loss: str
    rates: tuple[float, float]
    images: int
    chooses: bool

    def __str__(self) -> str:
        way = f"{self.game}, D {self.d}, G {self.g}, {self.loss} {self.rates[0]:g} {self.rates[1]:g}"
        return f"{way}, seed {self.seed}"

    def folder(self, runs: Path) -> Path:
        """The folder of its figures and images."""
        steps = f"{self.loss}-{self.rates[0]:g}-{self.rates[1]:g}"
        stage = f"{'choosing' if self.chooses else 'measured'}-{self.images}"
        return runs / stage / f"{self.game}-{self.d}-{self.g}" / steps / f"seed-{self.seed}"

    def measure(self, folder: Path, command: str) -> dict[str, Any]:
        """Trains, keeps a grid of images and compares all with real ones."""
        images = parts(chooses=self.chooses)
        settings = self.filled(images)
        with computing_with(1):
            gan = trained(played(settings, self.game, self.g), images, settings)
            made, asked = generated(gan, self.seed)
            files.write_bytes(folder / "images.png", png(grid(torch.from_numpy(made[:SHOWN]) / 127.5 - 1, 10)))
            return compared(made, asked, images)

    def filled(self, images: Images) -> TrainSettings:
        """Those of preset small, with this loss and these step sizes."""
        given = train_settings(
            known=images.classes, method=self.method, seed=self.seed, images=self.images, loss=self.loss,
            lr=self.rates[0], d_lr=self.rates[1],
        )  # fmt: skip
        return filled(given, images.shape, len(images.classes))


def played(settings: TrainSettings, game: str, g: str) -> Method:
    """The method of the settings whose G is told the class in this way; UsageError where there is none."""
    named = method_of(settings)
    losses = named.losses
    if game == "ac-gan" and g == NOT:  # D classifies real images, and G does not learn from it
        losses = (losses[0], AuxiliaryClass(on_fake=False, g_weight=0.0))
    return named.but(conditioning=TOLD[g], losses=losses)


def parts(*, chooses: bool) -> Images:
    """All images, of which the test images measure; to choose, the training images alone, of which the last do."""
    images = read(DATA, size=(SIDE, SIDE))
    if not chooses:
        return images
    images = images.select(np.flatnonzero(~np.asarray(images.test)))
    return replace(images, test=np.arange(len(images)) >= len(images) - HELD_OUT)


def trained(method: Method, images: Images, settings: TrainSettings) -> GAN:
    """A GAN of all classes after its training."""
    train_rows = ~np.asarray(images.test)
    pixels, labels = (torch.from_numpy(part[train_rows]) for part in (images.pixels, images.labels))
    gan = GAN(method, images.shape, seed=settings.seed, classes=len(images.classes), ema=settings.ema or 0.0)
    source, batch = Source(pixels, labels, None, settings.seed), settings.batch or 0
    for _ in train(gan, source, images=settings.images or 0, batch=batch):
        pass
    return gan


def generated(gan: GAN, seed: int) -> tuple[Pixels, Labels]:
    """MADE images, and the classes that G was given, in turn."""
    z = gan.method.latent.draw(MADE, generator(seed, "controls"))
    asked = torch.arange(MADE) % gan.classes
    made = [
        as_pixels(gan.generate(part, y if gan.conditional else None))
        for part, y in zip(z.split(250), asked.split(250), strict=True)
    ]
    return np.concatenate(made), asked.numpy()


def compared(made: Pixels, asked: Labels, images: Images) -> dict[str, float]:
    """The figures of generated images beside real ones that did not train."""
    test = np.asarray(images.test)
    real = images.pixels[test]
    extractor = lite0(images.shape)
    seen, theirs = extractor.features(real), extractor.features(made)
    overlap = compare(seen, theirs)
    judge = own(images.pixels[~test], images.labels[~test], f"{DATA}, training part", 0)
    named = judge.probabilities(made).argmax(1)
    counts = np.bincount(named, minlength=len(images.classes))
    return {
        "fid": distance(seen, theirs),
        "precision": overlap.precision,
        "recall": overlap.recall,
        "recognised": float((named == asked).mean()),
        "within": apart(judge.features(made), named) / apart(judge.features(real), judge.probabilities(real).argmax(1)),
        "rarest": float(counts.min() / counts.sum()),
    }


def apart(features: Floats, named: Labels) -> float:
    """The mean distance of two images of a class, over the classes that have two; 0 for none."""
    found = [features[named == k] for k in np.unique(named)]
    return float(np.mean([within(one).mean for one in found if len(one) > 1] or [0.0]))


def candidates(images: int) -> Iterator[ControlTrial]:
    """The trials that choose loss and step sizes."""
    for ((game, d), (name, g)), loss, rates in product(GAMES.items(), LOSSES, RATES):
        yield ControlTrial(DATA, name, 0, game=game, d=d, g=g, loss=loss, rates=rates, images=images, chooses=True)


def chosen(trials: Sequence[ControlTrial], found: Sequence[dict[str, Any]]) -> dict[tuple[str, str], ControlTrial]:
    """Of each game, with D told or not, the trial with the least FID; of equal ones the first."""
    best: dict[tuple[str, str], tuple[float, ControlTrial]] = {}
    for trial, figures in zip(trials, found, strict=True):
        key = trial.game, trial.d
        if key not in best or figures["fid"] < best[key][0]:
            best[key] = figures["fid"], trial
    return {key: trial for key, (_, trial) in best.items()}


def choices(trials: Sequence[ControlTrial], found: Sequence[dict[str, Any]]) -> list[Line]:
    """The lines of the file of choices."""
    taken = set(chosen(trials, found).values())
    return [
        {
            "game": trial.game, "D": trial.d, "loss": trial.loss, "lr": f"{trial.rates[0]:g}",
            "d_lr": f"{trial.rates[1]:g}", "fid": f"{figures['fid']:.3f}", "taken": "yes" * (trial in taken),
        }
        for trial, figures in zip(trials, found, strict=True)
    ]  # fmt: skip


def lines(trials: Sequence[ControlTrial], found: Sequence[dict[str, Any]]) -> list[Line]:
    """The lines of the file of figures: each seed of a cell, then its mean."""
    every: list[Line] = []
    for trial, figures in zip(trials, found, strict=True):
        there = digits(figures, FIGURES)
        every.append({"cell": f"{trial.game}, D {trial.d}, G {trial.g}", "seed": trial.seed, **there})
    return with_means(every, "cell", FIGURES)


def picture(trials: Sequence[ControlTrial], runs: Path) -> Figure:
    """The images of each cell."""
    figure = Figure(figsize=(15, 2.1 * -(-len(trials) // 3)), layout="constrained")
    grids = figure.subplots(-(-len(trials) // 3), 3, squeeze=False).flat
    for axes in grids:
        axes.axis("off")
    for axes, trial in zip(figure.axes, trials, strict=False):
        axes.imshow(np.asarray(Image.open(trial.folder(runs) / "images.png")), cmap="gray", vmin=0, vmax=255)
        axes.set_title(f"{trial.game}: D {trial.d}, G {trial.g}", fontsize="medium")
    return figure


def main() -> None:
    """Chooses settings, measures every cell seed by seed, and writes tables and picture after each seed."""
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("--choosing", type=int, default=50_000)
    given.add_argument("--images", type=int, default=100_000)
    given.add_argument("--seeds", type=int, default=3)
    given.add_argument("--out", type=Path, help="a folder for tables and picture")
    asked = given.parse_args()
    trials = list(candidates(asked.choosing))
    found = measured(trials, RUNS)
    save("controls-settings", choices(trials, found), asked.out)
    best = chosen(trials, found)
    done: list[ControlTrial] = []
    for seed in range(FIRST, FIRST + asked.seeds):
        done += [best[game, d].but(seed=seed, g=g, images=asked.images, chooses=False) for game, d, g in CELLS]
        save("controls", lines(done, measured(done, RUNS)), asked.out)
        picture(done[: len(CELLS)], RUNS).savefig((asked.out or PICTURE.parent) / PICTURE.name, dpi=80)


if __name__ == "__main__":
    main()
