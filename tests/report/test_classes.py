"""The report of a run that knows several classes: which class, the confusion, and each class's training."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from markupsafe import Markup
from PIL import Image

from lookalike.base.errors import ModelError
from lookalike.base.files import safe_name
from lookalike.data import read
from lookalike.detect.auc import rate
from lookalike.detect.model import Model
from lookalike.report import pictures, write
from lookalike.report.verdicts import table
from lookalike.runs import run as runs
from lookalike.runs.folder import Figures, read_run
from lookalike.runs.settings import train_settings
from lookalike.use.evaluate import evaluate

MakeRun = Callable[..., Path]
Read = Callable[[str], Any]

KNOWN, UNKNOWN = ("<b>", "3", "{{7*7}}"), ("8", "</td><i>")
CONFUSION = [[31, 2, 3, 0], [1, 28, 4, 4], [12, 19, 1, 3], [10, 16, 8, 38]]
BY_CLASS = [[0, 1, 0, 35], [10, 15, 8, 3]]


def told(known: tuple[str, ...] = KNOWN, unknown: tuple[str, ...] = UNKNOWN, **classes: Any) -> dict[str, Any]:
    """What an evaluation of several known classes adds to its figures."""
    made = {"confusion": CONFUSION, "confusion_unknown": BY_CLASS} | classes
    rates = {"accuracy": vars(rate(64, 108)), "accuracy_passed": vars(rate(60, 101))}
    return {"known": known, "unknown": unknown, "classes": rates | made}


def figures(known: int, unknown: int, **classes: Any) -> Figures:
    """Figures of so many classes, named by numbers."""
    names = tuple(map(str, range(known + unknown)))
    area = {"value": 0.5, "low": None, "high": None, "level": 0.95, "resamples": 1}
    share = vars(rate(1, 2))
    rest = {"method": "knn", "n_known": 1, "n_unknown": 1, "auc": area, "allowed": 0.05}
    said = told(names[:known], names[known:], **classes)
    return Figures.model_validate(rest | {"false_alarms": share, "misses": share} | said)


@pytest.fixture
def several(make_run: MakeRun) -> Path:
    """A run that knows three classes with hostile names, its GANs' folders as `train` makes them."""
    run = make_run(method="mcgan", classes={"known": list(KNOWN), "extra_fakes": []})
    path = run / "evaluations/8.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | told()))
    for name, images in zip(KNOWN, (100, 200, 300), strict=True):
        own = run / "classes" / safe_name(name)
        shutil.copytree(run / "samples", own / "samples")
        Image.fromarray(np.full((32, 32), images % 251, np.uint8)).save(own / f"samples/{5000 + images:09d}.png")
        shutil.copy(run / "metrics.jsonl", own / "metrics.jsonl")
    shutil.rmtree(run / "samples")
    (run / "metrics.jsonl").write_text('{"step": 0, "images": 342, "seconds": 1.0}\n')
    return run


@pytest.fixture
def html_of(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], str]:
    """The report of a run; its diagrams, not looked at here, are left empty."""
    monkeypatch.setattr(pictures, "_drawn", lambda *_, **__: Markup("data:image/webp;base64,"))
    return lambda run: write([run], run / "report.html").read_text("utf-8")


def rows_of(html: str) -> list[list[str]]:
    """The cells of the table of verdicts, as they stand in the page's source."""
    (shown,) = re.findall(r'<table class="verdicts">(.*?)</table>', html, re.DOTALL)
    return [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in re.findall(r"<tr>(.*?)</tr>", shown)]


def test_the_confusion_stands_in_its_cells(several: Path, html_of: Callable[[Path], str]) -> None:
    """A row per known and unknown class with its images, a column per verdict, every name escaped."""
    html = html_of(several)
    assert rows_of(html) == [
        ["True class", "Images", "&lt;b&gt;", "3", "{{7*7}}", "unknown"],
        ["&lt;b&gt;", "36", "31", "2", "3", "0"],
        ["3", "37", "1", "28", "4", "4"],
        ["{{7*7}}", "35", "12", "19", "1", "3"],
        ["8 (unknown)", "36", "0", "1", "0", "35"],
        ["&lt;/td&gt;&lt;i&gt; (unknown)", "36", "10", "15", "8", "3"],
        ["all together (unknown)", "72", "10", "16", "8", "38"],
    ]
    assert re.findall(r'<td class="shade-(\d) right">(\d+)', html) == [
        *(("5", "31"), ("4", "28"), ("1", "1"), ("5", "35"), ("1", "3"), ("3", "38"))
    ]
    assert "<i>" not in html


def test_accuracies_stand_with_their_meaning(several: Path, html_of: Callable[[Path], str], seen: Read) -> None:
    """Which class is right, of all known images and of those that passed, each in one sentence with its interval."""
    text = seen(html_of(several)).text
    assert (
        "Accuracy, all known 59.3 % [49.8, 68.1]: of 108 known images, flagged or not, 64 have their own class as the"
        " most likely one Accuracy, not flagged 59.4 % [49.7, 68.5]: of 101 known images that were not flagged, 60 have"
        " their own class as the most likely one AUC of each detector alone" in text
    )


def test_undefined_accuracy_is_said(several: Path, html_of: Callable[[Path], str], seen: Read) -> None:
    """Where no known image passed, the accuracy of those is undefined, and the page still renders."""
    path = several / "evaluations/8.json"
    values = json.loads(path.read_text())
    values["classes"]["accuracy_passed"] = vars(rate(0, 0)) | {"reason": "no held-out unflagged known images"}
    path.write_text(json.dumps(values))
    assert "Accuracy, not flagged undefined: of 0 known images" in seen(html_of(several)).text


def test_each_class_has_its_grids_and_curves(several: Path, html_of: Callable[[Path], str], seen: Read) -> None:
    """Under each class's name stand its first, a middle and its newest grid, and its three curves."""
    shown = seen(html_of(several))
    training = shown.text.partition("Training Each known class")[2]
    parts = re.split(r" Class (?=<b>|3 |\{\{)", training)[1:]
    assert [part.split()[0] for part in parts] == list(KNOWN)
    assert [re.findall(r"after ([\d,]+) images", part) for part in parts] == [
        ["320", "1,600", newest] for newest in ("5,100", "5,200", "5,300")
    ]
    assert [grid[0, 0] for grid in shown.decoded("generated images")[2::3]] == [100, 200, 300 % 251]
    assert [alt for alt, _ in shown.pictures].count("Curves: losses") == 3
    assert shown.text.count("a steady rise is a sign of divergence") == 1
    assert "No samples and no metrics" not in shown.text


def test_classes_whose_training_has_not_begun_are_counted(
    several: Path, html_of: Callable[[Path], str], seen: Read
) -> None:
    """A run stopped in its second class shows two, and the command that goes on."""
    shutil.rmtree(several / "classes" / safe_name(KNOWN[2]))
    text = seen(html_of(several)).text
    assert "The training of 1 of the 3 known classes has not begun. The same command resumes the run:" in text
    assert "Class 3 after 320 images" in text


def test_of_many_classes_ten_are_shown(several: Path, html_of: Callable[[Path], str], seen: Read) -> None:
    """Of thirteen trainings ten stand in the page, which says how many more there are and where."""
    config = json.loads((several / "config.json").read_text())
    names = [*KNOWN, *map(str, range(20, 30))]
    for name in names[3:]:
        shutil.copytree(several / "classes/3", several / "classes" / name)
    (several / "config.json").write_text(json.dumps(config | {"classes": {"known": names}}))
    path = several / "evaluations/8.json"
    values = json.loads(path.read_text()) | {"parts_auc": {f"as {name}": 0.5 for name in names}}
    path.write_text(json.dumps(values))
    shown = seen(html_of(several))
    assert len(shown.decoded("generated images")) == 30
    assert "first 10 classes; sample grids and metrics of 3 more are in the run's folder classes." in shown.text
    assert "as 26: 0.500, and 3 more in the run's folder evaluations" in shown.text


def test_of_many_classes_the_worst_are_tabled() -> None:
    """Of twelve known and unknown classes the ten most mistaken have rows; every row still sums to its images."""
    known = [[0] * 13 for _ in range(12)]
    for k in range(12):
        known[k][k], known[k][(k + 1) % 12], known[k][12] = 50 + k, 20 - k, 1
    known[3] = [0] * 13  # no images: nothing to see
    pooled = [12] * 12 + [0]
    unknown = [[1] * 12 + [5 * k] for k in range(12)]
    made = table(figures(12, 12, confusion=[*known, pooled], confusion_unknown=unknown))
    places = [0, 1, 2, 4, 5, 6, 7, 8, 9, 10]
    assert made.columns == (*map(str, places), "another known class", "unknown")
    assert [row.name for row in made.rows] == [
        *map(str, places), *(str(12 + k) for k in range(10)), "all together"
    ]  # fmt: skip
    counts = {row.name: [cell.count for cell in row.cells] for row in made.rows}
    assert counts["2"] == [0, 0, 52, 0, 0, 0, 0, 0, 0, 0, 18, 1]  # its 18 mistakes were called 3
    assert counts["10"] == [0, 0, 0, 0, 0, 0, 0, 0, 0, 60, 10, 1]
    assert counts["14"] == [1] * 10 + [2, 10]
    assert all(sum(counts[row.name]) == row.of for row in made.rows)


def test_an_evaluation_without_rows_of_unknown_classes_has_one_of_all() -> None:
    """Older evaluations pool the unknown; a single unknown class bears its name."""
    pooled = [row.name for row in table(figures(3, 2, confusion_unknown=[])).rows]
    single = [row.name for row in table(figures(3, 1, confusion_unknown=[CONFUSION[3]])).rows]
    assert (pooled, single) == (["0", "1", "2", "all together"], ["0", "1", "2", "3"])


@pytest.mark.parametrize(
    "classes",
    [
        {"confusion": CONFUSION[:3]},
        {"confusion": [row[:3] for row in CONFUSION]},
        {"confusion_unknown": BY_CLASS[:1]},
        {"confusion": [[-1, 2, 3, 0], *CONFUSION[1:]]},
        {"accuracy": None},
    ],
    ids=["rows", "columns", "unknown", "negative", "none"],
)
def test_a_confusion_that_does_not_fit_is_refused(several: Path, classes: dict[str, Any]) -> None:
    """Forged counts end in one line that names the file."""
    path = several / "evaluations/8.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | told(**classes)))
    with pytest.raises(ModelError, match=r"8\.json cannot be read: [^\n]+$"):
        read_run(several)


def test_every_sentence_holds_for_several(several: Path, html_of: Callable[[Path], str], seen: Read) -> None:
    """Nothing in the page speaks of one known class, or of one known class's calibration."""
    text = seen(html_of(several)).text
    assert "the known class " not in text and "known class only" not in text
    assert "set by calibration images only, which are all known" in text
    assert "<b> + 3 + {{7*7}} known, 8 + </td><i> unknown: AUC" in text


def test_a_real_run_is_reported_as_it_was_measured(tmp_path: Path, html_of: Callable[[Path], str]) -> None:
    """The cells are the counts of the model's own labels on the test images, unknown classes one by one."""
    run, images = tmp_path / "run", read("digits", size=(8, 8))
    images = replace(images, test=np.arange(len(images)) % 3 == 0)
    runs.run("digits", train_settings(method="knn", known=("0", "3", "8"), size="8,8", threads=1), run)
    figures = evaluate(run, images, unknown="1,9")
    parts = json.loads((run / "split.json").read_text())
    unseen = images.test & ~np.isin(images.keys, [*parts["train"], *parts["calibration"]])
    label, by_hand = Model.load(run).score(images).label, []
    for name in "03819":
        of = label[(images.labels == images.classes.index(name)) & unseen]
        by_hand.append([str(int((of == verdict).sum())) for verdict in (0, 1, 2, -1)])
    rows = rows_of(html_of(run))
    assert [row[2:] for row in rows[1:6]] == by_hand
    assert [row[0] for row in rows[1:6]] == ["0", "3", "8", "1 (unknown)", "9 (unknown)"]
    assert np.sum(figures["classes"]["confusion_unknown"], 0).tolist() == figures["classes"]["confusion"][3]
