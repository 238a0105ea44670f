"""`lookalike.fit` and `lookalike.augment`: the commands of these names as Python calls."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lookalike.base.arrays import Report, Warn
from lookalike.data import Images
from lookalike.detect.model import Model
from lookalike.runs.run import run
from lookalike.runs.settings import train_settings
from lookalike.use import augment as filling
from lookalike.use.balanced import Filled
from lookalike.use.filters import Filters


def fit(data: str | Path | Images, *, out: str | Path, known: str | tuple[str, ...], **settings: Any) -> Model:
    """Trains a detector of what is not `known`, in the run folder `out`; resumes or reuses what is there.

    Parameters
    ----------
    data : str, Path or Images
        A folder with one sub-folder per class, an .npz or IDX file, a data set's name, or images in memory.
    out : str or Path
        The run folder.
    known : str or tuple of str
        The known class, or several.
    **settings
        Everything else that `lookalike train --help` lists, with underscores: method="mcgan", extra_fakes="8".

    Returns
    -------
    Model
        Calibrated; `model.score(images)` gives scores, p-values and flags.

    Warns
    -----
    UserWarning
        What the command line prints as a warning: images left out or changed much, settings without effect.

    Raises
    ------
    LookalikeError
        A subclass that says what was given, what is accepted and what to do.
    """
    as_tuple = {
        key: (value,) if isinstance(value, str) else value
        for key, value in {"known": known, **settings}.items()
        if key in ("known", "extra_fakes")
    }
    return run(data, train_settings(**{**settings, **as_tuple}), Path(out), warn=_warn)


def augment(
    data: str,
    out: Path,
    *,
    to: str = filling.BALANCE,
    settings: Mapping[str, Any] | None = None,
    run: Path | None = None,
    filters: Filters | None = None,
    command: tuple[str, ...] = (),
    report: Report = lambda stage, done, of: None,
    warn: Warn = lambda message: None,
) -> list[Filled]:
    """Trains a GAN of all classes, makes what the short ones lack, and writes it with the real images into `out`.

    Parameters
    ----------
    data : str
        A folder with a sub-folder per class, an .npz or IDX file, or a data set's name.
    out : Path
        A new folder, or an .npz file; a page beside the images says what was made, and whether it was learnt by heart.
    to : str
        See `lookalike.use.augment.wanted`.
    settings : mapping
        Of the training, as `lookalike train` takes them, without `known`.
    run : Path or None
        A finished run whose GAN is used; None: one is trained beside `out`, and taken up where it stopped.
    filters : Filters or None
        Which images are kept; None: all.
    command : tuple of str
        The command line, for the page.
    report, warn : callable
        Told of progress and of what the user should know.

    Raises
    ------
    UsageError
        For a folder that holds something, or a method that is no GAN of several classes.
    DataError
        For data that cannot be used, classes that are too small, or filters that keep too little.
    """
    from lookalike.report.augment import page

    return filling.augment(
        data,
        out,
        to=to,
        settings=settings,
        run=run,
        page=page,
        filters=filters,
        command=command,
        report=report,
        warn=warn,
    )


def _warn(line: str) -> None:
    warnings.warn(line, stacklevel=4)
