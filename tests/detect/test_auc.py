"""AUC, its bootstrap interval, Wilson's interval and the ROC band."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score, roc_curve

from lookalike.base.errors import DataError, UsageError
from lookalike.detect.auc import Interval, Rate, area, auc, rate, roc_curve_band

scores = st.lists(st.integers(-3, 3), min_size=1, max_size=30)


def ends(figure: Interval) -> tuple[float, float]:
    """The interval's two ends, which must be there."""
    assert figure.low is not None
    assert figure.high is not None
    return figure.low, figure.high


@given(scores, scores)
def test_auc_is_sklearns_on_scores_full_of_ties(known: list[int], unknown: list[int]) -> None:
    """The value equals scikit-learn's, ties counting half, and lies in its interval."""
    figure = auc(known, unknown, resamples=200)
    assert figure.value == pytest.approx(roc_auc_score([0] * len(known) + [1] * len(unknown), known + unknown))
    low, high = ends(figure)
    assert 0 <= low <= figure.value + 1e-12
    assert figure.value - 1e-12 <= high <= 1


def test_auc_by_hand() -> None:
    """Of six pairs four are in order and one is tied: 4.5 / 6."""
    assert auc([1.0, 2.0, 4.0], [2.0, 5.0]).value == 0.75


@given(scores, scores)
def test_area_is_sklearns_auc_as_a_number(known: list[int], unknown: list[int]) -> None:
    """The figure without an interval equals scikit-learn's, ties counting half."""
    assert area(known, unknown) == pytest.approx(roc_auc_score([0] * len(known) + [1] * len(unknown), known + unknown))


def test_area_of_an_empty_group_is_nan_and_bad_scores_are_refused() -> None:
    """Without known or unknown images it is nan; scores that are not finite are an error here too."""
    assert np.isnan([area([], [1.0]), area([1.0], []), area([], [])]).all()
    with pytest.raises(DataError, match="1 of 2 unknown scores are not finite"):
        area([0.0, 1.0], [1.0, float("nan")])


def test_bootstrap_equals_resampling_the_scores_themselves() -> None:
    """The counted bootstrap draws the same distribution as scikit-learn's AUC on resampled scores."""
    draw = np.random.default_rng(5)
    known, unknown = draw.normal(size=60).round(1), draw.normal(0.7, size=40).round(1)
    truth = [0] * 60 + [1] * 40
    slow = [roc_auc_score(truth, np.r_[draw.choice(known, 60), draw.choice(unknown, 40)]) for _ in range(300)]
    figure = auc(known, unknown, resamples=4000)
    assert ends(figure) == pytest.approx(tuple(np.quantile(slow, [0.025, 0.975])), abs=0.025)


def test_interval_covers_the_closed_form() -> None:
    """Of 100 samples from N(0,1) and N(d,1) about 95 intervals hold the true AUC, Phi(d / sqrt 2)."""
    draw, d = np.random.default_rng(3), 0.9
    truth = NormalDist().cdf(d / 2**0.5)
    held = 0
    for trial in range(100):
        low, high = ends(auc(draw.normal(size=120), draw.normal(d, size=120), resamples=300, seed=trial))
        held += low <= truth <= high
    assert 88 <= held <= 100


def test_J6_permuted_labels_hold_one_half() -> None:
    """Where unknown images are drawn like known ones the interval contains 0.5."""
    both = np.random.default_rng(1).normal(size=600)
    low, high = ends(auc(both[:300], both[300:]))
    assert low < 0.5 < high
    deviation = (601 / (12 * 300 * 300)) ** 0.5  # Mann and Whitney's, under no difference
    assert high - low == pytest.approx(2 * 1.96 * deviation, rel=0.1)


def test_groups_that_do_not_overlap() -> None:
    """AUC is 1 when all unknown images score higher, 0 when all score lower."""
    assert auc([1, 2], [3, 4]) == Interval(1.0, 1.0, 1.0, 0.95, 2000)
    assert auc([3, 4], [1, 2]) == Interval(0.0, 0.0, 0.0, 0.95, 2000)


def test_same_seed_same_interval() -> None:
    """The interval is a function of scores and seed, in whatever order the scores come."""
    known, unknown = np.random.default_rng(2).normal(size=(2, 50))
    assert auc(known, unknown, seed=4) == auc(known, unknown, seed=4)
    assert auc(known, unknown, seed=4) != auc(known, unknown, seed=5)
    assert auc(known, unknown).value == auc(known[::-1], unknown).value


@pytest.mark.parametrize(
    ("known", "unknown", "reason"),
    [([], [1.0], "no known images"), ([1.0], [], "no unknown images"), ([], [], "no known and no unknown images")],
    ids=["B30-unknown-only", "B30-known-only", "B30-none"],
)
def test_empty_group_is_none_with_a_reason(known: list[float], unknown: list[float], reason: str) -> None:
    """A missing group makes the figure None with a reason, never 0, 0.5 or NaN."""
    figure = auc(known, unknown)
    assert (figure.value, figure.low, figure.high) == (None, None, None)
    assert figure.reason == f"{reason}: an AUC needs both groups"


@pytest.mark.parametrize("bad", [float("nan"), float("inf")], ids=["J7-nan", "J7-inf"])
def test_scores_that_are_not_finite_are_refused(bad: float) -> None:
    """A score that is not finite is an error that counts such scores; it is not dropped."""
    with pytest.raises(DataError, match="1 of 2 unknown scores are not finite"):
        auc([0.0, 1.0], [1.0, bad])
    with pytest.raises(DataError, match="1 of 2 known scores are not finite"):
        roc_curve_band([0.0, bad], [1.0])


def test_what_else_is_refused() -> None:
    """Scores in two dimensions, no resamples, a level of 1 and impossible counts are named."""
    with pytest.raises(DataError, match=r"shape \(1, 2\)"):
        auc([[0.0, 1.0]], [1.0])
    with pytest.raises(UsageError, match="resamples 0"):
        auc([0.0], [1.0], resamples=0)
    with pytest.raises(UsageError, match="level 1"):
        rate(1, 2, level=1)
    with pytest.raises(UsageError, match="3 in 2"):
        rate(3, 2)
    with pytest.raises(DataError, match="0 unknown"):
        roc_curve_band([0.0], [])


def test_wilson_by_hand() -> None:
    """2 of 10 at 95 %: (0.2 + z2/20 -+ z sqrt(0.016 + z2/400)) / (1 + z2/10) with z2 = 3.8415."""
    figure = rate(2, 10)
    assert (figure.rate, figure.count, figure.of) == (0.2, 2, 10)
    assert figure.low == pytest.approx(0.05668, abs=1e-5)
    assert figure.high == pytest.approx(0.50984, abs=1e-5)


def test_wilson_at_the_ends() -> None:
    """None of n keeps a width, z2 / (n + z2), and stays in [0, 1]; none of none is None."""
    z2 = NormalDist().inv_cdf(0.975) ** 2
    assert rate(0, 10) == Rate(0.0, 0.0, pytest.approx(z2 / (10 + z2)), 0, 10)
    assert rate(10, 10) == Rate(1.0, pytest.approx(10 / (10 + z2)), 1.0, 10, 10)
    assert rate(0, 0) == Rate(None, None, None, 0, 0)


def test_roc_curve_is_sklearns() -> None:
    """At every false-positive rate the curve is scikit-learn's, and the band holds it."""
    draw = np.random.default_rng(0)
    known, unknown = draw.normal(size=80).round(1), draw.normal(1, size=50).round(1)
    band = roc_curve_band(known, unknown, points=101)
    fpr, tpr, _ = roc_curve([0] * 80 + [1] * 50, np.r_[known, unknown], drop_intermediate=False)
    assert band.tpr == pytest.approx(np.interp(band.fpr, fpr, tpr))
    assert (band.fpr[0], band.fpr[-1], band.tpr[-1]) == (0.0, 1.0, 1.0)
    assert np.all(band.low <= band.tpr)
    assert np.all(band.tpr <= band.high)
    assert np.all(np.diff(band.tpr) >= 0)
