"""The gradient penalty against its closed form on critics whose slope is known."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lookalike.base.errors import UsageError
from lookalike.base.seeds import generator
from lookalike.game.batch import Batch, Judged, Judgement
from lookalike.game.nets.dcgan import Dcgan
from lookalike.game.penalty import GradientPenalty
from lookalike.methods import METHODS


class Critic(nn.Module):
    """D whose realness is a function of x."""

    def __init__(self, function):
        super().__init__()
        self.scale, self.function, self.asked = nn.Parameter(torch.tensor(1.0)), function, []

    def forward(self, batch):
        """The function, scaled."""
        self.asked.append(batch)
        return Judgement(self.scale * self.function(batch.x), None, batch.x)


REAL = Batch(torch.tensor([[1.0, 0.0], [0.0, 2.0], [3.0, 1.0]]), torch.tensor([0, 1, 2]), None, True)
FAKE = Batch(torch.tensor([[-1.0, 0.5], [0.3, -2.0], [-3.0, -1.0]]), None, None, False)


def penalty(function, shown=(REAL, FAKE), weight=10.0):
    """(the penalty, the critic)."""
    critic = Critic(function)
    return GradientPenalty(weight).of(critic, [Judged(batch, None) for batch in shown], generator(0, "mix")), critic


def test_of_a_linear_critic():
    """Slope (3, 4) has length 5 everywhere: 10 (5 - 1)^2, and 2 * 10 (5 - 1) * 5 is its gradient by the scale."""
    found, critic = penalty(lambda x: x @ torch.tensor([3.0, 4.0]))
    assert found.item() == pytest.approx(160)
    found.backward()
    assert critic.scale.grad.item() == pytest.approx(400)


def test_at_zero_slope():
    """A flat critic costs the whole weight, 10 (0 - 1)^2, and its gradient is finite."""
    found, critic = penalty(lambda x: (0 * x).sum(1))
    assert found.item() == 10
    found.backward()
    assert critic.scale.grad.item() == 0


def test_of_a_quadratic_critic_at_the_mixed_points():
    """r = |x|^2 / 2 has slope x: the penalty is 10 mean (|x| - 1)^2 at points between real and fake."""
    found, critic = penalty(lambda x: x.square().sum(1) / 2)
    (asked,) = critic.asked
    assert found.item() == pytest.approx(10 * (asked.x.norm(dim=1) - 1).square().mean().item(), rel=1e-6)
    mix = (asked.x - FAKE.x) / (REAL.x - FAKE.x)
    assert torch.allclose(mix[:, 0], mix[:, 1], atol=1e-6) and ((mix > 0) & (mix < 1)).all()
    assert len({round(value, 4) for value in mix[:, 0].tolist()}) == 3
    assert torch.equal(asked.y, REAL.y) and asked.real is None


def test_groups_of_a_verdict_are_one_and_pairs_as_many_as_there_are():
    """Two groups of fakes after another; the smaller side says how many pairs; what is not asked takes no part."""
    other = Batch(torch.full((2, 2), 9.0), None, None, False)
    unasked = Batch(torch.full((2, 2), 99.0), None, None, None)
    few = Batch(FAKE.x[:2], None, None, False)
    _, critic = penalty(lambda x: x.sum(1), (REAL, few, other, unasked))
    assert len(critic.asked[0].x) == 3
    assert critic.asked[0].x.max() < 99
    many = Batch(REAL.x.repeat(20, 1), REAL.y.repeat(20), None, True)
    both = (Batch(FAKE.x.repeat(20, 1), None, None, False), Batch(torch.full((60, 2), 50.0), None, None, False))
    _, critic = penalty(lambda x: x.sum(1), (many, *both))
    extra_fakes = (critic.asked[0].x[:, 0] > 3).float().mean()
    assert len(critic.asked[0].x) == 60 and 0.3 < extra_fakes < 0.7
    _, critic = penalty(lambda x: x.sum(1), (REAL, few))
    assert len(critic.asked[0].x) == 2


def test_each_group_of_reals_is_met_and_keeps_its_classes():
    """Of more reals than fakes a random part is paired: of either group, and each with its own class."""
    fakes = Batch(torch.full((60, 2), 5.0), None, None, False)
    groups = [Batch(torch.full((60, 2), value), torch.full((60,), k), None, True) for k, value in enumerate((0.0, 9.0))]
    _, critic = penalty(lambda x: x.sum(1), (*groups, fakes))
    (asked,) = critic.asked
    assert len(asked.x) == 60 and 0.3 < asked.y.float().mean() < 0.7
    assert torch.equal(asked.y, (asked.x[:, 0] > 5).long())


def test_what_cannot_be_penalised_is_refused():
    """With pairs of z, or D's updates apart, no points lie between; with batch norm no image has a slope of its own."""
    with pytest.raises(UsageError, match="D's batch norm mixes images; use another net"):
        METHODS["wgan-gp"].but(net=Dcgan(8))
    with pytest.raises(UsageError, match="D takes pairs of an image and its z"):
        METHODS["ali"].but(penalty=GradientPenalty())
    with pytest.raises(UsageError, match="use d_updates together"):
        METHODS["wgan-gp"].but(d_updates="apart")
