"""Figures of heat maps against masks: scikit-learn's ROC, and the overlap with regions by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from lookalike.base.errors import DataError
from lookalike.detect.pixels import LIMIT, pixel_figures


def made(seed=0):
    """Six maps with ties, and masks: two with nothing marked, the others with one to three regions."""
    draw = np.random.default_rng(seed)
    masks = np.zeros((6, 20, 30), bool)
    masks[2, 3:9, 4:8] = masks[3, 0:4, 0:4] = masks[3, 10:12, 20:29] = masks[4, 5, 5] = masks[5, 8:16, 9:20] = True
    masks[4, 6, 6] = True  # touches the one before at a corner
    return np.round(draw.normal(size=masks.shape) + 1.5 * masks, 1).astype(np.float32), masks


def test_auroc_is_scikit_learns():
    """Over the pixels of all images, known ones too."""
    maps, masks = made()
    found = pixel_figures(maps, masks)
    assert found.auroc == pytest.approx(roc_auc_score(masks.ravel(), maps.ravel()), rel=1e-12)
    assert (found.images, found.regions) == (4, 5)


def test_aupro_is_the_mean_overlap_below_the_limit():
    """The area under the curve of mean overlap over false positive rate, up to 30 %, by every threshold."""
    maps, masks = made()
    top = (np.arange(20) < 9)[:, None]
    regions = [(2, masks[2]), (3, masks[3] & top), (3, masks[3] & ~top), (4, masks[4]), (5, masks[5])]
    thresholds = np.unique(maps)[::-1]
    rate = np.array([(maps[~masks] >= t).mean() for t in thresholds])
    overlap = np.array([np.mean([(maps[i][region] >= t).mean() for i, region in regions]) for t in thresholds])
    # Up to each rate, what is above the threshold before it counts: a staircase.
    edges, steps = np.clip(np.append(rate, 1), 0, LIMIT), np.append(overlap, 1)
    wanted = (np.diff(edges) * steps[:-1]).sum() / LIMIT
    assert pixel_figures(maps, masks).aupro == pytest.approx(wanted, rel=1e-9)


def test_a_perfect_map_has_one():
    """Where every marked pixel scores above every other, both figures are 1."""
    _, masks = made()
    found = pixel_figures(masks.astype(np.float32), masks)
    assert (found.auroc, found.aupro) == (1, 1)


def test_masks_that_mark_nothing_are_refused():
    """One line says what masks are."""
    with pytest.raises(DataError, match="the masks mark no pixel, or all of them"):
        pixel_figures(np.zeros((1, 4, 4), np.float32), np.zeros((1, 4, 4), bool))
