"""What the metrics of a training warn of: mode collapse, dropped classes, and a D that wins.

It follows from metrics.jsonl alone. So a resumed run says what an uninterrupted one says, and the report says it too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from lookalike.base.errors import show
from lookalike.base.words import percent
from lookalike.runs.folder import Metrics

VARIETY, RECOGNISED = "variety", "recognised"  # columns of a whole G; of a class with "/" and its name
COLLAPSED = 0.3  # of the mean distance of two real images, as `lookalike augment` judges too
DROPPED = 0.1  # of how often the class is recognised among real images
LOSSES = ("minimax", "hinge", "relativistic")  # D's loss is 0 where D is sure of each image, and 0.7 to 2 where unsure
WON, LINES = 0.05, 10  # the mean of D's loss over so many lines of metrics
LEAST = 2000  # images shown: before, G's images hardly differ because it has hardly learnt
NAMED = 10  # classes in one sentence

Kind = Literal["collapsed", "dropped", "won"]


@dataclass(frozen=True)
class Finding:
    """What is wrong, and the figure of each class that it is wrong with; of the whole GAN under ""."""

    kind: Kind
    figures: Mapping[str, float]

    def __str__(self) -> str:
        value = self.figures.get("", 0.0)
        classes = ", ".join(f"{show(name, 60)} ({percent(x)})" for name, x in list(self.figures.items())[:NAMED])
        classes += f" and {len(self.figures) - NAMED} more" if len(self.figures) > NAMED else ""
        match self.kind:
            case "collapsed" if "" in self.figures:
                return f"mode collapse: the variety of G's images is {percent(value)} of that of real ones"
            case "collapsed":
                return (
                    f"mode collapse: the variety of G's images is less than {percent(COLLAPSED)} of that of real ones "
                    f"in {classes}"
                )
            case "dropped":
                return (
                    f"dropped classes: among G's images less than {percent(DROPPED)} as often recognised as among real "
                    f"ones are {classes}"
                )
            case "won":
                return f"D wins: its loss has fallen to {value:.2g}, so that G hardly learns"


def findings(metrics: Metrics, grids: int = 1) -> Iterator[Finding]:
    """What the last figures of a training say, each of the last `grids` times that they were taken."""
    limits: tuple[tuple[Kind, str, float], ...] = (
        ("collapsed", VARIETY, COLLAPSED),
        ("dropped", RECOGNISED, DROPPED),
    )
    for kind, figure, limit in limits:
        columns = by_class(metrics, figure)
        late = {name: y[-grids:] for name, (x, y) in columns.items() if len(y) >= grids and x[-grids] >= LEAST}
        if low := {name: y[-1] for name, y in late.items() if max(y) < limit}:
            yield Finding(kind, low)
    for name in LOSSES:
        x, y = metrics.columns.get(f"D.{name}", ([], []))
        if len(y) >= LINES and x[-1] >= LEAST and (mean := sum(y[-LINES:]) / LINES) < WON:
            yield Finding("won", {"": mean})


def by_class(metrics: Metrics, figure: str) -> dict[str, tuple[list[float], list[float]]]:
    """The columns of `VARIETY` or `RECOGNISED` by class, that of a whole G under ""."""
    split = {name: name.partition("/") for name in metrics.columns}
    return {of: metrics.columns[name] for name, (first, _, of) in split.items() if first == figure}
