"""What intervals the seeds give, against Student's t by hand."""

from __future__ import annotations

import math

import pytest

from lookalike.studies.augment.power import after, before

BESIDE = "{} and 3 ways beside none: the interval of a gain is ±{} times the gain's standard deviation between seeds. "
SPREAD = "2 points of standard deviation between seeds, for example"


@pytest.mark.parametrize(
    ("seeds", "ways", "said"),
    [
        (
            3,
            3,
            BESIDE.format("3 seeds", 4.4)
            + "With 2 points of it, for example, that is ±8.8 points, and ±3 points would take 6 seeds",
        ),
        (
            10,
            3,
            BESIDE.format("10 seeds", 0.9)
            + "With 2 points of it, for example, that is ±1.9 points, and ±3 points would take 6 seeds",
        ),
        (
            1,
            1,
            f"1 seed and 1 way beside none: a gain has no interval. With {SPREAD}, ±3 points would take 5 seeds",
        ),
    ],
)
def test_what_is_said_before(seeds, ways, said):
    """By tables t(2) is 7.65 and t(9) 2.93 at 98.3 %; t(4) 3.96 is too wide for 1.5 deviations, t(5) 3.53 is not."""
    assert before(seeds, ways) == said


def test_what_is_said_after():
    """Deviations of 1 and 7 points are 5 in the root mean square; of two ways t(3) is 4.18 at 97.5 %, so ±10.4."""
    one = [0.0, 0.0, 0.01 * math.sqrt(1.5), 0.01 * math.sqrt(1.5)]  # variance: 4 x 1.5 / 4 / 3 = 0.5 points squared
    gains = [[math.sqrt(2) * value for value in one], [7 * math.sqrt(2) * value for value in one]]
    # t(16) 2.473 / sqrt(17) is 0.6, and t(15) 2.490 / 4 is above it: 17 seeds, 13 more of 60 s
    assert after(gains, 60.0) == (
        "the interval is about ±10.4 points (standard deviation: 5 points); "
        "±3 points would take 17 seeds, about 13 min more"
    )


def test_nothing_is_asked_for_where_intervals_are_narrow_enough():
    """One way, gains of 1 and 1.2 points: t(1) 12.71 times 0.1 points is within 3."""
    assert after([[0.010, 0.012]], 60.0) == "the interval is about ±1.3 points (standard deviation: 0.1 points)"
