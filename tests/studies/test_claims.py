"""A paper's claim, judged by pairs of runs with the same row and seed."""

from __future__ import annotations

import math

import pytest
from scipy.stats import ttest_1samp

from lookalike.studies.claims import Claim, Verdict, judge, sentence

CLAIM = Claim("vtgan", "anogan", "auc")
VALUES = {
    ("3/8", "vtgan", 0): 0.80, ("3/8", "anogan", 0): 0.70,
    ("3/8", "vtgan", 1): 0.90, ("3/8", "anogan", 1): 0.95,
    ("8/3", "vtgan", 0): 0.60, ("8/3", "anogan", 0): 0.85,
    ("7/9", "vtgan", 2): 0.75, ("7/9", "anogan", 2): 0.70,
}  # fmt: skip


def test_a_claim_by_hand():
    """Row means are .025, -.25 and .05: two of three above; of four pairs two are above; the interval is Student's."""
    verdict = judge(CLAIM, VALUES)
    interval = ttest_1samp([0.025, -0.25, 0.05], 0).confidence_interval(0.95)
    assert verdict == Verdict(
        rows=3,
        rows_above=2,
        pairs=4,
        pairs_above=2,
        difference=pytest.approx(-0.175 / 3),
        low=pytest.approx(interval.low),
        high=pytest.approx(interval.high),
    )


@pytest.mark.parametrize(
    "alone",
    [
        {("9/7", "vtgan", 0): 1.0},
        {("9/7", "anogan", 0): 0.0},
        {("9/7", "vtgan", 0): 1.0, ("9/7", "anogan", 1): 0.0},
        {("3/8", "vtgan", 5): 1.0, ("8/3", "anogan", 5): 0.0},
        {("9/7", "vtgan", 0): 1.0, ("9/7", "noisegan", 0): 0.0},
        {("9/7", "vtgan", 0): math.nan, ("9/7", "anogan", 0): 0.0},
        {("9/7", "vtgan", 0): 1.0, ("9/7", "anogan", 0): math.nan},
    ],
    ids=["no worse", "no better", "another seed", "another row", "another method", "nan above", "nan below"],
)
def test_what_has_no_partner_of_the_same_row_and_seed_does_not_count(alone):
    """Figures without a partner leave the verdict as it is, and are none by themselves."""
    assert judge(CLAIM, VALUES | alone) == judge(CLAIM, VALUES)
    assert judge(CLAIM, alone) is None


def test_one_row_has_no_interval():
    """Two seeds of one row give a difference, and nan where an interval over rows would stand."""
    verdict = judge(CLAIM, {key: value for key, value in VALUES.items() if key[0] == "3/8"})
    assert (verdict.rows, verdict.rows_above, verdict.pairs, verdict.pairs_above) == (1, 1, 2, 1)
    assert verdict.difference == pytest.approx(0.025)
    assert math.isnan(verdict.low) and math.isnan(verdict.high)
    assert sentence(CLAIM, verdict) == (
        "vtgan above anogan (auc): holds in every row, in 1 of 2 pairs of runs with the same seed; "
        "mean difference +0.025"
    )


def test_an_equal_figure_is_not_above():
    """A tie holds in no row and in no pair."""
    verdict = judge(CLAIM, {("3/8", "vtgan", 0): 0.5, ("3/8", "anogan", 0): 0.5})
    assert (verdict.rows_above, verdict.pairs_above, verdict.difference) == (0, 0, 0.0)


def test_the_sentence_says_all_of_it():
    """Rows, pairs, difference and interval stand in the sentence, signed and to three digits."""
    verdict = Verdict(rows=3, rows_above=2, pairs=9, pairs_above=5, difference=-0.0583, low=-0.5, high=0.3834)
    assert sentence(CLAIM, verdict) == (
        "vtgan above anogan (auc): holds in 2 of 3 rows, in 5 of 9 pairs of runs with the same seed; "
        "mean difference -0.058 [-0.500, +0.383] over rows"
    )
