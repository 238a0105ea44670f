"""CelebA's aligned faces (Liu et al. 2015) as a `Source`, in the five classes of kplus1-2020, section 3.1.

Frontal faces make four classes, by gender and by whether the mouth is open; rotated faces make the fifth. The paper
calls a face rotated by more than 15 degrees. The author's code measures no angle but the nose's place between the eyes:
a face is frontal from 0.35 to 0.65 of the way. We do the same. The two rules agree for a nose whose tip stands 0.56 eye
distances in front of the eyes, since 0.56 tan 15 degrees = 0.15.

The background is cut away, as in the paper. The box is that of the author's code for frontal faces: with the distance
from eyes to mouth as a unit, one unit above the eyes, and one below and beside the nose. Rotated faces have it too
(ours; no code cuts them).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import compress
from pathlib import Path

import numpy as np

from lookalike.base.errors import DataError, show
from lookalike.data.folder import of_files
from lookalike.data.source import Picture, Skipped, Source, Wanted

CLASSES = ("female-closed", "female-open", "male-closed", "male-open", "rotated")
ROTATED = 4
FRONT = (0.35, 0.65)  # share of the way from the left eye to the right eye, as seen in the picture
IMAGES, ATTRIBUTES = "img_align_celeba", "list_attr_celeba.txt"
LANDMARKS, PARTITION = "list_landmarks_align_celeba.txt", "list_eval_partition.txt"
PLACES = ("", "Anno", "Eval", "Img")  # the official sub-folders, or all files in one folder
TEST = "2"  # in the list of partitions; 0 is training, 1 is validation
SHAPE = (218, 178)  # height and width of the aligned images, in pixels
WHERE = ("lefteye_x", "lefteye_y", "righteye_x", "righteye_y", "nose_x", "nose_y", "leftmouth_y", "rightmouth_y")
LINE = 1000  # the most bytes that are read of a line
Row = list[str]
Box = tuple[slice, slice]  # rows and columns


def holds(folder: Path) -> bool:
    """Return whether two of the images, the attributes and the landmarks are in the folder."""
    return sum(_find(folder, name) is not None for name in (IMAGES, ATTRIBUTES, LANDMARKS)) >= 2


def read_folder(folder: Path) -> Source:
    """Return all faces of both lists without their background; an official test part needs its own list.

    Raises
    ------
    DataError
        For a missing or damaged list, or two lists that name different images.
    """
    images = _find(folder, IMAGES)
    if images is None:
        raise _bad(folder / IMAGES, "is missing")
    attributes = _table(folder, ATTRIBUTES)
    where = _table(folder, LANDMARKS)
    if attributes.keys() != where.keys():
        odd = min(attributes.keys() ^ where.keys())
        raise _bad(folder / LANDMARKS, f"and {ATTRIBUTES} differ: only one of them names {show(odd)}")
    found = [(f"{IMAGES}/{name}", _class(attributes[name], where[name])) for name in attributes]
    source, boxes = of_files(images.parent, CLASSES, found, [], None), [_box(where[name]) for name in attributes]
    return replace(
        source,
        decode=lambda wanted: _faces(source, boxes, wanted),
        measure=lambda wanted: ((y.stop - y.start, x.stop - x.start) for y, x in compress(boxes, wanted)),
        test=_tested(folder, list(attributes)),
    )


def _class(attributes: dict[str, float], where: dict[str, float]) -> int:
    """Return the number of a face's class from its attributes and landmarks."""
    eyes = where["righteye_x"] - where["lefteye_x"]
    share = (where["nose_x"] - where["lefteye_x"]) / eyes if eyes > 0 else -1.0
    if not FRONT[0] <= share <= FRONT[1]:
        return ROTATED
    return 2 * (attributes["Male"] > 0) + (attributes["Mouth_Slightly_Open"] > 0)


def _box(where: dict[str, float]) -> Box:
    """Return the rows and columns of a face from its landmarks, within the picture."""
    eyes = (where["lefteye_y"] + where["righteye_y"]) // 2
    mouth = (where["leftmouth_y"] + where["rightmouth_y"]) // 2
    unit = max(1, mouth - eyes)
    return (
        _within(SHAPE[0], eyes - unit, where["nose_y"] + unit),
        _within(SHAPE[1], where["nose_x"] - unit, where["nose_x"] + unit),
    )


def _within(side: int, first: float, last: float) -> slice:
    """Return the pixels from `first` to before `last` that a side has, one at least."""
    start = int(min(max(first, 0), side - 1))
    return slice(start, int(min(max(last, start + 1), side)))


def _faces(source: Source, boxes: list[Box], wanted: Wanted) -> Iterator[Picture | Skipped]:
    asked = compress(zip(source.names, boxes, strict=True), wanted)
    for (name, box), picture in zip(asked, source.decode(wanted), strict=True):
        if isinstance(picture, Skipped):
            yield picture
        elif picture.pixels.shape[:2] != SHAPE:
            yield Skipped(name, f"is not {SHAPE[0]} x {SHAPE[1]} pixels, so it is no aligned face of CelebA")
        else:
            yield replace(picture, pixels=picture.pixels[box])


def _table(folder: Path, name: str) -> dict[str, dict[str, float]]:
    """Return image -> column -> number; line 1 of the list gives the number of rows and line 2 the columns."""
    rows = _rows(folder, name)
    path = folder / name
    (count, *_), columns, found = next(rows, [""]), next(rows, []), {}
    needed = ("Male", "Mouth_Slightly_Open") if name == ATTRIBUTES else WHERE
    if lacking := [column for column in needed if column not in columns]:
        raise _bad(path, f"has no column {lacking[0]} in its second line")
    places = {column: columns.index(column) for column in needed}
    for line, (image, *values) in enumerate(rows, 3):
        try:
            found[image] = {column: float(values[place]) for column, place in places.items()}
        except (ValueError, LookupError):
            raise _bad(path, f"is damaged in line {line}") from None
    if count != str(len(found)):
        raise _bad(path, f"is cut short or damaged: it has {len(found):,} rows, but its first line says {show(count)}")
    if strange := [image for image in found if "/" in image or image.startswith(".")]:
        raise _bad(path, f"names {show(strange[0])}, which is not an image of {IMAGES}")
    return found


def _tested(folder: Path, images: list[str]) -> np.ndarray[tuple[int], np.dtype[np.bool_]] | None:
    """Return bool (N,), which images are official test images; None without the list."""
    if _find(folder, PARTITION) is None:
        return None
    parts = {row[0]: row[-1] for row in _rows(folder, PARTITION)}
    if missing := [image for image in images if image not in parts]:
        raise _bad(folder / PARTITION, f"is cut short or damaged: it does not name {show(missing[0])}")
    return np.array([parts[image] == TEST for image in images], np.bool_)


def _rows(folder: Path, name: str) -> Iterator[Row]:
    """Yield the words of each line that is not empty."""
    path = _find(folder, name)
    if path is None:
        raise _bad(folder / name, "is missing")
    with path.open("rb") as file:
        for line in iter(lambda: file.readline(LINE), b""):
            if words := line.decode("utf-8", "surrogateescape").split():
                yield words


def _find(folder: Path, name: str) -> Path | None:
    """Return the path of the file or folder, in the folder itself or in the official ones below it."""
    return next((folder / place / name for place in PLACES if (folder / place / name).exists()), None)


def _bad(path: Path, what: str) -> DataError:
    return DataError(f"'{show(path)}' {what}; download CelebA's aligned images and its lists of annotations again")
