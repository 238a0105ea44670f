"""The picture of gains: each way in its line, at its values, in the colour of where its interval lies."""

from __future__ import annotations

import math

import pytest
from matplotlib.colors import to_hex

from lookalike.base.style import CALIBRATION, KNOWN, UNKNOWN
from lookalike.report import pictures
from lookalike.studies.claims import Estimate

WAYS = {
    "mixup": Estimate(0.04, 0.03, 0.05, 0.01),
    "acgan": Estimate(0.01, -0.02, 0.04, 0.5),
    "cgan": Estimate(-0.06, -0.08, -0.04, 0.01),
    "affine": Estimate(0.02, 0.02, 0.02, math.nan),
    "oversample": Estimate(0.03, math.nan, math.nan, math.nan),
}


@pytest.fixture
def axes(monkeypatch):
    """The axes of the picture of `WAYS`."""
    monkeypatch.setattr(pictures, "_drawn", lambda figure, **_more: figure)
    (found,) = pictures.gains(WAYS, "gain over none, points").axes
    return found


def test_each_way_stands_at_its_points(axes):
    """Means in percentage points, the first on top, the name beside each, and a line at 0."""
    zero, *dots = axes.lines
    found = {row: x for line in dots for x, row in zip(line.get_xdata(), line.get_ydata(), strict=True)}
    assert list(zero.get_xdata()) == [0, 0]
    assert found == pytest.approx({0: 4.0, 1: 1.0, 2: -6.0, 3: 2.0, 4: 3.0})
    assert [label.get_text() for label in axes.get_yticklabels()] == list(WAYS)
    top, bottom = axes.transData.transform([(0, 0), (0, len(WAYS) - 1)])
    assert top[1] > bottom[1] and axes.get_xlabel() == "gain over none, points"


def test_each_interval_has_its_bounds(axes):
    """In percentage points; that of a single seed is not drawn."""
    drawn = [ends for lines in axes.collections for ends in lines.get_segments() if len(ends)]
    found = {int(row): (low, high) for (low, row), (high, _) in drawn}
    wanted = {0: (3, 5), 1: (-2, 4), 2: (-8, -4), 3: (2, 2)}
    assert found.keys() == wanted.keys() and all(found[row] == pytest.approx(wanted[row]) for row in wanted)


def test_the_colour_says_where_the_interval_lies(axes):
    """Above 0, below 0, or neither; one without width, or of one seed, tells nothing."""
    found = {line.get_label(): (to_hex(line.get_color()), list(line.get_ydata())) for line in axes.lines[1:]}
    assert found == {"above 0": (KNOWN, [0]), "below 0": (UNKNOWN, [2]), "includes 0": (CALIBRATION, [1, 3, 4])}


def test_equal_gains_give_equal_bytes():
    """A PNG, the same each time, and another one for other gains."""
    one, again, other = (pictures.gains(ways, "gain") for ways in (WAYS, WAYS, WAYS | {"acgan": WAYS["mixup"]}))
    assert one == again != other and one.startswith("data:image/webp;base64,")


def test_each_method_stands_at_its_area(monkeypatch):
    """The best on top with its interval; a method without one has its mean alone, and 0.5 is marked."""
    monkeypatch.setattr(pictures, "_drawn", lambda figure, **_more: figure)
    (axes,) = pictures.areas({"auto": (0.9, 0.85, 0.95), "knn": (0.7, None, None)}).axes
    chance, dots = axes.lines
    assert list(chance.get_xdata()) == [0.5, 0.5]
    assert (list(dots.get_xdata()), list(dots.get_ydata())) == ([0.9, 0.7], [0, 1])
    ((low, high),) = [lines.get_segments()[0][:, 0] for lines in axes.collections]
    assert (low, high) == (0.85, 0.95)
    assert [label.get_text() for label in axes.get_yticklabels()] == ["auto", "knn"]
    assert axes.get_ylim() == (1.5, -0.5)
