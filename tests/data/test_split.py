"""Splits by seed and content: sizes, independence of order, and no image in two parts."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lookalike.base.errors import UsageError
from lookalike.data import Images, split


def grey(values, labels, classes=("a", "b"), test=None):
    """Images of 1 x 1, one value each."""
    pixels = np.array(values, np.uint8).reshape(-1, 1, 1, 1)
    names = tuple(f"{i:05d}" for i in range(len(pixels)))
    return Images(pixels, np.array(labels, np.int64), classes, names, test)


def sizes(parts):
    """(train, calibration, test, excluded)."""
    return len(parts.train), len(parts.calibration), len(parts.test), len(parts.excluded)


def test_shares_are_taken_per_class():
    """100 and 50 images at 0.2 and 0.25: test 20 + 10, calibration a quarter of the rest 20 + 10, train 60 + 30."""
    images = grey(range(150), [0] * 100 + [1] * 50)
    parts = split(images, test=0.2, calibration=0.25, seed=0)
    assert sizes(parts) == (90, 30, 30, 0)
    assert np.bincount(images.labels[parts.test]).tolist() == [20, 10]
    assert np.bincount(images.labels[parts.calibration]).tolist() == [20, 10]
    everything = np.concatenate([parts.train, parts.calibration, parts.test])
    assert sorted(everything.tolist()) == list(range(150))
    assert (np.diff(parts.train) > 0).all()
    assert parts.train.dtype == np.int64


@pytest.mark.parametrize(
    ("count", "expected"),
    [(1, (1, 0, 0)), (2, (1, 1, 0)), (3, (1, 1, 1)), (4, (2, 1, 1)), (10, (8, 1, 1)), (26, (21, 2, 3))],
)
def test_B5_small_classes_keep_one_image_in_each_part(count, expected):
    """Shares of 0.1 and 0.1: from three images on every part gets one; training never gets none."""
    parts = split(grey(range(count), [0] * count), test=0.1, calibration=0.1, seed=3)
    assert sizes(parts) == (*expected, 0)


def test_shares_of_zero_give_empty_parts():
    """A share of 0 takes nothing, however many images there are."""
    assert sizes(split(grey(range(50), [0] * 50), test=0, calibration=0, seed=0)) == (50, 0, 0, 0)
    assert sizes(split(grey(range(50), [0] * 50), test=0, calibration=0.5, seed=0)) == (25, 25, 0, 0)


@pytest.mark.parametrize(("test", "calibration"), [(1, 0.1), (-0.1, 0.1), (0.1, 1.0), (0.1, float("nan"))])
def test_shares_outside_their_range_are_refused(test, calibration):
    """A share below 0, of 1 or NaN is a usage error."""
    with pytest.raises(UsageError, match="at least 0 and less than 1"):
        split(grey([1], [0]), test=test, calibration=calibration, seed=0)


def contents(images, parts):
    """Part -> content keys."""
    keys = np.array(images.keys)
    return {name: set(keys[getattr(parts, name)].tolist()) for name in ("train", "calibration", "test", "excluded")}


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(-1, 2)), min_size=1, max_size=60),
    st.randoms(),
    st.integers(0, 9),
)
def test_order_does_not_matter_and_J1_no_image_is_in_two_parts(rows, random, seed):
    """However images repeat and in whatever order they come, each content is in the same one part."""
    values, labels = [value for value, _ in rows], [label for _, label in rows]
    images = grey(values, labels, ("a", "b", "c"))
    parts = contents(images, split(images, test=0.3, calibration=0.3, seed=seed))
    order = list(range(len(rows)))
    random.shuffle(order)
    again = images.select(order)
    assert contents(again, split(again, test=0.3, calibration=0.3, seed=seed)) == parts
    labelled = {key for key, label in zip(images.keys, labels, strict=True) if label >= 0}
    counted = Counter(key for part in parts.values() for key in part)
    assert counted == dict.fromkeys(labelled, 1)


def test_the_seed_decides():
    """Another seed gives another split of the same sizes; the same seed the same."""
    images = grey(range(100), [0] * 100)
    first, again, other = (split(images, test=0.2, calibration=0.2, seed=seed) for seed in (0, 0, 1))
    assert first.test.tolist() == again.test.tolist()
    assert first.test.tolist() != other.test.tolist()
    assert sizes(first) == sizes(other)


def test_the_split_is_the_same_for_ever():
    """The test part of one small set, written down: runs recorded earlier stay valid."""
    assert split(grey(range(20), [0] * 20), test=0.2, calibration=0.2, seed=0).test.tolist() == [5, 11, 17, 18]


def test_an_official_test_part_is_kept_and_J1_its_repeats_leave_training():
    """Official test images are the test part, the share is not used, and a training image equal to one is excluded."""
    official = np.array([False] * 10 + [True] * 3)
    images = grey([*range(10), 20, 4, 21], [0] * 13, test=official)
    parts = split(images, test=0.9, calibration=0.2, seed=0)
    assert parts.test.tolist() == [10, 11, 12]
    assert parts.excluded.tolist() == [4]
    assert sizes(parts) == (7, 2, 3, 1)


def test_J3_an_image_under_two_labels_goes_to_one_part():
    """The same content in two classes is never in training under one label and in the test part under the other."""
    images = grey([*range(20), *range(20)], [0] * 20 + [1] * 20)
    for seed in range(5):
        parts = contents(images, split(images, test=0.3, calibration=0.3, seed=seed))
        assert parts["train"].isdisjoint(parts["test"] | parts["calibration"])


def test_J3_shared_images_count_in_the_first_class_by_name():
    """Class a keeps its exact shares though b repeats it, whatever numbers the classes have."""
    for classes in (("a", "b"), ("b", "a")):
        first = classes.index("a")
        images = grey([*range(20), *range(60)], [first] * 20 + [1 - first] * 60, classes)
        parts = split(images, test=0.3, calibration=0.3, seed=0)
        counts = [
            np.count_nonzero(images.labels[part] == first) for part in (parts.train, parts.calibration, parts.test)
        ]
        assert counts == [10, 4, 6]


def test_images_without_label_are_in_no_part():
    """Label -1 neither trains nor tests."""
    assert sizes(split(grey(range(5), [-1] * 5), test=0.5, calibration=0.5, seed=0)) == (0, 0, 0, 0)
