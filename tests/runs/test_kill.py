"""SIGKILL during training, at random moments and at each write: the resumed run ends in the same bits.

Runs are children of a fork server that has imported torch once, so that a kill costs a moment and not an import.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

import pytest
from tiny import settings, without_progress

from lookalike.base import checkpoint

KILLS = 11  # of each method; the issue asks for 20 in all
SETTINGS = {"images": 768, "batch": 48, "save_every": 96, "sample_every": 384}  # 16 steps, 8 checkpoints, 2 grids
PRELOADED = ("lookalike.runs.run", "pytest", "sklearn.datasets", "torch._dynamo")  # what a child would import otherwise


def run(out: str, method: str, changes: dict) -> None:
    """What a child does."""
    from lookalike.runs import run as runs
    from lookalike.runs.settings import train_settings

    runs.run("digits", train_settings(**settings(method, **changes)), Path(out))


def run_until(call: int, *arguments) -> None:
    """A child that kills itself before its `call`-th change of a file: making, syncing, renaming or removing it."""
    left = [call]
    for name in ("open", "fsync", "replace", "unlink", "mkdir"):
        setattr(os, name, _counted(getattr(os, name), name, left))
    run(*arguments)


def _counted(function, name, left):
    def counted(*arguments, **keywords):
        flags = arguments[1] if name == "open" and len(arguments) > 1 else os.O_CREAT
        left[0] -= bool(flags & os.O_CREAT)
        if left[0] < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **keywords)

    return counted


@pytest.fixture(scope="module")
def server():
    """Context whose processes are forked from one that has imported everything."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(PRELOADED))
    child = context.Process(target=time.sleep, args=(0,))
    child.start()
    child.join()
    return context


@pytest.fixture(scope="module", params=["vtgan", "mcgan"])
def whole(request, server, tmp_path_factory):
    """(method, folder, seconds) of a run that nothing interrupted."""
    out = tmp_path_factory.mktemp("whole") / request.param
    began = time.monotonic()
    assert finish(server, out, request.param) == 0
    return request.param, out, time.monotonic() - began


def finish(server, out, method, changes=SETTINGS, *, after=None, call=None):
    """Exit code of a run, -9 if it was killed: `after` so many seconds, or before its `call`-th change of a file."""
    arguments = (str(out), method, changes)
    target, arguments = (run, arguments) if call is None else (run_until, (call, *arguments))
    child = server.Process(target=target, args=arguments)
    child.start()
    child.join(after)
    if child.is_alive():
        child.kill()  # nothing, where it has just ended by itself
    child.join()
    return child.exitcode


def bits(out):
    """Digests of all that a run ends in, without the clock."""
    files = [path for path in out.rglob("*") if path.is_file() and path.parent.name != "checkpoints"]
    found = {str(path.relative_to(out)): path.read_bytes() for path in files}
    lines = found.pop("metrics.jsonl").decode("ascii").splitlines()
    metrics = [{name: value for name, value in json.loads(line).items() if name != "seconds"} for line in lines]
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in found.items()} | {"metrics": metrics}
    for path in sorted((out / "checkpoints").iterdir()):
        tensors, facts = checkpoint.read_tensors(path)
        digests |= {
            f"{path.name} {name}": hashlib.sha256(t.numpy().tobytes()).hexdigest() for name, t in tensors.items()
        }
        digests[path.name] = {name: value for name, value in facts.items() if name != "seconds"}
    return digests


@pytest.mark.timeout(300)
def test_E1_random_kills_leave_no_trace(whole, server, tmp_path):
    """Eleven kills per method at seeded moments, up to four in one run: model, Adam, metrics and samples are equal."""
    method, folder, seconds = whole
    expected, moments, kills, runs = bits(folder), random.Random(method), 0, 0
    assert any(name.startswith("000000768.safetensors adam.D.") for name in expected)
    assert any("weak/adam.G." in name for name in expected) == (method == "vtgan")
    assert len(expected["metrics"]) == 16
    while kills < KILLS:
        out, before = tmp_path / str(runs), kills
        for _ in range(4):
            code = finish(server, out, method, after=moments.uniform(0.05, 1) * seconds)
            kills += code == -signal.SIGKILL and (out / "config.json").exists()
        if code != 0:
            assert finish(server, out, method) == 0
        assert bits(out) == expected, f"after {kills - before} kills in run {runs}"
        shutil.rmtree(out)
        runs += 1
        assert runs < 10 * KILLS  # else the kills come too late


CHANGES = {"images": 128, "save_every": 64, "sample_every": 128}  # two steps, two checkpoints


@pytest.mark.timeout(300)
def test_E2_a_kill_at_a_write_leaves_no_trace(server, tmp_path):
    """Killed before each 6th making, syncing, renaming or removing of a file, a run still ends in the same bits."""
    assert finish(server, tmp_path / "whole", "vtgan", CHANGES) == 0
    expected, kills = bits(tmp_path / "whole"), 0
    for call in range(0, 1000, 6):
        out = tmp_path / str(call)
        code = finish(server, out, "vtgan", CHANGES, call=call)
        kills += code == -signal.SIGKILL
        assert finish(server, out, "vtgan", CHANGES) == 0
        assert bits(out) == expected, f"after a kill before change {call}"
        if code == 0:
            break
    assert kills >= 12


# --- signals that ask

LONG = {"images": 64_000_000, "log_every": 64}  # no machine gets to its end here


def command(out: str, error: str) -> None:
    """A child that runs the real command line, with its standard error in a file."""
    from lookalike.faces.cli import entry

    # whatever started the tests may ignore it, and the server that forks may be a bench's, which lets both wait
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})
    sys.argv = ["lookalike", "train", "digits", "-o", out]
    for name, value in settings("vtgan", **LONG).items():
        if value != ():
            sys.argv += ["--" + name.replace("_", "-"), ",".join(value) if isinstance(value, tuple) else str(value)]
    with Path(error).open("w") as sys.stderr:
        entry()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)], ids=["E3", "E4"])
def test_a_signal_ends_training_with_a_checkpoint_and_one_line(number, code, server, tmp_path):
    """SIGTERM and Ctrl-C end the command within 5 s with 143 and 130, one line, and a checkpoint of the last step."""
    out, error = tmp_path / "run", tmp_path / "error"
    child = server.Process(target=command, args=(str(out), str(error)))
    child.start()
    until = time.monotonic() + 60
    while not (out / "metrics.jsonl").exists() and child.is_alive() and time.monotonic() < until:
        time.sleep(0.01)
    os.kill(child.pid, number)
    began = time.monotonic()
    child.join(30)
    assert child.exitcode == code
    assert time.monotonic() - began < 5
    (saved,) = (out / "checkpoints").iterdir()
    _, facts = checkpoint.read_tensors(saved)
    last = json.loads((out / "metrics.jsonl").read_text("ascii").splitlines()[-1])
    assert without_progress(error.read_text()) == (
        f"error: stopped after {facts['images']} of 64000000 images; the same command goes on from there\n"
    )
    assert (facts["step"], facts["images"]) == (last["step"], last["images"])
    assert int(saved.stem) == facts["images"] > 0
    assert not list(out.rglob("*lookalike-part*"))
