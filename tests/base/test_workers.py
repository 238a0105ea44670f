"""Workers: each computes on one thread, and what it says and raises reaches the caller."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from lookalike.base import interrupts, workers
from lookalike.base.errors import DataError
from lookalike.base.workers import InOrder, side_by_side, tell


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
    failed = side_by_side(say_threads, InOrder(["a", "b"]), tmp_path, workers=1, command="", report=lambda *_: None)
    assert failed == {}
    for task in "ab":
        said = (tmp_path / task).read_text().split()
        assert len(said) > 1 and set(said) == {"1"}


def say_environment(task: str, folder: Path, command: str) -> None:
    """Writes a variable of the environment."""
    (folder / task).write_text(os.environ.get("LOOKALIKE_CACHE", "none"))


def test_a_worker_has_the_environment_of_its_caller(tmp_path, monkeypatch):
    """A variable that changes between two calls has its new value in the workers of the second."""
    for task, value in (("a", "off"), ("b", None)):
        monkeypatch.setenv("LOOKALIKE_CACHE", value) if value else monkeypatch.delenv("LOOKALIKE_CACHE")
        side_by_side(say_environment, InOrder([task]), tmp_path, workers=1, command="", report=lambda *_: None)
    assert [(tmp_path / task).read_text() for task in "ab"] == ["off", "none"]


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
    failed = side_by_side(act, InOrder(tasks), tmp_path, workers=1, command="c", report=lambda *line: told.append(line))
    assert failed == {"refused": "no such images", "stopped": "stopped by SIGTERM"}
    assert (tmp_path / "good").read_text() == "c" and multiprocessing.active_children() == []
    assert told == [
        line for i, task in enumerate(tasks) for line in ((f"{task} begins", i, 3), (task, i + 1, 3))
    ]  # fmt: skip


def test_a_fault_ends_all(tmp_path):
    """A bug of ours is raised with the place where it was; nobody is left."""
    with pytest.raises(KeyError, match="wrong") as caught:
        side_by_side(act, InOrder(["wrong", "good"]), tmp_path, workers=1, command="", report=lambda *_: None)
    assert multiprocessing.active_children() == [] and not (tmp_path / "good").exists()
    assert any("raise KeyError(task)" in note for note in caught.value.__notes__)


def test_a_task_whose_process_is_always_killed_fails_alone(tmp_path):
    """As where memory runs out: it is tried twice more, after the others, and then has a sentence with its signal."""
    told, how = [], {"workers": 1, "command": "c"}
    failed = side_by_side(act, InOrder(["killed", "good"]), tmp_path, report=lambda line, *_: told.append(line), **how)
    assert failed == {
        "killed": "its process ended by SIGKILL 3 times, as systems do when memory runs out; try fewer --workers; the "
        "same command goes on from there"
    }
    again = "killed: its process ended by SIGKILL; it is tried again"
    assert told == [
        "killed begins", again, "good begins", "good", "killed begins", again, "killed begins", "killed",
    ]  # fmt: skip
    assert (tmp_path / "good").read_text() == "c" and multiprocessing.active_children() == []


def die_once(task: str, folder: Path, command: str) -> None:
    """Ends its process without a word at the first try, and says at the next one which process it is."""
    if not (folder / task).exists():
        (folder / task).touch()
        os._exit(3)
    (folder / task).write_text(str(os.getpid()))


def test_a_task_whose_process_is_lost_once_is_done(tmp_path):
    """It is tried again, in a process that no other task had."""
    told, tasks = [], ["a", "b", "c"]
    how = {"workers": 1, "command": "", "report": lambda line, *_: told.append(line)}
    assert side_by_side(die_once, InOrder(tasks), tmp_path, **how) == {}
    assert "a: its process ended with exit code 3; it is tried again" in told
    assert len({(tmp_path / task).read_text() for task in tasks} - {""}) == 3


class OneMore:
    """Gives out a second task when the first has ended."""

    def __init__(self):
        self.left, self.said = ["first"], []

    def __len__(self):
        return 2

    def take(self):
        return self.left.pop() if self.left else None

    def ended(self, task, said):
        self.said.append((task, said))
        self.left += ["second"] if task == "first" else []


def test_what_an_ended_task_brings_up_is_done_too(tmp_path):
    """A task that is known only when another has ended is begun, and both are told as they end."""
    tasks = OneMore()
    assert side_by_side(act, tasks, tmp_path, workers=2, command="c", report=lambda *_: None) == {}
    assert tasks.said == [("first", ""), ("second", "")] and (tmp_path / "second").exists()


def test_at_the_end_of_the_time_what_runs_is_stopped_and_has_not_failed(tmp_path):
    """A time that is over begins nothing, and leaves nobody."""
    tasks = InOrder(["good"])
    assert side_by_side(act, tasks, tmp_path, workers=1, command="", report=lambda *_: None, until=0.0) == {}
    assert not (tmp_path / "good").exists() and multiprocessing.active_children() == []


def sleep(task: str, folder: Path, command: str) -> None:
    """Says that it began, and sleeps until it is stopped."""
    try:
        (folder / "began").touch()
        time.sleep(60)
    except interrupts.Stopped:
        (folder / "saved").touch()
        raise


def test_what_runs_when_the_time_is_over_saves_as_after_a_signal(tmp_path, monkeypatch):
    """A task that began is told to stop, has the time to save, and has not failed."""
    clock = SimpleNamespace(monotonic=lambda: 10.0 if (tmp_path / "began").exists() else 0.0)
    monkeypatch.setattr(workers, "time", clock)
    tasks = InOrder(["long", "never"])
    assert side_by_side(sleep, tasks, tmp_path, workers=1, command="", report=lambda *_: None, until=5.0) == {}
    assert (tmp_path / "saved").exists() and multiprocessing.active_children() == [] and tasks.take() == "never"


def test_without_tasks_nobody_is_started(tmp_path):
    """No task, no process and no failure."""
    assert side_by_side(act, InOrder([]), tmp_path, workers=4, command="", report=lambda *_: None) == {}


BESIDE = """
import multiprocessing, signal, sys
from pathlib import Path

def done(task, folder, command):
    (folder / task).touch()

def say(pipe):
    pipe.send((signal.pthread_sigmask(signal.SIG_BLOCK, ()), "lookalike.base.forks" in sys.modules))

if __name__ == "__main__":
    from lookalike.base.workers import InOrder, side_by_side
    folder, context = Path(sys.argv[1]), multiprocessing.get_context("forkserver")
    ours, theirs = context.Pipe()
    side_by_side(done, InOrder(["a"]), folder, workers=1, command="", report=lambda *_: None)
    child = context.Process(target=say, args=(theirs,))
    child.start()
    assert ours.recv() == (set(), False)
    child.join()
    side_by_side(done, InOrder(["b"]), folder, workers=1, command="", report=lambda *_: None)
"""


def test_a_program_that_forks_processes_too_has_its_own_server(tmp_path):
    """After a call of ours its processes wait with no signal and have none of our modules; ours go on beside them."""
    (tmp_path / "beside.py").write_text(BESIDE)
    environment = os.environ | {"PYTHONPATH": str(Path(workers.__file__).parents[2])}
    subprocess.run([sys.executable, tmp_path / "beside.py", tmp_path], env=environment, check=True, timeout=60)
    assert (tmp_path / "a").exists() and (tmp_path / "b").exists()
