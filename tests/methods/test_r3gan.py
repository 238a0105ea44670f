"""R3GAN: its loss by hand, R1 and R2 against autograd, and networks without normalisation."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from lookalike.base.errors import UsageError
from lookalike.base.seeds import generator
from lookalike.game.batch import Batch, Judged, Judgement
from lookalike.game.gan import GAN
from lookalike.game.losses import Hinge
from lookalike.game.nets.dcgan import Dcgan
from lookalike.game.penalty import ZeroCentred
from lookalike.game.streams import Generated, Real
from lookalike.game.train import step, update_d
from lookalike.methods import METHODS
from lookalike.methods.r3gan import R3Resnet, RelativisticPairing

R3GAN = METHODS["r3gan"]


def judged(realness, real):
    """A group with this realness."""
    x = torch.zeros(len(realness), 1)
    return Judged(Batch(x, None, None, real), Judgement(torch.tensor(realness), None, x))


def softplus(t):
    """log(1 + e^t)."""
    return math.log1p(math.exp(t))


def test_the_loss_by_hand():
    """D's loss is the mean over pairs of log(1 + e^(D(fake) - D(real))), G's of the opposite margin."""
    groups = [judged([1.0, -2.0], True), judged([0.5, 3.0], False)]
    loss = RelativisticPairing()
    assert loss.d(groups).item() == pytest.approx((softplus(0.5 - 1.0) + softplus(3.0 + 2.0)) / 2, rel=1e-6)
    assert loss.g(groups).item() == pytest.approx((softplus(1.0 - 0.5) + softplus(-2.0 - 3.0)) / 2, rel=1e-6)


def test_groups_of_a_label_are_paired_in_a_row():
    """Two groups of fakes are one after the other, and what is not asked takes no part."""
    groups = [judged([1.0, 2.0], True), judged([0.0], False), judged([5.0], False), judged([9.0], None)]
    assert RelativisticPairing().d(groups).item() == pytest.approx((softplus(-1.0) + softplus(3.0)) / 2, rel=1e-6)


@pytest.mark.parametrize(("real", "fake"), [(True, False), (False, True), (True, True)])
def test_r1_and_r2_by_hand(real, fake):
    """Of D(x) = sum(a x^2) the slope is 2 a x: weight / 2 times the mean of its square, at real, fake, or both."""
    a = torch.tensor([1.0, 3.0])
    points = {True: torch.tensor([[1.0, 2.0], [0.0, -1.0]]), False: torch.tensor([[0.5, 0.5]])}
    groups = []
    for label, values in points.items():
        x = values.clone().requires_grad_()
        groups.append(Judged(Batch(x, None, None, label), Judgement((a * x.square()).sum(1), None, x)))
    found = ZeroCentred(4.0, real=real, fake=fake).of(nn.Identity(), groups, generator(0, "none"))
    wanted = {label: (2 * a * x).square().sum(1).mean().item() for label, x in points.items()}
    assert found.item() == pytest.approx(2 * (real * wanted[True] + fake * wanted[False]), rel=1e-6)


def test_the_penalty_of_a_step_is_that_of_autograd(make_source):
    """The penalty that a step logs, and its gradient, are those of the slope computed image by image."""
    gan = GAN(R3GAN.but(net=R3Resnet(16)), (1, 8, 8), classes=3)
    source = make_source((1, 8, 8), classes=3)
    with torch.no_grad():
        for weight in gan.D.parameters():  # blocks begin at zero, where D would be linear
            weight.add_(0.1 * torch.randn(weight.shape, generator=generator(1, str(weight.shape))))
    shown = [stream.draw(gan, source.at("D", i, index=0), 4) for i, (stream, _) in enumerate(gan.method.d_sees)]
    slopes = {True: [], False: []}
    for batch in shown:
        for i in range(4):
            x = batch.x[i : i + 1].detach().requires_grad_()
            (slope,) = torch.autograd.grad(gan.D(Batch(x, batch.y[i : i + 1], None, None)).realness.sum(), x)
            slopes[batch.real].append(slope.square().sum().item())
    wanted = sum(sum(of) / 4 for of in slopes.values()) / 2
    assert wanted > 0
    with torch.no_grad():
        shown = [Batch(b.x.detach(), b.y, b.z, b.real) for b in shown]
    assert update_d(gan, shown, source)["D.penalty"] == pytest.approx(wanted, rel=1e-4)


def test_its_networks_have_no_normalisation_and_begin_as_identities():
    """No norm stands in G or D, and each block adds nothing before the first step."""
    net = R3Resnet(16)
    nets = [net.generator((3, 32, 32), 8), nn.Sequential(*(stage for _, stage in net.trunk((3, 32, 32))))]
    for one in nets:
        assert not [layer for layer in one.modules() if "Norm" in type(layer).__name__]
    block = nets[0][2]
    x = torch.randn(2, 16, 4, 4)
    assert torch.equal(block(x), x)
    convolution = block.main[2]
    assert (convolution.in_channels, convolution.groups) == (32, 2)


@pytest.mark.parametrize(("shape", "levels"), [((1, 8, 8), 2), ((1, 32, 32), 3), ((3, 64, 64), 4), ((3, 24, 40), 3)])
def test_sides_are_halved_to_about_four(shape, levels):
    """A net of 8 to 64 pixels halves the sides as often as they have twos, down to about four."""
    stages = [name for name, _ in R3Resnet(16).trunk(shape)]
    assert stages == [*(f"level{i}" for i in range(levels + 1)), "features"]
    assert R3Resnet(16).generator(shape, 8)(torch.zeros(2, 8)).shape == (2, *shape)


def test_d_sees_the_real_images_of_gs_step_without_learning_from_them(make_source):
    """G's step judges real images too; only G's weights change, and D's gradient norm is that of its own step."""
    gan, source = GAN(R3GAN.but(net=R3Resnet(16)), (1, 8, 8), classes=3), make_source((1, 8, 8), classes=3)
    frozen = {name: value.clone() for name, value in gan.D.state_dict().items()}
    gan.opt_d.param_groups[0]["lr"] = 0.0
    metrics = step(gan, source, 0, 8)
    assert all(torch.equal(frozen[name], value) for name, value in gan.D.state_dict().items())
    assert metrics["G.relativistic"] > 0 and metrics["G.gradient_norm"] > 0


def test_what_it_needs_is_refused_in_a_sentence():
    """Unequal groups, no real images for G, updates apart, and a D with batch norm are refused when it is built."""
    for changes, sentence in (
        ({"d_sees": ((Real(), 1), (Generated(), 0.5))}, "each real image is paired with a fake one"),
        ({"g_plays": ((Generated(), 1),)}, r"G's loss compares with real images; add Real\(\) to g_plays"),
        ({"d_updates": "apart"}, "needs real and fake images in one update; use d_updates together"),
        ({"net": Dcgan(8)}, "D's batch norm mixes images; use another net"),
        ({"losses": (Hinge(),)}, "G can only learn from images that G or the encoder made"),
    ):
        with pytest.raises(UsageError, match=sentence):
            R3GAN.but(**changes)


def test_realness_of_pairs_is_symmetric():
    """Where D cannot tell a pair apart, both players lose log 2."""
    groups = [judged([0.7], True), judged([0.7], False)]
    loss = RelativisticPairing()
    assert loss.d(groups).item() == loss.g(groups).item() == pytest.approx(math.log(2))
