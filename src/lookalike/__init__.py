"""lookalike: GANs that know about classes, for a user's own labelled images.

The data flow, in reading order:

    data        folders, arrays, IDX files -> images with labels; splits by content
    streams     what D is shown, under which verdict (+ latents, nets)
    heads       how D answers
    losses      answers -> losses
    method      one value per axis; methods/ holds one file per paper
    train       the only loop (+ gan); plan and runs give it a folder
    checkpoint  safetensors and JSON, atomic, resumable to the bit
    use         latent search, scores and thresholds, evaluation, generated images (+ baselines, model)
    metrics     ROC AUC and rates, with intervals
    augmentation  does filling up help a classifier
    report      run folders -> one HTML page
    estimators  the scikit-learn face; oversampler is imbalanced-learn's

Python's way in:

    model = lookalike.fit("digits", known="3", extra_fakes="8", method="mcgan", out="runs/three")
    figures = lookalike.evaluate("runs/three", "digits", unknown="8")

Names are loaded when they are first used, so that importing the package stays quick.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lookalike.data import read as read
    from lookalike.detect.auc import auc as auc
    from lookalike.detect.model import Model as Model
    from lookalike.faces.api import augment as augment
    from lookalike.faces.api import fit as fit
    from lookalike.faces.estimators import LookalikeDetector as LookalikeDetector
    from lookalike.faces.estimators import OpenSetClassifier as OpenSetClassifier
    from lookalike.faces.oversampler import GANOverSampler as GANOverSampler
    from lookalike.game.gan import GAN as GAN
    from lookalike.game.method import Method as Method
    from lookalike.methods import METHODS as METHODS
    from lookalike.use.evaluate import evaluate as evaluate

_PUBLIC = {
    "read": "lookalike.data",
    "Method": "lookalike.game.method",
    "METHODS": "lookalike.methods",
    "GAN": "lookalike.game.gan",
    "fit": "lookalike.faces.api",
    "Model": "lookalike.detect.model",
    "evaluate": "lookalike.use.evaluate",
    "LookalikeDetector": "lookalike.faces.estimators",
    "OpenSetClassifier": "lookalike.faces.estimators",
    "GANOverSampler": "lookalike.faces.oversampler",
    "augment": "lookalike.faces.api",
    "auc": "lookalike.detect.auc",
}

__all__ = list(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'lookalike' has no attribute {name!r}")
    return getattr(importlib.import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted(_PUBLIC)
