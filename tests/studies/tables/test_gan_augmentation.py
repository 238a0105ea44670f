"""Table I of gan-augmentation-2020: its data sets, its figures and its two files."""

from __future__ import annotations

import csv
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import ttest_rel
from tiny import call

from lookalike.base import files
from lookalike.base.errors import DataError, UsageError
from lookalike.data import arrays, named
from lookalike.studies.augment.transforms import Affine
from lookalike.studies.augment.trial import ClassifierTrial
from lookalike.studies.study import Study
from lookalike.studies.tables import gan_augmentation
from lookalike.studies.tables.gan_augmentation import CIFAR, NAME, PAPERS, TABLE, TASKS
from lookalike.studies.tables.table import printed, run

ACCURACY = {
    "none": [0.80, 0.82, 0.84],
    "oversample": [0.81, 0.83, 0.84],
    "affine": [0.79, 0.80, 0.86],
    "acgan": [0.85, 0.84, 0.86],
}


@pytest.fixture
def measured(monkeypatch):
    """Every trial stores the figures above at once, instead of training."""

    def perform(trial, runs, command=""):
        value = ACCURACY[trial.method][trial.seed]
        record = {"accuracy": value, "balanced_accuracy": value - 0.1, "rare_recall": 0.5, "top_accuracy": 0.9}
        record |= {"gan_seconds": 30.0, "generated_only": {"accuracy": 0.6}} if trial.generates else {}
        files.make_folder(trial.folder(runs))
        files.write_json(trial.file(runs), record | {"seconds": 10.0})

    monkeypatch.setattr(ClassifierTrial, "perform", perform)


def table(tmp_path, **changes):
    """The table of a tenth of Fashion-MNIST with three seeds."""
    how = {"methods": tuple(ACCURACY), "command": "lookalike table I"} | changes
    rows = how.pop("rows", ("fashion-mnist-tenth",))
    return run(TABLE, Study(tmp_path / "runs", **how), tmp_path / "out", rows)


def test_figures_are_means_over_seeds_beside_the_printed_ones(tmp_path, here, measured):
    """Mean, deviation and seconds of each way; top-2 of ten classes; what was trained on generated images alone."""
    lines = {(line["method"], line["metric"]): line for line in table(tmp_path)}
    line = lines["acgan", "accuracy"]
    assert line["mean"] == pytest.approx(0.85) and line["sd"] == pytest.approx(0.01) and line["seconds"] == 40.0
    assert line["seeds"] == 3 and line["printed"] is None
    assert lines["acgan", "top2_accuracy"]["mean"] == 0.9
    assert lines["acgan", "generated_only_accuracy"]["mean"] == 0.6
    assert ("none", "generated_only_accuracy") not in lines and lines["none", "accuracy"]["seconds"] == 10.0


def test_gains_are_paired_by_seed(tmp_path, here, measured):
    """The line of a way has scipy's paired interval, in points."""
    table(tmp_path)
    text = (tmp_path / "out" / "gan-augmentation-2020-I-small-part.md").read_text()
    wanted = ttest_rel(ACCURACY["acgan"], ACCURACY["none"]).confidence_interval()
    assert f"- acgan over none, points: accuracy +3.00 [{100 * wanted.low:+.2f}, {100 * wanted.high:+.2f}]" in text


def test_a_way_that_lacks_a_seed_has_no_gain(tmp_path, here, measured, monkeypatch):
    """What failed is named with the number of missing cells, and not compared; where none lacks one, nothing is."""
    honest, said = ClassifierTrial.perform, []

    def fails(way):
        def perform(trial, runs, command=""):
            if (trial.method, trial.seed) == (way, 1):
                raise DataError("broken")
            honest(trial, runs, command)

        monkeypatch.setattr(ClassifierTrial, "perform", perform)
        table(tmp_path / way, warn=said.append)
        return (tmp_path / way / "out" / "gan-augmentation-2020-I-small-part.md").read_text()

    text = fails("acgan")
    assert "- acgan: not compared, 1 of 3 cells is missing" in text and "acgan over none" not in text
    assert "- affine over none" in text
    assert "acgan on fashion-mnist-tenth is compared with nothing: 1 of 3 cells is missing" in said[-1]
    text = fails("none")
    assert "- none: not compared, 1 of 3 cells is missing" in text and "over none" not in text


def test_none_always_takes_part(tmp_path, here, measured):
    """Asked for one way alone, the table has what it gains over none, and the terminal more digits than the paper."""
    assert {line["method"] for line in table(tmp_path, methods=("acgan",))} == {"none", "acgan"}
    text = (tmp_path / "out" / "gan-augmentation-2020-I-small-part.md").read_text()
    assert "acgan over none, points: accuracy +3.00 [" in text and "nan" not in text


def test_every_seeds_figures_are_written(tmp_path, here, measured):
    """A line for each way, seed and figure, from which the means can be computed anew."""
    lines = {(line["method"], line["metric"]): line for line in table(tmp_path)}
    with (tmp_path / "out" / "gan-augmentation-2020-I-small-part-seeds.csv").open(newline="") as text:
        each = list(csv.DictReader(text))
    assert {line["seed"] for line in each} == {"0", "1", "2"} and {line["dataset"] for line in each} == {
        "fashion-mnist-tenth"
    }
    for way, accuracies in ACCURACY.items():
        mine = [float(one["value"]) for one in each if (one["method"], one["metric"]) == (way, "accuracy")]
        assert mine == accuracies and np.mean(mine) == pytest.approx(lines[way, "accuracy"]["mean"])


def test_the_printed_figures_stand_beside_the_papers_data_sets(tmp_path, here, measured):
    """All of Fashion-MNIST has what the paper prints: none .9157, and top-2 .98."""
    lines = table(tmp_path, rows=("fashion-mnist",), methods=("none", "acgan"))
    found = {(line["method"], line["metric"]): line["printed"] for line in lines}
    assert found["none", "accuracy"] == 0.9157 and found["none", "top2_accuracy"] == 0.98
    assert found["acgan", "accuracy"] == 0.9178 and found["acgan", "balanced_accuracy"] is None
    rows = list(csv.DictReader((tmp_path / "out" / "gan-augmentation-2020-I-small-part.csv").read_text().splitlines()))
    assert {row["dataset"] for row in rows} == {"fashion-mnist"} and rows[0]["printed"] == "0.9157"


def test_every_printed_data_set_is_a_row():
    """Each data set and method that the paper prints can be run, and is unless some are chosen."""
    keys = {(key[2], key[5]) for key in printed() if key[:2] == tuple(NAME.split("/"))}
    ways = {task.name: task.ways for task in TASKS}
    assert {key for key in keys if key[0] != "fashion-mnist"} <= {(name, way) for name in ways for way in ways[name]}
    assert {way for name, way in keys if name == "fashion-mnist"} == set(PAPERS)


def test_cifar_is_sparsified_as_the_authors_do():
    """Twenty classes, five at each of four shares, by number; each once."""
    numbers = [number for group in CIFAR.values() for number in group]
    assert len(set(numbers)) == 20 and {len(group) for group in CIFAR.values()} == {5}
    classes = tuple(f"c{i}" for i in range(100))
    (task,) = [task for task in TASKS if task.name == "cifar-100"]
    keep = dict(task.keep(classes))
    assert keep["c83"] == 0.65 and keep["c40"] == 0.8 and len(keep) == 20


def test_each_data_set_has_the_authors_transformations_and_classifier():
    """Clothes come in black and are not mirrored; the others turn by 90 degrees; CIFAR-100 has the larger network."""
    found = {task.name: (task.affine, task.classifier) for task in TASKS}
    clothes = (Affine(10, 0.1, 0.3, 0.1, black=True), "cnn")
    tissue = (Affine(90, 0.1, 0, 0, flip=True, flip_down=True), "cnn")
    assert found == {
        **dict.fromkeys(("fashion-mnist-tenth", "mnist-5k-twenty", "fashion-mnist"), clothes),
        "cifar-100": (Affine(90, 0.1, 0, 0, flip=True), "cnn-larger"),
        **dict.fromkeys(("breast-histopathology", "histopathology-by-patient"), tissue),
    }
    study = Study(Path(), seeds=1)
    (cell, *_) = next(task for task in TASKS if task.name == "fashion-mnist").cells(study)
    assert cell.trials[0].keep == (("Trouser", 0.5), ("Dress", 0.65), ("Sneaker", 0.8))  # to 50 %, not by 50 %


def test_data_that_is_not_here_is_left_out_unless_it_is_asked_for(tmp_path, here, measured, monkeypatch):
    """Without CIFAR's files the table has its other rows and a warning; asked for it is an error."""
    monkeypatch.setenv("LOOKALIKE_DATA", str(tmp_path))
    x = np.zeros((20, 8, 8, 1), np.uint8)
    tiny = arrays.in_memory(x, np.repeat([0, 1], 10), ("a", "b"), None)
    for name in ("fashion-mnist", "mnist-5k"):
        monkeypatch.setitem(named.NAMED, name, lambda: tiny)
    said = []
    lines = table(tmp_path, rows=(), warn=said.append)
    assert {line["dataset"] for line in lines} == {"fashion-mnist-tenth", "mnist-5k-twenty", "fashion-mnist"}
    assert [line.split(":")[0] for line in said] == [
        f"{name} is left out" for name in ("cifar-100", "breast-histopathology", "histopathology-by-patient")
    ]
    with pytest.raises(DataError, match="data set 'cifar-100' is not here"):
        table(tmp_path, rows=("cifar-100",))


def test_bad_input(tmp_path, capsys):
    """A row or method that is not there is one line."""
    with pytest.raises(UsageError, match=r"table gan-augmentation-2020/I has no row x; there are fashion-mnist-tenth"):
        table(tmp_path, rows=("x",))
    with pytest.raises(UsageError, match="has no method knn; there are none"):
        table(tmp_path, methods=("knn",))
    code, _, err = call(capsys, "table", NAME, "--rows", "x", "-o", tmp_path / "o", "--runs", tmp_path / "r")
    assert code == 2 and "has no row x" in err and not (tmp_path / "o").exists()


def test_the_command_prints_the_lines(tmp_path, capsys, here, measured):
    """`lookalike table` runs it like any other table."""
    more = [word for way in ACCURACY for word in ("--methods", way)]
    where = ["-o", tmp_path / "o", "--runs", tmp_path / "r", "--workers", "1", "--seeds", "3"]
    code, out, _ = call(capsys, "table", NAME, "--rows", "mnist-5k-twenty", *where, *more)
    assert out.splitlines()[0].split() == ["method", "figure", "printed", "ours", "seeds", "seconds"]
    assert code == 0 and "85 +- 1 %" in out and "gan-augmentation-2020-I-small-part.md" in out


def test_preset_paper_has_the_authors_length_and_step_size(monkeypatch):
    """300 passes over the published training images, with ALI before twice as many and 1e-4; small has its own."""
    tasks = {task.name: task for task in TASKS}
    assert tasks["fashion-mnist"].settings("acgan", "paper") == (("images", 300 * 60_000),)
    assert tasks["cifar-100"].settings("acgan-ali-v2", "paper") == (("images", 2 * 300 * 50_000), ("lr", 1e-4))
    assert tasks["cifar-100"].settings("ali-reconstructed", "paper") == (("images", 300 * 50_000), ("lr", 1e-4))
    assert dict(tasks["breast-histopathology"].settings("cgan", "paper"))["lr"] == 1e-4
    assert tasks["fashion-mnist"].settings("acgan", "small") == tasks["fashion-mnist"].settings("affine", "paper") == ()
    monkeypatch.setattr(gan_augmentation, "open_source", lambda _: SimpleNamespace(classes=("Trouser", "Bag")))
    cells = tasks["fashion-mnist"].cells(Study(Path("r"), preset="paper", seeds=1, methods=("acgan",)))
    assert [cell.trials[0].settings for cell in cells] == [(), (("images", 18_000_000),)]
