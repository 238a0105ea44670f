"""What the experiments share: trials done side by side, and a file with lines of figures and their means."""

from __future__ import annotations

import csv
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lookalike.studies.study import Study
from lookalike.studies.trial import FiguresTrial

Line = Mapping[str, str | int]


def measured(trials: Sequence[FiguresTrial], runs: Path) -> list[dict[str, Any]]:
    """The figures of all trials; those that `runs` lacks are done first, one a core. Exits where one failed."""
    study = Study(
        runs, workers=len(os.sched_getaffinity(0)), command=shlex.join(["python", *sys.argv]), warn=print,
        report=lambda *said: print(*said, flush=True),
    )  # fmt: skip
    if study.perform(trials):
        raise SystemExit(1)
    return [trial.figures(runs) for trial in trials]


def digits(figures: Mapping[str, float], names: Sequence[str]) -> dict[str, str]:
    """These figures with three digits."""
    return {name: f"{figures[name]:.3f}" for name in names}


def mean(lines: Sequence[Line], figures: Sequence[str]) -> dict[str, str]:
    """The means of these figures over all lines, with three digits."""
    return {name: f"{np.mean([float(line[name]) for line in lines]):.3f}" for name in figures}


def with_means(lines: Sequence[Line], group: str, figures: Sequence[str]) -> list[Line]:
    """The lines of each value of `group`, then a line with their mean over seeds."""
    found: list[Line] = []
    for value in dict.fromkeys(line[group] for line in lines):
        mine = [line for line in lines if line[group] == value]
        found += [*mine, {group: value, "seed": "mean", **mean(mine, figures)}]
    return found


def save(name: str, lines: Sequence[Line], folder: Path | None = None) -> None:
    """Writes `name`.csv into experiments/results or a folder; the first line's keys are its columns."""
    folder = folder or Path(__file__).parent / "results"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.csv").open("w", newline="") as out:
        writer = csv.DictWriter(out, list(lines[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)
