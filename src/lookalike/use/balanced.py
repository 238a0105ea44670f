"""Real and marked generated images in one folder or file, which is written as a whole or not at all.

Where generated images are left out, the folder says so and holds its own SHA-256. While that is right, nobody has
changed the folder, and the next command replaces it.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path

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
REFUSED = "refused.json"  # the classes whose generated images are not written, and the folder's SHA-256
COLUMNS = ("file", "class", "generated", "source", "seed", "number")
OF_IMAGEFOLDER = ("file_name", "label", *COLUMNS[2:])


def usable(images: Images) -> npt.NDArray[np.int64]:
    """Return the rows of labelled images that are not official test images."""
    return np.flatnonzero((images.labels >= 0) & (True if images.test is None else ~images.test))


def write(out: Path, images: Images, filled: Sequence[Filled], page: str, *, seed: int) -> None:
    """Write real and generated images to `out`, as a whole or not at all: a folder as `refuse` takes it, or an .npz.

    Generated images that are not worth it (`Filled.written`) are left out.
    """
    (_npz if out.suffix.lower() == ".npz" else _folder)(out, images.select(usable(images)), filled, page, seed)


def refuse(out: Path) -> None:
    """Raise UsageError for a folder that holds something, but for what `write` left without all generated images."""
    if _refused(out):
        return
    if (out / REFUSED).exists():
        raise UsageError(f"{show(out)} was changed since it was written; move it away, or give another folder (-o)")
    files.refuse_full(out)


def _folder(out: Path, real: Images, filled: Sequence[Filled], page: str, seed: int) -> None:
    """Write PNGs into one folder per class, then the report and the tables, the manifest last."""
    rows: list[Sequence[object]] = []
    kept, left_out = ([one for one in filled if one.written == written] for written in (True, False))
    with files.atomic_folder(out, _refused) as part:
        for name in real.classes:
            (part / class_folder(name)).mkdir()
        for path, row, image in _entries(real, kept, seed):
            files.write_new(part / path, png(image.transpose(1, 2, 0)))
            rows.append((file_cell(path), *row))
        files.write_new(part / "report.html", page.encode("utf-8"))
        for table, columns in ((METADATA, OF_IMAGEFOLDER), (MANIFEST, COLUMNS)):
            files.write_new(part / table, as_csv([columns, *rows]).encode("utf-8", "surrogateescape"))
        if left_out:
            facts = {"classes": [one.name for one in left_out], "sha256": _digest(part)}
            files.write_new(part / REFUSED, files.json_bytes(facts))


def _refused(out: Path) -> bool:
    """Whether `out` is a folder that `write` left without all generated images, and nothing in it was changed."""
    if not (out / REFUSED).is_file():
        return False
    try:
        return bool(files.read_json(out / REFUSED)["sha256"] == _digest(out))
    except (ModelError, TypeError, LookupError):
        return False


def _digest(folder: Path) -> str:
    """The SHA-256 of all that is in the folder but `REFUSED`: names, kinds, and the bytes of files."""
    whole = sha256()
    for path in sorted(folder.rglob("*")):
        if path != folder / REFUSED:
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
