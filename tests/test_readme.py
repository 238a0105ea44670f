"""What the README shows is what happens."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from test_project import load

import lookalike
from lookalike.runs import presets

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


EXAMPLES = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_the_python_examples_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The README's Python lines run as they stand, in order; the figures are those of the stored evaluation."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(presets.PRESETS["small"], "images", 1280)
    monkeypatch.setitem(presets.PRESETS["small"], "search_steps", 10)
    monkeypatch.setattr(torch, "set_num_threads", lambda _n: None)  # what the tests run beside need cores too
    names: dict[str, object] = {}
    for example in EXAMPLES:
        exec(compile(example, "README.md", "exec"), names)
    stored = lookalike.evaluate("runs/mcgan", "digits", unknown="8")
    assert names["figures"]["auc"] == stored["auc"]
    assert str(stored["auc"]) in capsys.readouterr().out
    assert len(names["scores"].score) == 174
    assert np.mean(names["flags"] == -1) > 0.5


def test_the_examples_are_about_five_lines() -> None:
    """The Python way to the main job, and the scikit-learn one, are at most five statements each."""
    assert len(EXAMPLES) == 2
    assert all(len([line for line in example.splitlines() if line.strip()]) <= 5 for example in EXAMPLES)


def test_every_command_is_shown() -> None:
    """The README shows each command of the main job with its arguments."""
    job = (
        "check digits",
        "train digits --known 3 -o runs/three",
        "score runs/three digits",
        "evaluate runs/three digits",
    )
    for command in (*job, "report runs/three"):
        assert f"lookalike {command}" in README


def test_the_output_that_the_readme_shows_is_committed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each line under a command stands in benchmarks/results/examples.json, which `benchmarks/examples.py` wrote."""
    saved = json.loads((ROOT / "benchmarks/results/examples.json").read_text(encoding="utf-8"))["results"]["output"]
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    shown = load(ROOT / "benchmarks" / "examples.py").examples(README)
    assert [command for command, _ in shown] == list(saved)
    assert sum(len(lines) for _, lines in shown) > 10
    for command, lines in shown:
        missing = [line for line in lines if line not in saved[command]]
        assert not missing, f"{command}: {missing}"
