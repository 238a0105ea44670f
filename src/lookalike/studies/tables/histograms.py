"""Two-dimensional histograms side by side as a PNG (figure 1 of kplus1-2020); the same numbers give the same bytes."""

from __future__ import annotations

import io
from collections.abc import Mapping

import matplotlib.style
import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from lookalike.base.style import STYLE

SIDE, DPI = 2.2, 150  # inches per histogram, dots per inch


def draw(histograms: Mapping[str, npt.NDArray[np.float64]], edge: float, columns: int) -> bytes:
    """The histograms (H, W) of the square [-edge, edge]^2 under their names, so many a row, on one scale of colour."""
    rows = -(-len(histograms) // columns)
    most = max(float(shares.max()) for shares in histograms.values())
    with matplotlib.style.context(["default", STYLE]):
        figure = Figure(figsize=(SIDE * columns, (SIDE + 0.4) * rows), layout="constrained")
        places = figure.subplots(rows, columns, squeeze=False).flat
        for axes, (name, shares) in zip(places, histograms.items(), strict=False):
            axes.imshow(shares.T, origin="lower", extent=(-edge, edge, -edge, edge), vmin=0, vmax=most, cmap="Blues")
            axes.set_title(name, fontsize=9)
            axes.set_xticks([-edge, 0, edge])
            axes.set_yticks([-edge, 0, edge])
        file = io.BytesIO()
        figure.savefig(file, dpi=DPI, metadata={"Software": None})
    return file.getvalue()
