"""Which detector for your images? One class is the unknown one in each row; all methods have the same images."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from lookalike.base.arrays import Floats, Warn
from lookalike.base.errors import DataError, LookalikeError, UsageError, did_you_mean, show
from lookalike.base.names import USUAL
from lookalike.data.images import names_of
from lookalike.data.oddities import losses, shrunk
from lookalike.data.sizes import Counts, shrinking
from lookalike.data.sources import Size, open_source, refuse_inside
from lookalike.detect.auc import area
from lookalike.detect.baselines import BASELINES, CLASSIFIERS
from lookalike.detect.join import Join
from lookalike.methods import METHODS
from lookalike.runs.reading import Reading, read_used, reading_of, reading_used
from lookalike.runs.settings import pair
from lookalike.studies.claims import Values, Verdict
from lookalike.studies.detect.cast import Cast, cast, read_tests
from lookalike.studies.detect.parts import HELD_OUT
from lookalike.studies.detect.ranking import Cells, Errors, Line, Unranked, advice, lines_of, unranked_of
from lookalike.studies.detect.trial import DetectorTrial
from lookalike.studies.study import Study, lacking
from lookalike.studies.trial import Cell

ALL, AUTO = "all", "auto"
NAME = "bench-detect"
TOGETHER = 64  # known classes that `auto` learns together at most; one file holds not many more


@dataclass(frozen=True)
class Bench:
    """The result of a bench: the figures of every method."""

    data: str
    test_data: str  # empty: a part of the data
    cast: Cast
    seeds: int
    lines: tuple[Line, ...]  # best first
    unranked: tuple[Unranked, ...]
    values: Values  # (unknown class, method, seed) -> AUC
    errors: Errors  # the same keys, of cells without an AUC
    advice: str
    command: str


def run(
    data: str,
    study: Study,
    settings: Mapping[str, Any] | None = None,
    *,
    known: tuple[str, ...] = (),
    test_data: str = "",
) -> Bench:
    """Does what is missing, and measures it.

    No training and no threshold uses the images of the unknown class. Detectors of single classes are trained once, and
    joined anew for each unknown class. `auto` learns the known classes of each row together.

    Parameters
    ----------
    data : str
        A folder, file or data set's name, with two classes or more.
    study : Study
        The values of the bench. Its methods are names of methods, or "all"; empty: `USUAL`. Each seed draws its own
        split.
    settings : mapping
        Settings as `lookalike train` takes them.
    known : tuple of str
        The known classes, as `lookalike train` takes them; every other class is in turn the unknown one. None: each
        class in turn is the unknown one, and all others are known that have enough images.
    test_data : str
        A folder of class folders with the test images; all of `data` then trains. None: each seed's split cuts them.

    Raises
    ------
    DataError
        For data with a single class, a known class that is not there, or too few images.
    UsageError
        For a method that is not there, or where nothing could be measured.
    """
    names = named(study.methods)
    base, found = set_up(data, study, settings or {}, known, test_data)
    cells = _cells(found, names, base, study.warn)
    failed = study.perform([trial for cell in cells for trial in cell.trials])
    values, errors = _measured(cells, found, study, failed)
    if not values:
        raise UsageError(f"no method could be measured on this data: {next(iter(errors.values()))}")
    gone = lacking(cells, lambda cell: cell.key in values)
    lines = lines_of([cell for cell in cells if cell.method not in gone], values, study.runs)
    unranked = unranked_of(gone, errors)
    said = advice(lines, len(found.rows), study.seeds, [one.method for one in unranked])
    return Bench(
        Path(data).name, Path(test_data).name, found, study.seeds, lines, unranked, values, errors, said, study.command
    )


def set_up(
    data: str, study: Study, given: Mapping[str, Any], known: tuple[str, ...], test_data: str
) -> tuple[list[DetectorTrial], Cast]:
    """A trial of each seed, to be given a method and its classes, and the rows."""
    refuse_inside(study.runs, data)
    refuse_inside(study.runs, test_data or None)
    classes = open_source(
        data, value_range=pair(given.get("value_range")), allow_empty_class=given.get("allow_empty_class", False)
    ).classes
    if len(classes) < 2 and not test_data:
        raise DataError(f"{show(data)} has {len(classes)} class; two or more are needed, one is the unknown one")
    known = names_of(known, classes)
    changed = {"false_alarms": 0.5, **given} | ({"test": 0.0} if test_data else {})  # no threshold is used
    first = DetectorTrial(
        data, AUTO, 0, known=classes, preset=study.preset, settings=tuple(sorted(changed.items())), test_data=test_data
    )
    base = [first.but(seed=seed) for seed in range(study.seeds)]
    images = read_used(data, first.train_settings())
    for line in images.notes:
        study.note(line)
    _say_sizes(images.sizes, named(study.methods), first, study)
    images = replace(images, odd={name: n for name, n in images.odd.items() if name != "shrunk"})  # said of each size
    tests = read_tests(test_data, data, images, first.train_settings()) if test_data else None
    return base, cast(images, [trial.train_settings() for trial in base], known, study.warn, tests)


def named(methods: Sequence[str]) -> tuple[str, ...]:
    """These methods, all of them, or the usual ones; UsageError for one that is not there."""
    there = (*METHODS, *BASELINES, *CLASSIFIERS)
    if ALL in methods:
        return there
    for name in methods:
        if name not in there:
            raise UsageError(
                f"there is no method {show(name)};{did_you_mean(name, there)} there are {', '.join(there)}, and {ALL}"
            )
    return tuple(methods) or USUAL


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


def _cells(found: Cast, names: Sequence[str], base: Sequence[DetectorTrial], warn: Warn) -> Cells:
    """Every row for every method with every seed; a classifier needs two known classes."""
    sizes = _sizes(found, names, base[0])
    few = [name for name in names if name in CLASSIFIERS and found.fewest < 2]
    for name in few:
        warn(f"{name} classifies known classes, of which there is one where the other is unknown; it is left out")
    return [
        Cell(unknown, name, trial.seed, _trials(known, trial.but(method=name, sizes=sizes[name])))
        for trial in (one.but(scored=found.tested, whole=found.whole) for one in base)
        for unknown, known in found.rows.items()
        for name in names
        if name not in few
    ]


def _sizes(found: Cast, names: Sequence[str], base: DetectorTrial) -> dict[str, Reading | None]:
    """By method the one size at which all are trained, where the known classes alone would have different ones."""

    def of(method: str, *known: str) -> Reading | None:
        return reading_used(base.data, base.but(method=method, known=known).train_settings())

    if len({of(AUTO, name) for name in found.tested}) == 1:
        return dict.fromkeys(names)
    return {name: of(name, *found.tested) for name in names}


def _trials(known: tuple[str, ...], base: DetectorTrial) -> tuple[DetectorTrial, ...]:
    """One training per known class; one for all where a classifier, one GAN or `auto` learns them together."""
    method = base.method
    if method in CLASSIFIERS or (method in METHODS and METHODS[method].per_class):
        return (base.but(known=known),)
    if method == AUTO and 1 < len(known) <= TOGETHER:  # all their images train, as by `lookalike train`
        return (base.but(known=known, settings=tuple(sorted({"calibration": 0.0, **dict(base.settings)}.items()))),)
    needs_others = method in METHODS and METHODS[method].needs_others and len(known) > 1
    return tuple(
        base.but(
            known=(name,),
            extra_fakes=tuple(other for other in known if other != name) if needs_others else (),
            held_out=len(known) > 1,
        )
        for name in known
    )


def _measured(
    cells: Cells, found: Cast, study: Study, failed: Mapping[DetectorTrial, str]
) -> tuple[dict[tuple[str, str, int], float], dict[tuple[str, str, int], str]]:
    """The AUC of each cell, or why it has none: test images of the known classes against those of the unknown one."""

    @cache  # each file serves many cells
    def scores(trial: DetectorTrial, name: str, part: str) -> Floats:
        return trial.scores(runs, name, part).score

    values, errors, runs = {}, {}, study.runs
    why = {trial.folder(runs): said for trial, said in failed.items()}
    for cell in cells:
        if not cell.is_done(runs):
            known = (why[trial.folder(runs)] for trial in cell.trials if trial.folder(runs) in why)
            errors[cell.key] = next(known, study.too_late)
            continue
        try:
            values[cell.key] = _auc(cell, found.rows[cell.row], scores)
        except LookalikeError as error:
            errors[cell.key] = str(error)
    return values, errors


def _auc(cell: Cell[DetectorTrial], known: Sequence[str], scores: Callable[[DetectorTrial, str, str], Floats]) -> float:
    raw = {
        name: np.stack([scores(trial, name, trial.part_of(name)) for trial in cell.trials], 1)
        for name in (*known, cell.row)
    }
    if len(cell.trials) == 1:
        score = {name: said[:, 0] for name, said in raw.items()}
    else:
        held = [np.stack([scores(trial, name, HELD_OUT) for trial in cell.trials], 1) for name in known]
        labels = np.repeat(np.arange(len(known)), [len(part) for part in held])
        join = Join.fit(np.concatenate(held), labels)
        score = {name: join.likely(said) for name, said in raw.items()}
    return area(np.concatenate([score[name] for name in known]), score[cell.row])


def record(bench: Bench) -> dict[str, Any]:
    """The result as JSON."""
    return {
        "data": bench.data,
        **({"test_data": bench.test_data} if bench.test_data else {}),
        "classes": list(bench.cast.classes),
        "rows": {unknown: list(known) for unknown, known in bench.cast.rows.items()},
        "seeds": bench.seeds,
        "advice": bench.advice,
        "methods": [
            {
                "method": line.method, "auc": line.auc, "low": line.low, "high": line.high, "seconds": line.seconds,
                "trials": line.trials, "against_best": _json(line.against_best),
            }
            for line in bench.lines
        ],
        "unranked": [
            {"method": one.method, "missing": one.missing, "errors": list(one.errors)} for one in bench.unranked
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
