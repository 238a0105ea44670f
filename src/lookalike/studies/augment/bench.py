"""Is it worth it, for your images? Every way to fill up short classes on the same splits, and the verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np

from lookalike.base.errors import DataError, UsageError, did_you_mean, listed, show
from lookalike.base.names import USUAL_WAYS, ClassifierName
from lookalike.data.oddities import reading, remarks
from lookalike.data.sources import open_source, refuse_inside
from lookalike.runs.reading import read_used
from lookalike.runs.settings import pair
from lookalike.studies.augment import power
from lookalike.studies.augment.trial import (
    CLASSIFIERS,
    CNN,
    GANS,
    NONE,
    WAYS,
    ClassifierTrial,
    cost,
    parts_of,
    spent,
)
from lookalike.studies.claims import Estimate, bonferroni, difference
from lookalike.studies.study import Study
from lookalike.studies.trial import Cell
from lookalike.use.augment import LEAST, wanted

ALL = "all"
FIGURES = ("accuracy", "balanced_accuracy", "rare_recall", "top_accuracy")
MAIN = "balanced_accuracy"
GAINS = {MAIN: "all classes", "rare_recall": "rare classes"}  # figures whose gains over `none` have intervals
NAME = "bench-augment"
ENOUGH = 3  # seeds that an interval is believed of


@dataclass(frozen=True)
class Line:
    """One way over all seeds."""

    way: str
    figures: Mapping[str, tuple[float, ...]]  # of each seed
    gains: Mapping[str, Estimate]  # in each of `GAINS` over `none`, for the best of so many ways; empty for `none`
    recall: Mapping[str, float]  # class -> mean over seeds
    seconds: float  # GAN and classifier, mean over seeds
    spent: float  # the same with the classifier of generated images alone
    generated_only: tuple[float, ...]  # accuracy, where the training images were all generated

    @property
    def gain(self) -> Estimate | None:
        """The gain in balanced accuracy; None for `none`."""
        return self.gains.get(MAIN)

    def mean(self, figure: str) -> float:
        """The mean of a figure over seeds."""
        return fmean(self.figures[figure])

    def sd(self, figure: str) -> float | None:
        """The standard deviation of a figure over seeds; None for a single seed."""
        values = self.figures[figure]
        return stdev(values) if len(values) > 1 else None


@dataclass(frozen=True)
class Bench:
    """The result of a bench: the figures of every way."""

    data: str
    short: Mapping[str, int]  # class -> images that it lacked in the first split
    counts: Mapping[str, int]  # class -> training images in the first split
    seeds: int
    lines: tuple[Line, ...]  # best first
    verdict: str
    reach: tuple[str, ...]  # how wide intervals are, and what narrower ones would take; for each of `GAINS`
    command: str
    classifier: ClassifierName = CNN

    @property
    def name(self) -> str:
        """The name of its files; one for each classifier."""
        return NAME if self.classifier == CNN else f"{NAME}-{self.classifier}"

    @property
    def judged_by(self) -> str:
        """The classifier in a sentence or two."""
        summary: str = CLASSIFIERS[self.classifier].SUMMARY
        return summary


def run(
    data: str,
    study: Study,
    settings: Mapping[str, Any] | None = None,
    *,
    to: str = "balance",
    rare: Sequence[str] = (),
    classifier: ClassifierName = CNN,
) -> Bench:
    """Does what is missing, and measures it.

    Parameters
    ----------
    data : str
        A folder, file or data set's name, with two classes or more of which some are short.
    study : Study
        The values of the bench. Its methods are names of ways, or "all"; empty: `USUAL_WAYS`. `none` always takes part.
        Each seed has its own split.
    settings : mapping
        Settings as `lookalike train` takes them.
    to : str
        How far short classes are filled up; see `lookalike.use.augment.wanted`.
    rare : sequence of str
        Each CLASS=NUMBER: of this class only so many images are learnt from, and all of its test images stay.
    classifier : str
        What learns from the images; see `CLASSIFIERS`.

    Raises
    ------
    DataError
        For data with fewer than two classes that can be learnt, or where `rare` names more images than there are.
    UsageError
        For a way that is not there, where no class is short, or where nothing could be measured.
    """
    refuse_inside(study.runs, data)
    names, cut = _named(study.methods), _cut(rare)
    given = dict(settings or {})
    classes = open_source(
        data, value_range=pair(given.get("value_range")), allow_empty_class=given.get("allow_empty_class", False)
    ).classes
    changed = tuple(sorted(given.items()))
    base = ClassifierTrial(
        data, NONE, 0, preset=study.preset, settings=changed, classes=classes, to=to, rare=cut, classifier=classifier
    )
    base, counts = _able(base, study)
    short = wanted(to, counts)
    if len(names) > 1:
        study.note(power.before(study.seeds, len(names) - 1))
    cells = [Cell(data, way, seed, (base.but(method=way, seed=seed),)) for seed in range(study.seeds) for way in names]
    study.perform([trial for cell in cells for trial in cell.trials])
    lines = lines_of(cells, study)
    said, reach = verdict(lines, study.seeds), reach_of(lines, study.workers)
    return Bench(Path(data).name, short, counts, study.seeds, lines, said, reach, study.command, classifier)


def _named(methods: Sequence[str]) -> tuple[str, ...]:
    if ALL in methods:
        return WAYS
    for name in methods:
        if name not in WAYS:
            raise UsageError(
                f"there is no way {show(name)};{did_you_mean(name, WAYS)} there are {', '.join(WAYS)}, and {ALL}"
            )
    return tuple(dict.fromkeys((NONE, *methods))) if methods else USUAL_WAYS


def _cut(rare: Sequence[str]) -> tuple[tuple[str, int], ...]:
    """Class and number of each CLASS=NUMBER."""
    found = [text.rpartition("=") for text in rare]
    for text, (name, _, number) in zip(rare, found, strict=True):
        if not name or not number.isdecimal() or int(number) <= LEAST:
            raise UsageError(
                f"--rare {show(text)}: give CLASS=NUMBER with a number from {LEAST + 1} on, such as Coat=25; repeat "
                "the flag for more classes"
            )
    return tuple((name, int(number)) for name, _, number in found)


def _able(base: ClassifierTrial, study: Study) -> tuple[ClassifierTrial, dict[str, int]]:
    """The trial of the classes that can be learnt, and how many training images each has; says which cannot."""
    images = read_used(base.data, base.train_settings())
    for line in remarks(images):
        study.warn(line)
    for line in reading(images):
        study.note(line)
    parts = parts_of(base, images)
    if parts.said:
        study.warn(f"seed 0, {parts.said}")
    counts, tests = (np.bincount(labels, minlength=len(images.classes)) for labels in (parts.train[1], parts.test[1]))
    fit = tuple(name for name, n, m in zip(images.classes, counts, tests, strict=True) if n >= LEAST and m)
    gone = [name for name in base.classes if name not in fit]
    if gone:
        said = f"{listed(gone)}: fewer than {LEAST} images to train on, or no test image"
        if len(fit) < 2:
            raise DataError(f"fewer than two classes can be measured; {said}; add images")
        study.warn(f"left out: {said}")
    return base.but(classes=fit), {name: int(counts[images.classes.index(name)]) for name in fit}


def lines_of(cells: Sequence[Cell[ClassifierTrial]], study: Study) -> tuple[Line, ...]:
    """Each way that was measured with every seed, the best mean first; UsageError where `none` was not."""
    gone = study.lacking(cells)
    if NONE in gone:
        raise UsageError("nothing could be measured on this data; the warnings above say why")
    done: dict[str, list[dict[str, Any]]] = {}
    for cell in cells:
        if cell.method not in gone:
            done.setdefault(cell.method, []).append(cell.trials[0].figures(study.runs))
    lines = [
        Line(
            way,
            {figure: tuple(one[figure] for one in mine) for figure in FIGURES},
            _gains(mine, done[NONE], len(done) - 1) if way != NONE else {},
            _recall(mine),
            fmean(cost(one) for one in mine),
            fmean(spent(one) for one in mine),
            tuple(one["generated_only"]["accuracy"] for one in mine if "generated_only" in one),
        )
        for way, mine in done.items()
    ]
    return tuple(sorted(lines, key=lambda line: -line.mean(MAIN)))


def _gains(mine: Sequence[Mapping[str, Any]], plain: Sequence[Mapping[str, Any]], ways: int) -> dict[str, Estimate]:
    """The gains of one way, whose intervals are widened because the best of several ways is looked at."""
    level = bonferroni(ways)
    return {figure: difference([o[figure] for o in mine], [o[figure] for o in plain], level) for figure in GAINS}


def reach_of(lines: Sequence[Line], workers: int) -> tuple[str, ...]:
    """A line for each of `GAINS`; none where a single seed, or no way beside `none`, was measured."""
    (plain,) = (line for line in lines if line.way == NONE)
    others = [line for line in lines if line is not plain]
    if not others or len(plain.figures[MAIN]) < 2:
        return ()
    seconds = sum(line.spent for line in lines) / workers
    gains = {
        name: [np.subtract(line.figures[figure], plain.figures[figure]).tolist() for line in others]
        for figure, name in GAINS.items()
    }
    return tuple(f"{name}: {power.after(mine, seconds)}" for name, mine in gains.items())


def _recall(mine: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Mean recall of each class that is counted."""
    names = list(mine[0]["counts"])
    return {name: fmean(one["recall"][name] for one in mine) for name in names}


def verdict(lines: Sequence[Line], seeds: int) -> str:
    """Whether anything helped, in one or two sentences; a gain is one whose interval lies above 0."""
    others = [line for line in lines if line.gain is not None]
    if not others:
        return "Nothing but the bare classifier was measured."
    gains = [line for line in others if _helps(line)] if seeds >= ENOUGH else []
    best, gan = (gains or others)[0], _best_gan(gains) or _best_gan(others)
    if seeds < ENOUGH:
        said = f"{seeds} seed{'s' if seeds > 1 else ''} cannot tell, {ENOUGH} are needed; the best so far is"
    else:
        said = "Take" if gains else "No gain found: the best way is"
    said += f" {_of(best, seeds)}."
    if others[0] not in (best, gan):
        said += f" {_of(others[0], seeds)} may be chance."
    if gan and gan is not best:
        said += f" The best GAN is {_of(gan, seeds)}{', a gain too' if gan in gains else ''}."
    return said


def _best_gan(lines: Sequence[Line]) -> Line | None:
    """The first of them; None where there is none."""
    return next((line for line in lines if line.way in GANS), None)


def _helps(line: Line) -> bool:
    """A spread of 0 is a small test part's, not certainty."""
    return line.gain is not None and 0 < line.gain.low < line.gain.high


def _of(line: Line, seeds: int) -> str:
    assert line.gain is not None
    spent = f"{line.seconds / 60:.0f} minutes" if line.seconds >= 90 else f"{line.seconds:.0f} s"
    gain = line.gain.text(1, 100, " points of balanced accuracy")
    return f"{line.way}, {gain}, {seeds} seed{'s' if seeds > 1 else ''}, {spent} each"


def record(bench: Bench) -> dict[str, Any]:
    """The result as JSON."""
    return {
        "data": bench.data,
        "classifier": bench.classifier,
        "seeds": bench.seeds,
        "counts": dict(bench.counts),
        "short": dict(bench.short),
        "verdict": bench.verdict,
        "reach": list(bench.reach),
        "ways": [
            {
                "way": line.way,
                **{figure: line.mean(figure) for figure in FIGURES},
                "recall": dict(line.recall),
                "gain": _bounds(line.gain),
                "rare_gain": _bounds(line.gains.get("rare_recall")),
                "generated_only": fmean(line.generated_only) if line.generated_only else None,
                "seconds": line.seconds,
            }
            for line in bench.lines
        ],
        "command": bench.command,
    }


def _bounds(gain: Estimate | None) -> dict[str, float | None] | None:
    if gain is None:
        return None
    bounds = {"mean": gain.mean, "low": gain.low, "high": gain.high}
    return {name: value if np.isfinite(value) else None for name, value in bounds.items()}
