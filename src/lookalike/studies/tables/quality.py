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

from lookalike.base.errors import listed
from lookalike.base.words import is_share, percent, written
from lookalike.data.sources import open_source
from lookalike.features.inception import published
from lookalike.runs.presets import PRESETS
from lookalike.studies.claims import Estimate
from lookalike.studies.study import Study
from lookalike.studies.tables.figures import SECONDS, FiguresTable, gaps
from lookalike.studies.tables.lines import Line, grid, not_compared, ours, printed, scales, seconds
from lookalike.studies.tables.quality_trial import QualityTrial, mean_of_all
from lookalike.studies.tables.table import Found, Groups, of_data
from lookalike.studies.trial import Cell

SMALL = ("fashion-mnist", "mnist-5k")
COMPARED = ("fid", "kid", "inception_score_own", "inception_score", "precision", "recall")
NAMES = {"stl-10-unlabelled": "stl-10"}  # as the papers have it
SUMMARY = (
    "Generated images against real ones that trained neither the GAN nor the features; every class as often as any "
    "other, where G is conditional on the class. In the row of real images, test images: in the first grid one half "
    "of them against the other. Mean "
    "± standard deviation over seeds; seconds are training on one thread. Differences are paired by seed, with "
    "Student's 95 % interval. Figures of classes are means over the classes; accuracy_score is the accuracy on test "
    "images of a classifier that learnt from generated ones alone, or from as many real ones; "
    "distance_N is the mean distance of features in batches of N, surer_than_C the share of images surer than C "
    "({sure})."
)
NUMBERS = (
    "{made} generated images against {real} real test images; one half of those, {half}, against the other; precision "
    "to coverage of as many on either side."
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
class Quality(FiguresTable[QualityTrial]):
    """A table: its name, the data sets with the side that the paper trains at, its ways, and what others stand beside.

    With Inception's weights its features are measured, and the papers' printed figures stand beside ours.

    Parameters
    ----------
    name : str
        PAPER/TABLE.
    sides : mapping
        Data set -> side of its images in preset paper.
    ways : tuple of Way
        The ways, in the table's order.
    base : str
        The way that the others are compared with.
    labels : str
        The paper's claims about labels.
    images : mapping
        Data set -> images shown in preset paper, where a length is published: updates of G times 64.
    weights : Path or None
        Inception's.
    """

    name: str
    sides: Mapping[str, int]
    ways: tuple[Way, ...]
    base: str
    labels: str
    images: Mapping[str, int] = field(default_factory=dict)
    weights: Path | None = None

    least = ("fid",)

    @property
    def row_names(self) -> tuple[str, ...]:
        """The data sets."""
        return tuple(self.sides)

    @property
    def method_names(self) -> tuple[str, ...]:
        """All ways."""
        return tuple(way.name for way in self.ways)

    @property
    def variant(self) -> str:
        """Inception's figures have files of their own."""
        return "" if self.weights is None else "-inception"

    def usual(self, preset: str) -> tuple[str, ...]:
        """What is measured unless ways are chosen: in preset small ResNet-B is left out, which takes hours."""
        return tuple(way.name for way in self.ways if preset == "paper" or way.wide == 1)

    def groups(self, study: Study, rows: Sequence[str], *, required: bool) -> Groups[QualityTrial]:
        """The cells of each data set."""
        if self.weights is not None:
            published(self.weights, (1, 32, 32))  # hours before it is needed
        return of_data(rows, lambda data: self.cells(data, study), study.warn, required=required)

    def cells(self, data: str, study: Study) -> list[Cell[QualityTrial]]:
        """The cells of one data set with all seeds; DataError where its files are not here."""
        open_source(data)
        names = study.methods or self.usual(study.preset)
        ways = [way for way in self.ways if way.name in names]
        return [
            Cell(data, way.name, seed, (self._trial(data, way, seed, study.preset),))
            for seed in range(study.seeds)
            for way in ways
        ]

    def _trial(self, data: str, way: Way, seed: int, preset: str) -> QualityTrial:
        paper = preset == "paper"
        return QualityTrial(
            data, way.method, seed, preset=preset, pooled=way.pooled, wide=way.wide,
            side=self.sides[data] if paper else PRESETS[preset]["side"],
            weights="" if self.weights is None else str(self.weights.absolute()),
            images=self.images.get(data) if paper else None,
        )  # fmt: skip

    def dataset(self, group: str) -> str:
        """The name of a data set as the papers have it."""
        return NAMES.get(group, group)

    def figures(self, trial: QualityTrial, stored: Mapping[str, Any]) -> dict[str, float | None]:
        """All figures of a trial, and its seconds."""
        return {**stored["figures"], SECONDS: stored["seconds"]}

    def page(self, found: Found[QualityTrial], lines: Sequence[Line]) -> str:
        """The table for a reader, a part for each data set: differences first."""
        study = found.study
        stored = {
            data: [cell.trials[0].figures(study.runs) for cell in found.done(data)]
            for data in found.groups if found.done(data)
        }  # fmt: skip
        sure = listed(sorted({one["measured"]["sure"] for mine in stored.values() for one in mine} - {""})) or "nobody"
        text = [f"# {self.name.replace('/', ', table ')}, preset {study.preset}", "", f"`{study.command}`", ""]
        text += [SUMMARY.format(sure=sure)]
        for data, mine in stored.items():
            text += ["", f"## {data}, {self.labels}", ""]
            text += [f"Features: {one}." for one in dict.fromkeys(one["features"] for one in mine)]
            text += _numbers(one["measured"] for one in mine)
            text += ["", *scales({cell.method: cell.trials[0].train_settings(("any",)) for cell in found.groups[data]})]
            text += [OWN_SCORE] if any("inception_score_own" in one["figures"] for one in mine) else []
            text += ["", *not_compared(found.gone[data]), *self._beside(self.values(found, data), found.gone[data])]
            own = [line for line in lines if line["dataset"] == self.dataset(data)]
            for part in PARTS:
                text += ["", *_grid(part, own, mine)] if any(_part(line["metric"]) == part for line in own) else []
        return "\n".join([*text, ""])

    def _beside(self, values: Mapping[tuple[str, int], Any], gone: Mapping[str, str]) -> list[str]:
        """A line for each way: its paired differences from the base."""
        seeds = len({seed for _, seed in values})
        return [
            f"- {way} less {self.base}, {seeds} seeds: "
            + ", ".join(f"{name} {_text(name, gap[name])}" for name in COMPARED if name in gap)
            for way, gap in gaps(values, self.base, gone)
        ]


def _text(figure: str, gap: Estimate | None) -> str:
    """A difference, of shares in points."""
    if gap is None:
        return "not measured"
    return f"{gap.text(1, 100)} points" if is_share(figure) else gap.text()


def _numbers(measured: Iterable[Mapping[str, Any]]) -> list[str]:
    """The numbers of images, and how good the classifier is."""
    every = list(measured)
    number = {
        key: " or ".join(f"{n:,}" for n in sorted({one[key] for one in every})) for key in ("made", "real", "half")
    }
    right = [one["named"]["rate"] for one in every if one["named"]]
    good = [f"The classifier is right on {percent(fmean(right))} of the test images."] if right else []
    return [NUMBERS.format(**number), *good]


def _part(figure: str) -> str:
    """The name of the grid that a figure stands in."""
    return next((part for part in PARTS if part and figure.startswith(part)), "")


def _grid(part: str, lines: Sequence[Line], done: Sequence[Mapping[str, Any]]) -> list[str]:
    """Some figures of every way that has one of them, and those of real images; in the first grid also seconds."""
    figures = [one for one in dict.fromkeys(line["metric"] for line in lines) if _part(one) == part]
    cells = {(line["method"], line["metric"]): ours(line) + _in_brackets(line) for line in lines}
    spent = {line["method"]: seconds(line) for line in lines}
    body = [
        [way, *(cells.get((way, one), "") for one in figures), *[s] * (not part)]
        for way, s in spent.items()
        if any((way, one) in cells for one in figures)
    ]
    real = {name: mean_of_all([one["real"][name] for one in done if name in one["real"]]) for name in figures}
    of_real = ["" if value is None else written(name, value) for name, value in real.items()]
    body.append(["real images", *of_real, *[""] * (not part)])
    return grid(["method", *figures, *["seconds"] * (not part)], body)


def _in_brackets(line: Line) -> str:
    return f" (printed {printed(line)})" if printed(line) else ""


def _both(name: str, method: str, *, pooled: bool) -> tuple[Way, Way]:
    """A method in two ways: with ResNet-A and, twice as wide, with ResNet-B."""
    return Way(f"{name}-resnet-a", method, pooled), Way(f"{name}-resnet-b", method, pooled, wide=2)


FAMILY = (
    Way("sn-binary", "sn-binary", pooled=True),
    *(Way(name, name) for name in ("sn-acgan", "k-plus-one", "mode")),
    *(Way(name, name) for name in ("sn-projection", "k-plus-one-projection", "mode-projection")),
)
ALONE = (*_both("wgan-gp", "wgan-gp", pooled=True), *_both("splitting-gan", "splitting", pooled=True))
CONDITIONAL = (*_both("wgan-gp", "wgan-gp-classes", pooled=False), *_both("splitting-gan", "splitting", pooled=False))
THIRD = (ALONE[0], ALONE[2])
ON_SMALL = dict.fromkeys(SMALL, 32)
CRITICS, LONGER = {"cifar-10": 6_400_000}, {"stl-10-unlabelled": 12_800_000}  # 100,000 updates and 200,000, in the code
MODERN = tuple(Way(name, name) for name in ("acgan", "sn-projection", "r3gan"))  # conditional, side by side

QUALITY = (
    Quality("splitting-gan-2017/1", {"cifar-10": 32, **ON_SMALL}, ALONE, "wgan-gp-resnet-a", "unsupervised", CRITICS),
    Quality(
        "splitting-gan-2017/2", {"cifar-10": 32, **ON_SMALL}, CONDITIONAL, "wgan-gp-resnet-a", "supervised", CRITICS
    ),
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
