"""A confusion matrix of nearest neighbours as a PNG (figure 3 of mcgan-2021); equal numbers give equal bytes."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from typing import Any

import matplotlib as mpl
import matplotlib.style
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from lookalike.base.errors import show
from lookalike.base.style import INK, STYLE, UNKNOWN

MOST, CELL, MARGIN, DPI = 24, 0.42, 2.2, 150  # classes, inches per class, inches, dots per inch
PALE_ABOVE = 40  # percent; numbers above it are white


def draw(
    confusion: npt.NDArray[np.float64],
    classes: Sequence[str],
    order: Sequence[str],
    outlined: Iterable[tuple[str, str]] = (),
) -> bytes:
    """Return the matrix with its numbers, as the bytes of a PNG file.

    Parameters
    ----------
    confusion : float64 (K, K)
        Percent; rows sum to 100.
    classes : sequence of str
        Names of the rows and columns.
    order : sequence of str
        The classes by interest, the most interesting first; only the first 24 are drawn.
    outlined : pairs of str
        Pairs that get a frame in both directions.
    """
    drawn = [i for i, name in enumerate(classes) if name in set(order[:MOST])]
    part, names = confusion[np.ix_(drawn, drawn)], [classes[i] for i in drawn]
    side = MARGIN + CELL * len(drawn)
    with matplotlib.style.context(["default", STYLE]):
        figure = Figure(figsize=(side + 0.6, side), layout="constrained")
        axes = figure.subplots()
        axes.imshow(part, cmap=mpl.colormaps["Blues"], norm=PowerNorm(0.5, 0, 100))
        _label(axes, names, len(classes))
        framed = [(names.index(a), names.index(b)) for a, b in outlined if a in names and b in names]
        framed += [(b, a) for a, b in framed]
        for (i, j), value in np.ndenumerate(part):
            if value >= 0.5 or (i, j) in framed:
                colour = "white" if value > PALE_ABOVE else INK
                axes.text(j, i, f"{value:.0f}", ha="center", va="center", color=colour, fontsize=8)
        for i, j in framed:
            frame = axes.add_patch(Rectangle((j - 0.46, i - 0.46), 0.92, 0.92, fill=False, ec=UNKNOWN, lw=2))
            frame.set_label("chosen in the papers")
        if framed:
            axes.legend(handles=[frame], loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.2)
        data = io.BytesIO()
        figure.savefig(data, format="png", dpi=DPI, metadata={"Software": None})
    return data.getvalue()


def _label(axes: Axes, names: Sequence[str], of: int) -> None:
    ticks: dict[str, Any] = {"ticks": range(len(names)), "labels": [_plain(name) for name in names]}
    axes.set_xticks(**ticks, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(**ticks)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    fewer = f" (the {len(names)} most alike of {of} classes)" if len(names) < of else ""
    axes.set(xlabel=f"class of the nearest neighbours, %{fewer}", ylabel="class of the image")


def _plain(name: str) -> str:
    """Return a class name in characters of the font, without mathtext."""
    return show(name, 24).encode("ascii", "backslashreplace").decode().replace("$", r"\$")
