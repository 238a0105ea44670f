"""Tables of splitting-gan-2017 and kplus1-2020: quality and diversity of generated images, method by method.

On the papers' data where its files are here, and on small grey sets with features of a classifier of their own: figures
that can be compared with each other, not with the papers'.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from lookalike import files, runs
from lookalike.data import read
from lookalike.data.sources import open_source
from lookalike.errors import UsageError
from lookalike.metrics.faces import PACKAGE
from lookalike.metrics.inception import published
from lookalike.metrics.paired import difference
from lookalike.presets import PRESETS
from lookalike.report.read import FACTS
from lookalike.settings import TrainSettings, train_settings
from lookalike.tables.lines import as_csv, chosen, file_name, grid, of_seeds, ours
from lookalike.tables.table import printed
from lookalike.tables.trials import of_data, train_missing
from lookalike.use.generate import generators
from lookalike.use.measure import Features, Measured, generated, measure

MADE = 5000  # images that are measured, of all classes together
SMALL = ("fashion-mnist", "mnist-5k")
COMPARED = ("fid", "kid", "inception_score_own", "inception_score", "precision", "recall")
NAMES = {"stl-10-unlabelled": "stl-10"}  # as the papers have it
ONE_CLASS = ("stl-10-unlabelled",)  # EfficientNet's features: no classifier learns from one class
OF_FACES = ("celeba",)  # MTCNN says how sure it is, where its weights are installed
SUMMARY = (
    "{made:,} generated images against real ones that trained neither the GAN nor the features; every class as often "
    "as any other, where G is told the class. Real images: one half of those unseen ones against the other half. Mean "
    "± standard deviation over seeds; seconds are training on one thread. Differences are paired by seed, with "
    "Student's 95 % interval. Figures of classes are means over the classes; accuracy_score is the accuracy on unseen "
    "real images of a classifier that learnt from generated ones alone, accuracy_score_real from as many real ones; "
    "distance_N is the mean distance of features in batches of N."
)
OWN_SCORE = "The inception score (_own) is of that classifier's classes: no figure compares with a published one."
PARTS = ("", "class_", "accuracy_", "surer_", "distance_")  # a grid of each: how its figures' names begin


@dataclass(frozen=True)
class Way:
    """One method of a table: its name there, and how it is trained."""

    name: str
    method: str
    pooled: bool = False  # without labels
    wide: int = 1  # times the preset's width


@dataclass(frozen=True)
class Trial:
    """One training, what it made, and what that was worth."""

    data: str
    way: Way
    seed: int
    preset: str
    side: int
    weights: str = ""  # Inception's file

    def __str__(self) -> str:
        return f"{self.way.name} on {self.data}, seed {self.seed}"

    def folder(self, runs: Path) -> Path:
        """Where it trains, below `runs`; ways of one training share it."""
        way = "-".join([self.way.method, *["pooled"] * self.way.pooled, *[f"{self.way.wide}x"] * (self.way.wide > 1)])
        return runs / f"quality-{self.preset}" / files.safe_name(self.data) / way / f"seed-{self.seed}"

    def is_done(self, runs: Path) -> bool:
        """Whether it was measured."""
        return self.result(runs).exists()

    def result(self, runs: Path) -> Path:
        """What was measured: with Inception's features a file of its own."""
        return self.folder(runs) / ("figures-inception.json" if self.weights else "figures.json")

    @property
    def features(self) -> Features:
        """Whose."""
        return "inception" if self.weights else "efficientnet" if self.data in ONE_CLASS else "own"

    def settings(self, known: tuple[str, ...]) -> TrainSettings:
        """What it trains with."""
        width = self.way.wide * PRESETS[self.preset]["resnet"]["width"]
        return train_settings(
            known=known, method=self.way.method, seed=self.seed, preset=self.preset, pooled=self.way.pooled,
            size=f"{self.side},{self.side}", width=width, calibration=0, threads=1,
        )  # fmt: skip


def perform(trial: Trial, folder: Path, command: str = "") -> None:
    """Trains, generates, measures and stores the figures."""
    own = trial.folder(folder)
    settings = trial.settings(open_source(trial.data).classes)
    files.make_folder(own.parent)
    model = runs.run(trial.data, settings, own / "run", command=(command,))
    made = generated(model, MADE // len(generators(model)), trial.seed)
    found = measure(
        made,
        read(trial.data, size=model.size),
        trial.data,
        run=own / "run",
        features=trial.features,
        weights=Path(trial.weights) if trial.weights else None,
        show_faces=trial.data in OF_FACES and find_spec(PACKAGE) is not None,
        accuracy=len(made.classes) > 1,
        seed=0,  # the same classifier for all
    )
    tree = own / "run" / FACTS
    split = {name: files.read_json(tree)[name] for name in ("nmi", "ari")} if tree.exists() else {}
    whose = "" if trial.weights else "_own"
    result = {
        "figures": _figures(found, whose) | split,
        "real": {_plain(one.name, whose): one.real for one in found.figures},
        "features": found.features,
        "sure": found.sure,
        "seconds": runs.seconds(own / "run"),
        "measured": found.json(),
    }
    files.write_json(trial.result(folder), result)


def _figures(found: Measured, whose: str) -> dict[str, float | None]:
    """All of them under names of columns; `whose` marks the inception score of our classifier."""
    classes, sure = list(found.classes.values()), found.confidence.items()
    score = found.accuracy and {
        "accuracy_score": found.accuracy.made.rate,
        "accuracy_score_real": found.accuracy.real.rate,
    }
    return (
        {_plain(one.name, whose): one.value for one in found.figures}
        | {f"class_{_plain(name)}": _mean([one[name] for one in classes]) for name in BY_CLASS if classes}
        | (score or {})
        | {f"surer_than_{level:g}": made.rate for level, (made, _) in sure}
        | {f"distance_{one['batch']}": one["mean"] for one in found.distances}
    )


BY_CLASS = ("FID", "KID", "within", "taken for it")


def _mean(values: Sequence[float | None]) -> float | None:
    """None where one is."""
    there = [value for value in values if value is not None]
    return fmean(there) if len(there) == len(values) else None


def _plain(name: str, whose: str = "") -> str:
    """A figure's name as a column's."""
    plain = name.lower().replace(",", "").replace(" ", "_")
    return f"{plain}{whose}" if plain == "inception_score" else plain


@dataclass(frozen=True)
class Quality:
    """A table: its name, the data sets with the side that the paper trains at, its ways, and what others stand beside.

    Parameters
    ----------
    name : str
        PAPER/TABLE.
    rows : mapping
        Data set -> side of its images in preset paper.
    ways : tuple of Way
        In the table's order.
    base : str
        The way that the others are compared with.
    labels : str
        What the paper's table says of labels.
    """

    name: str
    rows: Mapping[str, int]
    ways: tuple[Way, ...]
    base: str
    labels: str

    def trials(self, data: str, names: Sequence[str], seeds: int, preset: str, weights: str = "") -> list[Trial]:
        """Of one data set, all seeds; DataError where its files are not here."""
        open_source(data)
        side = self.rows[data] if preset == "paper" else PRESETS[preset]["side"]
        ways = [way for way in self.ways if way.name in names]
        return [Trial(data, way, seed, preset, side, weights) for seed in range(seeds) for way in ways]

    def usual(self, preset: str) -> tuple[str, ...]:
        """What is measured unless ways are chosen: in preset small ResNet-B is left out, which takes hours."""
        return tuple(way.name for way in self.ways if preset == "paper" or way.wide == 1)

    def run(
        self,
        *,
        preset: str,
        seeds: int,
        rows: Sequence[str] = (),
        methods: Sequence[str] = (),
        weights: Path | None = None,
        runs: Path,
        out: Path,
        side_by_side: int,
        command: str,
        report: Callable[[str, int, int], None] = lambda stage, done, of: None,
        warn: Callable[[str], None] = lambda message: None,
    ) -> list[dict[str, Any]]:
        """Trains what is missing below `runs`, and writes the table into `out`, as `lookalike.tables.run.run` does.

        Data sets whose files are not here are left out, with a warning, unless they are asked for. With Inception's
        `weights` its features are measured, and the papers' printed figures stand beside ours.

        Raises
        ------
        UsageError
            For a row or method that is not there, or where nothing could be measured.
        DataError
            For a row that is asked for and whose files are not here.
        """
        there = [way.name for way in self.ways]
        names = chosen(there, methods, "method", self.name) if methods else self.usual(preset)
        picked = chosen(tuple(self.rows), rows, "row", self.name)
        if weights is not None:
            published(weights, (1, 32, 32))  # hours before it is needed
        file = "" if weights is None else str(weights.absolute())
        found = of_data(picked, lambda data: self.trials(data, names, seeds, preset, file), warn, asked=bool(rows))
        folder = files.make_folder(out)
        train_missing(perform, found, runs, side_by_side=side_by_side, command=command, report=report, warn=warn)
        done = {
            trial: files.read_json(trial.result(runs))
            for trials in found.values() for trial in trials if trial.is_done(runs)
        }  # fmt: skip
        if not done:
            raise UsageError("nothing could be measured; the warnings above say why")
        lines = [line for data in found for name in names for line in self._lines(data, name, done, command)]
        stem = file_name(self.name, preset, part=bool(rows or methods), inception=bool(file))
        files.write_text(folder / f"{stem}.csv", as_csv(lines))
        files.write_text(folder / f"{stem}.md", self._markdown(preset, lines, done, command))
        return lines

    def _lines(self, data: str, name: str, done: Done, command: str) -> list[dict[str, Any]]:
        """Every figure of one way over its seeds."""
        mine = [one for trial, one in done.items() if (trial.data, trial.way.name) == (data, name)]
        figures = dict.fromkeys(figure for one in mine for figure in one["figures"])
        lines = []
        for figure in figures:
            numbers = [one["figures"][figure] for one in mine if one["figures"].get(figure) is not None]
            key = (*self.name.split("/"), NAMES.get(data, data), self.labels, "", name, figure)
            seconds = [one["seconds"] for one in mine]
            lines.append(of_seeds(key, numbers, seconds, printed=printed().get(key), command=command))
        return lines

    def _markdown(self, preset: str, lines: Sequence[Mapping[str, Any]], done: Done, command: str) -> str:
        """The table for a reader, a part for each data set: differences first."""
        text = [f"# {self.name.replace('/', ', table ')}, preset {preset}", "", f"`{command}`", ""]
        text += [SUMMARY.format(made=MADE)]
        for data in dict.fromkeys(trial.data for trial in done):
            mine = [line for line in lines if line["dataset"] == NAMES.get(data, data)]
            of = [one for trial, one in done.items() if trial.data == data]
            features = list(dict.fromkeys(one["features"] for one in of))
            text += ["", f"## {data}, {self.labels}", "", *(f"Features: {one}." for one in features)]
            text += [OWN_SCORE] if any("inception_score_own" in one["figures"] for one in of) else []
            text += ["", *self._beside(data, done)]
            for part in PARTS:
                text += ["", *_grid(part, mine, of)] if any(_part(line["metric"]) == part for line in mine) else []
        return "\n".join([*text, ""])

    def _beside(self, data: str, done: Done) -> list[str]:
        """A line for each way: its paired differences from the base."""
        by = {(t.way.name, t.seed): one["figures"] for t, one in done.items() if t.data == data}
        said = []
        for name in dict.fromkeys(name for name, _ in by if name != self.base):
            seeds = [seed for other, seed in by if other == name and (self.base, seed) in by]
            there = [figure for figure in COMPARED if seeds and figure in by[self.base, seeds[0]]]
            gaps = [_gap(one, [(by[name, s].get(one), by[self.base, s].get(one)) for s in seeds]) for one in there]
            if seeds:
                said.append(f"- {name} less {self.base}, {len(seeds)} seeds: {', '.join(gaps)}")
        return said


Done = Mapping[Trial, Mapping[str, Any]]


def _part(figure: str) -> str:
    """Which of the grids a figure stands in."""
    return next((part for part in PARTS if part and figure.startswith(part)), "")


def _grid(part: str, lines: Sequence[Mapping[str, Any]], done: Sequence[Mapping[str, Any]]) -> list[str]:
    """Some figures of every way; in the first grid also those of real images, and seconds."""
    figures = [one for one in dict.fromkeys(line["metric"] for line in lines) if _part(one) == part]
    cells = {(line["method"], line["metric"]): ours(line) + _printed(line) for line in lines}
    seconds = {line["method"]: f"{line['seconds'] or 0:.0f}" for line in lines}
    body = [[way, *(cells.get((way, one), "") for one in figures), *[s] * (not part)] for way, s in seconds.items()]
    if not part:
        real = [_mean([one["real"].get(figure) for one in done]) for figure in figures]
        body.append(["real images", *("" if value is None else f"{value:.3f}" for value in real), ""])
    return grid(["method", *figures, *["seconds"] * (not part)], body)


def _printed(line: Mapping[str, Any]) -> str:
    return "" if line["printed"] is None else f" (printed {line['printed']:g})"


def _gap(figure: str, pairs: Sequence[tuple[float, float]]) -> str:
    one, other = np.array(pairs, float).T if pairs else (np.zeros(0), np.zeros(0))
    if not len(one) or not np.isfinite([one, other]).all():
        return f"{figure} not measured"
    gap = difference(one.tolist(), other.tolist())
    interval = f" [{gap.low:+.3f}, {gap.high:+.3f}]" if len(pairs) > 1 else ""
    return f"{figure} {gap.mean:+.3f}{interval}"


def _both(name: str, method: str, *, pooled: bool) -> tuple[Way, Way]:
    """With ResNet-A and, twice as wide, ResNet-B."""
    return Way(f"{name}-resnet-a", method, pooled), Way(f"{name}-resnet-b", method, pooled, wide=2)


FAMILY = (
    Way("sn-binary", "sn-binary", pooled=True),
    *(Way(name, name) for name in ("sn-acgan", "k-plus-one", "mode")),
    *(Way(name, name) for name in ("sn-projection", "k-plus-one-projection", "mode-projection")),
)
ALONE = (*_both("wgan-gp", "wgan-gp", pooled=True), *_both("splitting-gan", "splitting", pooled=True))
TOLD = (*_both("wgan-gp", "wgan-gp-classes", pooled=False), *_both("splitting-gan", "splitting", pooled=False))
THIRD = (ALONE[0], ALONE[2])
ON_SMALL = dict.fromkeys(SMALL, 32)
QUALITY = (
    Quality("splitting-gan-2017/1", {"cifar-10": 32, **ON_SMALL}, ALONE, "wgan-gp-resnet-a", "unsupervised"),
    Quality("splitting-gan-2017/2", {"cifar-10": 32, **ON_SMALL}, TOLD, "wgan-gp-resnet-a", "supervised"),
    Quality("splitting-gan-2017/3", {"stl-10-unlabelled": 48}, THIRD, "wgan-gp-resnet-a", "unsupervised"),
    Quality("kplus1-2020/cifar-10", {"cifar-10": 32, **ON_SMALL}, FAMILY, "sn-binary", "supervised"),
    Quality("kplus1-2020/celeba", {"celeba": 64}, FAMILY, "sn-binary", "supervised"),
)
