"""What tables of trainings of their own share: data that are not here are left out, and what is missing is trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from lookalike.base import workers
from lookalike.base.arrays import Report, Warn
from lookalike.base.errors import DataError
from lookalike.studies.paired import incomplete


class Trial(Protocol):
    """One training that is measured, kept below a folder of all; it can be pickled and printed."""

    def is_done(self, runs: Path) -> bool:
        """Whether it was measured."""


T = TypeVar("T", bound=Trial)


def of_data(names: Sequence[str], trials: Callable[[str], list[T]], warn: Warn, *, asked: bool) -> dict[str, list[T]]:
    """The trials of each data set; one whose files are not here is left out with a warning, or refused where `asked`.

    Raises
    ------
    DataError
        For such a data set.
    """
    found = {}
    for name in names:
        try:
            found[name] = trials(name)
        except DataError as error:
            if asked:
                raise
            warn(f"{name} is left out: {error}")
    return found


def lacking(
    trials: Mapping[str, Sequence[T]], runs: Path, name: Callable[[T], str], warn: Warn
) -> dict[str, dict[str, str]]:
    """Of each data set the methods that lack a seed, and how many in words, which is also a warning."""
    found = {}
    for data, group in trials.items():
        there: dict[str, list[bool]] = {}
        for trial in group:
            there.setdefault(name(trial), []).append(trial.is_done(runs))
        found[data] = incomplete(there)
        for method, said in found[data].items():
            warn(f"{method} on {data} is compared with nothing: {said}; the same command tries them again")
    return found


def train_missing(
    perform: workers.Do[T],
    trials: Mapping[str, Sequence[T]],
    runs: Path,
    *,
    side_by_side: int,
    command: str,
    report: Report,
    warn: Warn,
) -> None:
    """Performs what is not done yet, and warns of what failed; raises as `workers.side_by_side`."""
    missing = [trial for group in trials.values() for trial in group if not trial.is_done(runs)]
    report("training and measuring", 0, len(missing))
    failed = workers.side_by_side(perform, missing, runs, workers=side_by_side, command=command, report=report)
    for trial, sentence in failed.items():
        warn(f"{trial}: {sentence}")
