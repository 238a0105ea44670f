"""The table of photographs: its rows, the trainings that they share, its figures, its page, and data that lack."""

from __future__ import annotations

import csv
import statistics
from importlib.resources import files as resources

import numpy as np
import pytest
from clean_failure import assert_clean_failure
from official import TEST, official
from PIL import Image
from sklearn.metrics import roc_auc_score
from tiny import call

from lookalike.base.errors import DataError
from lookalike.data import named, read, split
from lookalike.detect import members
from lookalike.detect.model import Model
from lookalike.studies.detect import parts
from lookalike.studies.study import Study
from lookalike.studies.tables import photographs
from lookalike.studies.tables.photographs import TASKS, Photographs
from lookalike.studies.tables.table import run
from lookalike.use.masks import masks_of, measured

pytestmark = pytest.mark.usefixtures("here")

LOOKS = {  # data set -> class -> number of images, and the column of the bright bar in them
    "tiles": {"Blowhole": (30, 6), "Break": (31, 10), "Free": (40, 4)},
    "steel": {"crazing": (30, 2), "inclusion": (30, 6), "scratches": (30, 11)},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Tiles and steel of 16 x 16 and 20 x 20 pixels, and three classes with official test images in place of CIFAR."""
    root, draw = tmp_path_factory.mktemp("photographs"), np.random.default_rng(0)
    for name, classes in LOOKS.items():
        for kind, (count, column) in classes.items():
            (root / name / kind).mkdir(parents=True)
            for i in range(count):
                picture = draw.normal(90, 50, (16 + 4 * (i % 2),) * 2)
                picture[:, column : column + 3] += 25
                Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8)).save(root / name / kind / f"{i}.png")
    official(root / "cifar-10-batches-bin")
    return root


@pytest.fixture(scope="module")
def plates(tmp_path_factory):
    """Tiles of 48 x 64 pixels: 40 free ones, 5 with a bright spot and 4 with a dark one, and masks of the spots."""
    root, draw = tmp_path_factory.mktemp("plates"), np.random.default_rng(0)
    for kind, count, grey in (("Blowhole", 5, 250), ("Break", 4, 5), ("Free", 40, None)):
        for place in (root / "tiles" / kind, root / "tiles-masks" / kind):
            place.mkdir(parents=True)
        for i in range(count):
            picture, mask = draw.normal(120, 12, (48, 64)), np.zeros((48, 64), np.uint8)
            if grey is not None:
                picture[8:16, 6:14], mask[8:16, 6:14] = grey, 255
                Image.fromarray(mask).save(root / "tiles-masks" / kind / f"{i}.png")
            Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8)).save(root / "tiles" / kind / f"{i}.png")
    return root


def made(folder, out, rows, **changes):
    """The lines of these rows, with the files in `out`/tables."""
    how = {"seeds": 1, "methods": ("knn",), "command": "the command", "runs": out / "runs"} | changes
    return run(Photographs(folder), Study(**how), out / "tables", rows)


def page(out):
    """The Markdown file."""
    return (out / "tables" / "photographs-1-small-part.md").read_text("utf-8")


def trials(folder, study, rows):
    """Row -> the trial of its cell with the first seed and method."""
    groups = Photographs(folder).groups(study, rows, required=True)
    return {cell.row: cell.trials[0] for cells in reversed(groups.values()) for cell in reversed(cells)}


def verdicts(one, runs, known, unknown, whole):
    """What the stored model says of the known classes' test images, and of the unknown classes' images."""
    model = Model.load(one.folder(runs))
    images = read(one.data, size=model.size, channels=model.channels, key_size=model.key_size)
    tests = split(images, test=0.2, calibration=0.0, seed=one.seed).test
    is_test = np.isin(np.arange(len(images)), tests)
    of = [np.isin(images.labels, [images.classes.index(name) for name in names]) for names in (known, unknown)]
    rows = [np.flatnonzero(of[0] & is_test), np.flatnonzero(of[1] & (whole | is_test))]
    return images, rows, [model.score(images.pixels[mine]) for mine in rows]


def figures(lines, **where):
    """Figure -> mean, of the lines with these values."""
    return {line["metric"]: line["mean"] for line in lines if where.items() <= line.items()}


def by_scikit_learn(said):
    """AUC, misses and false alarms of two groups of verdicts."""
    known, unknown = said
    truth = [0] * len(known.score) + [1] * len(unknown.score)
    return {
        "auc": pytest.approx(roc_auc_score(truth, np.concatenate([known.score, unknown.score]))),
        "misses": pytest.approx(1 - unknown.flagged.mean()),
        "false_alarms": pytest.approx(known.flagged.mean()),
    }


# --- figures


@pytest.mark.parametrize("method", ["knn", "features-gaussian", "ocsvm-pca"])
def test_figures_are_those_of_the_stored_model(method, folder, tmp_path, monkeypatch):
    """AUC is scikit-learn's, and misses and false alarms are the model's flags: test images against whole classes."""
    if method == "ocsvm-pca":  # it holds images out, and a threshold needs 19
        monkeypatch.setattr(photographs, "HELD_OUT", 0.6)
    lines = made(folder, tmp_path, ["tiles"], methods=(method,))
    assert {(line["known"], line["unknown"]) for line in lines} == {
        ("Free", "Blowhole"), ("Free", "Break"), ("Free", "others"),
    }  # fmt: skip
    one = trials(folder, Study(tmp_path / "runs", seeds=1, methods=(method,)), ["tiles"])["Free/others"]
    assert one.train_settings().held_out == {"ocsvm-pca": 0.6}.get(method, 0.0)
    for unknown in (("Blowhole",), ("Break",), ("Blowhole", "Break")):
        _, rows, said = verdicts(one, tmp_path / "runs", ("Free",), unknown, whole=True)
        assert [len(mine) for mine in rows] == [8, sum(LOOKS["tiles"][name][0] for name in unknown)]
        name = "others" if len(unknown) > 1 else unknown[0]
        assert figures(lines, unknown=name) == by_scikit_learn(said)
    assert 0.5 < figures(lines, unknown="others")["auc"] < 1


def test_of_steel_few_images_of_each_unknown_class_are_scored(folder, tmp_path, monkeypatch):
    """Those with the smallest content keys, for every training alike."""
    monkeypatch.setattr(parts, "MOST", 10)
    made(folder, tmp_path, ["crazing/others", "others/crazing"])
    found = trials(folder, Study(tmp_path / "runs", seeds=1, methods=("knn",)), ["crazing/others", "others/crazing"])
    for row, unknown in (("crazing/others", ("inclusion", "scratches")), ("others/crazing", ("crazing",))):
        model = Model.load(found[row].folder(tmp_path / "runs"))
        images = read(folder / "steel", size=model.size, channels=model.channels)
        for name in unknown:
            mine = np.flatnonzero(images.labels == images.classes.index(name))
            first = np.sort(sorted(mine, key=lambda i: images.keys[i])[:10])
            assert np.array_equal(
                found[row].scores(tmp_path / "runs", name, parts.FEW).score, model.score(images.pixels[first]).score
            )


def test_several_known_classes_have_an_accuracy(folder, tmp_path):
    """The share of their test images whose most likely known class is right, whether flagged or not."""
    lines = made(folder, tmp_path, ["others/scratches", "scratches/others"])
    one = trials(folder, Study(tmp_path / "runs", seeds=1, methods=("knn",)), ["others/scratches"])["others/scratches"]
    images, rows, said = verdicts(one, tmp_path / "runs", ("crazing", "inclusion"), ("scratches",), whole=True)
    right = said[0].classes.argmax(1) == images.labels[rows[0]]
    assert figures(lines, known="others") == by_scikit_learn(said) | {"accuracy": right.mean()}
    assert right.mean() > 0.5 and said[0].flagged.any()
    assert "accuracy" not in figures(lines, known="scratches")


def test_where_test_images_are_official_only_these_are_scored(folder, tmp_path):
    """Of the unknown classes too; each class is once the known one."""
    lines = made(folder, tmp_path, ["cifar-10"])
    found = trials(folder, Study(tmp_path / "runs", seeds=1, methods=("knn",)), ["cifar-10"])
    assert list(found) == ["9/others", "8/others", "3/others"]
    for known in ("3", "8", "9"):
        unknown = tuple(name for name in ("3", "8", "9") if name != known)
        images, rows, said = verdicts(found[f"{known}/others"], tmp_path / "runs", (known,), unknown, whole=False)
        assert [len(mine) for mine in rows] == [TEST, 2 * TEST] and images.test[np.concatenate(rows)].all()
        assert figures(lines, known=known) == by_scikit_learn(said)


def test_masks_measure_the_heat_maps_of_each_row(plates, tmp_path, monkeypatch):
    """Pixel AUROC and AUPRO are those of `evaluate --masks`; a method without maps has none."""
    monkeypatch.setattr(members, "POOL", 600)
    monkeypatch.setattr(members, "BANK", 100)
    lines = made(plates, tmp_path, ["tiles"], methods=("patches", "knn"))
    one = trials(plates, Study(tmp_path / "runs", seeds=1, methods=("patches",)), ["tiles"])["Free/others"]
    for name, unknown in (("Break", ("Break",)), ("others", ("Blowhole", "Break"))):
        images, (known, others), _ = verdicts(one, tmp_path / "runs", ("Free",), unknown, whole=True)
        model = Model.load(one.folder(tmp_path / "runs"))
        marked = masks_of(model, plates / "tiles-masks", [images.names[i] for i in others])
        theirs = measured(model, marked, images, known, others, lambda *_: None)
        mine = figures(lines, unknown=name, method="patches")
        assert (mine["pixel_auroc"], mine["pixel_aupro"]) == (theirs.auroc, theirs.aupro)
        assert theirs.images == len(others) and 0.8 < theirs.auroc < 1
    assert set(figures(lines, method="knn")) == {"auc", "misses", "false_alarms"}
    assert "| Free | others | knn |" in page(tmp_path)


# --- trainings


def test_rows_share_a_training(folder, tmp_path):
    """The three rows of tiles need one training for each method and seed, and another method's figures add one."""
    made(folder, tmp_path, ["Free/Blowhole"], seeds=2)
    there = {path: path.read_bytes() for path in (tmp_path / "runs").rglob("*.npz")}
    assert sorted(path.name for path in there) == sorted(["Free.npz", "Blowhole.npz", "Break.npz"] * 2)
    told = []
    made(folder, tmp_path, ["tiles"], seeds=2, report=lambda *line: told.append(line))
    assert told == [("training and measuring", 0, 0)]
    made(folder, tmp_path, ["tiles"], seeds=2, methods=("knn", "pca"))
    assert len(list((tmp_path / "runs").rglob("model.json"))) == 4
    assert {path: path.read_bytes() for path in there} == there


def test_unless_chosen_ten_methods_run(folder, tmp_path):
    """Every row of every data set that is here, with each of our usual methods and seed."""
    study, table = Study(tmp_path, seeds=2, preset="paper"), Photographs(folder)
    groups = table.groups(study, ["tiles", "others/crazing"], required=True)
    assert {name: len(cells) for name, cells in groups.items()} == {"tiles": 3 * 2 * 10, "steel-one-unknown": 2 * 10}
    assert {cell.method for cells in groups.values() for cell in cells} == set(photographs.METHODS)
    assert {cell.trials[0].preset for cell in groups["tiles"]} == {"paper"}
    assert "auto" in photographs.METHODS and len(set(photographs.METHODS)) == 10


# --- data that lack


def test_data_that_are_not_here_are_told(folder, tmp_path, monkeypatch, capsys):
    """A line for each data set that lacks; where it was asked for, the command ends with one line."""
    monkeypatch.setattr(named, "DEBIAN_FOLDER", tmp_path)
    monkeypatch.delenv("LOOKALIKE_DATA", raising=False)
    said = []
    study = Study(tmp_path / "runs", seeds=1, methods=("knn",), warn=said.append)
    table = Photographs(folder)
    groups = table.groups(study, table.row_names, required=False)
    assert list(groups) == ["tiles", "steel", "steel-one-unknown", "cifar-10"]
    assert [line.split(":")[0] for line in said] == ["pcb is left out", "fashion-mnist is left out"]
    assert f"{folder} holds no folder pcb; add it" in said[0]
    said.clear()
    assert not Photographs().groups(study, Photographs().row_names, required=False)
    assert len(said) == 6 and all("no folder was given" in line and "(--photographs)" in line for line in said[:5])
    monkeypatch.chdir(tmp_path)
    argv = ["table", "photographs/1", "--rows", "pcb", "--photographs", folder]
    assert_clean_failure(capsys, argv, 3, f"{folder} holds no folder pcb", kept=tmp_path)


@pytest.mark.parametrize(
    ("classes", "words"),
    [
        (("a", "b"), "tiles: there is no class Free, which is the known one; there are a, b"),
        (("Free",), "must have two classes or more, and none that is called others; add or rename some"),
        (("Free", "others"), "must have two classes or more, and none that is called others; add or rename some"),
    ],
)
def test_folders_that_are_not_the_data_set_are_refused(classes, words, tmp_path):
    """Without the known class, with one class, or with one whose name the table uses for several."""
    for name in classes:
        (tmp_path / "tiles" / name).mkdir(parents=True)
        Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "tiles" / name / "0.png")
    with pytest.raises(DataError, match=words):
        Photographs(tmp_path).groups(Study(tmp_path / "runs"), ["tiles"], required=True)


def test_two_classes_make_one_row(tmp_path):
    """Where there is one unknown class, it and all of them are the same row."""
    for name in ("good", "defect"):
        (tmp_path / "pcb" / name).mkdir(parents=True)
        Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "pcb" / name / "0.png")
    (cells,) = Photographs(tmp_path).groups(Study(tmp_path / "runs", seeds=1), ["pcb"], required=True).values()
    assert {cell.row for cell in cells} == {"good/defect"}


# --- the page


def test_the_page_has_means_over_rows_and_seeds(folder, tmp_path):
    """Of each seed the mean over the rows of all unknown classes, then mean and deviation over seeds; then each row."""
    lines = made(folder, tmp_path, ["tiles", "steel"], seeds=2)
    text = page(tmp_path)
    each = list(csv.DictReader((tmp_path / "tables" / "photographs-1-small-part-seeds.csv").read_text().splitlines()))
    aucs = {(one["dataset"], one["seed"]): float(one["value"]) for one in each if one["metric"] == "auc"}
    steel = [statistics.fmean(aucs[f"steel {kind}/others", str(seed)] for kind in LOOKS["steel"]) for seed in range(2)]
    mean, spread = statistics.fmean(steel), statistics.stdev(steel)
    assert "Means over 3 rows: crazing/others, inclusion/others, scratches/others." in text
    section = text.split("## steel\n")[1].split("## Every row")[0]
    assert f"| knn | {mean:.3f} ± {spread:.3f} | " in section and spread > 0
    assert "The row Free/others." in text and "`the command`" in text
    for line in lines:
        if line["metric"] == "auc":
            assert f"| {line['known']} | {line['unknown']} | knn | {line['mean']:.3f} ± {line['sd']:.3f} | " in text
    assert len(aucs) == 12 and {line["seeds"] for line in lines} == {2}


def test_a_method_that_lacks_a_cell_has_no_mean(folder, tmp_path):
    """A classifier cannot learn one known class: it is named with what it lacks, and its rows say so."""
    said = []
    lines = made(folder, tmp_path, ["tiles"], methods=("knn", "cnn"), warn=said.append)
    text = page(tmp_path)
    assert "- cnn: not compared, 3 of 3 cells are missing" in text and "| Free | others | cnn | not measured |" in text
    assert figures(lines, method="cnn", unknown="others") == {"auc": None}
    assert said[-1].startswith("cnn on tiles is compared with nothing: 3 of 3 cells are missing")
    assert "| cnn |" not in text.split("## Every row")[0]


def test_what_others_printed_stands_beside_its_data_set(folder, tmp_path):
    """Each with its source and said not to compare, in no section but its own, and in no CSV file."""
    made(folder, tmp_path, ["tiles", "crazing/others"])
    text = page(tmp_path)
    tiles, steel = text.split("## steel\n")
    assert "| PatchCore | 0.979 | Roth et al. 2022" in tiles and "do not compare with ours to the digit" in tiles
    assert "do not compare" not in steel and "PANDA |" not in text
    assert {line["printed"] for line in stored(tmp_path)} == {""}


def test_what_others_printed_is_an_auc_with_a_source():
    """Of a data set of the table, better than chance, with a year; no method stands twice."""
    text = resources("lookalike.studies.tables").joinpath("elsewhere.csv").read_text("utf-8")
    printed = list(csv.DictReader(text.splitlines()))
    assert {line["dataset"] for line in printed} == {"tiles", "cifar-10"} <= {task.name for task in TASKS}
    assert all(
        line["figure"] == "auc" and 0.5 < float(line["value"]) < 1 and " 20" in line["source"] for line in printed
    )
    assert len({(line["dataset"], line["method"]) for line in printed}) == len(printed) == 7


def stored(out):
    """The lines of the CSV file as texts."""
    return list(csv.DictReader((out / "tables" / "photographs-1-small-part.csv").read_text("utf-8").splitlines()))


# --- the command


def test_the_command_names_the_folder(folder, tmp_path, monkeypatch, capsys):
    """It prints the figures in percent, names the files, and is recorded whole."""
    monkeypatch.chdir(tmp_path)
    argv = ("table", "photographs/1", "--photographs", folder, "--rows", "Free/others", "--methods", "knn")
    code, out, err = call(capsys, *argv, "--seeds", 1, "--workers", 1, "-o", "tables", "--runs", "runs")
    assert code == 0, err
    line = {one["metric"]: one for one in stored(tmp_path)}["misses"]
    assert f"misses        {' ' * 9}{100 * float(line['mean']):.1f}".removesuffix(".0") in out
    assert line["command"] == (
        "lookalike table photographs/1 --preset small --seeds 1 --rows Free/others --methods knn "
        f"--photographs {folder}"
    )
    assert "table: tables/photographs-1-small-part.md" in out


def test_photographs_belong_to_one_table(capsys):
    """Another table takes none: one line."""
    code, _, err = call(capsys, "table", "vtgan-2021/1", "--photographs", "x")
    assert code == 2
    assert (
        err == "error: table vtgan-2021/1 takes no --photographs, as it has data sets of its own; leave the flag out\n"
    )
