"""Each loss against its formula, written out with numpy in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lookalike.game.batch import Batch, Judged, Judgement
from lookalike.game.losses import AuxiliaryClass, Hinge, Minimax, Mode, Wasserstein

REAL = [0.3, -1.2, 2.0, 0.0]
FAKE = [-0.7, 1.5, 0.1, -3.0]
OTHER = [1.1, -0.4, 4.0, -2.5]
LOSSES = [Minimax(), Minimax(saturating=True), Hinge()]


def group(values, real, share=1.0):
    """A group of images whose realness is `values`."""
    realness = torch.tensor(values, requires_grad=True)
    x = torch.zeros(len(values), 1)
    return Judged(Batch(x, None, None, real, share), Judgement(realness, None, x))


def sigmoid(values):
    """D(x) for log-odds."""
    return 1 / (1 + np.exp(-np.asarray(values, np.float64)))


def game(shares=(1.0, 1.0, 1.0)):
    """What mcgan's D is shown: real, generated, and another class's images."""
    return [group(REAL, True, shares[0]), group(FAKE, False, shares[1]), group(OTHER, False, shares[2])]


def near(loss):
    """The scalar, compared to seven digits."""
    assert loss.shape == ()
    return pytest.approx(loss.item(), rel=1e-6)


def test_minimax_d():
    """D's loss is -mean log D(x) - mean log(1 - D(G(z))) - mean log(1 - D(x2)): each group counts once."""
    wanted = -np.log(sigmoid(REAL)).mean() - np.log(1 - sigmoid(FAKE)).mean() - np.log(1 - sigmoid(OTHER)).mean()
    assert wanted == near(Minimax().d(game()))


def test_minimax_g():
    """G's loss is -mean log D(G(z)) unless it saturates."""
    assert -np.log(sigmoid(FAKE)).mean() == near(Minimax().g([group(FAKE, False)]))


def test_minimax_g_saturating():
    """The letter of eq. 1: G minimises mean log(1 - D(G(z)))."""
    assert np.log(1 - sigmoid(FAKE)).mean() == near(Minimax(saturating=True).g([group(FAKE, False)]))


def test_saturating_changes_g_alone():
    """D's loss is the same whether G's saturates or not."""
    assert torch.equal(Minimax().d(game()), Minimax(saturating=True).d(game()))


def test_minimax_g_flips_real():
    """A player who makes what D is taught to be real (an encoder) minimises -log(1 - D)."""
    assert -np.log(1 - sigmoid(REAL)).mean() == near(Minimax().g([group(REAL, True)]))


def test_hinge_d():
    """D's loss is mean max(0, 1 - r) for real and mean max(0, 1 + r) for each fake group."""
    wanted = (
        np.maximum(0, 1 - np.array(REAL)).mean()
        + np.maximum(0, 1 + np.array(FAKE)).mean()
        + np.maximum(0, 1 + np.array(OTHER)).mean()
    )
    assert wanted == near(Hinge().d(game()))


def test_hinge_g():
    """G's loss is -mean r of what it made, and +mean r of what D is taught to be real."""
    assert -np.mean(FAKE) == near(Hinge().g([group(FAKE, False)]))
    assert np.mean(REAL) == near(Hinge().g([group(REAL, True)]))


@pytest.mark.parametrize(
    ("loss", "term"), [(Minimax(), lambda r: np.log1p(np.exp(r))), (Hinge(), lambda r: np.maximum(0, 1 + r))]
)
def test_quarter_shares_are_one_mixed_batch(loss, term):
    """With shares 1/4 : 3/4 and groups of 2 and 6 the loss is the plain mean over the mixed batch of 8."""
    real, fake = np.array([0.5, -2.0]), np.array([1.0, -0.3, 0.2, 2.2, -1.7, 0.0])
    wanted = np.concatenate([term(-real), term(fake)]).mean()
    groups = [group(real.tolist(), True, 0.25), group(fake.tolist(), False, 0.75)]
    assert wanted == near(loss.d(groups))


@pytest.mark.parametrize("loss", LOSSES)
def test_share_is_the_groups_weight(loss):
    """Halving one group's share takes half of that group's term away, from D's loss and from G's."""
    for side in (loss.d, loss.g):
        alone = side([group(OTHER, False)]).item()
        full, halved = side(game()).item(), side(game((1.0, 1.0, 0.5))).item()
        assert full - halved == pytest.approx(alone / 2, abs=1e-6)


@pytest.mark.parametrize("loss", LOSSES)
def test_not_asked_contributes_nothing(loss):
    """A group without a label changes no bit of either loss and receives no gradient at all."""
    for side in (loss.d, loss.g):
        silent = group([9.0, -9.0, float("nan")], None)
        with_it = side([*game(), silent])
        assert torch.equal(with_it, side(game()))
        with_it.backward()
        assert silent.says.realness.grad is None


def test_gradient_of_minimax_d():
    """D's gradient by hand: -(1 - D(x)) / n for real, D(x) / n for fake, times the share."""
    real, fake, other = game((1.0, 0.5, 2.0))
    Minimax().d([real, fake, other]).backward()
    n = len(REAL)
    assert real.says.realness.grad.numpy() == pytest.approx(-(1 - sigmoid(REAL)) / n, rel=1e-5)
    assert fake.says.realness.grad.numpy() == pytest.approx(0.5 * sigmoid(FAKE) / n, rel=1e-5)
    assert other.says.realness.grad.numpy() == pytest.approx(2.0 * sigmoid(OTHER) / n, rel=1e-5)


def test_gradient_of_minimax_g():
    """G's gradient is -(1 - D) / n; the saturating form's -D / n vanishes where D is sure, which is its known flaw."""
    plain, saturating = group(FAKE, False), group(FAKE, False)
    Minimax().g([plain]).backward()
    Minimax(saturating=True).g([saturating]).backward()
    assert plain.says.realness.grad.numpy() == pytest.approx(-(1 - sigmoid(FAKE)) / len(FAKE), rel=1e-5)
    assert saturating.says.realness.grad.numpy() == pytest.approx(-sigmoid(FAKE) / len(FAKE), rel=1e-5)


def test_gradient_of_hinge_d():
    """The hinge's gradient is -1 / n for real below 1, +1 / n for fake above -1, and 0 beyond the margin."""
    real, fake = group([0.5, 1.5], True), group([-0.5, -1.5], False)
    Hinge().d([real, fake]).backward()
    assert real.says.realness.grad.tolist() == [-0.5, 0.0]
    assert fake.says.realness.grad.tolist() == [0.5, 0.0]


def test_extreme_answers_stay_finite():
    """An answer of 200 costs 200 where log(sigmoid) would be minus infinity."""
    assert Minimax().d([group([-200.0], True)]).item() == 200
    assert Minimax().d([group([200.0], True)]).item() == 0
    assert Minimax().g([group([-200.0], False)]).item() == 200


def test_names():
    """A loss is logged under its own name."""
    assert [loss.name for loss in LOSSES] == ["minimax", "minimax", "hinge"]


def named(logits, y, real, share=1.0):
    """A group of images with class logits."""
    x = torch.zeros(len(y), 1)
    return Judged(Batch(x, torch.tensor(y), None, real, share), Judgement(x[:, 0], torch.tensor(logits), x))


LOGITS = [[0.2, -1.0, 3.0], [0.0, 0.5, 0.1]]
MADE = [[1.0, 2.0, -0.5]]


def class_entropy(logits, y):
    """-log of the softmax at y, from logits, by image."""
    shares = np.exp(np.asarray(logits, np.float64))
    return -np.log(shares[np.arange(len(y)), y] / shares.sum(1))


def test_class_loss_of_d_is_the_cross_entropy_of_logits_real_and_fake():
    """-mean log softmax at the class, of real and of generated images by their shares, or of real ones alone."""
    judged = [named(LOGITS, [2, 0], True, 0.5), named(MADE, [0], False, 1.5)]
    real, fake = class_entropy(LOGITS, [2, 0]).mean(), class_entropy(MADE, [0]).mean()
    assert 0.5 * real + 1.5 * fake == near(AuxiliaryClass().d(judged))
    assert 0.5 * real == near(AuxiliaryClass(on_fake=False).d(judged))


def test_class_loss_of_g_is_that_of_what_it_made():
    """G minds the class that it was asked for, whether D learns from generated images or not."""
    for loss in (AuxiliaryClass(), AuxiliaryClass(on_fake=False)):
        assert class_entropy(MADE, [0]).mean() == near(loss.g([named(MADE, [0], False)]))


def test_class_loss_passes_over_groups_without_a_class():
    """Images of other classes, which have no label, do not count."""
    other = Judged(Batch(torch.zeros(2, 1), None, None, False), Judgement(torch.zeros(2), torch.zeros(2, 3), None))
    assert torch.equal(
        AuxiliaryClass().d([named(LOGITS, [2, 0], True), other]), AuxiliaryClass().d([named(LOGITS, [2, 0], True)])
    )


def test_wasserstein():
    """D minimises the mean of all fakes less that of reals; a third stream does not outweigh them; G minimises -E r."""
    wanted = np.concatenate([FAKE, OTHER]).mean() - np.mean(REAL)
    assert wanted == near(Wasserstein().d(game()))
    weighted = (1.0 * np.mean(FAKE) + 3.0 * np.mean(OTHER)) / 4 - np.mean(REAL)
    assert weighted == near(Wasserstein().d(game((1.0, 1.0, 3.0))))
    assert -np.mean(FAKE) == near(Wasserstein().g([group(FAKE, False)]))


def test_the_class_loss_of_g_has_a_weight():
    """G's is a tenth where its weight says so, and nothing at weight 0; D's stays."""
    judged = [named(LOGITS, [2, 0], False)]
    whole, tenth, none = (AuxiliaryClass(g_weight=weight) for weight in (1.0, 0.1, 0.0))
    assert 0.1 * whole.g(judged).item() == near(tenth.g(judged))
    assert none.g(judged).item() == 0
    assert torch.equal(whole.d(judged), none.d(judged))


def test_mode_by_hand():
    """G's loss is -mean log of the likeliest class's softmax; D's is nothing."""
    logits = np.array(LOGITS, np.float64)
    wanted = -np.log((np.exp(logits) / np.exp(logits).sum(1, keepdims=True)).max(1)).mean()
    assert wanted == near(Mode().g([named(LOGITS, [2, 0], False)]))
    assert Mode().d([named(LOGITS, [2, 0], False)]).item() == 0
