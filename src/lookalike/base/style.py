"""The colours and the matplotlib style of all pictures."""

from __future__ import annotations

KNOWN, UNKNOWN, CALIBRATION, INK = "#2f6db3", "#d0603a", "#7b8490", "#1c2430"
STYLE = {
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#aab2bd",
    "axes.labelcolor": INK,
    "xtick.color": "#5b6675",
    "ytick.color": "#5b6675",
    "text.color": INK,
    "font.size": 9,
    "legend.frameon": False,
    "lines.linewidth": 1.5,
}
