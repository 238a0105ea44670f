"""`lookalike demo`: methods on scikit-learn's digits and photographs, which need no download."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lookalike.base.arrays import Report
from lookalike.base.files import make_folder
from lookalike.detect.model import Model
from lookalike.faces import defects
from lookalike.methods import METHODS as GANS
from lookalike.report import write
from lookalike.runs.run import run as train
from lookalike.runs.settings import TrainSettings, train_settings
from lookalike.use import scorefile
from lookalike.use.evaluate import evaluate

# known class, extra fakes of the method that needs some, unknown class
PAIRS = (("3", "8", "8"), ("9", "7", "7"))
METHODS = ("anogan", "noisegan", "mcgan", "vtgan", "pca", "knn", "auto")
# as many images as three minutes on two cores allow
SETTINGS: dict[str, Any] = {"size": "8,8", "test": 0.3, "images": 12_000}
HELD_OUT = 0.25  # of the images beside the test images, for the threshold of a GAN

ON_PHOTOGRAPHS = ("auto", "knn")  # the first makes the heat maps
HEAT_MAPS = "heat-maps"

Row = dict[str, Any]


def run(out: Path, report: Report) -> tuple[list[Row], Path]:
    """Trains and evaluates methods on digits and on photographs; returns the figures and the path of the report.

    The report begins with the photographs. A demo that was stopped goes on where it was.
    """
    digits, photographs = of_digits(out, report), of_photographs(out, report)
    folders = [out / row["run"] for row in (*photographs, *digits)]
    return digits + photographs, write(folders, out / "report.html")


def of_digits(out: Path, report: Report) -> list[Row]:
    """The figures of every method on every pair of digits; their run folders lie in `out`."""
    rows = []
    for known, extra_fakes, unknown in PAIRS:
        for method in METHODS:
            needs_others = method in GANS and GANS[method].needs_others
            settings = train_settings(
                known=(known,),
                method=method,
                extra_fakes=(extra_fakes,) if needs_others else (),
                calibration=HELD_OUT if method in GANS else None,
                **SETTINGS,
            )
            rows.append(measured("digits", settings, unknown, out, report))
    return rows


def of_photographs(out: Path, report: Report) -> list[Row]:
    """The figures of methods that learn the crops of a photograph and look for drawn defects.

    The crops and the masks of the defects are written to out/photographs. The scores of the crops with a defect, and
    their heat maps, are written to out/heat-maps.
    """
    folder, rows = out / "photographs", []
    if not folder.exists():
        defects.write(folder)
    images = folder / defects.IMAGES
    for known in defects.CLASSES:
        unknown = defects.DEFECTIVE.format(known)
        for method in ON_PHOTOGRAPHS:
            settings = train_settings(known=(known,), method=method, test=SETTINGS["test"])
            rows.append(measured(images, settings, unknown, out, report, masks=folder / defects.MASKS))
        scores = make_folder(out / HEAT_MAPS) / f"{unknown}.csv"
        if not scores.exists():
            model = Model.load(out / _name(known, unknown, ON_PHOTOGRAPHS[0]))
            scorefile.write(model, images / unknown, scores, heat_maps=scores.with_suffix(""), report=report)
    return rows


def measured(
    data: str | Path, settings: TrainSettings, unknown: str, out: Path, report: Report, *, masks: Path | None = None
) -> Row:
    """Trains in a run folder of `out`, which the row names as "run", and returns the figures."""
    known = settings.known[0]
    name = _name(known, unknown, settings.method)

    def named(stage: str, done: int, of: int) -> None:
        report(f"{name}: {stage}", done, of)

    train(data, settings, out / name, command=("lookalike", "demo"), report=named)
    figures = evaluate(out / name, data, unknown=unknown, masks=masks, report=named)
    return figures | {"known": known, "unknown": unknown, "run": name}


def _name(known: str, unknown: str, method: str) -> str:
    return f"{known}-{unknown}-{method}"
