"""What `train` says before a GAN trains: from what to what images shrink, and how long it takes."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
from PIL import Image
from tiny import call, settings

from lookalike.base import checkpoint
from lookalike.base.errors import DivergedError
from lookalike.base.words import duration
from lookalike.methods import METHODS
from lookalike.runs import expected
from lookalike.runs import run as runs
from lookalike.runs.plan import make
from lookalike.runs.presets import GROWTH
from lookalike.runs.settings import train_settings


@pytest.fixture
def clock(monkeypatch):
    """Each step of a GAN takes 30 seconds on this clock."""
    ticks = itertools.count(0, 30)
    monkeypatch.setattr(expected.time, "perf_counter", lambda: next(ticks))


def planned(method="anogan", **changes):
    """The plan of a tiny training, of 256 images in 4 steps."""
    return make("digits", train_settings(**settings(method, **changes)))


def test_a_training_takes_as_long_as_its_steps(clock, tmp_path):
    """Four steps of half a minute are two minutes; baselines have no such sentence."""
    assert expected.expected(tmp_path, planned()) == "training takes about 2 min"
    assert expected.expected(tmp_path, planned("knn")) is None


def test_each_class_counts_that_has_a_gan_of_its_own(clock, tmp_path):
    """Three classes take three times as long, and one GAN of all classes as long as one."""
    three = planned(known=("3", "5", "8"))
    assert expected.expected(tmp_path, three) == "training 3 GANs takes about 6 min"
    assert expected.expected(tmp_path, planned("acgan", known=("3", "5"))) == "training takes about 2 min"


def test_what_was_shown_already_does_not_count(clock, tmp_path):
    """A run that was stopped half-way has half of its time left, and a GAN that is done has none."""
    (tmp_path / "metrics.jsonl").write_text(json.dumps({"images": 128}) + "\n")
    assert expected.expected(tmp_path, planned()) == "training takes about 60 s"
    (tmp_path / "metrics.jsonl").write_text(json.dumps({"images": 256}) + "\n")
    assert expected.expected(tmp_path, planned()) is None


@pytest.mark.parametrize("method", METHODS)
def test_every_phase_counts(method, clock, tmp_path):
    """Steps of twins before and after the game are timed too, so that all steps have their time."""
    known = ("3", "8") if METHODS[method].per_class else ("3",)
    assert expected.expected(tmp_path, planned(method, known=known)) == "training takes about 2 min"


def test_steps_that_diverge_have_no_time(monkeypatch, tmp_path):
    """The training itself says what diverged."""

    def diverge(*args):
        raise DivergedError("loss is nan")

    monkeypatch.setattr(expected, "turn", diverge)
    assert expected.expected(tmp_path, planned()) is None


@pytest.mark.parametrize("method", ["anogan", "acgan-ali-v1", "f-anogan"])
def test_the_timing_changes_no_bit(method, tmp_path):
    """A run with the sentence ends in the weights of a run without it."""
    known = ("3", "8") if METHODS[method].per_class else ("3",)
    given, said = train_settings(**settings(method, known=known)), []
    for name, note in (("without", None), ("with", said.append)):
        runs.run("digits", given, tmp_path / name, note=note)
    one, other = (checkpoint.load_model(tmp_path / name)[0] for name in ("without", "with"))
    (line,) = said
    assert line.startswith("training takes about ")
    assert one.keys() == other.keys() and all((one[name] == other[name]).all() for name in one)


@pytest.fixture
def photographs(tmp_path):
    """A class of 30 grey photographs."""
    draw = np.random.default_rng(0)
    (tmp_path / "data" / "a").mkdir(parents=True)
    for i in range(30):
        pixels = draw.integers(0, 256, (300 + i, 270), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "data" / "a" / f"{i:02}.png")
    return tmp_path / "data"


LINE = "images of 300 x 270 to 329 x 270 pixels are read at 64 x 56"


def test_train_score_and_evaluate_say_from_what_to_what(photographs, tmp_path, capsys):
    """One line with the sizes, and a warning where images shrink more than four times."""
    given = ("--width", "2", "--images", "40", "--batch", "20", "--search-steps", "2", "--threads", "1")
    argv = ("train", photographs, "--known", "a", "--method", "anogan", "--false-alarms", "0.4", *given)
    code, _, err = call(capsys, *argv, "-o", tmp_path / "run")
    assert code == 0 and err.splitlines() == [
        LINE,
        "warning: of the images, 30 shrink more than 4 times at this size, which loses small things",
    ]
    assert LINE in call(capsys, "score", tmp_path / "run", photographs, "-o", tmp_path / "scores.csv")[2]
    assert LINE in call(capsys, "evaluate", tmp_path / "run", photographs)[2]


@pytest.mark.parametrize(
    ("given", "grows"),
    [({}, True), ({"width": 2}, True), ({"width": 2, "images": 64}, False), ({"size": "32,32"}, False)],
    ids=["all open", "images open", "none open", "small"],
)
def test_the_rule_is_said_where_the_preset_grew(given, grows, photographs, tmp_path, clock):
    """Larger nets or trainings that the user has not chosen are said, with the time that they take."""
    s = train_settings(known=("a",), method="anogan", false_alarms=0.4, **given)
    plan = make(photographs, s)
    said = list(runs._notes(plan, s))
    assert (GROWTH in said) == grows
    steps = 4 if "images" in given else 1875 * (1 + (grows and "images" not in given))
    assert said[0] == (LINE if "size" not in given else LINE.replace("64 x 56", "32 x 32"))
    assert expected.expected(tmp_path, plan) == f"training takes about {duration(30 * steps)}"
