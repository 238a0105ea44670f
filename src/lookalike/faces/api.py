"""`lookalike.fit` and `lookalike.augment`: the commands of these names as Python calls."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lookalike.base import files
from lookalike.base.arrays import Note, Report, Warn
from lookalike.data import Images
from lookalike.detect.model import Model
from lookalike.runs.run import run
from lookalike.runs.settings import train_settings
from lookalike.use import augment as filling
from lookalike.use.filled import Filled
from lookalike.use.filters import Filters


def fit(
    data: str | Path | Images, *, out: str | Path, known: str | int | Iterable[str | int], **settings: Any
) -> Model:
    """Trains a detector of what is not of a `known` class, in the run folder `out`. A run that is there is resumed.

    Parameters
    ----------
    data : str, Path or Images
        A folder with one sub-folder per class, an .npz or IDX file, a data set's name, or images in memory.
    out : str or Path
        The run folder.
    known : str, int, or several
        The known class, or several. A number is the class of that name.
    **settings
        Any other flag of `lookalike train --help`, with underscores: method="mcgan", extra_fakes="8".

    Returns
    -------
    Model
        The model with its threshold; `model.score(images)` gives scores, p-values and flags.

    Warns
    -----
    UserWarning
        For what the command line warns of: images left out or changed much, settings without effect.

    Raises
    ------
    LookalikeError
        For a user's mistake. The message says what was given, what is accepted and what to do.
    """
    return run(data, train_settings(**settings, known=known), Path(out), warn=_warn)


def augment(
    data: str,
    out: str | Path,
    *,
    to: filling.To = filling.BALANCE,
    settings: Mapping[str, Any] | None = None,
    run: str | Path | None = None,
    filters: Filters | None = None,
    anyway: bool = False,
    command: tuple[str, ...] = (),
    report: Report = lambda stage, done, of: None,
    warn: Warn = lambda message: None,
    note: Note | None = None,
) -> list[Filled]:
    """Trains a GAN of all classes, fills up those with few images, and writes real and generated ones into `out`.

    Parameters
    ----------
    data : str
        A folder with a sub-folder per class, an .npz or IDX file, or a data set's name.
    out : str or Path
        A new folder, or an .npz file. A page beside it shows the images, and says whether G copied training images.
    to : str, int or mapping
        How far classes are filled up; see `lookalike.use.augment.wanted`.
    settings : mapping
        Settings of the training, as `lookalike train` takes them, without `known`.
    run : str, Path or None
        A finished run, whose GAN is used. None: one is trained beside `out`, or resumed there.
    filters : Filters or None
        Says which images are kept; None: all.
    anyway : bool
        Whether generated images are written that are of no use: collapsed, or mostly of another class.
    command : tuple of str
        The command line, for the page.
    report, warn : callable
        They get the progress, and what the user should know.
    note : callable, optional
        It gets from what sizes to what size images shrink, and how long the GAN will train.

    Raises
    ------
    UsageError
        For an `out` that holds something, or a method that is not conditional.
    DataError
        For data that cannot be used, classes that are too small, or filters that keep too few images.
    NotWrittenError
        A DataError, after all else is written: generated images of some classes are of no use, and the output holds the
        real images of these alone. Its `filled` is what is returned otherwise.
    """
    from lookalike.report.augment import page

    return filling.augment(
        data,
        files.at_home(out),
        to=to,
        settings=settings,
        run=None if run is None else files.at_home(run),
        page=page,
        filters=filters,
        anyway=anyway,
        command=command,
        report=report,
        warn=warn,
        note=note,
    )


def _warn(line: str) -> None:
    warnings.warn(line, stacklevel=5)
