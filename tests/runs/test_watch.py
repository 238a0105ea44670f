"""What a training warns of: mode collapse, dropped classes, a D that wins; and flags that may help."""

from __future__ import annotations

import contextlib
import json
import math
import re

import numpy as np
import pytest
import torch
from tiny import call, settings, train

from lookalike.data import Images, read
from lookalike.game.gan import GAN
from lookalike.game.losses import Minimax
from lookalike.methods import METHODS
from lookalike.runs import plan as plans
from lookalike.runs import run as runs
from lookalike.runs.folder import Metrics, read_metrics
from lookalike.runs.remedies import remedies
from lookalike.runs.settings import train_settings
from lookalike.runs.variety import Variety
from lookalike.runs.watch import LEAST, LINES, Finding, findings

SHOWN = {"images": 4096, "log_every": 128, "sample_every": 512}  # eight grids, two lines of metrics between them


def column(name, *values, last=10_000.0):
    """Metrics of one column."""
    return Metrics({name: ([last - 1000 * i for i in range(len(values))][::-1], list(values))})


def told(out, method="anogan", **changes):
    """The warnings of a run of `SHOWN` images."""
    said = []
    runs.run("digits", train_settings(**settings(method, extra_fakes=(), **SHOWN) | changes), out, warn=said.append)
    return said


@pytest.fixture
def constant(monkeypatch):
    """G makes one image, whatever z and class are."""
    monkeypatch.setattr(GAN, "generate", lambda self, z, y=None: torch.zeros(len(z), *self.shape))


# --- what the metrics say


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        ("variety", 0.29, "collapsed"),
        ("variety", 0.31, None),
        ("variety/8", 0.0, "collapsed"),
        ("recognised/8", 0.09, "dropped"),
        ("recognised/8", 0.11, None),
        ("variety/recognised", 0.5, None),
        ("G.minimax", 0.0, None),
    ],
)
def test_a_figure_below_its_limit_is_found(name, value, kind):
    """Variety below 0.3 is collapsed, recognised below 0.1 dropped, with class and figure; other columns are passed."""
    found = list(findings(column(name, 1.0, value)))
    assert found == ([] if kind is None else [Finding(kind, {name.partition("/")[2]: value})])


def test_two_grids_in_a_row():
    """Asked for two grids, both must be below; one alone, or a class that has but one grid, is not enough."""
    for values, low in (((0.1, 0.1), True), ((0.9, 0.1), False), ((0.1, 0.9), False), ((0.1,), False)):
        assert bool(list(findings(column("variety/8", *values), 2))) is low


def test_the_first_images_are_not_judged():
    """Before `LEAST` images G has hardly learnt: nothing is found, and one line later it is."""
    for last, low in ((LEAST - 1, False), (LEAST, True)):
        assert bool(list(findings(column("variety", 0.0, last=last)))) is low
        assert bool(list(findings(column("D.hinge", *[0.0] * LINES, last=last)))) is low


@pytest.mark.parametrize(
    ("name", "values", "won"),
    [
        ("D.minimax", [0.049] * LINES, True),
        ("D.minimax", [9.0, *[0.049] * LINES], True),
        ("D.minimax", [0.051] * LINES, False),
        ("D.hinge", [0.0] * LINES, True),
        ("D.relativistic", [0.0] * (LINES - 1), False),
        ("D.wasserstein", [0.0] * LINES, False),
        ("weak/D.minimax", [0.0] * LINES, False),
    ],
)
def test_E20_D_wins_where_its_loss_stays_near_0(name, values, won):
    """The mean of D's loss over the last lines is below 0.05; a critic's has no least value, and a twin's D may win."""
    found = list(findings(column(name, *values)))
    assert [one.kind for one in found] == ["won"] * won
    assert not won or found[0].figures[""] == pytest.approx(values[-1])


def test_what_is_said():
    """Each finding is one sentence with the classes and their figures in percent; of many classes ten are named."""
    whole = str(Finding("collapsed", {"": 0.017}))
    assert whole == "mode collapse: the variety of G's images is 1.7 % of that of real ones"
    assert str(Finding("collapsed", {"8": 0.02, "a\nb": 0.255})) == (
        "mode collapse: the variety of G's images is less than 30 % of that of real ones in 8 (2 %), a\\nb (25.5 %)"
    )
    assert str(Finding("dropped", {"8": 0.0})) == (
        "dropped classes: among G's images less than 10 % as often recognised as among real ones are 8 (0 %)"
    )
    assert str(Finding("won", {"": 0.00123})) == "D wins: its loss has fallen to 0.0012, so that G hardly learns"
    many = str(Finding("dropped", {f"c{k:02d}": 0.0 for k in range(12)}))
    assert many.endswith("c09 (0 %) and 2 more")


# --- what a training says


def test_E19_a_G_that_is_forced_to_a_constant_is_warned_of_once(constant, tmp_path, capsys):
    """At the first grid past the half of the training one line says so, with flags; no other follows to the end."""
    more = [text for name, value in SHOWN.items() for text in (f"--{name.replace('_', '-')}", str(value))]
    code, _, err = call(capsys, *train(tmp_path / "run", *more))
    assert code == 0
    assert err == (
        "warning: after 2560 of 4096 images: mode collapse: the variety of G's images is 0 % of that of real ones; try "
        "in another folder (-o) more images shown (--images) or --loss hinge\n"
    )


@pytest.mark.parametrize(("whose", "said"), [("last", ["mode collapse"]), ("fifth", [])])
def test_E19_the_last_grid_alone_decides_at_the_end(whose, said, tmp_path, monkeypatch):
    """Where G collapses just before the end, the last grid says so; a grid between two that are well says nothing."""
    figures, grids = Variety.figures, []

    def forced(self, gan):
        grids.append(figures(self, gan))
        low = len(grids) == {"last": 8, "fifth": 5}[whose]
        return dict.fromkeys(grids[-1], 0.0 if low else 0.9)

    monkeypatch.setattr(Variety, "figures", forced)
    assert [line.partition(":")[0] for line in told(tmp_path / "run")] == said


def test_E20_a_D_that_wins_is_warned_of_once(tmp_path, monkeypatch):
    """Where D's loss is near 0 one line says so, with a lower step size of D."""
    d = Minimax.d
    monkeypatch.setattr(Minimax, "d", lambda self, judged: 1e-3 * d(self, judged))
    lines = [line for line in told(tmp_path / "run") if "D wins" in line]
    assert len(lines) == 1
    assert lines[0].startswith("after 2560 of 4096 images: D wins: its loss has fallen to 0.00")
    assert lines[0].endswith("a lower --d-lr than 0.0001 or --diff-augment")


def test_each_class_of_its_own_gan_is_named(constant, tmp_path):
    """With a GAN for each class, the line begins with the class."""
    said = told(tmp_path / "run", known=("3", "8"))
    assert [line.split(" of 4096")[0] for line in said] == ["class 3: after 2560", "class 8: after 2560"]


@pytest.mark.parametrize("method", ["acgan", "wgan-gp-classes", "k-plus-one", "sn-projection"])
def test_E21_a_class_that_most_batches_lack(method, tmp_path):
    """Two training images of a class among sixty: every step is finite, and the class is watched where G is told it."""
    random = np.random.default_rng(0)
    pixels, labels = random.integers(0, 256, (62, 1, 8, 8), dtype=np.uint8), np.repeat([0, 1], [60, 2])
    images = Images(pixels, labels, ("many", "few"), tuple(map(str, range(62))))
    changes = {"known": images.classes, "size": None, "calibration": 0.0, "test": 0.0, "batch": 8, "images": 128}
    given = train_settings(**settings(method, **changes, log_every=8, sample_every=64))
    assert runs.run(images, given, tmp_path / "run").training["counts"]["train"] == 62
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert len(lines) == 16 and all(math.isfinite(value) for line in lines for value in line.values())
    told = {"variety/many", "variety/few"} if METHODS[method].conditional else {"variety"}
    assert {name for name in lines[-1] if name.startswith("variety")} == told


@pytest.mark.parametrize("method", ["acgan", "k-plus-one", "acgan-ali-v1"])
def test_E1_a_resumed_run_has_the_same_figures_and_warnings(method, tmp_path):
    """Cut after any step, at its grids too, a run ends with the same metrics, and finds the same."""
    given = train_settings(
        **settings(method, known=("3", "8"), net="mlp", **SHOWN | {"images": 2048, "save_every": 128})
    )
    runs.run("digits", given, tmp_path / "whole")
    cuts = iter((384, 512, 1024, 1088, 2048, None))
    cut = next(cuts)

    def report(stage, done, of):
        nonlocal cut
        if stage == "training" and done == cut:
            cut = next(cuts)
            raise KeyError

    while not (tmp_path / "cut" / "model.json").exists():
        with contextlib.suppress(KeyError):
            runs.run("digits", given, tmp_path / "cut", report=report)
    whole, again = (
        [{k: v for k, v in json.loads(line).items() if k != "seconds"} for line in path.read_text().splitlines()]
        for path in (tmp_path / name / "metrics.jsonl" for name in ("whole", "cut"))
    )
    assert whole == again
    shown = [row["images"] for row in whole if any(name.startswith("variety") for name in row)]
    assert shown == ([1536, 2048] if method == "acgan-ali-v1" else [512, 1024, 1536, 2048])
    found = [list(findings(read_metrics(tmp_path / name / "metrics.jsonl"))) for name in ("whole", "cut")]
    assert found[0] == found[1]


def test_a_finished_training_that_goes_on_says_its_end(constant, tmp_path):
    """Where the training is done and the model is missing, the same command says again what the last grid showed."""
    told(tmp_path / "run")
    (tmp_path / "run" / "model.json").unlink()
    said = told(tmp_path / "run")
    assert len(said) == 1 and said[0].startswith("mode collapse: the variety of G's images is 0 % of")


# --- flags that may help


@pytest.fixture(scope="module")
def digits():
    """Digits at the runs' size."""
    return read("digits", size=(8, 8))


@pytest.mark.parametrize(
    ("method", "kind"), [*((name, "collapsed") for name in METHODS), ("anogan", "won"), ("r3gan", "won")]
)
def test_flags_that_are_advised_are_accepted_and_change_the_method(method, kind, digits):
    """Each flag in the advice gives a plan with another method; none names what the method has already."""
    known = ("3", "8") if METHODS[method].per_class else ("3",)
    given = settings(method, known=known, z=32)
    plan = plans.make(digits, train_settings(**given))
    advice = remedies(plan, kind)
    assert ("--d-lr" if kind == "won" else "--images") in advice
    for name, value in re.findall(r"--(conditioning|loss|diff-augment)(?: ([a-z-]+))?", advice):
        changed = plans.make(digits, train_settings(**given | {name.replace("-", "_"): value or True}))
        assert changed.recipe.method != plan.recipe.method
    assert ("--conditioning one-hot" in advice) == (
        kind == "collapsed" and METHODS[method].conditional and METHODS[method].splitting is None
        and METHODS[method].conditioning.name != "one-hot"
    )  # fmt: skip
