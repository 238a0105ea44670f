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
    [
        (0, "less than a minute"),
        (59.9, "less than a minute"),
        (60, "about 1 minute"),
        (89, "about 1 minute"),
        (420, "about 7 minutes"),
        (5399, "about 90 minutes"),
        (5400, "about 1.5 hours"),
        (7200, "about 2 hours"),
    ],
)
def test_a_time_to_wait_has_a_unit(seconds, said):
    """Minutes up to an hour and a half, then hours with a decimal."""
    assert words.duration(seconds) == said
