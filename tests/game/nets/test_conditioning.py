"""G that is conditional on the class: what it makes, and the generator of one class that the search uses."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lookalike.base.errors import UsageError
from lookalike.game.gan import GAN
from lookalike.game.latents import Normal
from lookalike.game.nets.anogan import Anogan
from lookalike.game.nets.class_norm import NormPerClass
from lookalike.game.nets.conditioning import ClassBatchNorm, Embedded, OneHot, Unconditional
from lookalike.game.nets.dcgan import Dcgan
from lookalike.game.nets.mlp import Mlp
from lookalike.game.nets.resnet import Resnet
from lookalike.game.train import train
from lookalike.methods import METHODS

PLACES = {
    "anogan": (Anogan(4), (3, 8, 12)),
    "dcgan": (Dcgan(4), (1, 8, 8)),
    "mlp": (Mlp(16, 2), (7,)),
    "resnet": (Resnet(4), (1, 8, 12)),
}
CONDITIONINGS = {
    "embedding": Embedded(5),
    "norm": ClassBatchNorm(),
    "norm and z": ClassBatchNorm(with_z=True),
    "one-hot": OneHot(),
}


@pytest.fixture(params=[(net, given) for net in PLACES for given in CONDITIONINGS], ids="-".join)
def trained(request, small, make_source):
    """An AC-GAN of three classes after four steps, its norms have seen images; moved, so that classes differ."""
    (net, shape), given = PLACES[request.param[0]], CONDITIONINGS[request.param[1]]
    gan = GAN(small(METHODS["acgan"]).but(net=net, conditioning=given), shape, classes=3, ema=0.5)
    list(train(gan, make_source(shape, classes=3), images=48, batch=12))
    with torch.no_grad():
        for weight in gan.average.parameters():
            weight.add_(0.2 * torch.randn(weight.shape))
    return gan


def test_the_generator_of_one_class_makes_the_same_images(trained):
    """Frozen for class k it gives, for the same z, the images that the whole generator makes of class k."""
    z = torch.randn(6, 8)
    whole = [trained.generate(z, torch.full((6,), k)) for k in range(3)]
    for k in range(3):
        only, _ = trained.frozen(k)
        assert (only(z) - whole[k]).abs().max() < 1e-3 * whole[k].std()
        assert all(not weight.requires_grad for weight in only.parameters())
    assert (whole[0] - whole[1]).abs().max() > 0.05 * whole[0].std()


def test_a_class_norm_is_batch_norm_with_the_classs_scale_and_shift():
    """Of a batch of mixed classes each image gets its own class's scale and shift after the norm over all."""
    norm = NormPerClass(nn.BatchNorm2d(2), 3)
    with torch.no_grad():
        norm.scale.copy_(torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]))
        norm.shift.copy_(torch.tensor([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]]))
    x, y = torch.randn(4, 2, 3, 3), torch.tensor([2, 0, 0, 1])
    mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3), unbiased=False)
    normed = (x - mean[:, None, None]) / (var + 1e-5).sqrt()[:, None, None]
    for image, label, given in zip(normed, y.tolist(), norm(x, y, torch.randn(4, 5)), strict=True):
        assert torch.allclose(
            given, image * norm.scale[label][:, None, None] + norm.shift[label][:, None, None], atol=1e-5
        )


def test_z_moves_a_class_norms_scale_and_shift_linearly():
    """With z in the norm each image's scale and shift are its class's plus the two halves of a linear map of its z."""
    norm = NormPerClass(nn.BatchNorm1d(2), 3, z_dim=5).eval()
    with torch.no_grad():
        norm.scale.copy_(torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]))
        norm.shift.copy_(torch.tensor([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]]))
    x, y, z = torch.randn(4, 2), torch.tensor([2, 0, 0, 1]), torch.randn(4, 5)
    moved = z @ norm.of_z.weight.T  # a new norm has mean 0 and variance 1
    expected = x / (1 + 1e-5) ** 0.5 * (norm.scale[y] + moved[:, :2]) + norm.shift[y] + moved[:, 2:]
    assert torch.allclose(norm(x, y, z), expected, atol=1e-5)
    alone = norm.only(torch.tensor([0.0, 1.0, 0.0]))
    assert torch.allclose(alone(x, torch.zeros(4, dtype=torch.int64), z), norm(x, torch.ones_like(y), z), atol=1e-6)


def test_an_unconditional_generator_is_the_nets_own():
    """Without classes G has the net's weights under the net's names, as in older model files."""
    gan = GAN(METHODS["anogan"].but(net=Anogan(4)), (1, 8, 8))
    assert gan.G.state_dict().keys() == Anogan(4).generator((1, 8, 8), 100).state_dict().keys()
    assert not Unconditional().conditional


def test_a_one_hot_class_takes_the_place_of_the_first_entries_of_z():
    """Whatever stands in z's first K entries does not matter; a z that is too short is refused with what to do."""
    gan = GAN(METHODS["acgan"].but(net=Mlp(8, 1), conditioning=OneHot(), latent=Normal(5)), (7,), classes=3)
    z, y = torch.randn(4, 5), torch.tensor([0, 1, 2, 0])
    changed = torch.cat([torch.randn(4, 3), z[:, 3:]], 1)
    assert torch.equal(gan.generate(z, y), gan.generate(changed, y))
    given = torch.cat([torch.nn.functional.one_hot(y, 3).float(), z[:, 3:]], 1)
    assert torch.equal(gan.average.body(given) if gan.average else gan.G.eval().body(given), gan.generate(z, y))
    with pytest.raises(UsageError, match="3 classes do not fit into a z of 3 entries; take a longer z"):
        GAN(METHODS["acgan"].but(net=Mlp(8, 1), conditioning=OneHot(), latent=Normal(3)), (7,), classes=3)


def test_a_residual_generators_last_norm_is_the_same_for_all_classes():
    """Two norms in each block have a scale and a shift per class; the one before the image has one for all."""
    gan = GAN(METHODS["wgan-gp-classes"].but(net=Resnet(4)), (1, 16, 16), classes=3)
    named = dict(gan.G.named_modules())
    given = [name for name, layer in named.items() if isinstance(layer, NormPerClass)]
    plain = [
        name
        for name, layer in named.items()
        if isinstance(layer, nn.BatchNorm2d) and name.rpartition(".")[0] not in given
    ]
    assert len(given) == 4 and len(plain) == 1 and plain[0] > max(given)
