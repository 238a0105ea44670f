"""Detectors on frozen features: members against scikit-learn and brute force, their weights, and what is stored."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestNeighbors

from lookalike.base.errors import DataError, ModelError, UsageError
from lookalike.detect import members
from lookalike.detect.baselines import BASELINES
from lookalike.detect.baselines.features import BACKBONE
from lookalike.detect.choose import LEAST, WARMTH, chosen, weights
from lookalike.detect.members import Member, Patches
from lookalike.detect.on_features import OnFeatures, learn, left_out, scores, seen
from lookalike.detect.scale import Scale

NAMES = ("features-knn", "features-gaussian", "patches", "features")
EACH = (
    Member("gaussian", 64, ("stage 4",)),
    Member("gaussian", 64, ("stage 4",), 3),
    Member("gaussian", 64, ("stage 5",), 0),
    Member("neighbours", 64, ("stage 7",)),
    Member("patches", 64, ("stage 2", "stage 3")),
)


def pictures(n, seed=0, shape=(3, 40, 50)):
    """Random (n, C, H, W) uint8: smooth stripes that differ from image to image."""
    draw = np.random.default_rng(seed)
    x = np.linspace(0, 6, shape[2])[None, None, None] * draw.uniform(0.8, 1.2, (n, 1, 1, 1)) + draw.random((n, 1, 1, 1))
    return np.clip(120 + 60 * np.sin(x) + draw.normal(0, 8, (n, *shape)), 0, 255).astype(np.uint8)


def rows(member, pixels):
    """What a member compares, of all images."""
    return torch.cat([member.rows(found)[:n] for n, found in seen(BACKBONE, pixels, [member], lambda n: None)])


@pytest.fixture(autouse=True)
def short(monkeypatch):
    """Patches keep few places."""
    monkeypatch.setattr(members, "POOL", 600)
    monkeypatch.setattr(members, "BANK", 100)


@pytest.fixture(scope="module")
def known():
    """Twenty known images."""
    return pictures(20)


def test_neighbours_are_scikit_learns(known):
    """The mean distance to the two nearest known images, on half-precision features."""
    member, new = EACH[3], pictures(6, 1)
    fitted = {member: learn(BACKBONE, known, [member], 0)[member].fitted()}
    search = NearestNeighbors(n_neighbors=2).fit(rows(member, known).half().double().numpy())
    wanted = search.kneighbors(rows(member, new).double().numpy())[0].mean(1)
    assert scores(BACKBONE, new, fitted)[member] == pytest.approx(wanted, rel=1e-4)


def test_patches_are_the_worst_places(known, monkeypatch):
    """A place's score is its distance to the nearest of the bank, by scikit-learn; the image has the worst one's."""
    monkeypatch.setattr(members, "POOL", 400)
    monkeypatch.setattr(members, "BANK", 100)
    member, new = EACH[4], pictures(6, 1)
    fitted = learn(BACKBONE, known, [member], 0)[member].fitted()
    assert fitted.known.shape == (100, 64) and fitted.known.dtype == torch.float16
    search = NearestNeighbors(n_neighbors=1).fit(fitted.known.double().numpy())
    wanted = [search.kneighbors(image.double().numpy())[0].max() for image in rows(member, new)]
    assert scores(BACKBONE, new, {member: fitted})[member] == pytest.approx(wanted, rel=1e-3)


def test_the_worst_share_of_places_is_averaged():
    """Of 1,000 places the two farthest count, of ten the farthest one."""
    assert members.worst(torch.arange(1000.0)) == 998.5
    assert members.worst(torch.arange(10.0)) == 9


@pytest.mark.parametrize("member", EACH, ids=str)
def test_left_out_images_score_as_if_they_had_not_been_there(member, known, monkeypatch):
    """A known image's left-out score is that of a detector which learnt from the others; its own score is lower."""
    monkeypatch.setattr(members, "POOL", 10**6)
    monkeypatch.setattr(members, "BANK", 10**6)  # all places, so that a bank without an image is that of the others
    taught = learn(BACKBONE, known, [member], 0)
    found = left_out(BACKBONE, known, taught)[member]
    inside = scores(BACKBONE, known, {member: taught[member].fitted()})[member]
    assert (found > inside).all()
    for number in (0, 7):
        others = learn(BACKBONE, np.delete(known, number, 0), [member], 0)[member].fitted()
        wanted = scores(BACKBONE, known[[number]], {member: others})[member][0]
        tolerance = 0.08 if member.how == "gaussian" else 2e-3  # the shrinkage follows the number of images
        assert found[number] == pytest.approx(wanted, rel=tolerance)


def test_the_score_is_the_weighted_mean_of_scaled_members(known):
    """Each member is scaled by its left-out scores of known images; weights multiply; the parts are the members'."""
    share = {EACH[0]: 0.25, EACH[3]: 0.75}
    detector, new = OnFeatures.fit("features", BACKBONE, known, share, 0), pictures(5, 1)
    said, taught = detector.score(new), learn(BACKBONE, known, list(share), 0)
    out, raw = left_out(BACKBONE, known, taught), scores(BACKBONE, new, {m: t.fitted() for m, t in taught.items()})
    parts = {str(m): Scale.of(out[m])(raw[m]) for m in share}
    assert list(said.parts) == list(parts)
    assert all(np.array_equal(said.parts[name], parts[name]) for name in parts)
    assert said.score == pytest.approx(0.25 * parts[str(EACH[0])] + 0.75 * parts[str(EACH[3])])


def test_weights_follow_the_area():
    """A member that is one `WARMTH` better has e times the weight; small shares are dropped, and the rest sums to 1."""
    a, b, c = EACH[:3]
    found = weights({a: 0.9, b: 0.9 - WARMTH, c: 0.5})
    assert set(found) == {a, b} and sum(found.values()) == pytest.approx(1)
    assert found[a] / found[b] == pytest.approx(np.e)
    assert min(weights({a: 0.9, b: 0.9 - 3.5 * WARMTH}).values()) > LEAST


def test_stand_ins_choose_the_member_that_sees_them():
    """Of things that are alike place by place, a part at another place is seen by the map, not by the average."""
    draw = np.random.default_rng(0)
    thing = draw.integers(60, 200, (1, 1, 16, 16)).repeat(10, 2).repeat(10, 3)
    light = draw.normal(0, 25, (40, 1, 1, 1))
    known = np.clip(thing + light + draw.normal(0, 20, (40, 1, 160, 160)), 0, 255).astype(np.uint8)
    fine, coarse = Member("gaussian", 128, ("stage 3",), 0), Member("neighbours", 64, ("stage 7",))
    assert chosen(BACKBONE, known, (coarse, fine), ("cut and paste",), 0) == {fine: 1.0}


def test_too_few_images_choose_nothing(known):
    """With nine images all members have the same weight."""
    assert chosen(BACKBONE, known[:9], EACH, ("blend",), 0) == dict.fromkeys(EACH, 0.2)


@pytest.mark.parametrize("name", NAMES)
def test_grey_colour_few_and_many_pixels(name):
    """Two images suffice; grey images, stripes and single pixels give finite scores."""
    for shape in ((1, 8, 8), (3, 9, 300), (1, 1, 1)):
        detector = BASELINES[name].fit(pictures(2, shape=shape), 0)
        assert np.isfinite(detector.score(pictures(3, 1, shape)).score).all()


@pytest.mark.parametrize("name", NAMES)
def test_a_detector_is_restored_from_its_tensors_and_facts(name, known):
    """The same bits, in any company; strangers among tensors, members, weights or scales are refused."""
    baseline, new = BASELINES[name], pictures(4, 1)
    detector = baseline.fit(known, 0)
    again = baseline.restore(detector.tensors(), detector.facts(), known.shape[1:])
    assert np.array_equal(again.score(new).score, detector.score(new).score)
    assert np.array_equal(again.score(new[2:3]).score, detector.score(new).score[2:3])
    facts, tensors = detector.facts(), detector.tensors()
    wrong = [
        facts | {"backbone": "lite9"},
        facts | {"sha256": "0"},
        facts | {"more": 1},
        facts | {"members": []},
        facts | {"members": [*facts["members"], *facts["members"]]},
        facts | {"members": [facts["members"][0] | {"side": 10**9}, *facts["members"][1:]]},
        facts | {"weights": [0.0, *facts["weights"][1:]]},
        facts | {"scales": [[0.0, -1.0], *facts["scales"][1:]]},
    ]
    for bad in wrong:
        with pytest.raises(ModelError, match="train again"):
            baseline.restore(tensors, bad, known.shape[1:])
    with pytest.raises(ModelError, match="belongs to no member"):
        baseline.restore(tensors | {"99.known": torch.zeros(1)}, facts, known.shape[1:])
    with pytest.raises(ModelError, match="is missing"):
        baseline.restore({}, facts, known.shape[1:])


def test_vectors_and_a_single_image_are_refused():
    """One line says what is accepted."""
    with pytest.raises(UsageError, match="patches takes images, not vectors of 7 entries"):
        BASELINES["patches"].fit(np.zeros((9, 7), np.float32), 0)
    with pytest.raises(DataError, match="features needs 2 known images to train on, not 1"):
        BASELINES["features"].fit(pictures(1), 0)


def test_distances_leave_out_places():
    """A place whose own copy does not count is as far as the next one."""
    bank = Patches(torch.tensor([[0.0, 0.0], [3.0, 4.0]]).half())
    without = torch.tensor([True, False])
    assert bank.distances(torch.zeros(1, 2)).tolist() == [0]
    assert bank.distances(torch.zeros(1, 2), without).tolist() == [5]
