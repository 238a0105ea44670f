"""Ctrl-C, SIGTERM and SIGHUP in every phase: exit codes, one line, what is kept. Signals come at exact moments."""

from __future__ import annotations

import signal
import sys
import threading
import time

import pytest
from clean_failure import tree
from tiny import call, settings, train

from lookalike.base import checkpoint, interrupts
from lookalike.base.interrupts import Stopped, deferred
from lookalike.data import gate
from lookalike.game import train as training
from lookalike.runs import run as runs
from lookalike.runs import training as in_folder
from lookalike.runs.settings import train_settings

EACH = pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)], ids=["E4", "E3", "SIGHUP"]
)
NAMES = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM", signal.SIGHUP: "SIGHUP"}


@pytest.fixture(autouse=True)
def handlers():
    """The command line's own handlers, and pytest's again afterwards."""
    before, hook = {number: signal.getsignal(number) for number in NAMES}, sys.unraisablehook
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # whatever started the tests may ignore it
    interrupts.stop_on_signals()
    yield
    sys.unraisablehook = hook
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(autouse=True)
def untimed(monkeypatch):
    """No steps are timed before a training, since `at` would count them; a signal there stops at once."""
    monkeypatch.setattr(runs, "expected", lambda *given: None)


@pytest.fixture
def at(monkeypatch):
    """at(where, name, number, n): the n-th call of a function raises the signal before it does its work."""

    def arm(where, name, number, n=1, times=1):
        work, calls = getattr(where, name), []

        def raising(*arguments, **keywords):
            calls.append(1)
            for _ in range(times if len(calls) == n else 0):
                signal.raise_signal(number)
            return work(*arguments, **keywords)

        monkeypatch.setattr(where, name, raising)

    return arm


def weights(out):
    """Model, last checkpoint's tensors and samples of a finished run."""
    tensors, _ = checkpoint.read_tensors(max((out / "checkpoints").iterdir()))
    kept = {name: data for name, data in tree(out).items() if name.startswith(("model", "samples", "split"))}
    return kept, {name: tensor.numpy().tobytes() for name, tensor in tensors.items()}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """What an uninterrupted run ends in."""
    out = tmp_path_factory.mktemp("whole") / "run"
    runs.run("digits", train_settings(**settings("vtgan")), out)
    return weights(out)


@EACH
@pytest.mark.parametrize(
    ("where", "name", "n", "images"),
    [
        (training, "update", 1, 64),  # in the first step
        (training, "update", 7, 128),
        (checkpoint, "write_tensors", 2, 192),
        (in_folder, "draw_samples", 1, 64),
    ],
    ids=["E7 first step", "second step", "E7 while saving", "before the first step"],
)
def test_a_signal_in_training_saves_the_step_and_loses_nothing(
    number, code, where, name, n, images, at, whole, tmp_path, capsys, monkeypatch
):
    """The step is finished and saved, one line says how far it came, and the same command ends in the same bits."""
    out = tmp_path / "run"
    with monkeypatch.context():
        at(where, name, number, n)
        got, said, err = call(capsys, *train(out, method="vtgan"))
    assert (got, said) == (code, "")
    assert err == f"error: stopped after {images} of 256 images; the same command goes on from there\n"
    _, facts = checkpoint.newest_checkpoint(out / "checkpoints", pytest.fail)
    assert facts["images"] == images
    assert not (out / "model.json").exists()
    monkeypatch.undo()
    assert call(capsys, *train(out, method="vtgan"))[0] == 0
    assert weights(out) == whole


def test_E5_a_second_ctrl_c_stops_at_once_without_harm(at, whole, tmp_path, capsys, monkeypatch):
    """Two Ctrl-C in one step: 130 before the step ends, one line; the run goes on from the checkpoint before."""
    out = tmp_path / "run"
    at(training, "update", signal.SIGINT, n=10, times=2)  # the third step: four updates each
    got, said, err = call(capsys, *train(out, method="vtgan"))
    assert (got, said, err) == (130, "", "error: stopped by Ctrl-C\n")
    _, facts = checkpoint.newest_checkpoint(out / "checkpoints", pytest.fail)
    assert facts["images"] == 128
    monkeypatch.undo()
    assert call(capsys, *train(out, method="vtgan"))[0] == 0
    assert weights(out) == whole


def test_E5_ctrl_c_after_sigterm_stops_at_once_too(at, tmp_path, capsys, monkeypatch):
    """A first SIGTERM waits for the step, a Ctrl-C that follows it does not."""
    work = training.update

    def raising(*arguments, **keywords):
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
        return work(*arguments, **keywords)

    monkeypatch.setattr(training, "update", raising)
    assert call(capsys, *train(tmp_path / "run")) == (130, "", "error: stopped by Ctrl-C\n")
    assert not list((tmp_path / "run").glob("checkpoints/*"))


@EACH
def test_a_signal_while_data_is_read_is_not_an_unreadable_image(number, code, at, tmp_path, capsys):
    """Exit 130, 143 or 129 with one line and no run folder, although a reader turns errors into skipped images."""
    folder = tmp_path / "data" / "3"
    folder.mkdir(parents=True)
    picture = gate.Image.new("L", (8, 8))
    for i in range(30):
        picture.putpixel((0, 0), i)
        picture.save(folder / f"{i}.png")
    at(gate, "as_array", number, n=3)
    argv = train(tmp_path / "run", "--on-bad", "skip", data=tmp_path / "data")
    assert call(capsys, *argv) == (code, "", f"error: stopped by {NAMES[number]}\n")
    assert not (tmp_path / "run").exists()


@EACH
def test_E7_a_signal_while_calibrating_keeps_the_last_checkpoint(
    number, code, at, whole, tmp_path, capsys, monkeypatch
):
    """After training nothing is lost: the line is short, and the same command only calibrates."""
    out = tmp_path / "run"
    at(runs, "_calibration_scores", number)
    assert call(capsys, *train(out, method="vtgan")) == (code, "", f"error: stopped by {NAMES[number]}\n")
    assert sorted(path.name for path in (out / "checkpoints").iterdir()) == [
        "000000192.safetensors",
        "000000256.safetensors",
    ]
    monkeypatch.undo()
    monkeypatch.setattr(training, "update", lambda *_: pytest.fail("a step was taken"))
    assert call(capsys, *train(out, method="vtgan"))[0] == 0
    assert weights(out) == whole


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_the_system_sends_twice_still_saves_the_step(number, at, tmp_path, capsys):
    """A terminal that closes, and `timeout`, signal a process and its group: the checkpoint is saved all the same."""
    out = tmp_path / "run"
    at(training, "update", number, n=3, times=2)
    got, _, err = call(capsys, *train(out))
    assert (got, err) == (128 + number, "error: stopped after 128 of 256 images; the same command goes on from there\n")
    assert max(path.name for path in (out / "checkpoints").iterdir()) == "000000128.safetensors"


@pytest.mark.parametrize("number", NAMES)
def test_a_signal_that_was_ignored_stays_ignored(number, at, tmp_path, capsys):
    """Under nohup SIGHUP does nothing: the run ends as if none had come."""
    signal.signal(number, signal.SIG_IGN)
    interrupts.stop_on_signals()
    at(training, "update", number, n=3)
    assert call(capsys, *train(tmp_path / "run"))[0] == 0
    assert signal.getsignal(number) == signal.SIG_IGN


def test_nothing_is_deferred_before_or_after_the_block():
    """Handlers are the same before and after `deferred`; after a first signal in it Ctrl-C's own is back."""
    before = {number: signal.getsignal(number) for number in NAMES}
    with deferred() as request:
        assert request.number == 0
        assert signal.getsignal(signal.SIGINT) != before[signal.SIGINT]
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGHUP)
        assert request.number == signal.SIGTERM
        assert signal.getsignal(signal.SIGINT) == before[signal.SIGINT]
    assert {number: signal.getsignal(number) for number in NAMES} == before


def test_every_signal_can_be_deferred():
    """Where workers are being ended no number of signals interrupts it; the first says how it ends."""
    with deferred(every=True) as request:
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGINT, signal.SIGTERM):
            signal.raise_signal(number)
    assert request.number == signal.SIGHUP
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_nothing_is_heard_where_signals_are_ignored():
    """After `ignore` none acts, and after the block of `handlers_kept` each does as before."""
    before = {number: signal.getsignal(number) for number in NAMES}
    with interrupts.handlers_kept():
        interrupts.ignore()
        for number in NAMES:
            signal.raise_signal(number)
    assert {number: signal.getsignal(number) for number in NAMES} == before


@pytest.mark.parametrize(("number", "kind"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Stopped)])
def test_a_stop_that_a_destructor_swallows_comes_once_more(number, kind, capsys):
    """Python prints and forgets what is raised in `__del__`; the stop arrives all the same, and nothing is printed."""

    class Swallows:
        def __del__(self):
            signal.raise_signal(number)

    Swallows()
    with pytest.raises(kind):
        time.sleep(10)
    assert capsys.readouterr().err == ""


def test_other_errors_of_a_destructor_are_printed_as_usual(capsys):
    """Only stops are sent once more."""

    class Fails:
        def __del__(self):
            raise ValueError("no stop")

    Fails()
    assert "ValueError: no stop" in capsys.readouterr().err


def test_handlers_return_when_the_block_fails():
    """An error in the block leaves no handler of ours behind."""
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyError), deferred():
        raise KeyError
    assert signal.getsignal(signal.SIGINT) == before


def test_outside_the_main_thread_signals_are_left_alone():
    """Where Python cannot set handlers, the block runs without any."""
    seen = []

    def work():
        with deferred() as request:
            seen.append((request.number, signal.getsignal(signal.SIGINT)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [(0, signal.default_int_handler)]


def test_a_stop_request_carries_its_exit_code_and_is_no_error():
    """128 plus the signal's number; `except Exception` does not catch it."""
    assert Stopped(signal.SIGTERM, "x").exit_code == 143
    assert Stopped(signal.SIGINT, "x").exit_code == 130
    assert not issubclass(Stopped, Exception)
