"""f-AnoGAN: the encoder's loss by hand, what its training leaves as it is, and its score."""

from __future__ import annotations

import itertools

import pytest
import torch

from lookalike.base.errors import UsageError
from lookalike.detect.gan import GANDetector
from lookalike.detect.search import Search
from lookalike.game.batch import Batch, Judged, Judgement
from lookalike.game.gan import GAN
from lookalike.game.latents import Normal
from lookalike.game.losses import Minimax
from lookalike.game.method import Twin, early, late
from lookalike.game.nets.resnet import Resnet
from lookalike.game.score import EncoderPass
from lookalike.game.streams import Generated, Real
from lookalike.game.train import train
from lookalike.methods import METHODS
from lookalike.methods.fanogan import Inverting, Reconstructed, Reconstruction

HALF = (Twin("encoder", Inverting(), after=0.5),)
METHOD = METHODS["f-anogan"].but(net=Resnet(4), latent=Normal(8), twins=HALF)
SHAPE = (1, 8, 8)


def trained(make_source, images=64):
    """A GAN after some steps: the last half of them are the encoder's."""
    gan = GAN(METHOD, SHAPE, seed=1, ema=0.9)
    return gan, list(train(gan, make_source(SHAPE), images=images, batch=8))


def test_the_encoders_loss_by_hand():
    """izi_f is the mean square of the pixels' difference and kappa times that of the features'."""
    x, made = torch.tensor([[0.0, 1.0], [2.0, 3.0]]), torch.tensor([[0.5, 1.0], [2.0, 1.0]])
    f, f_made = torch.tensor([[1.0], [2.0]]), torch.tensor([[4.0], [2.0]])
    groups = [
        Judged(Batch(x, None, None, True), Judgement(torch.zeros(2), None, f)),
        Judged(Batch(made, None, None, None), Judgement(torch.zeros(2), None, f_made)),
    ]
    assert Reconstruction(3.0).g(groups).item() == pytest.approx((0.25 + 4.0) / 4 + 3.0 * 9.0 / 2)
    assert Reconstruction(3.0).d(groups).item() == 0


def test_the_two_groups_of_its_step_are_of_the_same_images(make_source):
    """The real images of the encoder's step are those that were encoded: its loss is 0 where G undoes E."""
    gan, source = GAN(METHOD, SHAPE, seed=1), make_source(SHAPE)
    twin = gan.twins["encoder"]
    twin.infer = lambda x, y, random: x.flatten(1)
    twin.make = lambda z, y: z.unflatten(1, SHAPE)
    own = source.at("encoder", index=0).at("G", index=0).at(0, index=0)
    x, _ = own.take_known(6)
    assert torch.equal(Reconstructed().draw(twin, own, 6).x, x)


def test_the_game_comes_first_and_then_the_encoder_alone(make_source):
    """In the first half only G and D change, in the second only E; D and G of the twin are the GAN's own."""
    gan, source = GAN(METHOD, SHAPE, seed=1, ema=0.9), make_source(SHAPE)
    twin = gan.twins["encoder"]
    steps = train(gan, source, images=64, batch=8)
    begun = {name: value.clone() for name, value in twin.state(training=False).items()}
    first = list(itertools.islice(steps, 4))
    assert all("G.wasserstein" in p.metrics and "encoder/E.reconstruction" not in p.metrics for p in first)
    assert all(torch.equal(begun[name], value) for name, value in twin.state(training=False).items())
    played = {name: value.clone() for name, value in gan.tensors(training=False).items() if name[:2] != "E."}
    last = list(steps)
    assert len(last) == 4
    assert all(set(p.metrics) == {"encoder/E.reconstruction", "encoder/E.gradient_norm"} for p in last)
    after = gan.tensors(training=False)
    assert all(torch.equal(value, after[name]) for name, value in played.items())
    own = twin.tensors(training=False)
    assert all(torch.equal(own[name], after[f"average.{name[2:]}"]) for name in own if name[:2] == "G.")
    assert all(torch.equal(own[name], after[name]) for name in own if name[:2] == "D.")
    assert not torch.equal(begun["E.out.weight"], own["E.out.weight"])


def test_the_model_keeps_the_encoder_and_loses_the_twin(make_source, same):
    """What is stored to score is G, D, the average and E; loaded into another GAN it encodes to the same bits."""
    gan, _ = trained(make_source)
    stored = gan.state(training=False)
    assert {name.split(".")[0] for name in stored} == {"G", "D", "average", "E"}
    fresh = GAN(METHOD, SHAPE, seed=9, ema=0.9)
    fresh.load(stored, training=False)
    x = torch.rand(3, *SHAPE) * 2 - 1
    assert torch.equal(gan.encode(x), fresh.encode(x))


def test_resumed_in_the_encoders_part_it_ends_in_the_same_bits(make_source, same):
    """A run stopped two steps after the game, stored and resumed, ends as one that was not."""
    whole, _ = trained(make_source)
    first = GAN(METHOD, SHAPE, seed=1, ema=0.9)
    list(itertools.islice(train(first, make_source(SHAPE), images=64, batch=8), 6))
    resumed = GAN(METHOD, SHAPE, seed=3, ema=0.9)
    resumed.load(first.state(training=True), training=True)
    list(train(resumed, make_source(SHAPE), images=64, batch=8, start=6))
    assert same(whole.state(training=True), resumed.state(training=True))


def test_its_score_by_hand(make_source):
    """The score is the mean square of x - G(E(x)) and kappa times that of D's last features, by frozen networks."""
    gan, _ = trained(make_source)
    method = METHOD.but(score=EncoderPass(2.0))
    gan.method = method
    pixels = torch.randint(0, 256, (5, *SHAPE), dtype=torch.uint8)
    found = GANDetector(gan, Search(batch=32)).score(pixels.numpy())
    x = pixels.float() / 127.5 - 1
    G, D = gan.frozen()
    with torch.no_grad():
        near = G(gan.encode(x))
        f, f_near = (D(Batch(images, None, None, None)).features for images in (x, near))
    residual, features = (x - near).square().flatten(1).mean(1), (f - f_near).square().mean(1)
    assert found.score == pytest.approx((residual + 2 * features).numpy(), rel=1e-4)
    assert found.parts["residual"] == pytest.approx(residual.numpy(), rel=1e-4)
    assert found.parts["features"] == pytest.approx(features.numpy(), rel=1e-4)
    assert found.nearest.shape == (5, *SHAPE) and found.classes is None


def test_an_image_is_scored_to_the_same_bits_in_any_company(make_source):
    """The scores of images do not depend on how many are scored together."""
    gan, _ = trained(make_source)
    detector = GANDetector(gan, Search(batch=32))
    pixels = torch.randint(0, 256, (40, *SHAPE), dtype=torch.uint8).numpy()
    together = detector.score(pixels).score
    assert (detector.score(pixels[33:34]).score == together[33:34]).all()


def test_twins_that_train_after_share_the_steps():
    """Of 10 steps a share of .3 is the last 3; before and after together leave some for the game."""
    twin = Twin("encoder", Inverting(), after=0.3)
    assert (early(twin, 10), late(twin, 10)) == (0, 3)
    assert METHOD.but(twins=(twin,)).ends(10) == 7
    with pytest.raises(UsageError, match="a twin trains before, beside or after, not at two times"):
        METHOD.but(twins=(Twin("encoder", Inverting(), before=0.3, after=0.3),))
    with pytest.raises(UsageError, match="leave no steps for the game"):
        METHOD.but(twins=(Twin("a", Inverting(), before=0.5), Twin("b", Inverting(), after=0.5)))


def test_images_are_compared_with_their_own_reconstructions_alone():
    """A loss that compares row by row is refused where the made images are not of the step's real ones."""
    with pytest.raises(UsageError, match="compares images with their reconstructions"):
        METHODS["anogan"].but(g_plays=((Real(), 1), (Generated(), 1)), losses=(Minimax(), Reconstruction()))


def test_without_an_encoder_the_score_is_refused():
    """A method whose score is the encoder's pass must have an encoder."""
    with pytest.raises(UsageError, match=r"there is no encoder; add Encoder\(\)"):
        METHODS["wgan-gp"].but(score=EncoderPass())
