"""What `bench augment` measured as one self-contained HTML page."""

from __future__ import annotations

from statistics import fmean, stdev

from lookalike.augmentation.bench import Bench, Line
from lookalike.metrics.paired import Difference
from lookalike.report import environment


def page(bench: Bench) -> str:
    """The page: verdict, every way with its spread and its gain, recall of each class, generated images alone."""
    gans = [line for line in bench.lines if line.generated_only]
    return (
        environment()
        .get_template("augmentation.html.jinja")
        .render(bench=bench, percent=percent, gain=gain, gans=gans, alone=_alone)
    )


def percent(line: Line, name: str) -> str:
    """Mean and standard deviation in percent."""
    sd = line.sd(name)
    return f"{100 * line.mean(name):.1f}" + (f" ± {100 * sd:.1f}" if sd is not None else "")


def gain(gain: Difference | None) -> str:
    """In points, with the interval."""
    if gain is None:
        return "–"
    interval = f" [{100 * gain.low:+.1f}, {100 * gain.high:+.1f}]" if gain.low == gain.low else ""
    return f"{100 * gain.mean:+.1f}{interval}"


def _alone(line: Line) -> str:
    values = line.generated_only
    return f"{100 * fmean(values):.1f}" + (f" ± {100 * stdev(values):.1f}" if len(values) > 1 else "")
