"""Paired differences: what the same seeds say of two ways, and which ways lack some of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import t as student


class Difference(NamedTuple):
    """A mean of paired differences with its interval; nan bounds for a single pair."""

    mean: float
    low: float
    high: float


def difference(one: Sequence[float], other: Sequence[float], level: float = 0.95) -> Difference:
    """Mean of one - other over pairs, with Student's t interval at `level`.

    Parameters
    ----------
    one, other : sequence of float
        (n,) each, in the same order.
    level : float
        Between 0 and 1.
    """
    gaps = np.subtract(one, other)
    n, middle = len(gaps), float(gaps.mean())
    half = float(student.ppf((1 + level) / 2, n - 1) * gaps.std(ddof=1) / n**0.5) if n > 1 else float("nan")
    return Difference(middle, middle - half, middle + half)


def incomplete(cells: Mapping[str, Sequence[bool]]) -> dict[str, str]:
    """Ways that lack cells, of each of which `cells` says whether it was measured, and how many in words.

    What lacks one is not ranked: a mean over fewer cells, perhaps the easy ones, compares with no other.
    """
    missing = {way: sum(not one for one in there) for way, there in cells.items()}
    return {
        way: f"{n} of {len(cells[way])} cells {'is' if n == 1 else 'are'} missing" for way, n in missing.items() if n
    }
