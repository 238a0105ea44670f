"""The sub-class of new images: D's logits, or its realness where it is told the class, and which class it is in."""

from __future__ import annotations

import numpy as np
import torch

from lookalike.detect.gan import GANDetector
from lookalike.detect.leaves import leaf_of, leaf_shares, split_gan
from lookalike.detect.search import Inverter, Search
from lookalike.game.batch import Batch
from lookalike.game.gan import GAN
from lookalike.game.splitting import Splitting
from lookalike.methods import METHODS

SHAPE = (1, 8, 8)


def images(n=6):
    """(n, 1, 8, 8) uint8."""
    return np.random.default_rng(0).integers(0, 256, (n, *SHAPE), dtype=np.uint8)


def split(small, name):
    """A GAN of two classes, the second of which was split; D's weights of the leaves differ."""
    gan = GAN(small(METHODS[name]).but(splitting=Splitting()), SHAPE, classes=2)
    gan.grow(1)
    random = torch.Generator().manual_seed(1)
    layer = gan.D.layers["classes"].weight if name != "sn-projection" else gan.D.layers["vectors"]
    weight = layer if name != "sn-projection" else layer.parametrizations.weight.original
    with torch.no_grad():
        weight.normal_(0, 30, generator=random)
    gan.D.eval()
    return gan


def test_shares_are_ds_class_probabilities(small):
    """Of each image by itself, whatever else is asked for; they add up to 1."""
    gan, pixels = split(small, "wgan-gp-classes"), images()
    x = torch.from_numpy(pixels).float() / 127.5 - 1
    with torch.no_grad():
        wanted = gan.D(Batch(x, None, None, None)).classes.double().softmax(1).numpy()
    found = leaf_shares(gan, pixels)
    assert found.shape == (6, 3) and np.allclose(found, wanted, atol=1e-6)
    assert np.array_equal(leaf_shares(gan, pixels[2:3]), found[2:3])
    assert len(set(found.argmax(1).tolist())) > 1


def test_a_d_that_is_told_the_class_judges_each_sub_class(small):
    """The shares are the softmax of realness given each sub-class, one column each."""
    gan, pixels = split(small, "sn-projection"), images()
    x = torch.from_numpy(pixels).float() / 127.5 - 1
    with torch.no_grad():
        each = [gan.D(Batch(x, torch.full((6,), leaf), None, None)).realness for leaf in range(3)]
    assert np.allclose(leaf_shares(gan, pixels), torch.stack(each, 1).double().softmax(1).numpy(), atol=1e-5)


def test_the_sub_class_is_in_the_class(small):
    """Among leaves 1 and 2 for an image of class 1, and leaf 0 for class 0, even if another leaf is likelier."""
    gan = split(small, "wgan-gp-classes")
    shares = np.array([[0.8, 0.05, 0.15], [0.1, 0.5, 0.4], [0.3, 0.3, 0.4]])
    assert leaf_of(gan, shares, np.array([1, 1, 0])).tolist() == [2, 1, 0]


def test_it_is_the_sub_class_in_which_the_score_searches(small):
    """For images of the split class, the same as the latent search takes."""
    gan, pixels = split(small, "wgan-gp-classes"), images(20)
    x = torch.from_numpy(pixels).float() / 127.5 - 1
    wanted = Inverter(gan, Search(steps=2), 1).likeliest(x).numpy()
    assert np.array_equal(leaf_of(gan, leaf_shares(gan, pixels), np.ones(20, np.int64)), wanted)


def test_a_gan_without_splits_has_none(small):
    """`split_gan` finds the GAN of a detector whose classes were split, and nothing otherwise."""
    gan = split(small, "wgan-gp-classes")
    assert split_gan(GANDetector(gan, Search(steps=2), 0)) is gan
    whole = GAN(small(METHODS["wgan-gp-classes"]), SHAPE, classes=2)
    assert split_gan(GANDetector(whole, Search(steps=2), 0)) is None
