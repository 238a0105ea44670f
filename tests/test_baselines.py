"""The classical detectors against scikit-learn's own figures, computed here another way."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import decomposition
from sklearn.datasets import load_digits
from sklearn.neighbors import NearestNeighbors

from lookalike.baselines import BASELINES
from lookalike.baselines.knn import KNN
from lookalike.baselines.pca import PCA
from lookalike.errors import ModelError


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
    x = pixels.reshape(len(pixels), -1).astype(np.float64)
    return x / 127.5 - 1 if pixels.dtype == np.uint8 else x


CASES = {"colour": (colour(80), colour(9, 2)), "vectors": (vectors(80), vectors(9, 2))}


@pytest.fixture(params=["digits", *CASES])
def case(request, digits):
    """(known, asked) of each kind of data."""
    return digits if request.param == "digits" else CASES[request.param]


def test_pca_is_the_reconstruction_error(case):
    """The score is the squared distance of an image to its rebuild from scikit-learn's first 32 components."""
    known, asked = case
    fitted = decomposition.PCA(n_components=min(32, flat(known).shape[1]), svd_solver="randomized", random_state=0).fit(
        flat(known)
    )
    centred = flat(asked) - fitted.mean_
    within = centred @ fitted.components_.T
    wanted = (centred**2).sum(1) - (within**2).sum(1)  # Pythagoras, no rebuild
    assert PCA.fit(known).score(asked).score == pytest.approx(wanted, rel=1e-4, abs=1e-6 * (centred**2).sum(1).max())


def test_pca_rebuilds(digits):
    """The nearest image is the rebuild in bytes; a known image that the components span is rebuilt exactly."""
    known, asked = digits
    fitted = decomposition.PCA(n_components=32, svd_solver="randomized", random_state=0).fit(flat(known))
    rebuilt = fitted.inverse_transform(fitted.transform(flat(asked)))
    wanted = np.clip(np.rint((rebuilt + 1) * 127.5), 0, 255).reshape(asked.shape)
    said = PCA.fit(known).score(asked)
    assert said.nearest.dtype == np.uint8
    assert np.array_equal(said.nearest, wanted)
    few = PCA.fit(known[:20]).score(known[:20])
    assert few.score.max() < 1e-20
    assert np.array_equal(few.nearest, known[:20])


def test_knn_is_the_fifth_distance(case):
    """The score is the Euclidean distance to the fifth nearest known image, and the nearest image is the first."""
    known, asked = case
    distance = np.sqrt(((flat(asked)[:, None] - flat(known)[None]) ** 2).sum(2))
    said = KNN.fit(known).score(asked)
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
    assert KNN.fit(known).score(asked).score == pytest.approx(distance[:, 4], rel=1e-6)


def test_knn_of_a_known_image(digits):
    """A known image's nearest is itself; its score is the distance to the fifth, itself counted."""
    known, _ = digits
    said = KNN.fit(known).score(known[:7])
    assert np.array_equal(said.nearest, known[:7])
    distance = np.sqrt(((flat(known[:7])[:, None] - flat(known)[None]) ** 2).sum(2))
    assert said.score == pytest.approx(np.sort(distance, 1)[:, 4], rel=1e-6)


@pytest.mark.parametrize("n", [2, 3, 4])
def test_fewer_images_than_neighbours(n, digits):
    """With fewer known images than five the farthest one's distance counts."""
    known, asked = digits
    distance = np.sqrt(((flat(asked)[:, None] - flat(known[:n])[None]) ** 2).sum(2))
    assert KNN.fit(known[:n]).score(asked).score == pytest.approx(distance.max(1), rel=1e-6)


@pytest.mark.parametrize(("known", "components"), [(colour(2), 1), (colour(10), 9), (vectors(80), 7), (colour(80), 32)])
def test_fewer_images_than_components(known, components):
    """There are at most 32 components, one less than images, and no more than pixels."""
    fitted = PCA.fit(known)
    assert fitted.facts() == {"components": components}
    assert fitted.tensors()["components"].shape == (components, flat(known).shape[1])


@pytest.mark.parametrize("name", BASELINES)
def test_restored_scores_are_bit_equal(name, case):
    """What is stored gives the same detector back, bit for bit."""
    known, asked = case
    detector = BASELINES[name].fit(known)
    restored = BASELINES[name].restore(
        {key: value.clone() for key, value in detector.tensors().items()}, detector.facts(), known.shape[1:]
    )
    first, again = detector.score(asked), restored.score(asked)
    assert first.score.dtype == np.float64
    assert np.array_equal(first.score, again.score)
    assert (first.nearest is None) == (again.nearest is None)
    assert first.nearest is None or np.array_equal(first.nearest, again.nearest)


@pytest.mark.parametrize("name", BASELINES)
def test_a_score_does_not_depend_on_the_company(name):
    """At 32 px, alone, in pairs, reversed or among 600: the same bits."""
    random = np.random.default_rng(0)
    known, asked = (random.integers(0, 256, (n, 1, 32, 32), dtype=np.uint8) for n in (300, 600))
    detector = BASELINES[name].fit(known)
    together = detector.score(asked)
    assert np.array_equal(detector.score(asked[::-1]).score[::-1], together.score)
    for rows in ([0], [599], [300, 1], [*range(17, 90)]):
        alone = detector.score(asked[rows])
        assert np.array_equal(alone.score, together.score[rows])
        assert np.array_equal(alone.nearest, together.nearest[rows])


@pytest.mark.parametrize("name", BASELINES)
def test_restoring_something_else(name, digits):
    """Settings and tensors that are not this detector's are refused."""
    other = {"pca": "knn", "knn": "pca"}[name]
    mine, detector = BASELINES[name].fit(digits[0]), BASELINES[other].fit(digits[0])
    with pytest.raises(ModelError, match=f"^{name} has the settings .*{next(iter(detector.facts()))}"):
        BASELINES[name].restore(mine.tensors(), detector.facts(), (1, 8, 8))
    with pytest.raises(ModelError, match=f"tensor '{next(iter(mine.tensors()))}' is missing"):
        BASELINES[name].restore(detector.tensors(), mine.facts(), (1, 8, 8))


@pytest.mark.parametrize("name", BASELINES)
def test_restoring_at_another_shape(name, digits):
    """A detector of 8x8 images is none of 8x9 images; the tensor's two shapes are named."""
    detector = BASELINES[name].fit(digits[0])
    with pytest.raises(ModelError, match=r"has shape \(.*\), expected \("):
        BASELINES[name].restore(detector.tensors(), detector.facts(), (1, 8, 9))


@pytest.mark.parametrize("name", BASELINES)
def test_unknown_looks_less_like_the_known(name, digits):
    """Larger means less like the known: nearly every other digit scores above nearly every three."""
    found = load_digits()
    pixels = (found.images * 255 / 16).round().astype(np.uint8)[:, None]
    detector = BASELINES[name].fit(digits[0])
    threes = detector.score(pixels[found.target == 3][100:]).score
    others = detector.score(pixels[found.target == 6]).score
    assert np.mean(others[:, None] > threes[None]) > 0.95


def test_names():
    """The baselines are known by their kinds."""
    assert {name: baseline.kind for name, baseline in BASELINES.items()} == {"pca": "pca", "knn": "knn"}
