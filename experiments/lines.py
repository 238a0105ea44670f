"""What the studies share: lines of figures, their mean, and the file that holds them."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

Line = Mapping[str, str | int]


def mean(lines: Sequence[Line], figures: Sequence[str]) -> dict[str, str]:
    """The means of these figures over all lines, with three digits."""
    return {name: f"{np.mean([float(line[name]) for line in lines]):.3f}" for name in figures}


def save(name: str, lines: Sequence[Line]) -> None:
    """Writes experiments/results/`name`.csv; the first line's keys are its columns."""
    with (Path(__file__).parent / "results" / f"{name}.csv").open("w", newline="") as out:
        writer = csv.DictWriter(out, list(lines[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)
