"""Tables of splitting-gan-2017 and kplus1-2020: quality and diversity of generated images, method by method.

On the papers' data where its files are here, and on small grey sets with features of a classifier of their own: figures
that can be compared with each other, not with the papers'.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from lookalike.base import files
from lookalike.base.arrays import Report, Warn
from lookalike.base.errors import UsageError, listed
from lookalike.data.sources import open_source
from lookalike.features.inception import published
from lookalike.runs.presets import PRESETS
from lookalike.studies.paired import difference
from lookalike.studies.tables.lines import as_csv, chosen, every_seed, file_name, grid, of_seeds, ours
from lookalike.studies.tables.quality_trial import Trial, Way, mean_of_all, perform
from lookalike.studies.tables.table import printed
from lookalike.studies.tables.trials import lacking, of_data, train_missing

SMALL = ("fashion-mnist", "mnist-5k")
COMPARED = ("fid", "kid", "inception_score_own", "inception_score", "precision", "recall")
NAMES = {"stl-10-unlabelled": "stl-10"}  # as the papers have it
SUMMARY = (
    "Generated images against real ones that trained neither the GAN nor the features; every class as often as any "
    "other, where G is told the class. In the row of real images, unseen ones: in the first grid one half of them "
    "against the other. Mean "
    "± standard deviation over seeds; seconds are training on one thread. Differences are paired by seed, with "
    "Student's 95 % interval. Figures of classes are means over the classes; accuracy_score is the accuracy on unseen "
    "real images of a classifier that learnt from generated ones alone, or from as many real ones; "
    "distance_N is the mean distance of features in batches of N, surer_than_C the share of images surer than C "
    "({sure})."
)
NUMBERS = (
    "{made} generated images against {real} unseen real ones; one half of those, {half}, against the other; precision "
    "to coverage of as many on either side."
)
OWN_SCORE = "The inception score (_own) is of that classifier's classes: no figure compares with a published one."
PARTS = ("", "class_", "accuracy_", "surer_", "distance_")  # a grid of each: how its figures' names begin


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
    images : mapping
        Data set -> images shown in preset paper, where a length is published: updates of G times 64.
    """

    name: str
    rows: Mapping[str, int]
    ways: tuple[Way, ...]
    base: str
    labels: str
    images: Mapping[str, int] = field(default_factory=dict)

    def trials(self, data: str, names: Sequence[str], seeds: int, preset: str, weights: str = "") -> list[Trial]:
        """Of one data set, all seeds; DataError where its files are not here."""
        open_source(data)
        side = self.rows[data] if preset == "paper" else PRESETS[preset]["side"]
        images = self.images.get(data) if preset == "paper" else None
        ways = [way for way in self.ways if way.name in names]
        return [Trial(data, way, seed, preset, side, weights, images) for seed in range(seeds) for way in ways]

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
        report: Report = lambda stage, done, of: None,
        warn: Warn = lambda message: None,
    ) -> list[dict[str, Any]]:
        """Trains what is missing below `runs`, and writes the table into `out`, as `studies.tables.run.run` does.

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
        gone = lacking(found, runs, lambda trial: trial.way.name, warn)
        done = {
            trial: files.read_json(trial.result(runs))
            for trials in found.values() for trial in trials if trial.is_done(runs)
        }  # fmt: skip
        if not done:
            raise UsageError("nothing could be measured; the warnings above say why")
        lines = [line for data in found for name in names for line in self._lines(data, name, done, command)]
        stem = file_name(self.name, preset, part=bool(rows or methods), inception=bool(file))
        files.write_text(folder / f"{stem}.csv", as_csv(lines))
        values = {
            data: {(trial.way.name, trial.seed): one["figures"] for trial, one in done.items() if trial.data == data}
            for data in found
        }
        files.write_text(folder / f"{stem}-seeds.csv", every_seed(values))
        files.write_text(folder / f"{stem}.md", self._markdown(preset, lines, done, gone, command))
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

    def _markdown(
        self, preset: str, lines: Sequence[Mapping[str, Any]], done: Done, gone: Mapping[str, Any], command: str
    ) -> str:
        """The table for a reader, a part for each data set: differences first."""
        text = [f"# {self.name.replace('/', ', table ')}, preset {preset}", "", f"`{command}`", ""]
        measured = [one["measured"] for one in done.values()]
        text += [SUMMARY.format(sure=listed(sorted({one["sure"] for one in measured} - {""})) or "nobody")]
        for data in dict.fromkeys(trial.data for trial in done):
            mine = [line for line in lines if line["dataset"] == NAMES.get(data, data)]
            of = [one for trial, one in done.items() if trial.data == data]
            features = list(dict.fromkeys(one["features"] for one in of))
            text += ["", f"## {data}, {self.labels}", "", *(f"Features: {one}." for one in features)]
            text += _numbers(one["measured"] for one in of)
            text += [OWN_SCORE] if any("inception_score_own" in one["figures"] for one in of) else []
            text += ["", *self._beside(data, done, gone[data])]
            for part in PARTS:
                text += ["", *_grid(part, mine, of)] if any(_part(line["metric"]) == part for line in mine) else []
        return "\n".join([*text, ""])

    def _beside(self, data: str, done: Done, gone: Mapping[str, str]) -> list[str]:
        """A line for each way: its paired differences from the base; not where seeds lack."""
        by = {(t.way.name, t.seed): one["figures"] for t, one in done.items() if t.data == data}
        said = [f"- {name}: not compared, {missing}" for name, missing in gone.items()]
        for name in dict.fromkeys(name for name, _ in by if name not in (self.base, *gone) and self.base not in gone):
            seeds = [seed for other, seed in by if other == name and (self.base, seed) in by]
            there = [figure for figure in COMPARED if seeds and figure in by[self.base, seeds[0]]]
            gaps = [_gap(one, [(by[name, s].get(one), by[self.base, s].get(one)) for s in seeds]) for one in there]
            if seeds:
                said.append(f"- {name} less {self.base}, {len(seeds)} seeds: {', '.join(gaps)}")
        return said


Done = Mapping[Trial, Mapping[str, Any]]


def _numbers(measured: Iterable[Mapping[str, Any]]) -> list[str]:
    """Of images, and how good the classifier is."""
    every = list(measured)
    number = {
        key: " or ".join(f"{n:,}" for n in sorted({one[key] for one in every})) for key in ("made", "real", "half")
    }
    right = [one["named"]["rate"] for one in every if one["named"]]
    good = [f"The classifier names {fmean(right):.1%} of the unseen real images rightly."] if right else []
    return [NUMBERS.format(**number), *good]


def _part(figure: str) -> str:
    """Which of the grids a figure stands in."""
    return next((part for part in PARTS if part and figure.startswith(part)), "")


def _grid(part: str, lines: Sequence[Mapping[str, Any]], done: Sequence[Mapping[str, Any]]) -> list[str]:
    """Some figures of every way that has one of them, and those of real images; in the first grid also seconds."""
    figures = [one for one in dict.fromkeys(line["metric"] for line in lines) if _part(one) == part]
    cells = {(line["method"], line["metric"]): ours(line) + _printed(line) for line in lines}
    seconds = {line["method"]: f"{line['seconds'] or 0:.0f}" for line in lines}
    body = [
        [way, *(cells.get((way, one), "") for one in figures), *[s] * (not part)]
        for way, s in seconds.items()
        if any((way, one) in cells for one in figures)
    ]
    real = [mean_of_all([one["real"][name] for one in done if name in one["real"]]) for name in figures]
    body.append(["real images", *("" if value is None else f"{value:.3f}" for value in real), *[""] * (not part)])
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
CRITICS, LONGER = {"cifar-10": 6_400_000}, {"stl-10-unlabelled": 12_800_000}  # 100,000 updates and 200,000, in the code
MODERN = tuple(Way(name, name) for name in ("acgan", "sn-projection", "r3gan"))  # conditional, side by side

QUALITY = (
    Quality("splitting-gan-2017/1", {"cifar-10": 32, **ON_SMALL}, ALONE, "wgan-gp-resnet-a", "unsupervised", CRITICS),
    Quality("splitting-gan-2017/2", {"cifar-10": 32, **ON_SMALL}, TOLD, "wgan-gp-resnet-a", "supervised", CRITICS),
    Quality("splitting-gan-2017/3", {"stl-10-unlabelled": 48}, THIRD, "wgan-gp-resnet-a", "unsupervised", LONGER),
    # 500,000 updates and 200,000, in the paper
    Quality(
        "kplus1-2020/cifar-10",
        {"cifar-10": 32, **ON_SMALL},
        FAMILY,
        "sn-binary",
        "supervised",
        {"cifar-10": 32_000_000},
    ),
    Quality("r3gan-2024/small", ON_SMALL, MODERN, "sn-projection", "supervised"),
    Quality("kplus1-2020/celeba", {"celeba": 64}, FAMILY, "sn-binary", "supervised", {"celeba": 12_800_000}),
)
