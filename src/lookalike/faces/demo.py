"""`lookalike demo`: several methods on scikit-learn's digits, which need no download."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lookalike.base.arrays import Report
from lookalike.data import read
from lookalike.methods import METHODS as GANS
from lookalike.report import write
from lookalike.runs.run import run as train
from lookalike.runs.settings import train_settings
from lookalike.use.evaluate import evaluate

# known class, extra fakes of the method that needs some, unknown class
PAIRS = (("3", "8", "8"), ("9", "7", "7"))
METHODS = ("anogan", "noisegan", "mcgan", "vtgan", "pca", "knn", "auto")
# as many images as three minutes on two cores allow
SETTINGS: dict[str, Any] = {"size": "8,8", "test": 0.3, "images": 12_000}
HELD_OUT = 0.25  # of the images beside the test images, for the threshold of a GAN


def run(out: Path, report: Report) -> tuple[list[dict[str, Any]], Path]:
    """Trains and evaluates every method on every pair; returns the figures and the path of the report.

    A demo that was stopped goes on where it was.
    """
    rows = []
    folders = []
    images = read("digits")
    for known, extra_fakes, unknown in PAIRS:
        for method in METHODS:
            folder = out / f"{known}-{unknown}-{method}"

            def named(stage: str, done: int, of: int, name: str = folder.name) -> None:
                report(f"{name}: {stage}", done, of)

            needs_others = method in GANS and GANS[method].needs_others
            settings = train_settings(
                known=(known,),
                method=method,
                extra_fakes=(extra_fakes,) if needs_others else (),
                calibration=HELD_OUT if method in GANS else None,
                **SETTINGS,
            )
            train("digits", settings, folder, command=("lookalike", "demo"), report=named)
            rows.append(evaluate(folder, images, unknown=unknown, report=named))
            folders.append(folder)
    return [row | {"known": row["known"][0], "unknown": row["unknown"][0]} for row in rows], write(
        folders, out / "report.html"
    )
