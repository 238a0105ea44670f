"""What another process trains is waited for, told once, and then found done; Ctrl-C ends the wait."""

from __future__ import annotations

import json
import signal
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from lookalike.base import files, workers
from lookalike.base.errors import LockedError
from lookalike.runs.run import run
from lookalike.runs.settings import train_settings
from lookalike.studies.augment.trial import ClassifierTrial
from lookalike.studies.detect import trial
from lookalike.studies.detect.trial import DetectorTrial
from lookalike.studies.tables.quality_trial import QualityTrial

TINY = {"width": 4, "z": 8, "size": "8,8"}


class Told:
    """Stands for a worker's pipe: keeps the lines of progress, and calls `first` after the first."""

    def __init__(self, first=lambda: None):
        self.lines, self.first = [], first

    def send(self, message):
        """As a pipe."""
        self.lines.append(message)
        if len(self.lines) == 1:
            self.first()


@contextmanager
def another(folder: Path, monkeypatch, work=lambda: None):
    """Another holds `folder` until somebody waits for it, and does `work` before it lets go; yields what is told."""
    holds, ends = threading.Event(), threading.Event()

    def hold():
        with files.lock(folder):
            holds.set()
            ends.wait(60)
            time.sleep(2 * files.ASK)  # asked again meanwhile, and told nothing more
            work()

    files.make_folder(folder)
    thread = threading.Thread(target=hold)
    told = Told(ends.set)
    monkeypatch.setattr(workers, "_parent", [told])
    thread.start()
    assert holds.wait(60)
    yield told.lines
    thread.join()
    assert told.lines == [(workers.LINE, f"waiting for another run in {folder}")]


@pytest.mark.parametrize("done", [True, False], ids=["done by the other", "left undone"])
def test_a_trial_that_another_does_is_waited_for(tmp_path, monkeypatch, done):
    """It waits, says so once, does nothing again that the other did, and what the other left undone."""
    settings = (("size", "8,8"), ("false_alarms", 0.5))
    mine = DetectorTrial("digits", "pca", 0, known=("3",), scored=("3", "8"), settings=settings)
    folder = mine.folder(tmp_path)
    calls, honest = [], trial.run
    monkeypatch.setattr(trial, "run", lambda *given, **more: calls.append(1) or honest(*given, **more))
    with another(folder, monkeypatch, lambda: mine.work(folder, "") if done else None):
        mine.perform(tmp_path)
    assert len(calls) == 1 and mine.is_done(tmp_path)


def test_a_way_of_a_bench_that_another_does_is_waited_for(tmp_path, monkeypatch):
    """`bench augment` finds the figures that the other stored."""
    mine = ClassifierTrial("digits", "none", 0, classes=("3", "8"))
    monkeypatch.setattr(ClassifierTrial, "measure", lambda *_: pytest.fail("done again"))
    with another(mine.folder(tmp_path), monkeypatch, lambda: files.write_json(mine.file(tmp_path), {"accuracy": 0.5})):
        mine.perform(tmp_path)
    assert mine.figures(tmp_path) == {"accuracy": 0.5}


def test_a_training_of_a_table_that_another_does_is_waited_for(tmp_path, monkeypatch):
    """A table of quality finds what the other measured."""
    mine = QualityTrial("digits", "sn-binary", 0, side=8)
    monkeypatch.setattr(QualityTrial, "measure", lambda *_: pytest.fail("done again"))
    stored = {"asked": mine.depends_on(), "figures": {}}
    with another(mine.folder(tmp_path), monkeypatch, lambda: files.write_json(mine.file(tmp_path), stored)):
        mine.perform(tmp_path)
    assert mine.is_done(tmp_path)


def test_a_gans_folder_that_a_single_training_holds_is_waited_for(tmp_path, monkeypatch):
    """A run that is asked to wait does, also where the folder is held by `lookalike train`."""
    settings = train_settings(known=("3",), method="pca", size="8,8")
    with another(tmp_path / "gan", monkeypatch):
        run("digits", settings, tmp_path / "gan", wait=workers.tell)
    assert (tmp_path / "gan" / "model.json").exists()


def test_a_single_training_does_not_wait(tmp_path):
    """`train` is refused at once, as before."""
    with files.lock(files.make_folder(tmp_path / "run")), pytest.raises(LockedError):
        run("digits", train_settings(known=("3",), method="pca", size="8,8"), tmp_path / "run")


def test_ctrl_c_ends_a_wait(tmp_path):
    """However long the other takes, a signal is heard at once, and the lock is not taken."""
    before = signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT))
    told = []
    try:
        with files.lock(tmp_path):
            signal.setitimer(signal.ITIMER_REAL, 0.5)
            began = time.monotonic()
            with pytest.raises(KeyboardInterrupt), files.lock(tmp_path, wait=told.append):
                pytest.fail("it was not held")
            assert 0.4 < time.monotonic() - began < 5 and len(told) == 1
    finally:
        signal.signal(signal.SIGALRM, before)
    with files.lock(tmp_path):
        pass


@pytest.mark.timeout(600)
def test_two_benches_on_one_folder_end_in_the_same_figures(tmp_path):
    """Started together both end with success, no cell is missing in either, and nothing was trained twice."""
    from test_stops import Bench

    draw, data = np.random.default_rng(0), tmp_path / "v.npz"
    labels = np.repeat(range(3), 40)
    np.savez(data, images=np.tanh(draw.normal(size=(120, 6)) + labels[:, None] / 3).astype("float32"), labels=labels)
    more = ("--methods", "knn")
    both = [Bench(data, tmp_path / name, *more, runs=tmp_path / "runs") for name in "ab"]
    assert [bench.finished() for bench in both] == [0, 0], [bench.error.read_text() for bench in both]
    first, second = (json.loads((bench.folder / "out" / "bench-detect.json").read_text()) for bench in both)
    assert first["methods"] == second["methods"] and first["advice"] == second["advice"]
    assert {line["method"]: line["trials"] for line in first["methods"]} == {"anogan": 3, "knn": 3}
    for bench in both:
        assert "left out" not in bench.error.read_text() and "failed" not in bench.error.read_text()
