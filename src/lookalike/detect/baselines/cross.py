"""Every known image teaches, and every known image sets the threshold, scored by what the others teach.

This wastes no image. The scores come from leaving out each image in turn, where a detector has them exactly, or from
`FOLDS` detectors that each leave out a part (cross-conformal prediction, Vovk 2015; Barber et al. 2021). Unlike images
that are held out, they promise the share of false alarms only about: the detector that scores new images has learnt
from a few more images than those that scored the known ones.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
import torch

from lookalike.base.arrays import Floats, Pixels
from lookalike.base.errors import DataError
from lookalike.base.seeds import generator
from lookalike.data.images import Selection
from lookalike.detect.baselines.baseline import Baseline
from lookalike.detect.detector import Detector

FOLDS = 10
FEWEST = 3  # images


@runtime_checkable
class LeavesOut(Protocol):
    """A baseline that scores each image as if it had not learnt from it."""

    def fit_left_out(self, pixels: Pixels | Selection, seed: int) -> tuple[Detector, Floats]:
        """As `crossed`."""


def crossed(baseline: Baseline, pixels: Pixels | Selection, seed: int) -> tuple[Detector, Floats]:
    """A detector of known images, and float64 (N,) scores of these images, each by what others teach.

    Parameters
    ----------
    baseline : Baseline
        Whose detectors of N and of fewer images give scores on one scale.
    pixels : ndarray
        (N, C, H, W) uint8 or (N, F) float32, no two the same.
    seed : int
        The baseline's seed; it draws the folds too.

    Raises
    ------
    DataError
        For fewer than `FEWEST` images, or fewer than the baseline needs.
    """
    if len(pixels) < FEWEST:
        raise DataError(
            f"{len(pixels)} known images are too few to train on and to set a threshold; at least {FEWEST} are needed"
        )
    return baseline.fit_left_out(pixels, seed) if isinstance(baseline, LeavesOut) else folded(baseline, pixels, seed)


def folded(baseline: Baseline, pixels: Pixels | Selection, seed: int) -> tuple[Detector, Floats]:
    """As `crossed`, by `FOLDS` detectors that each leave out a part."""
    order = torch.randperm(len(pixels), generator=generator(seed, baseline.kind, "folds")).numpy()
    score = np.empty(len(pixels))
    for out in np.array_split(order, min(FOLDS, len(pixels))):
        rest = np.setdiff1d(order, out)
        score[out] = baseline.fit(pixels[rest], seed).score(pixels[out]).score
    return baseline.fit(pixels[np.arange(len(pixels))], seed), score
