"""Figures as a person reads them."""

from __future__ import annotations

SHARES = ("precision", "recall", "rare_recall", "coverage", "taken_for_it", "outside")  # names of figures


def percent(share: float) -> str:
    """A share in percent with one decimal, or with three digits where it is below 0.1 %: "4.5 %"."""
    return f"{points(share)} %"


def written(name: str, value: float, spread: float | None = None, sign: str = "±") -> str:
    """A figure by its name, with its spread: a share in percent, any other with three decimals.

    `name` is a figure of `measure` or a column `metric` of a table.
    """
    write = points if is_share(name) else "{:.3f}".format
    text = write(value) if spread is None else f"{write(value)} {sign} {write(spread)}"
    return f"{text} %" if is_share(name) else text


def is_share(figure: str) -> bool:
    """Whether a figure is a share, which a person reads in percent."""
    return figure.removeprefix("class_") in SHARES or figure.startswith("surer_than_") or "accuracy" in figure


def duration(seconds: float) -> str:
    """A time to wait: "less than a minute", "about 7 minutes", "about 2.5 hours"."""
    if seconds < 60:
        return "less than a minute"
    if seconds < 90 * 60:
        minutes = round(seconds / 60)
        return f"about {minutes} minute{'s' if minutes > 1 else ''}"
    return f"about {seconds / 3600:.1f}".removesuffix(".0") + " hours"


def points(share: float) -> str:
    """The number of `percent` alone, where the unit stands beside it: "4.5"."""
    return f"{100 * share:.3g}" if 0 < share < 0.001 else f"{100 * share:.1f}".removesuffix(".0")
