"""Exported networks: onnxruntime says what torch says, for any number of images; what is no network is refused."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
import torch

from lookalike.base.errors import UsageError
from lookalike.data import scaled
from lookalike.detect import onnx
from lookalike.detect.baselines import BASELINES, CLASSIFIERS, autoencoder, deepsvdd
from lookalike.detect.gan import GANDetector
from lookalike.detect.model import Model
from lookalike.detect.openset import OpenSet
from lookalike.detect.search import Search
from lookalike.game.gan import GAN
from lookalike.methods import METHODS

SHAPE = (3, 8, 12)
SIZES = (1, 5)  # numbers of images; the examples of an export are two


def images(n, seed=0):
    """Random images."""
    return np.random.default_rng(seed).integers(0, 256, (n, *SHAPE), dtype=np.uint8)


def model(detector, name):
    """A model without a threshold around a detector."""
    return Model(detector, None, SHAPE, {"known": ("a", "b"), "extra_fakes": ()}, {"name": name}, {})


def of_gan(name):
    """An untrained GAN of two classes, whose averages of batch norm are no round numbers."""
    gan = GAN(METHODS[name], SHAPE, classes=2, ema=0.5)
    random = torch.Generator().manual_seed(1)
    for key, values in (gan.average or gan.G).state_dict().items():
        if key.endswith(("running_mean", "running_var", "scale", "shift")):
            values.add_(0.1 * torch.rand(values.shape, generator=random))
    return model(GANDetector(gan, Search(), 0 if gan.conditional else None), name)


def run(network, given):
    """What onnxruntime says of the exported network."""
    session = onnxruntime.InferenceSession(onnx.as_onnx(network))
    return lambda n: session.run(None, {name: values[:n] for name, values in given.items()})


@pytest.mark.parametrize("name", ["anogan", "acgan", "r3gan", "sn-projection", "wgan-gp-classes", "ali", "auto-gan"])
def test_a_generator_makes_the_same_images(name):
    """G gives the images of `GAN.generate` for one and for five z, each with its class where G has one."""
    made = of_gan(name)
    gan = made.detector.gan
    z, y = torch.randn(5, gan.method.latent.z_dim, generator=torch.Generator().manual_seed(0)), torch.arange(5) % 2
    network = onnx.network(made)
    assert (network.part, [*network.inputs]) == ("generator", ["z", "y"] if gan.conditional else ["z"])
    said = run(network, {"z": z.numpy()} | ({"y": y.numpy()} if gan.conditional else {}))
    for n in SIZES:
        expected = gan.generate(z[:n], y[:n] if gan.conditional else None).numpy()
        (found,) = said(n)
        assert found.shape == (n, *SHAPE) and found.std() > 0
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["ali", "f-anogan"])
def test_an_encoder_finds_the_same_z(name):
    """E gives the z of `GAN.encode`, from pixels."""
    made, pixels, y = of_gan(name), images(5), np.arange(5) % 2
    gan = made.detector.gan
    said = run(onnx.network(made, "encoder"), {"images": pixels} | ({"y": y} if gan.conditional else {}))
    for n in SIZES:
        label = torch.from_numpy(y[:n]) if gan.conditional else None
        expected = gan.encode(torch.from_numpy(scaled(pixels[:n])), label).numpy()
        np.testing.assert_allclose(said(n)[0], expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["autoencoder", "deepsvdd", "cnn", "cnn-energy"])
def test_a_score_is_the_same(name, monkeypatch):
    """The scores, and the probabilities of a classifier, are those of the detector, from pixels."""
    monkeypatch.setattr(autoencoder, "STEPS", 5)
    monkeypatch.setattr(deepsvdd, "EPOCHS", 2)
    train = images(20, seed=1)
    if name in CLASSIFIERS:
        detector = CLASSIFIERS[name].fit(train, np.arange(20) % 2, 0, steps=3)
    else:
        detector = BASELINES[name].fit(train, 0)
    pixels = images(5)
    expected = detector.score(pixels)
    said = run(onnx.network(model(detector, name)), {"images": pixels})
    for n in SIZES:
        score, *classes = said(n)
        np.testing.assert_allclose(score, expected.score[:n], rtol=1e-5, atol=1e-5)
        assert len(classes) == (expected.classes is not None)
        if classes:
            np.testing.assert_allclose(classes[0], expected.classes[:n], rtol=0, atol=1e-5)


def test_what_is_no_network_is_refused():
    """A comparison, a search, a part that is missing, and one GAN for each class are refused in one line each."""
    knn = model(BASELINES["knn"].fit(images(20), 0), "knn")
    anogan, other = of_gan("anogan"), of_gan("anogan")
    joined = model(OpenSet({"a": anogan.detector, "b": other.detector}, None), "anogan")
    for made, part, text in (
        (knn, None, "the score of knn is a computation around networks, which stays in torch; those of autoencoder"),
        (knn, "generator", "the model is knn, which has no generator; take --part score"),
        (anogan, "score", r"those of .* are networks; its generator can be exported \(--part generator\)"),
        (anogan, "encoder", "anogan has no encoder; take --part generator, or train ali or f-anogan"),
        (joined, None, "the model has 2 GANs, one for each class, and a file holds one network; train a conditional"),
    ):
        with pytest.raises(UsageError, match=text):
            onnx.network(made, part)


def test_without_its_packages_one_line_says_what_to_install(monkeypatch):
    """Without onnx and onnxscript the export names them and the extra."""
    monkeypatch.setattr(onnx, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"^the export needs onnx and onnxscript; pip install '\.\[onnx\]' in the"):
        onnx.as_onnx(onnx.network(of_gan("anogan")))
