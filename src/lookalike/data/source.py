"""What every reader returns: a `Source` with the names and labels of N images and a function to decode them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from lookalike.base.errors import DataError, show
from lookalike.base.unicode import composed
from lookalike.data.groups import Groups

UNLABELLED = -1
Wanted = npt.NDArray[np.bool_]  # (N,), which of a source's images to decode


class Refused(Exception):  # noqa: N818  it is an outcome, not an error: it becomes Skipped or DataError
    """Why one image cannot be used: a phrase without the image's name."""


@dataclass(frozen=True)
class Skipped:
    """A file that was not used, and why; `name` may hold surrogates and escapes, so print it through `errors.show`."""

    name: str
    reason: str


@dataclass(frozen=True, eq=False)
class Picture:
    """One decoded image and its facts: `pixels` is uint8 (H, W, 1 or 3), or float32 (F,) for a vector."""

    pixels: npt.NDArray[np.uint8] | npt.NDArray[np.float32]
    format: str
    mode: str
    transparent: bool = False
    """The image has transparency, which is laid on white."""
    frames: bool = False
    """The file holds more frames or pages after the first."""
    icc: bool = False
    """The file has a colour profile, which is ignored."""
    turned: bool = False
    """The EXIF orientation was applied."""
    reduced: bool = False
    """It was so large that it was decoded at a smaller size."""
    renamed: bool = False
    """The suffix names another format than that of the content."""
    values: tuple[float, float] | None = None
    """The least and the largest stored value, where these are not of 8 bits; two ints of whole numbers."""


@dataclass(frozen=True, eq=False)
class Source:
    """N images in a fixed order, decoded when they are iterated."""

    classes: tuple[str, ...]
    names: tuple[str, ...]
    labels: npt.NDArray[np.int64]
    decode: Callable[[Wanted], Iterator[Picture | Skipped]]
    """Yields the wanted images in order; the files of other images are not opened."""
    measure: Callable[[Wanted], Iterator[tuple[int, int]]]
    """Yields (H, W) of each wanted image, or of one for all, without decoding; nothing for vectors."""
    vectors: bool = False
    test: npt.NDArray[np.bool_] | None = None
    ignored: tuple[Skipped, ...] = ()
    groups: Groups | None = None
    notes: tuple[str, ...] = ()
    """What the user should know of how the source was read, one printable line each."""

    def __len__(self) -> int:
        return len(self.names)

    def pictures(self) -> Iterator[Picture | Skipped]:
        """Yield all images, decoded one by one; an unreadable image is a `Skipped`."""
        return self.decode(np.ones(len(self), np.bool_))

    def sizes(self) -> Iterator[tuple[int, int]]:
        """Yield the result of `measure` for all images."""
        return self.measure(np.ones(len(self), np.bool_))

    def only(self, classes: Iterable[str]) -> Source:
        """Return the images of these classes, with the same label numbers; no other image is decoded or opened."""
        return self.select(np.flatnonzero(np.isin(self.labels, [self.classes.index(name) for name in classes])))

    def select(self, rows: npt.NDArray[np.int64]) -> Source:
        """Return the images of these numbers, which rise; no other image is decoded or opened."""

        def here(wanted: Wanted) -> Wanted:
            found = np.zeros(len(self), np.bool_)
            found[rows[wanted]] = True
            return found

        return replace(
            self,
            names=tuple(self.names[i] for i in rows),
            labels=self.labels[rows],
            decode=lambda wanted: self.decode(here(wanted)),
            measure=lambda wanted: self.measure(here(wanted)),
            test=None if self.test is None else self.test[rows],
            groups=None if self.groups is None else self.groups.select(rows),
        )


def reasons(ignored: Iterable[Skipped]) -> dict[str, int]:
    """Return reason -> number of ignored entries, the most frequent reason first."""
    return dict(Counter(entry.reason for entry in ignored).most_common())


def left_out(ignored: Iterable[Skipped]) -> str:
    """Return in parentheses, after a space, what was left out and why; "" where nothing was."""
    left = ", ".join(f"left out ({reason}): {n}" for reason, n in reasons(ignored).items())
    return f" ({left})" if left else ""


def check_classes(classes: tuple[str, ...], where: str) -> None:
    """Raise DataError for a class name that is empty, or equal to another but for case or Unicode form."""
    seen: dict[str, str] = {}
    for name in classes:
        folded = composed(name).casefold()
        if not name:
            raise DataError(f"{where}: a class has an empty name; give it one")
        if folded in seen:
            both = f"'{show(seen[folded])}' and '{show(name)}'"
            raise DataError(f"{where}: classes {both} differ only in case or Unicode form; rename one of them")
        seen[folded] = name


def check_counts(source: Source, where: str) -> None:
    """Raise DataError with the name of the first class that has no image."""
    counts = np.bincount(source.labels[source.labels >= 0], minlength=len(source.classes))
    for name, count in zip(source.classes, counts, strict=True):
        if count == 0:
            raise DataError(
                f"{where}: class '{show(name)}' has no image{left_out(source.ignored)}; add images, or pass "
                "--allow-empty-class"
            )
