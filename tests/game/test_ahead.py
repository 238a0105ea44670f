"""The path of a GPU, run on the CPU: fused Adam, updates that are checked where they happen, figures read late."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from lookalike.base.errors import DivergedError
from lookalike.game.device import read, sent, unfit
from lookalike.game.gan import GAN
from lookalike.game.losses import Minimax
from lookalike.game.source import Source
from lookalike.game.train import HUGE, STRETCH, train, turn
from lookalike.methods import METHODS
from lookalike.runs.choices import filled, method_of
from lookalike.runs.settings import train_settings

SHAPE, BATCH, STEPS = (1, 8, 8), 6, 10
WAITS = {"aten::_local_scalar_dense", "aten::nonzero", "aten::masked_select", "aten::equal", "aten::_unique2"}


class Waits(TorchDispatchMode):
    """Counts the operations within the block that would make the host wait for a GPU."""

    def __init__(self):
        super().__init__()
        self.found = []

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        if operation.overloadpacket._qualified_op_name in WAITS:
            self.found.append(str(operation))
        return operation(*args, **(kwargs or {}))


@pytest.fixture
def three(monkeypatch):
    """The number of classes of a source is known, and not counted anew from its labels, which are on the CPU."""
    monkeypatch.setattr(Source, "classes", 3)


def players(small, name, **changes):
    """The same GAN twice: one whose host runs ahead, and one that waits."""
    method = small(METHODS[name]).but(**changes)
    return [GAN(method, SHAPE, classes=3, ema=0.9, ahead=ahead) for ahead in (True, False)]


@pytest.mark.parametrize("name", METHODS)
def test_a_step_makes_the_host_wait_for_nothing(name, small, make_source, three):
    """No operation of a step asks for a value of a tensor; the count finds those of a GAN that waits."""
    ahead, waiting = players(small, name, splitting=None)
    source, found = make_source(SHAPE, classes=3), []
    for gan in (ahead, waiting):
        turn(gan, source, 0, STEPS, BATCH)  # Adam makes its moments
        with Waits() as waits:
            turn(gan, source, 1, STEPS, BATCH)
        found.append(waits.found)
    assert found[0] == []
    assert "aten._local_scalar_dense.default" in found[1]


@pytest.mark.parametrize("name", METHODS)
def test_ten_steps_ahead_are_ten_steps(name, small, make_source):
    """Ten steps of either path start with the same figures and weights, and end with nearly the same losses."""
    source = make_source(SHAPE, classes=3)
    ahead, waiting = (
        list(train(gan, source, images=STEPS * BATCH, batch=BATCH)) for gan in players(small, name, splitting=None)
    )
    assert [progress.step for progress in ahead] == [STEPS]
    last = waiting[-1].metrics
    assert {key: ahead[0].metrics[key] for key in last} == pytest.approx(last, rel=0.05, abs=0.05)


@pytest.mark.parametrize("name", METHODS)
def test_ten_steps_of_preset_paper(name, make_source):
    """Of the settings that `table --preset paper` takes, with narrow networks; losses of both players are finite."""
    images, known = STEPS * BATCH, ("a", "b", "c")
    given = train_settings(known=known, method=name, preset="paper", width=2, z=8, batch=BATCH, images=images)
    settings = filled(given, SHAPE, len(known))
    gan = GAN(method_of(settings), SHAPE, classes=len(known), ema=settings.ema or 0.0, ahead=True)
    *_, last = train(gan, make_source(SHAPE, classes=len(known)), images=images, batch=BATCH)
    assert last.step == STEPS
    players = {key.split(".")[0] for key in last.metrics}
    assert {"D", "G"} <= players or any(key.startswith("encoder/") for key in last.metrics)
    assert all(math.isfinite(value) for value in last.metrics.values())


def test_figures_are_read_every_few_steps_and_at_the_end(small, make_source, monkeypatch):
    """Progress is told at multiples of the stretch, counted from the first step of all, and after the last one."""
    monkeypatch.setattr("lookalike.game.train.STRETCH", 4)
    source = make_source(SHAPE)

    def told(start):
        gan, _ = players(small, "anogan")
        return [one.step for one in train(gan, source, images=STEPS * BATCH, batch=BATCH, start=start)]

    assert (told(0), told(6)) == ([4, 8, 10], [8, 10])


def test_a_resumed_training_has_the_bits_of_an_uninterrupted_one(small, make_source, same):
    """Saved at a step and loaded, weights and moments end in the bits of a training that went through."""
    source = make_source(SHAPE)
    whole, _ = players(small, "sn-binary")
    list(train(whole, source, images=STEPS * BATCH, batch=BATCH))
    first, _ = players(small, "sn-binary")
    list(train(first, source, images=5 * BATCH, batch=BATCH))
    again, _ = players(small, "sn-binary")
    again.load(first.state(training=True), training=True)
    list(train(again, source, images=STEPS * BATCH, batch=BATCH, start=5))
    assert same(again.state(training=True), whole.state(training=True))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2 * HUGE])
def test_an_unfit_update_is_left_out_and_named_later(value, small, make_source, same):
    """D's and G's weights and moments stay as they are; the error that comes later names the step and the loss."""

    class Broken(Minimax):
        def d(self, judged):
            return super().d(judged) + value

        g = d

    gan, _ = players(small, "anogan", losses=(Broken(),))
    before, source = gan.state(training=True), make_source(SHAPE)
    with pytest.raises(
        DivergedError, match=r"^training diverged at step 1, 0 images shown: loss D\.minimax is "
    ) as told:
        list(train(gan, source, images=2 * STRETCH * BATCH, batch=BATCH))
    assert told.value.step == 0
    learnt = {key for key in before if "running" not in key and "num_batches" not in key and "average" not in key}
    after = gan.state(training=True)
    assert same({key: before[key] for key in learnt}, {key: after[key] for key in learnt})


@pytest.mark.parametrize(
    ("losses", "norm", "bad"),
    [([1.0, -3.0], 2.0, 0.0), ([1.0], float("inf"), 1.0), ([float("nan")], 1.0, 1.0), ([-HUGE], 1.0, 1.0)],
)
def test_unfit_updates(losses, norm, bad):
    """An update is unfit where a loss is huge or not finite, or its gradient not finite."""
    assert unfit([torch.tensor(one) for one in losses], torch.tensor(norm), HUGE).item() == bad


def test_figures_of_several_steps_are_read_at_once():
    """Numbers stay as they are, tensors become numbers, step by step and name by name."""
    steps = [{"a": torch.tensor(0.5), "b": 0.1}, {}, {"a": torch.tensor(2.0)}]
    assert read(steps) == [{"a": 0.5, "b": 0.1}, {}, {"a": 2.0}]


def test_what_is_there_is_not_sent(make_source):
    """A tensor on its device stays the same tensor, and the rows of a source are those of its images."""
    x = torch.arange(6.0)
    assert sent(x, torch.device("cpu")) is x
    source = replace(make_source(SHAPE), index=1)
    taken, _ = source.take_known(3)
    assert torch.equal(taken, source.known[source.rows(24, 3)].float() / 127.5 - 1)
