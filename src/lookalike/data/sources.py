"""The choice of the reader for what the user names."""

from __future__ import annotations

import math
import os
import stat
from pathlib import Path

from lookalike.base import files
from lookalike.base.errors import DataError, UsageError, show
from lookalike.data import arrays, celeba, cifar, folder, gate, histopathology, idx, named, stl10
from lookalike.data.source import Source

Size = tuple[int, int]


def open_source(
    source: str | Path,
    *,
    labelled: bool = True,
    value_range: gate.ValueRange | None = None,
    allow_empty_class: bool = False,
) -> Source:
    """Return the list of what `source` holds, without decoding: a data set's name, a folder or a file.

    A folder holds class folders, patients, or the files of MNIST, CIFAR, STL-10 or CelebA. A file is an `.npz`, `.npy`
    or IDX file. With `labelled=False` a folder of loose images or one image file is accepted too.

    Raises
    ------
    DataError
        When there is no such source, or it cannot be used.
    UsageError
        For a value range without low < high.
    """
    if value_range is not None and not -math.inf < value_range[0] < value_range[1] < math.inf:
        given = f"{value_range[0]:g},{value_range[1]:g}"
        raise UsageError(f"the value range is {given}; give two numbers LOW,HIGH with LOW < HIGH")
    if not isinstance(source, str | os.PathLike):
        raise UsageError(
            f"data is {show(repr(source), 60)}; give a folder, a file, a data set's name, or lookalike.Images of arrays"
        )
    path = files.at_home(source)
    if isinstance(source, str) and source in named.NAMED:
        if path.exists():
            raise DataError(
                f"'{source}' is the name of a data set, and of a file or folder here too; give './{source}' for what "
                "is here, or rename it to read the data set"
            )
        return named.NAMED[source]()
    try:
        is_folder = stat.S_ISDIR(path.stat().st_mode)
    except (OSError, ValueError) as error:
        known = "a folder, .npz or IDX file, or " + ", ".join(named.NAMED)
        raise DataError(f"cannot open '{show(source)}' ({gate.phrase(error)}); give {known}") from None
    if is_folder and idx.is_folder(path):
        return idx.four(path)
    if is_folder and (layout := cifar.layout_of(path)):
        return cifar.read_folder(path, layout)
    if is_folder and stl10.holds(path):
        return stl10.read_folder(path)
    if is_folder and celeba.holds(path):
        return celeba.read_folder(path)
    if is_folder and histopathology.is_folder(path):
        return histopathology.patients(path, value_range, allow_empty_class)
    if is_folder and labelled:
        return folder.class_folders(path, value_range, allow_empty_class)
    if is_folder:
        return folder.any_images(path, value_range)
    return _open_file(path, labelled, value_range, allow_empty_class)


def refuse_inside(out: Path | None, source: object) -> None:
    """Raise UsageError where `out` is `source` or lies in that folder: its files would be read as data later."""
    if out is None or not isinstance(source, str | Path):
        return
    there, path = files.at_home(source).resolve(), out.resolve()
    if isinstance(source, str) and source in named.NAMED:
        if there == path:
            raise UsageError(f"'{show(out)}' would hide the data set of that name; write to another place (-o)")
        return
    if there == path and there.is_file():
        raise UsageError(f"'{show(out)}' is the data file itself; write to another path (-o)")
    if there.is_dir() and there in (path, *path.parents):
        raise UsageError(f"'{show(out)}' lies among the images of '{show(source)}'; write to another folder (-o)")


def _open_file(path: Path, labelled: bool, value_range: gate.ValueRange | None, allow_empty_class: bool) -> Source:
    if idx.is_images(path):
        return idx.pair(path)
    if path.suffix.lower() == ".npz":
        source = arrays.npz(path, value_range, allow_empty_class)
    elif path.suffix.lower() == ".npy":
        source = arrays.npy(path, value_range)
    elif labelled:
        known = "a folder with one sub-folder per class, an .npz or an IDX images file"
        raise DataError(f"'{show(path)}' is a file of an unknown kind; give {known}")
    else:
        return folder.one_file(path, value_range)
    if labelled and not source.classes:
        raise DataError(f"'{show(path)}' has no labels; store an array 'labels' beside 'images' in an .npz file")
    return source
