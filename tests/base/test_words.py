"""Figures as a person reads them."""

from __future__ import annotations

import pytest

from lookalike.base import words


@pytest.mark.parametrize(
    ("name", "value", "spread", "said"),
    [
        ("precision", 0.806, 0.047, "80.6 ± 4.7 %"),
        ("class_taken_for_it", 0.91, None, "91 %"),
        ("surer_than_0.99", 0.0333, 0.022, "3.3 ± 2.2 %"),
        ("top2_accuracy", 0.96, 0.0005, "96 ± 0.05 %"),
        ("fid", 4.1062, 1.65, "4.106 ± 1.650"),
        ("density", 0.814, None, "0.814"),
    ],
)
def test_figures_that_are_shares_are_written_in_percent(name, value, spread, said):
    """Precision, recall, coverage and accuracies are shares; FID and density, which can exceed 1, are not."""
    assert words.written(name, value, spread) == said


@pytest.mark.parametrize(
    ("share", "said"), [(0.045, "4.5 %"), (1.0, "100 %"), (0.0, "0 %"), (0.00023, "0.023 %"), (0.9284, "92.8 %")]
)
def test_a_share_in_percent(share, said):
    """One decimal, three digits below 0.1 %, and no decimal where it is zero."""
    assert words.percent(share) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (40, "40 s"), (90, "2 min"), (600, "10 min"), (9000, "2.5 h")],
)
def test_a_time_has_the_unit_that_a_person_would_take(seconds, said):
    """Seconds below a minute and a half, minutes below an hour and a half, then hours."""
    assert words.duration(seconds) == said


@pytest.mark.parametrize(("number", "said"), [(1, "1 minute"), (0.5, "0.5 minutes"), (90.0, "90 minutes")])
def test_a_number_of_minutes_is_one_or_several(number, said):
    """One alone is singular."""
    assert words.minutes(number) == said
