"""Figures as a person reads them."""

from __future__ import annotations


def percent(share: float) -> str:
    """A share in percent with one decimal, or with three digits where it is below 0.1 %: "4.5 %"."""
    return f"{points(share)} %"


def points(share: float) -> str:
    """The number of `percent` alone, where the unit stands beside it: "4.5"."""
    return f"{100 * share:.3g}" if 0 < share < 0.001 else f"{100 * share:.1f}".removesuffix(".0")
