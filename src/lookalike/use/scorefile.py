"""Scores of any number of images as a CSV or JSON-lines file, streamed in little memory, complete or absent."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np

from lookalike.base import files
from lookalike.base.arrays import Note, Pixels, Report, Warn
from lookalike.base.cells import as_csv, file_cell
from lookalike.base.errors import UsageError, show
from lookalike.data import Images, Skipped, stream
from lookalike.data.aspect import unfitted
from lookalike.data.levels import Levels
from lookalike.data.part import WHOLE, Part
from lookalike.data.sizes import shrinking
from lookalike.data.source import Picture
from lookalike.data.sources import Size, open_source, refuse_inside
from lookalike.detect.heat import overlaid, shown
from lookalike.detect.model import UNKNOWN, Model, Verdicts
from lookalike.runs.folder import BAD_FILES
from lookalike.runs.samples import png

BLOCK = 512  # images in memory at one time
BLOCK_BYTES = 1 << 26  # of images in memory at once


def write(
    model: Model,
    data: str | Path,
    out: Path,
    *,
    nearest: Path | None = None,
    heat_maps: Path | None = None,
    on_bad: Literal["fail", "skip"] = "fail",
    max_bad: float = 0.05,
    part: Part = WHOLE,
    report: Report = lambda stage, done, of: None,
    warn: Warn = lambda message: None,
    note: Note = lambda message: None,
) -> dict[str, Any]:
    """Score `data` into `out`, one line per image: name, class, score, p-value, flagged or not, and the parts.

    A model whose classes were split adds the sub-class of each image, and the known class that it is a part of.

    Parameters
    ----------
    model : Model
        A trained model.
    data : str or Path
        Class folders, a flat folder, one image, an .npz or IDX file, or a data set's name.
    out : Path
        A .csv or .jsonl file, written as a whole or not at all. Skipped images are listed in NAME.bad_files.jsonl.
    nearest : Path or None
        A new or empty folder for the nearest generated image of each image, as PNG. The line gives the PNG's name.
        The folder is written as a whole or not at all, together with `out`.
    heat_maps : Path or None
        A new or empty folder for a heat map of each image, at the size of its file: a PNG of the map over the image,
        and an .npy file of the map, float16 (H, W). The line gives the PNG's name.
    on_bad, max_bad
        As for `lookalike.stream`.
    part : Part
        The share of the images that is scored. Its pictures have the numbers that they have among all images, where
        none is skipped.
    report, warn, note : callable
        Called with the progress, with what reading lost, and with the sizes between which images shrink.

    Returns
    -------
    dict
        Counts: images, flagged, skipped, and odd (images with each oddity of `lookalike.data.oddities`).

    Raises
    ------
    UsageError
        For another suffix, a folder for PNGs that is not empty, a place inside the images' own folder, or a model
        without heat maps.
    DataError
        For images that cannot be scored.
    OutputError
        If `out` or the folder cannot be written.
    """
    check_suffix(out, "scores")
    for written in (out, nearest, heat_maps):
        refuse_inside(written, data)
    if nearest and heat_maps and nearest.resolve() == heat_maps.resolve():
        raise UsageError(f"{show(nearest)} cannot take both kinds of pictures; give two folders")
    bad_files = out.with_name(f"{out.name}.{BAD_FILES}")
    skipped: list[Skipped] = []
    odd, sizes, levels = Counter[str](), Counter[Size](), Levels()
    counts, first = {"images": 0, "flagged": 0}, _first(data, part)
    with (
        _pictures(nearest, out) as folder,
        _pictures(heat_maps, out) as heat,
        files.atomic(out) as handle,
    ):
        originals = _originals(model, data, part) if heat else iter(())
        for block in blocks(model, data, maps=heat is not None, on_bad=on_bad, max_bad=max_bad, part=part):
            verdicts, start = model.score(block, maps=heat is not None), first + counts["images"]
            classes = [block.classes[label] if label >= 0 else "" for label in block.labels]
            named = list(zip(block.names, classes, strict=True))
            rows = list(rows_of(model, named, verdicts, start, folder))
            if heat is not None and verdicts.maps is not None:
                _write_maps(heat, start, verdicts.maps, originals, model)
            append(handle, out.suffix.lower(), rows, first=counts["images"] == 0)
            counts["images"] += len(rows)
            counts["flagged"] += sum(row["flagged"] for row in rows)
            skipped += block.skipped
            odd.update(block.odd)
            sizes.update(block.sizes)
            levels |= block.levels
            report("scoring", counts["images"], 0)
        if model.size is not None and (line := shrinking(sizes, model.size, model.aspect)):
            note(line)
        for line in model.remarks(odd, levels):
            warn(line)
        if skipped:
            files.write_json_lines(bad_files, map(vars, skipped))
    if not skipped:
        bad_files.unlink(missing_ok=True)  # the list of an earlier score file
    return counts | {"skipped": len(skipped), "odd": dict(odd)}


def check_suffix(out: Path, what: str) -> None:
    """Raise UsageError for a file of another suffix than .csv and .jsonl."""
    if out.suffix.lower() not in (".csv", ".jsonl"):
        raise UsageError(f"{what} are written to a .csv or .jsonl file, not {show(out.name)}; change -o")


def _pictures(wanted: Path | None, out: Path) -> AbstractContextManager[Path | None]:
    """Return the folder to fill with pictures, or None where none are wanted."""
    if wanted is None:
        return nullcontext()
    if wanted.resolve() in (out.resolve(), *out.resolve().parents):
        raise UsageError(f"{show(out)} lies in the folder of the pictures, {show(wanted)}; choose another folder")
    return files.atomic_folder(wanted)


def _first(data: str | Path, part: Part) -> int:
    """Return the number of the first image of the part."""
    if part == WHOLE:
        return 0
    return part.rows(len(open_source(data, labelled=False, allow_empty_class=True))).start


def _originals(model: Model, data: str | Path, part: Part) -> Iterator[Pixels]:
    """Yield the images that can be read, uint8 (H, W, 1 or 3), at the size of their files."""
    source = open_source(data, labelled=False, value_range=model.value_range, allow_empty_class=True)
    source = part.of_source(source)
    return (item.pixels for item in source.pictures() if isinstance(item, Picture))


def _write_maps(folder: Path, start: int, maps: Pixels, originals: Iterator[Pixels], model: Model) -> None:
    """Write a PNG and an .npy file of each map, numbered from `start` on."""
    for i, heat in enumerate(maps):
        picture = next(originals)
        values, out = unfitted(heat, (picture.shape[0], picture.shape[1]), model.aspect), BytesIO()
        np.save(out, values.astype(np.float16))
        files.write_new(folder / f"{start + i:06d}.png", png(overlaid(picture, values, shown(model.detector))))
        files.write_new(folder / f"{start + i:06d}.npy", out.getvalue())


def blocks(model: Model, data: str | Path, *, maps: bool = False, **bad: Any) -> Iterator[Images]:
    """Yield the images of `data` as the model takes them, so many that they and their maps fit into memory."""
    most = BLOCK_BYTES // 4 if maps else BLOCK_BYTES  # a map takes four bytes for each pixel
    block = min(BLOCK, max(1, most // math.prod(model.shape)))
    how = {name: value for name, value in model.reading().items() if name != "key_size"}
    return stream(data, block=block, **how, **bad)


def rows_of(
    model: Model, named: Sequence[tuple[str, str]], verdicts: Verdicts, start: int = 0, folder: Path | None = None
) -> Iterator[dict[str, Any]]:
    """Yield what a score file says of each image of some names and classes; `start` is the number of the first one.

    Nearest images are written to `folder`.
    """
    leaves = list(zip(model.leaves, model.parents, strict=True))
    for i, (name, its_class) in enumerate(named):
        row: dict[str, Any] = {
            "name": name,
            "class": its_class,
            "score": float(verdicts.score[i]),
            "p_value": float(verdicts.p_value[i]),
            "flagged": bool(verdicts.flagged[i]),
        }
        row |= _which(model, verdicts, i)
        if verdicts.leaf is not None:
            row |= dict(zip(("subclass", "parent"), leaves[verdicts.leaf[i]], strict=True))
        row |= {part: float(values[i]) for part, values in verdicts.parts.items()}
        if verdicts.maps is not None:
            row["heat_map"] = f"{start + i:06d}.png"
        if folder is not None and verdicts.nearest is not None and verdicts.nearest.ndim == 4:
            picture = f"{start + i:06d}.png"
            row["nearest"] = picture
            files.write_new(folder / picture, png(np.ascontiguousarray(verdicts.nearest[i].transpose(1, 2, 0))))
        yield row


def _which(model: Model, verdicts: Verdicts, i: int) -> dict[str, Any]:
    """Return, for a model of several classes, the predicted class or unknown, and the largest class probability."""
    if verdicts.classes is None:
        return {}
    label = verdicts.label[i]
    name = model.classes["known"][label] if label >= 0 else UNKNOWN
    return {"predicted": name, "confidence": float(verdicts.classes[i].max())}


def append(handle: BinaryIO, suffix: str, rows: list[dict[str, Any]], *, first: bool) -> None:
    """Write lines of a .csv or .jsonl file, of images with their name; the `first` ones after a CSV file's head."""
    if suffix == ".jsonl":
        # In ASCII JSON, names that are not UTF-8 survive as escapes.
        handle.write("".join(json.dumps(row, allow_nan=False) + "\n" for row in rows).encode("ascii"))
        return
    head = [list(rows[0])] if rows and first else []
    text = as_csv([*head, *(list(_cells(row).values()) for row in rows)], quoted=True)
    handle.write(text.encode("utf-8", "surrogateescape"))


def _cells(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row with the file's name as a cell, and with a number for the flag."""
    flagged = {"flagged": int(row["flagged"])} if "flagged" in row else {}
    return {**row, "name": file_cell(row["name"]), **flagged}
