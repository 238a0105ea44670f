"""A bench that is stopped, in any phase and however often, ends within ten seconds, leaves nobody and loses nothing.

Real commands: four trainings of a small net side by side, so that a step takes milliseconds even where cores are few.
"""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from clean_failure import tree
from started_bench import Bench

STOPS = {
    "Ctrl-C": ([signal.SIGINT], 130, "stopped by Ctrl-C"),
    "two Ctrl-C": ([signal.SIGINT] * 2, 130, "stopped by Ctrl-C"),
    "three Ctrl-C": ([signal.SIGINT] * 3, 130, "stopped by Ctrl-C"),
    "SIGTERM": ([signal.SIGTERM], 143, "stopped by SIGTERM"),
    "SIGHUP": ([signal.SIGHUP] * 2, 129, "stopped by SIGHUP"),  # the kernel's and the shell's
}
IN_SCORING = ("two Ctrl-C", "SIGTERM")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Four classes of short vectors."""
    draw, path = np.random.default_rng(0), tmp_path_factory.mktemp("data") / "v.npz"
    labels = np.repeat(range(4), 40)
    np.savez(path, images=np.tanh(draw.normal(size=(160, 6)) + labels[:, None] / 3).astype("float32"), labels=labels)
    return path


@pytest.fixture(scope="module")
def whole(data, tmp_path_factory):
    """What a bench ends in that nobody stops."""
    bench = Bench(data, tmp_path_factory.mktemp("whole") / "bench")
    assert bench.finished() == 0, bench.error.read_text()
    return result(bench.folder)


def result(folder: Path) -> dict[str, bytes]:
    """The figures and all weights."""
    kept = tree(folder)
    return {name: kept[name] for name in kept if name.endswith(("bench-detect.csv", "model.safetensors"))}


@pytest.mark.timeout(900)
@pytest.mark.parametrize("stop", STOPS)
def test_a_stopped_bench_ends_in_time_and_loses_nothing(stop, data, whole, tmp_path):
    """Stopped while torch is loaded, in training and in scoring it leaves nobody; then it ends as if undisturbed."""
    signals, code, sentence = STOPS[stop]
    for phase in ("loading", "training", *["scoring"] * (stop in IN_SCORING)):
        bench = Bench(data, tmp_path / "bench")
        bench.until(getattr(bench, phase))
        if bench.process.poll() is not None:  # it was too fast for us
            continue
        for number in signals:
            if number == signal.SIGTERM:
                bench.process.send_signal(number)  # nothing where it has just ended
            else:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(bench.process.pid, number)  # as a terminal does
            time.sleep(0.2)
        ended = bench.ends()
        if phase == "scoring" and ended == 0:  # the last score was written before the signal came
            continue
        said = ended, bench.error.read_text().splitlines()[-1]
        assert said[0] == code and said[1].startswith(f"error: {sentence}"), bench.error.read_text()
        assert "Traceback" not in bench.error.read_text()
        if phase == "training":
            begun = [path.parent for path in bench.folder.glob("runs/**/metrics.jsonl")]
            assert begun and all(list((run / "checkpoints").iterdir()) for run in begun)
    bench = Bench(data, tmp_path / "bench")
    assert bench.finished() == 0, bench.error.read_text()
    assert len(whole) == 5 and result(bench.folder) == whole


@pytest.mark.timeout(600)
def test_a_killed_worker_costs_nothing(data, whole, tmp_path):
    """Trainings go on in other processes from their checkpoints, and the bench ends as if undisturbed."""
    bench = Bench(data, tmp_path / "bench")
    bench.until(lambda: any(bench.folder.glob("runs/**/checkpoints/0*.safetensors")))
    for worker in bench.workers():
        os.kill(worker, signal.SIGKILL)
    saved = {path.parents[1] / "metrics.jsonl" for path in bench.folder.glob("runs/**/checkpoints/0*.safetensors")}
    first = {path: path.read_text().splitlines()[0] for path in saved}  # with the seconds that it took
    assert bench.finished() == 0, bench.error.read_text()
    assert "failed" not in bench.error.read_text() and result(bench.folder) == whole
    assert first and all(path.read_text().splitlines()[0] == line for path, line in first.items())


@pytest.mark.timeout(300)
def test_under_nohup_a_closed_terminal_stops_nothing(data, tmp_path):
    """Where SIGHUP was ignored from the beginning parent and workers go on."""
    bench = Bench(data, tmp_path / "bench", preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    bench.until(bench.training)
    os.killpg(bench.process.pid, signal.SIGHUP)
    time.sleep(1)
    assert bench.process.poll() is None and len(bench.workers()) == 4
    os.kill(bench.process.pid, signal.SIGTERM)
    assert bench.ends() == 143


@pytest.mark.timeout(300)
def test_a_terminal_that_closes_stops_with_checkpoints(data, tmp_path):
    """Where nobody can be told any more the exit code is still SIGHUP's, and what trained is saved."""
    ours, theirs = pty.openpty()
    bench = Bench(data, tmp_path / "bench", stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    bench.until(bench.training)
    os.close(ours)  # it is no session's terminal: the kernel signals nobody, so we do
    os.killpg(bench.process.pid, signal.SIGHUP)
    assert bench.ends() == 129
    begun = [path.parent for path in bench.folder.glob("runs/**/metrics.jsonl")]
    assert begun and all(list((run / "checkpoints").iterdir()) for run in begun)
