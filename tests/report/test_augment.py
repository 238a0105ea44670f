"""The sentence about memorised images: what it counts, and when too few images cannot show it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lookalike.report.augment import verdict
from lookalike.use.filled import Filled
from lookalike.use.memorised import Memory

LINE = np.arange(0, 60, 6, dtype=np.float32)[:, None]


def filled(made, variety=1.0, anyway=True):
    """A class of ten training vectors on a line, and made ones."""
    memory = Memory(LINE)
    pixels = np.array(made, np.float32)[:, None]
    close, numbers = memory.closeness(pixels), np.arange(len(pixels))
    return Filled("a", 10, pixels, numbers, len(pixels), {}, None, variety, *close, memory, anyway)


@pytest.mark.parametrize(
    ("made", "count", "said"),
    [
        (LINE[:, 0].tolist(), "10 are closer", "of new images about 1 would be. G has memorised some of its training"),
        ((LINE[:9, 0] + 3).tolist(), "2 are closer", "There is no sign that G memorised training images."),
        ([33.0, 27.0], "0 are closer", "So few images cannot show whether G memorised training images; look at"),
        ([0.0, 6.0], "2 are closer", "G has memorised some of its training images."),
    ],
)
def test_what_is_said_of_copies(made, count, said):
    """Many copies, few, too few images for either verdict, and too few but copies to the pixel."""
    sentence = verdict([filled(made)])
    assert count in sentence and said in sentence


def test_a_collapse_is_said_and_is_no_memorisation():
    """One training image again and again is a collapse, not memorised images; copies of another class still are."""
    collapsed, copied = filled([6.0] * 10, variety=0.0), replace(filled(LINE[:, 0].tolist()), name="b")
    assert verdict([collapsed]) == (
        "10 generated images of a. Collapsed: a. G makes nearly the same image of each again and again."
    )
    assert verdict([collapsed, copied]) == (
        "20 generated images of a, b. Collapsed: a. G makes nearly the same image of each again and again. Of the "
        "others, 10 are closer to a training image than nearly all training images of their class are to another; of "
        "new images about 1 would be. G has memorised some of its training images."
    )


def test_what_is_not_written_is_said():
    """The page names the classes whose images are left out."""
    said = verdict([filled([6.0] * 10, variety=0.0, anyway=False)])
    assert said.endswith("again and again. Not written: a. Of each, the output has the real images alone.")
