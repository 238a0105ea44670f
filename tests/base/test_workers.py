"""Workers: each computes on one thread, and what it says and raises reaches the caller."""

from __future__ import annotations

import multiprocessing
import os
import signal
from pathlib import Path

import pytest

from lookalike.base.errors import DataError, ResourceError
from lookalike.base.workers import side_by_side, tell


def say_threads(task: str, folder: Path, command: str) -> None:
    """Writes how many threads the task's own libraries use."""
    import sklearn.linear_model  # noqa: F401, with libraries of its own
    import torch
    from threadpoolctl import threadpool_info

    numbers = [torch.get_num_threads(), *(library["num_threads"] for library in threadpool_info())]
    (folder / task).write_text(" ".join(map(str, numbers)))


def test_a_worker_computes_on_one_thread(tmp_path, monkeypatch):
    """Torch and numpy's libraries have one thread each, though a task is the first to load them."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.setenv(name, "2")
    failed = side_by_side(say_threads, ["a", "b"], tmp_path, workers=1, command="", report=lambda *_: None)
    assert failed == {}
    for task in "ab":
        said = (tmp_path / task).read_text().split()
        assert len(said) > 1 and set(said) == {"1"}


def act(task: str, folder: Path, command: str) -> None:
    """Does what its name says."""
    tell(f"{task} begins")
    if task == "refused":
        raise DataError("no such images")
    if task == "wrong":
        raise KeyError(task)
    if task == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if task == "stopped":
        os.kill(os.getpid(), signal.SIGTERM)
    (folder / task).write_text(command)


def test_a_failure_concerns_its_task_alone_and_what_a_worker_says_is_reported(tmp_path):
    """A refused task and one whose worker alone is told to stop have their sentences; those after them are done."""
    told = []
    tasks = ["refused", "stopped", "good"]
    failed = side_by_side(act, tasks, tmp_path, workers=1, command="c", report=lambda *line: told.append(line))
    assert failed == {"refused": "no such images", "stopped": "stopped by SIGTERM"}
    assert (tmp_path / "good").read_text() == "c" and multiprocessing.active_children() == []
    assert told == [
        line for i, task in enumerate(tasks) for line in ((f"{task} begins", i, 3), (task, i + 1, 3))
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("task", "error", "words"), [("wrong", KeyError, "wrong"), ("killed", ResourceError, "fewer --w")]
)
def test_a_fault_and_a_killed_worker_end_all(task, error, words, tmp_path):
    """A bug of ours is raised with the place where it was, a killed worker is one line; nobody is left."""
    with pytest.raises(error, match=words) as caught:
        side_by_side(act, [task, "good"], tmp_path, workers=1, command="", report=lambda *_: None)
    assert multiprocessing.active_children() == [] and not (tmp_path / "good").exists()
    assert (task == "wrong") == any("raise KeyError(task)" in note for note in getattr(caught.value, "__notes__", []))


def test_without_tasks_nobody_is_started(tmp_path):
    """No task, no process and no failure."""
    assert side_by_side(act, [], tmp_path, workers=4, command="", report=lambda *_: None) == {}
