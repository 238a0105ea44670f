"""A trial: the same parts for every way, and what each way adds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from lookalike.base import files
from lookalike.data import read, scaled, split
from lookalike.data.images import as_pixels
from lookalike.data.sparsify import sparsify
from lookalike.detect.model import Model
from lookalike.methods import METHODS
from lookalike.studies.augment import classifier, probe, trial
from lookalike.studies.augment.figures import figures
from lookalike.studies.augment.transforms import Affine
from lookalike.studies.augment.trial import GANS, TRANSFORMS, ClassifierTrial, cost, parts_of, spent
from lookalike.use.generate import generators

NAMES = ("0", "1", "7")
TINY = {"images": 256, "batch": 32, "width": 4, "z": 8, "size": "8,8"}


@pytest.fixture(scope="module")
def short(tmp_path_factory):
    """A file of digits: 60 zeros, 60 ones, 25 sevens."""
    images = read("digits")
    rows = np.concatenate([np.flatnonzero(images.labels == label)[:n] for label, n in ((0, 60), (1, 60), (7, 25))])
    path = tmp_path_factory.mktemp("short") / "short.npz"
    np.savez(path, images=images.pixels[rows, 0], labels=images.labels[rows])
    return str(path)


def one(short, way="none", **changes):
    """A trial of seed 0."""
    return ClassifierTrial(short, way, 0, classes=NAMES, settings=tuple(TINY.items())).but(**changes)


@pytest.fixture
def fitted(monkeypatch):
    """What each classifier was trained on; every training is two epochs."""
    calls, honest = [], classifier.fit

    def fit(pixels, labels, **more):
        calls.append((pixels, labels, more))
        return honest(pixels, labels, **more, epochs=2)

    monkeypatch.setattr(trial.classifier, "fit", fit)
    return calls


def result(one_trial, tmp_path):
    """What `perform` stored."""
    one_trial.perform(tmp_path)
    return one_trial.figures(tmp_path)


def test_parts_are_those_of_the_split(short):
    """A tenth of the training images validates, the test part is the split's, and no image is in two parts."""
    images = read(short, size=(8, 8))
    parts, wanted = parts_of(one(short), images), split(images, test=0.2, calibration=0.1, seed=0)
    for name, rows in (("train", wanted.train), ("validation", wanted.calibration), ("test", wanted.test)):
        pixels, labels = getattr(parts, name)
        assert np.array_equal(pixels, images.pixels[rows]) and np.array_equal(labels, images.labels[rows])
    assert parts.images.keys == tuple(images.keys[i] for i in wanted.train) and parts.images.test is None


def test_what_is_left_out_was_never_there(short):
    """Half of all images and then five sevens: the parts are those of the smaller data."""
    images = read(short, size=(8, 8))
    one_trial = one(short, share=0.5, keep=(("7", 5),))
    less = sparsify(sparsify(images, dict.fromkeys(NAMES, 0.5), 0), {"7": 5}, 0)
    assert np.array_equal(parts_of(one_trial, images).train[0], parts_of(one(short), less).train[0])


@pytest.mark.parametrize("seed", range(3))
def test_a_rare_class_keeps_its_test_images(short, seed):
    """Of twelve sevens eleven train and one validates; all else is as without it, and fewer are a part of more."""
    images = read(short, size=(8, 8))
    whole, cut, less = (parts_of(one(short, seed=seed, rare=rare), images) for rare in ((), (("7", 12),), (("7", 11),)))
    for part in (0, 1):
        assert np.array_equal(cut.test[part], whole.test[part])
    sevens = [(part.train[1] == 2).sum().item() for part in (whole, cut, less)]
    held = [(part.validation[1] == 2).sum().item() for part in (whole, cut, less)]
    assert (sevens, held) == ([18, 11, 10], [2, 1, 1])
    keys = [set(part.images.keys) for part in (whole, cut, less)]
    assert keys[2] < keys[1] and cut.images.test is None
    others = [part.train[0][part.train[1] < 2] for part in (whole, cut)]
    assert np.array_equal(*others)


def test_a_rare_class_of_an_official_split_keeps_its_official_test_images(short):
    """They stay the test part, and of the other images of the class twelve are learnt from."""
    images = read(short, size=(8, 8))
    official = replace(images, test=np.arange(len(images)) % 4 == 0)
    parts = parts_of(one(short, rare=(("7", 12),)), official)
    assert np.array_equal(parts.test[0], images.pixels[::4])
    assert [(part[1] == 2).sum().item() for part in (parts.train, parts.validation)] == [11, 1]


def test_nothing_is_added_for_none(short, tmp_path, fitted):
    """The classifier sees the training images alone, and is measured on the test part."""
    found = result(one(short), tmp_path)
    parts = parts_of(one(short), read(short, size=(8, 8)))
    ((pixels, labels, more),) = fitted
    assert np.array_equal(pixels, parts.train[0]) and np.array_equal(labels, parts.train[1])
    assert more["transform"] is None and np.array_equal(more["validation"][0], parts.validation[0])
    again = classifier.fit(*parts.train, classes=3, validation=parts.validation, seed=0)
    wanted = figures(again.probabilities(parts.test[0]), parts.test[1], top=2, rare=np.array([2]))
    assert {name: found[name] for name in wanted if name != "recall"} == {
        k: v for k, v in wanted.items() if k != "recall"
    }
    assert list(found["recall"].values()) == wanted["recall"] and found["rare"] == ["7"]


def test_oversampling_repeats_images_of_short_classes_up_to_the_target(short, tmp_path, fitted):
    """All classes have as many; what was added are training images of the class."""
    found = result(one(short, "oversample"), tmp_path)
    parts = parts_of(one(short), read(short, size=(8, 8)))
    ((pixels, labels, _),) = fitted
    n = len(parts.train[1])
    assert len(set(np.bincount(labels).tolist())) == 1
    assert np.array_equal(pixels[:n], parts.train[0]) and (labels[n:] == 2).sum() == found["short"]["7"]
    own = {image.tobytes() for image in parts.train[0][parts.train[1] == 2]}
    assert {image.tobytes() for image in pixels[n:][labels[n:] == 2]} <= own


@pytest.mark.parametrize("way", TRANSFORMS)
def test_a_transformation_adds_nothing(way, short, tmp_path, fitted):
    """The batches of the same images go through it."""
    result(one(short, way), tmp_path)
    ((pixels, _, more),) = fitted
    assert len(pixels) == len(parts_of(one(short), read(short, size=(8, 8))).train[0])
    assert more["transform"] == TRANSFORMS[way]


def test_a_data_set_may_have_an_affine_way_of_its_own(short, tmp_path, fitted):
    """It goes into the classifier of that way, and of no other."""
    turned = Affine(90, flip=True)
    for way in ("affine", "mixup", "none"):
        result(one(short, way, affine=turned), tmp_path)
    assert [more["transform"] for _, _, more in fitted] == [turned, TRANSFORMS["mixup"], None]


def test_a_gan_learns_from_the_training_images_alone_and_fills_up(short, tmp_path, fitted):
    """It saw the classifier's training images, no other; the first images of its generator are added."""
    one_trial = one(short, "acgan")
    found = result(one_trial, tmp_path)
    parts = parts_of(one_trial, read(short, size=(8, 8)))
    gan = one_trial.folder(tmp_path) / "gan"
    said = files.read_json(gan / "split.json")
    assert sorted(said["train"]) == sorted(parts.images.keys)
    assert not said["test"] and not said["calibration"]
    able, (alone, shown) = generators(Model.load(gan)), fitted
    made = np.concatenate(list(able["7"].images(found["short"]["7"], seed=0)))
    n = len(parts.train[0])
    rows = np.flatnonzero(shown[1][n:] == 2)
    assert np.array_equal(shown[0][:n], parts.train[0]) and np.array_equal(shown[0][n:][rows], made)
    most = max(found["counts"].values())
    assert np.bincount(alone[1]).tolist() == [most] * 3
    assert np.array_equal(alone[0][alone[1] == 0], np.concatenate(list(able["0"].images(most, seed=0))))
    assert 0 <= found["generated_only"]["accuracy"] <= 1 and found["gan_seconds"] > 0


def test_reconstructions_are_what_ali_makes_of_the_images_that_oversampling_repeats(short, tmp_path, fitted):
    """Of each added image of `oversample` stands G's image of its mean z, with the same label and of ali's own run."""
    found = result(one(short, "ali-reconstructed"), tmp_path)
    result(one(short, "oversample"), tmp_path)
    (alone, added, repeated), n = fitted, len(parts_of(one(short), read(short, size=(8, 8))).train[0])
    gan = generators(Model.load(one(short, "ali-reconstructed").folder(tmp_path) / "gan"))["7"].gan
    x, y = torch.from_numpy(scaled(repeated[0][n:])), torch.from_numpy(repeated[1][n:])
    assert gan.method.name == "ali" and set(repeated[1][n:]) == {2}
    assert np.array_equal(added[0][n:], as_pixels(gan.generate(gan.encode(x, y), y)))
    assert np.array_equal(added[1], repeated[1])
    assert np.bincount(alone[1]).tolist() == [max(found["counts"].values())] * 3
    assert 0 <= found["generated_only"]["accuracy"] <= 1 and found["gan_seconds"] > 0


def test_a_probe_shares_the_gan_of_the_network(short, tmp_path, fitted, monkeypatch):
    """Its figures are a file of its own in the same folder; the GAN trains once, and both have the same images."""
    seen, honest = [], probe.fit
    monkeypatch.setattr(trial.probe, "fit", lambda *given, **more: (seen.append(given), honest(*given, **more))[1])
    network, linear = (one(short, "acgan", classifier=name) for name in ("cnn", "probe"))
    first = result(network, tmp_path)
    weights = (network.folder(tmp_path) / "gan" / "model.safetensors").stat().st_mtime_ns
    assert not linear.is_done(tmp_path)
    second = result(linear, tmp_path)
    assert (network.folder(tmp_path) / "gan" / "model.safetensors").stat().st_mtime_ns == weights
    assert {path.name for path in network.folder(tmp_path).glob("*.json")} == {"figures-cnn.json", "figures-probe.json"}
    assert result(network, tmp_path) == first and first["gan_seconds"] == second["gan_seconds"]
    for mine, (pixels, labels) in zip(fitted, seen, strict=True):
        assert np.array_equal(mine[0], pixels) and np.array_equal(mine[1], labels)
    assert second["strength"] in probe.STRENGTHS and "epochs" not in second
    assert second["accuracy"] > 0.9 and spent(second) == cost(second) + second["generated_only"]["seconds"]


def test_every_gan_of_several_classes_is_a_way():
    """All of them, and no other."""
    assert set(GANS) == {name for name, method in METHODS.items() if method.conditional}


def test_what_is_asked_for_names_the_folder(short, tmp_path):
    """Trials that differ in anything that counts have folders of their own."""
    changes = (
        {},
        {"seed": 1},
        {"method": "mixup"},
        {"to": "70"},
        {"share": 0.5},
        {"keep": (("7", 9),)},
        {"rare": (("7", 9),)},
        {"preset": "paper"},
    )
    turned = (Affine(), Affine(90), Affine(flip=True), Affine(flip_down=True), Affine(black=True))
    affine = [{"method": "affine", "affine": how} for how in turned]
    changes = (*changes, *affine)
    folders = [one(short, **change).folder(tmp_path) for change in changes]
    folders.append(one(short, settings=(("images", 9),)).folder(tmp_path))
    assert len(set(folders)) == len(changes) + 1


def test_a_class_is_rare_where_it_lacks_a_tenth(short, tmp_path, fitted, monkeypatch):
    """Short by two of sixty is not rare; where nothing lacks a tenth all short classes count."""
    assert result(one(short, keep=(("0", 55),)), tmp_path)["rare"] == ["7"]
    found = result(one(short, keep=(("0", 57), ("1", 55), ("7", 25)), to="0=43"), tmp_path / "b")
    assert found["rare"] == list(found["short"]) == ["0"]
