"""The size at which each method reads images; `check` and `train` ask the same functions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from lookalike.base.arrays import Report
from lookalike.base.errors import UsageError, some
from lookalike.base.names import Aspect
from lookalike.data import Images, read
from lookalike.data.beyond import in_memory
from lookalike.data.load import chosen
from lookalike.data.oddities import MUCH, shrunk
from lookalike.data.sizes import Counts, own_size, small_size, text, usual_size
from lookalike.data.sources import Size, open_source
from lookalike.detect.baselines import BASELINES
from lookalike.runs.choices import net_of, preset_of, times
from lookalike.runs.presets import FROM, GROWTH
from lookalike.runs.settings import TrainSettings, train_settings

EXAMPLES = {
    "methods on features": "auto",
    "detectors on pixels": "knn",
    "GANs": "auto-gan",
}  # of families that read alike


@dataclass(frozen=True)
class Reading:
    """How a training reads images.

    Parameters
    ----------
    size : tuple of int
        (H, W) of all images.
    key_size : tuple of int or None
        (H, W) at which content keys are taken, so that methods that read at other sizes split alike; None: at `size`.
    """

    size: Size
    key_size: Size | None = None


def reading_of(counts: Counts, s: TrainSettings) -> Reading:
    """How a training with these settings reads images of these sizes.

    Unless the user gives a size, methods on features take the images' own, and others the preset's, which for GANs on
    photographs is larger.
    """
    if s.sides is not None:
        return Reading(s.sides)
    small = small_size(counts, preset_of(s)["side"], net_of(s).multiple)
    side = BASELINES[s.method].side if s.method in BASELINES else None
    if side is not None and counts:
        return Reading(own_size(counts, side), small)
    larger = times(s, (min(usual_size(counts)),) if counts else None)
    return Reading((larger * small[0], larger * small[1]), small if larger > 1 else None)


def size_by_family(counts: Counts) -> dict[str, Size]:
    """The size at which each family of methods would read images of these sizes, where no flag is given."""
    return {
        family: reading_of(counts, train_settings(known=("any",), method=method)).size
        for family, method in EXAMPLES.items()
    }


def said(counts: Counts, aspect: Aspect = "squash") -> Iterator[str]:
    """A line for each family: at which size its methods would read images of these sizes."""
    for family, size in size_by_family(counts).items():
        n = shrunk(counts, size, aspect)
        much = f", and {n:,} of them shrink more than {MUCH} times" if n else ""
        yield f"{family}, such as {EXAMPLES[family]}, read them at {text(size)}{much}"
    if max(size_by_family(counts)["GANs"]) >= FROM:
        yield GROWTH


def read_used(data: str | Path, s: TrainSettings, report: Report = lambda _stage, _done, _of: None) -> Images:
    """The images of the classes that train, at the size of the training; raises DataError as `read` does.

    Those that would take too much of the memory are a map of a file in the user's cache folder; `report` gets the
    progress of reading them there.
    """
    reading = reading_used(data, s)
    how = s.reading() | (asdict(reading) if reading else {})
    how |= {"most": in_memory(), "report": report}
    return read(data, channels=1 if s.grey else None, classes=_used(s), **how)


def reading_used(data: str | Path, s: TrainSettings) -> Reading | None:
    """How a training with these settings reads `data`; None for vectors. Raises DataError where they cannot be read."""
    source = open_source(data, value_range=s.low_high, allow_empty_class=s.allow_empty_class)
    need_known(s, source.classes)
    if source.vectors:
        return None
    counts = {} if s.sides else Counter(source.only(chosen(source, _used(s))).sizes())
    return reading_of(counts, s)


def need_known(s: TrainSettings, classes: Iterable[str]) -> None:
    """Raises UsageError where the settings name no known class; it lists those that are there."""
    if not s.known:
        raise UsageError(f"no known class was given; name one or several (--known): there are {some(classes)}")


def _used(s: TrainSettings) -> tuple[str, ...]:
    return (*s.known, *s.extra_fakes, *s.unlabelled)
