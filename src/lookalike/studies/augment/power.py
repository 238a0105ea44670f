"""How small a gain the seeds can show: before a bench by an assumed spread, and after it by the measured one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, variance

from lookalike.base.words import duration
from lookalike.studies.claims import bonferroni, half_width, pairs_needed

ASKED = 0.03  # how far an interval is to reach to either side
ASSUMED = 0.02  # standard deviation of a gain between seeds, as an example


def before(seeds: int, ways: int) -> str:
    """How wide the interval of a gain will be with so many ways beside `none`, in two sentences."""
    level = bonferroni(ways)
    wide, needed = half_width(seeds, level), pairs_needed(ASKED, ASSUMED, level)
    said = f"{seeds} seed{'s' if seeds > 1 else ''} and {ways} way{'s' if ways > 1 else ''} beside none: "
    if seeds > 1:
        said += f"the interval of a gain is ±{wide:.1f} times the gain's standard deviation between seeds. "
        said += f"With {_points(ASSUMED)} of it, for example, that is ±{_points(ASSUMED * wide)}, and"
    else:
        said += f"a gain has no interval. With {_points(ASSUMED)} of standard deviation between seeds, for example,"
    return f"{said} ±{_points(ASKED)} would take {needed} seeds"


def after(gains: Sequence[Sequence[float]], seconds: float) -> str:
    """How wide intervals are, and what narrower ones would take.

    Parameters
    ----------
    gains : sequence
        Of each way, its gain over `none` with each seed, two or more.
    seconds : float
        What one more seed takes.
    """
    seeds, level = len(gains[0]), bonferroni(len(gains))
    sd = math.sqrt(fmean(variance(each) for each in gains))  # over all ways, as that of one way is of few seeds
    said = f"the interval is about ±{_points(sd * half_width(seeds, level))} (standard deviation: {_points(sd)})"
    needed = pairs_needed(ASKED, sd, level)
    if needed <= seeds:
        return said
    return f"{said}; ±{_points(ASKED)} would take {needed:,} seeds, about {duration((needed - seeds) * seconds)} more"


def _points(share: float) -> str:
    number = f"{100 * share:.1f}".removesuffix(".0")
    return f"{number} point{'' if number == '1' else 's'}"
