"""Which detector for my images? Each class in turn plays the unknown; every method is measured on the same images."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from lookalike.base.arrays import Floats, Report, Warn
from lookalike.base.errors import DataError, UsageError, listed, show
from lookalike.data.oddities import remarks
from lookalike.data.sources import open_source, refuse_inside
from lookalike.detect.auc import area
from lookalike.detect.baselines import BASELINES, CLASSIFIERS
from lookalike.detect.join import Join
from lookalike.methods import METHODS
from lookalike.runs.plan import read_used
from lookalike.runs.settings import pair
from lookalike.studies import jobs
from lookalike.studies.claims import Claim, Values, Verdict, judge
from lookalike.studies.jobs import Job
from lookalike.studies.paired import incomplete

USUAL = ("knn", "pca", "lof", "iforest-pca", "ocsvm-pca", "rotation", "cnn-knn", "auto")
ALL, AUTO = "all", "auto"
LEAST = 5  # images to train on; auto takes no fewer
CLOSE = 0.02  # a difference of AUC that is not worth twice the time
NAME = "bench-detect"


@dataclass(frozen=True)
class Trial:
    """One method with one seed where one class is unknown."""

    method: str
    unknown: str
    seed: int
    jobs: tuple[Job, ...]  # one per known class, or one for all of them


@dataclass(frozen=True)
class Line:
    """One method over all trials."""

    method: str
    auc: float  # mean over unknown classes of the mean over seeds
    low: float | None  # 95 % interval over unknown classes (Student's t), cut to 0..1; None for one class
    high: float | None
    seconds: float  # training and scoring, mean over trials
    trials: int
    against_best: Verdict | None  # the best method less this one; None for the best


@dataclass(frozen=True)
class Bench:
    """What was measured."""

    data: str
    classes: tuple[str, ...]
    seeds: int
    lines: tuple[Line, ...]  # best first
    values: Mapping[tuple[str, str, int], float]  # (unknown class, method, seed) -> AUC
    advice: str
    command: str


def run(
    data: str,
    *,
    methods: Sequence[str] = (),
    seeds: int = 3,
    preset: str = "small",
    settings: Mapping[str, Any] | None = None,
    runs: Path,
    workers: int,
    command: str = "",
    report: Report = lambda stage, done, of: None,
    warn: Warn = lambda message: None,
) -> Bench:
    """Trains what is missing below `runs`, and measures it.

    The unknown class's images are in no training and set nothing; detectors of single classes are trained once and
    joined anew for each unknown class.

    Parameters
    ----------
    data : str
        A folder, file or data set's name, with two classes or more.
    methods : sequence of str
        Names of methods, or "all"; empty: `USUAL`.
    seeds : int
        Seeds 0 to `seeds` - 1; each draws its own split.
    preset, settings
        As `lookalike train` takes them.
    runs : Path
        The folder of the trainings.
    workers : int
        Trainings side by side.

    Raises
    ------
    DataError
        For data with a single class.
    UsageError
        For a method that is not there, or where no method could be measured in every cell.
    """
    refuse_inside(runs, data)
    given = settings or {}
    classes = open_source(
        data, value_range=pair(given.get("value_range")), allow_empty_class=given.get("allow_empty_class", False)
    ).classes
    if len(classes) < 2:
        raise DataError(f"{show(data)} has {len(classes)} class; two or more are needed, each plays the unknown once")
    names = _named(methods)
    changed = tuple(sorted({"false_alarms": 0.5, **given}.items()))  # no threshold is used
    base = [Job(data, classes, AUTO, seed, preset=preset, settings=changed) for seed in range(seeds)]
    classes = _taking_part(data, classes, base, warn)
    trials = _trials(classes, names, base, warn)
    wanted = [job for trial in trials for job in trial.jobs]
    failed = jobs.side_by_side(wanted, runs, workers=workers, command=command, report=report)
    for line in jobs.remarks(wanted, runs):
        warn(line)
    for sentence in dict.fromkeys(failed.values()):
        concerned = [job for job, said in failed.items() if said == sentence]
        whose = ", ".join(dict.fromkeys(job.method for job in concerned))
        warn(f"trainings that failed: {len(concerned)} ({whose}): {sentence}")
    done = [trial for trial in trials if all(jobs.is_done(job, runs) for job in trial.jobs)]
    if not done:
        raise UsageError("no method could be measured on this data; the warnings above say why")
    values = _values(done, classes, runs)
    whole = _whole(trials, values, warn)
    lines = _lines(
        whole, {key: value for key, value in values.items() if key[1] in {one.method for one in whole}}, runs
    )
    return Bench(Path(data).name, classes, seeds, lines, values, advice(lines, len(classes), seeds), command)


def _named(methods: Sequence[str]) -> tuple[str, ...]:
    there = (*METHODS, *BASELINES, *CLASSIFIERS)
    if ALL in methods:
        return there
    for name in methods:
        if name not in there:
            raise UsageError(f"there is no method {show(name)}; there are {', '.join(there)}, and {ALL}")
    return tuple(methods) or USUAL


def _taking_part(data: str, classes: tuple[str, ...], base: Sequence[Job], warn: Warn) -> tuple[str, ...]:
    """The classes that can be learnt, held out and measured with every seed; says which cannot."""
    images = read_used(data, base[0].train_settings())
    for line in remarks(images):
        warn(line)
    if images.skipped:
        warn(f"images left out since they cannot be read: {len(images.skipped)}; lookalike check names the first")
    able = [set(jobs.measurable(images, job.train_settings(), LEAST)) for job in base]
    fit = tuple(name for name in classes if all(name in some for some in able))
    gone = [name for name in classes if name not in fit]
    if gone:
        said = (
            f"{listed(gone[:5])}{f' and {len(gone) - 5} more' if gone[5:] else ''}: too few images that stand under "
            f"no other label; {LEAST} to train on, one held out and one unseen are needed"
        )
        if len(fit) < 2:
            raise DataError(f"fewer than two classes can be measured; {said}; add images")
        warn(f"left out: {said}")
    return fit


def _trials(classes: Sequence[str], names: Sequence[str], base: Sequence[Job], warn: Warn) -> list[Trial]:
    """Every class unknown to every method with every seed; a classifier needs two that are known."""
    for name in names:
        if name in CLASSIFIERS and len(classes) < 3:
            warn(f"{name} tells known classes apart, of which there is one where the other is unknown; it is left out")
    return [
        Trial(name, unknown, job.seed, _jobs(classes, unknown, name, job.but(method=name)))
        for job in base
        for unknown in classes
        for name in names
        if name not in CLASSIFIERS or len(classes) > 2
    ]


def _jobs(classes: Sequence[str], unknown: str, method: str, base: Job) -> tuple[Job, ...]:
    """One training per known class; one for all where a classifier or one GAN learns them."""
    known = tuple(name for name in classes if name != unknown)
    if method in CLASSIFIERS or (method in METHODS and METHODS[method].per_class):
        return (base.but(known=known, unseen=tuple(classes)),)
    needs_others = method in METHODS and METHODS[method].needs_others and len(known) > 1
    return tuple(
        base.but(
            known=(name,),
            extra_fakes=tuple(other for other in known if other != name) if needs_others else (),
            unseen=tuple(classes),
            held=len(known) > 1,
        )
        for name in known
    )


def _values(trials: Sequence[Trial], classes: Sequence[str], runs: Path) -> dict[tuple[str, str, int], float]:
    """AUC of each trial: all known classes' unseen images against the unknown's."""

    @cache  # each file serves many trials
    def scores(job: Job, name: str, part: str) -> Floats:
        return jobs.found(job, runs, name, part).score

    return {(trial.unknown, trial.method, trial.seed): _auc(trial, classes, scores) for trial in trials}


def _whole(trials: Sequence[Trial], values: Values, warn: Callable[[str], None]) -> list[Trial]:
    """Those of methods that were measured in every cell; says which methods were not."""
    there: dict[str, list[bool]] = {}
    for trial in trials:
        value = values.get((trial.unknown, trial.method, trial.seed))
        there.setdefault(trial.method, []).append(value is not None and bool(np.isfinite(value)))
    lacking = incomplete(there)
    for method, said in lacking.items():
        warn(f"{method} is left out of the means and the advice: {said}; the same command tries them again")
    if len(lacking) == len(there):
        raise UsageError("no method could be measured for every unknown class and seed; the warnings above say why")
    return [trial for trial in trials if trial.method not in lacking]


def _auc(trial: Trial, classes: Sequence[str], scores: Callable[[Job, str, str], Floats]) -> float:
    known = [name for name in classes if name != trial.unknown]
    raw = {name: np.stack([scores(job, name, jobs.UNSEEN) for job in trial.jobs], 1) for name in classes}
    if len(trial.jobs) == 1:
        score = {name: raw[name][:, 0] for name in classes}
    else:
        held = [np.stack([scores(job, name, jobs.HELD) for job in trial.jobs], 1) for name in known]
        labels = np.repeat(np.arange(len(known)), [len(part) for part in held])
        join = Join.fit(np.concatenate(held), labels)
        score = {name: _likely(*join(raw[name])) for name in classes}
    return area(np.concatenate([score[name] for name in known]), score[trial.unknown])


def _likely(scaled: Floats, shares: Floats) -> Floats:
    """(N,) the scaled score of the most likely class."""
    return np.asarray(scaled[np.arange(len(scaled)), shares.argmax(1)])


def _lines(trials: Sequence[Trial], values: Values, runs: Path) -> tuple[Line, ...]:
    """Every method, the best mean first."""
    zero = {(unknown, "", seed): 0.0 for unknown, _, seed in values}
    means = {}
    for method in dict.fromkeys(trial.method for trial in trials):
        means[method] = judge(Claim(method, "", "AUC"), {**values, **zero})
    ranked = sorted(((m, v) for m, v in means.items() if v), key=lambda one: -one[1].difference)
    best = ranked[0][0]
    costs = {job: jobs.cost(job, runs) for job in dict.fromkeys(job for trial in trials for job in trial.jobs)}
    lines = []
    for method, mean in ranked:
        mine = [sum(costs[job] for job in trial.jobs) for trial in trials if trial.method == method]
        gap = judge(Claim(best, method, "AUC"), values) if method != best else None
        low, high = (max(mean.low, 0.0), min(mean.high, 1.0)) if mean.rows > 1 else (None, None)
        lines.append(Line(method, mean.difference, low, high, float(np.mean(mine)), mean.pairs, gap))
    return tuple(lines)


def advice(lines: Sequence[Line], classes: int, seeds: int) -> str:
    """Which to take, in a sentence: the best, or what is as good as far as can be told and costs half at most."""
    best = lines[0]
    near = [(line, line.against_best) for line in lines[1:] if line.against_best and not line.against_best.low > 0]
    cheap = [one for one in near if one[1].difference <= CLOSE and one[0].seconds <= best.seconds / 2]
    measured = f"over {classes} unknown classes and {seeds} seed{'s' if seeds > 1 else ''}"
    if cheap:
        line, gap = min(cheap, key=lambda one: one[0].seconds)
        return (
            f"Take {line.method} ({_cost(line)}): {best.method} has the highest mean AUC, {best.auc:.3f} against "
            f"{line.auc:.3f} {measured}, but costs {_cost(best)}, and the difference of {_interval(gap)} may be chance."
        )
    said = f"Take {best.method}: mean AUC {best.auc:.3f} {measured}, {_cost(best)} per training and scoring"
    if not near:
        return f"{said}."
    line, gap = near[0]
    return f"{said}. Its lead over {line.method}, {_interval(gap)}, may be chance: more classes or seeds would tell."


def _interval(gap: Verdict) -> str:
    return f"{gap.difference:+.3f}" + (f" [{gap.low:+.3f}, {gap.high:+.3f}]" if gap.rows > 1 else "")


def _cost(line: Line) -> str:
    return f"{line.seconds:.0f} s" if line.seconds >= 10 else f"{line.seconds:.1f} s"


def record(bench: Bench) -> dict[str, Any]:
    """The result as JSON."""
    return {
        "data": bench.data,
        "classes": list(bench.classes),
        "seeds": bench.seeds,
        "advice": bench.advice,
        "methods": [_json(asdict(line)) for line in bench.lines],
        "command": bench.command,
    }


def _json(value: Any) -> Any:
    """NaN as null."""
    if isinstance(value, dict):
        return {key: _json(item) for key, item in value.items()}
    return None if isinstance(value, float) and not np.isfinite(value) else value
