"""A baseline that learns from all known images, and the scores of these images that set its threshold."""

from __future__ import annotations

from typing import Any

import numpy as np

from lookalike.base.arrays import Floats, Index, Report
from lookalike.base.errors import show
from lookalike.data.images import Selection
from lookalike.detect.baselines import cross, networks
from lookalike.detect.detector import Detector
from lookalike.detect.join import Join
from lookalike.detect.openset import OpenSet
from lookalike.runs.plan import Plan


def crossed(plan: Plan, report: Report) -> tuple[Detector, Floats]:
    """The detector, and float64 (n,) scores of its n calibration images, each by what the others teach.

    Of several known classes each has a detector. The images of a class are scored as left out by its own detector, and
    as new ones by those of the other classes; these scores join the detectors. Where the images have groups, all these
    scores are by what other groups teach.
    """
    rows, settings = plan.rows.train, plan.recipe.settings
    of_class = _by_image if plan.images.groups is None else _by_group
    if len(plan.known) == 1:
        return of_class(plan, rows, np.arange(len(rows)), "", report)
    labels = plan.numbered(rows)
    raw, members = np.empty((len(rows), len(plan.known))), dict[str, Detector]()
    for k, name in enumerate(plan.known):
        members[name], raw[:, k] = of_class(plan, rows, np.flatnonzero(labels == k), f"{show(name)}: ", report)
    join = Join.fit(raw, labels, scaling=settings.scaling, decides=settings.decides)
    scaled, shares = join(raw)
    return OpenSet(members, join), scaled[np.arange(len(rows)), shares.argmax(1)]


def _by_image(plan: Plan, rows: Index, mine: Index, of: str, report: Report) -> tuple[Detector, Floats]:
    """The detector of the images `mine` among `rows`, and the scores of all rows."""
    others, score = np.setdiff1d(np.arange(len(rows)), mine), np.empty(len(rows))
    report(f"{of}training", 0, len(mine))
    with networks.telling(lambda done, of_all: report(f"{of}training", done, of_all)):
        detector, score[mine] = cross.crossed(plan.recipe.baseline, _known(plan, rows[mine]), plan.recipe.settings.seed)
    score[others] = cross.scored(
        detector, plan.images.pixels, rows[others], lambda done: report(f"{of}scoring", done, len(others))
    )
    return detector, score


def _by_group(plan: Plan, rows: Index, mine: Index, of: str, report: Report) -> tuple[Detector, Floats]:
    """As `_by_image`, where all images of a group are left out together."""
    assert plan.images.groups is not None, "crossed asks first"
    groups = np.unique([plan.images.groups.of[row] for row in rows], return_inverse=True)[1]
    report(f"{of}training", 0, len(mine))
    with networks.telling(lambda done, of_all: report(f"{of}training", done, of_all)):
        given = plan.recipe.baseline, _known(plan, rows), plan.recipe.settings.seed, groups
        return cross.crossed(*given) if len(mine) == len(rows) else cross.by_group(*given, mine)


def _known(plan: Plan, rows: Index) -> Any:
    """These images; large ones are not copied."""
    return Selection(plan.images.pixels, rows) if plan.recipe.baseline.side is not None else plan.images.pixels[rows]
