"""What `train` says before a GAN trains: from what to what images shrink, and how long it takes."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
from clean_failure import assert_clean_failure
from PIL import Image
from tiny import call, settings

from lookalike.base import checkpoint
from lookalike.base.errors import DivergedError, UsageError
from lookalike.base.words import duration
from lookalike.data import Images
from lookalike.methods import METHODS
from lookalike.runs import expected
from lookalike.runs import run as runs
from lookalike.runs.plan import make, showing
from lookalike.runs.presets import GROWTH
from lookalike.runs.settings import train_settings

LETTERS = "abcdefghijklmnopqrstuvwxyz"


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


def timed(minutes, method="anogan", **changes):
    """What fits into the time, of steps of 64 images and half a minute, which count a tenth longer."""
    plan = planned(method, **{"images": None, "minutes": minutes, **changes})
    return expected.affordable(plan.recipe.method, plan)


STILL = "a training that turns out slower still goes on to its end"


def test_into_a_time_fit_so_many_images(clock):
    """111 minutes are 201 steps of 33 seconds, of 64 images each; of three GANs each has a third."""
    assert timed(111) == (12_864, f"111 minutes: 12,864 images of 8 x 8 at about 1.94 a second; {STILL}")
    three = timed(333, known=("3", "5", "8"))
    assert three == (12_864, f"333 minutes: 12,864 images of 8 x 8 for each of 3 GANs at about 1.94 a second; {STILL}")
    assert timed(111, "acgan", known=("3", "5"))[0] == 12_864


def test_many_classes_share_the_images(clock):
    """With more than ten classes the plan shows the GAN of each as many as fit, to the step."""
    numbers = np.arange(26 * 80)
    pixels = np.stack([numbers // 250, numbers % 250], 1).astype(np.uint8)[:, None, None]
    images = Images(pixels, numbers % 26, tuple(LETTERS), tuple(map(str, numbers)))
    given = train_settings(**settings(known=tuple(LETTERS), images=None, size=None, minutes=26 * 60, net="mlp"))
    plan = make(images, given)
    shown = showing(plan, given, expected.affordable(plan.recipe.method, plan)[0]).shown
    assert -(-shown // 64) == int(60 * 60 / 33)


@pytest.mark.parametrize("minutes", [0.5, 54])
def test_a_time_that_is_too_short_says_how_much_would_do(minutes, clock):
    """Below a hundred steps, of 33 seconds, nothing trains; a tenth more than these take is enough."""
    with pytest.raises(UsageError) as caught:
        timed(minutes)
    assert str(caught.value) == (
        f"--minutes {minutes:g}: steps of 64 images that fit: {int(minutes * 60 / 33)}; with fewer than 100 a GAN has "
        "learnt nothing; give 60.6 minutes or more"
    )
    assert timed(60.6)[0] == 110 * 64


def test_the_schedule_follows_the_time(clock):
    """Of 12,864 images: the splits of the classes, the steps of the twins and the checkpoints."""
    given = train_settings(**settings("splitting", known=("3", "8"), images=None, minutes=111))
    plan = showing(make("digits", given), given, 12_864)
    assert plan.recipe.method.splitting.at == (int(0.1562 * 12_864),)
    assert (plan.recipe.settings.images, plan.recipe.settings.save_every) == (12_864, 1286)
    with pytest.raises(UsageError, match="classes would be split after 20,000 images"):
        showing(plan, given.model_copy(update={"split_at": (20_000,)}), 12_864)
    late = given.model_copy(update={"split_at": (20_000,)})  # beyond the preset's number, and not beyond this one
    assert showing(make("digits", late), late, 40_000).recipe.method.splitting.at == (20_000,)


def test_the_number_of_images_is_timed_once(clock, tmp_path, monkeypatch):
    """A run that was stopped goes on with the number in config.json, without a timing, to the bits of --images."""
    given, said = train_settings(**settings(images=None, batch=4, minutes=60)), []

    def stops(stage, done, of):
        if done >= 100:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        runs.run("digits", given, tmp_path / "run", report=stops, note=said.append)
    assert said == [f"60 minutes: 436 images of 8 x 8 at about 0.121 a second; {STILL}"]
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert (config["settings"]["minutes"], config["settings"]["images"]) == (60, 436)
    assert config["open_choices"]["training"] == ("batch 4, 436 images shown, as many as were timed to fit 60 minutes")
    monkeypatch.setattr(runs, "affordable", None)
    runs.run("digits", given, tmp_path / "run")
    runs.run("digits", given, tmp_path / "run")  # it is finished
    runs.run("digits", train_settings(**settings(images=436, batch=4)), tmp_path / "other")
    one, other = (checkpoint.load_model(tmp_path / name)[0] for name in ("run", "other"))
    assert one.keys() == other.keys() and all((one[name] == other[name]).all() for name in one)
    for changed in ({"minutes": 61}, {"minutes": None, "images": 436}):
        with pytest.raises(UsageError, match=r"was begun with other settings or data: .*minutes 60.0 -> "):
            runs.run("digits", train_settings(**settings(**{"images": None, "batch": 4, **changed})), tmp_path / "run")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--minutes", "5", "--images", "100"), "--minutes 5 and --images 100 both say how long; give one"),
        (
            ("--minutes", "5", "--method", "auto"),
            "--minutes 5: auto trains as long as it needs; leave it out, or take a GAN (auto-gan, anogan, noisegan,",
        ),
        (("--minutes", "1", "--method", "anogan"), "steps of 32 images that fit: 1; with fewer than"),
    ],
)
def test_a_time_that_cannot_be_kept_is_one_line(more, said, clock, tmp_path, capsys):
    """With --images too, of a baseline, and where nothing fits; nothing is begun."""
    more = more if "anogan" not in more else (*more, "--batch", "32", "--size", "8,8")
    argv = ["train", "digits", "--known", "3", "-o", str(tmp_path / "run"), *more]
    line = assert_clean_failure(capsys, argv, 2, said, kept=tmp_path)
    assert line.startswith("error: --minutes") and not (tmp_path / "run").exists()


def test_first_steps_that_diverge_cannot_be_timed(monkeypatch):
    """One line that says so, as the training would."""

    def diverge(*args):
        raise DivergedError("loss is nan")

    monkeypatch.setattr(expected, "turned", diverge)
    with pytest.raises(DivergedError, match=r"^training diverged in its first steps: loss is nan; try a lower --lr$"):
        timed(100)


def test_steps_that_diverge_have_no_time(monkeypatch, tmp_path):
    """The training itself says what diverged."""

    def diverge(*args):
        raise DivergedError("loss is nan")

    monkeypatch.setattr(expected, "turned", diverge)
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


@pytest.mark.parametrize("colour", ["grey", "one red pixel", "stored as grey"])
def test_grey_images_that_are_stored_in_colour_are_said_to_gans(colour, tmp_path):
    """Where all channels of all images are equal, a line names --grey; one pixel with colour, and it is not there."""
    (tmp_path / "a").mkdir()
    grey = np.random.default_rng(0).integers(0, 256, (20, 32, 32, 1), np.uint8)
    pixels = grey[..., 0] if colour == "stored as grey" else np.repeat(grey, 3, 3)
    if colour == "one red pixel":
        pixels[3, 5, 7] = 255, 0, 0
    for i, image in enumerate(pixels):
        Image.fromarray(image).save(tmp_path / "a" / f"{i:02}.png")
    s = train_settings(known=("a",), method="anogan", false_alarms=0.4)
    line = "the images are grey, though stored in colour: with --grey a GAN trains faster, and makes no colours"
    assert (line in runs._notes(make(tmp_path, s), s)) == (colour == "grey")
    s = train_settings(known=("a",), method="knn", false_alarms=0.4)
    assert line not in runs._notes(make(tmp_path, s), s)
