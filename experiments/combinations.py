"""Which way to join detectors of single classes: triples of classes, training images alone, nearest neighbours.

    python experiments/combinations.py

Known or unknown (AUC), with each detector's score scaled by held-out images of its own class, and as it is. Which class
(accuracy): by the regression that `lookalike` fits to held-out images; by the detector alone whose AUC on held-out
images is the higher (`--decides best`); or by the lower score. `--scaling shared` and `--decides best` stand in both.
The triples are none of mcgan-2021's table 2. The figures go to experiments/results/combinations.csv, and stay in
runs/combinations.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from lines import Line, digits, mean, measured, save

from lookalike.base import files
from lookalike.base.arrays import Floats, Pixels
from lookalike.data import Images, read
from lookalike.detect.auc import area
from lookalike.detect.baselines.knn import KNN
from lookalike.detect.openset import OpenSet
from lookalike.studies.trial import FiguresTrial

RUNS = Path("runs/combinations")
TRIPLES = {
    "fashion-mnist": (
        ("T-shirt/top", "Dress", "Shirt"),
        ("Sneaker", "Bag", "Sandal"),
        ("Trouser", "Dress", "Coat"),
        ("T-shirt/top", "Pullover", "Dress"),
        ("Sandal", "Sneaker", "Ankle boot"),
    ),
    "mnist-5k": (("1", "7", "4"), ("5", "6", "8"), ("0", "2", "6"), ("5", "8", "2"), ("4", "7", "9")),
}
MOST = 1000  # images of a class
SHARES = (0.6, 0.75)  # train, then held out, then measure
Labels = npt.NDArray[np.int64]
Parts = list[Pixels]


@dataclass(frozen=True)
class TripleTrial(FiguresTrial):
    """What is measured of detectors of two known classes and one unknown."""

    _: KW_ONLY
    known: tuple[str, str] = ("", "")
    unknown: str = ""

    def folder(self, runs: Path) -> Path:
        """The folder of its figures."""
        return runs / files.safe_name("-".join([self.data, *self.known, self.unknown]))

    def parts(self) -> tuple[Parts, Parts, Parts]:
        """The parts of the known classes and of the unknown one."""
        first, second, unknown = (parts(images_of(self.data), name) for name in (*self.known, self.unknown))
        return first, second, unknown

    def line(self, figures: Mapping[str, float]) -> Line:
        """Its figures as a line of the table."""
        names = {"data": self.data, "known": ",".join(self.known), "unknown": self.unknown}
        return {**names, **digits(figures, [name for name in figures if name != "version"])}


@cache
def images_of(data: str) -> Images:
    """Enlarged as training does."""
    return read(data, size=(32, 32))


def parts(images: Images, name: str) -> Parts:
    """Images to train on, held out, and to measure with."""
    rows = np.flatnonzero((images.labels == images.classes.index(name)) & ~np.asarray(images.test))[:MOST]
    return np.split(images.pixels[rows], [int(share * len(rows)) for share in SHARES])


def ways(joint: OpenSet, options: Mapping[str, OpenSet], pool: KNN, pixels: Pixels) -> dict[str, Floats]:
    """Scores of known or unknown, joined in each way."""
    said = joint.score(pixels)
    scaled = np.stack(list(said.parts.values()), 1)
    raw = each(joint, pixels)
    own = {"most likely class": said.score} | {name: other.score(pixels).score for name, other in options.items()}
    own |= {"least": scaled.min(1), "sum": scaled.sum(1)}
    return own | {"least, as it is": raw.min(1), "sum, as it is": raw.sum(1), "pooled": pool.score(pixels).score}


def each(joint: OpenSet, pixels: Pixels) -> Floats:
    """(N, K) each detector's score as it is."""
    return np.stack([member.score(pixels).score for member in joint.members.values()], 1)


def likely(joint: OpenSet, known: Pixels) -> Labels:
    """The most likely class."""
    said = joint.score(known).classes
    assert said is not None, "two classes are known"
    return said.argmax(1)


def classes(joint: OpenSet, options: Mapping[str, OpenSet], known: Pixels) -> dict[str, Labels]:
    """The class that known images are called, in each way."""
    scaled = np.stack(list(joint.score(known).parts.values()), 1)
    return {
        "regression": likely(joint, known),
        **{name: likely(other, known) for name, other in options.items()},
        "least": scaled.argmin(1),
        "least, as it is": each(joint, known).argmin(1),
    }


class CombinationsTrial(TripleTrial):
    """AUC and accuracy of each way."""

    def measure(self, folder: Path, command: str) -> dict[str, Any]:
        """Learns each class, joins in each way, and scores."""
        a, b, u = self.parts()
        members = {name: KNN.fit(mine[0], self.seed) for name, mine in zip(self.known, (a, b), strict=True)}
        held = np.concatenate([a[1], b[1]]), np.repeat([0, 1], [len(a[1]), len(b[1])])
        joint = OpenSet.fit(members, *held)
        options = {
            "one scale": OpenSet.fit(members, *held, scaling="shared"),
            "best decides": OpenSet.fit(members, *held, decides="best"),
        }
        pool = KNN.fit(np.concatenate([a[0], b[0]]), self.seed)
        known = np.concatenate([a[2], b[2]])
        near, far = ways(joint, options, pool, known), ways(joint, options, pool, u[2])
        truth = np.repeat([0, 1], [len(a[2]), len(b[2])])
        said = classes(joint, options, known)
        areas = {f"AUC, {way}": area(near[way], far[way]) for way in near}
        return areas | {f"accuracy, {way}": float((mine == truth).mean()) for way, mine in said.items()}


def table(name: str, trials: list[TripleTrial], runs: Path) -> None:
    """Measures every triple and writes the table, with the means of all."""
    lines = [trial.line(found) for trial, found in zip(trials, measured(trials, runs), strict=True)]
    figures = [key for key in lines[0] if ", " in key]
    save(name, [*lines, {"data": "mean", "known": "", "unknown": "", **mean(lines, figures)}])


if __name__ == "__main__":
    triples = [(data, *triple) for data, mine in TRIPLES.items() for triple in mine]
    trials = [CombinationsTrial(data, "knn", 0, known=(a, b), unknown=u) for data, a, b, u in triples]
    table("combinations", [*trials], RUNS)
