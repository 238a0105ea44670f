"""CelebA's aligned faces (Liu et al. 2015) as a `Source`: the five classes of kplus1-2020, section 4.

Faces from the front, by gender and by whether the mouth is open, and faces that are turned aside. The paper calls these
rotated by more than 15 degrees; the author's code has no angle, but where the nose stands between the eyes: in front
from .35 to .65 of the way, and so it is here. Both are the same of a face whose nose's tip stands .56 of the distance
between the eyes before them: .56 tan 15 degrees = .15.
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
FRONT = (0.35, 0.65)  # of the way from the left eye to the right one, in the picture
IMAGES, ATTRIBUTES = "img_align_celeba", "list_attr_celeba.txt"
LANDMARKS, PARTITION = "list_landmarks_align_celeba.txt", "list_eval_partition.txt"
PLACES = ("", "Anno", "Eval", "Img")  # the official folders, or all in one
TEST = "2"  # in the partition: 0 trains, 1 validates
SIDE = 178  # pixels, the images' width: the middle square is kept
LINE = 1000  # bytes of a line at most
Row = list[str]


def holds(folder: Path) -> bool:
    """Whether the images and the attributes, or one of them and the landmarks, are in the folder."""
    return sum(_find(folder, name) is not None for name in (IMAGES, ATTRIBUTES, LANDMARKS)) >= 2


def read_folder(folder: Path) -> Source:
    """All faces that both lists name, cut to their middle square; the official test part where its list is there.

    Raises
    ------
    DataError
        for a missing or damaged list, or lists of other images.
    """
    images = _find(folder, IMAGES)
    if images is None:
        raise _bad(folder / IMAGES, "is missing")
    told = _table(folder, ATTRIBUTES)
    where = _table(folder, LANDMARKS)
    if told.keys() != where.keys():
        odd = min(told.keys() ^ where.keys())
        raise _bad(folder / LANDMARKS, f"and {ATTRIBUTES} differ: {show(odd)} is in one of them alone")
    found = [(f"{IMAGES}/{name}", _class(told[name], where[name])) for name in told]
    source = of_files(images.parent, CLASSES, found, [], None)
    return replace(
        source,
        decode=lambda wanted: _squares(source, wanted),
        measure=lambda _wanted: iter([(SIDE, SIDE)]),
        test=_tested(folder, list(told)),
    )


def _class(told: dict[str, float], where: dict[str, float]) -> int:
    """Number of a face's class."""
    eyes = where["righteye_x"] - where["lefteye_x"]
    share = (where["nose_x"] - where["lefteye_x"]) / eyes if eyes > 0 else -1.0
    if not FRONT[0] <= share <= FRONT[1]:
        return ROTATED
    return 2 * (told["Male"] > 0) + (told["Mouth_Slightly_Open"] > 0)


def _squares(source: Source, wanted: Wanted) -> Iterator[Picture | Skipped]:
    for name, picture in zip(compress(source.names, wanted), source.decode(wanted), strict=True):
        if isinstance(picture, Skipped):
            yield picture
            continue
        top, left = ((side - SIDE) // 2 for side in picture.pixels.shape[:2])
        if min(top, left) < 0:
            yield Skipped(name, f"is smaller than {SIDE} x {SIDE} pixels, so it is no aligned face of CelebA")
        else:
            yield replace(picture, pixels=picture.pixels[top : top + SIDE, left : left + SIDE])


def _table(folder: Path, name: str) -> dict[str, dict[str, float]]:
    """Image -> column -> number, of a list whose first line counts its rows and whose second names its columns."""
    rows = _rows(folder, name)
    path = folder / name
    (count, *_), columns, found = next(rows, [""]), next(rows, []), {}
    needed = ("Male", "Mouth_Slightly_Open") if name == ATTRIBUTES else ("lefteye_x", "righteye_x", "nose_x")
    if lacking := [column for column in needed if column not in columns]:
        raise _bad(path, f"has no column {lacking[0]} in its second line")
    places = {column: columns.index(column) for column in needed}
    for line, (image, *values) in enumerate(rows, 3):
        try:
            found[image] = {column: float(values[place]) for column, place in places.items()}
        except (ValueError, LookupError):
            raise _bad(path, f"is damaged in line {line}") from None
    if count != str(len(found)):
        raise _bad(
            path, f"is cut short or damaged: it has {len(found):,} rows, where its first line says {show(count)}"
        )
    if strange := [image for image in found if "/" in image or image.startswith(".")]:
        raise _bad(path, f"names {show(strange[0])}, which is no image of {IMAGES}")
    return found


def _tested(folder: Path, images: list[str]) -> np.ndarray[tuple[int], np.dtype[np.bool_]] | None:
    """(N,) which images are official test images; None without the list."""
    if _find(folder, PARTITION) is None:
        return None
    parts = {row[0]: row[-1] for row in _rows(folder, PARTITION)}
    if missing := [image for image in images if image not in parts]:
        raise _bad(folder / PARTITION, f"is cut short or damaged: {show(missing[0])} is not in it")
    return np.array([parts[image] == TEST for image in images], np.bool_)


def _rows(folder: Path, name: str) -> Iterator[Row]:
    """The words of each line that is not empty."""
    path = _find(folder, name)
    if path is None:
        raise _bad(folder / name, "is missing")
    with path.open("rb") as file:
        for line in iter(lambda: file.readline(LINE), b""):
            if words := line.decode("utf-8", "surrogateescape").split():
                yield words


def _find(folder: Path, name: str) -> Path | None:
    """Where the file or folder is, in the folder itself or in the official ones below it."""
    return next((folder / place / name for place in PLACES if (folder / place / name).exists()), None)


def _bad(path: Path, what: str) -> DataError:
    return DataError(f"'{show(path)}' {what}; take CelebA's aligned images and its lists of annotations anew")
