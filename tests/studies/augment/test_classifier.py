"""The classifier: its shape as published, repeatable, stopped by the validation loss."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from lookalike.base.errors import UsageError
from lookalike.data import read, scaled
from lookalike.studies.augment import classifier
from lookalike.studies.augment.classifier import Network, fit


@pytest.fixture(scope="module")
def digits():
    """200 digits of three classes to train on, and 60 to validate."""
    images = read("digits")
    rows = np.flatnonzero(images.labels < 3)
    return (images.pixels[rows[:200]], images.labels[rows[:200]]), (
        images.pixels[rows[200:260]],
        images.labels[rows[200:260]],
    )


def trained(digits, **more):
    """A short fit."""
    train, held = digits
    return fit(*train, classes=3, validation=held, seed=0, **({"epochs": 3} | more))


def test_the_layers_are_the_papers():
    """Three 3 x 3 convolutions of 16, 32 and 64 channels, each pooled, two dropouts of 0.2, 512 units, K logits."""
    layers = list(Network((1, 28, 28), 10).layers)
    convolutions = [(x.in_channels, x.out_channels, x.kernel_size) for x in layers if isinstance(x, nn.Conv2d)]
    assert convolutions == [(1, 16, (3, 3)), (16, 32, (3, 3)), (32, 64, (3, 3))]
    assert sum(isinstance(x, nn.MaxPool2d) for x in layers) == 3
    assert [x.p for x in layers if isinstance(x, nn.Dropout)] == [0.2, 0.2]
    assert [(x.in_features, x.out_features) for x in layers if isinstance(x, nn.Linear)] == [(64 * 16, 512), (512, 10)]


def test_the_same_seed_gives_the_same_bits_whatever_was_drawn_before(digits):
    """Weights, order, dropout and transformations depend on the seed alone, and the caller's random state stays."""
    one = trained(digits)
    torch.rand(5)
    state = torch.random.get_rng_state()
    other = trained(digits)
    assert torch.equal(state, torch.random.get_rng_state())
    pixels = digits[1][0]
    assert np.array_equal(one.probabilities(pixels), other.probabilities(pixels))


def test_an_images_probabilities_do_not_depend_on_its_company(digits):
    """Alone or among others, bit for bit; they add up to 1; no images give no rows."""
    one, pixels = trained(digits), digits[1][0]
    together = one.probabilities(pixels)
    assert np.array_equal(together[7:8], one.probabilities(pixels[7:8]))
    assert np.allclose(together.sum(1), 1) and one.probabilities(pixels[:0]).shape == (0, 3)


def test_it_stops_when_the_validation_loss_no_longer_falls_and_keeps_the_best(digits, monkeypatch):
    """Of losses 3, 1, 2, 2, 2 with patience 3 the second epoch counts, and the fifth is the last."""
    losses, weights = iter([3.0, 1.0, 2.0, 2.0, 2.0]), []

    def said(net, *_):
        weights.append(net.layers[0].weight.detach().clone())
        return next(losses)

    monkeypatch.setattr(classifier, "_loss", said)
    monkeypatch.setattr(classifier, "PATIENCE", 3)
    one = trained(digits, epochs=50)
    assert (one.epochs, one.best, one.loss) == (5, 2, 1.0)
    assert torch.equal(one.net.layers[0].weight, weights[1])


def test_the_validation_loss_is_the_mean_cross_entropy(digits):
    """As torch computes it over all validation images at once."""
    one, (pixels, labels) = trained(digits), digits[1]
    with torch.no_grad():
        logits = one.net(torch.from_numpy(scaled(pixels)))
    assert one.loss == pytest.approx(float(nn.functional.cross_entropy(logits, torch.from_numpy(labels))), rel=1e-5)


def test_it_learns_digits(digits):
    """Three digits are told apart in ten epochs."""
    one, (pixels, labels) = trained(digits, epochs=10), digits[1]
    assert (one.probabilities(pixels).argmax(1) == labels).mean() > 0.95


def test_batches_go_through_the_transformation(digits):
    """Where it turns every class into the next, the classifier learns the next."""
    train, (pixels, labels) = digits
    one = fit(
        *train,
        classes=3,
        validation=(pixels, (labels + 1) % 3),
        seed=0,
        epochs=10,
        transform=lambda x, y, _: (x, y.roll(1, 1)),
    )
    assert (one.probabilities(pixels).argmax(1) == (labels + 1) % 3).mean() > 0.95


def test_vectors_are_refused():
    """It takes images."""
    x = np.zeros((4, 5), np.float32)
    with pytest.raises(UsageError, match="the classifier takes images"):
        fit(x, np.zeros(4, np.int64), classes=1, validation=(x, np.zeros(4, np.int64)), seed=0)
