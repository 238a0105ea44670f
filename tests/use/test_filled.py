"""Whether generated images are worth writing: their variety by hand, the floors, and what is said."""

from __future__ import annotations

import numpy as np
import pytest

from lookalike.use.filled import Filled, NotWrittenError, variety
from lookalike.use.memorised import Memory


def column(*values):
    """Features of one entry."""
    return np.array(values, np.float64)[:, None]


def filled(agreed, variety, n=10, *, rejected=(), anyway=False, name="8"):
    """A class of n generated images with these figures."""
    pixels = np.zeros((n, 1), np.float32)
    drops, none = dict.fromkeys(rejected, 1), np.zeros(n)
    memory = Memory(pixels)
    return Filled(name, 14, pixels, np.arange(n), n, drops, agreed, variety, none, none.astype(int), memory, anyway)


@pytest.mark.parametrize(
    ("made", "real", "share"),
    [
        (column(0, 1, 3), column(0, 4, 8), 2 / (16 / 3)),  # pairs 1, 3, 2 over pairs 4, 8, 4
        (column(0, 4, 8), column(10, 14, 18), 1.0),  # it is no question of place
        (column(5, 5, 5, 5), column(0, 4, 8), 0.0),
        (column(5), column(0, 4, 8), None),
        (column(0, 1, 3), column(4), None),
        (column(0, 1, 3), column(4, 4), None),
    ],
)
def test_variety_is_the_mean_distance_of_pairs_over_that_of_real_pairs(made, real, share):
    """By hand; none with one image on a side, or real images that do not differ."""
    assert variety(made, real) == (share if share is None else pytest.approx(share))


@pytest.mark.parametrize(
    ("one", "why"),
    [
        (filled(1.0, 1.0), ()),
        (filled(0.3, 0.3), ()),
        (filled(1.0, 0.29), ("collapsed",)),
        (filled(0.29, 1.0), ("unrecognised",)),
        (filled(0.0, 0.0), ("collapsed", "unrecognised")),
        (filled(0.0, 1.0, n=9), ()),
        (filled(0.0, 0.0, n=9), ("collapsed",)),
        (filled(0.25, 1.0, rejected=("classifier",)), ()),
        (filled(0.25, 1.0, rejected=("D",)), ("unrecognised",)),
        (filled(None, None), ()),
        (filled(None, 0.1), ("collapsed",)),
        (filled(1.0, 2.0), ()),
        (filled(1.0, 2.01), ("noisy",)),
        (filled(1.0, 2.01, n=9), ()),
    ],
)
def test_images_outside_the_limits_are_not_written(one, why):
    """From 30 % on both are fine, up to 200 % variety; few images, chosen ones and unmeasured ones are kept."""
    assert [name for name in ("collapsed", "noisy", "unrecognised") if getattr(one, name)] == [*why]
    assert one.written == (not why)


def test_anyway_writes_them():
    """Forced, they are written and still called collapsed."""
    one = filled(0.0, 0.0, anyway=True)
    assert one.written and one.collapsed and one.unrecognised


def test_the_error_names_the_classes_that_are_not_written_with_their_figures():
    """One line: class, both figures, what is accepted, what to do; a class that is written is not in it."""
    every = [filled(0.0, 0.014), filled(1.0, 1.0, name="fine"), filled(0.1, 0.9, name="3"), filled(None, 0.0, name="c")]
    error = NotWrittenError(every)
    assert str(error) == (
        "generated images not written: 8 (collapsed, recognised 0 %, variety 1.4 %); 3 (recognised 10 %, variety "
        "90 %); c (collapsed, recognised not measured, variety 0 %); accepted are 30 % recognised or more, and 30 % to "
        "200 % variety; add images of the class, show more images to the GAN (--images), or write them in any case "
        "(--anyway); the same command with either replaces this output"
    )
    assert error.exit_code == 3 and error.filled is every
