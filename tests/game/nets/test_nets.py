"""Networks: shapes, sizes that can be made, first weights, and each family's weak member."""

from __future__ import annotations

import math
import re

import pytest
import torch
from torch import nn

from lookalike import methods
from lookalike.base.errors import UsageError
from lookalike.game.batch import Batch
from lookalike.game.discriminator import Discriminator
from lookalike.game.heads import Binary
from lookalike.game.heads_by_class import Projection
from lookalike.game.nets import Scaled
from lookalike.game.nets.anogan import Anogan
from lookalike.game.nets.dcgan import Dcgan
from lookalike.game.nets.mlp import Mlp
from lookalike.game.nets.pyramid import Pyramid
from lookalike.game.nets.residual import Residual
from lookalike.game.nets.resnet import Resnet
from lookalike.methods import METHODS

WIDTHS = {"mlp": 16}
NETS = {name: kind(width=WIDTHS.get(name, 4)) for name, kind in methods.NETS.items()}
OF_IMAGES = [name for name in NETS if name != "mlp"]
SHAPES = [(1, 8, 8), (3, 16, 8), (1, 8, 24), (3, 32, 48), (1, 64, 64)]


def features(net, shape, n=2):
    """D's features of n images of zeros."""
    return nn.Sequential(*(stage for _, stage in net.trunk(shape)))(torch.zeros(n, *shape))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("weak", [False, True], ids=["normal", "weak"])
def test_images(name, shape, weak):
    """G makes images of the shape in [-1, 1], D makes one row of features each: grey, colour and rectangles."""
    net = NETS[name].weak() if weak else NETS[name]
    x = net.generator(shape, 6)(10 * torch.randn(2, 6))
    assert x.shape == (2, *shape)
    assert x.abs().max() <= 1
    assert features(net, shape).ndim == 2


@pytest.mark.parametrize("name", OF_IMAGES)
def test_promised_sizes(name):
    """Squares and rectangles up to 64 px whose sides are multiples of `multiple` can be made, as promised."""
    net = NETS[name]
    sides = range(net.multiple, 65, net.multiple)
    shapes = {(1, h, w) for h in sides for w in sides if h == sides[0] or w == 64}
    with torch.device("meta"):
        assert all(net.generator(s, 6)(torch.zeros(2, 6)).shape[1:] == s for s in shapes)
        assert all(features(net, s).ndim == 2 for s in shapes)


@pytest.mark.parametrize("shape", [(1, 7, 7), (1, 9, 14), (1, 28, 30), (1, 31, 200), (3, 1, 1), (1, 62, 63)], ids=str)
@pytest.mark.parametrize("name", OF_IMAGES)
def test_suggested_size_can_be_made(name, shape):
    """A size that cannot be made is refused, by G and by D alike, with one that can."""
    net = NETS[name]
    with pytest.raises(
        UsageError, match=rf"net {name} makes .*not {shape[1]},{shape[2]}; try --size \d+,\d+$"
    ) as error:
        net.generator(shape, 6)
    with pytest.raises(UsageError, match="try --size"):
        net.trunk(shape)
    h, w = map(int, re.findall(r"\d+,\d+$", str(error.value))[0].split(","))
    assert net.generator((shape[0], h, w), 6)(torch.zeros(2, 6)).shape == (2, shape[0], h, w)
    assert features(net, (shape[0], h, w)).ndim == 2


def test_suggested_size_is_the_next_smaller():
    """The suggestion is the multiple below each side."""
    with pytest.raises(UsageError, match="multiples of 4, not 29,30; try --size 28,28"):
        Anogan().generator((1, 29, 30), 100)


@pytest.mark.parametrize("name", OF_IMAGES)
def test_vectors_need_mlp(name):
    """Image networks refuse vectors and say which network takes them."""
    with pytest.raises(UsageError, match=rf"net {name} makes images .*not vectors of 12 entries; use net mlp"):
        NETS[name].generator((12,), 6)


def test_vectors_have_no_bounds():
    """G is linear for vectors, whose values may lie anywhere; for images it ends in tanh."""
    x = torch.tensor([[5.0, -7.0, 0.5, 0.0]])
    assert torch.equal(Scaled((4,))(x), x)
    assert torch.equal(Scaled((1, 2, 2))(x), x.tanh().reshape(1, 1, 2, 2))
    assert NETS["mlp"].generator((4,), 6)(torch.randn(3, 6)).shape == (3, 4)


def test_papers_network():
    """G has two transposed convolutions and D two convolutions; the weak twin one of each, with stride 4 and pool 4."""

    def count(net, kind):
        return sum(isinstance(m, kind) for m in net.modules())

    normal, weak = Anogan(), Anogan().weak()
    for net, layers in ((normal, 2), (weak, 1)):
        assert count(net.generator((1, 64, 64), 100), nn.ConvTranspose2d) == layers
        assert count(nn.Sequential(*(s for _, s in net.trunk((1, 64, 64)))), nn.Conv2d) == layers
    assert (weak.stride, weak.g_pool, weak.pool) == (4, 1, 4)
    pooled = Anogan(layers=1, stride=8, g_pool=2)
    assert count(pooled.generator((1, 64, 64), 400), nn.MaxPool2d) == 1
    assert pooled.generator((1, 64, 64), 400)(torch.zeros(2, 400)).shape == (2, 1, 64, 64)


def test_papers_features():
    """f(x) at 64 x 64 has the 32 * 32 * 64 = 65,536 entries of the public AnoGAN code."""
    d = Discriminator(Anogan(), Binary(), (1, 64, 64), 1, 100)
    assert d.stages_to("pool1")(torch.zeros(1, 1, 64, 64)).numel() == 65_536
    assert d.trunk(torch.zeros(1, 1, 64, 64)).shape == (1, 16 * 16 * 128)


def test_pool_before_activation():
    """Pooling before the leaky activation gives the values of the usual order."""
    x = torch.randn(3, 4, 8, 8)
    stage = dict(Anogan(width=4).trunk((1, 8, 8)))["pool1"]
    assert torch.equal(stage(x), nn.functional.max_pool2d(nn.functional.leaky_relu(x, 0.2), 2))


def test_dcgan_levels():
    """At 64 px DCGAN has the four published levels, at 32 three, and any number on request."""
    assert [name for name, _ in Dcgan().trunk((3, 64, 64))] == ["level1", "level2", "level3", "level4", "features"]
    assert len(Dcgan(width=4).trunk((1, 32, 32))) == 4
    assert len(Dcgan(width=4, levels=1).trunk((1, 32, 32))) == 2
    assert features(Dcgan(), (3, 64, 64)).shape == (2, 512 * 4 * 4)


@pytest.mark.parametrize("name", NETS)
def test_feature_layer_exists(name):
    """The layer that f(x) reads by default exists in the network and in its weak member."""
    for net in (NETS[name], NETS[name].weak()):
        assert net.feature_layer in dict(net.trunk((1, 8, 8)))


def test_stages_share_weights_and_names():
    """The trunk up to a layer is the trunk's own layers; an unknown layer is refused with the names there are."""
    d = Discriminator(Mlp(width=5, layers=2), Binary(), (4,), 1, 100)
    x = torch.randn(3, 4)
    first = d.trunk[1][0]
    by_hand = nn.functional.leaky_relu(x @ first.weight.T + first.bias, 0.2)
    assert torch.allclose(d.stages_to("layer1")(x), by_hand, atol=1e-6)
    assert torch.equal(d.stages_to("layer2")(x), d.trunk(x))
    with pytest.raises(UsageError, match="no discriminator layer 'pool9'; this network has: flatten, layer1, layer2"):
        d.stages_to("pool9")


def linear_layers(module):
    """Layers whose first weights the library sets."""
    return [m for m in module.modules() if isinstance(m, nn.Linear | nn.Conv2d | nn.ConvTranspose2d)]


def test_first_weights_of_dcgan():
    """DCGAN's weights start as N(0, 0.02), as published."""
    torch.manual_seed(1)
    for layer in linear_layers(Dcgan().generator((3, 64, 64), 100)):
        assert layer.weight.std().item() == pytest.approx(0.02, rel=0.05)
        assert abs(layer.weight.mean().item()) < 1e-3


def test_anogan_starts_as_dcgan_does():
    """The papers' network starts at N(0, 0.02) in G and in D, with biases 0."""
    torch.manual_seed(1)
    trunk = torch.nn.Sequential(*(stage for _, stage in Anogan().trunk((1, 64, 64))))
    for layer in (*linear_layers(Anogan().generator((1, 64, 64), 100)), *linear_layers(trunk)):
        assert layer.weight.std().item() == pytest.approx(0.02, rel=0.08)
        assert layer.bias.abs().max() == 0


def test_first_weights_are_glorot():
    """The fully connected network starts Glorot-uniform, its bound sqrt(6 / (in + out)) is reached, with biases 0."""
    torch.manual_seed(1)
    for layer in linear_layers(NETS["mlp"].generator((1, 8, 8), 50)):
        receptive = math.prod(layer.weight.shape[2:])
        bound = math.sqrt(6 / (sum(layer.weight.shape[:2]) * receptive))
        assert 0.8 * bound < layer.weight.abs().max() <= bound
        assert layer.bias.abs().max() == 0


def test_weak_mlp():
    """The weak member of the fully connected family has one hidden layer of an eighth of the width, at least 8."""
    assert Mlp(width=512).weak() == Mlp(width=64, layers=1)
    assert Mlp(width=16).weak().width == 8


def test_weak_dcgan():
    """The weak member of the DCGAN family has one level."""
    assert Dcgan().weak() == Dcgan(levels=1)


def test_residual_networks_are_the_published_ones():
    """32 px begin at 4 x 4 and 48 px at 6 x 6; G has three blocks of 128 maps; D has four, two of them halve."""
    for side, first in ((32, 4), (48, 6)):
        G = Resnet().generator((3, side, side), 128)
        assert G[1].unflattened_size == (128, first, first)
        assert sum(isinstance(layer, Residual) for layer in G) == 3
        shapes, x = [], torch.zeros(2, 3, side, side)
        for name, stage in Resnet(8).trunk((3, side, side)):
            x = stage(x)
            shapes.append((name, tuple(x.shape[1:])))
        half, quarter = side // 2, side // 4
        assert shapes == [
            ("block1", (8, half, half)),
            *((f"block{i}", (8, quarter, quarter)) for i in (2, 3, 4)),
            ("features", (8,)),
        ]
    assert Resnet(128).weak() == Resnet(32) and Resnet(128, "sum").weak() == Resnet(32, "sum")


def test_features_are_means_or_sums_over_what_is_left():
    """WGAN-GP's critic takes the mean of its last map, SN-GAN's D the sum; both behind a ReLU."""
    x = torch.randn(3, 4, 2, 2)
    mean, total = (dict(Resnet(4, how).trunk((1, 8, 8)))["features"](x) for how in ("mean", "sum"))
    assert torch.allclose(mean, x.clamp(min=0).flatten(2).mean(2)) and torch.allclose(total, 4 * mean)
    pools = {(m.family, m.net.pool) for m in METHODS.values() if isinstance(m.net, Resnet)}
    assert pools == {("resnet", "sum"), ("critic", "mean"), ("f-anogan", "mean")}


@pytest.mark.parametrize(
    ("side", "channels"),
    [
        (8, [64, 64]),
        (28, [16, 32, 64]),
        (32, [16, 32, 64, 64]),
        (64, [8, 16, 32, 64, 64]),
        (128, [8, 8, 16, 32, 64, 64]),
    ],
)
def test_a_pyramid_halves_its_channels_as_its_maps_double(side, channels):
    """Maps up to 8 x 8 have all channels, the next half of them, and so on down to 8; G's and D's maps agree."""
    G, maps = Pyramid(64).generator((3, side, side), 128), []
    x = torch.zeros(2, 128)
    for layer in list(G)[:-1]:  # up to the layers that make the image
        x = layer(x)
        maps.append(tuple(x.shape[1:]))
    sides = [side >> level for level in range(len(channels))]
    assert maps[1:] == [(c, s, s) for c, s in reversed(list(zip(channels, sides, strict=True)))]
    shapes, x = [], torch.zeros(2, 3, side, side)
    for _, stage in Pyramid(64).trunk((3, side, side)):
        x = stage(x)
        shapes.append(tuple(x.shape[1:]))
    below = [(c, s, s) for c, s in list(zip(channels, sides, strict=True))[1:]]
    assert shapes == [*below, below[-1], (64,)]
    assert Pyramid(64).weak() == Pyramid(16)


def test_a_pyramid_has_the_same_work_at_every_size():
    """From 8 x 8 on, the 3 x 3 convolutions of G's blocks take as many multiplications at every size."""
    G, work = Pyramid(64).generator((1, 64, 64), 16), []

    def count(layer, _given, made):
        work.append(made[0].numel() * layer.weight[0].numel())

    for block in list(G)[3:-1]:  # the first block has all channels on both sides
        block.main[-1].register_forward_hook(count)
    G.eval()(torch.zeros(1, 16))
    assert work == [9 * 64 * 32 * 16**2] * 3


@pytest.mark.parametrize(("net", "layers"), [(Resnet(16), 6), (Pyramid(64), 3)], ids=["resnet", "pyramid"])
def test_first_weights_of_residual_networks(net, layers):
    """Within blocks uniform up to sqrt(2) times Glorot's bound, elsewhere up to it; biases are 0."""
    torch.manual_seed(1)
    G = net.generator((1, 32, 32), 50)
    inner = {id(layer) for block in G if isinstance(block, Residual) for layer in linear_layers(block.main)}
    assert len(inner) == layers
    for layer in linear_layers(G):
        bound = math.sqrt(6 / (sum(layer.weight.shape[:2]) * math.prod(layer.weight.shape[2:])))
        bound *= math.sqrt(2) if id(layer) in inner else 1
        assert 0.8 * bound < layer.weight.abs().max() <= bound
        assert layer.bias.abs().max() == 0


def test_a_block_adds_its_two_paths():
    """What comes out of a block is main plus shortcut; the shortcut's pooling first is the usual order's value."""
    torch.manual_seed(0)
    x, (first, second, third, _, _) = torch.randn(2, 3, 8, 8), [stage for _, stage in Resnet(4).trunk((3, 8, 8))]
    pool, narrow = first.shortcut
    assert torch.allclose(first.shortcut(x), pool(narrow(x)), atol=1e-6)
    assert torch.equal(first(x), first.main(x) + pool_then(first.shortcut, x))
    h = second(first(x))
    assert torch.equal(third(h), third.main(h) + h)
    assert not isinstance(first.main[0], nn.ReLU) and isinstance(second.main[0], nn.ReLU)  # the image has no ReLU


def pool_then(shortcut, x):
    """The shortcut, layer by layer."""
    for layer in shortcut:
        x = layer(x)
    return x


def test_spectral_norm_bounds_every_layer_of_d():
    """After training steps each weight's largest singular value is 1, the head's vectors included."""
    torch.manual_seed(0)
    d = Discriminator(Resnet(4), Projection(), (1, 8, 8), 3, 5, spectral=True).train()
    batch = Batch(torch.randn(6, 1, 8, 8), torch.arange(6) % 3, None, True)
    for _ in range(50):
        d(batch)
    weights = [layer.weight for layer in d.modules() if isinstance(layer, nn.Linear | nn.Conv2d | nn.Embedding)]
    assert len(weights) == 2 * 4 + 2 + 2  # convolutions of the main paths, of two shortcuts, logit and vectors
    for weight in weights:
        assert torch.linalg.matrix_norm(weight.flatten(1), 2).item() == pytest.approx(1, abs=0.02)
