"""Trials of detectors: their folders, what they score, and what they never look at."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from clean_failure import tree
from official import CLASSES, TEST, TRAIN, official
from PIL import Image

from lookalike.base import files
from lookalike.base.errors import DataError, ModelError
from lookalike.data import gate, read, split
from lookalike.detect.baselines import BASELINES
from lookalike.detect.model import Model
from lookalike.runs import run as runs
from lookalike.runs.folder import training_seconds
from lookalike.runs.plan import Plan
from lookalike.runs.settings import train_settings
from lookalike.studies.detect import trial
from lookalike.studies.detect.trial import DetectorTrial
from lookalike.studies.study import Study

TINY = (("size", "8,8"), ("width", 4), ("z", 8), ("images", 128), ("batch", 64), ("search_steps", 5))
NAMES = tuple(map(str, CLASSES))


@pytest.fixture(scope="module")
def four(tmp_path_factory):
    """The folder of a data set with an official test part."""
    return str(official(tmp_path_factory.mktemp("data") / "four"))


def npz(path, *, labels=None):
    """120 random images of each of three classes, without an official test part."""
    pixels = np.random.default_rng(1).integers(0, 256, (360, 8, 8), dtype=np.uint8)
    np.savez(path, images=pixels, labels=np.repeat(NAMES, 120) if labels is None else labels)
    return str(path)


def part_of_split(one, images):
    """Rows of the test part that the one's split gives all classes."""
    settings = {"test": 0.2, "calibration": trial.CALIBRATION} | dict(one.settings)
    return split(images, test=settings["test"], calibration=settings["calibration"], seed=one.seed).test


def key_to_score(one, folder):
    """Content of each scored image -> its score."""
    images = read(one.data, size=Model.load(one.folder(folder)).size)
    rows, scores = part_of_split(one, images), {}
    for name in one.scored:
        keys = [images.keys[i] for i in rows if images.classes[images.labels[i]] == name]
        scores |= dict(zip(keys, one.scores(folder, name).score.tolist(), strict=True))
    return scores


# --- names


def test_the_folder_names_all_that_makes_a_training():
    """Preset, data, known classes, method with what it is against, changed settings and seed; never `scored`."""
    plain = DetectorTrial("digits", "pca", 0, known=("3",))
    coat = f"Ankle-boot-{hashlib.sha256(b'Ankle boot').hexdigest()[:8]}"
    expected = {
        plain: "small/digits/3/pca/seed-0",
        DetectorTrial("digits", "pca", 0, known=("3",), scored=("8", "9")): "small/digits/3/pca/seed-0",
        DetectorTrial(
            "mnist-5k", "mcgan", 4, known=("3", "8"), extra_fakes=("9",), preset="paper"
        ): "paper/mnist-5k/3,8/mcgan-extra_fakes-9/seed-4",
        DetectorTrial(
            "digits", "pca", 1, known=("3",), settings=(("size", "8,8"), ("z", 4))
        ): "small/digits/3/pca-size=8,8,z=4/seed-1",
        DetectorTrial("digits", "knn", 0, known=("Ankle boot",)): f"small/digits/{coat}/knn/seed-0",
    }
    assert {one: str(one.folder(Path("runs"))) for one in expected} == {one: f"runs/{p}" for one, p in expected.items()}


# --- what is scored


@pytest.mark.parametrize("method", ["pca", "knn"])
def test_scores_are_the_models_on_the_official_test_images(method, four, tmp_path):
    """For each class, in the order of the data: bit for bit what `Model.score` says of those images."""
    one = DetectorTrial(four, method, 0, known=("3",), scored=NAMES)
    assert not one.is_done(tmp_path)
    one.perform(tmp_path)
    assert one.is_done(tmp_path)
    model, images = Model.load(one.folder(tmp_path)), read(four, size=(32, 32))
    spent = training_seconds(one.folder(tmp_path))
    for name in NAMES:
        said, stored = model.score(images.select(images.test).of(name)), one.scores(tmp_path, name)
        assert len(stored.score) == TEST
        assert np.array_equal(stored.score, said.score) and np.array_equal(stored.p_value, said.p_value)
        assert stored.seconds > 0
        spent += stored.seconds
    assert one.cost(tmp_path) == pytest.approx(spent)


def test_without_an_official_part_the_splits_test_part_is_scored(tmp_path):
    """Of digits exactly the split's test part, in the order of the data; of the known class it is the run's own."""
    one = DetectorTrial(
        "digits", "pca", 0, known=("3",), scored=("3", "8"), settings=(("size", "8,8"), ("calibration", 0.2))
    )
    one.perform(tmp_path)
    model, images = Model.load(one.folder(tmp_path)), read("digits")
    tests = part_of_split(one, images)
    for name in ("3", "8"):
        rows = [i for i in tests if images.classes[images.labels[i]] == name]
        assert 30 <= len(rows) <= 40
        assert np.array_equal(one.scores(tmp_path, name).score, model.score(images.select(rows)).score)
        recorded = files.read_json(one.folder(tmp_path) / "split.json")["test"]
        assert {images.keys[i] for i in rows} & set(recorded) == (set(recorded) if name == "3" else set())


def test_an_image_under_two_labels_is_measured_nowhere(tmp_path):
    """Another class's training may have seen it: neither class's scores hold it, whichever part it would be in."""
    labels = np.repeat(NAMES, 120)
    pixels = np.random.default_rng(1).integers(0, 256, (360, 8, 8), dtype=np.uint8)
    pixels[120:180] = pixels[:60]  # half of the second class
    np.savez(tmp_path / "x.npz", images=pixels, labels=labels)
    settings = (("false_alarms", 0.5), ("size", "8,8"))
    one = DetectorTrial(
        str(tmp_path / "x.npz"), "pca", 0, known=("3",), scored=("3", "8"), settings=settings, held_out=True
    )
    one.perform(tmp_path)
    images = read(one.data)
    parts = split(images, test=0.2, calibration=trial.CALIBRATION, seed=0)
    twice = {*range(60), *range(120, 180)}
    for part, rows in (("unseen", parts.test), ("held", parts.calibration)):
        for name in ("3", "8"):
            mine = [i for i in rows if images.classes[images.labels[i]] == name]
            wanted = [i for i in mine if i not in twice]
            assert len(one.scores(tmp_path, name, part).score) == len(wanted) > 0
    assert any(i in twice for i in parts.test)


def test_a_training_image_that_repeats_a_test_image_is_not_scored(tmp_path):
    """A copy of an official test image in the training part is no test image: the counts stay those of the test."""
    one = DetectorTrial(str(official(tmp_path / "four", copied=True)), "pca", 0, known=("3",), scored=NAMES)
    one.perform(tmp_path)
    assert [len(one.scores(tmp_path, name).score) for name in NAMES] == [TEST] * 3


def test_scores_do_not_depend_on_the_block(four, tmp_path, monkeypatch):
    """Blocks of five give the scores of one block."""
    one = DetectorTrial(four, "knn", 0, known=("3",), scored=("8",))
    one.perform(tmp_path / "whole")
    monkeypatch.setattr(trial, "BLOCK", 5)
    one.perform(tmp_path / "blocks")
    assert np.array_equal(one.scores(tmp_path / "whole", "8").score, one.scores(tmp_path / "blocks", "8").score)


def test_what_is_done_is_not_done_again(four, tmp_path, monkeypatch, here):
    """A second call trains, reads and writes nothing; a class that joins is scored by the stored model."""
    one = DetectorTrial(four, "pca", 0, known=("3",), scored=("3", "8"))
    one.perform(tmp_path)
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in tmp_path.rglob("*") if path.is_file()}
    with monkeypatch.context() as patch:
        for name in ("run", "read_once"):
            patch.setattr(trial, name, lambda *_, **__: pytest.fail("done again"))
        one.perform(tmp_path)
        told = []
        assert Study(tmp_path, report=lambda *line: told.append(line)).perform([one]) == {}
        assert told == [("training and measuring", 0, 0)]
    monkeypatch.setattr(BASELINES["pca"], "fit", lambda *_: pytest.fail("trained again"))
    DetectorTrial(four, "pca", 0, known=("3",), scored=NAMES).perform(tmp_path)
    assert {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in before} == before
    assert len(one.scores(tmp_path, "9").score) == TEST


def test_the_command_is_recorded_word_by_word(four, tmp_path):
    """A quoted class name stays one word in the run's record."""
    line = "lookalike table vtgan-2021/1 --rows 'Ankle boot/Sandal'"
    one = DetectorTrial(four, "pca", 0, known=("3",), scored=("3",))
    one.perform(tmp_path, line)
    assert files.read_json(one.folder(tmp_path) / "config.json")["command"] == line


# --- leaks


def test_labels_of_official_test_images_change_nothing_but_whose_they_are(four, tmp_path):
    """With all test labels permuted, the known class's too, the model has the same bits and each image its score."""
    labels = np.random.default_rng(2).permutation(np.repeat(CLASSES, TEST))
    data = str(official(tmp_path / "four", test_labels=labels))
    first, second = (DetectorTrial(source, "pca", 0, known=("3",), scored=NAMES) for source in (four, data))
    first.perform(tmp_path / "a")
    second.perform(tmp_path / "b")
    models = [tree(one.folder(tmp_path / name)) for one, name in ((first, "a"), (second, "b"))]
    assert models[0]["model.safetensors"] == models[1]["model.safetensors"]
    assert models[0]["model.json"] == models[1]["model.json"]  # the threshold stands there
    scores = key_to_score(first, tmp_path / "a")
    assert scores == key_to_score(second, tmp_path / "b") and len(scores) == 3 * TEST
    one, other = first.scores(tmp_path / "a", "8").score, second.scores(tmp_path / "b", "8").score
    assert not np.array_equal(one, other)  # the permutation took place


def test_labels_of_the_unknown_classes_test_part_change_no_threshold_and_no_score(tmp_path):
    """Without an official part: test images of two unknown classes swapped at random leave model and scores alone.

    The split ranks each class by content, so that some swapped images leave the test part; none enters training.
    """
    data = npz(tmp_path / "x.npz")
    first = DetectorTrial(data, "pca", 0, known=("3",), scored=NAMES, settings=(("size", "8,8"), ("calibration", 0.25)))
    first.perform(tmp_path / "a")
    images = read(data)
    rows = [i for i in part_of_split(first, images) if images.labels[i] != 0]
    labels = np.repeat(NAMES, 120)
    labels[rows] = np.random.default_rng(2).permutation(labels[rows])
    assert len(rows) == 48 and 12 <= (labels != np.repeat(NAMES, 120)).sum() <= 36
    second = replace(first, data=npz(tmp_path / "y.npz", labels=labels))
    second.perform(tmp_path / "b")
    models = [Model.load(one.folder(tmp_path / name)) for one, name in ((first, "a"), (second, "b"))]
    assert models[0].threshold.value == models[1].threshold.value
    assert np.array_equal(models[0].threshold.calibration, models[1].threshold.calibration)
    one, other = key_to_score(first, tmp_path / "a"), key_to_score(second, tmp_path / "b")
    both = one.keys() & other.keys()
    assert len(both) >= 60 and {key: one[key] for key in both} == {key: other[key] for key in both}
    assert np.array_equal(first.scores(tmp_path / "a", "3").score, second.scores(tmp_path / "b", "3").score)


def test_the_unknown_class_is_never_seen_in_training(four, tmp_path, monkeypatch):
    """What a baseline is fitted on, and what mcgan is shown as known and as other, holds no image of the unknown."""
    shown = {}
    fit, source = BASELINES["knn"].fit, Plan.source
    monkeypatch.setattr(BASELINES["knn"], "fit", lambda pixels, seed: shown.update(knn=pixels) or fit(pixels, seed))

    def recorded(plan):
        made = source(plan)
        shown.update(known=made.known.numpy(), others=made.others.numpy())
        return made

    monkeypatch.setattr(Plan, "source", recorded)
    DetectorTrial(four, "knn", 0, known=("3",), scored=NAMES, settings=TINY[:1]).perform(tmp_path)
    DetectorTrial(four, "mcgan", 0, known=("3",), extra_fakes=("8",), scored=NAMES, settings=TINY).perform(tmp_path)
    images = read(four)
    train = images.select(~images.test)
    held = {name: {image.tobytes() for image in train.of(name).pixels} for name in NAMES}
    tests = {image.tobytes() for image in images.select(images.test).pixels}
    assert {name: len(pixels) for name, pixels in shown.items()} == {"knn": 180, "known": 180, "others": 180}
    for name, pixels in shown.items():
        seen = {image.tobytes() for image in pixels}
        assert seen <= held["8" if name == "others" else "3"]
        assert not seen & (held["9"] | tests)
    assert all(len(images) == TRAIN for images in held.values())


def test_the_unknown_class_is_never_read_in_training(tmp_path, monkeypatch):
    """Of a folder only the files of known and shown classes are opened, each once: the unknown ones may be broken."""
    pixels = np.random.default_rng(1).integers(0, 256, (120, 8, 8), dtype=np.uint8)
    for i, image in enumerate(pixels):
        (tmp_path / "data" / NAMES[i // 40]).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(tmp_path / "data" / NAMES[i // 40] / f"{i:03d}.png")
    (tmp_path / "data" / "9" / "000.png").write_bytes(b"not an image")
    opened = []
    decode, size = gate.decode, gate.size
    monkeypatch.setattr(
        gate, "decode", lambda path, *a: opened.append(("decode", path.parent.name)) or decode(path, *a)
    )
    monkeypatch.setattr(gate, "size", lambda path: opened.append(("size", path.parent.name)) or size(path))
    for known, extra_fakes in ((("3",), ("8",)), (("3", "8"), ())):
        opened.clear()
        settings = {"method": "mcgan", "threads": 1, "false_alarms": 0.5, **dict(TINY[1:])}
        settings = train_settings(known=known, extra_fakes=extra_fakes, **settings)
        runs.run(str(tmp_path / "data"), settings, tmp_path / "-".join(known))
        assert {name for _, name in opened} == {"3", "8"}
        assert [kind for kind, _ in opened] == ["size"] * 80 + ["decode"] * 80


# --- what fails


def test_a_class_without_test_images_is_named(four, tmp_path):
    """A class that the data does not have, or has no test image of, is one line with what to do."""
    with pytest.raises(DataError, match=r"no class '7'; there are '3', '8', '9'"):
        DetectorTrial(four, "pca", 0, known=("3",), scored=("7",)).perform(tmp_path)
    data = str(official(tmp_path / "four", test_labels=np.repeat([3, 8, 8], TEST)))
    with pytest.raises(DataError, match="class 9 has no test images; add images of it"):
        DetectorTrial(data, "pca", 1, known=("3",), scored=("9",)).perform(tmp_path)


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 no archive", "cut", "changed", None])
def test_damaged_scores_are_refused(damage, four, tmp_path):
    """An empty, strange, truncated, altered or missing file is a ModelError that names it and says what to do."""
    one = DetectorTrial(four, "pca", 0, known=("3",), scored=("8",))
    one.perform(tmp_path)
    path = one.folder(tmp_path) / "unseen" / "8.npz"
    whole = path.read_bytes()
    damaged = {"cut": whole[:-40], "changed": whole[:120] + b"\xff\xff\xff\xff" + whole[124:]}
    path.unlink()
    if damage is not None:
        path.write_bytes(damaged.get(damage, damage))
    with pytest.raises(
        ModelError, match=r"8\.npz holds no scores: .*remove it, and run the same command again"
    ) as error:
        one.scores(tmp_path, "8")
    assert "\n" not in str(error.value)
