"""The result of `bench augment` as a table, JSON and one self-contained HTML page."""

from __future__ import annotations

from pathlib import Path
from statistics import fmean, stdev

from lookalike.base import files
from lookalike.base.cells import as_csv
from lookalike.report import environment, pictures
from lookalike.studies.augment.bench import FIGURES, GAINS, Bench, Line, record
from lookalike.studies.claims import Estimate


def write(bench: Bench, out: Path) -> Path:
    """Write the files bench.name with .csv, .json and .html to the folder `out`, made if missing; return the page."""
    rows = (
        (line.way, seed, *(_digits(line.figures[figure][seed]) for figure in FIGURES))
        for line in bench.lines
        for seed in range(bench.seeds)
    )
    table = as_csv([("way", "seed", *FIGURES), *rows])
    made = {".csv": table.encode(), ".json": files.json_bytes(record(bench)), ".html": page(bench).encode()}
    files.write_together(out, {f"{bench.name}{suffix}": data for suffix, data in made.items()})
    return out / f"{bench.name}.html"


def _digits(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def page(bench: Bench) -> str:
    """Return the page: the result, gains as pictures, each way, recall per class, and generated images alone."""
    gans = [line for line in bench.lines if line.generated_only]
    gained = {
        name: {line.way: line.gains[figure] for line in bench.lines if line.gains} for figure, name in GAINS.items()
    }
    drawn = {name: pictures.gains(mine, f"gain over none, points: {name}") for name, mine in gained.items() if mine}
    return (
        environment()
        .get_template("bench_augment.html.jinja")
        .render(bench=bench, percent=percent, gain=gain, gans=gans, alone=_alone, drawn=drawn)
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
