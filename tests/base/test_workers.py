"""Workers: each computes on one thread, also what is loaded only by its tasks."""

from __future__ import annotations

from pathlib import Path

from lookalike.base.workers import side_by_side


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
