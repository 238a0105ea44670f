"""lookalike: GANs that know about classes, for a user's own labelled images.

The rooms, in the order of the data. A room imports from the rooms above it in this list, never from those below:

    base        errors, files written whole or not at all, checkpoints, seeds
    data        folders, arrays, IDX files -> images with labels; splits by content
    features    frozen networks that others trained, and what they see in an image
    game        one GAN game: streams, heads, losses, networks, Method, GAN, and the only training loop of GANs
    methods     one file per paper; METHODS = {name: Method}
    detect      a trained GAN or a baseline -> scores, a threshold, a stored Model
    runs        settings and data -> a plan, and the run folder that resumes
    use         what a trained GAN is for: evaluate, generate, fill up classes, measure, find look-alikes
    studies     many trainings measured alike: benches, and the tables of the papers
    report      run folders and studies -> HTML pages
    faces       the command line, Python's functions, scikit-learn's estimators

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
    from lookalike.faces.datasets import Generated as Generated
    from lookalike.faces.datasets import from_dataset as from_dataset
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
    "Generated": "lookalike.faces.datasets",
    "from_dataset": "lookalike.faces.datasets",
    "auc": "lookalike.detect.auc",
}

__all__ = list(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'lookalike' has no attribute {name!r}")
    return getattr(importlib.import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted(_PUBLIC)
