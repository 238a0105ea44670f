"""Parts of the images for several processes: they are consecutive, and together they are all images."""

from __future__ import annotations

import numpy as np
import pytest

from lookalike.base.errors import DataError, UsageError
from lookalike.data import read
from lookalike.data.load import stream
from lookalike.data.part import WHOLE, Part


@pytest.mark.parametrize(("n", "of"), [(10, 1), (10, 3), (10, 10), (100, 7)])
def test_parts_follow_each_other(n, of):
    """One after the other they are all numbers in order, and they differ by one image at most."""
    parts = [Part(i, of).rows(n) for i in range(1, of + 1)]
    assert [number for part in parts for number in part] == list(range(n))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@pytest.mark.parametrize(
    "text", ["0/3", "4/3", "x", "", "1", "1/0", "-1/3", "1/3/4", "1.5/3", "1/9999999", "１/３", " 1/3"]
)
def test_what_is_no_part_is_refused(text):
    """The line says what is accepted."""
    with pytest.raises(UsageError, match=r"^--part is .*; give I/N with I from 1 to N, such as 2/8 .*$"):
        Part.parse(text)


def test_a_part_is_read_from_its_text():
    """The number comes before their count."""
    assert (Part.parse("2/8"), Part.parse("1/1")) == (Part(2, 8), WHOLE)


def test_more_parts_than_images_are_refused():
    """Some would be empty; nothing is divided where there is one part."""
    with pytest.raises(DataError, match=r"^there are 2 images for 3 parts; give at most 2 parts \(--part\)$"):
        Part(1, 3).rows(2)
    assert WHOLE.rows(0) == range(0)


@pytest.mark.parametrize("block", [100, 512])
def test_the_parts_of_a_source_are_its_images(block):
    """Pixels, names and labels of three parts are those of the digits, in their order."""
    whole = read("digits")
    parts = [one for i in (1, 2, 3) for one in stream("digits", size=(8, 8), channels=1, block=block, part=Part(i, 3))]
    assert np.array_equal(np.concatenate([one.pixels for one in parts]), whole.pixels)
    assert tuple(name for one in parts for name in one.names) == whole.names
    assert np.array_equal(np.concatenate([one.labels for one in parts]), whole.labels)
