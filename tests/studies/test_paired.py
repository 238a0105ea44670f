"""Paired differences against scipy's paired t-test."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import ttest_rel

from lookalike.studies.paired import difference


@pytest.mark.parametrize("level", [0.95, 0.99])
def test_mean_and_interval_are_scipys(level):
    """Those of the paired t-test at the level."""
    one, other = np.random.default_rng(0).random((2, 6))
    found, wanted = difference(one, other, level), ttest_rel(one, other).confidence_interval(level)
    assert found == pytest.approx((np.mean(one - other), wanted.low, wanted.high))


def test_one_pair_has_no_interval():
    """The mean is the difference, its bounds are nan."""
    found = difference([0.5], [0.25])
    assert found.mean == 0.25 and math.isnan(found.low) and math.isnan(found.high)
