"""Every known image teaches, and every known image sets the threshold, scored by what the others teach.

This wastes no image. The scores come from leaving out each image in turn, where a detector has them exactly, or from
`FOLDS` detectors that each leave out a part (cross-conformal prediction, Vovk 2015; Barber et al. 2021). Unlike images
that are held out, they promise the share of false alarms only about: the detector that scores new images has learnt
from a few more images than those that scored the known ones.

Where images have groups, such as the slides that they are from, a fold leaves out whole groups. An image that was left
out alone would be scored by what the rest of its slide teaches, and new slides have no such rest.
"""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch

from lookalike.base.arrays import Floats, Index, Labels, Pixels
from lookalike.base.errors import DataError
from lookalike.base.seeds import generator
from lookalike.data.images import Selection
from lookalike.detect.baselines.baseline import Baseline
from lookalike.detect.detector import Detector

FOLDS = 10
FEWEST = 3  # images
FEWEST_GROUPS = 2
BLOCK = 256  # images scored at once


@runtime_checkable
class LeavesOut(Protocol):
    """A baseline that scores each image as if it had not learnt from it, or from its group."""

    def fit_left_out(
        self, pixels: Pixels | Selection, seed: int, groups: Labels | None = None
    ) -> tuple[Detector, Floats]:
        """As `crossed`."""


def crossed(
    baseline: Baseline, pixels: Pixels | Selection, seed: int, groups: Labels | None = None
) -> tuple[Detector, Floats]:
    """A detector of known images, and float64 (N,) scores of these images, each by what others teach.

    Parameters
    ----------
    baseline : Baseline
        Whose detectors of N and of fewer images give scores on one scale.
    pixels : ndarray
        (N, C, H, W) uint8 or (N, F) float32, no two the same.
    seed : int
        The baseline's seed; it draws the folds too.
    groups : ndarray, optional
        (N,) the group of each image, as numbers, of `FEWEST_GROUPS` groups or more. The others are then the images of
        other groups.

    Raises
    ------
    DataError
        For fewer than `FEWEST` images, or fewer than the baseline needs.
    """
    if len(pixels) < FEWEST:
        raise DataError(
            f"{len(pixels)} known images are too few to train on and to set a threshold; at least {FEWEST} are needed"
        )
    if isinstance(baseline, LeavesOut):
        return baseline.fit_left_out(pixels, seed, groups)
    return folded(baseline, pixels, seed, groups)


def folded(
    baseline: Baseline, pixels: Pixels | Selection, seed: int, groups: Labels | None = None
) -> tuple[Detector, Floats]:
    """As `crossed`, by `FOLDS` detectors that each leave out a part."""
    if groups is not None:
        return by_group(baseline, pixels, seed, groups, np.arange(len(pixels)))
    order = torch.randperm(len(pixels), generator=generator(seed, baseline.kind, "folds")).numpy()
    score = np.empty(len(pixels))
    for out in np.array_split(order, min(FOLDS, len(pixels))):
        rest = np.setdiff1d(order, out)
        score[out] = baseline.fit(pixels[rest], seed).score(pixels[out]).score
    return baseline.fit(pixels[np.arange(len(pixels))], seed), score


def by_group(
    baseline: Baseline, pixels: Pixels | Selection, seed: int, groups: Labels, mine: Index
) -> tuple[Detector, Floats]:
    """A detector of the images `mine`, and float64 (N,) scores of all, each by what images of other groups teach.

    It makes `FOLDS` detectors that each leave out some groups. A group may have images of several classes.

    Parameters
    ----------
    baseline, seed
        As for `crossed`.
    pixels : ndarray
        As for `crossed`; known images of one class or of several.
    groups : ndarray
        (N,) the group of each image, as numbers.
    mine : ndarray
        The rows of the class that the detector learns; they are of `FEWEST_GROUPS` groups or more.

    Raises
    ------
    DataError
        Where the images of the other groups are too few for the baseline.
    """
    own = np.unique(groups[mine])
    order = own[torch.randperm(len(own), generator=generator(seed, baseline.kind, "folds")).numpy()]
    detector, score = baseline.fit(_chosen(pixels, mine), seed), np.empty(len(pixels))
    others = np.flatnonzero(~np.isin(groups, own))
    score[others] = _scored(detector, pixels, others)
    for fold in np.array_split(order, min(FOLDS, len(order))):
        out = np.flatnonzero(np.isin(groups, fold))
        score[out] = _scored(baseline.fit(_chosen(pixels, np.setdiff1d(mine, out)), seed), pixels, out)
    return detector, score


def _chosen(pixels: Pixels | Selection, rows: Index) -> Any:
    """These images; large ones are not copied."""
    return Selection(pixels, rows) if isinstance(pixels, Selection) else pixels[rows]


def _scored(detector: Detector, pixels: Pixels | Selection, rows: Index) -> Floats:
    """(n,) scores of these images, some at a time."""
    parts = range(0, len(rows), BLOCK)
    return np.concatenate([np.empty(0), *(detector.score(pixels[rows[i : i + BLOCK]]).score for i in parts)])
