"""Images of a plan, block by block, with the progress said."""

from __future__ import annotations

from collections.abc import Iterator

from lookalike.base.arrays import Index, Pixels, Report
from lookalike.runs.plan import Plan

BLOCK = 256  # images


def blocks(plan: Plan, rows: Index, stage: str, report: Report) -> Iterator[Pixels]:
    """The images of these rows, in their order."""
    for start in range(0, len(rows), BLOCK):
        report(stage, start, len(rows))
        yield plan.images.pixels[rows[start : start + BLOCK]]
