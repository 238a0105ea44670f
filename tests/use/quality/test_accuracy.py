"""The classification accuracy score, and the files that spare its trainings."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lookalike.detect.baselines.classifier import CNN
from lookalike.use.quality import cache
from lookalike.use.quality.accuracy import accuracy_score


def stripes(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(n, 1, 8, 8) noise with a bright upper half (class 0) or lower half (class 1), and its class."""
    random = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    pixels = random.integers(0, 120, (n, 1, 8, 8))
    for k in (0, 1):
        pixels[labels == k, :, 4 * k : 4 * k + 4] += 120
    return pixels.astype(np.uint8), labels


@pytest.fixture
def own_folder(monkeypatch, tmp_path):
    """A cache folder of this test alone."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "lookalike"


@pytest.fixture
def fits(monkeypatch):
    """What each training of a short one was given."""
    given, fit = [], CNN.fit
    monkeypatch.setattr("lookalike.use.quality.cache.STEPS", 40)
    monkeypatch.setattr(type(CNN), "fit", lambda _self, *args, **how: given.append(args) or fit(*args, **how))
    return given


def test_the_score_is_high_for_good_images_and_low_for_wrong_ones(own_folder, fits):
    """Made images like the real ones teach as much; under swapped labels they teach the wrong thing, wholly."""
    (pixels, labels), real, unseen = stripes(60, 1), stripes(100, 2), stripes(40, 3)
    good = accuracy_score((pixels, labels), real, unseen, 0)
    assert good.made.rate == good.real.rate == 1 and good.images == 60 and good.made.of == 40
    assert accuracy_score((pixels, 1 - labels), real, unseen, 0).made.rate == 0


def test_both_classifiers_learn_from_as_many_images_of_each_class(own_folder, fits):
    """Of 30 and 30 made and 50 and 20 real images, each side trains on 30 and 20 of its own."""
    made, (pixels, labels) = stripes(60, 1), stripes(100, 2)
    rows = np.sort(np.concatenate([np.flatnonzero(labels == 0), np.flatnonzero(labels == 1)[:20]]))
    found = accuracy_score(made, (pixels[rows], labels[rows]), stripes(40, 3), 0)
    assert found.images == 50
    for (shown, said, _seed), side in zip(fits, (made[0], pixels), strict=True):
        assert np.bincount(said).tolist() == [30, 20]
        assert {one.tobytes() for one in shown} <= {one.tobytes() for one in side}


def test_the_same_images_and_seed_train_once(own_folder, fits, monkeypatch):
    """The second time the classifier comes from its file, to the bit; another image, label or seed trains anew."""
    pixels, labels = stripes(20, 1)
    first, again = (cache.trained(pixels, labels, 0) for _ in range(2))
    assert len(fits) == 1
    assert np.array_equal(first.score(pixels).classes, again.score(pixels).classes)
    brighter = pixels.copy()
    brighter[0, 0, 0, 0] ^= 1
    for other in ((brighter, labels, 0), (pixels, 1 - labels, 0), (pixels, labels, 1)):
        cache.trained(*other)
    assert len(fits) == 4 == len(list(own_folder.iterdir()))
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)  # other bits
    cache.trained(pixels, labels, 0)
    assert len(fits) == 5


def test_a_damaged_or_forbidden_cache_costs_a_training_alone(own_folder, fits):
    """A changed file is trained again and mended; where the folder is a file, nothing is kept and nothing fails."""
    pixels, labels = stripes(20, 1)
    wanted = cache.trained(pixels, labels, 0).score(pixels).classes
    (path,) = own_folder.iterdir()
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert np.array_equal(cache.trained(pixels, labels, 0).score(pixels).classes, wanted)
    assert path.read_bytes() == whole and len(fits) == 2
    path.unlink()
    own_folder.rmdir()
    own_folder.write_text("in the way")
    assert np.array_equal(cache.trained(pixels, labels, 0).score(pixels).classes, wanted)
    assert len(fits) == 3 and own_folder.read_text() == "in the way"


def test_without_a_cache_folder_nothing_is_kept(own_folder, fits, monkeypatch):
    """Where the cache is switched off, the same images train twice, and no folder is made."""
    monkeypatch.setenv("LOOKALIKE_CACHE", "off")
    for _ in range(2):
        cache.trained(*stripes(20, 1), 3)
    assert len(fits) == 2 and not own_folder.exists()
