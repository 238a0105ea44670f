"""What `bench` measured as one self-contained HTML page."""

from __future__ import annotations

from statistics import fmean

from lookalike.bench import Bench
from lookalike.report import environment


def page(bench: Bench) -> str:
    """The page: advice, methods with intervals and costs, and the AUC of each method for each unknown class."""
    cells = {
        (line.method, name): [
            v for (unknown, method, _), v in bench.values.items() if (unknown, method) == (name, line.method)
        ]
        for line in bench.lines
        for name in bench.classes
    }
    means = {key: fmean(found) if found else None for key, found in cells.items()}
    return environment().get_template("bench.html.jinja").render(bench=bench, means=means)
