"""Tables 1 and 2 of mcgan-2021: the two steps by hand, and what mcgan may learn from."""

from __future__ import annotations

import numpy as np
import pytest

from lookalike.studies.detect.trial import ClassScores, DetectorTrial
from lookalike.studies.tables.detectors import Row
from lookalike.studies.tables.mcgan import (
    TABLE_1,
    TABLE_2,
    _halves,
    cut,
    each_against_the_other,
    everything_known,
    two_steps,
)


def said(**scores):
    """What one training's detector found of each class; scores up to 4 have a p-value above 5 %."""
    return {
        name: ClassScores(
            np.array(of, np.float64), np.where(np.array(of) <= 4, 0.06, 0.05), 1.0, np.zeros(len(of), np.int64)
        )
        for name, of in scores.items()
    }


OF_A = said(A=[1, 2, 4.5, 9], B=[4, 5, 6, 7], U=[6, 8, 9, 10])
OF_B = said(A=[5, 6, 6.2, 8], B=[1, 2, 6.5, 7.5], U=[7, 9, 3, 10])
BY_HAND = {
    # sums A 6 8 10.7 17, B 5 7 12.5 14.5, U 13 17 12 20; the eighth is 13: 3 + 3 pass, 2 of U do not
    "unknown_vs_known": 8 / 12,
    # A's detector decides (11 / 16 against 10 / 16): of A 1 2 4.5, of B 4 5 6 passed; the third is 4
    "known_vs_known": 4 / 6,
    # by held-out images the limit is 4: of A 1 2 are called A, and of B 5 6 are called B
    "known_vs_known_held_out": 4 / 6,
    # pairs in order: 13 has 6 known below it, 17 has 7 and a tie, 12 has 5, 20 all 8
    "unknown_vs_known_auc": 26.5 / 32,
    # all of A 1 2 4.5 9 and of B 4 5 6 7; the fourth is 4.5
    "known_vs_known_all": 6 / 8,
}


@pytest.mark.parametrize(("known", "scores"), [(("A", "B"), (OF_A, OF_B)), (("B", "A"), (OF_B, OF_A))])
def test_the_two_steps_by_hand(known, scores):
    """Four figures of twelve images are those counted by hand, whichever known class the row names first."""
    assert two_steps(Row("mnist", known, "U"), scores) == {
        name: pytest.approx(value) for name, value in BY_HAND.items()
    }


def test_one_detector_of_both_classes_by_hand():
    """The paper's thresholds on its own score; which class is what it says itself."""
    both = {
        "A": ClassScores(np.array([1.0, 2, 3, 8]), np.ones(4), 1.0, np.array([0, 0, 1, 1])),
        "B": ClassScores(np.array([1.5, 2.5, 3.5, 9]), np.ones(4), 1.0, np.array([1, 1, 0, 1])),
        "U": ClassScores(np.array([3.2, 7, 10, 11]), np.ones(4), 1.0, np.array([0, 1, 0, 1])),
    }
    # the eighth of twelve scores is 7: A 1 2 3 and B 1.5 2.5 3.5 pass, of U 10 and 11 do not
    assert two_steps(Row("mnist", ("A", "B"), "U"), (both,)) == {
        "unknown_vs_known": pytest.approx((6 + 2) / 12),
        "known_vs_known": pytest.approx(4 / 6),
        "known_vs_known_held_out": pytest.approx(4 / 6),
        "unknown_vs_known_auc": pytest.approx((5 + 6 + 8 + 8) / 32),
        "known_vs_known_all": pytest.approx(5 / 8),
    }


def test_ours_train_once_on_both_known_classes():
    """Methods that the paper does not have get one training on both classes, and nothing of the unknown."""
    (one,) = each_against_the_other(Row("mnist", ("3", "8"), "9"), DetectorTrial("mnist-5k", "auto", 2))
    assert one == DetectorTrial("mnist-5k", "auto", 2, known=("3", "8"), scored=("3", "8", "9"))


def test_the_better_detector_decides():
    """Where B's detector has the higher AUC of A against B, its scores alone make step 2."""
    sure = said(A=[5, 6, 7, 8], B=[1, 2, 3, 4], U=[20, 20, 20, 20])
    figures = two_steps(Row("mnist", ("A", "B"), "U"), (OF_A, sure))
    assert figures == {
        "unknown_vs_known": 1.0,
        "known_vs_known": 1.0,
        "known_vs_known_held_out": 1.0,
        "unknown_vs_known_auc": 1.0,
        "known_vs_known_all": 1.0,
    }


def test_the_unknown_image_looks_most_known():
    """Sums are A 11, B 11, U 2: as many as are unknown cannot be above a tie, so all pass; the AUC is 0."""
    of_a, of_b = said(A=[5], B=[6], U=[1]), said(A=[6], B=[5], U=[1])
    assert two_steps(Row("mnist", ("A", "B"), "U"), (of_a, of_b)) == {
        "unknown_vs_known": pytest.approx(2 / 3),
        "known_vs_known": 1.0,
        "known_vs_known_held_out": 0.5,  # 5 and 6 are both above the limit of A's held-out images
        "unknown_vs_known_auc": 0.0,
        "known_vs_known_all": 1.0,
    }


def test_test_sets_are_cut_to_the_smallest():
    """Of 7, 4 and 9 images 4 of each stay, in their order and the same of both trainings, another choice for a row."""
    sizes = {"A": 7, "B": 4, "U": 9}
    first, second = (said(**{name: base + np.arange(n) for name, n in sizes.items()}) for base in (0, 100))
    row = Row("mnist", ("A", "B"), "U")
    one, other = cut(row, (first, second))
    for name, n in sizes.items():
        kept = one[name].score.tolist()
        assert len(set(kept)) == 4 and kept == sorted(kept) and set(kept) <= set(range(n))
        assert other[name].score.tolist() == [100 + score for score in kept]
        assert one[name].p_value.tolist() == [0.06 if score <= 4 else 0.05 for score in kept]
        assert len(one[name].label) == 4
    again, third = cut(row, (first, second))[0], cut(Row("mnist", ("B", "A"), "U"), (first, second))[0]
    assert all(np.array_equal(again[name].score, one[name].score) for name in sizes)
    assert any(not np.array_equal(third[name].score, one[name].score) for name in sizes)


def test_everything_is_known():
    """An answer that calls all images known is right for two of three, whatever the test sets' sizes are."""
    scores = said(A=[1, 2, 3], B=[1, 2], U=[1, 2, 3, 4])
    assert everything_known(Row("mnist", ("A", "B"), "U"), (scores, scores)) == {"unknown_vs_known": 2 / 3}
    assert TABLE_2.constants == {"everything is known": everything_known}


@pytest.mark.parametrize(
    ("own", "other", "share"),
    [([], [1.0, 2.0], 1.0), ([1.0, 2.0], [], 1.0), ([2.0], [1.0], 0.0), ([1.0, 1.0], [1.0, 2.0], 3 / 4)],
    ids=["only the other passed", "only own passed", "reversed", "a tie is own"],
)
def test_accuracy_with_as_many_called_own_as_there_are(own, other, share):
    """The limit is the score that calls as many images own as there are; a group may be empty."""
    assert _halves(np.array(own), np.array(other)) == share


def test_mcgan_never_learns_from_the_unknown_class():
    """In Table 2 each training is against the other known class; the unknown is neither known nor against."""
    for row in TABLE_2.rows:
        first, second = each_against_the_other(row, DetectorTrial("there", "mcgan", 0))
        assert (first.known, first.extra_fakes) == ((row.known[0],), (row.known[1],))
        assert (second.known, second.extra_fakes) == ((row.known[1],), (row.known[0],))
        assert row.unknown not in {*first.known, *first.extra_fakes, *second.known, *second.extra_fakes}
        plain = each_against_the_other(row, DetectorTrial("there", "anogan", 0))
        assert [(one.known, one.extra_fakes) for one in plain] == [((row.known[0],), ()), ((row.known[1],), ())]


def test_mcgan_of_table_1_learns_from_the_class_of_its_row():
    """In Table 1 the unknown class is the one that mcgan trains against, as in its paper."""
    for row in TABLE_1.rows:
        (one,) = TABLE_1.trials(row, DetectorTrial("there", "mcgan", 0))
        assert (one.known, one.extra_fakes) == (row.known, (row.unknown,))
