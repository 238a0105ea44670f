"""The demo: every method on both pairs of digits, then on photographs with defects; one table, one report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lookalike.faces import defects, demo
from lookalike.faces.cli import main
from lookalike.runs.settings import train_settings

FAST = ("knn", "pca")
ON_DIGITS = [(known, unknown, method) for known, _, unknown in demo.PAIRS for method in demo.METHODS]
ON_PHOTOGRAPHS = [(name, f"{name}-defect", method) for name in defects.CLASSES for method in FAST]


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """The demo with a few steps per training, and few small photographs for fast methods."""
    monkeypatch.setattr(demo, "SETTINGS", demo.SETTINGS | {"images": 128, "width": 4, "search_steps": 3, "threads": 1})
    monkeypatch.setattr(demo, "ON_PHOTOGRAPHS", FAST)
    monkeypatch.setattr(defects, "SIDE", 96)
    monkeypatch.setattr(defects, "SOUND", 30)
    monkeypatch.setattr(defects, "WITH_DEFECT", 2)


def test_auto_comes_first_on_photographs() -> None:
    """The method whose heat maps are written is the default of `train`, and the figures of the demo include it."""
    assert demo.ON_PHOTOGRAPHS[0] == train_settings(known=("3",)).method == "auto"


@pytest.mark.usefixtures("short")
def test_the_demo_compares_methods_on_digits_and_photographs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each pair has a row per method, the rows are the stored evaluations, and the report holds them all.

    On photographs the maps are measured too.
    """
    out = tmp_path / "demo"
    assert main(["demo", "-o", str(out), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    keys = [(row["known"], row["unknown"], row["method"]) for row in told["rows"]]
    assert keys == ON_DIGITS + ON_PHOTOGRAPHS
    for row in told["rows"]:
        folder = out / f"{row['known']}-{row['unknown']}-{row['method']}"
        stored = json.loads((folder / "evaluations" / f"{row['unknown']}.json").read_text())
        assert (row["auc"], row["seconds"], row.get("pixels")) == (
            stored["auc"],
            stored["seconds"],
            stored.get("pixels"),
        )
    assert [row["pixels"]["images"] for row in told["rows"] if "pixels" in row] == [2] * len(ON_PHOTOGRAPHS)
    page = Path(told["report"]).read_text(encoding="utf-8")
    assert all(f"{row['auc']['value']:.3f}" in page for row in told["rows"])
    assert page.index("temple-temple-defect-knn") < page.index("3-8-auto")


@pytest.mark.usefixtures("short")
def test_photographs_of_a_demo_that_was_stopped_are_not_done_again(tmp_path: Path) -> None:
    """A second time gives the same figures, and leaves the crops, the models and the heat maps as they are."""
    first = demo.of_photographs(tmp_path, lambda _stage, _done, _of: None)
    made = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.[nps]*") if "evaluations" not in path.parts}
    second = demo.of_photographs(tmp_path, lambda _stage, _done, _of: None)
    assert [(row["auc"], row["pixels"]) for row in second] == [(row["auc"], row["pixels"]) for row in first]
    assert len(made) > 2 * (30 + 2 + 2)
    assert {path: path.stat().st_mtime_ns for path in made} == made


@pytest.mark.usefixtures("short")
def test_the_demo_prints_one_table_and_the_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For a person there is a line per method and pair, and last the paths of the heat maps and the report."""
    out = tmp_path / "demo"
    assert main(["demo", "-o", str(out)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [tuple(line.split()[:3]) for line in lines[1:-3]] == ON_DIGITS + ON_PHOTOGRAPHS
    assert lines[-3].startswith("mcgan has learnt training images of the unknown class as fake")
    assert lines[-2] == f"heat maps: {out / 'heat-maps'}"
    assert lines[-1] == f"report: {out / 'report.html'}"
    for name in defects.CLASSES:
        maps = sorted(path.name for path in (out / "heat-maps" / f"{name}-defect").iterdir())
        assert maps == ["000000.npy", "000000.png", "000001.npy", "000001.png"]
        assert len((out / "heat-maps" / f"{name}-defect.csv").read_text().splitlines()) == 1 + 2
