"""The backbone that a name stands for: a network that this version has, or the path of an ONNX file."""

from __future__ import annotations

import hashlib
import os
from functools import lru_cache
from pathlib import Path
from typing import Any

from lookalike.base.errors import ModelError, UsageError, show
from lookalike.base.files import open_regular
from lookalike.features.backbone import Backbone
from lookalike.features.efficientnet import LITE0, LITE1, LITE2
from lookalike.features.onnx_file import opened, stamp

LITES: dict[str, Backbone] = {lite.name: lite for lite in (LITE0, LITE1, LITE2)}
FOLDER = "LOOKALIKE_BACKBONES"  # environment variable: a folder with ONNX files of models that came from elsewhere


def named(name: str) -> Backbone:
    """The backbone `name`, a key of `LITES` or a path; raises as `opened` does."""
    return LITES.get(name) or opened(Path(name))


def stored(name: Any, sha256: Any) -> Backbone:
    """The backbone that a model was trained on, by the name and the SHA-256 of its file.

    An ONNX file is where it was in the training, or in the folder that `FOLDER` names, under any name.

    Raises
    ------
    ModelError
        Where it is not there, or the model names another one.
    """
    if not isinstance(name, str) or not isinstance(sha256, str) or not (name in LITES or name.endswith(".onnx")):
        raise ModelError(f"the model's network {show(name)} is none that this version can have; train again")
    if name in LITES:
        if LITES[name].origin.sha256 != sha256:
            raise ModelError(f"the model was trained on another {name} than the published one; train again")
        return LITES[name]
    folder = os.environ.get(FOLDER)
    for path in (Path(name), *(sorted(Path(folder).glob("*.onnx")) if folder else ())):
        if path.is_file() and _digest(path, stamp(path)) == sha256:
            try:
                return opened(path)
            except UsageError as error:  # onnxruntime is missing
                raise ModelError(str(error)) from error
    raise ModelError(
        f"the model needs the network {show(Path(name).name)} (SHA-256 {show(sha256, 64)}), which is not at "
        f"{show(name)}; copy that file to a folder, and set {FOLDER} to the folder"
    )


@lru_cache
def _digest(path: Path, _stamp: tuple[int, int]) -> str:
    """The SHA-256 of a file."""
    with open_regular(path) as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
