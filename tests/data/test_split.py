"""Splits by seed and content: sizes, independence of order, and no image in two parts."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lookalike.base.errors import DataError, UsageError
from lookalike.data import Images, split
from lookalike.data.groups import Groups


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


def in_groups(rows, classes=("a", "b", "c"), test=None):
    """Images of 1 x 1 from (value, label, group)."""
    values, labels, groups = zip(*rows, strict=True)
    images = grey(values, labels, classes, test)
    return replace(images, groups=Groups.among(groups, images.labels, classes, test))


def sides(images, parts):
    """Part -> its groups."""
    return {name: set(images.groups.names(getattr(parts, name))) for name in ("train", "calibration", "test")}


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 250), st.integers(-1, 2), st.sampled_from("stuvwxyz")), min_size=1, max_size=80),
    st.integers(0, 99),
    st.sampled_from([(0.3, 0.3), (0.2, 0), (0, 0.4), (0, 0)]),
    st.randoms(),
)
def test_no_group_and_no_content_is_in_two_parts(rows, seed, shares, random):
    """Whatever the groups, classes, copies and order: a group is on one side; so is a content; or it is refused."""
    images = in_groups(rows)
    try:
        parts = split(images, test=shares[0], calibration=shares[1], seed=seed)
    except DataError:
        return
    found = sides(images, parts)
    assert not any(found[a] & found[b] for a, b in combinations(found, 2))
    keys = contents(images, parts)
    assert not any(keys[a] & keys[b] for a, b in combinations(("train", "calibration", "test"), 2))
    for label in range(3):  # no part of a class is empty
        for part, share in (("train", 1), ("test", shares[0]), ("calibration", shares[1])):
            assert (
                not share or not (images.labels == label).any() or (images.labels[getattr(parts, part)] == label).any()
            )
    order = list(range(len(rows)))
    random.shuffle(order)
    again = in_groups([rows[i] for i in order])
    assert sides(again, split(again, test=shares[0], calibration=shares[1], seed=seed)) == found


def test_the_shares_of_each_class_are_as_near_as_groups_allow():
    """Of one class no share is off by more than half of the largest group, over many seeds."""
    draw = np.random.default_rng(0)
    for seed in range(50):
        sizes_ = draw.integers(1, 40, 12)
        images = in_groups([(0, 0, f"g{g}") for g, n in enumerate(sizes_) for _ in range(n)], ("a",))
        images = replace(images, content=tuple(f"{i:016x}" for i in range(len(images))))
        parts = split(images, test=0.25, calibration=0.25, seed=seed)
        assert abs(len(parts.test) - 0.25 * len(images)) <= sizes_.max() / 2
        assert abs(len(parts.calibration) - 0.25 * (len(images) - len(parts.test))) <= sizes_.max() / 2


def test_groups_of_several_classes_are_shared_out_jointly():
    """Twenty slides with both classes, in different numbers: each class has about its share in each part."""
    draw = np.random.default_rng(1)
    rows = [(0, label, f"s{s}") for s in range(20) for label in (0, 1) for _ in range(draw.integers(5, 15))]
    images = replace(in_groups(rows, ("a", "b")), content=tuple(f"{i:016x}" for i in range(len(rows))))
    for seed in range(20):
        parts = split(images, test=0.2, calibration=0.2, seed=seed)
        for part, share in ((parts.test, 0.2), (parts.calibration, 0.16)):
            found = np.bincount(images.labels[part]) / np.bincount(images.labels)
            assert found == pytest.approx(share, abs=0.08)


def test_a_group_is_in_the_same_part_whichever_classes_are_read():
    """So that a bench can train on one class and test on all: the whole source decides."""
    draw = np.random.default_rng(2)
    rows = [(0, draw.integers(0, 3), f"s{draw.integers(0, 15)}") for _ in range(300)]
    images = replace(in_groups(rows), content=tuple(f"{i:016x}" for i in range(300)))
    whole = sides(images, split(images, test=0.2, calibration=0.2, seed=4))
    for name in images.classes:
        few = sides(images, few_of(images, name))
        assert all(few[part] <= whole[part] for part in whole)


def few_of(images, name):
    """The split of one class alone, as rows of all images."""
    rows = np.flatnonzero(images.labels == images.classes.index(name))
    parts = split(images.of(name), test=0.2, calibration=0.2, seed=4)
    return replace(parts, train=rows[parts.train], calibration=rows[parts.calibration], test=rows[parts.test])


def test_copies_in_other_groups_stay_where_they_train():
    """A blank image that is on every slide trains, and is excluded elsewhere; its slides are not joined."""
    rows = [(255, 0, f"s{s}") for s in range(8)] + [(10 * s + i, 0, f"s{s}") for s in range(8) for i in range(10)]
    images = in_groups(rows, ("a",))
    parts = split(images, test=0.25, calibration=0.25, seed=0)
    found = sides(images, parts)
    assert sorted(map(len, found.values())) == [1, 2, 5]
    assert set(parts.excluded) == {i for i in range(8) if f"s{i}" not in found["train"]}
    assert {f"s{i}" for i in parts.train if i < 8} == found["train"]


def test_official_test_images_stay_and_their_groups_train_nowhere():
    """The official part is kept as it is; other images of its groups are excluded; the share of tests is not used."""
    rows = [(i, 0, f"s{i // 4}") for i in range(40)]
    official = np.array([i in (0, 1, 9) for i in range(40)])
    images = in_groups(rows, ("a",), official)
    parts = split(images, test=0.5, calibration=0.25, seed=0)
    assert parts.test.tolist() == [0, 1, 9]
    assert parts.excluded.tolist() == [2, 3, 8, 10, 11]
    assert (len(parts.train), len(parts.calibration)) == (24, 8)


@pytest.mark.parametrize(
    ("groups", "shares", "words"),
    [
        (
            "aaaa",
            (0.2, 0),
            r"class k: its images are of one group, a, which leaves none for the test part; 2 groups or",
        ),
        (
            "aabb",
            (0.2, 0.2),
            r"class k: its images are of 2 groups, which leaves none for calibration; 3 groups or more",
        ),
        ("aaaa", (0, 0.2), r"which leaves none for calibration; 2 groups or more of each class are needed"),
    ],
)
def test_a_class_with_too_few_groups_is_refused(groups, shares, words):
    """One line names the class, the part that would be empty and what to do; shares of 0 need one group."""
    images = in_groups([(i, 0, group) for i, group in enumerate(groups)], ("k",))
    with pytest.raises(DataError, match=words) as found:
        split(images, test=shares[0], calibration=shares[1], seed=0)
    assert str(found.value).endswith("add images of other groups, or leave the class out")
    assert sizes(split(images, test=0, calibration=0, seed=0)) == (4, 0, 0, 0)


def test_three_groups_give_one_to_each_part():
    """However unequal they are, with every seed."""
    images = in_groups([(i, 0, "abc"[(i > 0) + (i > 2)]) for i in range(30)], ("k",))
    for seed in range(10):
        found = sides(images, split(images, test=0.2, calibration=0.2, seed=seed))
        assert sorted(map(len, found.values())) == [1, 1, 1]


def test_the_split_by_group_is_the_same_for_ever():
    """The test groups of one small set, written down: runs recorded earlier stay valid."""
    images = in_groups([(i, 0, f"s{i % 10}") for i in range(40)], ("a",))
    parts = split(images, test=0.2, calibration=0.2, seed=0)
    assert sides(images, parts)["test"] == {"s0", "s3"}
