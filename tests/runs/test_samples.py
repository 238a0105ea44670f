"""Whether generated images are nearly all the same, and who says so."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tiny import call, train

from lookalike.game.latents import Normal
from lookalike.runs.samples import JUDGED, alike, collapsed

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


@pytest.mark.parametrize(
    ("conditional", "stuck", "found"),
    [(False, {0}, [0]), (False, set(), []), (True, {1}, [1]), (True, {0, 1, 2}, [0, 1, 2]), (True, set(), [])],
)
def test_each_class_of_a_conditional_gan_is_judged_alone(conditional, stuck, found):
    """A class whose images are all the same is found among others whose images vary."""

    def generate(z, y):
        k = 0 if y is None else int(y[0])
        return torch.zeros(len(z), 1, 2, 2) if k in stuck else z.reshape(-1, 1, 2, 2)

    method = SimpleNamespace(conditional=conditional, latent=Normal(4))
    assert collapsed(SimpleNamespace(classes=3, method=method, generate=generate), seed=0) == found


def test_train_and_generate_say_that_a_gan_collapsed(tmp_path, capsys, monkeypatch):
    """After a training of some length one line each names the class; after a hasty one nobody expects variety."""
    monkeypatch.setattr("lookalike.runs.run.collapsed", lambda gan, seed: [0])
    monkeypatch.setattr("lookalike.use.generate.alike", lambda images: len(images) == 20)
    make = ["generate", tmp_path / "run", "-n", "20", "-o"]
    assert call(capsys, *train(tmp_path / "run"))[::2] == (0, "")
    assert "warning" not in call(capsys, *make, tmp_path / "hasty")[2]
    for module in ("runs.run", "use.generate"):
        monkeypatch.setattr(f"lookalike.{module}.LEARNT", 256)
    (tmp_path / "run" / "model.json").unlink()
    code, _, err = call(capsys, *train(tmp_path / "run"))
    said = "the generated images of 3 are nearly all alike (collapse); take a new folder and a lower step size (--lr)"
    assert (code, err) == (0, f"warning: {said}\n")
    code, _, err = call(capsys, *make, tmp_path / "made")
    assert (code, err.count("warning: the images of 3 are nearly all alike: the GAN has collapsed")) == (0, 1)
