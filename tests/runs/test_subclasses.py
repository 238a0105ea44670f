"""A run whose classes were split: what it keeps of them, and what its model makes and scores."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
from tiny import call, train

from lookalike import read
from lookalike.base.errors import DataError, UsageError
from lookalike.data.images import as_pixels
from lookalike.detect.gan import GANDetector
from lookalike.detect.model import Model
from lookalike.detect.search import Inverter, Search
from lookalike.faces.cli import main
from lookalike.game.batch import Batch
from lookalike.game.gan import GAN
from lookalike.game.splitting import Splitting
from lookalike.methods import METHODS
from lookalike.report import write as report
from lookalike.runs import folder as reading
from lookalike.runs.subclasses import purity
from lookalike.use.generate import generators

SPLIT = ("--split-at", "64", "--split-at", "128", "--d-steps", "1", "--split-above", "0.1", "--net", "anogan")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Digits 3, 8 and 0 learnt as one class that is split twice."""
    out = tmp_path_factory.mktemp("runs") / "one"
    assert main(train(out, "--known", "0,3,8", "--pooled", *SPLIT, method="splitting")) == 0
    return out


def _rows(run):
    return list(csv.DictReader((run / "subclasses.csv").read_text().splitlines()))


def test_every_training_image_is_listed_in_its_sub_class(run):
    """The list has each training image once with its true class; counts, purity and shares are those of the list."""
    rows = _rows(run)
    facts = json.loads((run / "subclasses.json").read_text())
    config = json.loads((run / "config.json").read_text())
    assert len({row["file"] for row in rows}) == len(rows) == config["data"]["train"]
    digits = read("digits")
    true = {name: digits.classes[label] for name, label in zip(digits.names, digits.labels, strict=True)}
    assert all(true[row["file"]] == row["class"] for row in rows)
    assert len(facts["leaves"]) == 4
    for leaf in facts["leaves"]:
        mine = [row["class"] for row in rows if row["subclass"] == leaf["name"]]
        assert leaf["images"] == len(mine) > 0
        assert leaf["share"] == mine.count(leaf["most"]) / len(mine) == max(map(mine.count, mine)) / len(mine)
    labels, leaves = [row["class"] for row in rows], [row["subclass"] for row in rows]
    assert facts["nmi"] == pytest.approx(normalized_mutual_info_score(labels, leaves))
    assert facts["ari"] == pytest.approx(adjusted_rand_score(labels, leaves))


def test_purity_is_1_for_the_same_groups():
    """Groups under other numbers agree wholly."""
    assert purity(np.array([0, 0, 1, 2]), np.array([5, 5, 0, 3])) == (1.0, 1.0)


def test_the_picture_shows_each_sub_class_real_and_generated(run):
    """A row per sub-class by name: its first training images, then what G makes of it."""
    facts = json.loads((run / "subclasses.json").read_text())
    rows = _rows(run)
    digits = read("digits")
    picture = np.asarray(Image.open(run / "subclasses.png"))
    assert picture.shape == (4 * 9, 16 * 9)
    for i, leaf in enumerate(facts["leaves"]):
        first = next(row["file"] for row in rows if row["subclass"] == leaf["name"])
        assert np.array_equal(picture[9 * i : 9 * i + 8, :8], digits.pixels[digits.names.index(first), 0])


def test_the_report_says_where_the_picture_stops(run, tmp_path, monkeypatch):
    """All sub-classes have a row in the picture, or the caption says how many of them have."""
    said = []
    for most in (100, 3):
        monkeypatch.setattr(reading, "PICTURED", most)
        report([run], tmp_path / f"{most}.html")
        said.append((tmp_path / f"{most}.html").read_text())
    assert "One row per sub-class, in the order of the table: eight real images" in said[0]
    assert "in the order of the table (the first 3): eight real images" in said[1]


def test_a_model_takes_turns_among_the_sub_classes(run):
    """Image i of a class is G's of sub-class i modulo their number, from the same z as without sub-classes."""
    model = Model.load(run)
    one = generators(model)["any"]
    gan = one.gan
    assert gan.tree.leaves == 4 and gan.tree.roots == 1
    made = np.concatenate(list(one.images(9, seed=2)))
    z = torch.cat([one.z(i, 2) for i in range(256)])
    for leaf in range(4):
        alone = as_pixels(gan.generate(z, torch.full((256,), leaf)))
        assert np.abs(made[leaf::4].astype(int) - alone[:9][leaf::4].astype(int)).max() <= 1


def test_an_image_is_searched_in_the_sub_class_that_d_names(run):
    """Its score is V of the search among images of that sub-class alone, whatever else is scored."""
    model, digits = Model.load(run), read("digits")
    gan, search = model.detector.gan, model.detector.search
    images = digits.pixels[np.isin(digits.labels, [0, 3, 8])][:12]
    x = torch.from_numpy(images).float() / 127.5 - 1
    with torch.no_grad():  # an untrained D finds all alike
        gan.D.eval().layers["classes"].weight.normal_(0, 3, generator=torch.Generator().manual_seed(2))
    named = gan.D(Batch(x, None, None, None)).classes.argmax(1)
    assert len(set(named.tolist())) > 1
    inverter = Inverter(gan, search, 0)
    found = inverter.search(x)
    assert torch.equal(inverter.likeliest(x), named)
    for i in (0, 5, 11):
        made = gan.generate(found.z[i : i + 1], named[i : i + 1])
        assert torch.allclose(found.nearest[i], made[0], atol=1e-5)
        assert torch.allclose(found.R[i], (x[i] - made[0]).abs().sum(), rtol=1e-4)
        alone = Inverter(gan, search, 0).search(x[i : i + 1])
        assert torch.equal(alone.V[0], found.V[i])
    assert np.allclose(GANDetector(gan, search, 0).score(images).score, found.V.numpy(), rtol=1e-6)


def test_d_that_is_told_the_class_finds_the_sub_class_most_real(small):
    """Where D names no class an image is searched in the sub-class as which it finds the image most real."""
    method = small(METHODS["sn-projection"]).but(splitting=Splitting())
    with pytest.raises(UsageError, match="neither"):
        METHODS["sn-binary"].but(splitting=Splitting())
    gan = GAN(method, (1, 8, 8), classes=2)
    gan.grow(1)
    with torch.no_grad():
        gan.D.layers["vectors"].parametrizations.weight.original[2] += 1
    x = torch.rand(6, 1, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
    gan.D.eval()
    each = [gan.D(Batch(x, torch.full((6,), leaf), None, None)).realness for leaf in (1, 2)]
    wanted = torch.where(each[1] > each[0], 2, 1)
    assert torch.equal(Inverter(gan, Search(steps=2), 1).likeliest(x), wanted)


def test_classes_taken_as_one_are_evaluated_as_one(run, capsys):
    """Unseen images of the pooled classes are known, those of another class are not."""
    code, out, err = call(capsys, "evaluate", run, "digits", "--unknown", "7", "--json")
    assert code == 0, err
    said = json.loads(out)
    digits = read("digits")
    assert said["known"] == ["any"] and said["unknown"] == ["7"] and "classes" not in said
    assert said["n_known"] == round(0.2 * np.isin(digits.labels, [0, 3, 8]).sum())


def test_known_classes_keep_their_names_in_the_tree(tmp_path, capsys):
    """With labels each class is split by itself; images are generated by class, and the report shows the tree."""
    out = tmp_path / "run"
    assert call(capsys, *train(out, "--known", "0,3", "--batch", "16", *SPLIT, method="splitting"))[0] == 0
    facts = json.loads((out / "subclasses.json").read_text())
    assert {leaf["name"].split("/")[0] for leaf in facts["leaves"]} == {"0", "3"} and len(facts["leaves"]) > 2
    assert all(leaf["most"] == leaf["name"].split("/")[0] and leaf["share"] == 1 for leaf in facts["leaves"])
    assert call(capsys, "generate", out, "--class", "3", "-n", "5", "-o", tmp_path / "made")[0] == 0
    assert len(list((tmp_path / "made" / "3").iterdir())) == 5
    assert call(capsys, "report", out, "-o", tmp_path / "page.html")[0] == 0
    page = (tmp_path / "page.html").read_text()
    assert all(f"<th>{leaf['name']}</th><td>{leaf['images']}</td>" in page for leaf in facts["leaves"])


def test_pooled_images_keep_other_classes():
    """Pooled classes become the first, others follow in their order; a name is not taken twice."""
    images = read("digits")
    one = images.pooled(("3", "5"), "any")
    assert one.classes == ("any", "0", "1", "2", "4", "6", "7", "8", "9")
    for name in ("0", "4", "9"):
        assert np.array_equal(one.labels == one.classes.index(name), images.labels == int(name))
    assert np.array_equal(one.labels == 0, np.isin(images.labels, [3, 5]))
    with pytest.raises(DataError, match="another class has that name"):
        images.pooled(("3", "5"), "4")


def test_d_of_sub_classes_names_the_class(tmp_path, capsys):
    """Where D sorts and its classes were split, a class has what its sub-classes have together."""
    out = tmp_path / "run"
    flags = ("--known", "0,3", "--net", "anogan", "--split-at", "64", "--split-above", "0.1", "--no-spectral")
    assert call(capsys, *train(out, *flags, method="k-plus-one"))[0] == 0
    model, images = Model.load(out), read("digits").pixels[:5]
    gan = model.detector.gan
    assert gan.tree.leaves == 4 and (out / "subclasses.csv").exists()
    gan.D.eval()
    says = gan.D(Batch(torch.from_numpy(images).float() / 127.5 - 1, None, None, None))
    leaves = says.classes.double().softmax(1).detach().numpy()
    together = np.stack([leaves[:, list(gan.tree.of(k))].sum(1) for k in (0, 1)], 1)
    assert np.allclose(model.score(images).classes, together, atol=1e-6)
