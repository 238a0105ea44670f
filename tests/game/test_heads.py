"""Heads that look at classes: what D is shown, and the spread that it sees."""

from __future__ import annotations

import pytest
import torch

from lookalike.base.errors import UsageError
from lookalike.game.batch import Batch
from lookalike.game.gan import GAN
from lookalike.game.heads import SPREAD, Auxiliary, LabelAware, Realness, spreads
from lookalike.game.latents import BalancedLabels, LabelsAsInData, UniformLabels
from lookalike.game.losses import AuxiliaryClass, Minimax
from lookalike.game.nets.anogan import Anogan
from lookalike.game.nets.conditioning import ClassBatchNorm, Embedded, Unconditional
from lookalike.game.share import EveryThird
from lookalike.game.streams import Generated, Real
from lookalike.game.train import draw
from lookalike.methods import METHODS
from lookalike.methods.mcgan import OtherClasses

FEATURES = torch.tensor([[0.0, 1.0], [2.0, 5.0], [4.0, 3.0], [1.0, 1.0]])
PIXELS = torch.tensor([0.1, 0.7, -0.4, 0.3]).reshape(4, 1, 1, 1)
Y = torch.tensor([0, 0, 0, 2])


def test_the_spread_is_the_deviation_within_a_class_averaged_over_features():
    """Of three images of class 0 the deviation of each feature, averaged; of one image or none it is 0."""
    own = torch.nn.functional.one_hot(Y, 3).float()
    wanted = FEATURES[:3].std(0, unbiased=False).mean()
    assert spreads(FEATURES, own) == pytest.approx([wanted.item(), 0, 0])


def test_realness_sees_its_own_classs_spread():
    """The logit is linear in features and in ten times the spreads of features and pixels, at the class's places."""
    head = Realness(2, 3, spread=True)
    said = head(FEATURES, Batch(PIXELS, Y, None, False))
    of_features, of_pixels = (x[:3].std(0, unbiased=False).mean() for x in (FEATURES, PIXELS))
    weight, bias = head.logit.weight[0], head.logit.bias[0]
    seen = SPREAD * (of_features * weight[2] + of_pixels * weight[5])  # three classes' features, then their pixels
    wanted = FEATURES @ weight[:2] + bias + torch.tensor([1, 1, 1, 0]) * seen
    assert torch.allclose(said, wanted, atol=1e-6)
    assert torch.equal(head.usual, torch.zeros(2, 3))  # generated images do not count


def test_when_scoring_the_spread_is_that_of_real_groups():
    """In evaluation an image's realness does not depend on the others, and real groups alone move the mean."""
    head = Realness(2, 3, spread=True)
    for _ in range(300):
        head(FEATURES, Batch(PIXELS, Y, None, True))
    for usual, x in zip(head.usual, (FEATURES, PIXELS), strict=True):
        assert usual.tolist() == pytest.approx([x[:3].std(0, unbiased=False).mean().item(), 0, 0], rel=0.06)
    head.eval()
    whole = head(FEATURES, Batch(PIXELS, Y, None, None))
    alone = [head(FEATURES[i : i + 1], Batch(PIXELS[i : i + 1], Y[i : i + 1], None, None)) for i in range(4)]
    assert torch.allclose(whole, torch.cat(alone), atol=1e-6)


def test_d_of_cgan_is_told_the_class():
    """The trunk takes the image and a map that only the class decides; of vectors the class's own vector."""
    gan = GAN(METHODS["cgan"].but(net=Anogan(4)), (3, 8, 12), classes=3)
    x = torch.zeros(2, 3, 8, 12)
    shown = gan.D.shown(x, torch.tensor([0, 2]))
    assert shown.shape == (2, 4, 8, 12) and torch.equal(shown[:, :3], x)
    assert not torch.allclose(shown[0, 3], shown[1, 3])
    assert torch.allclose(gan.D.shown(x, torch.tensor([2, 2]))[0], shown[1], atol=1e-6)
    head = LabelAware(6)
    vectors = head.shown(head.build(5, (7,), 3, 8), torch.zeros(2, 7), torch.tensor([1, 1]))
    assert vectors.shape == (2, *head.taken((7,))) == (2, 13)


@pytest.mark.parametrize("labels", [UniformLabels(), BalancedLabels(), LabelsAsInData()])
def test_classes_asked_for(labels, make_source, small):
    """Uniform or balanced: each a third of G's images; as in the data: as often as its training images."""
    source = make_source((1, 8, 8), known=24, classes=3)
    source = type(source)(source.known, torch.tensor([0] * 18 + [1] * 4 + [2] * 2), None, 3)
    gan = GAN(small(METHODS["acgan"]).but(labels=labels), (1, 8, 8), classes=3)
    (batch,) = draw(gan, [(Generated(), 1.0)], source.at("D", index=0), 3000)
    shares = torch.bincount(batch.y, minlength=3) / 3000
    wanted = [18 / 24, 4 / 24, 2 / 24] if labels == LabelsAsInData() else [1 / 3] * 3
    assert shares.tolist() == pytest.approx(wanted, abs=0.04)
    assert batch.real is False


REFUSED = {
    "unconditional": ({"conditioning": Unconditional()}, "G learns from its class, but is not conditional"),
    "no class loss": ({"losses": (Minimax(),)}, "the head classifies, but no loss trains it"),
    "no class head": ({"head": METHODS["anogan"].head}, "class cross-entropy.*: needs a head that classifies"),
    "other classes": (
        {"head": Auxiliary(spread=True), "d_sees": ((Real(), 1), (Generated(), 1), (OtherClasses(), 1))},
        "D needs the class of each image, and images of the other class .* have none",
    ),
    "share": (
        {"d_sees": ((Real(), EveryThird(1.0, 0.0)), (Generated(), 1))},
        "every share in d_sees and g_plays must be above 0",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_work_is_refused(case):
    """A method that asks for a class which nobody gives is refused in a sentence when it is built."""
    changes, words = REFUSED[case]
    with pytest.raises(UsageError, match=words):
        METHODS["acgan"].but(**changes)


def test_class_loss_logits_reach_both_players():
    """AC-GAN's class loss moves the class layer of D and, through the images, G; Minimax alone leaves the layer."""
    gan = GAN(METHODS["acgan"].but(net=Anogan(4)), (1, 8, 8), classes=3)
    batch = Generated().draw(gan, _source(), 6)
    judged = [type("J", (), {"batch": batch, "says": gan.D(batch)})()]
    AuxiliaryClass().g(judged).backward(retain_graph=True)
    assert all(weight.grad.abs().sum() > 0 for weight in (gan.D.layers["classes"].weight, gan.G.embedding.weight))
    gan.D.zero_grad()
    Minimax().g(judged).backward()
    assert gan.D.layers["classes"].weight.grad is None


def _source():
    from lookalike.game.source import Source

    return Source(torch.zeros(6, 1, 8, 8, dtype=torch.uint8), torch.arange(6) % 3, None, 0)


@pytest.mark.parametrize("conditioning", [Embedded(), ClassBatchNorm()])
def test_words_for_a_reader(conditioning):
    """Each value says in words what it is."""
    assert len(str(conditioning).split()) > 2 and "spread" in str(Auxiliary(spread=True))
    assert "spread" not in str(Auxiliary()) and str(UniformLabels()) != str(LabelsAsInData())
