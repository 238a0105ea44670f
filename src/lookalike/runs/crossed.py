"""A baseline that learns from all known images, and the scores of these images that set its threshold."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from lookalike.base.arrays import Floats, Index, Labels, Report
from lookalike.base.errors import show
from lookalike.data.images import Selection
from lookalike.detect.baselines import cross, networks
from lookalike.detect.baselines.auto import AutoBaseline
from lookalike.detect.detector import Detector
from lookalike.detect.join import Join
from lookalike.detect.kinds import Kinds, Nearest, filled_in
from lookalike.detect.on_features import raw_of_each
from lookalike.detect.openset import OpenSet, score_each
from lookalike.runs.blocks import blocks
from lookalike.runs.plan import Plan


def crossed(plan: Plan, report: Report) -> tuple[Detector, Floats]:
    """The detector, and float64 (n,) scores of its n calibration images, each by what the others teach.

    Of several known classes each has a detector. The images of a class are scored as left out by its own detector, and
    as new ones by those of the other classes; these scores join the detectors. Where the images have groups, all these
    scores are by what other groups teach.
    """
    rows, settings = plan.rows.train, plan.recipe.settings
    if len(plan.known) == 1:
        with _telling("training", len(rows), report):
            return cross.crossed(plan.recipe.baseline, _known(plan, rows), settings.seed, _groups(plan))
    labels = plan.numbered(rows)
    if kinds := _kinds(plan, labels, report):
        return _joined(plan, kinds, labels, report)
    members, raw = (_by_image if plan.images.groups is None else _by_group)(plan, labels, report)
    join = Join.fit(raw, labels, scaling=settings.scaling, decides=settings.decides)
    return OpenSet(members, join), join.likely(raw)


def _kinds(plan: Plan, labels: Labels, report: Report) -> Kinds | None:
    """The detectors of all classes by a baseline that learns them together; where images have groups none does."""
    baseline, rows = plan.recipe.baseline, plan.rows.train
    if not isinstance(baseline, AutoBaseline) or plan.images.groups is not None:
        return None
    with _telling("training", len(rows), report):
        return baseline.learn_kinds(_known(plan, rows), labels, plan.recipe.settings.seed)


def _joined(plan: Plan, kinds: Kinds, labels: Labels, report: Report) -> tuple[OpenSet, Floats]:
    """As `crossed`, of these detectors."""
    parts = [raw_of_each(kinds.detectors, part) for part in blocks(plan, plan.rows.train, "scoring", report)]
    new = [
        {member: np.concatenate([part[k][member] for part in parts]) for member in parts[0][k]}
        for k in range(len(plan.known))
    ]
    raw = filled_in(new, kinds.left_out, labels, np.arange(len(labels)))
    each = [one.joined({member: raw[member][:, k] for member in raw}).score for k, one in enumerate(kinds.detectors)]
    settings = plan.recipe.settings
    scores = np.stack(each, 1)
    join = Join.fit(scores, labels, scaling=settings.scaling, decides=settings.decides)
    likely = join.likely(scores)
    nearest = Nearest.of(kinds.near, raw, likely, kinds.share)
    members = dict(zip(plan.known, kinds.detectors, strict=True))
    return OpenSet(members, join, nearest), nearest(nearest.away(raw), likely)


def _by_image(plan: Plan, labels: Labels, report: Report) -> tuple[dict[str, Detector], Floats]:
    """The detector of each class, and the scores (n, K) of all images by each."""
    rows, members, left_out = plan.rows.train, dict[str, Detector](), np.empty(len(plan.rows.train))
    for k, name in enumerate(plan.known):
        mine = labels == k
        with _telling(f"{show(name)}: training", int(mine.sum()), report):
            given = plan.recipe.baseline, _known(plan, rows[mine]), plan.recipe.settings.seed
            members[name], left_out[mine] = cross.crossed(*given)
    parts = blocks(plan, rows, "scoring", report)
    new = np.concatenate([np.stack([said.score for said in score_each(members, part)], 1) for part in parts])
    return members, np.where(labels[:, None] == np.arange(len(plan.known)), left_out[:, None], new)


def _by_group(plan: Plan, labels: Labels, report: Report) -> tuple[dict[str, Detector], Floats]:
    """As `_by_image`, where all images of a group are left out together, those of other classes too."""
    rows, members, raw = plan.rows.train, dict[str, Detector](), np.empty((len(labels), len(plan.known)))
    groups = _groups(plan)
    assert groups is not None, "crossed asks first"
    for k, name in enumerate(plan.known):
        mine = np.flatnonzero(labels == k)
        with _telling(f"{show(name)}: training", len(mine), report):
            given = plan.recipe.baseline, _known(plan, rows), plan.recipe.settings.seed, groups, mine
            members[name], raw[:, k] = cross.by_group(*given)
    return members, raw


def _groups(plan: Plan) -> Labels | None:
    """(n,) the group of each training image as a number, where they have groups."""
    if plan.images.groups is None:
        return None
    return np.unique([plan.images.groups.of[row] for row in plan.rows.train], return_inverse=True)[1]


@contextmanager
def _telling(stage: str, images: int, report: Report) -> Iterator[None]:
    """Networks tell how far they are."""
    report(stage, 0, images)
    with networks.telling(lambda done, of: report(stage, done, of)):
        yield


def _known(plan: Plan, rows: Index) -> Any:
    """These images; large ones are not copied."""
    return Selection(plan.images.pixels, rows) if plan.recipe.baseline.side is not None else plan.images.pixels[rows]
