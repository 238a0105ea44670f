"""Whether an encoder finds the z of an image: distances to reconstructions, and how G varies within a class."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from tiny import settings

from lookalike.game.gan import GAN
from lookalike.runs import plan as plans
from lookalike.runs.encoding import Encoding
from lookalike.runs.run import run
from lookalike.runs.settings import train_settings

KNOWN = ("3", "8", "0")


class Forced:
    """Stands for a GAN whose encoder gives the 64 pixels of an image as its z; `back` and `drawn` make its images.

    `back` takes those z and the classes, `drawn` takes z of the prior, which have 8 entries.
    """

    conditional = True

    def __init__(self, back, drawn=lambda z, y: z.new_zeros(len(z), 64)):
        self.back, self.drawn, self.twins = back, drawn, {}

    def encode(self, x, y):
        """The pixels of each image."""
        return x.flatten(1)

    def generate(self, z, y):
        """Images (N, 1, 8, 8)."""
        values = self.back(z, y) if z.shape[1] == 64 else self.drawn(z, y)
        return values.reshape(len(z), 1, 8, 8)


def planned(method="ali", data="digits", **changes):
    """The plan of a training on three digits."""
    return plans.make(data, train_settings(**settings(method, extra_fakes=(), known=KNOWN, width=8) | changes))


def encoding(plan):
    """The figures' source."""
    return Encoding(plan, plan.recipe.method)


def test_an_encoder_that_is_right_for_each_image():
    """Where G gives an image back from its z, the distance is 0, and that to another image of its class is not."""
    found = encoding(planned()).figures(Forced(lambda z, y: z))
    assert found["encoding/own"] == 0
    assert found["encoding/other"] > 0.2


def test_a_G_with_one_image_per_class():
    """Where G makes the mean of each class whatever z is, own and other are alike, and the deviation is 0."""
    source = encoding(planned())
    means = torch.stack([source.x[source.y == k].mean(0) for k in range(3)]).flatten(1)
    found = source.figures(Forced(lambda z, y: means[y], lambda z, y: means[y]))
    assert found["encoding/own"] == pytest.approx(found["encoding/other"], abs=1e-4) and found["encoding/own"] > 0.2
    assert found["encoding/deviation"] < 0.001


def test_distances_and_deviation_by_hand():
    """G gives 0 back: the distance is the mean of |x|. What it draws deviates by 1 and 0.5, the real images as here."""
    source = encoding(planned(known=("3", "8")))
    assert all(source.y[i] == source.y[j] and i != j for i, j in enumerate(source.other.tolist()))
    signs = torch.ones(len(source.z))
    for k in (0, 1):
        signs[torch.nonzero(source.y == k).flatten()[::2]] = -1  # about as many of both in a class
    source.z[:, 0] = signs * (1 - 0.5 * source.y)
    found = source.figures(Forced(lambda z, y: 0 * z, lambda z, y: z[:, :1].repeat(1, 64)))
    assert found["encoding/own"] == found["encoding/other"]
    assert found["encoding/own"] == pytest.approx(source.x.abs().mean().item(), abs=1e-4)
    real = np.mean([source.x[source.y == k].flatten(1).std(0, unbiased=False).mean().item() for k in (0, 1)])
    assert found["encoding/deviation"] == pytest.approx(0.75 / real, rel=1e-3)


@pytest.mark.parametrize(("method", "twin"), [("ali", None), ("acgan-ali-v1", "ali"), ("f-anogan", None)])
def test_whose_encoder(method, twin):
    """ALI's own, that of the twin before, and of f-AnoGAN that of the twin after, which the GAN keeps."""
    known = ("3",) if method == "f-anogan" else KNOWN
    source = encoding(planned(method, known=known))
    assert (source.there, source.twin, source.late) == (True, twin, method == "f-anogan")


def test_a_method_without_an_encoder_has_no_figures():
    """acgan and vtgan, whose twin has none, have no such columns."""
    for method, known in (("acgan", KNOWN), ("vtgan", ("3",))):
        assert encoding(planned(method, known=known)).figures(Forced(lambda z, y: z)) == {}


def test_the_training_is_not_touched():
    """The figures change no weight or statistic of the networks, and are the same again."""
    plan = planned("acgan-ali-v1")
    gan = GAN(plan.recipe.method, (1, 8, 8), classes=3)
    source, before = encoding(plan), gan.state(training=True)
    first = source.figures(gan)
    assert all(torch.equal(value, before[name]) for name, value in gan.state(training=True).items())
    assert first and first == source.figures(gan) == encoding(plan).figures(gan)


@pytest.mark.parametrize("method", ["acgan-ali-v1", "f-anogan"])
def test_the_record_has_them_once_the_encoder_trained(method, tmp_path):
    """A run's grids have the columns: for ALI's twin from the first one on, for f-AnoGAN in the encoder's part."""
    several = method != "f-anogan"
    known = KNOWN if several else ("3",)
    values = settings(method, extra_fakes=(), known=known, width=8) | {"images": 256, "sample_every": 32, "batch": 32}
    run("digits", train_settings(**values), tmp_path / "run")
    lines = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    having = [line["images"] for line in lines if "encoding/own" in line]
    assert having == ([32 * i for i in range(1, 9)] if several else [96, 128, 160, 192, 224, 256])
