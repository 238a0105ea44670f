"""ALI: pairs of images and z, who learns from them, and what the encoder gives."""

from __future__ import annotations

import copy
import itertools
import math

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy, softplus

from lookalike.base.errors import UsageError
from lookalike.base.seeds import generator, seed_of
from lookalike.detect.search import Inverter, Search
from lookalike.game.batch import Batch
from lookalike.game.gan import GAN
from lookalike.game.heads import Auxiliary, Binary, Joint, LabelAware, Pair
from lookalike.game.losses import AuxiliaryClass, Minimax
from lookalike.game.method import Twin
from lookalike.game.nets.anogan import Anogan
from lookalike.game.nets.conditioning import Unconditional
from lookalike.game.nets.encoder import Encoder
from lookalike.game.nets.mlp import Mlp
from lookalike.game.streams import Generated, Real
from lookalike.game.train import draw, judge, step, train
from lookalike.methods import METHODS
from lookalike.methods.ali import Encoded, FromPosterior, Inferring
from lookalike.methods.vtgan import Weakened

SHAPE = (1, 8, 8)


@pytest.fixture
def gan(small):
    """ALI of three classes, untrained."""
    return GAN(small(METHODS["ali"]), SHAPE, seed=1, classes=3)


@pytest.fixture
def source(make_source):
    """24 images of three classes."""
    return make_source(SHAPE, classes=3)


def test_a_z_is_the_mean_and_the_deviation_times_noise(gan, source):
    """z = mean + exp(log-variance / 2) e with e of the stream's own generator; without one it is the mean."""
    at = source.at("D", index=5)
    batch = Encoded().draw(gan, at, 6)
    x, y = at.take_known(6)
    mean, log_variance = gan.E(x, y)
    noise = torch.randn(6, 8, generator=generator(3, "D", 5))
    assert torch.allclose(batch.z, mean + log_variance.exp().sqrt() * noise, atol=1e-6)
    assert (batch.real, torch.equal(batch.x, x), torch.equal(batch.y, y)) == (True, True, True)
    usual, log_variance = copy.deepcopy(gan.E).eval()(x, y)  # the frozen encoder has inference statistics
    assert torch.allclose(gan.encode(x, y), usual, atol=1e-6)
    drawn = usual + log_variance.exp().sqrt() * noise
    assert torch.allclose(gan.encode(x, y, generator(3, "D", 5)), drawn, atol=1e-6)
    assert not gan.encode(x, y).requires_grad


@pytest.mark.parametrize("shape", [SHAPE, (3, 8, 12), (7,)])
def test_the_encoder_is_told_the_class(shape, make_source):
    """The same image as another class has another z; without classes E takes the image alone."""
    net = Anogan(4) if len(shape) == 3 else Mlp(16, 2)
    conditional = GAN(METHODS["ali"].but(net=net), shape, classes=3)
    x, _ = make_source(shape).take_known(4)
    first, second = (conditional.encode(x, torch.full((4,), k)) for k in (0, 2))
    assert first.shape == (4, 100)
    assert (first - second).abs().max() > 1e-4
    plain = METHODS["ali"].but(net=net, conditioning=Unconditional(), head=Joint(Binary()))
    plain_gan = GAN(plain, shape, classes=3)
    assert plain_gan.encode(x).shape == (4, 100)
    assert not any(name.startswith("layers") for name in plain_gan.E.state_dict())


def test_losses_of_both_sides_by_hand(gan, source):
    """D: -log D(x, E(x)) - log(1 - D(G(z), z)); G and E: -log(1 - D(x, E(x))) - log D(G(z), z) (eq. 4)."""
    groups = draw(gan, gan.method.g_plays, source.at("G", index=0), 6)
    judged = judge(gan, groups)
    r_real, r_fake = (j.says.realness for j in judged)
    (minimax,) = gan.method.losses
    d_real, d_fake = r_real.sigmoid(), r_fake.sigmoid()
    assert minimax.d(judged).item() == pytest.approx(
        (-d_real.log().mean() - (1 - d_fake).log().mean()).item(), abs=1e-6
    )
    assert minimax.g(judged).item() == pytest.approx(
        (-(1 - d_real).log().mean() - d_fake.log().mean()).item(), abs=1e-6
    )


def test_one_step_equals_bare_torch(gan, source):
    """D's update, then one of G and E together, gives the weights of the same updates in bare torch, bit for bit."""
    gan.D.train()
    G, E, D = (copy.deepcopy(net) for net in (gan.G, gan.E, gan.D))
    opt_g = torch.optim.Adam([*G.parameters(), *E.parameters()], lr=2e-4, betas=(0.5, 0.999))
    opt_d = torch.optim.Adam(D.parameters(), lr=2e-4, betas=(0.5, 0.999))

    def pairs(player):
        x, y = source.at(player, index=0).at(0, index=0).take_known(6)
        mean, log_variance = E(x, y)
        z_hat = mean + (log_variance / 2).exp() * torch.randn(6, 8, generator=generator(3, player, 0, 0))
        random = generator(3, player, 1, 0)
        z, asked = torch.randn(6, 8, generator=random), torch.randint(3, (6,), generator=random)
        return Batch(x, y, z_hat, None), Batch(G(z, asked), asked, z, None)

    with torch.no_grad():
        real, fake = pairs("D")
    opt_d.zero_grad()
    (softplus(-D(real).realness).mean() + softplus(D(fake).realness).mean()).backward()
    opt_d.step()
    real, fake = pairs("G")
    opt_g.zero_grad()
    (softplus(D(real).realness).mean() + softplus(-D(fake).realness).mean()).backward()
    opt_g.step()

    step(gan, source, 0, 6)
    for ours, bare in ((gan.G, G), (gan.E, E), (gan.D, D)):
        assert ours.state_dict().keys() == bare.state_dict().keys()
        assert all(torch.equal(value, bare.state_dict()[name]) for name, value in ours.state_dict().items())


def test_e_begins_with_a_z_of_each_images_own(gan, source):
    """Before the first step the means of a batch vary by 1 in each entry, and the posterior's variance is near e^-3."""
    x, y = source.take_known(24)
    mean, log_variance = gan.E.train()(x, y)
    assert torch.allclose(mean.var(0, unbiased=False), torch.ones(8), atol=0.1)
    assert (log_variance + 3).abs().max() < 0.5


def test_the_pair_is_a_hidden_layer_of_both_and_their_product():
    """W [a, b, a b] with a of x's features and b of z, and a leaky ReLU behind."""
    pair = Pair(3, 2, 4)
    features, z = torch.randn(5, 3, generator=generator("f")), torch.randn(5, 2, generator=generator("z"))
    a = features @ pair.x.weight.T + pair.x.bias
    b = z @ pair.z.weight.T + pair.z.bias
    (linear, _) = pair.hidden
    w = linear.weight
    wanted = a @ w[:, :4].T + b @ w[:, 4:8].T + (a * b) @ w[:, 8:].T + linear.bias
    assert torch.allclose(pair(features, z), torch.where(wanted > 0, wanted, 0.2 * wanted), atol=1e-5)


def test_d_sees_which_z_belongs_to_which_image(gan, source):
    """Exchanging the z of two images changes more than each pair's own answer: D is no sum of both sides."""
    x, y = source.take_known(2)
    z = torch.randn(2, 8, generator=generator("z"))
    with torch.no_grad():
        own = gan.D(Batch(x, y, 5 * z, None)).realness.sum()
        crossed = gan.D(Batch(x, y, 5 * z.flip(0), None)).realness.sum()
    assert (own - crossed).abs() > 1e-4


def test_only_encoded_images_move_the_encoder(gan, source):
    """The generated pairs' loss gives E no gradient, the encoded pairs' loss gives G none."""
    (minimax,) = gan.method.losses
    for stream, learns, idle in ((Encoded(), gan.E, gan.G), (Generated(), gan.G, gan.E)):
        gan.G.zero_grad()
        gan.E.zero_grad()
        minimax.g(judge(gan, draw(gan, [(stream, 1)], source.at("G", index=0), 6))).backward()
        assert all(weight.grad is None for weight in idle.parameters())
        assert sum(weight.grad.abs().sum() for weight in learns.parameters()) > 0


def test_state_holds_the_encoder(gan, source, same):
    """A model's state has E; a training's has E's Adam moments too, which a fresh GAN takes over to the bit."""
    list(train(gan, source, images=18, batch=6))
    assert {name.split(".")[0] for name in gan.state(training=False)} == {"G", "D", "E"}
    state = gan.state(training=True)
    moved = [name for name in state if name.startswith("adam.E.") and name.endswith(".exp_avg")]
    assert len(moved) == len(list(gan.E.parameters()))
    assert all(state[name].abs().sum() > 0 for name in moved)
    fresh = GAN(gan.method, SHAPE, seed=99, classes=3)
    fresh.load(state, training=True)
    for one in (gan, fresh):
        list(train(one, source, images=30, batch=6, start=3))
    assert same(gan.state(training=True), fresh.state(training=True))


def test_scoring_reads_the_image_alone(gan, source):
    """f(x) is the trunk's of x with its class; the realness is that of the pair of x and the z that was found."""
    x, _ = source.take_known(3)
    inverter = Inverter(gan, Search(steps=3, batch=1), 1)
    found = inverter.search(x)
    assert found.V.isfinite().all()
    y = torch.full((3,), 1)
    stage = nn.Sequential(*list(inverter.D.trunk)[:2])
    assert torch.allclose(inverter.f(x), stage(inverter.D.shown(x, y)), atol=1e-6)
    wanted = [inverter.D(Batch(x[i : i + 1], y[:1], found.z[i : i + 1], None)).realness.item() for i in range(3)]
    assert found.realness.tolist() == pytest.approx(wanted, abs=1e-5)


def test_without_an_encoder():
    """A GAN that has no encoder says so when it is asked for a z."""
    with pytest.raises(UsageError, match=r"^anogan has no encoder, which finds an image's z; train ali or f-anogan$"):
        GAN(METHODS["anogan"].but(net=Anogan(4)), SHAPE).encode(torch.zeros(1, *SHAPE))


PAIRS, PLAIN = METHODS["ali"].d_sees, METHODS["cgan"].d_sees
BOTH = "images of the known class with their encoded z, G's images have none"
REFUSED = {
    "reals have no z": (
        {"d_sees": PLAIN},
        "D takes pairs of an image and its z, and images of the known class have no z; use Encoded()",
    ),
    "no encoder": ({"encoder": None}, "images need an encoder, and there is no encoder; add Encoder()"),
    "idle": (
        {"g_plays": ((Generated(), 1),)},
        "the encoder learns from nothing; add Encoded() to d_sees and to g_plays",
    ),
    "z unseen": (
        {"head": LabelAware()},
        "z is no input of D, so that the encoder learns nothing; use the head Joint()",
    ),
    "G idle": ({"g_plays": ((Encoded(), 1),)}, "G makes no images in its own step; add Generated() to g_plays"),
    "no class for G": (
        {"conditioning": Unconditional()},
        f"D needs the class of each image, and {BOTH}; use another head",
    ),
}


@pytest.mark.parametrize(("changes", "sentence"), REFUSED.values(), ids=REFUSED)
def test_refusals(changes, sentence):
    """A pair without its z, and an encoder that nothing uses, are refused when the method is built."""
    with pytest.raises(UsageError) as error:
        METHODS["ali"].but(**changes)
    assert str(error.value) == f"method ali: {sentence}"


def test_an_encoder_beside_a_plain_d_is_refused():
    """An encoder that no stream encodes with is refused too."""
    with pytest.raises(UsageError, match="the encoder learns from nothing"):
        METHODS["anogan"].but(encoder=Encoder())


def test_words_for_a_reader():
    """The head, the stream and the encoder say in words what they are."""
    assert str(Joint()).startswith("pairs of an image and its z, 256 hidden entries; one logit")
    assert "encoded z" in str(Encoded()) and "64 entries" in str(Encoder(64))
    assert math.isclose(sum(share for _, share in PAIRS), 2) and (Real(), 1) not in PAIRS


@pytest.fixture(params=["acgan-ali-v1", "acgan-ali-v2"])
def after(request, small):
    """AC-GAN after ALI, untrained."""
    return GAN(small(METHODS[request.param]), SHAPE, seed=1, classes=3, ema=0.9)


def test_the_twin_comes_first_and_is_frozen_then(after, source, same):
    """Of 7 steps the first 3 are ALI's own, the same as of ALI alone; then it stands still and the game begins."""
    alone = GAN(Inferring()(after.method), SHAPE, seed=seed_of(1, "ali"), classes=3)
    list(train(alone, source.at("ali", index=0), images=18, batch=6))
    untouched, course = after.state(training=False), train(after, source, images=42, batch=6)
    first = list(itertools.islice(course, 3))
    assert all(name.startswith("ali/") for progress in first for name in progress.metrics)
    assert same(untouched, after.state(training=False))
    assert same(alone.state(training=True), after.twins["ali"].state(training=True))
    rest = list(course)
    assert not any(name.startswith("ali/") for progress in rest for name in progress.metrics)
    assert [progress.images for progress in first + rest] == [6, 12, 18, 24, 30, 36, 42]
    assert same(alone.state(training=True), after.twins["ali"].state(training=True))
    assert {name.split(".")[0] for name in after.state(training=False)} == {"G", "D", "average"}


@pytest.mark.parametrize("spread", [False, True])
def test_the_twins_d_sees_the_spread_where_the_methods_does(spread):
    """ALI's D has the spread within a class as an input exactly where that of AC-GAN after ALI has it."""
    twin = Inferring()(METHODS["acgan-ali-v1"].but(head=Auxiliary(spread=spread)))
    assert twin.head == Joint(LabelAware(spread=spread))


def test_the_game_begins_with_the_twins_weights(after, source):
    """At the boundary G and its average are the twin's G; from scratch (`start` None) they are their own."""
    scratch = GAN(after.method.but(start=None), SHAPE, seed=1, classes=3, ema=0.9)
    own = scratch.state(training=False)
    for gan in (after, scratch):
        list(itertools.islice(train(gan, source, images=42, batch=6), 3))
        gan.begin()
    twin = after.twins["ali"].G.state_dict()
    for net in (after.G, after.average):
        assert all(torch.equal(value, twin[name]) for name, value in net.state_dict().items())
    assert all(torch.equal(value, own[f"G.{name}"]) for name, value in scratch.G.state_dict().items())


@pytest.mark.parametrize("stop", [1, 3, 5])
def test_resumed_before_at_and_after_the_boundary(after, source, stop, same):
    """Stopped at any step of 6, of which 3 are the twin's, and loaded into a fresh GAN it ends in the same bits."""
    first, resumed = (GAN(after.method, SHAPE, seed=seed, classes=3, ema=0.9) for seed in (1, 50))
    list(train(after, source, images=36, batch=6))
    list(itertools.islice(train(first, source, images=36, batch=6), stop))
    resumed.load(first.state(training=True), training=True)
    list(train(resumed, source, images=36, batch=6, start=stop))
    assert same(after.state(training=True), resumed.state(training=True))


def test_images_from_encoded_z(after, source):
    """G's images of z that the frozen twin draws for real images, with their classes; no gradient reaches the twin."""
    stream, at = after.method.g_plays[0][0], source.at("G", index=2)
    batch = stream.draw(after, at, 6)
    x, y = at.take_known(6)
    z = after.twins["ali"].encode(x, y, at.generator())
    assert torch.equal(batch.z, z)
    assert torch.equal(batch.y, y)
    assert torch.equal(batch.x, after.G(z, y))
    batch.x.sum().backward()
    assert all(weight.grad is None for net in after.twins["ali"].nets().values() for weight in net.parameters())


def test_losses_of_g_by_hand(after, source):
    """v1: realness and class of 3/4 encoded and 1/4 drawn; v2: class of all, realness of the 3/4 drawn (eq. 5)."""
    judged = judge(after, draw(after, after.method.g_plays, source.at("G", index=0), 8))
    minimax, auxiliary = after.method.losses
    realness = [softplus(-j.says.realness).mean().item() for j in judged]
    named = [cross_entropy(j.says.classes, j.batch.y).item() for j in judged]
    masked = after.method.name == "acgan-ali-v2"
    shares = (0.25, 0.75) if masked else (0.75, 0.25)
    assert [len(j.batch.x) for j in judged] == [8 * share for share in shares]
    asked = (0, 0.75) if masked else shares
    assert minimax.g(judged).item() == pytest.approx(sum(map(math.prod, zip(asked, realness, strict=True))), abs=1e-6)
    assert auxiliary.g(judged).item() == pytest.approx(sum(map(math.prod, zip(shares, named, strict=True))), abs=1e-6)


@pytest.mark.parametrize("player", ["D", "G"])
def test_the_mask_of_eq_5(player, small, source):
    """Where realness is not asked its loss gives exactly no gradient to either player, and the class loss gives one."""
    gan = GAN(small(METHODS["acgan-ali-v2"]), SHAPE, classes=3)
    groups = [(FromPosterior("ali", real=None), 0.5), (Generated(), 0.5)]
    encoded, drawn = judge(gan, draw(gan, groups, source.at(player, index=0), 12))
    of = {"D": lambda loss: loss.d([encoded, drawn]), "G": lambda loss: loss.g([encoded, drawn])}[player]
    for loss, asked in ((Minimax(), False), (AuxiliaryClass(), True)):
        says = (encoded.says.realness, encoded.says.classes)
        found = torch.autograd.grad(of(loss), says, retain_graph=True, allow_unused=True)
        assert [gradient is not None for gradient in found] == [False, asked]
    pixels = torch.autograd.grad(of(Minimax()), (encoded.batch.x, drawn.batch.x), retain_graph=True, allow_unused=True)
    assert pixels[0] is None
    assert pixels[1].abs().sum() > 0


def test_on_real_images_alone_d_learns_no_class_of_what_g_makes(small, source):
    """Without `on_fake` D's class loss is the real images': those whose realness is not asked are G's."""
    gan = GAN(small(METHODS["acgan-ali-v2"]), SHAPE, classes=3)
    groups = [(Real(), 1), (FromPosterior("ali", real=None), 1)]
    judged = judge(gan, draw(gan, groups, source.at("D", index=0), 6))
    wanted = cross_entropy(judged[0].says.classes, judged[0].batch.y)
    assert AuxiliaryClass(on_fake=False).d(judged).item() == pytest.approx(wanted.item(), abs=1e-6)


AFTER = METHODS["acgan-ali-v1"]
WRONG = {
    "no twin": ({"twins": (), "start": None}, "a stream needs the twin ali; add it to twins"),
    "beside": (
        {"twins": (Twin("ali", Inferring()),)},
        "G starts from ali, but no twin of that name trains before",
    ),
    "whole": (
        {"twins": (Twin("ali", Inferring(), before=1.0),)},
        "a twin's shares of steps before and after must be at least 0 and below 1",
    ),
    "not asked": (
        {"g_plays": ((FromPosterior("ali", real=None), 1),)},
        "no images of G are labelled in its own step; add Generated() to g_plays",
    ),
    "no encoder": (
        {"twins": (Twin("ali", Weakened(100), before=0.5),), "start": None},
        "z comes from a twin without an encoder, or with a z of another length; change that twin",
    ),
    "another G": (
        {"twins": (*AFTER.twins, Twin("weak", Weakened(), before=0.2)), "start": "weak"},
        "G starts from weak, whose G differs in net, latent",
    ),
}


@pytest.mark.parametrize(("changes", "sentence"), WRONG.values(), ids=WRONG)
def test_refused_twins(changes, sentence):
    """A twin that is missing, that is not before, or that lacks what is taken from it is refused in a sentence."""
    with pytest.raises(UsageError) as error:
        AFTER.but(**changes)
    assert str(error.value) == f"method acgan-ali-v1: {sentence}"


def test_a_twin_may_give_z_from_beside(small, source):
    """Crosses nobody published work: ALI that trains beside, and that a plain GAN without classes takes z from."""
    beside = small(AFTER).but(twins=(Twin("ali", Inferring()),), start=None)
    plain = small(METHODS["anogan"]).but(g_plays=AFTER.g_plays, twins=AFTER.twins)
    for method in (beside, plain):
        rows = [progress.metrics for progress in train(GAN(method, SHAPE, classes=3), source, images=24, batch=8)]
        assert all(math.isfinite(value) for row in rows for value in row.values())
