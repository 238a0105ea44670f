"""Several known classes on frozen features: what is chosen by classes that are left out, against scikit-learn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from tests.detect.test_on_features import pictures

from lookalike.base.errors import ModelError
from lookalike.detect import kinds
from lookalike.detect.baselines.features import AUTO, LITE0
from lookalike.detect.join import Join
from lookalike.detect.kinds import Nearest, filled_in, learn_kinds, likely
from lookalike.detect.members import Member
from lookalike.detect.on_features import learn, left_out, raw_of_each, scores
from lookalike.detect.openset import OpenSet
from lookalike.detect.scale import Scale

GAUSSIAN, NEAR = Member("gaussian", 64, ("stage 5",)), Member("neighbours", 64, ("stage 6",), unit=True)
LOCATOR = Member("gaussian", 64, ("stage 4",), 0)


def stripes(n, k, seed=0):
    """Pictures of class k: stripes that are k + 1 times as narrow."""
    x = pictures(n, seed, (3, 40, 60)).astype(np.float32)
    return np.concatenate([x[..., :: k + 1]] * (k + 1), 3)[..., :60].astype(np.uint8)


@pytest.fixture(scope="module")
def known():
    """Images of three classes, mixed, and their numbers."""
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(3), (6, 8, 7)))
    pixels = np.empty((21, 3, 40, 60), np.uint8)
    for k in range(3):
        pixels[labels == k] = stripes((labels == k).sum(), k, k)
    return pixels, labels


@pytest.fixture(scope="module")
def learnt(known):
    """The three detectors."""
    return learn_kinds("auto", LITE0, *known, (GAUSSIAN, NEAR), LOCATOR, 0)


def test_each_class_is_learnt_by_its_own_images(known, learnt):
    """Members, scores and left-out scores are those of a detector that learns the class's images alone."""
    pixels, labels = known
    new = stripes(5, 1, 9)
    for k, detector in enumerate(learnt.detectors):
        taught = learn(LITE0, pixels[labels == k], [GAUSSIAN, NEAR], 0)
        alone = scores(LITE0, new, [{m: one.fitted() for m, one in taught.items()}])[0]
        own = left_out(LITE0, pixels[labels == k], taught)
        together = raw_of_each([detector], new)[0]
        for member in together:
            assert together[member] == pytest.approx(alone[member], rel=1e-3)
            assert learnt.left_out[k][member] == pytest.approx(own[member].score, rel=1e-3)
        assert detector.locates and detector.shares[LOCATOR] == 0


def test_an_image_is_left_out_of_its_own_class(known, learnt):
    """In the scores of rows by all classes an image's own class says what it says when the image is left out."""
    _, labels = known
    rows = np.array([3, 0, 20, 7])
    new = [{NEAR: np.full(4, 100.0 + k)} for k in range(3)]
    raw = filled_in(new, learnt.left_out, labels, rows)[NEAR]
    for i, row in enumerate(rows.tolist()):
        own = labels[row]
        place = int((labels[:row] == own).sum())
        assert raw[i, own] == learnt.left_out[own][NEAR][place]
        assert np.delete(raw[i], own).tolist() == [100.0 + k for k in range(3) if k != own]


def of_three(seed=0):
    """Scores (90, 3) of 30 images of each of three classes, and their classes."""
    labels = np.repeat(np.arange(3), 30)
    draw = np.random.default_rng(seed)
    return draw.normal(0, 1, (90, 3)) + 1.5 * (labels[:, None] != np.arange(3)), labels


def test_a_class_that_is_left_out_is_found_by_the_join_of_the_others():
    """The figure of a member is scikit-learn's mean AUC over classes, of a join that has not seen the class."""
    raw, labels = of_three()
    areas = []
    for out in range(3):
        rest, mine = [k for k in range(3) if k != out], labels != out
        join = Join.fit(raw[mine][:, rest], np.searchsorted(rest, labels[mine]))
        scaled, shares = join(raw[:, rest])
        areas.append(roc_auc_score(labels == out, scaled[np.arange(90), shares.argmax(1)]))
    assert kinds._finds(lambda rest, own: likely(raw[:, rest], own), labels) == pytest.approx(np.mean(areas), abs=1e-9)


def test_of_two_classes_the_other_one_is_unknown():
    """With one class left its own score decides, and nothing is joined."""
    raw, labels = of_three()
    raw, labels = raw[labels < 2][:, :2], labels[labels < 2]
    wanted = (roc_auc_score(labels == 1, raw[:, 0]) + roc_auc_score(labels == 0, raw[:, 1])) / 2
    assert kinds._finds(lambda rest, own: likely(raw[:, rest], own), labels) == pytest.approx(wanted, abs=1e-9)


def test_the_better_member_gets_the_weight():
    """One whose scores say nothing has none beside one that separates the classes, in both parts of the score."""
    good, labels = of_three()
    bad = np.random.default_rng(1).normal(size=good.shape)
    other = replace(NEAR, side=128)
    votes, near, share = kinds._chosen({GAUSSIAN: good, NEAR: bad, other: good}, labels)
    assert set(votes) == {GAUSSIAN, other} and votes[GAUSSIAN] == pytest.approx(0.5)
    assert near == {other: 1.0}
    assert 0 < share < 1


def test_the_score_is_the_likely_class_and_the_nearest_image():
    """share x scaled distance + (1 - share) x scaled score of the likely class, on scales of known images."""
    raw, _ = of_three()
    given = np.random.default_rng(2).normal(size=90)
    nearest = Nearest.of({NEAR: 1.0}, {NEAR: raw}, given, 0.3)
    least = Scale.of(raw.min(1))(raw.min(1))
    away = Scale.of(least)(least)
    assert nearest.away({NEAR: raw}) == pytest.approx(away, abs=1e-12)
    assert nearest(away, given) == pytest.approx(0.7 * Scale.of(given)(given) + 0.3 * away, abs=1e-12)


def joined(known, learnt):
    """The open set of the three detectors."""
    pixels, labels = known
    found = raw_of_each(learnt.detectors, pixels)
    raw = {member: np.stack([one[member] for one in found], 1) for member in found[0]}
    each = np.stack([one.joined(mine).score for one, mine in zip(learnt.detectors, found, strict=True)], 1)
    join = Join.fit(each, labels)
    scaled, shares = join(each)
    nearest = Nearest.of(learnt.near, raw, scaled[np.arange(len(labels)), shares.argmax(1)], 0.5)
    return OpenSet({f"class {k}": one for k, one in enumerate(learnt.detectors)}, join, nearest)


def test_scores_do_not_depend_on_the_company(known, learnt):
    """An image alone and among others gets the same bits; the distance is a part of its own."""
    model, new = joined(known, learnt), stripes(6, 4, 5)
    whole = model.score(new)
    assert set(whole.parts) == {"as class 0", "as class 1", "as class 2", "nearest known"}
    for rows in (slice(0, 1), slice(2, 6)):
        said = model.score(new[rows])
        assert np.array_equal(said.score, whole.score[rows])
        assert np.array_equal(said.parts["nearest known"], whole.parts["nearest known"][rows])
    assert model.locate(new)[1].shape == (6, 40, 60)
    assert np.array_equal(model.locate(new)[0].score, whole.score)


def test_the_distance_is_restored_from_its_facts(known, learnt):
    """The same weights, scales and share; facts that no model can have are refused."""
    nearest, members = joined(known, learnt).nearest, list(learnt.detectors[0].members)
    facts = nearest.facts(members)
    assert Nearest.stored(facts, members) == nearest
    wrong = [
        None, {}, facts | {"share": 2.0}, facts | {"share": 1}, facts | {"weights": []}, facts | {"scales": []},
        facts | {"weights": [None] * len(members)}, facts | {"scale": [0.0, 0.0]}, facts | {"more": 1},
    ]  # fmt: skip
    for other in wrong:
        with pytest.raises(ModelError, match="train again"):
            Nearest.stored(other, members)


def test_auto_learns_classes_together_unless_defects_are_expected(known):
    """Its members are those of several classes; where defects are expected each class is learnt by itself."""
    learnt = AUTO.learn_kinds(*known, 0)
    *members, locator = AUTO.of_kinds(LITE0, (3, 40, 60))
    for one in learnt.detectors:
        assert set(one.members) <= {*members, locator} and list(one.members)[-1] == locator
        assert set(one.members) <= set(AUTO.every_member((3, 40, 60)))
    assert replace(AUTO, of_kinds=None).learn_kinds(*known, 0) is None
