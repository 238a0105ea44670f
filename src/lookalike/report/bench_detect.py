"""The result of `bench detect` as a table, JSON and one self-contained HTML page."""

from __future__ import annotations

from pathlib import Path
from statistics import fmean

from lookalike.base import files
from lookalike.base.cells import as_csv
from lookalike.base.errors import show
from lookalike.report import environment
from lookalike.studies.detect.bench import NAME, Bench, record


def write(bench: Bench, out: Path) -> Path:
    """Write bench-detect.csv, .json and .html to the folder `out`, which is made if missing; return the page."""
    rows: list[tuple[object, ...]] = [("unknown", "method", "seed", "auc", "error")]
    rows += [(show(u), m, s, f"{v:.4f}", "") for (u, m, s), v in bench.values.items()]
    rows += [(show(u), m, s, "", show(why, 1000)) for (u, m, s), why in bench.errors.items()]
    made = {".csv": as_csv(rows).encode(), ".json": files.json_bytes(record(bench)), ".html": page(bench).encode()}
    files.write_together(out, {f"{NAME}{suffix}": data for suffix, data in made.items()})
    return out / f"{NAME}.html"


def page(bench: Bench) -> str:
    """Return the page: advice, methods with intervals and costs, and each method's AUC for each unknown class."""
    cells = {
        (line.method, name): [
            v for (unknown, method, _), v in bench.values.items() if (unknown, method) == (name, line.method)
        ]
        for line in bench.lines
        for name in bench.cast.rows
    }
    means = {key: fmean(found) if found else None for key, found in cells.items()}
    drawn = {line.method: (line.auc, line.low, line.high) for line in bench.lines}
    return environment().get_template("bench_detect.html.jinja").render(bench=bench, means=means, drawn=drawn)
