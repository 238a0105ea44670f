"""Means with scipy's intervals, and a paper's claim, judged by pairs of trials with the same row and seed."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import ttest_1samp, ttest_rel

from lookalike.studies.claims import (
    Claim,
    Estimate,
    Verdict,
    bonferroni,
    difference,
    half_width,
    judge,
    mean,
    pairs_needed,
    sentence,
)

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
    test = ttest_1samp([0.025, -0.25, 0.05], 0)
    interval = test.confidence_interval(0.95)
    assert verdict == Verdict(
        rows=3,
        rows_above=2,
        pairs=4,
        pairs_above=2,
        gap=pytest.approx((-0.175 / 3, interval.low, interval.high, test.pvalue)),
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
    assert verdict.gap.mean == pytest.approx(0.025)
    assert all(math.isnan(value) for value in verdict.gap[1:])
    assert sentence(CLAIM, verdict) == (
        "vtgan above anogan (auc): holds in every row, in 1 of 2 pairs of trials with the same seed; "
        "mean difference +0.025"
    )


def test_an_equal_figure_is_not_above():
    """A tie holds in no row and in no pair."""
    verdict = judge(CLAIM, {("3/8", "vtgan", 0): 0.5, ("3/8", "anogan", 0): 0.5})
    assert (verdict.rows_above, verdict.pairs_above, verdict.gap.mean) == (0, 0, 0.0)


def test_the_sentence_says_all_of_it():
    """Rows, pairs, difference and interval stand in the sentence, signed and to three digits."""
    verdict = Verdict(rows=3, rows_above=2, pairs=9, pairs_above=5, gap=Estimate(-0.0583, -0.5, 0.3834, 0.1))
    assert sentence(CLAIM, verdict) == (
        "vtgan above anogan (auc): holds in 2 of 3 rows, in 5 of 9 pairs of trials with the same seed; "
        "mean difference -0.058 [-0.500, +0.383] over rows"
    )


@pytest.mark.parametrize("level", [0.95, 0.99])
def test_a_difference_and_its_interval_are_scipys(level):
    """Those of the paired t-test at the level."""
    one, other = np.random.default_rng(0).random((2, 6))
    found, test = difference(one, other, level), ttest_rel(one, other)
    wanted = test.confidence_interval(level)
    assert found == pytest.approx((np.mean(one - other), wanted.low, wanted.high, test.pvalue))


@pytest.mark.parametrize("level", [0.95, 0.99])
def test_a_mean_and_its_interval_are_scipys(level):
    """Those of the t-test of one sample at the level."""
    values = np.random.default_rng(1).random(5)
    found, test = mean(values, level), ttest_1samp(values, 0)
    wanted = test.confidence_interval(level)
    assert found == pytest.approx((values.mean(), wanted.low, wanted.high, test.pvalue))


def test_one_pair_has_no_interval():
    """The mean is the difference, its bounds are nan, and only the mean is written."""
    found = difference([0.5], [0.25])
    assert found.mean == 0.25 and all(math.isnan(value) for value in found[1:])
    assert found.text() == "+0.250" and found.text(1, 100, " points") == "+25.0 points"


def test_values_without_spread_have_no_p():
    """Three equal differences: the interval is the mean alone, without a warning."""
    found = difference([0.75, 1.0, 1.25], [0.5, 0.75, 1.0])
    assert found[:3] == (0.25, 0.25, 0.25) and math.isnan(found.p)
    assert found.text(2) == "+0.25 [+0.25, +0.25]"


def test_bonferroni_by_hand():
    """Of five intervals each has 99 %; one, or none, has 95 %."""
    assert [bonferroni(n) for n in (0, 1, 5)] == pytest.approx([0.95, 0.95, 0.99])


def test_half_widths_by_hand():
    """Student's t has closed forms: the tangent of half the level's turn for two pairs, and a root for three."""
    level = bonferroni(3)
    assert half_width(2, 0.95) == pytest.approx(math.tan(math.pi * 0.95 / 2) / math.sqrt(2))
    assert half_width(3, level) == pytest.approx(level * math.sqrt(2 / (1 - level**2)) / math.sqrt(3))
    assert [round(half_width(n, level), 1) for n in (3, 10)] == [4.4, 0.9] and math.isnan(half_width(1, level))


def test_half_widths_are_those_of_the_intervals():
    """Times the standard deviation of the differences, they are what `difference` reaches to either side."""
    one, other = np.random.default_rng(2).random((2, 5))
    found = difference(one, other, 0.98)
    assert half_width(5, 0.98) * np.std(one - other, ddof=1) == pytest.approx((found.high - found.low) / 2)


@pytest.mark.parametrize(
    ("width", "sd", "pairs"),
    [(2.5, 2, 5), (2.48, 2, 6), (2.1, 2, 6), (2.09, 2, 7), (18, 2, 2), (3, 0, 2), (1, 10, 387)],
)
def test_the_pairs_that_a_width_needs(width, sd, pairs):
    """By tables t(4) / sqrt(5) is 1.2416, and t(5) / sqrt(6) 1.0494; for many pairs it is nearly 1.966 / sqrt(n)."""
    assert pairs_needed(width, sd, 0.95) == pairs
    assert sd * half_width(pairs, 0.95) <= width and (pairs == 2 or sd * half_width(pairs - 1, 0.95) > width)
