"""What is said of the sizes of many images, and the sizes at which they are read."""

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


def test_the_spread_is_of_images_that_are_there():
    """Least, middle and largest by area, each image once; a twentieth of the images at either end is no aspect."""
    counts = {(10, 20): 1, (30, 30): 17, (100, 50): 1, (20, 200): 1}
    spread = sizes.spread_of(counts)
    assert (spread.least, spread.median, spread.largest) == ((10, 20), (30, 30), (100, 50))
    assert spread.aspects == (0.5, 2.0)
    assert sizes.spread_of({(30, 30): 98, (10, 90): 1, (90, 10): 1}).aspects == (1.0, 1.0)


@pytest.mark.parametrize(
    ("counts", "size", "line"),
    [
        ({(200, 200): 3}, (32, 32), "images of 200 x 200 pixels are read at 32 x 32"),
        ({(402, 640): 1, (105, 283): 2}, (32, 24), "images of 105 x 283 to 402 x 640 pixels are read at 32 x 24"),
        ({(28, 28): 9, (20, 33): 1}, (32, 32), "images of 20 x 33 to 28 x 28 pixels are read at 32 x 32"),
        ({(28, 28): 9}, (32, 32), None),
        ({(32, 32): 9}, (32, 32), None),
        ({}, (32, 32), None),
    ],
    ids=["one", "several", "one side of one", "grows", "equal", "never read"],
)
def test_a_line_says_from_what_to_what_images_shrink(counts, size, line):
    """Where one image shrinks in one side there is a line; where none does there is none."""
    assert sizes.shrinking(counts, size) == line


def test_without_sizes_a_square_is_chosen():
    """Where no image can be measured `read` says why, so that a size must be chosen before."""
    assert sizes.own_size({}, 640) == (640, 640) and sizes.small_size({}, 32, 8) == (32, 32)
