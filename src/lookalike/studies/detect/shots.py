"""How many images must be collected? Each method with few images of each known class, on the same test images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from lookalike.base.errors import UsageError, show
from lookalike.studies.detect.bench import named, set_up
from lookalike.studies.detect.cast import Cast
from lookalike.studies.detect.ranking import CHANCE, CLOSE
from lookalike.studies.detect.shots_trial import ShotsTrial
from lookalike.studies.detect.trial import DetectorTrial
from lookalike.studies.study import Study
from lookalike.studies.trial import Cell

NAME = "bench-detect-shots"
Cells = Sequence[Cell[ShotsTrial]]  # a row is a number of images


@dataclass(frozen=True)
class Level:
    """One method with so many images of each known class; either figures or an error."""

    method: str
    shots: int
    aucs: tuple[float, ...]  # of each seed, the mean over unknown classes
    seconds: float | None  # training and scoring, mean over seeds and sets of known classes
    error: str  # empty where it was measured with every seed

    @property
    def auc(self) -> float | None:
        """The mean over seeds."""
        return fmean(self.aucs) if self.aucs else None

    @property
    def sd(self) -> float | None:
        """The standard deviation over seeds; None for one seed."""
        return stdev(self.aucs) if len(self.aucs) > 1 else None


@dataclass(frozen=True)
class Shots:
    """The figures of every method with every number of images."""

    data: str
    test_data: str  # empty: a part of the data
    cast: Cast
    seeds: int
    shots: tuple[int, ...]  # ascending
    levels: Mapping[str, tuple[Level, ...]]  # method -> of each number of images; the best with most images first
    advice: str
    command: str

    @property
    def missing(self) -> tuple[tuple[str, str, str], ...]:
        """What has no figure: method, numbers of images, and why."""
        why: dict[tuple[str, str], list[int]] = {}
        for one in (one for mine in self.levels.values() for one in mine if one.error):
            why.setdefault((one.method, one.error), []).append(one.shots)
        return tuple((name, ", ".join(map(str, shots)), error) for (name, error), shots in why.items())


def numbers(given: Sequence[str]) -> tuple[int, ...]:
    """Ascending numbers from texts that hold one or several, with commas between them.

    Raises
    ------
    UsageError
        For anything else.
    """
    parts = [part.strip() for text in given for part in text.split(",")]
    if not all(part.isdecimal() and 1 <= int(part) <= 10**6 for part in parts):
        raise UsageError(
            f"--shots {show(','.join(given))}: numbers of images from 1 on are accepted, with commas between them, "
            "such as 1,2,4,8,16"
        )
    return tuple(sorted({int(part) for part in parts}))


def run(
    data: str,
    study: Study,
    shots: Sequence[int],
    settings: Mapping[str, Any] | None = None,
    *,
    known: tuple[str, ...] = (),
    test_data: str = "",
) -> Shots:
    """Does what is missing, and measures it.

    Each seed draws the images; those of fewer shots are among those of more. All have the same test images. A method
    that cannot learn from so few has the reason in place of a figure.

    Parameters
    ----------
    data, study, settings, known, test_data
        See `lookalike.studies.detect.bench.run`.
    shots : sequence of int
        Numbers of images of each known class, ascending.

    Raises
    ------
    DataError, UsageError
        As `bench.run` does.
    """
    names = named(study.methods)
    (base,), found = set_up(data, replace(study, seeds=1), settings or {}, known, test_data)
    cells = [
        Cell(str(n), name, seed, _trials(base.but(method=name, seed=seed), n, found))
        for seed in range(study.seeds)
        for n in shots
        for name in names
    ]
    failed = study.attempt([trial for cell in cells for trial in cell.trials])
    why = {trial.folder(study.runs): said for trial, said in failed.items()}
    levels = {
        name: tuple(
            _level([cell for cell in cells if (cell.method, cell.row) == (name, str(n))], study, why) for n in shots
        )
        for name in names
    }
    if not any(level.aucs for mine in levels.values() for level in mine):
        raise UsageError(f"nothing could be measured: {next(iter(why.values()), study.too_late)}")
    ranked = dict(sorted(levels.items(), key=lambda pair: -_last(pair[1])))
    said = advice(ranked)
    return Shots(Path(data).name, Path(test_data).name, found, study.seeds, tuple(shots), ranked, said, study.command)


def _trials(base: DetectorTrial, n: int, found: Cast) -> tuple[ShotsTrial, ...]:
    """One training for each set of known classes."""
    rows: dict[tuple[str, ...], list[str]] = {}
    for unknown, known in found.rows.items():
        rows.setdefault(known, []).append(unknown)
    one = ShotsTrial(
        base.data, base.method, base.seed, preset=base.preset, settings=base.settings, known=(), unknown=(),
        whole=found.whole, test_data=base.test_data, shots=n,
    )  # fmt: skip
    return tuple(one.but(known=known, unknown=tuple(unknown)) for known, unknown in rows.items())


def _level(cells: Cells, study: Study, why: Mapping[Path, str]) -> Level:
    """The figures of one method with one number of images, from its cells of all seeds."""
    runs = study.runs
    trials = [trial for cell in cells for trial in cell.trials]
    left = [trial for trial in trials if not trial.is_done(runs)]
    method, n = trials[0].method, trials[0].shots
    if left:
        known = (why[trial.folder(runs)] for trial in left if trial.folder(runs) in why)
        return Level(method, n, (), None, next(known, study.too_late))
    aucs = [fmean(trial.auc(runs, name) for trial in cell.trials for name in trial.unknown) for cell in cells]
    return Level(method, n, tuple(aucs), fmean(trial.cost(runs) for trial in trials), "")


def _last(levels: Sequence[Level]) -> float:
    """The AUC with most images; 0 where there is none."""
    return levels[-1].auc or 0.0


def advice(levels: Mapping[str, Sequence[Level]]) -> str:
    """The best method with most images, and the fewest images with which a method comes close, in sentences."""
    best = next(iter(levels.values()))
    most = best[-1]
    if most.auc is None:
        return "No method was measured with the largest number of images, so nothing is recommended."
    if most.auc <= CHANCE:
        return f"No method is better than chance, an AUC of {CHANCE}, with {_images(most.shots)} of each known class."
    said = f"With {_images(most.shots)} of each known class {most.method} is best, mean AUC {most.auc:.3f}"
    close = [one for mine in levels.values() for one in mine if one.auc is not None and one.auc >= most.auc - CLOSE]
    first = min(close, key=lambda one: (one.shots, -(one.auc or 0.0)))
    if first.shots == most.shots:
        return f"{said}. With fewer images no method comes within {CLOSE} of that: more images may help further."
    return f"{said}. {first.method} comes within {CLOSE} of that with {first.shots}: mean AUC {first.auc:.3f}."


def _images(n: int) -> str:
    return f"{n} image{'s' if n > 1 else ''}"


def record(found: Shots) -> dict[str, Any]:
    """The result as JSON."""
    return {
        "data": found.data,
        **({"test_data": found.test_data} if found.test_data else {}),
        "rows": {unknown: list(known) for unknown, known in found.cast.rows.items()},
        "seeds": found.seeds,
        "shots": list(found.shots),
        "advice": found.advice,
        "methods": [
            {
                "method": name,
                "levels": [
                    {
                        "shots": one.shots, "auc": one.auc, "sd": one.sd, "aucs": list(one.aucs),
                        "seconds": one.seconds, "error": one.error or None,
                    }
                    for one in mine
                ],
            }
            for name, mine in found.levels.items()
        ],
        "command": found.command,
    }  # fmt: skip
