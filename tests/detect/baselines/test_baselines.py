"""The classical detectors against scikit-learn's own figures, computed here another way."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
import torch
from sklearn import decomposition
from sklearn.covariance import ledoit_wolf
from sklearn.datasets import load_digits
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import LocalOutlierFactor, NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.svm import OneClassSVM
from threadpoolctl import threadpool_limits
from torch.nn.functional import cross_entropy

from lookalike.base.errors import DataError, ModelError, UsageError
from lookalike.base.seeds import generator
from lookalike.detect import members
from lookalike.detect.baselines import BASELINES, autoencoder, deepsvdd, networks, rotation
from lookalike.detect.baselines.auto import Auto
from lookalike.detect.baselines.flat import blocks
from lookalike.detect.baselines.knn import KNN
from lookalike.detect.baselines.pca import PCA
from lookalike.detect.on_features import OnFeatures
from lookalike.features.blocks import in_blocks


@pytest.fixture(scope="module")
def digits():
    """(known threes, digits of all classes) as (N, 1, 8, 8) uint8."""
    found = load_digits()
    pixels = (found.images * 255 / 16).round().astype(np.uint8)[:, None]
    return pixels[found.target == 3][:100], pixels[-60:]


def colour(n, seed=1):
    """Random (n, 3, 4, 6) uint8."""
    return np.random.default_rng(seed).integers(0, 256, (n, 3, 4, 6), dtype=np.uint8)


def vectors(n, seed=1, size=7):
    """Random (n, 7) float32 of any size."""
    return (np.random.default_rng(seed).standard_normal((n, size)) * 50).astype(np.float32)


def flat(pixels):
    """(N, F) float64 in [-1, 1] for bytes."""
    x = pixels.reshape(len(pixels), -1).astype(np.float32)
    return (x / np.float32(127.5) - 1 if pixels.dtype == np.uint8 else x).astype(np.float64)


NEURAL = ("autoencoder", "deepsvdd", "rotation")
FROZEN = ("features-knn", "features-gaussian", "patches", "auto")  # of features that others trained
CASES = {"colour": (colour(80), colour(9, 2)), "vectors": (vectors(80), vectors(9, 2))}


@pytest.fixture
def short(monkeypatch):
    """Neural baselines train for a moment, and patches keep few places."""
    monkeypatch.setattr(members, "POOL", 600)
    monkeypatch.setattr(members, "BANK", 100)
    monkeypatch.setattr(autoencoder, "STEPS", 20)
    monkeypatch.setattr(rotation, "STEPS", 20)
    monkeypatch.setattr(deepsvdd, "EPOCHS", 3)


@pytest.fixture(params=["digits", *CASES])
def case(request, digits):
    """(known, asked) of each kind of data."""
    return digits if request.param == "digits" else CASES[request.param]


def test_pca_is_the_reconstruction_error(case):
    """The score is the squared distance of an image to its rebuild from scikit-learn's first components."""
    known, asked = case
    kept = min(32, flat(known).shape[1] // 2)
    fitted = decomposition.PCA(n_components=kept, svd_solver="randomized", random_state=0).fit(flat(known))
    centred = flat(asked) - fitted.mean_
    within = centred @ fitted.components_.T
    wanted = (centred**2).sum(1) - (within**2).sum(1)  # Pythagoras, no rebuild
    assert PCA.fit(known, 0).score(asked).score == pytest.approx(wanted, rel=1e-4, abs=1e-6 * (centred**2).sum(1).max())


@pytest.mark.parametrize("entries", [2, 9, 32, 40])
def test_pca_leaves_an_error_of_few_entries(entries):
    """With all components of short vectors only rounding would be scored; half of them tell known from unknown."""
    draw = np.random.default_rng(0)
    known = (
        np.repeat(draw.normal(size=(80, (entries + 1) // 2)), 2, 1)[:, :entries] + draw.normal(size=(80, entries)) / 9
    )
    unknown = draw.normal(size=(50, entries))
    fitted = PCA.fit((known / 5).astype("float32"), 0)
    assert fitted.facts() == {"components": min(32, entries // 2)}
    inside, outside = (fitted.score((x / 5).astype("float32")).score for x in (known, unknown))
    assert np.median(inside) > 1e-6 and np.median(outside) > 5 * np.median(inside)


def test_pca_rebuilds(digits):
    """The nearest image is the rebuild in bytes; a known image that the components span is rebuilt exactly."""
    known, asked = digits
    fitted = decomposition.PCA(n_components=32, svd_solver="randomized", random_state=0).fit(flat(known))
    rebuilt = fitted.inverse_transform(fitted.transform(flat(asked)))
    wanted = np.clip(np.rint((rebuilt + 1) * 127.5), 0, 255).reshape(asked.shape)
    said = PCA.fit(known, 0).score(asked)
    assert said.nearest.dtype == np.uint8
    assert np.array_equal(said.nearest, wanted)
    few = PCA.fit(known[:20], 0).score(known[:20])
    assert few.score.max() < 1e-20
    assert np.array_equal(few.nearest, known[:20])


def test_knn_is_the_fifth_distance(case):
    """The score is the Euclidean distance to the fifth nearest known image, and the nearest image is the first."""
    known, asked = case
    distance = np.sqrt(((flat(asked)[:, None] - flat(known)[None]) ** 2).sum(2))
    said = KNN.fit(known, 0).score(asked)
    assert said.score == pytest.approx(np.sort(distance, 1)[:, 4], rel=1e-5)
    if known.ndim == 4:
        chosen = np.sqrt(((flat(asked) - flat(said.nearest)) ** 2).sum(1))
        assert chosen == pytest.approx(distance.min(1), rel=1e-6)
    else:
        assert said.nearest is None


def test_knn_is_scikit_learns(digits):
    """Scikit-learn's own search, by another algorithm, gives the same distances."""
    known, asked = digits
    distance, _ = NearestNeighbors(n_neighbors=5, algorithm="kd_tree").fit(flat(known)).kneighbors(flat(asked))
    assert KNN.fit(known, 0).score(asked).score == pytest.approx(distance[:, 4], rel=1e-6)


def test_knn_of_a_known_image(digits):
    """A known image's nearest is itself; its score is the distance to the fifth, itself counted."""
    known, _ = digits
    said = KNN.fit(known, 0).score(known[:7])
    assert np.array_equal(said.nearest, known[:7])
    distance = np.sqrt(((flat(known[:7])[:, None] - flat(known)[None]) ** 2).sum(2))
    assert said.score == pytest.approx(np.sort(distance, 1)[:, 4], rel=1e-6)


@pytest.mark.parametrize("n", [2, 3, 4])
def test_fewer_images_than_neighbours(n, digits):
    """With fewer known images than five the farthest one's distance counts."""
    known, asked = digits
    distance = np.sqrt(((flat(asked)[:, None] - flat(known[:n])[None]) ** 2).sum(2))
    assert KNN.fit(known[:n], 0).score(asked).score == pytest.approx(distance.max(1), rel=1e-6)


@pytest.mark.parametrize(("known", "components"), [(colour(2), 1), (colour(10), 9), (vectors(80), 3), (colour(80), 32)])
def test_fewer_images_than_components(known, components):
    """There are at most 32 components, one less than images, and half as many as entries."""
    fitted = PCA.fit(known, 0)
    assert fitted.facts() == {"components": components}
    assert fitted.tensors()["components"].shape == (components, flat(known).shape[1])


@pytest.mark.parametrize("name", BASELINES)
def test_restored_scores_are_bit_equal(name, case, short):
    """What is stored gives the same detector back, bit for bit; so does the same seed."""
    known, asked = case
    if name in (*NEURAL, *FROZEN) and name != "auto" and known.ndim == 2:
        with pytest.raises(UsageError, match=f"^{name} takes images, not vectors of 7 entries"):
            BASELINES[name].fit(known, 0)
        return
    detector = BASELINES[name].fit(known, 0)
    restored = BASELINES[name].restore(
        {key: value.clone() for key, value in detector.tensors().items()}, detector.facts(), known.shape[1:]
    )
    first, again = detector.score(asked), restored.score(asked)
    assert np.array_equal(BASELINES[name].fit(known, 0).score(asked).score, first.score)
    assert np.isfinite(first.score).all()
    assert first.score.dtype == np.float64
    assert np.array_equal(first.score, again.score)
    assert (first.nearest is None) == (again.nearest is None)
    assert first.nearest is None or np.array_equal(first.nearest, again.nearest)


@pytest.mark.parametrize("name", BASELINES)
def test_a_score_does_not_depend_on_the_company(name, short):
    """At 32 px, alone, in pairs, reversed or among hundreds: the same bits."""
    random = np.random.default_rng(0)
    n = 90 if name in FROZEN else 600
    known, asked = (random.integers(0, 256, (n, 1, 32, 32), dtype=np.uint8) for n in (n // 2, n))
    detector = BASELINES[name].fit(known, 0)
    together = detector.score(asked)
    assert np.array_equal(detector.score(asked[::-1]).score[::-1], together.score)
    for rows in ([0], [n - 1], [n // 2, 1], [*range(17, 90)]):
        alone = detector.score(asked[rows])
        assert np.array_equal(alone.score, together.score[rows])
        assert together.nearest is None or np.array_equal(alone.nearest, together.nearest[rows])


@pytest.mark.parametrize("name", ["knn", "pca", "lof", "mahalanobis"])
def test_company_does_not_matter_on_two_threads(name):
    """Where a matrix product is shared between two threads an image alone, among 3 and among 300 has the same bits."""
    random = np.random.default_rng(0)
    known, asked = (random.integers(0, 256, (n, 1, 13, 11), dtype=np.uint8) for n in (200, 300))
    with threadpool_limits(2):
        detector = BASELINES[name].fit(known, 0)
        together = detector.score(asked).score
        for rows in ([0], [299], [3, 50, 151]):
            assert np.array_equal(detector.score(asked[rows]).score, together[rows])


def test_one_image_costs_few():
    """Networks see 32 images at once and matrix products 48 rows, whether there is one image or 300."""
    seen, pixels = [], np.zeros((300, 1, 2, 2), np.uint8)
    for n in (1, 300):
        assert len(in_blocks(lambda x: seen.append(len(x)) or x, pixels[:n])) == n
        assert {len(rows) for rows, _ in blocks(pixels[:n])} == {48} and sum(m for _, m in blocks(pixels[:n])) == n
    assert seen == [32] * 11


@pytest.mark.parametrize("name", BASELINES)
def test_restoring_something_else(name, digits, short):
    """Settings and tensors that are not this detector's are refused."""
    mine = BASELINES[name].fit(digits[0], 0)
    with pytest.raises(ModelError, match=f"^{name} has the settings .*'strange': 1"):
        BASELINES[name].restore(mine.tensors(), {"strange": 1}, (1, 8, 8))
    for key in mine.tensors():
        others = {k: v for k, v in mine.tensors().items() if k != key}
        own = key.partition(".")[2] if name in FROZEN else key  # behind the member's name
        with pytest.raises(ModelError, match=f"tensor '{re.escape(own)}' is missing"):
            BASELINES[name].restore(others, mine.facts(), (1, 8, 8))


@pytest.mark.parametrize("name", [name for name in BASELINES if name not in FROZEN])
def test_restoring_at_another_shape(name, digits, short):
    """A detector of grey images is none of coloured ones; the tensor's two shapes are named."""
    detector = BASELINES[name].fit(digits[0], 0)
    with pytest.raises(ModelError, match=r"has shape \(.*\), expected \("):
        BASELINES[name].restore(detector.tensors(), detector.facts(), (3, 8, 8))


@pytest.mark.parametrize("name", BASELINES)
def test_unknown_looks_less_like_the_known(name, digits):
    """Larger means less like the known: nearly every other digit scores above nearly every three."""
    found = load_digits()
    pixels = (found.images * 255 / 16).round().astype(np.uint8)[:, None]
    detector = BASELINES[name].fit(digits[0], 0)
    threes = detector.score(pixels[found.target == 3][100:]).score
    others = detector.score(pixels[found.target == 6]).score
    assert np.mean(others[:, None] > threes[None]) > 0.95


# --- scikit-learn's own figures


ESTIMATORS = {
    "ocsvm": lambda n, f: OneClassSVM(nu=0.1),
    "ocsvm-pca": lambda n, f: make_pipeline(components(n, f), OneClassSVM(nu=0.1)),
    "iforest": lambda n, f: IsolationForest(n_estimators=100, max_samples=n, random_state=5),
    "iforest-pca": lambda n, f: make_pipeline(
        components(n, f), IsolationForest(n_estimators=100, max_samples=n, random_state=5)
    ),
    "lof": lambda n, f: LocalOutlierFactor(20, novelty=True),
}


def components(n, entries):
    """The paper's 512 components, or as many as there are."""
    return decomposition.PCA(min(512, n - 1, entries), svd_solver="randomized", random_state=5)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_scores_are_scikit_learns(name, case):
    """OC-SVM, Isolation Forest and LOF give scikit-learn's score_samples, turned."""
    known, asked = case
    x = flat(known)
    wanted = -ESTIMATORS[name](*x.shape).fit(x).score_samples(flat(asked))
    assert BASELINES[name].fit(known, 5).score(asked).score == pytest.approx(wanted, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("name", sorted(set(BASELINES) - {"deepsvdd"}))  # which refuses them
def test_images_that_are_all_equal(name, short):
    """Of 20 equal images every detector makes finite scores, without a warning."""
    pixels = np.full((20, 1, 8, 8), 7, np.uint8)
    assert np.isfinite(BASELINES[name].fit(pixels, 0).score(np.concatenate([pixels[:2], 9 * pixels[:2]])).score).all()


def test_mahalanobis_by_hand(case):
    """The squared distance from the mean in the metric of the shrunk covariance."""
    known, asked = case
    x, away = flat(known), flat(asked) - flat(known).mean(0)
    wanted = np.einsum("ni,ij,nj->n", away, np.linalg.inv(ledoit_wolf(x)[0]), away)
    assert BASELINES["mahalanobis"].fit(known, 0).score(asked).score == pytest.approx(wanted, rel=1e-6)


# --- networks


def test_autoencoder_score_is_its_error(digits, short):
    """The score is the squared difference from the reconstruction, which is the nearest image, in bytes."""
    known, asked = digits
    detector = BASELINES["autoencoder"].fit(known, 0)
    said = detector.score(asked)
    x = torch.from_numpy(flat(asked).reshape(asked.shape)).float()
    rebuilt = detector.net(x).detach()
    assert said.score == pytest.approx((rebuilt - x).double().square().sum((1, 2, 3)).numpy(), rel=1e-4)
    assert np.abs(said.nearest - ((rebuilt.numpy() + 1) * 127.5)).max() <= 0.51


def test_autoencoder_learns(digits):
    """Trained in full it rebuilds known digits better than its first moments do, and others worse than known ones."""
    found = load_digits()
    pixels = (found.images * 255 / 16).round().astype(np.uint8)[:, None]
    detector = BASELINES["autoencoder"].fit(digits[0], 0)
    known, other = (detector.score(pixels[found.target == n][100:]).score.mean() for n in (3, 6))
    assert known < other / 2


def test_deepsvdd_has_no_bias_and_no_scale(digits, short):
    """A bias or a batch norm's shift could map everything onto the centre (Ruff et al., propositions 1 and 2)."""
    tensors = BASELINES["deepsvdd"].fit(digits[0], 0).tensors()
    names = set(tensors)
    assert not [name for name in names if "bias" in name]
    assert not [name for name in names if "norm" in name and name.endswith("weight")]
    assert tensors["net.linear.weight"].shape == (32, 16)


def test_deepsvdd_centre_is_the_first_pass_away_from_zero(digits, monkeypatch):
    """Without training the centre is the mean place of the known images; entries near zero are moved to +-0.1."""
    monkeypatch.setattr(deepsvdd, "EPOCHS", 0)
    known, asked = digits
    detector = BASELINES["deepsvdd"].fit(known, 0)
    x = torch.from_numpy(flat(known).reshape(known.shape)).float()
    x = x - x.mean((1, 2, 3), keepdim=True)
    x = x / x.abs().mean((1, 2, 3), keepdim=True)
    x = (x - x.min()) / (x.max() - x.min())
    mean = detector.net(x).detach().mean(0)
    wanted = torch.where(mean.abs() < 0.1, 0.1 * torch.where(mean < 0, -1.0, 1.0), mean)
    assert torch.allclose(detector.centre, wanted, atol=1e-5)
    places = detector.net(detector.contrast(torch.from_numpy(flat(asked).reshape(asked.shape)).float())).detach()
    assert detector.score(asked).score == pytest.approx((places - wanted).double().square().sum(1).numpy(), rel=1e-4)


def test_deepsvdd_pulls_the_known_class_together(digits, monkeypatch):
    """The training's second course more than halves the trained images' distances, and those of others less."""
    found, course = load_digits(), deepsvdd._course
    pixels = (found.images * 255 / 16).round().astype(np.uint8)[:, None]
    groups = digits[0], pixels[found.target == 3][100:], pixels[found.target == 6][100:]

    def distances():
        detector = BASELINES["deepsvdd"].fit(digits[0], 0)
        return [detector.score(group).score.mean() for group in groups]

    trained, known, other = distances()
    monkeypatch.setattr(deepsvdd, "_course", lambda *a: course(*a) if a[3] == deepsvdd.DECAY_AE else [])
    trained_before, _, other_before = distances()
    assert trained < known < other
    assert trained / trained_before < 0.5 and trained / trained_before < other / other_before


@pytest.mark.parametrize(("shape", "error"), [((1, 3, 9), UsageError), ((1, 8, 8), DataError)])
def test_deepsvdd_refuses_what_it_cannot_learn(shape, error):
    """Images that two poolings leave nothing of, and images of one value each."""
    with pytest.raises(error, match="deepsvdd"):
        BASELINES["deepsvdd"].fit(np.full((30, *shape), 7, np.uint8), 0)


def test_rotation_score_by_hand(digits, short):
    """The squared Mahalanobis distance of the features, with the mean and the precision that are stored."""
    known, asked = digits
    detector = BASELINES["rotation"].fit(known, 0)
    features = detector.net.features(torch.from_numpy(flat(asked).reshape(asked.shape)).float()).detach().double()
    away = (features - detector.mean).numpy()
    wanted = np.einsum("ni,ij,nj->n", away, detector.precision.numpy(), away)
    assert detector.score(asked).score == pytest.approx(wanted, rel=1e-3)


def test_rotation_learns_turns(digits):
    """Trained in full the network names the turn of most known images that it has not seen."""
    found = load_digits()
    pixels = (found.images * 255 / 16).round().astype(np.uint8)[:, None][found.target == 3][100:]
    net = BASELINES["rotation"].fit(digits[0], 0).net
    x = torch.from_numpy(flat(pixels).reshape(pixels.shape)).float()
    right = [(net(torch.rot90(x, k, (2, 3))).argmax(1) == k).float().mean().item() for k in range(4)]
    assert min(right) > 0.8


def test_names():
    """The baselines are known by their kinds, and each says what it does."""
    assert {name: baseline.kind for name, baseline in BASELINES.items()} == {name: name for name in BASELINES}
    assert all(baseline.summary.endswith(".") for baseline in BASELINES.values())


@pytest.mark.parametrize("kind", ["digits", "vectors"])
def test_auto_is_the_mean_of_its_votes_scaled_by_held_out_images(kind, digits, short):
    """Each member is fitted to four fifths; median and 84 % quantile of each vote over the other fifth scale it.

    On images it is what earlier versions trained.
    """
    known, asked = digits if kind == "digits" else (vectors(100), vectors(9, 2))
    order = torch.randperm(100, generator=generator(7, "auto", "held")).numpy()
    held, rest = known[np.sort(order[:20])], known[np.sort(order[20:])]
    said = Auto.fit(known, 7).score(asked)
    assert list(said.parts) == ["knn", "lof", *(["rotation.features", "rotation.turns"] if kind == "digits" else [])]
    for name, part in said.parts.items():
        kind, _, of = name.partition(".")
        member = BASELINES[kind].fit(rest, 7)
        scale, raw = (s.parts[of] if of else s.score for s in (member.score(held), member.score(asked)))
        away = (raw - np.median(scale)) / (np.quantile(scale, 0.84) - np.median(scale))
        assert np.allclose(part, np.copysign(np.log(1 + np.abs(away)), away), rtol=1e-9)
    assert np.array_equal(said.score, np.mean(list(said.parts.values()), axis=0))
    near = KNN.fit(rest, 7).score(asked).nearest
    assert said.nearest is near is None if kind == "vectors" else np.array_equal(said.nearest, near)


def test_auto_of_earlier_versions_is_restored(digits, short):
    """On images it was the mean of four votes: such a model scores as before, and new ones are on features."""
    known, asked = digits
    earlier, auto = Auto.fit(known, 3), BASELINES["auto"]
    again = auto.restore(earlier.tensors(), earlier.facts(), known.shape[1:])
    assert np.array_equal(again.score(asked).score, earlier.score(asked).score)
    assert isinstance(auto.fit(known[:20], 0), OnFeatures) and isinstance(auto.fit(vectors(20), 0), Auto)


def test_auto_needs_five_vectors():
    """Four known vectors leave none for the scales: one line says how many are needed."""
    with pytest.raises(DataError, match=r"^auto needs 5 known vectors to train on, not 4; add some or use knn$"):
        Auto.fit(vectors(4), 0)


@pytest.mark.parametrize("scale", [[0.0], [0.0, 0.0], [0.0, -1.0], [0.0, math.inf], [0, 1], "ab", None, [True, 1.0]])
def test_auto_refuses_a_forged_scale(scale):
    """A scale that is not a middle and a positive spread is refused by the vote's name."""
    detector = Auto.fit(vectors(20), 0)
    forged = detector.facts() | {"scales": detector.facts()["scales"] | {"lof": scale}}
    with pytest.raises(ModelError, match=r"^auto's lof has the scale "):
        Auto.restore(detector.tensors(), forged, (7,))


def test_auto_refuses_strays():
    """A tensor of no member, a vote without its scale, and a member too few are refused."""
    detector = Auto.fit(vectors(20), 0)
    with pytest.raises(ModelError, match=r"tensor 'spare\.x' belongs to no member"):
        Auto.restore(detector.tensors() | {"spare.x": torch.zeros(1)}, detector.facts(), (7,))
    with pytest.raises(ModelError, match=r"^auto has the scales "):
        Auto.restore(detector.tensors(), detector.facts() | {"scales": {"knn": [0.0, 1.0]}}, (7,))
    with pytest.raises(ModelError, match=r"^auto has the settings "):
        Auto.restore(detector.tensors(), detector.facts() | {"members": {"knn": {}}}, (7,))


def test_rotation_counts_how_badly_turns_are_told(digits, short):
    """The part "turns" is the cross-entropy of the four turned images, each against its own turn."""
    known, asked = digits
    detector = BASELINES["rotation"].fit(known, 0)
    said = detector.score(asked)
    assert np.array_equal(said.score, said.parts["features"])
    x = torch.from_numpy(flat(asked).reshape(asked.shape)).float()
    with torch.no_grad():
        wanted = sum(
            cross_entropy(detector.net(torch.rot90(x, k, (2, 3))), torch.full((len(x),), k), reduction="none")
            for k in range(4)
        )
    assert np.allclose(said.parts["turns"], wanted.numpy(), rtol=1e-4)


@pytest.mark.parametrize(("name", "steps"), [("autoencoder", [20]), ("rotation", [20]), ("deepsvdd", [4, 4])])
def test_steps_of_a_neural_training_are_told(name, steps, short, digits, monkeypatch):
    """Images done and their number, batch by batch, of each course of the training; afterwards nobody is told."""
    monkeypatch.setattr(deepsvdd, "EPOCHS", 4)  # of one batch each
    told, known = [], digits[0]
    with networks.telling(lambda done, of: told.append((done, of))):
        BASELINES[name].fit(known, 0)
    batch = {"deepsvdd": 100, "rotation": 32}.get(name, autoencoder.BATCH)
    assert told == [(step * batch, of * batch) for of in steps for step in range(of)]
    list(networks.batches(known, 8, 3, 0, "x"))
    assert len(told) == sum(steps)
