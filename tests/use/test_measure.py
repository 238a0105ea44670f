"""Measuring images: figures are those of the features, real images that trained nothing are the other side."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch
from clean_failure import assert_clean_failure
from tiny import call, settings

from lookalike.base.errors import DataError, ModelError, UsageError
from lookalike.data import Images, read, split
from lookalike.detect.baselines.classifier import CNN
from lookalike.faces.commands.measure import _show_measured
from lookalike.features import efficientnet, inception
from lookalike.features.nets.inception import Inception
from lookalike.runs import run as runs
from lookalike.runs.settings import train_settings
from lookalike.runs.used import used_images
from lookalike.use import measure as measuring
from lookalike.use.measure import measure
from lookalike.use.quality import diversity, frechet, kernel, manifold, own
from lookalike.use.quality.figures import at_equal_numbers


@pytest.fixture(scope="module")
def digits():
    """Digits at 8 x 8."""
    return read("digits", size=(8, 8))


@pytest.fixture(scope="module")
def found(digits):
    """(what measure says, the images it measured): training images of 3 and 8 with noise."""
    rows = split(digits, test=0.2, calibration=0.0, seed=0).train
    rows = rows[np.isin(digits.labels[rows], [digits.classes.index(name) for name in "38"])]
    noise = np.random.default_rng(0).integers(0, 40, digits.pixels[rows].shape)
    pixels = np.minimum(digits.pixels[rows] + noise, 255).astype(np.uint8)
    made = Images(
        pixels, np.where(digits.labels[rows] == digits.classes.index("8"), 1, 0), ("3", "8"), digits.names[: len(rows)]
    )
    return measure(made, digits, "digits"), made


def test_figures_are_those_of_the_named_features(found, digits):
    """Each equals its function of the features of the made images and of unseen ones of their classes."""
    said, made = found
    parts = split(digits, test=0.2, calibration=0.0, seed=0)
    network = own.own(digits.pixels[parts.train], digits.labels[parts.train], "digits", 0)
    unseen = parts.test[np.isin(digits.labels[parts.test], [digits.classes.index(name) for name in "38"])]
    one, other = network.features(made.pixels), network.features(digits.pixels[unseen])
    figures = {figure.name: figure for figure in said.figures}
    assert said.features == "128 features of a small CNN, 2,000 steps on 1,437 images of digits, seed 0".replace(
        "1,437", f"{len(parts.train):,}"
    )
    assert (said.made, said.real, said.half) == (len(made), len(unseen), len(unseen) // 2)
    assert figures["KID"].value == kernel.distance(one, other).value
    half = one[np.random.default_rng(0).permutation(len(one))[: len(other)]]  # as many as the real ones
    assert len(half) < len(one) and figures["precision"].value == manifold.compare(other, half).precision
    assert figures["coverage"].value == manifold.compare(other, half).coverage
    named = network.probabilities(made.pixels)[np.random.default_rng(0).permutation(len(one))[: len(one) // 100 * 100]]
    score = diversity.inception_score(named, len(named) // 100)  # of two classes, 50 images of each
    assert (figures["inception score"].value, figures["inception score"].spread) == score
    assert figures["inception score"].real is None  # half of the real ones are too few
    order, n = np.random.default_rng(0).permutation(len(other)), len(other) // 2
    halves = kernel.distance(other[order[:n]], other[order[n : 2 * n]])
    assert (figures["KID"].real, figures["KID"].real_spread) == halves
    assert figures["mean distance"].value == diversity.mean_distance(one, 100).mean
    right = network.probabilities(digits.pixels[unseen]).argmax(1) == digits.labels[unseen]
    assert (said.named.count, said.named.of) == (right.sum(), len(right))
    assert figures["FID"].value is None and "72 images are too few" in figures["FID"].note
    assert figures["precision"].spread == manifold.overlap(other, half).error.precision
    within = diversity.within(one[made.labels == 1])
    eight = said.classes["8"]
    assert (eight["within"], eight["within, spread"]) == within and said.classes["3"]["taken for it"] > 0.8
    assert eight["taken for it, low"] < eight["taken for it"] <= eight["taken for it, high"]
    k = digits.classes.index("8")
    eights = parts.test[digits.labels[parts.test] == k]
    assert eight["taken for it, real"] == (network.probabilities(digits.pixels[eights]).argmax(1) == k).mean()
    assert eight["variety"] == within.mean / diversity.within(network.features(digits.pixels[eights])).mean


def test_each_class_is_compared_with_its_own_real_images(found, digits):
    """KID of class 8 is that of its features against the unseen 8s'; FID needs more than there are."""
    said, made = found
    parts = split(digits, test=0.2, calibration=0.0, seed=0)
    network = own.own(digits.pixels[parts.train], digits.labels[parts.train], "digits", 0)
    unseen = parts.test[digits.labels[parts.test] == digits.classes.index("8")]
    one, other = network.features(made.pixels[made.labels == 1]), network.features(digits.pixels[unseen])
    of_eight = said.classes["8"]
    assert (of_eight["images"], of_eight["real images"]) == (len(one), len(other))
    assert (of_eight["KID"], of_eight["KID, spread"]) == kernel.distance(one, other)
    assert of_eight["FID, no bias"] is None and said.accuracy is None
    assert (of_eight["within, real"], of_eight["within, real, spread"]) == diversity.within(other)


def test_confidence_and_distances_stand_beside_those_of_real_images(found, digits):
    """Shares above 0.9 are the classifier's; distances in batches of 16 to as many as the smaller side allows."""
    said, made = found
    parts = split(digits, test=0.2, calibration=0.0, seed=0)
    network = own.own(digits.pixels[parts.train], digits.labels[parts.train], "digits", 0)
    unseen = parts.test[np.isin(digits.labels[parts.test], [digits.classes.index(name) for name in "38"])]
    sure, real = said.confidence[0.9]
    assert sure.count == (network.probabilities(made.pixels).max(1) > 0.9).sum() and sure.of == len(made)
    assert real.count == (network.probabilities(digits.pixels[unseen]).max(1) > 0.9).sum() and real.of == len(unseen)
    assert [one["batch"] for one in said.distances] == [16, 32, 64]
    wanted = diversity.mean_distance(network.features(digits.pixels[unseen]), 32)
    assert (said.distances[1]["real mean"], said.distances[1]["real sd"]) == wanted


def test_a_second_measure_trains_nothing(found, digits, monkeypatch):
    """Its classifier comes from the cache, and its figures are the same."""
    said, made = found
    monkeypatch.setattr(type(CNN), "fit", None)
    assert measure(made, digits, "digits") == said


def test_other_features_are_named_and_the_classifier_stays_the_users_own(found, digits):
    """KID and distances are of EfficientNet's features; the inception score and confidence are as before."""
    _, made = found
    rows = np.arange(0, len(made), 4)
    few = made.select(rows)
    own, other = (measure(few, digits, "digits", features=features) for features in ("own", "efficientnet"))
    assert "1,280 features of EfficientNet-Lite0, ImageNet weights, at 8 x 8 pixels, grey" in other.features
    values = [{figure.name: figure.value for figure in one.figures} for one in (own, other)]
    assert values[0]["inception score"] == values[1]["inception score"] and own.confidence == other.confidence
    parts = split(digits, test=0.2, calibration=0.0, seed=0)
    unseen = parts.test[np.isin(digits.labels[parts.test], [digits.classes.index(name) for name in "38"])]
    sides = (efficientnet.lite0((1, 8, 8)).features(pixels) for pixels in (few.pixels, digits.pixels[unseen]))
    assert values[1]["KID"] == kernel.distance(*sides).value != values[0]["KID"]


def test_inception_names_the_classes_of_its_score(found, digits, tmp_path, monkeypatch):
    """FID's published network: its features, its own classes in the inception score; own confidence stays."""
    _, made = found
    few = made.select(np.arange(0, len(made), 6))
    torch.manual_seed(0)
    torch.save(Inception().state_dict(), tmp_path / "weights.pth")
    digest = hashlib.sha256((tmp_path / "weights.pth").read_bytes()).hexdigest()
    monkeypatch.setattr(inception, "SHA256", digest)
    monkeypatch.setattr(inception, "SIDE", 75)
    said = measure(few, digits, "digits", features="inception", weights=tmp_path / "weights.pth")
    assert said.features.startswith("2,048 features of Inception-v3, FID's weights of 2015-12-05, 8 x 8 pixels")
    network = inception.published(tmp_path / "weights.pth", (1, 8, 8))
    score = diversity.inception_score(network.probabilities(network.features(few.pixels)), seed=0)
    one = next(figure for figure in said.figures if figure.name == "inception score")
    assert one.value == pytest.approx(score.mean) and one.note.startswith("of ImageNet's classes")
    assert said.confidence == measure(few, digits, "digits").confidence and said.sure == "classifier"


@pytest.mark.parametrize(
    ("features", "weights"), [("inception", None), ("own", Path("x.pth")), ("efficientnet", Path("x.pth"))]
)
def test_inception_and_its_weights_come_together(found, digits, features, weights):
    """Inception without a file, or a file for another network, is refused before anything is trained."""
    with pytest.raises(UsageError, match="--features inception needs --weights FILE, pytorch-fid's pt_inception"):
        measure(found[1], digits, "digits", features=features, weights=weights)


def test_faces_take_the_classifiers_place(found, digits):
    """MTCNN's share of images in which it finds a face, from 0 on: digits of 8 x 8 pixels show none."""
    said = measure(found[1], digits, "digits", show_faces=True)
    assert said.sure == "MTCNN of a face" and list(said.confidence) == [0, 0.9, 0.99, 0.999, 0.9999]
    assert all(rate.rate == 0 for pair in said.confidence.values() for rate in pair)
    assert replace(said, sure=found[0].sure, confidence=found[0].confidence) == found[0]


def test_images_without_classes_are_measured_against_all(found, digits):
    """Where nobody says which class an image is of, all real classes are the other side, and no class has a row."""
    _, made = found
    bare = replace(made, labels=np.full(len(made), -1), classes=())
    said = measure(bare, digits, "digits")
    assert said.classes == {} and said.real > 300


def test_enough_images_have_a_frechet_distance(digits, capsys):
    """All digits moved by a pixel: FID is the function's, and larger than that of real images against each other."""
    made = replace(digits, pixels=np.roll(digits.pixels, 1, axis=3), test=None)
    found = measure(made, digits, "digits")
    said = {figure.name: figure for figure in found.figures}
    parts = split(digits, test=0.2, calibration=0.0, seed=0)
    network = own.own(digits.pixels[parts.train], digits.labels[parts.train], "digits", 0)
    sides = network.features(made.pixels), network.features(digits.pixels[parts.test])
    assert said["FID"].value == pytest.approx(frechet.distance(*sides), rel=1e-9)
    assert said["FID, no bias"].value == pytest.approx(frechet.unbounded(*sides).value, rel=1e-9)
    fit = frechet.unbounded(*sides).fit
    assert said["FID, no bias"].spread == pytest.approx(np.hypot(frechet.error(*sides), fit), rel=1e-9)
    assert said["FID"].real is not None and said["FID"].value > 2 * said["FID"].real
    assert said["precision"].value < said["precision"].real
    n = len(parts.test) // 2
    assert found.equal == at_equal_numbers(*sides, 0) and found.equal.images == n
    assert (said["FID"].real, said["FID"].real_spread) == (found.equal.real.mean, found.equal.real.sd)
    assert said["FID"].note == "lower is better; at equal numbers: see below"
    as_json = found.json()["FID at equal numbers"]
    assert as_json["draws"] == 10 and as_json["made"]["high"] == found.equal.made.high > as_json["real"]["high"]
    _show_measured(found)
    out = capsys.readouterr().out
    assert f"FID of {n} against {n} images in ten draws [from, to]: generated {found.equal.made.mean:.3f} [" in out
    assert f"; {len(made):,} against {len(made):,} needs {2 * len(made):,} real test images" in out


def test_what_a_run_was_shown_is_not_unseen(tmp_path, digits):
    """A run of another seed drew other test images: those are the other side, none that it trained on."""
    how = settings("acgan", known=("3", "8"), batch=32, seed=5) | {"extra_fakes": ()}
    runs.run("digits", train_settings(**how), tmp_path)
    shown = used_images(tmp_path)
    training, unseen = measuring._parts(digits, "digits", tmp_path, 0)
    keys = np.array(digits.keys)
    assert not {*keys[unseen]} & (shown["train"] | shown["calibration"]) and shown["test"] <= {*keys[unseen]}
    assert (shown["train"] | shown["calibration"]) <= {*keys[training]} and not {*training} & {*unseen}
    usual = split(digits, test=0.2, calibration=0.0, seed=0).test
    assert shown["train"] & {*keys[usual]}, "seed 0's test images are of no use here"
    made = digits.select(np.arange(60))
    kid = kernel.distance(*_features(digits, made, training, unseen)).value
    assert next(f.value for f in measure(made, digits, "digits", run=tmp_path).figures if f.name == "KID") == kid


def test_images_that_the_run_was_shown_must_be_known_again(tmp_path, digits):
    """At another size, or where none of the data of that name is found, the run's images cannot be told: refused."""
    runs.run("digits", train_settings(**settings("anogan")), tmp_path)
    with pytest.raises(UsageError, match=r"of shape \(1, 8, 8\), but these have shape \(1, 16, 16\) and none of them"):
        measuring._parts(read("digits", size=(16, 16)), "digits", tmp_path, 0)
    brighter = Images(digits.pixels ^ 1, digits.labels, digits.classes, digits.names)
    with pytest.raises(UsageError, match="measure at the run's size, and read with its --value-range"):
        measuring._parts(brighter, "digits", tmp_path, 0)
    assert len(measuring._parts(brighter, "others", tmp_path, 0)[1]) > 300


@pytest.mark.parametrize("there", ["{}", "[]", '{"settings": {"test": "x", "seed": 0}}'])
def test_a_damaged_record_is_one_error(tmp_path, digits, there):
    """Whatever config.json holds, it is the run's record or a ModelError."""
    runs.run("digits", train_settings(**settings("anogan")), tmp_path)
    (tmp_path / "config.json").write_text(there)
    with pytest.raises(ModelError, match="does not say how the images were split"):
        measure(digits, digits, "digits", run=tmp_path)


def test_images_of_any_stand_beside_the_classes_that_the_run_knows(tmp_path, digits):
    """Where nobody says the class: unseen images of 3 and 8, which the run learnt as one, and of no other class."""
    how = settings("anogan", known=("3,8",), pooled=True) | {"extra_fakes": ()}  # as the command line takes it
    runs.run("digits", train_settings(**how), tmp_path)
    made = Images(digits.of("3", "8").pixels[:60], np.zeros(60, np.int64), ("any",), digits.names[:60])
    _, unseen = measuring._parts(digits, "digits", tmp_path, 0)
    wanted = np.isin(digits.labels[unseen], [digits.classes.index(name) for name in "38"]).sum()
    assert measure(made, digits, "digits", run=tmp_path).real == wanted


def test_images_that_a_run_learnt_from_without_a_label_are_no_class(tmp_path, digits):
    """A folder of images of which nobody says the class teaches the classifier nothing: it tells 3 and 8 as before."""
    hidden = np.isin(digits.labels, [3, 8]) & (np.arange(len(digits)) % 2 > 0)
    half = replace(digits, labels=np.where(hidden, 10, digits.labels), classes=(*digits.classes, "nobody"))
    np.savez(tmp_path / "half.npz", images=half.pixels[:, 0], labels=half.labels, classes=np.array(half.classes))
    how = settings("k-plus-one", known=("3", "8"), unlabelled=("nobody",), net="anogan") | {
        "extra_fakes": (),
        "calibration": 0.0,
        "test": 0.4,
    }
    runs.run(tmp_path / "half.npz", train_settings(**how), tmp_path / "run")
    made = replace(digits.of("3", "8"), labels=np.zeros(len(digits.of("3", "8")), np.int64), classes=("any",))
    data = read(tmp_path / "half.npz", size=(8, 8))
    said = measure(made.select(np.arange(100)), data, "half.npz", run=tmp_path / "run")
    assert said.named.rate > 0.9


def _features(digits, made, training, unseen):
    network = own.own(digits.pixels[training], digits.labels[training], "digits", 0)
    return network.features(made.pixels), network.features(digits.pixels[unseen])


def test_real_images_of_one_class_need_another_networks_features(digits):
    """The own classifier is refused; with EfficientNet's features there is no inception score and no confidence."""
    threes = digits.of("3")
    one = replace(threes, labels=np.zeros(len(threes), np.int64), classes=("3",))
    made = replace(one, labels=np.full(len(one), -1), classes=())
    with pytest.raises(UsageError, match=r"have one class, so no classifier can learn features; .*efficientnet"):
        measure(made, one, "digits", features="own")
    few = one.select(np.arange(0, 180))
    real = replace(few, test=np.arange(180) % 3 == 0)
    said = measure(made.select(np.arange(60)), real, "digits")
    assert "inception score" not in {figure.name for figure in said.figures} and said.confidence == {}
    assert said.sure == "" and next(f.value for f in said.figures if f.name == "KID") is not None
    named = measure(one.select(np.arange(60)), real, "digits", features="efficientnet").classes["3"]
    assert named["taken for it"] is None and named["within"] > 0


def test_loose_files_are_measured_against_all_classes(tmp_path, capsys, digits):
    """A folder without folders: images of which nobody says the class."""
    for i, pixels in enumerate(digits.pixels[:60, 0]):
        PIL.Image.fromarray(pixels).save(tmp_path / f"{i:02d}.png")
    code, out, err = call(capsys, "measure", tmp_path, "--real", "digits", "--threads", "1", "--json")
    assert code == 0, err
    said = json.loads(out)
    assert said["made"] == 60 and said["classes"] == {} and said["real"] > 300 and said["half"] == said["real"] // 2


def _files(folder, images):
    """Writes images as loose files; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for i, pixels in enumerate(images.pixels[:, 0]):
        PIL.Image.fromarray(pixels).save(folder / f"{i:03d}.png")
    return folder


def test_two_folders_of_loose_files_are_compared_without_classes(tmp_path, capsys, digits):
    """All real images are the other side, EfficientNet sees both, no figure is of a class, and a line says so."""
    made, real = digits.select(np.arange(60)), digits.select(np.arange(60, 140))
    command = "measure", _files(tmp_path / "made", made), "--real", _files(tmp_path / "real", real), "--threads", "1"
    code, out, err = call(capsys, *command, "--json")
    assert code == 0, err
    said = json.loads(out)
    assert (said["made"], said["real"], said["half"], said["classes"]) == (60, 80, 40, {})
    assert said["without classes"] == ["generated", "real"] and said["features"].startswith("1,280 features of Eff")
    kid = kernel.distance(*(efficientnet.lite0((1, 8, 8)).features(side.pixels) for side in (made, real)))
    assert said["figures"]["KID"]["value"] == pytest.approx(kid.value, rel=1e-6)
    assert said["nearest"] is None
    code, out, err = call(capsys, *command, "--nearest", tmp_path / "near.png")
    assert code == 0, err
    assert "near.png: 16 generated images, each beside the 3 nearest of 80 real ones" in out
    with PIL.Image.open(tmp_path / "near.png") as picture:
        assert picture.size == (4 * 65, 16 * 65)
    for path in (tmp_path / "none" / "near.png", tmp_path, tmp_path / "real" / "near.png"):
        assert_clean_failure(capsys, [str(one) for one in (*command, "--nearest", path)], 2, path, kept=tmp_path)
    assert "no figures of single classes, as the generated and real images have no classes" in out


def test_copies_are_found_among_training_images(digits):
    """The nearest image of a copy is its original, which trained the classifier and is no test image."""
    train = split(digits, test=0.2, calibration=0.0, seed=0).train[:40]
    said = measure(digits.select(train), digits, "digits", beside=True).nearest
    assert said.of == len(digits)
    assert all(row["distances"][0] == pytest.approx(0, abs=1e-4) for row in said.rows)
    assert all(row["image"] in row["real"] for row in said.rows)
    assert {row["image"] for row in said.rows} <= {digits.names[i] for i in train}


def test_classes_of_generated_images_do_not_count_beside_real_ones_without(found, digits):
    """Images of 3 and 8 against real ones of no class: the figures are those of images of no class."""
    made, bare = found[1].select(np.arange(60)), replace(digits, labels=np.full(len(digits), -1), classes=())
    said = measure(made, bare, "digits")
    assert said.unnamed == ("real",) and said.classes == {} and said.real == len(digits)
    nobodys = replace(made, labels=np.full(60, -1), classes=())
    assert replace(said, unnamed=("generated", "real")) == measure(nobodys, bare, "digits")
    with pytest.raises(UsageError, match=r"have no classes, so no classifier can learn features; .*efficientnet"):
        measure(made, bare, "digits", features="own")


def test_what_a_run_was_shown_is_not_among_real_images_without_classes(tmp_path, digits):
    """Of loose real images, those that trained the run or set its threshold are left out, and no others."""
    runs.run("digits", train_settings(**settings("anogan")), tmp_path)
    bare = replace(digits, labels=np.full(len(digits), -1), classes=())
    shown = used_images(tmp_path)
    used = shown["train"] | shown["calibration"] | shown["extra_fakes"]
    training, held_out = measuring._parts(bare, "digits", tmp_path, 0)
    keys = np.array(digits.keys)
    assert len(training) and set(keys[training]) <= used and not set(keys[held_out]) & used
    assert len(training) + len(held_out) == len(digits)


def test_an_empty_and_a_mixed_folder_have_a_line(tmp_path, capsys, digits):
    """An empty folder is refused; images beside class folders are left out, and a line says how many."""
    for i in range(10):
        _files(tmp_path / "mixed" / str(i), digits.select(np.flatnonzero(digits.labels == i)[:5]))
    _files(tmp_path / "mixed", digits.select([0, 1]))
    (tmp_path / "empty").mkdir()
    for command in (["empty", "--real", "mixed"], ["mixed", "--real", "empty"]):
        argv = ["measure", *(str(tmp_path / one) if one in ("empty", "mixed") else one for one in command)]
        line = assert_clean_failure(capsys, argv, 3, "empty", kept=tmp_path)
        assert "holds no image; give a folder with files such as JPEG or PNG" in line
    code, out, err = call(capsys, "measure", tmp_path / "mixed", "--real", "digits", "--threads", "1", "--json")
    assert code == 0 and "mixed': 2 images beside the class folders left out" in err
    assert json.loads(out)["made"] == 50 and list(json.loads(out)["classes"]) == list(digits.classes)


def test_what_cannot_be_measured_is_refused(digits):
    """Vectors, another size, a class that is not there, few images: each a line."""
    few = digits.select(np.arange(30))
    for made, error, words in (
        (replace(few, pixels=np.zeros((30, 4), np.float32)), UsageError, "the data are vectors, but measure"),
        (read("digits", size=(16, 16)), UsageError, r"have shape \(1, 16, 16\), the real ones \(1, 8, 8\)"),
        (replace(few, classes=("cat", *digits.classes[1:])), UsageError, "the real images have no class cat"),
        (few, DataError, "images to measure: 30; 40 are needed"),
    ):
        with pytest.raises(error, match=words):
            measure(made, digits, "digits")
    nobodys = replace(digits, labels=np.full(len(digits), -1))
    with pytest.raises(UsageError, match="--accuracy needs images labelled with two classes"):
        measure(nobodys, digits, "digits", accuracy=True)
    with pytest.raises(UsageError, match="--accuracy needs images labelled with two classes"):
        measure(replace(few, labels=np.zeros(30, np.int64), classes=("3",)), digits, "digits", accuracy=True)


def test_the_command_measures_a_run_and_a_folder_alike(tmp_path, capsys):
    """A run's images, and the same written by generate, get the same figures; --json has them all."""
    how = settings("acgan", known=("3", "8"), batch=32, lr=0.02, ema=0.0, seed=4) | {"extra_fakes": ()}
    runs.run("digits", train_settings(**how), tmp_path / "run")
    code, _, err = call(capsys, "generate", tmp_path / "run", "-n", "50", "-o", tmp_path / "made")
    assert code == 0, err
    said = []
    for made, more in (("run", ["-n", "50"]), ("made", ["--run", tmp_path / "run"])):
        code, out, err = call(capsys, "measure", tmp_path / made, "--real", "digits", *more, "--threads", "1", "--json")
        assert code == 0, err
        said.append(json.loads(out))
    assert said[0]["figures"] == said[1]["figures"] and said[0]["made"] == 100
    code, out, err = call(capsys, "measure", tmp_path / "made", "--real", "digits", "--threads", "1")
    assert code == 0 and "real against real" in out and "steps on" in out and "recognised" in out and "variety" in out
    assert "FID of a class needs 258 images of it: generated ones (-n), and real test images" in out
    assert "batch of" in out
    refused = assert_clean_failure(
        capsys,
        ["measure", str(tmp_path / "run"), "--real", "digits", "--run", str(tmp_path / "run")],
        2,
        "--run",
        kept=tmp_path,
    )
    assert "leave out --run" in refused
    assert "surer than" in out and "learnt from" not in out
    code, out, _ = call(capsys, "measure", tmp_path / "made", "--real", "digits", "--threads", "1", "--accuracy")
    assert code == 0 and "a classifier that learnt from 100 of these images alone is right on" in out
    line = assert_clean_failure(
        capsys, ["measure", str(tmp_path / "made"), "--real", "mnist-5k-x"], 3, "mnist-5k-x", kept=tmp_path
    )
    assert line.startswith("error: ")


def test_of_many_classes_the_ten_worst_are_shown(found, capsys):
    """Of 100 classes whose KID is known, the page has the ten with the highest, worst first, and a line says so."""
    said = found[0]
    ranks = np.random.default_rng(0).permutation(100).tolist()
    many = {f"c{i:02d}": said.classes["8"] | {"KID": rank / 8} for i, rank in enumerate(ranks)}
    _show_measured(replace(said, classes=many))
    out = capsys.readouterr().out
    assert "of 100 classes the 10 worst by 'KID'; --json has all" in out
    rows = [line.split()[0] for line in out.splitlines() if line[:1] == "c" and line[1:3].isdigit()]
    assert rows == [f"c{ranks.index(rank):02d}" for rank in range(99, 89, -1)]
    _show_measured(said)
    assert "worst" not in capsys.readouterr().out
