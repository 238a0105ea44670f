"""metrics.jsonl of a run folder: a line of figures now and then during a training."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from lookalike.base import files
from lookalike.base.strict import parse_json
from lookalike.game.train import Progress
from lookalike.runs.folder import METRICS, METRICS_LIMIT


def begin(folder: Path, images: int = -1) -> None:
    """Drops lines beyond so many images, and a line that a kill cut short. The training writes them again."""
    path = folder / METRICS
    if not path.exists():
        return
    kept = []
    for line in files.read_bytes(path, METRICS_LIMIT).splitlines(keepends=True):
        try:
            beyond = parse_json(line)["images"] > images
        except (ValueError, TypeError, LookupError):
            break
        if beyond or not line.endswith(b"\n"):
            break
        kept.append(line)
    files.write_bytes(path, b"".join(kept))


def add(folder: Path, progress: Progress, seconds: float, more: Mapping[str, float] | None = None) -> None:
    """Adds a line: step, images shown, seconds, the step's metrics, and `more`."""
    row = {"step": progress.step, "images": progress.images, "seconds": round(seconds, 3), **progress.metrics}
    files.append_line(folder / METRICS, json.dumps({**row, **(more or {})}))
