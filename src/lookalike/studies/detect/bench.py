"""Which detector for your images? Each class in turn is the unknown one; all methods have the same images."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from lookalike.base.arrays import Floats, Warn
from lookalike.base.errors import DataError, UsageError, listed, show
from lookalike.data.oddities import losses, remarks, shrunk
from lookalike.data.sizes import Counts, shrinking
from lookalike.data.sources import Size, open_source, refuse_inside
from lookalike.detect.auc import area
from lookalike.detect.baselines import BASELINES, CLASSIFIERS
from lookalike.detect.join import Join
from lookalike.methods import METHODS
from lookalike.runs.reading import read_used, reading_of
from lookalike.runs.settings import pair
from lookalike.studies.claims import Claim, Estimate, Values, Verdict, judge, mean
from lookalike.studies.detect.parts import HELD_OUT, TEST, measurable
from lookalike.studies.detect.trial import DetectorTrial
from lookalike.studies.study import Study
from lookalike.studies.trial import Cell

USUAL = ("knn", "pca", "lof", "iforest-pca", "ocsvm-pca", "rotation", "cnn-knn", "patches", "auto")
ALL, AUTO = "all", "auto"
LEAST = 5  # images to train on; auto takes no fewer
CLOSE = 0.02  # a difference of AUC that is not worth twice the time
NAME = "bench-detect"
Cells = Sequence[Cell[DetectorTrial]]  # a row is an unknown class


@dataclass(frozen=True)
class Line:
    """One method over all cells."""

    method: str
    auc: float  # mean over unknown classes of the mean over seeds
    low: float | None  # 95 % interval over unknown classes (Student's t), cut to 0..1; None for one class
    high: float | None
    seconds: float  # training and scoring, mean over cells
    trials: int
    against_best: Verdict | None  # the best method less this one; None for the best


@dataclass(frozen=True)
class Bench:
    """The result of a bench: the figures of every method."""

    data: str
    classes: tuple[str, ...]
    seeds: int
    lines: tuple[Line, ...]  # best first
    values: Values  # (unknown class, method, seed) -> AUC
    advice: str
    command: str


def run(data: str, study: Study, settings: Mapping[str, Any] | None = None) -> Bench:
    """Does what is missing, and measures it.

    No training and no threshold uses the images of the unknown class. Detectors of single classes are trained once, and
    joined anew for each unknown class.

    Parameters
    ----------
    data : str
        A folder, file or data set's name, with two classes or more.
    study : Study
        The values of the bench. Its methods are names of methods, or "all"; empty: `USUAL`. Each seed draws its own
        split.
    settings : mapping
        Settings as `lookalike train` takes them.

    Raises
    ------
    DataError
        For data with a single class.
    UsageError
        For a method that is not there, or where no method could be measured in every cell.
    """
    refuse_inside(study.runs, data)
    given = settings or {}
    classes = open_source(
        data, value_range=pair(given.get("value_range")), allow_empty_class=given.get("allow_empty_class", False)
    ).classes
    if len(classes) < 2:
        raise DataError(f"{show(data)} has {len(classes)} class; two or more are needed, each is once the unknown one")
    names = _named(study.methods)
    changed = tuple(sorted({"false_alarms": 0.5, **given}.items()))  # no threshold is used
    first = DetectorTrial(data, AUTO, 0, known=classes, preset=study.preset, settings=changed)
    base = [first.but(seed=seed) for seed in range(study.seeds)]
    classes = _taking_part(classes, base, names, study)
    cells = _cells(classes, names, base, study.warn)
    study.perform([trial for cell in cells for trial in cell.trials])
    values = _values([cell for cell in cells if cell.is_done(study.runs)], classes, study.runs)
    whole = _whole(cells, values, study)
    lines = _lines(whole, values, study.runs)
    said = advice(lines, len(classes), study.seeds)
    return Bench(Path(data).name, classes, study.seeds, lines, values, said, study.command)


def _named(methods: Sequence[str]) -> tuple[str, ...]:
    there = (*METHODS, *BASELINES, *CLASSIFIERS)
    if ALL in methods:
        return there
    for name in methods:
        if name not in there:
            raise UsageError(f"there is no method {show(name)}; there are {', '.join(there)}, and {ALL}")
    return tuple(methods) or USUAL


def _taking_part(
    classes: tuple[str, ...], base: Sequence[DetectorTrial], names: Sequence[str], study: Study
) -> tuple[str, ...]:
    """The classes that can be learnt, held out and measured with every seed; says which cannot, and at which sizes."""
    images, warn = read_used(base[0].data, base[0].train_settings()), study.warn
    _say_sizes(images.sizes, names, base[0], study)
    for line in remarks(images):
        warn(line)
    if images.skipped:
        warn(f"images left out since they cannot be read: {len(images.skipped)}; lookalike check names the first")
    able = [set(measurable(images, trial.train_settings(), LEAST)) for trial in base]
    fit = tuple(name for name in classes if all(name in some for some in able))
    gone = [name for name in classes if name not in fit]
    if gone:
        said = (
            f"{listed(gone[:5])}{f' and {len(gone) - 5} more' if gone[5:] else ''}: too few images that stand under "
            f"no other label; {LEAST} to train on, one held-out image and one test image are needed"
        )
        if len(fit) < 2:
            raise DataError(f"fewer than two classes can be measured; {said}; add images")
        warn(f"left out: {said}")
    return fit


def _say_sizes(counts: Counts, names: Sequence[str], first: DetectorTrial, study: Study) -> None:
    """Says at which size which methods read images of these sizes, where they shrink."""
    by_size = defaultdict[Size, list[str]](list)
    for name in names if counts else ():
        by_size[reading_of(counts, first.but(method=name).train_settings()).size].append(name)
    aspect = first.train_settings().aspect
    for size, methods in by_size.items():
        if line := shrinking(counts, size, aspect):
            study.note(f"{line} by {', '.join(methods)}")
        for line in losses({"shrunk": shrunk(counts, size, aspect)}):
            study.warn(line)


def _cells(classes: Sequence[str], names: Sequence[str], base: Sequence[DetectorTrial], warn: Warn) -> Cells:
    """Every class as the unknown one, for every method with every seed; a classifier needs two known classes."""
    few = [name for name in names if name in CLASSIFIERS and len(classes) < 3]
    for name in few:
        warn(f"{name} classifies known classes, of which there is one where the other is unknown; it is left out")
    return [
        Cell(unknown, name, trial.seed, _trials(classes, unknown, trial.but(method=name)))
        for trial in base
        for unknown in classes
        for name in names
        if name not in few
    ]


def _trials(classes: Sequence[str], unknown: str, base: DetectorTrial) -> tuple[DetectorTrial, ...]:
    """One training per known class; one for all where a classifier or one GAN learns them."""
    known, method = tuple(name for name in classes if name != unknown), base.method
    base = base.but(scored=tuple(classes))
    if method in CLASSIFIERS or (method in METHODS and METHODS[method].per_class):
        return (base.but(known=known),)
    needs_others = method in METHODS and METHODS[method].needs_others and len(known) > 1
    return tuple(
        base.but(
            known=(name,),
            extra_fakes=tuple(other for other in known if other != name) if needs_others else (),
            held_out=len(known) > 1,
        )
        for name in known
    )


def _values(cells: Cells, classes: Sequence[str], runs: Path) -> dict[tuple[str, str, int], float]:
    """AUC of each cell: test images of all known classes against those of the unknown one."""

    @cache  # each file serves many cells
    def scores(trial: DetectorTrial, name: str, part: str) -> Floats:
        return trial.scores(runs, name, part).score

    return {cell.key: _auc(cell, classes, scores) for cell in cells}


def _whole(cells: Cells, values: Values, study: Study) -> Cells:
    """Those of methods that were measured in every cell; UsageError where there is none."""
    if not values:
        raise UsageError("no method could be measured on this data; the warnings above say why")
    gone = study.lacking(cells, lambda cell: bool(np.isfinite(values.get(cell.key, np.nan))))
    whole = [cell for cell in cells if cell.method not in gone]
    if not whole:
        raise UsageError("no method could be measured for every unknown class and seed; the warnings above say why")
    return whole


def _auc(
    cell: Cell[DetectorTrial], classes: Sequence[str], scores: Callable[[DetectorTrial, str, str], Floats]
) -> float:
    known = [name for name in classes if name != cell.row]
    raw = {name: np.stack([scores(trial, name, TEST) for trial in cell.trials], 1) for name in classes}
    if len(cell.trials) == 1:
        score = {name: raw[name][:, 0] for name in classes}
    else:
        held = [np.stack([scores(trial, name, HELD_OUT) for trial in cell.trials], 1) for name in known]
        labels = np.repeat(np.arange(len(known)), [len(part) for part in held])
        join = Join.fit(np.concatenate(held), labels)
        score = {name: _likely(*join(raw[name])) for name in classes}
    return area(np.concatenate([score[name] for name in known]), score[cell.row])


def _likely(scaled: Floats, shares: Floats) -> Floats:
    """(N,) the scaled score of the most likely class."""
    return np.asarray(scaled[np.arange(len(scaled)), shares.argmax(1)])


def _lines(cells: Cells, values: Values, runs: Path) -> tuple[Line, ...]:
    """Every method, the best mean first."""
    by_method: dict[str, list[Cell[DetectorTrial]]] = {}
    for cell in cells:
        by_method.setdefault(cell.method, []).append(cell)
    means = {method: _mean_auc(mine, values) for method, mine in by_method.items()}
    ranked = sorted(means, key=lambda method: -means[method].mean)
    costs = {trial: trial.cost(runs) for trial in dict.fromkeys(trial for cell in cells for trial in cell.trials)}
    lines = []
    for method in ranked:
        auc, mine = means[method], by_method[method]
        seconds = fmean(sum(costs[trial] for trial in cell.trials) for cell in mine)
        low, high = (max(auc.low, 0.0), min(auc.high, 1.0)) if auc.low == auc.low else (None, None)
        gap = judge(Claim(ranked[0], method, "AUC"), values) if method != ranked[0] else None
        lines.append(Line(method, auc.mean, low, high, seconds, len(mine), gap))
    return tuple(lines)


def _mean_auc(cells: Cells, values: Values) -> Estimate:
    """The mean over unknown classes, where each has its mean over seeds."""
    by_row: dict[str, list[float]] = {}
    for cell in cells:
        by_row.setdefault(cell.row, []).append(values[cell.key])
    return mean([fmean(mine) for mine in by_row.values()])


def advice(lines: Sequence[Line], classes: int, seeds: int) -> str:
    """Which to take, in a sentence: the best, or one that costs at most half and whose distance may be chance."""
    best = lines[0]
    gaps = [(line, line.against_best.gap) for line in lines[1:] if line.against_best]
    near = [(line, gap) for line, gap in gaps if not gap.low > 0]
    cheap = [one for one in near if one[1].mean <= CLOSE and one[0].seconds <= best.seconds / 2]
    measured = f"over {classes} unknown classes and {seeds} seed{'s' if seeds > 1 else ''}"
    if cheap:
        line, gap = min(cheap, key=lambda one: one[0].seconds)
        return (
            f"Take {line.method} ({_cost(line)}): {best.method} has the highest mean AUC, {best.auc:.3f} against "
            f"{line.auc:.3f} {measured}, but costs {_cost(best)}, and the difference of {gap.text()} may be chance."
        )
    said = f"Take {best.method}: mean AUC {best.auc:.3f} {measured}, {_cost(best)} per training and scoring"
    if not near:
        return f"{said}."
    line, gap = near[0]
    return f"{said}. Its lead over {line.method}, {gap.text()}, may be chance: more classes or seeds would tell."


def _cost(line: Line) -> str:
    return f"{line.seconds:.0f} s" if line.seconds >= 10 else f"{line.seconds:.1f} s"


def record(bench: Bench) -> dict[str, Any]:
    """The result as JSON."""
    return {
        "data": bench.data,
        "classes": list(bench.classes),
        "seeds": bench.seeds,
        "advice": bench.advice,
        "methods": [
            {
                "method": line.method, "auc": line.auc, "low": line.low, "high": line.high, "seconds": line.seconds,
                "trials": line.trials, "against_best": _json(line.against_best),
            }
            for line in bench.lines
        ],
        "command": bench.command,
    }  # fmt: skip


def _json(verdict: Verdict | None) -> dict[str, float | None] | None:
    """The bounds are null for one unknown class."""
    if verdict is None:
        return None
    counts = {name: getattr(verdict, name) for name in ("rows", "rows_above", "pairs", "pairs_above")}
    values = {"difference": verdict.gap.mean, "low": verdict.gap.low, "high": verdict.gap.high}
    return counts | {name: value if np.isfinite(value) else None for name, value in values.items()}
