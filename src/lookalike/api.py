"""`lookalike.fit`: the command `train` as one Python call."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from lookalike.data import Images
from lookalike.model import Model
from lookalike.runs import run
from lookalike.settings import train_settings


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
        Everything else that `lookalike train --help` lists, with underscores: method="mcgan", against="8".

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
        if key in ("known", "against")
    }
    return run(data, train_settings(**{**settings, **as_tuple}), Path(out), warn=_warn)


def _warn(line: str) -> None:
    warnings.warn(line, stacklevel=4)
