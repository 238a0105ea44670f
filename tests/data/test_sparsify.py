"""Fewer images of some classes: by content, nested, and never a test image."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lookalike.base.errors import DataError
from lookalike.data import read
from lookalike.data.sparsify import sparsify


@pytest.fixture(scope="module")
def digits():
    """All of scikit-learn's digits."""
    return read("digits")


def names(images, label):
    """Which images of a class there are."""
    return {name for name, mine in zip(images.names, images.labels.tolist(), strict=True) if mine == label}


def test_a_share_or_a_number_stays(digits):
    """Half of the ones, twenty of the threes, all others."""
    less = sparsify(digits, {"1": 0.5, "3": 20}, 0)
    before, after = (np.bincount(x.labels) for x in (digits, less))
    assert after[1] == int(before[1] * 0.5 + 0.5) and after[3] == 20
    assert np.delete(after, [1, 3]).tolist() == np.delete(before, [1, 3]).tolist()


def test_fewer_are_a_part_of_more_and_the_order_does_not_matter(digits):
    """Twenty are among the first fifty; shuffled images give the same ones; another seed gives others."""
    few, many, other = (names(sparsify(digits, {"3": n}, seed), 3) for n, seed in ((20, 0), (50, 0), (20, 1)))
    assert few < many and few != other
    order = np.random.default_rng(0).permutation(len(digits))
    assert names(sparsify(digits.select(order), {"3": 20}, 0), 3) == few


def test_test_images_all_stay(digits):
    """Of a source with a test part only its other images count and go."""
    test = np.arange(len(digits)) % 4 == 0
    less = sparsify(replace(digits, test=test), {"3": 10}, 0)
    assert (less.labels[~less.test] == 3).sum() == 10
    assert (less.labels[less.test] == 3).sum() == (digits.labels[test] == 3).sum()


def test_equal_images_stay_or_go_together(digits):
    """Of images that are there twice both stay or none does, and they count once."""
    twice = digits.select(np.concatenate([np.arange(len(digits))] * 2))
    less = sparsify(twice, {"3": 15}, 0)
    keys = [key for key, label in zip(less.keys, less.labels.tolist(), strict=True) if label == 3]
    assert len(keys) == 30 and len(set(keys)) == 15


@pytest.mark.parametrize(
    ("keep", "said"),
    [
        ({"x": 0.5}, "no class 'x'"),
        ({"3": 0.0}, "cannot keep a share of 0.0"),
        ({"3": 1.5}, "cannot keep a share of 1.5"),
        ({"3": 0}, "cannot keep 0 of 183 distinct images; give a number from 1 to 183"),
        ({"3": 184}, "cannot keep 184 of 183 distinct images; give a number from 1 to 183"),
    ],
)
def test_what_cannot_stay(keep, said, digits):
    """A class that is not there, a share out of range, or more than there are is one line."""
    with pytest.raises(DataError, match=said):
        sparsify(digits, keep, 0)
