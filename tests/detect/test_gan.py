"""Thresholds and p-values by hand and by their promise; a GAN's scores as numpy arrays."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lookalike.base.errors import DataError, UsageError
from lookalike.base.words import percent
from lookalike.data import scaled
from lookalike.data.images import as_pixels
from lookalike.detect.detector import Threshold
from lookalike.detect.gan import GANDetector
from lookalike.detect.search import Inverter, Search
from lookalike.game.gan import GAN
from lookalike.methods import METHODS

TWENTY = np.arange(20, 0, -1, dtype=np.float64)  # 20, 19, ..., 1


def test_threshold_by_hand():
    """Of 19 held-out scores and 5 % the threshold is the largest; of 20 still the largest; of 39 the 38th."""
    assert Threshold(TWENTY[1:], 0.05).value == 19
    assert Threshold(TWENTY, 0.05).value == 20
    assert Threshold(np.arange(1.0, 40), 0.05).value == 38
    assert Threshold(np.arange(1.0, 10), 0.3).value == 7
    assert Threshold(np.array([5.0]), 0.5).value == 5


@pytest.mark.parametrize("allowed", ["0.01", "0.05", "0.07", "0.1", "0.15", "0.29", "0.3", "0.5", "0.7", "0.9"])
def test_rank_is_exact(allowed):
    """The rank is ceil((n + 1)(1 - allowed)) in exact arithmetic for every n up to 400, without rounding slips."""
    share = Fraction(allowed)
    for n in range(math.ceil(1 / share) - 1, 400):
        k = math.ceil((n + 1) * (1 - share))
        assert Threshold(np.arange(1.0, n + 1), float(allowed)).value == k


def test_p_values_by_hand():
    """p = (1 + number of held-out scores at least as large) / (n + 1): ties count as at least as large."""
    limit = Threshold(np.array([1.0, 2.0, 2.0, 3.0]), 0.2)
    given_scores = np.array([0.0, 1.0, 1.5, 2.0, 2.5, 3.0, 3.1])
    assert limit.p_values(given_scores).tolist() == [1.0, 1.0, 0.8, 0.8, 0.4, 0.4, 0.2]


def test_flags_by_hand():
    """A score is flagged when it lies above the threshold, not when it equals it."""
    limit = Threshold(np.array([1.0, 2.0, 2.0, 3.0]), 0.2)
    assert limit.flags(np.array([2.9, 3.0, np.nextafter(3.0, 4.0)])).tolist() == [False, False, True]


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    calibration=st.lists(st.integers(0, 12), min_size=1, max_size=60),
    scores=st.lists(st.integers(-1, 13), min_size=1, max_size=20),
    permille=st.integers(1, 999),
)
def test_flagged_means_p_at_most_allowed(calibration, scores, permille):
    """Flag and p-value never disagree, with ties everywhere and for any share in permille."""
    allowed = permille / 1000
    if len(calibration) < math.ceil(Fraction(1000, permille)) - 1:
        with pytest.raises(DataError):
            Threshold(np.array(calibration, float), allowed)
        return
    limit = Threshold(np.array(calibration, float), allowed)
    asked = np.array(scores, float)
    assert (limit.flags(asked) == (limit.p_values(asked) <= allowed)).all()


@pytest.mark.parametrize(
    ("n", "allowed", "needed", "enough"), [(18, 0.05, 19, "0.053"), (98, 0.01, 99, "0.011"), (28, 0.01, 99, "0.035")]
)
def test_too_few_calibration_images(n, allowed, needed, enough):
    """Too few held-out images for the promise are refused with the number needed and the share that they allow."""
    with pytest.raises(DataError) as error:
        Threshold(np.zeros(n), allowed)
    text = f"{n} calibration images cannot promise {percent(allowed)} false alarms: {needed} are needed; "
    assert str(error.value).startswith(text)
    assert str(error.value).endswith(f"hold out more of them (--calibration), or allow more (--false-alarms {enough})")
    assert Threshold(np.zeros(n), float(enough)).value == 0  # the advice holds


def test_no_calibration_images():
    """Without a single held-out image no share of false alarms can be promised, and none is advised."""
    with pytest.raises(DataError, match=r"0 calibration images .*\(--calibration\)$"):
        Threshold(np.zeros(0), 0.05)


@pytest.mark.parametrize("allowed", [1 / n for n in range(2, 200)])
def test_just_enough_calibration_images(allowed):
    """With 1 / allowed - 1 images, and no rounding slip, the threshold is the largest score."""
    n = round(1 / allowed) - 1
    assert Threshold(np.arange(1.0, n + 1), allowed).value == n


@pytest.mark.parametrize("allowed", [0.0, 1.0, -0.1, 2.0, float("nan")])
def test_share_must_be_a_share(allowed):
    """A share of false alarms outside 0 to 1 is refused."""
    with pytest.raises(UsageError, match="false alarms"):
        Threshold(TWENTY, allowed)


@pytest.mark.parametrize(("n", "allowed"), [(19, 0.05), (50, 0.1), (99, 0.2)])
def test_promise_holds(n, allowed):
    """Over 4000 draws of held-out and new known images the false-alarm rate is the exact one, at most as allowed."""
    random = np.random.default_rng(7)
    draws = random.standard_cauchy((4000, n + 1))
    limits = [Threshold(row[:n], allowed) for row in draws]
    flagged = np.mean([limit.flags(row[n:])[0] for limit, row in zip(limits, draws, strict=True)])
    exact = math.floor(allowed * (n + 1) + 1e-9) / (n + 1)
    noise = 3.5 * math.sqrt(exact * (1 - exact) / 4000)
    assert exact <= allowed + 1e-12
    assert abs(flagged - exact) < noise
    p = np.array([limit.p_values(row[n:])[0] for limit, row in zip(limits, draws, strict=True)])
    for u in (0.1, 0.5, 0.9):
        assert np.mean(p <= u) <= u + 3.5 * math.sqrt(u * (1 - u) / 4000)


def test_promise_holds_with_ties():
    """Ties make false alarms rarer, never more frequent."""
    draws = np.random.default_rng(8).integers(0, 4, (3000, 40)).astype(float)
    flagged = [Threshold(row[:39], 0.1).flags(row[39:])[0] for row in draws]
    assert np.mean(flagged) <= 0.1


def test_gan_detector_is_the_search(small):
    """A GAN's score is V(x), its parts are R, L_D and realness, its nearest image G(z) in bytes."""
    gan, search = GAN(small(METHODS["anogan"]), (3, 8, 4)), Search(steps=5, batch=4)
    pixels = np.random.default_rng(1).integers(0, 256, (6, 3, 8, 4), dtype=np.uint8)
    said = GANDetector(gan, search).score(pixels)
    found = Inverter(gan, search).search(torch.from_numpy(scaled(pixels)))
    assert said.score.dtype == np.float64
    assert said.score.tolist() == found.V.tolist()
    assert {name: values.tolist() for name, values in said.parts.items()} == {
        name: getattr(found, name).tolist() for name in ("R", "L_D", "realness", "converged")
    }
    assert said.nearest.dtype == np.uint8
    assert np.array_equal(said.nearest, np.rint((found.nearest.numpy() + 1) * 127.5).astype(np.uint8))


def test_gan_detector_facts_rebuild_the_search(small):
    """The stored facts are the search's settings, all of them."""
    search = Search(lam=0.3, reduce="mean", layer="conv2", restarts=2, seed=9)
    assert Search(**GANDetector(GAN(small(METHODS["anogan"]), (1, 8, 8)), search).facts()) == search


def test_pixels_and_back():
    """All 256 bytes survive the way to [-1, 1] and back; values beyond are clipped; vectors stay."""
    every = np.arange(256, dtype=np.uint8).reshape(1, 1, 16, 16)
    assert np.array_equal(as_pixels(torch.from_numpy(scaled(every))), every)
    assert as_pixels(torch.tensor([[[[-3.0, 3.0]]]])).flatten().tolist() == [0, 255]
    assert as_pixels(torch.tensor([[-3.0, 0.25]])).tolist() == [[-3.0, 0.25]]
