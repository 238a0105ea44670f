"""Images as a frozen network sees them: sizes, neighbourhoods, and that no image depends on the others."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.functional import interpolate

from lookalike.data.images import Selection
from lookalike.features.efficientnet import LITE0, network
from lookalike.features.views import averaged, block_size, maps, seen_size

TAPS = (LITE0.taps[0], LITE0.taps[3])


def pictures(n, shape=(3, 50, 90)):
    """Random (n, *shape) uint8."""
    return np.random.default_rng(0).integers(0, 256, (n, *shape), np.uint8)


def every(pixels, side=64):
    """The maps of all images, for each of two taps."""
    blocks = [[m[:n] for m in found] for n, found in maps(LITE0, pixels, side, TAPS)]
    return [torch.cat(parts) for parts in zip(*blocks, strict=True)]


@pytest.mark.parametrize(
    ("shape", "side", "size"),
    [
        ((3, 480, 640), 224, (192, 256)),
        ((1, 100, 100), 224, (224, 224)),
        ((3, 20, 2000), 64, (32, 640)),
        ((3, 1, 1), 64, (64, 64)),
    ],
)
def test_the_aspect_stays_and_sides_are_multiples(shape, side, size):
    """The area is about side x side, and no side is below one multiple."""
    assert seen_size(LITE0, shape, side) == size


@pytest.mark.parametrize(("side", "images"), [(64, 16), (128, 16), (160, 10), (192, 3), (224, 2), (320, 1), (640, 1)])
def test_a_single_image_costs_few(side, images):
    """A photograph has at most one other beside it, and a small picture 15: a block is what one image costs."""
    assert block_size(LITE0, (3, 100, 100), side) == images


def test_maps_are_the_networks_averaged_over_neighbours():
    """Each place is the mean of the 3 x 3 around it, of the plain network on the resized image; borders have fewer."""
    pixels = pictures(3)
    x = torch.from_numpy(pixels).float()
    x = (interpolate(x, size=(64, 96), mode="bilinear", antialias=True) - 127) / 128
    with torch.no_grad():
        for layer in network(LITE0).features[: network(LITE0).ends[1]]:
            x = layer(x)
    found = every(pixels, 78)[0]
    assert found.shape == x.shape == (3, 24, 16, 24)
    assert torch.allclose(found[:, :, 5, 7], x[:, :, 4:7, 6:9].mean((2, 3)), atol=1e-4)
    assert torch.allclose(found[:, :, 0, 0], x[:, :, :2, :2].mean((2, 3)), atol=1e-4)


def test_an_image_does_not_depend_on_its_company():
    """Alone, among others, or as a selection of rows: the same bits."""
    pixels = pictures(70)
    together, alone = every(pixels), every(pixels[66:67])
    chosen = every(Selection(Selection(pixels, np.arange(60, 70)), np.array([6, 0])))
    for all_of, one, two in zip(together, alone, chosen, strict=True):
        assert torch.equal(all_of[66:67], one) and torch.equal(all_of[[66, 60]], two)


def test_averaged_maps_are_means_over_four_views():
    """The image and its mirror image, at the size and at five sevenths of it; mirrored maps are turned back."""
    pixels = pictures(12, (3, 40, 40))
    mirrored = np.ascontiguousarray(pixels[..., ::-1])
    wanted = []
    for large, large_mirrored, small, small_mirrored in zip(
        every(pixels, 224), every(mirrored, 224), every(pixels, 160), every(mirrored, 160), strict=True
    ):
        views = [large, large_mirrored.flip(3)]
        views += [
            interpolate(one, size=large.shape[2:], mode="bilinear", align_corners=False)
            for one in (small, small_mirrored.flip(3))
        ]
        wanted.append(sum(views) / 4)
    blocks = [[m[:n] for m in found] for n, found in averaged(LITE0, pixels, 224, TAPS)]
    found = [torch.cat(parts) for parts in zip(*blocks, strict=True)]
    assert all(torch.allclose(one, two, atol=1e-5) for one, two in zip(found, wanted, strict=True))


class OneSize:
    """A backbone that takes images of one size alone, and counts how often it is asked."""

    size, multiple, asked = (64, 64), 1, 0

    def maps(self, x, taps):
        """The image itself for every tap."""
        self.asked += 1
        return [x for _ in taps]


def test_a_network_of_one_size_has_two_views():
    """An image and its mirror image, once each: where the smaller size is the same one it is not seen again."""
    backbone, pixels = OneSize(), pictures(3, (3, 64, 64))
    ((n, (found,)),) = averaged(backbone, pixels, 64, TAPS[:1])
    ((_, (plain,)),) = maps(backbone, pixels, 64, TAPS[:1])
    assert n == 3 and backbone.asked == 3
    assert torch.allclose(found[:n], plain[:n], atol=1e-4)


def test_grey_images_are_colour_images_with_equal_channels():
    """The same maps, to the bit."""
    grey = pictures(2, (1, 40, 40))
    assert all(torch.equal(a, b) for a, b in zip(every(grey), every(grey.repeat(3, 1)), strict=True))
