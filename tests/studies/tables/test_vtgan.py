"""Table 1 of vtgan-2021: the AUC of one training."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from lookalike.studies.detect.trial import ClassScores
from lookalike.studies.tables.detectors import Row
from lookalike.studies.tables.vtgan import ROWS, one_auc


def scored(*scores):
    """What a trial found, with no p-values that matter."""
    return ClassScores(np.array(scores, np.float64), np.ones(len(scores)), 1.0, np.zeros(len(scores), np.int64))


def test_one_auc_is_sklearns():
    """The unknown class is the positive one, ties count half, and other scored classes are left out."""
    known, unknown = np.random.default_rng(4).normal((0, 0.8), 1, (40, 2)).round(1).T
    said = {"3": scored(*known), "8": scored(*unknown), "9": scored(9.0)}
    expected = roc_auc_score([0] * 40 + [1] * 40, [*known, *unknown])
    assert one_auc(Row("mnist", ("3",), "8"), [said]) == {"auc": pytest.approx(expected)}
    assert one_auc(Row("mnist", ("8",), "3"), [said]) == {"auc": pytest.approx(1 - expected)}


def test_the_rows_are_pairs_in_both_directions():
    """Five pairs of look-alikes, each once with either class as the known one."""
    pairs = {(row.dataset, *row.known, row.unknown) for row in ROWS}
    assert len(ROWS) == len(pairs) == 10
    assert pairs == {(dataset, unknown, known) for dataset, known, unknown in pairs}
