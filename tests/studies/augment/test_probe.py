"""The linear probe: what it sees of an image, how it learns, and what its validation images decide."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from lookalike.base.errors import UsageError
from lookalike.data import read
from lookalike.features import cache
from lookalike.features.efficientnet import LITE0
from lookalike.features.views import maps
from lookalike.studies.augment import probe
from lookalike.studies.augment.probe import COPIES, STRENGTHS, features, fit


@pytest.fixture(scope="module")
def digits():
    """36 digits of three classes to train on, and 18 to validate."""
    images = read("digits")
    rows = np.flatnonzero(images.labels < 3)
    return [(images.pixels[part], images.labels[part]) for part in (rows[:36], rows[36:54])]


@pytest.fixture
def rows(monkeypatch):
    """Features are the four pixels of an image themselves, and all that are asked for are kept."""
    asked = []

    def of(pixels):
        asked.append(pixels)
        return pixels.reshape(len(pixels), -1).astype(np.float32) / 255

    monkeypatch.setattr(probe, "features", of)
    return asked


def toy(n, seed=0, classes=2):
    """Images (n, 1, 2, 2) whose first pixels are brighter in later classes, and their classes."""
    random = np.random.default_rng(seed)
    labels = np.arange(n) % classes
    pixels = random.integers(0, 150, (n, 1, 2, 2))
    pixels[:, 0, 0, 0] = 40 * labels + random.integers(0, 60, n)
    return pixels.astype(np.uint8), labels.astype(np.int64)


def test_features_are_the_mean_of_the_last_layer(digits):
    """1,280 numbers of length one: the head's map of the image at 160 pixels, averaged."""
    pixels = digits[0][0][:2]
    ((n, (found,)),) = maps(LITE0, pixels, 160, [LITE0.head])
    means = found[:n].mean((2, 3))
    assert torch.allclose(torch.from_numpy(features(pixels)), means / means.norm(dim=1, keepdim=True), atol=1e-6)


def test_features_are_computed_once(digits, tmp_path, monkeypatch):
    """Within a study the network sees no image twice, in any order; the rows are the same bits."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    pixels, seen, honest = digits[0][0][:3], [], type(LITE0).maps
    monkeypatch.setattr(type(LITE0), "maps", lambda *a: (seen.append(1), honest(*a))[1])
    plain = features(pixels)
    with cache.kept():
        first = features(pixels)
        asked = len(seen)
        again = features(pixels[::-1])
    assert len(seen) == asked and np.array_equal(plain, first) and np.array_equal(again, first[::-1])


def test_it_is_scikit_learns_regression_of_the_best_strength(rows):
    """Of all strengths the one with the smallest cross-entropy on validation images, fitted to the training images."""
    train, held = toy(40), toy(30, 1)
    by_strength = {}
    for strength in STRENGTHS:
        of = LogisticRegression(C=strength, max_iter=1000).fit(probe.features(train[0]), train[1])
        by_strength[strength] = log_loss(held[1], of.predict_proba(probe.features(held[0])))
    found = fit(*train, classes=2, validation=held, seed=0)
    best = min(by_strength, key=by_strength.get)
    assert found.facts() == {"strength": best} and best not in (STRENGTHS[0], STRENGTHS[-1])
    assert found.loss == pytest.approx(by_strength[best], rel=1e-4)
    assert found.probabilities(held[0]).shape == (30, 2)


def test_copies_stand_beside_the_images(rows):
    """Each image is there as it is, and twice as the transformation made it; the copies differ from each other."""
    (pixels, labels), held = toy(40), toy(30, 1)

    def noisy(x, y, random):
        return x + 0.2 * torch.rand(x.shape, generator=random), y

    fit(pixels, labels, classes=2, validation=held, seed=0, transform=noisy)
    plain, copies = rows[1], rows[0]
    if len(plain) != len(pixels):
        plain, copies = copies, plain
    assert np.array_equal(plain, pixels) and len(copies) == COPIES * len(pixels) and copies.dtype == np.uint8
    # sums over all images, as the copies are in another order; the noise is 0.1 x 127.5 on average
    each = [part.astype(float).mean() for part in np.split(copies, COPIES)]
    assert np.allclose(np.array(each) - pixels.mean(), 12.75, atol=2) and len(set(each)) == COPIES


def test_a_mixed_image_counts_for_each_class_by_its_share(rows):
    """Three quarters of one class and one quarter of another: as if they were two images of these weights."""
    (pixels, labels), held = toy(40), toy(30, 1)

    def mixed(x, y, random):
        return x, 0.75 * y + 0.25 * y.flip(1)

    found = fit(pixels, labels, classes=2, validation=held, seed=0, transform=mixed)
    row = probe.features(pixels)
    of = LogisticRegression(C=found.of.C, max_iter=1000).fit(
        np.concatenate([row, row]),
        np.concatenate([labels, 1 - labels]),
        np.repeat([1 + COPIES * 0.75, COPIES * 0.25], 40),
    )
    assert np.allclose(found.probabilities(held[0]), of.predict_proba(probe.features(held[0])), atol=2e-3)


def test_a_class_without_training_images_has_probability_0(rows):
    """Of three classes the second is missing: two columns are those of the others, and add up to 1."""
    (pixels, labels), held = toy(60, classes=3), toy(30, 1, classes=3)
    there, known = labels != 1, held[1] != 1
    found = fit(pixels[there], labels[there], classes=3, validation=(held[0][known], held[1][known]), seed=0)
    shares = found.probabilities(held[0])
    assert np.all(shares[:, 1] == 0) and np.allclose(shares.sum(1), 1)
    assert np.array_equal(shares[known].argmax(1), held[1][known])


def test_it_learns_digits_from_a_few_images(digits):
    """Of twelve images of each of three digits, nine in ten others are recognised."""
    train, (pixels, labels) = digits
    found = fit(*train, classes=3, validation=(pixels, labels), seed=0)
    assert (found.probabilities(pixels).argmax(1) == labels).mean() >= 0.9


def test_vectors_are_refused():
    """It takes images."""
    x = np.zeros((4, 5), np.float32)
    with pytest.raises(UsageError, match="the linear probe takes images"):
        fit(x, np.zeros(4, np.int64), classes=1, validation=(x, np.zeros(4, np.int64)), seed=0)
