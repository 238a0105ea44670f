"""Figures as a person reads them."""

from __future__ import annotations

SHARES = (  # names of figures
    *("precision", "recall", "rare_recall", "coverage", "taken_for_it", "outside"),
    *("misses", "false_alarms"),
)


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


def duration(seconds: float) -> str:
    """A time in seconds, minutes or hours: "0.4 s", "40 s", "12 min", "3.5 h"."""
    if seconds < 90:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def minutes(number: float) -> str:
    """A number of minutes: "1 minute", "2.5 minutes"."""
    return f"{number:g} minute{'' if number == 1 else 's'}"


def is_share(figure: str) -> bool:
    """Whether a figure is a share, which a person reads in percent."""
    return figure.removeprefix("class_") in SHARES or figure.startswith("surer_than_") or "accuracy" in figure


def points(share: float) -> str:
    """The number of `percent` alone, where the unit stands beside it: "4.5"."""
    return f"{100 * share:.3g}" if 0 < share < 0.001 else f"{100 * share:.1f}".removesuffix(".0")
