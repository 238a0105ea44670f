"""From a source to images in memory: `read` loads all, `stream` loads blocks, `resized` brings one image to a size."""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
from PIL import Image

from lookalike.base import files
from lookalike.base.arrays import Index, Report
from lookalike.base.errors import DataError, OutputError, UsageError, did_you_mean, show
from lookalike.base.names import Aspect
from lookalike.base.words import percent
from lookalike.data import beyond, gate
from lookalike.data.aspect import fitted
from lookalike.data.beyond import PIXELS, Coloured, Place, Writer
from lookalike.data.groups import Groups, Rule
from lookalike.data.images import Given, Images, content_key, names_of
from lookalike.data.levels import Levels
from lookalike.data.oddities import GREYED, coloured, oddities
from lookalike.data.part import WHOLE, Part
from lookalike.data.source import Picture, Skipped, Source
from lookalike.data.sources import Size, open_source

OnBad = Literal["fail", "skip"]
BLOCK = 1000  # images between two reports of progress
KEY = 16  # characters of a content key


def read(
    source: str | Path,
    *,
    size: Size | None = None,
    channels: int | None = None,
    on_bad: OnBad = "fail",
    max_bad: float = 0.05,
    value_range: gate.ValueRange | None = None,
    allow_empty_class: bool = False,
    classes: Given = (),
    labelled: bool = True,
    key_size: Size | None = None,
    aspect: Aspect = "squash",
    group: str | None = None,
    most: int | None = None,
    report: Report = lambda _stage, _done, _of: None,
) -> Images:
    """Return the images of `source` with their labels, at one size.

    Parameters
    ----------
    source : a data set's name, a folder or a file, as `open_source` accepts
    size : (H, W) to resize to, bilinear with antialiasing; None keeps the images' own size, which must be the same
    channels : 1 or 3; None means 1 when every image is grey, else 3
    on_bad : "fail" raises at the first unreadable image; "skip" lists such images in `Images.skipped`
    max_bad : share of unreadable images above which "skip" fails too
    value_range : (black, white) of images with more than 8 bits or of float arrays
    allow_empty_class : whether a class without images is accepted
    classes : as for `Images.names_of`; no image of another class is opened. Empty means all classes
    labelled : False also accepts a folder of loose images or one image file, with labels of -1
    key_size : (H, W) at which content keys are taken, so that images read at another size are split in the same way;
        None means at `size`
    aspect : images of another aspect than that of `size` are squashed, cropped in the middle, or padded with their
        edge; content keys are those of squashed images in any case
    group : a regular expression that finds an image's group in its name (its first group, or all that it matches), or
        the path of a .csv file with the columns file,group; see `Images.groups`. None means as the source groups them
    most : bytes of images that stay in memory. More than these are read once into a file of the user's cache folder,
        and `Images.pixels` is a map of it; not for vectors, nor without a `size`. None: all stay in memory. Within
        `beyond.shared` none do
    report : called with the progress of such a first reading

    Raises
    ------
    DataError
        For a source that cannot be used, or an image without a group; the message is one line with the file and what
        to do.
    UsageError
        For a `group` that is neither, or that puts all images into one group.
    OutputError
        Where the cache folder has no space for so many images.
    """
    size, key_size, value_range = sides(size), sides(key_size), ends(value_range)
    opened = open_source(source, labelled=labelled, value_range=value_range, allow_empty_class=allow_empty_class)
    names = chosen(opened, classes)
    opened = opened if group is None else grouped(opened, group, names or opened.classes)
    opened = opened.only(names) if names else opened
    keyed = key_size or (size if aspect != "squash" else None)
    levels = Levels(value_range=value_range)

    def loaded(channels: int | None, kept: Writer | None = None, report: Report | None = None) -> _Loader:
        loader = _Loader(opened, str(source), size, channels, on_bad, levels, keyed, aspect, kept)
        for number, item in enumerate(opened.pictures()):
            loader.add(item)
            if report and not number % BLOCK:
                report("reading for the first time", number, len(opened))
        _check_skipped(opened, source, loader.skipped, max_bad)
        return loader

    how = {"size": size, "channels": channels, "on_bad": on_bad, "range": value_range, "key": keyed, "aspect": aspect}
    mapped = size is not None and (
        beyond.sharing() or (most is not None and beyond.bytes_of(len(opened), size, channels) > most)
    )
    if size is None or not mapped:
        return loaded(channels).images()
    try:
        place = beyond.place_of(source, opened, how)
        if place is None:
            return loaded(channels).images()
        with files.lock(place.folder, wait=lambda line: report(line, 0, 1)):
            if place.found() is None:
                _write(place, lambda kept: loaded(channels, kept, report), len(opened), size, channels)
    except OutputError:
        if not beyond.sharing():
            raise
        return loaded(channels).images()  # a file would only spare the next process the reading
    return _mapped(place, opened, keyed if keyed != size or aspect != "squash" else None, aspect, levels)


def _write(place: Place, loaded: Callable[[Writer], _Loader], n: int, size: Size, channels: int | None) -> None:
    """Reads all images into a place; again in three channels where the first ones were grey and a later one is not."""
    for c in (channels,) if channels else (1, 3):
        with suppress(Coloured), files.atomic(place.folder / PIXELS, beyond.bytes_of(n, size, c)) as handle:
            kept = Writer(handle, n, (c, *size))
            loader = loaded(kept)
            kept.end()
            facts = {
                "shape": [len(kept.keys), c, *size],
                "keys": "".join(kept.keys),
                "taken": loader.taken,
                "skipped": [[item.name, item.reason] for item in loader.skipped],
                "odd": dict(loader.odd),
                "sizes": [[*own, count] for own, count in loader.sizes.items()],
                "grey": loader.levels.grey,
                "stored": loader.levels.stored,
            }
            break
    place.write(facts)


def _mapped(place: Place, opened: Source, key_size: Size | None, aspect: Aspect, levels: Levels) -> Images:
    """The images of a place."""
    found = place.found()
    assert found is not None, "they were read"
    pixels, facts = found
    index, keys = np.array(facts["taken"], np.int64), facts["keys"]
    grey, stored = (None if span is None else tuple(span) for span in (facts["grey"], facts["stored"]))
    return _images(
        opened,
        index,
        pixels=pixels,
        skipped=tuple(Skipped(*item) for item in facts["skipped"]),
        odd=facts["odd"],
        sizes={(height, width): count for height, width, count in facts["sizes"]},
        content=tuple(keys[i : i + KEY] for i in range(0, len(keys), KEY)),
        key_size=key_size,
        aspect=aspect,
        levels=replace(levels, grey=grey, stored=stored),
        notes=(*opened.notes, *([] if beyond.sharing() else [beyond.said(pixels.nbytes, place)])),
    )


def _images(opened: Source, index: Index, **values: Any) -> Images:
    """The images of these numbers of a source, with what the source says of them."""
    own: dict[str, Any] = {
        "labels": opened.labels[index],
        "classes": opened.classes,
        "names": tuple(opened.names[i] for i in index.tolist()),
        "test": None if opened.test is None else opened.test[index],
        "ignored": opened.ignored,
        "groups": None if opened.groups is None else opened.groups.select(index),
        "notes": opened.notes,
    }
    return Images(**own | values)


def stream(
    source: str | Path,
    *,
    size: Size | None,
    channels: int | None,
    block: int = 512,
    on_bad: OnBad = "fail",
    max_bad: float = 0.05,
    value_range: gate.ValueRange | None = None,
    aspect: Aspect = "squash",
    part: Part = WHOLE,
) -> Iterator[Images]:
    """Yield the images of `source` in blocks of at most `block`, with one block in memory at a time; for scoring.

    A folder of loose images or one image file is accepted too; labels are -1 where there are none. A block is never
    empty. Its `skipped` holds the files left out since the block before, and its `odd` counts its own images.

    Parameters
    ----------
    size, channels : (H, W), and 1 or 3, for images; None for vectors
    on_bad, max_bad, value_range, aspect : as for `read`
    part : the share of the images that is read; no file of another share is opened, and `max_bad` is of this share

    Raises
    ------
    DataError
        As for `read`; the share of unreadable images is known only after the last block.
    """
    size, value_range = sides(size), ends(value_range)
    opened = open_source(source, labelled=False, value_range=value_range, allow_empty_class=True)
    if opened.vectors != (size is None):
        found, wanted = ("vectors", "images") if opened.vectors else ("images", "vectors")
        raise DataError(f"'{show(source)}' holds {found}, but the model needs {wanted}")
    opened = part.of_source(opened)
    skipped: list[Skipped] = []
    loader = _Loader(opened, str(source), size, channels, on_bad, Levels(value_range=value_range), aspect=aspect)
    for item in opened.pictures():
        if isinstance(item, Picture) and len(loader.taken) == block:
            yield loader.images()
            skipped += loader.skipped
            loader.clear()
        loader.add(item)
    _check_skipped(opened, source, skipped + loader.skipped, max_bad)
    yield loader.images()


def sides(size: Any) -> Size | None:
    """Return (H, W) from two whole numbers in any sequence; raises UsageError for anything else but None."""
    if size is None:
        return None
    try:
        height, width = (operator.index(side) for side in size)
    except (TypeError, ValueError):
        raise UsageError(f"the size is {show(repr(size), 60)}; give (H, W) in pixels, such as (32, 48)") from None
    return height, width


def ends(value_range: Any) -> gate.ValueRange | None:
    """Return (low, high) from two numbers in any sequence; raises UsageError for anything else but None."""
    if value_range is None:
        return None
    try:
        low, high = (float(end) for end in value_range)
    except (TypeError, ValueError):
        given = show(repr(value_range), 60)
        raise UsageError(f"the value range is {given}; give (LOW, HIGH), such as (0, 4095)") from None
    return low, high


def _check_words(channels: Any, on_bad: Any, aspect: Any) -> None:
    """Raise UsageError for a word or a number that is none of those accepted."""
    for name, given, accepted in (
        ("channels", channels, (None, 1, 3)),
        ("on_bad", on_bad, get_args(OnBad)),
        ("aspect", aspect, get_args(Aspect)),
    ):
        if given not in accepted:
            words = ", ".join(map(repr, accepted))
            near = did_you_mean(given, map(str, accepted))
            raise UsageError(f"{name} is {show(repr(given), 60)};{near} accepted are {words}")


class _Loader:
    """Collects the pictures of a source at one size, in order."""

    def __init__(
        self, opened: Source, source: str, size: Size | None, channels: int | None, on_bad: OnBad,
        levels: Levels, key_size: Size | None = None, aspect: Aspect = "squash", kept: Writer | None = None,
    ) -> None:  # fmt: skip
        _check_words(channels, on_bad, aspect)
        if size is not None and (min(size) < 1 or size[0] * size[1] > gate.MAX_PIXELS):
            given = f"{size[0]},{size[1]}"
            raise UsageError(f"the size is {given}; give H,W of at least 1,1 and at most {gate.MAX_PIXELS:,} pixels")
        self.opened, self.source, self.size, self.channels, self.on_bad = opened, source, size, channels, on_bad
        self.aspect: Aspect = "squash" if size is None or opened.vectors else aspect
        same = key_size == size and self.aspect == "squash"  # the pixels themselves give the keys
        self.key_size = None if same or opened.vectors else key_size
        self.place, self.unread, self.kept = 0, levels, kept
        self.clear()

    def clear(self) -> None:
        """Drop the pictures, their oddities and the skipped files; the place in the source stays."""
        self.pixels: list[npt.NDArray[Any]] = []
        self.small: list[npt.NDArray[Any]] = []  # at the size of the keys
        self.taken: list[int] = []
        self.skipped: list[Skipped] = []
        self.odd: Counter[str] = Counter()
        self.sizes: Counter[Size] = Counter()
        self.levels = self.unread

    def add(self, item: Picture | Skipped) -> None:
        """Add the next item of the source, or note that it is skipped."""
        number, self.place = self.place, self.place + 1
        if isinstance(item, Skipped):
            if self.on_bad == "fail":
                raise DataError(
                    f"{_named(item, self.source)}: {item.reason}; repair or remove it, or pass --on-bad skip"
                )
            self.skipped.append(item)
            return
        pixels = item.pixels if self.opened.vectors else resized(item.pixels, self.size, self.channels, self.aspect)
        if self.pixels and self.pixels[0].shape[:2] != pixels.shape[:2]:
            first, here = (" x ".join(map(str, image.shape[:2])) for image in (self.pixels[0], pixels))
            name = show(self.opened.names[number])
            given = f"'{show(self.source)}' has images of different sizes ({first}, and {here} in '{name}')"
            raise DataError(f"{given}; give images of one size, or choose one (--size H,W)")
        self.odd.update(oddities(item, self.size, self.aspect))
        self.odd.update([GREYED] if self.channels == 1 and coloured(item) else [])
        self.levels = self.levels.with_picture(item)
        if not self.opened.vectors:
            self.sizes[item.pixels.shape[0], item.pixels.shape[1]] += 1
        small = resized(item.pixels, self.key_size, self.channels) if self.key_size else None
        self.taken.append(number)
        if self.kept is not None:
            self.kept.add(pixels, small)
            return
        self.pixels.append(pixels)
        if small is not None:
            self.small.append(small)

    def images(self) -> Images:
        """Return the images that were added since `clear`."""
        return _images(
            self.opened,
            np.array(self.taken, np.int64),
            pixels=np.stack(self.pixels) if self.opened.vectors else _stacked(self.pixels),
            skipped=tuple(self.skipped),
            odd=dict(self.odd),
            sizes=dict(self.sizes),
            content=tuple(map(content_key, _stacked(self.small))) if self.key_size else None,
            key_size=self.key_size,
            aspect=self.aspect,
            levels=self.levels,
        )


def chosen(opened: Source, classes: Given) -> tuple[str, ...]:
    """Return the names of these classes of a source as `names_of` does; its DataError says how the source was read."""
    try:
        return names_of(classes, opened.classes)
    except DataError as error:
        raise DataError("; ".join((str(error), *opened.notes))) from None


def grouped(opened: Source, group: str, classes: Iterable[str]) -> Source:
    """Return the source with the groups of its images; images of other `classes` may have none."""
    rule = Rule.of(group)
    rule.check_files(opened.names)
    of = rule.groups(opened.names, np.isin(opened.labels, [opened.classes.index(name) for name in classes]))
    return replace(opened, groups=Groups.among(of, opened.labels, opened.classes, opened.test))


def _stacked(pixels: list[npt.NDArray[Any]]) -> npt.NDArray[np.uint8]:
    """Return uint8 (N, C, H, W); a grey image among coloured ones is repeated in each channel. Empties the list."""
    channels = max(image.shape[2] for image in pixels)
    height, width, _ = pixels[0].shape
    stacked = np.empty((len(pixels), channels, height, width), np.uint8)
    for row in stacked[::-1]:
        row[...] = pixels.pop().transpose(2, 0, 1)  # two copies of all images would be large
    return stacked


def resized(
    pixels: npt.NDArray[Any], size: Size | None, channels: int | None, aspect: Aspect = "squash"
) -> npt.NDArray[Any]:
    """Return uint8 (H, W, C), resized to `size` and then converted to `channels`; None keeps what is there."""
    have = pixels.shape[2]
    wanted = channels or have
    if (size is None or pixels.shape[:2] == size) and wanted == have:
        return pixels
    image = Image.fromarray(pixels[..., 0] if have == 1 else pixels)
    if size is not None and pixels.shape[:2] != size:
        image = fitted(image, size, aspect)
    if wanted != have:
        image = image.convert("L" if wanted == 1 else "RGB")
    return np.asarray(image).reshape(image.height, image.width, wanted)


def _check_skipped(opened: Source, source: str | Path, skipped: list[Skipped], max_bad: float) -> None:
    """Raise DataError when too many images, or all images of a class, could not be read."""
    if not skipped:
        return
    first = f"first {_named(skipped[0], str(source))}: {skipped[0].reason}"
    if len(skipped) > max_bad * len(opened):
        given = f"{len(skipped)} of {len(opened)} images of '{show(source)}' ({percent(len(skipped) / len(opened))})"
        raise DataError(
            f"{given} cannot be read, more than {percent(max_bad)}; repair them, or raise --max-bad; {first}"
        )
    lost = {item.name for item in skipped}
    bad = Counter(int(label) for name, label in zip(opened.names, opened.labels, strict=True) if name in lost)
    for number, count in bad.items():
        if count == np.count_nonzero(opened.labels == number):
            what = f"class '{show(opened.classes[number])}'" if number >= 0 else f"'{show(source)}'"
            raise DataError(f"no image of {what} can be read; repair them; {first}")


def _named(item: Skipped, source: str) -> str:
    path = Path(source)
    where = path / item.name if path.is_dir() else path if path.name == item.name else f"{source} image {item.name}"
    return f"'{show(where)}'"
