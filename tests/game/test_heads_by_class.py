"""K + 1 classes and projection against their formulas; what the paper's theorem says of G's gradient."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import cross_entropy

from lookalike.game.batch import Batch, Judged, Judgement
from lookalike.game.gan import GAN
from lookalike.game.heads_by_class import KPlusOne, Projection
from lookalike.game.losses import AuxiliaryClass, Minimax, Mode
from lookalike.game.nets.mlp import Mlp
from lookalike.game.train import draw, judge
from lookalike.methods import METHODS

FEATURES = torch.tensor([[0.3, -1.0], [2.0, 0.5], [-0.4, 3.0], [1.0, 1.0]])
Y = torch.tensor([0, 1, 2, 2])
SHAPE = (7,)
K = 3


def answered(head, y=Y, real=None):
    """(head's layers, logits of the K + 1 softmax by hand, the answer) of FEATURES."""
    torch.manual_seed(0)
    layers = head.build(2, SHAPE, K, 5)
    for weight in layers.parameters():
        torch.nn.init.normal_(weight)
    batch = Batch(torch.zeros(4, *SHAPE), y, None, real)
    logits = FEATURES @ layers["logits"].weight.T + layers["logits"].bias if "logits" in layers else None
    return layers, logits, Judged(batch, head.answer(layers, FEATURES, batch))


def test_realness_is_the_log_odds_of_all_classes_against_the_fakes():
    """log P(D != 0) - log P(D = 0) of a softmax over K + 1 logits, the fakes' first; the others are the classes'."""
    _, logits, (_, says) = answered(KPlusOne())
    d = logits.softmax(1)
    assert torch.allclose(says.realness, (1 - d[:, 0]).log() - d[:, 0].log(), atol=1e-5)
    assert torch.equal(says.classes, logits[:, 1:]) and torch.equal(says.features, FEATURES)


def test_the_two_losses_are_the_likelihood_of_eq_1():
    """D's minimax and class losses sum to -log d_y of real images (class y + 1) and -log d_0 of fakes."""
    losses = METHODS["k-plus-one"].losses
    _, logits, real = answered(KPlusOne(), real=True)
    *_, fake = answered(KPlusOne(), None, False)
    wanted = cross_entropy(logits, Y + 1) + cross_entropy(logits, torch.zeros(4, dtype=torch.int64))
    assert sum(loss.d([real, fake]) for loss in losses).item() == pytest.approx(wanted.item(), rel=1e-6)


@pytest.mark.parametrize("saturating", [False, True])
def test_g_minds_the_fakes_probability_alone(saturating):
    """G's loss is -log(1 - d_0), or log d_0 where it saturates; the classes do not matter."""
    _, logits, fake = answered(KPlusOne(), None, False)
    d_0 = logits.softmax(1)[:, 0]
    wanted = d_0.log().mean() if saturating else -(1 - d_0).log().mean()
    found = Minimax(saturating).g([fake]) + AuxiliaryClass(on_fake=False, g_weight=0.0).g([fake])
    assert found.item() == pytest.approx(wanted.item(), rel=1e-4)


def test_mode_gan_minds_the_likeliest_class():
    """The sum of G's losses is -log max d_l over the real classes (section 2.2)."""
    _, logits, fake = answered(KPlusOne(), None, False)
    wanted = -logits.log_softmax(1)[:, 1:].amax(1).mean()
    assert sum(loss.g([fake]) for loss in METHODS["mode"].losses).item() == pytest.approx(wanted.item(), rel=1e-5)
    assert any(isinstance(loss, Mode) for loss in METHODS["mode"].losses)


def test_with_projection_every_logit_sees_the_class():
    """Each of the K + 1 logits gets the inner product of the features with the vector of (class, logit)."""
    layers, logits, (_, says) = answered(KPlusOne(projection=True))
    vectors = layers["vectors"].weight.view(K, K + 1, 2)
    wanted = logits + torch.stack([vectors[y] @ f for y, f in zip(Y.tolist(), FEATURES, strict=True)])
    assert torch.allclose(says.classes, wanted[:, 1:], atol=1e-6)
    assert torch.allclose(says.realness, wanted[:, 1:].logsumexp(1) - wanted[:, 0], atol=1e-6)


def test_projection_by_hand():
    """psi(f) + <v_y, f>."""
    layers, _, (_, says) = answered(Projection())
    psi = FEATURES @ layers["logit"].weight[0] + layers["logit"].bias
    wanted = psi + torch.stack([layers["vectors"].weight[y] @ f for y, f in zip(Y.tolist(), FEATURES, strict=True)])
    assert torch.allclose(says.realness, wanted, atol=1e-6) and says.classes is None


def test_the_theorem_g_of_k_plus_one_is_the_binary_g(small, make_source):
    """Where D's log-odds of real are the same, K + 1's G has the gradient of the binary game (kplus1-2020, 2.1)."""
    methods = small(METHODS["k-plus-one"], "mlp"), small(METHODS["sn-binary"], "mlp").but(losses=(Minimax(),))
    several, binary = (GAN(method.but(net=Mlp(16, 2)), SHAPE, seed=4, classes=K) for method in methods)
    assert torch.equal(several.G[0].weight, binary.G[0].weight)
    source = make_source(SHAPE, classes=K).at("G", index=0)
    (played,), (alike,) = (draw(gan, methods[0].g_plays, source, 8) for gan in (several, binary))
    judged = judge(several, [played])
    found = torch.autograd.grad(sum(loss.g(judged) for loss in methods[0].losses), [*several.G.parameters()])
    # the binary game on its own G, with log P(D != 0) - log P(D = 0) of the softmax written out as D's realness
    d_0 = several.D.layers["logits"](several.D.trunk(alike.x)).softmax(1)[:, 0]
    (game,) = methods[1].losses
    loss = game.g([Judged(alike, Judgement((1 - d_0).log() - d_0.log(), None, alike.x))])
    wanted = torch.autograd.grad(loss, [*binary.G.parameters()])
    assert all(torch.allclose(a, b, atol=1e-6, rtol=1e-4) for a, b in zip(found, wanted, strict=True))
    assert max(a.abs().max() for a in found) > 1e-4
