"""A baseline that learns from all known images, and the scores of these images that set its threshold."""

from __future__ import annotations

from typing import Any

import numpy as np

from lookalike.base.arrays import Floats, Report
from lookalike.base.errors import show
from lookalike.data.images import Selection
from lookalike.detect.baselines import cross, networks
from lookalike.detect.detector import Detector
from lookalike.detect.join import Join
from lookalike.detect.openset import OpenSet
from lookalike.runs.plan import Plan

BLOCK = 256  # images scored at once


def crossed(plan: Plan, report: Report) -> tuple[Detector, Floats]:
    """The detector, and float64 (n,) scores of its n calibration images, each by what the others teach.

    Of several known classes each has a detector. The images of a class are scored as left out by its own detector, and
    as new ones by those of the other classes; these scores join the detectors.
    """
    rows, settings = plan.rows.train, plan.recipe.settings
    if len(plan.known) == 1:
        return _of_class(plan, rows, "training", report)
    labels = plan.numbered(rows)
    raw, members = np.empty((len(rows), len(plan.known))), dict[str, Detector]()
    for k, name in enumerate(plan.known):
        mine = labels == k
        detector, raw[mine, k] = _of_class(plan, rows[mine], f"{show(name)}: training", report)
        raw[~mine, k] = _scores(plan, detector, rows[~mine], f"{show(name)}: scoring", report)
        members[name] = detector
    join = Join.fit(raw, labels, scaling=settings.scaling, decides=settings.decides)
    scaled, shares = join(raw)
    return OpenSet(members, join), scaled[np.arange(len(rows)), shares.argmax(1)]


def _of_class(plan: Plan, rows: Any, stage: str, report: Report) -> tuple[Detector, Floats]:
    """The detector of these images."""
    report(stage, 0, len(rows))
    baseline, pixels = plan.recipe.baseline, plan.images.pixels
    known: Any = Selection(pixels, rows) if baseline.side is not None else pixels[rows]  # large ones are not copied
    with networks.telling(lambda done, of: report(stage, done, of)):
        return cross.crossed(baseline, known, plan.recipe.settings.seed)


def _scores(plan: Plan, detector: Detector, rows: Any, stage: str, report: Report) -> Floats:
    """Scores of images that the detector has not seen."""
    found = []
    for start in range(0, len(rows), BLOCK):
        report(stage, start, len(rows))
        found.append(detector.score(plan.images.pixels[rows[start : start + BLOCK]]).score)
    return np.concatenate(found)
