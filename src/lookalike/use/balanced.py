"""Real and marked generated images in one folder or file, which is written as a whole or not at all.

The folder holds a record: its own SHA-256, what was asked for, and the classes whose generated images are left out.
While the SHA-256 is right, nobody has changed the folder. Then the same command again leaves it as it is, and where
images were left out, the next command replaces it.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lookalike.base import files
from lookalike.base.arrays import Pixels
from lookalike.base.cells import as_csv, file_cell
from lookalike.base.errors import ModelError, UsageError, show
from lookalike.data import Images
from lookalike.runs.samples import png
from lookalike.use.filled import Filled
from lookalike.use.generate import class_folder

MANIFEST = "manifest.csv"
METADATA = "metadata.csv"  # the same in the form of Hugging Face's imagefolder
RECORD = "augment.json"
COLUMNS = ("file", "class", "generated", "source", "seed", "number")
OF_IMAGEFOLDER = ("file_name", "label", *COLUMNS[2:])


def usable(images: Images) -> npt.NDArray[np.int64]:
    """Return the rows of labelled images that are not official test images."""
    return np.flatnonzero((images.labels >= 0) & (True if images.test is None else ~images.test))


def write(out: Path, images: Images, filled: Sequence[Filled], page: str, *, seed: int, asked: str) -> None:
    """Write real and generated images to `out`, as a whole or not at all: a folder as `refuse` takes it, or an .npz.

    Generated images that are not worth it (`Filled.written`) are left out. `asked` is stored with a folder; one that is
    finished stays as it is. Raises UsageError where that holds other real images.
    """
    real = images.select(usable(images))
    if out.suffix.lower() == ".npz":
        _npz(out, real, filled, page, seed)
    elif not finished(out, asked):
        _folder(out, real, filled, page, seed, asked)
    elif _record(out)["real"] != _of_real(real):
        raise UsageError(f"{show(out)} was filled up from other images; move it away, or give another folder (-o)")


def refuse(out: Path, asked: str) -> None:
    """Raise UsageError for a folder that holds something, but for what `write` left there that may be replaced or kept.

    That is a folder without all generated images, or one with all that `asked` wants, which nobody has changed.
    """
    if _lacking(out) or finished(out, asked):
        return
    if (out / RECORD).exists() and not _record(out):
        raise UsageError(f"{show(out)} was changed since it was written; move it away, or give another folder (-o)")
    files.refuse_full(out)


def finished(out: Path, asked: str) -> bool:
    """Whether `out` is an unchanged folder with all that `asked` wants."""
    record = _record(out)
    return record.get("asked") == asked and not record.get("left out")


def _lacking(out: Path) -> bool:
    """Whether `out` is an unchanged folder that `write` left without all generated images."""
    return bool(_record(out).get("left out"))


def _folder(out: Path, real: Images, filled: Sequence[Filled], page: str, seed: int, asked: str) -> None:
    """Write PNGs into one folder per class, then the report, the tables, and the record last."""
    rows: list[Sequence[object]] = []
    kept, left_out = ([one for one in filled if one.written == written] for written in (True, False))
    with files.atomic_folder(out, _lacking) as part:
        for name in real.classes:
            (part / class_folder(name)).mkdir()
        for path, row, image in _entries(real, kept, seed):
            files.write_new(part / path, png(image.transpose(1, 2, 0)))
            rows.append((file_cell(path), *row))
        files.write_new(part / "report.html", page.encode("utf-8"))
        for table, columns in ((METADATA, OF_IMAGEFOLDER), (MANIFEST, COLUMNS)):
            files.write_new(part / table, as_csv([columns, *rows]).encode("utf-8", "surrogateescape"))
        facts = {"asked": asked, "left out": [one.name for one in left_out], "real": _of_real(real)}
        files.write_new(part / RECORD, files.json_bytes(facts | {"sha256": _digest(part)}))


def _record(out: Path) -> dict[str, Any]:
    """The record of the folder `out`; nothing where it is no such folder, or was changed."""
    if not (out / RECORD).is_file():
        return {}
    try:
        record = dict(files.read_json(out / RECORD))
    except (ModelError, TypeError, ValueError):
        return {}
    return record if record.get("sha256") == _digest(out) else {}


def _of_real(real: Images) -> str:
    """One hash over names, classes and contents of the real images."""
    classes = [real.classes[label] for label in real.labels]
    return sha256(repr((real.names, classes, real.keys)).encode("utf-8", "surrogateescape")).hexdigest()


def _digest(folder: Path) -> str:
    """The SHA-256 of all that is in the folder but the record: names, kinds, and the bytes of files."""
    whole = sha256()
    for path in sorted(folder.rglob("*")):
        if path != folder / RECORD:
            kind = "link" if path.is_symlink() else files.digest(path) if path.is_file() else "other"
            whole.update(f"{kind} {path.relative_to(folder)}\0".encode("utf-8", "surrogateescape"))
    return whole.hexdigest()


def _entries(real: Images, filled: Sequence[Filled], seed: int) -> Iterator[tuple[str, tuple[str | int, ...], Pixels]]:
    """Yield (file, rest of the manifest's row, image (C, H, W)), the real images first."""
    for i, image in enumerate(real.pixels):
        name = real.classes[real.labels[i]]
        yield f"{class_folder(name)}/real-{i:06d}.png", (name, 0, file_cell(real.names[i]), "", ""), image
    for one in filled:
        for number, image in zip(one.numbers.tolist(), one.pixels, strict=True):
            row = (one.name, 1, "", seed, number)
            yield f"{class_folder(one.name)}/generated-{number:06d}.png", row, image


def _npz(out: Path, real: Images, filled: Sequence[Filled], page: str, seed: int) -> None:
    """Write an .npz file with `images`, `labels`, `classes`, `generated`, `number` (-1 for real images) and `seed`."""
    filled = [one for one in filled if one.written]
    pixels = np.concatenate([real.pixels, *(one.pixels for one in filled)])
    made = [np.full(len(one.pixels), real.classes.index(one.name)) for one in filled]
    data = io.BytesIO()
    np.savez_compressed(
        data,
        images=pixels.transpose(0, 2, 3, 1) if pixels.ndim == 4 else pixels,
        labels=np.concatenate([real.labels, *made]),
        classes=np.array(real.classes),
        generated=np.arange(len(pixels)) >= len(real),
        number=np.concatenate([np.full(len(real), -1), *(one.numbers for one in filled)]),
        seed=np.array(seed),
    )
    files.write_text(out.with_suffix(".html"), page)
    files.write_bytes(out, data.getvalue())
