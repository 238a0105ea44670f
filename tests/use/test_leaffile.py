"""`lookalike subclasses`: the sub-class of each new image, also by a run that only makes images."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from PIL import Image
from tiny import call, train

from lookalike import read
from lookalike.detect.leaves import leaf_shares
from lookalike.detect.model import Model
from lookalike.faces.cli import main
from lookalike.use.generate import leaf_generators

SPLIT = ("--split-at", "64", "--d-steps", "1", "--split-above", "0.1", "--net", "anogan", "--batch", "16")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A GAN of digits 0 and 3 that were split in two each; it has no threshold."""
    out = tmp_path_factory.mktemp("runs") / "made"
    assert main(train(out, "--known", "0,3", "--calibration", "0", *SPLIT, method="splitting")) == 0
    return out


def rows_of(path):
    """The lines of a CSV file."""
    return list(csv.DictReader(path.read_text().splitlines()))


@pytest.fixture
def folder(tmp_path):
    """Ten digits as PNGs: five in a folder called new, five in one called old."""
    digits = read("digits", size=(8, 8))
    for i in range(10):
        place = tmp_path / "images" / ("new" if i < 5 else "old")
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(digits.pixels[i, 0]).save(place / f"{i}.png")
    return tmp_path / "images"


def test_each_image_has_its_sub_class(run, folder, tmp_path, capsys):
    """The likeliest leaf with its share and its class, and the class that the folder names; the counts add up."""
    code, out, err = call(capsys, "subclasses", run, folder, "-o", tmp_path / "found.csv", "--json")
    assert code == 0, err
    rows = rows_of(tmp_path / "found.csv")
    model = Model.load(run)
    images = read(folder, size=(8, 8), channels=1)
    shares = leaf_shares(model.detector.gan, images.pixels)
    assert model.leaves == ("0/0", "3/0", "0/1", "3/1") and model.parents == ("0", "3", "0", "3")
    assert [row["name"] for row in rows] == list(images.names) and [row["class"] for row in rows] == [
        images.classes[label] for label in images.labels
    ]
    assert [row["subclass"] for row in rows] == [model.leaves[leaf] for leaf in shares.argmax(1)]
    assert [row["parent"] for row in rows] == [row["subclass"].split("/")[0] for row in rows]
    assert np.allclose([float(row["share"]) for row in rows], shares.max(1))
    counts = json.loads(out)["subclasses"]
    assert list(counts) == ["0/0", "0/1", "3/0", "3/1"] and sum(counts.values()) == 10
    assert all(n == [row["subclass"] for row in rows].count(name) for name, n in counts.items())


def test_lines_of_json_and_the_table(run, folder, tmp_path, capsys):
    """A .jsonl file has the same lines; the terminal has the number of images of each sub-class."""
    code, out, err = call(capsys, "subclasses", run, folder / "new", "-o", tmp_path / "found.jsonl")
    assert code == 0, err
    rows = [json.loads(line) for line in (tmp_path / "found.jsonl").read_text().splitlines()]
    assert len(rows) == 5 and set(rows[0]) == {"name", "class", "subclass", "parent", "share"}
    assert out.splitlines()[0].split() == ["sub-class", "images"]
    assert sum(int(line.split()[1]) for line in out.splitlines()[1:5]) == 5


def test_what_is_refused(run, folder, tmp_path, capsys):
    """Another suffix, a place among the images, and a run that split nothing: one line, and nothing is written."""
    whole = tmp_path / "whole"
    assert call(capsys, *train(whole, method="anogan"))[0] == 0
    for arguments, said in (
        (
            (run, folder, "-o", tmp_path / "found.txt"),
            "sub-classes are written to a .csv or .jsonl file, not found.txt",
        ),
        ((run, folder, "-o", folder / "found.csv"), "found.csv"),
        (
            (whole, folder, "-o", tmp_path / "found.csv"),
            "the classes of this anogan model were not split; name a run of",
        ),
    ):
        code, _, err = call(capsys, "subclasses", *arguments)
        assert code == 2 and said in err and err.count("\n") == 1
        assert not list(tmp_path.glob("found*")) and not list(folder.glob("found*"))


def test_generated_images_say_their_sub_class(run, tmp_path, capsys):
    """Of class 3 the sub-classes take turns; those of 3/1 alone are the same images, in a folder below that of 3."""
    made = tmp_path / "made"
    flags = ("--class", "3", "--class", "3/1", "-n", "4", "-o")
    code, out, err = call(capsys, "generate", run, *flags, made)
    assert code == 0 and "4 images of 3, 3/1" in out, err
    rows = rows_of(made / "generated.csv")
    assert [(row["file"], row["class"], row["subclass"]) for row in rows] == [
        *((f"3/00000{i}.png", "3", ("3/0", "3/1")[i % 2]) for i in range(4)),
        *((f"3/1/00000{i}.png", "3", "3/1") for i in range(4)),
    ]
    by_turn, alone = (np.asarray(Image.open(made / f"{place}/000003.png")).astype(int) for place in ("3", "3/1"))
    assert np.abs(by_turn - alone).max() <= 1
    assert {name: one.leaves for name, one in leaf_generators(Model.load(run)).items()} == {
        name: (leaf,) for leaf, name in enumerate(("0/0", "3/0", "0/1", "3/1"))
    }
    assert read(made).classes == ("3",)
    assert call(capsys, "generate", run, *flags, tmp_path / "made.npz")[0] == 0
    with np.load(tmp_path / "made.npz") as arrays:
        assert arrays["subclass"].tolist() == ["3/0", "3/1"] * 2 + ["3/1"] * 4
        assert arrays["labels"].tolist() == [0] * 8 and arrays["classes"].tolist() == ["3"]
    code, _, err = call(capsys, "generate", run, "--class", "3/7", "-o", tmp_path / "no")
    assert code == 3 and "3/7" in err and "3/0" in err


def test_scores_say_the_sub_class(folder, tmp_path, capsys):
    """`score` of a split run adds the sub-class within the likeliest class, and that class; other runs have neither."""
    out = tmp_path / "run"
    assert call(capsys, *train(out, "--known", "0,3", *SPLIT, method="splitting"))[0] == 0
    assert call(capsys, "score", out, folder, "-o", tmp_path / "scores.csv")[0] == 0
    rows = rows_of(tmp_path / "scores.csv")
    model, images = Model.load(out), read(folder, size=(8, 8), channels=1)
    verdicts = model.score(images.pixels)
    assert [row["parent"] for row in rows] == [("0", "3")[k] for k in verdicts.classes.argmax(1)]
    assert [row["subclass"] for row in rows] == [model.leaves[leaf] for leaf in verdicts.leaf]
    assert all(row["subclass"].startswith(row["parent"] + "/") for row in rows)
    assert all(row["predicted"] in ("unknown", row["parent"]) for row in rows)
    whole = tmp_path / "whole"
    assert call(capsys, *train(whole, method="anogan"))[0] == 0
    assert call(capsys, "score", whole, folder, "-o", tmp_path / "plain.csv")[0] == 0
    assert "subclass" not in (tmp_path / "plain.csv").read_text().splitlines()[0]
