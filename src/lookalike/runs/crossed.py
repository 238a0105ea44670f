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
from lookalike.detect.openset import OpenSet, score_each
from lookalike.runs.blocks import blocks
from lookalike.runs.plan import Plan


def crossed(plan: Plan, report: Report) -> tuple[Detector, Floats]:
    """The detector, and float64 (n,) scores of its n calibration images, each by what the others teach.

    Of several known classes each has a detector. The images of a class are scored as left out by its own detector, and
    as new ones by those of the other classes; these scores join the detectors.
    """
    rows, settings = plan.rows.train, plan.recipe.settings
    if len(plan.known) == 1:
        return _of_class(plan, rows, "training", report)
    labels = plan.numbered(rows)
    left_out, members = np.empty(len(rows)), dict[str, Detector]()
    for k, name in enumerate(plan.known):
        mine = labels == k
        members[name], left_out[mine] = _of_class(plan, rows[mine], f"{show(name)}: training", report)
    parts = blocks(plan, rows, "scoring", report)
    new = np.concatenate([np.stack([said.score for said in score_each(members, part)], 1) for part in parts])
    raw = np.where(labels[:, None] == np.arange(len(plan.known)), left_out[:, None], new)
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
