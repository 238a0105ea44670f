"""A check before any training: it decodes every image once and says what is there, odd or unusable."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from lookalike.base.names import Aspect
from lookalike.data import gate
from lookalike.data.images import content_key
from lookalike.data.levels import Levels
from lookalike.data.load import grouped
from lookalike.data.oddities import levels, lines, oddities
from lookalike.data.similar import Pattern, near_duplicates, pattern
from lookalike.data.sizes import spread_of, text
from lookalike.data.source import Picture, Skipped, Source, reasons
from lookalike.data.sources import Size, open_source

Groups = tuple[tuple[str, ...], ...]
NEAR = (
    "nearly like an earlier image: the same photograph again, or equal things before a fixed camera; 'train --group' "
    "keeps images of one thing on one side of every split"
)


@dataclass
class Check:
    """What `check` found; counts are of readable images unless a field says otherwise.

    Attributes
    ----------
    classes : class name -> number of images
    groups : class name -> number of groups, where images have groups
    images, official_test : the sum over all classes, and how many of them the source calls test images
    channels : 1 when every image is grey, else 3; None for vectors
    grey : images without colour, those that are stored in colour too
    sizes, modes, formats : size "H x W", the file's own colour mode, and the file format -> number of images
    transparent : images with transparency, which is laid on white
    frames : images with more than one frame, of which the first is used
    icc : images with a colour profile, which is ignored
    turned : images with an EXIF orientation, which is applied
    renamed : images whose suffix names another format than their content; the content decides
    reduced : images that are so large that they are decoded at a smaller size
    deep : images with 16 bits per value, of which 8 are kept
    upscaled, shrunk : images that would grow, or shrink, more than 4 times in height or width at the given size
    layout : how the images lie, where that is not in one folder per class, one line each
    squashed : images whose aspect would change more than 2 times at the given size
    levels : the values of the images as they are stored, and the grey levels that they become
    duplicates : groups of names of exactly equal images within one class
    two_labels : groups of names of equal images that stand in several classes
    near : names of images that are nearly like an earlier one, not exactly, each with that one's name
    repeated_in_test : groups of names of equal images that stand in both the official training and test part
    unreadable, ignored : files that cannot be used, and entries that are no images, each with the reason
    """

    source: str
    classes: dict[str, int]
    groups: dict[str, int] = field(default_factory=dict)
    images: int = 0
    official_test: int | None = None
    channels: int | None = None
    grey: int = 0
    sizes: dict[str, int] = field(default_factory=dict)
    modes: dict[str, int] = field(default_factory=dict)
    formats: dict[str, int] = field(default_factory=dict)
    transparent: int = 0
    frames: int = 0
    icc: int = 0
    turned: int = 0
    renamed: int = 0
    reduced: int = 0
    deep: int = 0
    upscaled: int = 0
    shrunk: int = 0
    layout: tuple[str, ...] = ()
    squashed: int = 0
    levels: Levels = Levels()
    duplicates: Groups = ()
    two_labels: Groups = ()
    repeated_in_test: Groups = ()
    near: Groups = ()
    unreadable: tuple[Skipped, ...] = ()
    ignored: tuple[Skipped, ...] = ()

    def ignored_reasons(self) -> dict[str, int]:
        """Return reason -> number of ignored entries, the most frequent reason first."""
        return reasons(self.ignored)

    def counts(self) -> dict[Size, int]:
        """Return size (H, W) -> number of images."""
        pairs = ((key.split(" x "), number) for key, number in self.sizes.items())
        return {(int(height), int(width)): number for (height, width), number in pairs}

    def json(self) -> dict[str, Any]:
        """Return all fields as JSON values; names may hold surrogates, so the JSON must be written as ASCII."""
        spread = asdict(spread_of(self.counts())) if self.sizes else None
        return asdict(self) | {"ignored_reasons": self.ignored_reasons(), "spread": spread}

    def about(self) -> tuple[str, ...]:
        """Return the sizes, aspects and colours of the images, in a line or two; nothing for vectors."""
        if not self.sizes:
            return ()
        spread, colour = spread_of(self.counts()), self.images - self.grey
        if len(self.sizes) == 1:
            sizes = text(spread.least)
        else:
            least, middle, largest = map(text, (spread.least, spread.median, spread.largest))
            aspects = "width / height of nine in ten {:.2f} to {:.2f}".format(*spread.aspects)
            sizes = f"{least} to {largest}, median {middle}; {aspects}"
        if colour and self.grey:
            return f"sizes: {sizes}", f"colours: {colour:,} in colour, {self.grey:,} grey"
        stored = ", though stored in colour: --grey makes training cheaper" if self.channels == 3 else ""
        return f"sizes: {sizes}", "colours: " + ("colour" if colour else f"grey{stored}")

    def notes(self) -> tuple[str, ...]:
        """Return what the user should know, one printable line each."""
        counted = (
            (len(self.unreadable), "unreadable"),
            (len(self.two_labels), "under two labels or more"),
            (sum(len(group) - 1 for group in self.duplicates), "exactly like another image of the same class"),
            (len(self.repeated_in_test), "in both the official training and test part"),
            (len(self.near), NEAR),
            (len(self.ignored), "ignored (" + ", ".join(self.ignored_reasons()) + ")"),
        )
        said = (f"{count:,} {text}" for count, text in counted if count)
        return (*self.layout, *said, *lines(vars(self)), *levels(self.levels))


def check(
    source: str | Path,
    *,
    size: Size | None = None,
    labelled: bool = True,
    value_range: gate.ValueRange | None = None,
    allow_empty_class: bool = False,
    group: str | None = None,
    aspect: Aspect = "squash",
) -> Check:
    """Decode every image of `source` once, one at a time, and return what was found.

    Unreadable images do not raise an error; they are listed in `Check.unreadable`.

    Parameters
    ----------
    source, labelled, value_range, allow_empty_class, group : as for `read`
    size, aspect : (H, W), and how images are brought to it; used only to count those that would grow or shrink much

    Raises
    ------
    DataError
        When the source itself cannot be used, as for `read`.
    UsageError
        As for `read`.
    """
    opened = open_source(source, labelled=labelled, value_range=value_range, allow_empty_class=allow_empty_class)
    opened = opened if group is None else grouped(opened, group, opened.classes)
    found = Check(str(source), dict.fromkeys(opened.classes, 0), ignored=opened.ignored, layout=opened.notes)
    found.levels = Levels(value_range=value_range)
    if opened.groups is not None:
        mine = {name: np.flatnonzero(opened.labels == number) for number, name in enumerate(opened.classes)}
        found.groups = {name: len(opened.groups.names(rows)) for name, rows in mine.items()}
    unreadable: list[Skipped] = []
    same: dict[str, list[int]] = defaultdict(list)
    patterns: dict[int, Pattern] = {}  # of the first of equal images
    for number, item in enumerate(opened.pictures()):
        if isinstance(item, Skipped):
            unreadable.append(item)
        else:
            equal = same[content_key(item.pixels)]
            equal.append(number)
            if len(equal) == 1 and item.pixels.ndim == 3:
                patterns[number] = pattern(item.pixels)
            _count(found, item, size, aspect)
    found.unreadable = tuple(unreadable)
    _compare(found, opened, list(same.values()))
    numbers, pairs = list(patterns), near_duplicates(list(patterns.values()))
    found.near = tuple((opened.names[numbers[one]], opened.names[numbers[other]]) for one, other in pairs)
    return found


def _count(found: Check, picture: Picture, size: Size | None, aspect: Aspect) -> None:
    """Add the facts of one image to the counts."""
    found.images += 1
    for counter, value in ((found.modes, picture.mode), (found.formats, picture.format)):
        counter[value] = counter.get(value, 0) + 1
    for oddity in oddities(picture, size, aspect):
        setattr(found, oddity, getattr(found, oddity) + 1)
    found.levels = found.levels.with_picture(picture)
    if picture.pixels.ndim == 3:
        height, width, channels = picture.pixels.shape
        found.sizes[f"{height} x {width}"] = found.sizes.get(f"{height} x {width}", 0) + 1
        found.channels = max(found.channels or 1, channels)
        found.grey += bool((picture.pixels == picture.pixels[..., :1]).all())


def _compare(found: Check, opened: Source, same: list[list[int]]) -> None:
    """Add the counts per class and the groups of equal images; `same` holds the image numbers per content key."""
    readable = np.array([number for group in same for number in group], dtype=np.int64)
    for name, label in zip(opened.classes, range(len(opened.classes)), strict=True):
        found.classes[name] = int(np.count_nonzero(opened.labels[readable] == label))
    if opened.test is not None:
        found.official_test = int(np.count_nonzero(opened.test[readable]))
    groups = [group for group in same if len(group) > 1]

    def named(chosen: Iterable[list[int]]) -> Groups:
        return tuple(tuple(opened.names[number] for number in group) for group in chosen)

    found.duplicates = named(group for group in groups if len(set(opened.labels[group].tolist())) == 1)
    found.two_labels = named(group for group in groups if len(set(opened.labels[group].tolist())) > 1)
    if opened.test is not None:
        found.repeated_in_test = named(group for group in groups if len(set(opened.test[group].tolist())) > 1)
