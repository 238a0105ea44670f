"""The advice of a bench, and the methods that are not ranked."""

from __future__ import annotations

import math

import pytest

from lookalike.studies.claims import Estimate, Verdict
from lookalike.studies.detect.ranking import Line, Unranked, advice, unranked_of


def line(method, auc, seconds, low=None):
    """A line whose distance to the best, of AUC 0.9, has this lower end."""
    gap = None if low is None else Verdict(4, 3, 4, 3, Estimate(0.9 - auc, low, 2 * (0.9 - auc) - low, 0.1))
    return Line(method, auc, 0.8, 1.0, seconds, 4, gap)


BEST = "Take auto: mean AUC 0.900 over 4 unknown classes and 3 seeds, 40 s per training and scoring"


@pytest.mark.parametrize(
    ("lines", "begins"),
    [
        ([line("auto", 0.9, 40), line("knn", 0.89, 1, low=0.005)], f"{BEST}."),
        ([line("auto", 0.9, 40), line("knn", 0.89, 1, low=-0.01)], "Take knn (1.0 s): auto has the highest mean AUC, "),
        ([line("auto", 0.9, 40), line("knn", 0.89, 1, low=math.nan)], "Take knn (1.0 s): auto has"),
        (
            [line("auto", 0.9, 40), line("knn", 0.6, 1, low=-0.01)],
            f"{BEST}. Its lead over knn, +0.300 [-0.010, +0.610]",
        ),
        ([line("auto", 0.9, 40), line("lof", 0.89, 30, low=-0.01)], f"{BEST}. Its lead over lof, +0.010 [-0.010"),
        ([line("auto", 0.9, 40), line("lof", 0.89, 9, low=-0.01), line("knn", 0.6, 1, low=-0.2)], "Take lof (9.0 s)"),
        ([line("auto", 0.9, 40)], f"{BEST}."),
    ],
)
def test_advice_is_the_best_or_what_is_as_good_for_half_the_time(lines, begins):
    """A cheaper one is taken where its distance to the best is at most .02, may be chance, and halves the time."""
    assert advice(lines, 4, 3).startswith(begins)


@pytest.mark.parametrize(
    ("auc", "low", "chance"), [(0.47, 0.38, True), (0.62, 0.49, True), (0.62, 0.51, False), (0.45, None, True)]
)
def test_what_cannot_be_told_from_chance_is_not_recommended(auc, low, chance):
    """Where 0.5 lies in the interval of the best, or one class alone has no interval and no more, none is."""
    said = advice([Line("knn", auc, low, 0.9, 1.0, 4, None)], 4, 3)
    assert said.startswith("No method can be told from chance, an AUC of 0.5: the best, knn, has") == chance
    assert said.startswith("Take knn") != chance


def test_without_a_ranked_method_none_is_recommended():
    """The sentence says why."""
    assert advice([], 4, 3) == ("No method was measured for every unknown class and seed, so none is recommended.")


def test_an_unranked_method_has_each_of_its_errors_once():
    """Those of other methods are not among them."""
    errors = {("a", "lof", 0): "too few", ("b", "lof", 0): "too few", ("b", "lof", 1): "killed", ("a", "pca", 0): "no"}
    assert unranked_of({"lof": "3 of 4 cells are missing"}, errors) == (
        Unranked("lof", "3 of 4 cells are missing", ("too few", "killed")),
    )
