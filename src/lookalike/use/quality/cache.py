"""Classifiers that `measure` trained, kept in the user's cache folder: the same images and seed train only once.

A file there may be deleted at any time. A damaged file, or one that cannot be written, only costs a training.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from importlib.metadata import version

import numpy as np
import numpy.typing as npt
import torch

from lookalike.base import checkpoint
from lookalike.base.arrays import Pixels
from lookalike.base.cache import folder
from lookalike.base.errors import ModelError, OutputError
from lookalike.base.files import make_folder
from lookalike.detect.baselines import classifier
from lookalike.detect.baselines.classifier import CNN, Classifier

STEPS = 2000  # batches of 32 images


def trained(pixels: Pixels, labels: npt.NDArray[np.int64], seed: int) -> Classifier:
    """Return the cnn baseline from its file, or else train it and write the file.

    This training is longer than that of the detector, and its step size falls to 0. So it classifies 88.6 % of 4,000
    held-out training images of Fashion-MNIST correctly, where the detector reaches 80.7 %. On mnist-5k the shares are
    98.6 % and 96.6 % (seed 0).

    Parameters
    ----------
    pixels, labels, seed
        uint8 (N, C, H, W); int64 (N,) from 0 to K - 1; seed of the training.
    """
    if (there := folder()) is None:
        return _fit(pixels, labels, seed)
    path = there / f"cnn-{_key(pixels, labels, seed)}.safetensors"
    with suppress(ModelError):
        return CNN.restore(*checkpoint.read_tensors(path), pixels.shape[1:])
    found = _fit(pixels, labels, seed)
    with suppress(OutputError):
        make_folder(path.parent)
        # One row of features is enough: the softmax score reads no neighbours.
        checkpoint.write_tensors(path, found.tensors() | {"known": found.known[:1]}, found.facts())
    return found


def _fit(pixels: Pixels, labels: npt.NDArray[np.int64], seed: int) -> Classifier:
    return CNN.fit(pixels, labels, seed, steps=STEPS, decay=True)


def _key(pixels: Pixels, labels: npt.NDArray[np.int64], seed: int) -> str:
    """Return a hash of everything that the weights' bits depend on."""
    settings = (classifier.WIDTH, STEPS, classifier.BATCH, classifier.LR, seed, torch.get_num_threads())
    facts = (version("lookalike"), torch.__version__, *settings, pixels.shape, pixels.dtype.str)
    digest = hashlib.sha256(repr(facts).encode())
    digest.update(np.ascontiguousarray(pixels).data)
    digest.update(np.ascontiguousarray(labels, np.int64).data)
    return digest.hexdigest()[:32]
