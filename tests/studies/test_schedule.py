"""What is done within a time: one trial of each method, then whole methods, and nothing that would not fit."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

from lookalike.base.errors import ModelError
from lookalike.studies import schedule
from lookalike.studies.schedule import Schedule
from lookalike.studies.trial import Trial

RUNS = Path("runs")


@dataclass(frozen=True)
class Fake(Trial):
    """A trial whose method has a cost and a promise."""

    seconds: float = 1.0
    worth: float = 0.9

    def cost(self, runs):
        return self.seconds

    def promise(self, runs):
        if self.worth < 0:
            raise ModelError("damaged")
        return self.worth

    def folder(self, runs):
        return runs / self.method / str(self.seed)

    def is_done(self, runs):
        return False

    def work(self, folder, command):
        """Nothing."""

    def made_by(self, runs):
        return None


def trials(method, count, seconds=1.0, worth=0.9, first=0):
    """Trials of a method."""
    return [Fake("d", method, seed, seconds=seconds, worth=worth) for seed in range(first, first + count)]


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands at 0 until it is moved."""
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(schedule, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


def done(clock, missing, until, earlier=(), *, workers=1, told=None, failing=()):
    """The trials that one worker after the other does, each in its seconds, and the schedule."""
    told = [] if told is None else told
    made = Schedule(missing, list(earlier), RUNS, until=until, workers=workers, tell=told.append)
    order = []
    while (trial := made.take()) is not None:
        clock.now += trial.seconds
        made.ended(trial, "no" if trial.method in failing else "")
        order.append(f"{trial.method} {trial.seed}")
    return order, made


def test_first_comes_one_trial_of_each_method_and_then_the_cheapest_per_point(clock):
    """Of equal worth the cheap method comes first; of equal cost the promising one."""
    cheap, dear = trials("cheap", 3, 5), trials("dear", 3, 10)
    assert done(clock, [*dear, *cheap], 50)[0] == ["dear 0", "cheap 0", "cheap 1", "cheap 2", "dear 1", "dear 2"]
    clock.now = 0
    good, bad = trials("good", 2, 5, worth=0.95), trials("bad", 2, 5, worth=0.55)
    assert done(clock, [*bad, *good], 30)[0] == ["bad 0", "good 0", "good 1", "bad 1"]
    clock.now = 0
    slow_and_good, quick_and_bad = trials("slow", 2, 8, worth=0.9), trials("quick", 2, 4, worth=0.55)
    assert done(clock, [*quick_and_bad, *slow_and_good], 30)[0] == ["quick 0", "slow 0", "slow 1", "quick 1"]


def test_a_quick_method_waits_for_no_first_trial_of_another(clock):
    """Where its trials take a tenth of the time that is left at most, they are done at once."""
    order, _ = done(clock, [*trials("quick", 3), *trials("slow", 2, 30)], 40)
    assert order == ["quick 0", "quick 1", "quick 2", "slow 0"]


def test_nothing_begins_that_would_not_fit_and_what_is_left_is_said(clock):
    """With 30 seconds the method of 20 is begun once, and never again; its cost is known."""
    told = []
    order, made = done(clock, [*trials("dear", 3, 20), *trials("cheap", 4)], 30, told=told)
    assert order == ["dear 0", "cheap 0", "cheap 1", "cheap 2", "cheap 3"] and clock.now == 24
    assert made.left() == "dear (2 trials, about 40 s)"
    assert told == ["9.0 s are left; what fits: cheap (about 3.0 s); what does not: dear (about 40 s)"]


def test_a_method_that_fits_whole_comes_before_one_that_does_not(clock):
    """A part of a method is not ranked, so that the time is first given to one that can be whole."""
    order, _ = done(clock, [*trials("long", 30, 1), *trials("short", 3, 4, worth=0.6)], 20)
    assert order[:4] == ["long 0", "short 0", "short 1", "short 2"] and set(order[4:]) == {
        f"long {i}" for i in range(1, 8)
    }


def test_what_was_done_before_needs_no_first_trial(clock):
    """Stored costs decide at once, with what they lack on top: 1.5 times as long and 5 seconds."""
    earlier = [*trials("cheap", 1, 1), *trials("dear", 1, 20)]
    missing = [*trials("dear", 1, 20, first=1), *trials("cheap", 1, 1, first=1)]
    order, made = done(clock, missing, 34, earlier)
    assert order == ["cheap 1"] and made.left() == "dear (1 trial, about 35 s)"
    clock.now = 0
    assert done(clock, missing, 37, earlier)[0] == ["cheap 1", "dear 1"]


def test_a_method_whose_trial_failed_is_tried_by_the_next(clock):
    """Until one of its trials is done its cost stays unknown."""
    order, _ = done(clock, [*trials("broken", 3), *trials("cheap", 2)], 100, failing=("broken",))
    assert order == ["broken 0", "broken 1", "broken 2", "cheap 0", "cheap 1"]


def test_a_running_first_trial_is_waited_for_where_nothing_else_is_known(clock):
    """With two workers and one method its second trial begins when the first has ended."""
    made = Schedule(trials("one", 2), [], RUNS, until=100.0, workers=2, tell=lambda _: None)
    first = made.take()
    assert made.take() is None
    made.ended(first, "")
    assert made.take().seed == 1 and made.take() is None and len(made) == 2


def test_when_the_time_is_over_nothing_begins(clock):
    """What runs then counts as left."""
    made = Schedule(trials("one", 2), [], RUNS, until=10.0, workers=2, tell=lambda _: None)
    made.take()
    clock.now = 10.0
    assert made.take() is None and made.left() == "one (2 trials)"


def test_damaged_figures_of_an_earlier_trial_are_no_knowledge(clock):
    """The study names them later; here a trial of the method is done first, as if there were none."""
    order, _ = done(clock, trials("one", 1, first=1), 100, trials("one", 1, worth=-1.0))
    assert order == ["one 1"]
