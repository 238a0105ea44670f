"""Scales: deviations from the middle of held-out known images, against numbers worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lookalike.base.errors import ModelError
from lookalike.detect.scale import Scale


def test_the_scale_is_the_median_and_one_sigma_above_it():
    """Of 0, 1, ..., 100 the middle is 50 and the spread 84 - 50; of five numbers both lie between the ranks."""
    assert Scale.of(np.arange(101.0)) == Scale(50.0, 34.0)
    found = Scale.of(np.array([8.0, 1.0, 4.0, 2.0, 16.0]))  # ranks 0 to 4: 0.84 lies at rank 3.36
    assert found.middle == 4.0
    assert found.spread == pytest.approx(8 + 0.36 * 8 - 4, abs=1e-12)


@pytest.mark.parametrize("score", [[3.0], [3.0] * 9, [1.0, 3.0, 3.0, 3.0, 3.0, 3.0]], ids=["one", "equal", "high"])
def test_scores_without_a_spread_are_left_in_their_unit(score):
    """One score, or scores that do not vary above the median, give the spread 1, so that nothing is divided by 0."""
    assert Scale.of(np.array(score)) == Scale(3.0, 1.0)


def test_scaled_scores_by_hand():
    """sign(a) log(1 + |a|) of a = (score - middle) / spread: 0 in the middle, log 2 one spread away, either way."""
    said = Scale(10.0, 2.0)(np.array([10.0, 12.0, 8.0, 10 + 2 * (math.e - 1), -1e300, 1e300]))
    assert said[:4] == pytest.approx([0.0, math.log(2), -math.log(2), 1.0], abs=1e-12)
    assert said[5] == -said[4] == pytest.approx(math.log(1e300 / 2))
    assert said.dtype == np.float64


def test_the_order_of_scores_is_kept():
    """Scaling never changes which of two images is the less like the known ones."""
    score = np.sort(np.random.default_rng(0).normal(5, 30, 200))
    assert np.all(np.diff(Scale(5.0, 0.1)(score)) > 0)


def test_a_stored_scale_comes_back():
    """What `json` gives is two floats, and `stored` reads the same scale to the bit."""
    scale = Scale.of(np.random.default_rng(1).normal(size=30))
    assert scale.json() == [scale.middle, scale.spread]
    assert Scale.stored(scale.json(), "x") == scale


@pytest.mark.parametrize(
    "value", [[0.0], [0.0, 0.0], [0.0, -1.0], [0.0, math.inf], [0.0, math.nan], [0, 1], "ab", None, [True, 1.0], {}]
)
def test_a_forged_scale_is_refused(value):
    """Anything but a middle and a positive, finite spread is one line that says whose scale it is."""
    with pytest.raises(ModelError, match=r"^Coat has the scale .*, not a middle and a spread; train again$"):
        Scale.stored(value, "Coat")
