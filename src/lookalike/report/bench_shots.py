"""The result of `bench detect --shots` as a table, JSON and one self-contained HTML page."""

from __future__ import annotations

from pathlib import Path

from lookalike.base import files
from lookalike.base.cells import as_csv
from lookalike.base.errors import show
from lookalike.report import environment, pictures
from lookalike.studies.detect.shots import NAME, Level, Shots, record


def write(found: Shots, out: Path) -> Path:
    """Write bench-detect-shots.csv, .json and .html to the folder `out`, which is made if missing; return the page."""
    head = ("method", "shots", "auc", "sd", "seeds", "seconds", "error")
    rows = (_row(one) for mine in found.levels.values() for one in mine)
    points = {
        name: [(one.shots, one.auc, one.sd or 0.0) for one in mine if one.auc is not None]
        for name, mine in found.levels.items()
    }
    picture = pictures.by_number(points, "images of each known class", "mean AUC")
    page = environment().get_template("bench_shots.html.jinja").render(found=found, picture=picture)
    made = {".csv": as_csv([head, *rows]).encode(), ".json": files.json_bytes(record(found)), ".html": page.encode()}
    files.write_together(out, {f"{NAME}{suffix}": data for suffix, data in made.items()})
    return out / f"{NAME}.html"


def _row(one: Level) -> tuple[object, ...]:
    auc, sd, seconds = ("" if x is None else f"{x:.4f}" for x in (one.auc, one.sd, one.seconds))
    return one.method, one.shots, auc, sd, len(one.aucs), seconds, show(one.error, 1000)
