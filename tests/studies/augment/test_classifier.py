"""The classifier: its shape as published, repeatable, stopped by the validation loss."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from lookalike.base.errors import UsageError
from lookalike.data import read, scaled
from lookalike.studies.augment import classifier, larger
from lookalike.studies.augment.classifier import fit, three_convolutions


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
    layers = list(three_convolutions((1, 28, 28), 10).layers)
    convolutions = [(x.in_channels, x.out_channels, x.kernel_size) for x in layers if isinstance(x, nn.Conv2d)]
    assert convolutions == [(1, 16, (3, 3)), (16, 32, (3, 3)), (32, 64, (3, 3))]
    assert sum(isinstance(x, nn.MaxPool2d) for x in layers) == 3
    assert [x.p for x in layers if isinstance(x, nn.Dropout)] == [0.2, 0.2]
    assert [(x.in_features, x.out_features) for x in layers if isinstance(x, nn.Linear)] == [(64 * 16, 512), (512, 10)]


def test_dropout_stands_after_the_first_and_the_last_pooling():
    """As in the authors' code; none stands between the dense layers."""
    kinds = [type(x).__name__ for x in three_convolutions((1, 28, 28), 10).layers]
    block, dropped = ["Conv2d", "MaxPool2d", "ReLU"], ["Dropout"]
    assert kinds == [*block, *dropped, *block, *block, *dropped, "Flatten", "Linear", "ReLU", "Linear"]


def test_the_larger_network_is_that_of_the_authors_code_for_cifar_100():
    """Pairs of 128, 256, 512 channels, the second without padding, ELU, dropouts, 1024 units; 32 x 32 end in 2 x 2."""
    layers = list(larger.six_convolutions((3, 32, 32), 100).layers)
    convolutions = [(x.in_channels, x.out_channels, x.padding) for x in layers if isinstance(x, nn.Conv2d)]
    assert convolutions == [
        (3, 128, (1, 1)), (128, 128, (0, 0)), (128, 256, (1, 1)), (256, 256, (0, 0)), (256, 512, (1, 1)),
        (512, 512, (0, 0)),
    ]  # fmt: skip
    pair = ["Conv2d", "ELU", "Conv2d", "ELU", "MaxPool2d", "Dropout"]
    assert [type(x).__name__ for x in layers] == [*pair * 3, "Flatten", "Linear", "ELU", "Dropout", "Linear"]
    assert [x.p for x in layers if isinstance(x, nn.Dropout)] == [0, 0.25, 0.25, 0.5]
    assert [(x.in_features, x.out_features) for x in layers if isinstance(x, nn.Linear)] == [(2048, 1024), (1024, 100)]


def test_the_larger_network_learns_by_rmsprop(digits, monkeypatch):
    """Its weights after one epoch are those of RMSprop 1e-4 with Keras's other values; 21 pixels are too few."""
    monkeypatch.setattr(larger, "CHANNELS", (2, 3, 4))
    made, honest = [], larger.rmsprop
    monkeypatch.setattr(larger, "rmsprop", lambda net: (made.append(honest(net)), made[-1])[1])
    train, held = [(pixels.repeat(4, 2).repeat(4, 3), labels) for pixels, labels in digits]
    found = larger.fit(*train, classes=3, validation=held, seed=0, epochs=1)
    assert found.probabilities(held[0]).shape == (60, 3)
    (group,) = made[0].param_groups
    assert isinstance(made[0], torch.optim.RMSprop) and [group[x] for x in ("lr", "alpha", "eps")] == [1e-4, 0.9, 1e-7]
    with pytest.raises(UsageError, match=r"six convolutions takes images of 22 x 22 pixels or more, not 21 x 30$"):
        larger.six_convolutions((3, 21, 30), 5)


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
