"""The shrunk Gaussian by products of vectors, against the covariance matrix written out."""

from __future__ import annotations

import numpy as np
import pytest

from lookalike.base.errors import ModelError
from lookalike.detect.gaussian import ShrunkGaussian


def drawn(n, size, seed=0):
    """Random (n, size) float32 around 3."""
    return np.random.default_rng(seed).normal(3, 1, (n, size)).astype(np.float32)


def direct(known, mean, added, vector):
    """The squared distance by the inverse of the whole (D + 1, D + 1) matrix; the last entry stands for the mean."""
    rows = np.hstack([known.astype(np.float64), np.full((len(known), 1), added[1] ** 0.5)])
    y = np.append(vector.astype(np.float64) - mean, added[1] ** 0.5)
    return added[0] * y @ np.linalg.inv(added[0] * np.eye(len(y)) + rows.T @ rows) @ y


@pytest.mark.parametrize("size", [3, 40])
def test_distances_are_those_of_the_covariance(size):
    """Shorter or longer than their number, vectors have the Mahalanobis distance of the shrunk covariance."""
    fitted = ShrunkGaussian.fit(drawn(12, size), 0.1)
    new = drawn(5, size, 1)
    wanted = [direct(fitted.known, fitted.mean, fitted.added, vector) for vector in new]
    assert fitted.distances(new) == pytest.approx(wanted, rel=1e-5)


def explained_by(known, added, vector):
    """What known vectors say of another: kernel ridge regression."""
    known, vector = known.astype(np.float64), vector.astype(np.float64)
    products = known @ known.T + added[1] + added[0] * np.eye(len(known))
    return np.linalg.solve(products, known @ vector + added[1]) @ known


@pytest.mark.parametrize("size", [3, 40])
def test_residuals_are_what_ridge_regression_leaves(size):
    """What kernel ridge regression does not explain of new vectors, shorter or longer than the number of known ones."""
    fitted = ShrunkGaussian.fit(drawn(12, size), 0.1)
    new = drawn(5, size, 1) - fitted.mean
    wanted = [vector - explained_by(fitted.known, fitted.added, vector) for vector in new]
    assert fitted.residuals(new + fitted.mean) == pytest.approx(np.array(wanted), abs=2e-3)


def test_the_smaller_matrix_is_kept():
    """Of 12 vectors the inverse is 12 x 12 where they are long, and one more than their length a side where short."""
    assert ShrunkGaussian.fit(drawn(12, 40), 0.1).by.inverse.shape == (12, 12)
    assert ShrunkGaussian.fit(drawn(12, 3), 0.1).by.inverse.shape == (4, 4)


@pytest.mark.parametrize("groups", [range(12), [0, 1, 2] * 4, [5] * 7 + [2] * 5], ids=["alone", "fours", "two"])
@pytest.mark.parametrize("size", [3, 40])
def test_a_known_vector_left_out_with_its_group_is_one_that_was_never_there(size, groups):
    """The closed forms equal the distance and the residual by the Gaussian of all of other groups."""
    fitted, groups = ShrunkGaussian.fit(drawn(12, size), 0.1), np.array(groups)
    rest = [fitted.known[groups != group] for group in groups]
    wanted = [direct(rest[i], 0, fitted.added, fitted.known[i]) for i in range(12)]
    assert fitted.left_out(groups) == pytest.approx(wanted, rel=1e-5)
    explained = [explained_by(rest[i], fitted.added, fitted.known[i]) for i in range(12)]
    assert fitted.left_out_residuals(groups) == pytest.approx(fitted.known - np.array(explained), abs=2e-3)


def test_more_shrinkage_forgets_directions():
    """Shrunk much, the distance is Euclid's; shrunk little, the direction of the spread costs next to nothing."""
    known = np.zeros((50, 2), np.float32)
    known[:, 0] = np.linspace(-1, 1, 50)
    along, across = np.array([[1, 0]], np.float32), np.array([[0, 1]], np.float32)
    fitted = [ShrunkGaussian.fit(known, shrinkage) for shrinkage in (0.01, 10_000)]
    ratio = [one.distances(across)[0] / one.distances(along)[0] for one in fitted]
    assert ratio[0] > 50 and ratio[1] == pytest.approx(1, abs=0.05)


def test_equal_known_vectors_still_score():
    """Vectors without any spread: a known one scores 0 and any other far more."""
    fitted = ShrunkGaussian.fit(np.ones((4, 3), np.float32), 0.1)
    assert fitted.distances(np.ones((1, 3), np.float32))[0] == pytest.approx(0, abs=1e-9)
    assert fitted.distances(np.zeros((1, 3), np.float32))[0] == pytest.approx(3)


def test_restored_from_its_tensors_alone():
    """The same distances to the bit; other lengths are refused."""
    fitted, new = ShrunkGaussian.fit(drawn(12, 5), 0.1), drawn(4, 5, 1)
    again = ShrunkGaussian.restore(fitted.tensors(), 5, "it")
    assert np.array_equal(again.distances(new), fitted.distances(new))
    with pytest.raises(ModelError, match="tensor 'known' has shape"):
        ShrunkGaussian.restore(fitted.tensors(), 6, "it")
