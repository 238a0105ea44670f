"""What the README shows is what happens."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

import lookalike
from lookalike import settings

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def test_the_python_example_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The README's Python lines run as they stand, and their figures are those of the stored evaluation."""
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(settings.PRESETS["small"], "images", 1280)
    monkeypatch.setitem(settings.PRESETS["small"], "search_steps", 10)
    monkeypatch.setattr(torch, "set_num_threads", lambda _n: None)  # what the tests run beside need cores too
    names: dict[str, object] = {}
    exec(compile(example, "README.md", "exec"), names)
    stored = lookalike.evaluate("runs/three", "digits", unknown="8")
    assert names["figures"]["auc"] == stored["auc"]
    assert str(stored["auc"]) in capsys.readouterr().out
    assert len(names["verdicts"].score) == 174


def test_the_example_is_about_five_lines() -> None:
    """The Python way to the main job is at most five statements."""
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len([line for line in example.splitlines() if line.strip()]) <= 5


def test_every_command_is_shown() -> None:
    """The README shows each command of the main job with its arguments."""
    for command in ("check DATA", "train DATA", "score runs/coat", "evaluate runs/coat DATA", "report runs/coat"):
        assert f"lookalike {command}" in README
