"""Whether generated images are nearly all the same, and who says so."""

from __future__ import annotations

import numpy as np
import pytest
from tiny import call, train

from lookalike.runs.samples import JUDGED, alike

NOISE = np.random.default_rng(0)
PLAIN = np.full((20, 1, 8, 8), 90.0)
FLICKER = np.zeros((20, 1, 8, 8))
FLICKER[..., 3, 3] = NOISE.integers(0, 9, (20, 1))  # one pixel of 64
OTHER = np.zeros((20, 1, 8, 8))
OTHER[3] = 110  # one image of 20
CASES = {
    "equal": (PLAIN, True),
    "equal but for one pixel": (PLAIN + FLICKER, True),
    "equal but for a grey level here and there": (PLAIN + (NOISE.random(PLAIN.shape) > 0.99), True),
    "with noise of two grey levels": (PLAIN + NOISE.normal(0, 2, PLAIN.shape), False),
    "two images in turn": (np.tile([[[[0]]], [[[200]]]], (10, 1, 8, 8)), False),
    "one of twenty is another": (PLAIN + OTHER, False),
    "few": (PLAIN[: JUDGED - 1], False),
    "equal vectors": (np.full((20, 5), 0.3), True),
    "vectors": (NOISE.normal(0, 0.1, (20, 5)), False),
}


@pytest.mark.parametrize("case", CASES)
def test_images_are_alike_where_they_differ_by_less_than_any_noise(case):
    """Equal images, but for single grey levels, are alike; noise, two images and a few are not."""
    images, same = CASES[case]
    kind = np.uint8 if images.ndim == 4 else np.float32
    assert alike(images.astype(kind)) is same


def test_generate_says_that_a_gan_collapsed(tmp_path, capsys, monkeypatch):
    """After a training of some length a line names the class; after a hasty one nobody expects variety."""
    monkeypatch.setattr("lookalike.use.generate.alike", lambda images: len(images) == 20)
    make = ["generate", tmp_path / "run", "-n", "20", "-o"]
    assert call(capsys, *train(tmp_path / "run"))[::2] == (0, "")
    assert "warning" not in call(capsys, *make, tmp_path / "hasty")[2]
    monkeypatch.setattr("lookalike.use.generate.LEARNT", 256)
    code, _, err = call(capsys, *make, tmp_path / "made")
    assert (code, err.count("warning: the images of 3 are nearly all alike: the GAN has collapsed")) == (0, 1)
