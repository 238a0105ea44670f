"""Images that train and set the threshold too: each scored by what the others teach."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestNeighbors
from tests.tiny import call, settings, train

from lookalike.base import files, names
from lookalike.base.errors import DataError, UsageError
from lookalike.base.seeds import generator
from lookalike.data import Images, read
from lookalike.detect.baselines import BASELINES
from lookalike.detect.baselines.cross import FOLDS, LeavesOut, crossed
from lookalike.detect.join import Join
from lookalike.detect.model import Model
from lookalike.runs import plan as plans
from lookalike.runs.run import run
from lookalike.runs.settings import train_settings


def vectors(n, seed=0):
    """Random (n, 5) float32."""
    return np.random.default_rng(seed).normal(size=(n, 5)).astype(np.float32)


def given(method="knn", **changes):
    """Settings that leave --calibration out."""
    return train_settings(**settings(method, **{"calibration": None, **changes}))


def test_the_methods_that_cross_are_baselines_that_learn_quickly():
    """Networks, classifiers and support vectors, whose scores grow with the number of images, hold images out."""
    assert set(BASELINES) - set(names.CROSSED) == {"autoencoder", "deepsvdd", "rotation", "ocsvm", "ocsvm-pca"}
    assert set(names.CROSSED) <= set(BASELINES)


@pytest.mark.parametrize(
    ("method", "calibration", "crosses", "share"),
    [("knn", None, True, 0), ("knn", 0, True, 0), ("knn", 0.3, False, 0.3), ("anogan", None, False, 0.2),
     ("anogan", 0, False, 0), ("ocsvm", None, False, 0.2)],
)  # fmt: skip
def test_a_share_that_is_given_is_held_out(method, calibration, crosses, share):
    """Without --calibration quick methods hold nothing out, and others a fifth; with it all hold out what it says."""
    found = given(method, calibration=calibration)
    assert (found.crosses, found.held_out) == (crosses, share)


def test_neighbours_are_left_out_exactly():
    """The score of a known image is its distance to the fifth nearest of the others, as scikit-learn has it."""
    known = vectors(40)
    detector, score = crossed(BASELINES["knn"], known, 0)
    near = NearestNeighbors(n_neighbors=6).fit(known).kneighbors(known)[0][:, 5]  # the first is the image itself
    assert score == pytest.approx(near, rel=1e-6)
    assert np.array_equal(
        detector.score(vectors(3, 1)).score, BASELINES["knn"].fit(known, 0).score(vectors(3, 1)).score
    )


def test_others_are_left_out_a_tenth_at_a_time():
    """Each fold is scored by a detector of the other images; the detector that is kept has learnt from all."""
    known, lof = vectors(53), BASELINES["lof"]
    detector, score = crossed(lof, known, 4)
    order = torch.randperm(53, generator=generator(4, "lof", "folds")).numpy()
    folds = np.array_split(order, FOLDS)
    assert sorted(map(len, folds)) == [5] * 7 + [6] * 3 and not isinstance(lof, LeavesOut)
    for fold in folds:
        rest = np.setdiff1d(np.arange(53), fold)
        assert np.array_equal(score[fold], lof.fit(known[rest], 4).score(known[fold]).score)
    assert np.array_equal(detector.score(vectors(3, 1)).score, lof.fit(known, 4).score(vectors(3, 1)).score)


def test_two_images_are_too_few():
    """One line says how many are needed."""
    with pytest.raises(DataError, match=r"2 known images are too few .* at least 3 are needed"):
        crossed(BASELINES["knn"], vectors(2), 0)


def test_all_known_images_but_copies_train_and_set_the_threshold(tmp_path):
    """An image that is there twice trains once, or it would vouch for its copy; test images take no part."""
    digits = read("digits", size=(8, 8))
    threes = digits.of("3")
    doubled = Images(
        np.concatenate([threes.pixels, threes.pixels[:50]]), np.zeros(len(threes) + 50, np.int64), ("3",),
        tuple(f"{i:04d}" for i in range(len(threes) + 50)),
    )  # fmt: skip
    plan = plans.make(doubled, given())
    assert plan.rows.train.tolist() == plan.rows.calibration.tolist()
    keys = [doubled.keys[i] for i in plan.rows.train]
    assert len(set(keys)) == len(keys) == len(set(threes.keys)) - len({doubled.keys[i] for i in plan.rows.test})
    model = run(doubled, given(), tmp_path / "run")
    wanted = crossed(BASELINES["knn"], doubled.pixels[plan.rows.train], 0)[1]
    assert np.array_equal(model.threshold.calibration, wanted)
    assert Model.load(tmp_path / "run").training["crossed"] is True


def test_several_classes_are_joined_by_left_out_scores(tmp_path):
    """An image's score as its own class is a left-out one, as another class that of a new image; these join."""
    digits = read("digits", size=(8, 8))
    how = given(known=("3", "8"), extra_fakes=())
    model, plan = run(digits, how, tmp_path / "run"), plans.make(digits, how)
    labels, pixels = plan.numbered(plan.rows.train), plan.images.pixels[plan.rows.train]
    raw = np.empty((len(labels), 2))
    for k in range(2):
        detector, raw[labels == k, k] = crossed(BASELINES["knn"], pixels[labels == k], 0)
        raw[labels != k, k] = detector.score(pixels[labels != k]).score
    scaled, shares = Join.fit(raw, labels)(raw)
    wanted = scaled[np.arange(len(labels)), shares.argmax(1)]
    assert np.array_equal(model.threshold.calibration, wanted)


def test_about_the_promised_share_of_new_images_is_flagged():
    """Over 40 sets of 60 known vectors, new ones are flagged in 5 % of cases on average, at most 2 % more or less."""
    for name in ("knn", "mahalanobis", "lof", "iforest"):
        rates = []
        for seed in range(40 if name != "iforest" else 8):
            detector, score = crossed(BASELINES[name], vectors(60, seed), seed)
            limit = cross_threshold(score)
            rates.append((detector.score(vectors(300, 1000 + seed)).score > limit).mean())
        assert 0.03 < np.mean(rates) < 0.07, name


def cross_threshold(score):
    """The conformal quantile for 5 %."""
    return np.sort(score)[int(np.ceil(0.95 * (len(score) + 1))) - 1]


def test_the_command_says_about_and_the_record_how(tmp_path, capsys):
    """A promise that is not exact is worded so: by train, by evaluate, in the record and in the report."""
    argv = train(tmp_path / "run", method="knn")
    at = argv.index("--calibration")
    code, out, err = call(capsys, *argv[:at], *argv[at + 2 :])
    assert code == 0, err
    assert "146 training images, each scored by what the others teach: about 5 % false alarms are expected" in out
    code, out, _ = call(capsys, "evaluate", tmp_path / "run", "digits", "--unknown", "8")
    assert code == 0 and "about 5 % expected" in out
    config = files.read_json(tmp_path / "run" / "config.json")
    assert config["open_choices"]["threshold"].startswith("conformal quantile of the scores of the training images")
    assert config["data"]["train"] == config["data"]["calibration"] == 146
    code, out, _ = call(capsys, "report", tmp_path / "run")
    page = (tmp_path / "run" / "report.html").read_text()
    assert code == 0 and "The run generates images" not in page and "AUC" in page
    assert (
        "about 5&nbsp;% expected" in page and "set by the training images, each scored by what the others teach" in page
    )


def test_a_method_on_features_learns_from_so_many_images_of_a_class_at_most(monkeypatch):
    """Drawn by seed and content; the others are spare, do nothing, and stand in the record."""
    monkeypatch.setattr(type(BASELINES["patches"]), "most_images", lambda *_: 30)
    plan = plans.make("digits", given("patches", known=("3", "8"), extra_fakes=()))
    assert [int((plan.numbered(plan.rows.train) == k).sum()) for k in (0, 1)] == [30, 30]
    assert not set(plan.rows.spare) & {*plan.rows.train, *plan.rows.calibration, *plan.rows.test}
    assert len(plan.keys()["spare"]) == len(plan.rows.spare) == 285 - 60
    again = plans.make("digits", given("patches", known=("8", "3"), extra_fakes=()))
    assert set(again.keys()["train"]) == set(plan.keys()["train"])
    other = plans.make("digits", given("patches", known=("3", "8"), extra_fakes=(), seed=1))
    assert set(other.keys()["train"]) != set(plan.keys()["train"])


def test_how_many_images_are_learnt_follows_from_the_number_of_known_classes(monkeypatch):
    """However the classes are given; classes that are pooled are one."""
    monkeypatch.setattr(type(BASELINES["patches"]), "most_images", lambda _, _shape, classes: 20 * classes)
    for known, pooled, rows in (
        (("3", "8"), False, 80),
        (("3,8",), False, 80),
        (("3,8",), True, 20),
        (("3",), False, 20),
    ):
        plan = plans.make("digits", given("patches", known=known, extra_fakes=(), pooled=pooled))
        assert len(plan.rows.train) == rows


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"known": ("few",)}, "too few: 19 are needed for 5 % false alarms; add images, or allow more"),
        ({"known": ("many", "few")}, "images of known class few: 2 to train on; each of several known classes needs 3"),
    ],
)
def test_too_few_images_are_refused_before_training(changes, words):
    """One line says how many are needed, and of which class."""
    draw = np.random.default_rng(0)
    pixels = draw.integers(0, 256, (44, 1, 8, 8), dtype=np.uint8)
    images = Images(pixels, np.repeat([0, 1], [40, 4]), ("many", "few"), tuple(f"{i:02d}" for i in range(44)))
    with pytest.raises(DataError, match=words):
        plans.make(images, given(extra_fakes=(), test=0.4, size=None, **changes))


def test_vectors_expect_nothing():
    """--expect is asked of images."""
    images = Images(vectors(60), np.zeros(60, np.int64), ("a",), tuple(f"{i:02d}" for i in range(60)))
    with pytest.raises(UsageError, match="--expect defects is asked of images, and these are vectors"):
        plans.make(images, given("auto", known=("a",), size=None, expect="defects"))
    with pytest.raises(UsageError, match="--expect defects: only auto asks what is expected"):
        given("knn", expect="defects")
