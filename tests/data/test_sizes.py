"""The sizes of many images in one line, and the size that stands for them."""

from __future__ import annotations

import pytest

from lookalike.data import sizes


@pytest.mark.parametrize(
    ("counts", "usual"),
    [
        ({(480, 640): 3}, (480, 640)),
        ({(100, 100): 2, (400, 400): 1}, (100, 100)),
        ({(300, 100): 1, (100, 100): 1, (100, 300): 1}, (173, 173)),  # area 30,000 and aspect 1
        ({(1, 9): 1}, (1, 9)),
    ],
)
def test_the_usual_size_has_the_median_area_and_aspect(counts, usual):
    """Both medians count each image once; a single size is its own."""
    assert sizes.usual_size(counts) == usual


def test_few_sizes_are_listed_and_many_are_summed_up():
    """Up to five sizes stand each with its number; a thousand take one short line."""
    assert sizes.said({(12, 10): 2000, (8, 8): 1}) == "12 x 10 (2,000), 8 x 8 (1)"
    many = {(100 + i, 300 - i): 1 for i in range(200)}
    said = sizes.said(many)
    assert said.startswith("200 different, heights 100 to 299 and widths 101 to 300, usually ") and len(said) < 140
    assert said.endswith("aspects 0.34 to 3.00")
