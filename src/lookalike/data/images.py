"""Images in memory with their labels, names and content keys, and the one function that scales them to [-1, 1]."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from numbers import Integral
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lookalike.base.arrays import Pixels
from lookalike.base.errors import DataError, show, some
from lookalike.base.names import Aspect
from lookalike.base.unicode import composed
from lookalike.data.groups import Groups, Rule
from lookalike.data.levels import Levels
from lookalike.data.source import Skipped

Given = str | int | Iterable[str | int]  # names of classes; a number is the class of that name

if TYPE_CHECKING:  # the data are read without torch
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class Images:
    """N images of one shape.

    Attributes
    ----------
    pixels : uint8 (N, C, H, W) where C is 1 or 3; for vectors float32 (N, F)
    labels : int64 (N,), the index into `classes`; -1 means no label
    classes : the class names in order
    names : relative path of each image, or its number ("00042") for arrays; print names through `show`
    test : bool (N,), True where the source calls the image a test image; None when there is no official split
    skipped : files that could not be read and were left out (`on_bad="skip"`)
    ignored : entries of the source that are no images, or are left out for another reason
    odd : name of an oddity in `lookalike.data.oddities` -> how many of the images have it
    sizes : (H, W) of images before they were resized -> how many had it; nothing where they were never read
    content : content key of each image where `pixels` must not give it, because scaling must not change the split
    key_size : (H, W) at which the content keys were taken, where `pixels` do not give them
    aspect : how images of another aspect than that of `pixels` were brought to it
    groups : the group of each image, which stays on one side of every split; None when each image stands for itself
    notes : what the user should know of how the source was read, one printable line each
    levels : the values of the images as they were stored, and the grey levels that they became
    """

    pixels: npt.NDArray[np.uint8] | npt.NDArray[np.float32]
    labels: npt.NDArray[np.int64]
    classes: tuple[str, ...]
    names: tuple[str, ...]
    test: npt.NDArray[np.bool_] | None = None
    skipped: tuple[Skipped, ...] = ()
    ignored: tuple[Skipped, ...] = ()
    odd: Mapping[str, int] = field(default_factory=dict)
    sizes: Mapping[tuple[int, int], int] = field(default_factory=dict)
    content: tuple[str, ...] | None = None
    key_size: tuple[int, int] | None = None
    aspect: Aspect = "squash"
    groups: Groups | None = None
    notes: tuple[str, ...] = ()
    levels: Levels = Levels()

    def __len__(self) -> int:
        return len(self.names)

    @property
    def shape(self) -> tuple[int, ...]:
        """Return (C, H, W) of each image, or (F,) for vectors."""
        return tuple(self.pixels.shape[1:])

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """Return the content key of each image at this size: 16 hex digits of SHA-256 over shape, dtype and bytes."""
        return self.content or tuple(content_key(image) for image in self.pixels)

    def select(self, index: npt.ArrayLike) -> Images:
        """Return the images at `index` (integers or a boolean mask), in that order; `ignored` and `skipped` stay."""
        index = np.asarray(index)
        # numpy reads an empty list as floats, which are no index.
        chosen = np.arange(len(self))[index if index.size else index.astype(np.int64)]
        return replace(
            self,
            pixels=self.pixels[chosen],
            labels=self.labels[chosen],
            names=tuple(self.names[i] for i in chosen),
            test=None if self.test is None else self.test[chosen],
            content=None if self.content is None else tuple(self.content[i] for i in chosen),
            groups=None if self.groups is None else self.groups.select(chosen),
        )

    def grouped(self, group: str) -> Images:
        """Return the images with the groups that a `--group` gives them; raises as `Rule.of` and `Rule.groups`."""
        of = Rule.of(group).groups(self.names, np.ones(len(self), np.bool_))
        return replace(self, groups=Groups.among(of, self.labels, self.classes, self.test))

    def of(self, *class_names: str | int) -> Images:
        """Return the images of these classes in their present order; the labels keep their meaning.

        Raises
        ------
        DataError
            For a class that does not exist; the message names those that do.
        """
        numbers = [_number(name, self.classes) for name in _texts(class_names)]
        return self.select(np.flatnonzero(np.isin(self.labels, numbers)))

    def pooled(self, class_names: Iterable[str], name: str) -> Images:
        """Return the images with these classes merged into one, the first, called `name`; the others keep their order.

        Raises
        ------
        DataError
            Where another class already has that name.
        """
        mine = {_number(each, self.classes) for each in class_names}
        others = [number for number in range(len(self.classes)) if number not in mine]
        if name in (self.classes[number] for number in others):
            raise DataError(f"classes cannot be merged into {show(name)}: another class has that name; rename it")
        number = {-1: -1} | dict.fromkeys(mine, 0) | {other: i for i, other in enumerate(others, 1)}
        labels = np.array([number[label] for label in self.labels.tolist()], np.int64)
        return replace(self, labels=labels, classes=(name, *(self.classes[other] for other in others)))

    def without(self, given: Given) -> Images:
        """Return the images of all other classes; names that do not exist change nothing (`names_of` splits them)."""
        dropped = set(_each(_texts(given), self.classes)) & set(self.classes)
        if not dropped:
            return self
        kept = [name for name in self.classes if name not in dropped]
        # -2 marks the dropped classes; the last entry keeps the label -1 as it is.
        number = np.array([kept.index(name) if name in kept else -2 for name in self.classes] + [-1], np.int64)
        labels = number[self.labels]
        return replace(self, labels=labels, classes=tuple(kept)).select(labels != -2)

    def names_of(self, given: Given) -> tuple[str, ...]:
        """Return class names in order, each once; a text may hold one name or several, separated by commas.

        A number is the class of that name.

        Raises
        ------
        DataError
            As for `of`.
        """
        return names_of(given, self.classes)


class Selection:
    """Some rows of an array of images, in an order of their own. Only what is read is copied.

    Parameters
    ----------
    pixels : ndarray or Selection
        (N, ...) the images.
    rows : ndarray
        (n,) integers.
    """

    def __init__(self, pixels: Pixels | Selection, rows: npt.NDArray[np.int64]) -> None:
        self.pixels, self.rows = pixels, rows

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def shape(self) -> tuple[int, ...]:
        """As that of an array."""
        return (len(self.rows), *self.pixels.shape[1:])

    def __getitem__(self, index: slice | npt.NDArray[np.int64]) -> Pixels:
        """A copy of the images at `index`."""
        return self.pixels[self.rows[index]]


def names_of(given: Given, classes: tuple[str, ...]) -> tuple[str, ...]:
    """Return the class names as `Images.names_of` does, from `classes`."""
    given = _texts(given)
    names = _each(given, classes)
    try:
        return tuple(classes[_number(name, classes)] for name in dict.fromkeys(names))
    except DataError as error:
        if names != list(given) and any("," in name for name in classes):
            raise DataError(f"{error}; give a name that holds a comma alone, in a flag of its own") from None
        raise


def _texts(given: Given) -> tuple[str, ...]:
    """Return one name or several as texts."""
    return tuple(str(name) for name in ((given,) if isinstance(given, str | int | Integral) else given))


def _each(given: Iterable[str], classes: tuple[str, ...]) -> list[str]:
    """Return the names in these texts, which hold one name or several separated by commas."""
    return [name for text in map(composed, given) for name in ([text] if text in classes else text.split(","))]


def _number(name: str, classes: tuple[str, ...]) -> int:
    name = composed(name)
    if name in classes:
        return classes.index(name)
    near = difflib.get_close_matches(name, classes, n=1)
    hint = f" did you mean '{show(near[0])}'?" if near else ""
    raise DataError(f"no class '{show(name)}';{hint} there are {some(classes)}")


def content_key(image: npt.NDArray[np.uint8] | npt.NDArray[np.float32]) -> str:
    """Return 16 hex digits of the SHA-256 over the shape, dtype and bytes of one array."""
    head = f"{image.shape} {image.dtype.str} ".encode()
    return hashlib.sha256(head + np.ascontiguousarray(image).tobytes()).hexdigest()[:16]


def scaled(pixels: npt.NDArray[np.uint8] | npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return float32 in [-1, 1]: uint8 x becomes x / 127.5 - 1; float32 vectors are in [-1, 1] already."""
    if pixels.dtype == np.uint8:
        return pixels.astype(np.float32) / np.float32(127.5) - np.float32(1)
    return pixels.astype(np.float32, copy=False)


def as_pixels(x: Tensor) -> Pixels:
    """Return (N, C, H, W) float32 in [-1, 1] as uint8; vectors are returned as they are."""
    if x.ndim != 4:
        return x.numpy()
    return ((x + 1) * 127.5).round().clamp(0, 255).byte().contiguous().numpy()
