"""Tables of splitting-gan-2017 and kplus1-2020: quality and diversity of generated images, method by method.

On the papers' data where its files are here, and on small grey sets with features of a classifier of their own: figures
that can be compared with each other, not with the papers'.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lookalike import files, runs
from lookalike.data import read
from lookalike.data.sources import open_source
from lookalike.errors import UsageError
from lookalike.metrics.paired import difference
from lookalike.presets import PRESETS
from lookalike.report.read import FACTS
from lookalike.settings import TrainSettings, train_settings
from lookalike.tables.lines import as_csv, chosen, file_name, grid, of_seeds, ours
from lookalike.tables.trials import of_data, train_missing
from lookalike.use.generate import generators
from lookalike.use.measure import generated, measure

MADE = 5000  # images that are measured, of all classes together
RESULT = "figures.json"
SMALL = ("fashion-mnist", "mnist-5k")
COMPARED = ("fid", "kid", "inception_score_own", "precision", "recall")
SUMMARY = (
    "{made:,} generated images against real ones that trained neither the GAN nor the features; every class as often "
    "as any other. Features and the inception score (_own) are those of a small classifier trained on the data set's "
    "own training images, so that no figure can be compared with a published one. Mean ± standard deviation over "
    "seeds; seconds are training on one thread. Differences are paired by seed, with Student's 95 % interval."
)


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

    def __str__(self) -> str:
        return f"{self.way.name} on {self.data}, seed {self.seed}"

    def folder(self, runs: Path) -> Path:
        """Where it trains, below `runs`; ways of one training share it."""
        way = "-".join([self.way.method, *["pooled"] * self.way.pooled, *[f"{self.way.wide}x"] * (self.way.wide > 1)])
        return runs / f"quality-{self.preset}" / files.safe_name(self.data) / way / f"seed-{self.seed}"

    def is_done(self, runs: Path) -> bool:
        """Whether it was measured."""
        return (self.folder(runs) / RESULT).exists()

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
    found = measure(made, read(trial.data, size=model.size), trial.data, seed=0)  # the same features for all
    figures = {_plain(figure.name): figure.value for figure in found.figures}
    tree = own / "run" / FACTS
    split = {name: files.read_json(tree)[name] for name in ("nmi", "ari")} if tree.exists() else {}
    result = {"figures": figures | split, "features": found.features, "seconds": runs.seconds(own / "run")}
    files.write_json(own / RESULT, result)


def _plain(name: str) -> str:
    """A figure's name as a column's; the score of our classifier is not that of Inception-v3."""
    plain = name.lower().replace(",", "").replace(" ", "_")
    return f"{plain}_own" if plain == "inception_score" else plain


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

    def trials(self, data: str, names: Sequence[str], seeds: int, preset: str) -> list[Trial]:
        """Of one data set, all seeds; DataError where its files are not here."""
        open_source(data)
        side = self.rows[data] if preset == "paper" else PRESETS[preset]["side"]
        return [Trial(data, way, seed, preset, side) for seed in range(seeds) for way in self.ways if way.name in names]

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
        runs: Path,
        out: Path,
        side_by_side: int,
        command: str,
        report: Callable[[str, int, int], None] = lambda stage, done, of: None,
        warn: Callable[[str], None] = lambda message: None,
    ) -> list[dict[str, Any]]:
        """Trains what is missing below `runs`, and writes the table into `out`, as `lookalike.tables.run.run` does.

        Data sets whose files are not here are left out, with a warning, unless they are asked for.

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
        found = of_data(picked, lambda data: self.trials(data, names, seeds, preset), warn, asked=bool(rows))
        folder = files.make_folder(out)
        train_missing(perform, found, runs, side_by_side=side_by_side, command=command, report=report, warn=warn)
        done = {
            trial: files.read_json(trial.folder(runs) / RESULT)
            for trials in found.values() for trial in trials if trial.is_done(runs)
        }  # fmt: skip
        if not done:
            raise UsageError("nothing could be measured; the warnings above say why")
        lines = [line for data in found for name in names for line in self._lines(data, name, done, command)]
        stem = file_name(self.name, preset, part=bool(rows or methods))
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
            key = (*self.name.split("/"), data, self.labels, "", name, figure)
            lines.append(of_seeds(key, numbers, [one["seconds"] for one in mine], printed=None, command=command))
        return lines

    def _markdown(self, preset: str, lines: Sequence[Mapping[str, Any]], done: Done, command: str) -> str:
        """The table for a reader, a part for each data set: differences first."""
        text = [f"# {self.name.replace('/', ', table ')}, preset {preset}", "", f"`{command}`", ""]
        text += [SUMMARY.format(made=MADE)]
        for data in dict.fromkeys(trial.data for trial in done):
            mine = [line for line in lines if line["dataset"] == data]
            figures = list(dict.fromkeys(line["metric"] for line in mine))
            cells = {(line["method"], line["metric"]): ours(line) for line in mine}
            seconds = {line["method"]: f"{line['seconds'] or 0:.0f}" for line in mine}
            body = [[w, *(cells.get((w, figure), "") for figure in figures), s] for w, s in seconds.items()]
            features = next(one["features"] for trial, one in done.items() if trial.data == data)
            text += ["", f"## {data}, {self.labels}", "", f"Features: {features}.", "", *self._beside(data, done), ""]
            text += grid(["method", *figures, "seconds"], body)
        return "\n".join([*text, ""])

    def _beside(self, data: str, done: Done) -> list[str]:
        """A line for each way: its paired differences from the base."""
        by = {(t.way.name, t.seed): one["figures"] for t, one in done.items() if t.data == data}
        said = []
        for name in dict.fromkeys(name for name, _ in by if name != self.base):
            seeds = [seed for other, seed in by if other == name and (self.base, seed) in by]
            gaps = [
                _gap(figure, [(by[name, s][figure], by[self.base, s][figure]) for s in seeds]) for figure in COMPARED
            ]
            if seeds:
                said.append(f"- {name} less {self.base}, {len(seeds)} seeds: {', '.join(gaps)}")
        return said


Done = Mapping[Trial, Mapping[str, Any]]


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
