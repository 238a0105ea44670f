"""Which trials are done within a time, and in which order.

First one trial of each method that has none yet, which says what its others cost. Where these take a tenth of the time
that is left at most, they are done at once, so that quick methods wait for no slow one. Then method by method: those
whose trials all fit into the time that is left come first, and of these the one with the fewest seconds left for each
point of its AUC above chance. No trial begins that would not fit.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Generic, TypeVar

from lookalike.base.errors import LookalikeError
from lookalike.base.words import duration
from lookalike.studies.trial import Trial

START, SLOWER = 5.0, 1.5  # what a stored cost lacks: seconds to load and read, and what a busy machine adds
LEAST = 0.01  # of AUC above chance
QUICK = 0.1  # of the time that is left
T = TypeVar("T", bound=Trial)


class Schedule(Generic[T]):
    """Trials given out one by one; see `lookalike.base.workers.Tasks`.

    Parameters
    ----------
    missing, done : sequence of Trial
        The trials to do, cheap ones of each method first, and those that are done.
    runs : Path
        The folder of all trials.
    until : float
        When the time is over, as `time.monotonic` counts.
    workers : int
        Trials side by side.
    tell : callable
        It gets a line of what fits, once each method has a cost.
    """

    def __init__(
        self, missing: Sequence[T], done: Sequence[T], runs: Path, *, until: float, workers: int,
        tell: Callable[[str], None],
    ) -> None:  # fmt: skip
        self.runs, self.until, self.workers, self.tell = runs, until, workers, tell
        self.waiting: dict[str, deque[T]] = {}
        for trial in missing:
            self.waiting.setdefault(trial.method, deque()).append(trial)
        self.all = len(missing)
        self.begun: dict[T, float] = {}  # of those that run
        self.seconds: dict[str, float] = {}  # of a trial of each method
        self.promise: dict[str, float] = {}
        self.told = False
        for trial in done:
            self._learn(trial)

    def __len__(self) -> int:
        return self.all

    def take(self) -> T | None:
        """See `Tasks`."""
        left = self.until - time.monotonic()
        method = self._known(QUICK * left) or self._first()
        if method is None:
            if self._running() <= set(self.seconds):
                self._tell_once(left)
            method = self._known(left) or self._known(left, whole=False)
        if method is None or left <= 0:
            return None
        trial = self.waiting[method].popleft()
        self.begun[trial] = time.monotonic()
        return trial

    def ended(self, task: T, said: str) -> None:
        """See `Tasks`."""
        took = time.monotonic() - self.begun.pop(task)
        if not said:
            self._learn(task, took)

    def rest(self, method: str) -> float:
        """Seconds until its waiting trials would be done."""
        return self.seconds[method] * len(self.waiting[method]) / min(self.workers, max(1, len(self.waiting[method])))

    def left(self) -> str:
        """What was not done, in words; empty where nothing is left."""
        count = {name: len(trials) for name, trials in self.waiting.items()}
        for trial in self.begun:
            count[trial.method] += 1
        return ", ".join(
            f"{name} ({n} trial{'s' if n > 1 else ''}{self._about(name, n)})" for name, n in count.items() if n
        )

    def _known(self, left: float, *, whole: bool = True) -> str | None:
        """The cheapest method for its worth whose waiting trials all fit, or whose next one does."""
        fit = [
            name
            for name, seconds in self.seconds.items()
            if self.waiting.get(name) and (self.rest(name) if whole else seconds) <= left
        ]
        return min(fit, key=self._price, default=None)

    def _first(self) -> str | None:
        """A method of which nothing is known, and nothing runs that would say it."""
        unknown = [name for name, trials in self.waiting.items() if trials and name not in self.seconds]
        return next((name for name in unknown if name not in self._running()), None)

    def _running(self) -> set[str]:
        return {trial.method for trial in self.begun}

    def _learn(self, trial: T, seconds: float | None = None) -> None:
        """What a trial that is done says of its method: the last one of its cost, the best one of its worth."""
        with suppress(LookalikeError):  # of damaged figures, which the study names
            taken = SLOWER * trial.cost(self.runs) + START if seconds is None else seconds
            self.promise[trial.method] = max(self.promise.get(trial.method, 0.0), trial.promise(self.runs))
            self.seconds[trial.method] = taken

    def _price(self, method: str) -> float:
        """Seconds for each point of AUC above chance."""
        return self.rest(method) / max(self.promise[method] - 0.5, LEAST)

    def _about(self, method: str, trials: int) -> str:
        return f", about {duration(trials * self.seconds[method] / self.workers)}" if method in self.seconds else ""

    def _tell_once(self, left: float) -> None:
        """Which methods fit, in their order."""
        if self.told:
            return
        self.told, spent, fit, others = True, 0.0, list[str](), list[str]()
        for name in sorted((n for n, trials in self.waiting.items() if trials and n in self.seconds), key=self._price):
            needed = self.rest(name)
            (fit if spent + needed <= left else others).append(f"{name} (about {duration(needed)})")
            spent += needed if spent + needed <= left else 0.0
        if fit or others:
            self.tell(
                f"{duration(left)} are left; what fits: {', '.join(fit) or 'nothing whole'}"
                + (f"; what does not: {', '.join(others)}" if others else "")
            )
