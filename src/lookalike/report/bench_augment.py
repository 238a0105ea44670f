"""The result of `bench augment` as a table, JSON and one self-contained HTML page."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from statistics import fmean, stdev

from lookalike.base import files
from lookalike.report import environment
from lookalike.studies.augment.bench import FIGURES, NAME, Bench, Line, record
from lookalike.studies.claims import Estimate


def write(bench: Bench, out: Path) -> Path:
    """Write bench-augment.csv, .json and .html to the folder `out`, which is made if missing; return the page."""
    files.make_folder(out)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("way", "seed", *FIGURES))
    for line in bench.lines:
        for seed in range(bench.seeds):
            writer.writerow((line.way, seed, *(_digits(line.figures[figure][seed]) for figure in FIGURES)))
    files.write_text(out / f"{NAME}.csv", text.getvalue())
    files.write_json(out / f"{NAME}.json", record(bench))
    files.write_text(out / f"{NAME}.html", page(bench))
    return out / f"{NAME}.html"


def _digits(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def page(bench: Bench) -> str:
    """Return the page: the result, each way with spread and gain, recall per class, and generated images alone."""
    gans = [line for line in bench.lines if line.generated_only]
    return (
        environment()
        .get_template("bench_augment.html.jinja")
        .render(bench=bench, percent=percent, gain=gain, gans=gans, alone=_alone)
    )


def percent(line: Line, name: str) -> str:
    """Return the mean and standard deviation in percent."""
    sd = line.sd(name)
    return f"{100 * line.mean(name):.1f}" + (f" ± {100 * sd:.1f}" if sd is not None else "")


def gain(gain: Estimate | None) -> str:
    """Return the gain in percentage points, with its interval."""
    return "–" if gain is None else gain.text(1, 100)


def _alone(line: Line) -> str:
    values = line.generated_only
    return f"{100 * fmean(values):.1f}" + (f" ± {100 * stdev(values):.1f}" if len(values) > 1 else "")
