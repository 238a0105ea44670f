"""The demo: every method on both pairs, one table, one report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lookalike.faces import demo
from lookalike.faces.cli import main


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """The demo with a few steps per training."""
    monkeypatch.setattr(demo, "SETTINGS", demo.SETTINGS | {"images": 128, "width": 4, "search_steps": 3, "threads": 1})


@pytest.mark.usefixtures("short")
def test_the_demo_compares_all_methods_on_both_pairs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each pair has a row per method, the rows are the stored evaluations, and the report holds them all."""
    assert main(["demo", "-o", str(tmp_path / "demo"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    keys = [(row["known"], row["unknown"], row["method"]) for row in told["rows"]]
    assert keys == [(k, u, m) for k, _, u in demo.PAIRS for m in demo.METHODS]
    for row in told["rows"]:
        folder = tmp_path / "demo" / f"{row['known']}-{row['unknown']}-{row['method']}"
        stored = json.loads((folder / "evaluations" / f"{row['unknown']}.json").read_text())
        assert (row["auc"], row["seconds"]) == (stored["auc"], stored["seconds"])
    page = Path(told["report"]).read_text(encoding="utf-8")
    assert all(f"{row['auc']['value']:.3f}" in page for row in told["rows"])


@pytest.mark.usefixtures("short")
def test_the_demo_prints_one_table_and_the_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For a person there is a line per method and pair, and last the path of the report."""
    assert main(["demo", "-o", str(tmp_path / "demo")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[2] for line in lines[1:-2]] == [*demo.METHODS, *demo.METHODS]
    assert lines[-2].startswith("mcgan has learnt training images of the unknown class as fake")
    assert lines[-1] == f"report: {tmp_path / 'demo' / 'report.html'}"
