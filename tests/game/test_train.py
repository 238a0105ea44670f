"""The training loop: who is updated, by how much, and what stops it."""

from __future__ import annotations

import copy
import itertools
from dataclasses import dataclass

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy, softplus

from lookalike.base.errors import DivergedError, UsageError
from lookalike.base.seeds import generator
from lookalike.game.batch import Batch, Judged, Judgement
from lookalike.game.gan import GAN
from lookalike.game.latents import Normal
from lookalike.game.losses import AuxiliaryClass, Hinge, Minimax, Wasserstein
from lookalike.game.needs import NOTHING
from lookalike.game.optimiser import Adam
from lookalike.game.streams import Generated, Real
from lookalike.game.train import accuracy, draw, judge, step, train, update, update_d
from lookalike.methods import METHODS
from lookalike.methods.r3gan import RelativisticPairing

SHAPE = (1, 8, 8)


def weights(net):
    """Copies of a network's parameters by name."""
    return {name: value.detach().clone() for name, value in net.named_parameters()}


def gradients(net):
    """Copies of a network's gradients by name."""
    return {name: None if value.grad is None else value.grad.clone() for name, value in net.named_parameters()}


def d_round(gan, source, index=0, batch=6):
    """One update of D, as `step` makes it."""
    with torch.no_grad():
        shown = draw(gan, gan.method.d_sees, source.at("D", index=index), batch)
    return update("D", gan.opt_d, {loss.name: loss.d(judge(gan, shown)) for loss in gan.method.losses})


def g_round(gan, source, index=0, batch=6):
    """One update of G, as `step` makes it."""
    played = draw(gan, gan.method.g_plays, source.at("G", index=index), batch)
    return update("G", gan.opt_g, {loss.name: loss.g(judge(gan, played)) for loss in gan.method.losses})


@dataclass(frozen=True)
class Broken:
    """The minimax loss until D has seen `after` updates' worth of calls; then `value` for one of the players."""

    value: float
    player: str
    after: int
    name = "broken"
    needs = NOTHING
    moves_g = True
    teaches_classes = False

    def __post_init__(self):
        object.__setattr__(self, "calls", itertools.count())

    def _spoilt(self, loss, player):
        return loss + self.value if player == self.player and next(self.calls) >= self.after else loss

    def d(self, judged):
        return self._spoilt(Minimax().d(judged), "D")

    def g(self, judged):
        return self._spoilt(Minimax().g(judged), "G")


@dataclass(frozen=True)
class Steep:
    """A loss of exactly 0 whose gradient is NaN."""

    name = "steep"
    needs = NOTHING
    moves_g = True
    teaches_classes = False

    def d(self, judged):
        r = judged[0].says.realness
        return (r - r.detach()).abs().sqrt().sum()

    g = d


@pytest.mark.parametrize("name", METHODS)
def test_ds_update_leaves_g_alone(name, small, make_source, same):
    """D's update moves D, and leaves every parameter of G and of the twins bit-equal and without a gradient.

    The logit's bias is moved by fakes as far as it is moved back by reals, in the hinge, critic's and paired games.
    """
    gan = GAN(small(METHODS[name]), SHAPE, classes=3)
    others = {"G": gan.G, **{f"{n}.{k}": net for n, t in gan.twins.items() for k, net in (("G", t.G), ("D", t.D))}}
    others |= {} if gan.E is None else {"E": gan.E}
    before, d_before = {k: weights(net) for k, net in others.items()}, weights(gan.D)
    d_round(gan, make_source(SHAPE, classes=3))
    assert all(same(before[k], weights(net)) for k, net in others.items())
    assert all(gradient is None for net in others.values() for gradient in gradients(net).values())
    still = {k for k, value in weights(gan.D).items() if torch.equal(d_before[k], value)}
    even = isinstance(gan.method.losses[0], Hinge | Wasserstein | RelativisticPairing)
    assert still <= ({"layers.bias", "layers.logit.bias", "layers.realness.logit.bias"} if even else set())


@pytest.mark.parametrize("name", METHODS)
def test_gs_update_leaves_d_alone(name, small, make_source, same):
    """G's update moves G, and leaves D's parameters and the gradients of D's last update bit-equal."""
    gan = GAN(small(METHODS[name]), SHAPE, classes=3)
    d_round(gan, make_source(SHAPE, classes=3))
    before, d_gradients, g_before = weights(gan.D), gradients(gan.D), weights(gan.G)
    g_round(gan, make_source(SHAPE, classes=3))
    assert same(before, weights(gan.D))
    assert same(d_gradients, gradients(gan.D))
    changed = [k for k, value in weights(gan.G).items() if not torch.equal(g_before[k], value)]
    assert len(changed) == len(g_before)


def test_gradients_reach_only_the_player(small, make_source):
    """Before D's first update D has no gradient: G's update makes none there."""
    gan = GAN(small(METHODS["anogan"]), SHAPE)
    g_round(gan, make_source(SHAPE))
    assert all(gradient is None for gradient in gradients(gan.D).values())
    assert all(gradient is not None for gradient in gradients(gan.G).values())


@pytest.mark.parametrize("player", ["D", "G"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 2e8, -2e8])
def test_bad_loss_stops_before_the_update(player, value, small, make_source, same):
    """A NaN, infinite or huge loss stops with its name; weights and Adam's moments are those of before."""
    gan = GAN(small(METHODS["anogan"]).but(losses=(Broken(value, player, after=0),)), SHAPE)
    before = gan.state(training=True)
    with pytest.raises(DivergedError, match=rf"^loss {player}\.broken is (nan|-?inf|-?2e\+08)$"):
        {"D": d_round, "G": g_round}[player](gan, make_source(SHAPE))
    after = gan.state(training=True)
    trained = [k for k in before if "running" not in k and "num_batches" not in k]
    assert same({k: before[k] for k in trained}, {k: after[k] for k in trained})


@pytest.mark.parametrize("player", ["D", "G"])
def test_nan_gradient_stops_before_the_update(player, small, make_source, same):
    """A finite loss with a NaN gradient stops too, naming the loss, with the weights as before."""
    gan = GAN(small(METHODS["anogan"]).but(losses=(Steep(),)), SHAPE)
    before = weights(gan.D), weights(gan.G)
    with pytest.raises(DivergedError, match=rf"^the gradient of {player}\.steep has norm nan$"):
        {"D": d_round, "G": g_round}[player](gan, make_source(SHAPE))
    assert same(before[0], weights(gan.D))
    assert same(before[1], weights(gan.G))


def test_divergence_names_loss_step_and_images(small, make_source, same):
    """`train` says at which step, after how many images and by which loss it stopped, with the step before kept."""
    gan = GAN(small(METHODS["anogan"]).but(losses=(Broken(float("nan"), "D", after=2),)), SHAPE)
    course = train(gan, make_source(SHAPE), images=100, batch=6)
    next(course)
    next(course)
    before = gan.state(training=True)
    with pytest.raises(DivergedError, match=r"^training diverged at step 3, 12 images shown: loss D\.broken is nan$"):
        next(course)
    assert same(before, gan.state(training=True))


def test_tiny_learning_rate_is_not_divergence(small, make_source):
    """A step size of 1e-10 trains on: small changes are no error."""
    gan = GAN(small(METHODS["vtgan"]).but(optimiser=Adam(lr=1e-10)), SHAPE)
    before = weights(gan.G)
    done = list(train(gan, make_source(SHAPE), images=30, batch=6))
    assert [progress.step for progress in done] == [1, 2, 3, 4, 5]
    assert max((before[k] - value).abs().max() for k, value in weights(gan.G).items()) < 1e-8


@pytest.mark.parametrize(("net", "shape"), [("anogan", (1, 8, 8)), ("dcgan", (3, 16, 16)), ("mlp", (9,))])
def test_one_step_equals_bare_torch(net, shape, small, make_source):
    """One step of mcgan gives the weights of the same two updates written out in bare torch, bit for bit."""
    gan, source, n = GAN(small(METHODS["mcgan"], net), shape), make_source(shape), 6
    gan.D.train()
    G, D = copy.deepcopy(gan.G), nn.Sequential(copy.deepcopy(gan.D.trunk), copy.deepcopy(gan.D.layers))
    opt_g, opt_d = (torch.optim.Adam(x.parameters(), lr=2e-4, betas=(0.5, 0.999)) for x in (G, D))
    x1 = source.at("D", index=0).at(0, index=0).take_known(n)[0]
    x2 = source.at("D", index=0).at(2, index=0).take_others(n)
    z = torch.randn(n, 8, generator=generator(3, "D", 1, 0))

    x_fake = G(z).detach()
    loss_d = softplus(-D(x1)).mean() + softplus(D(x_fake)).mean() + softplus(D(x2)).mean()
    opt_d.zero_grad()
    loss_d.backward()
    opt_d.step()
    loss_g = softplus(-D(G(torch.randn(n, 8, generator=generator(3, "G", 0, 0))))).mean()
    opt_g.zero_grad()
    loss_g.backward()
    opt_g.step()

    metrics = step(gan, source, 0, n)
    assert metrics["D.minimax"] == pytest.approx(loss_d.item(), abs=1e-6)
    assert metrics["G.minimax"] == pytest.approx(loss_g.item(), abs=1e-6)
    ours = [*gan.D.trunk.state_dict().values(), *gan.D.layers.state_dict().values(), *gan.G.state_dict().values()]
    theirs = [*D.state_dict().values(), *G.state_dict().values()]
    assert len(ours) == len(theirs)
    for mine, bare in zip(ours, theirs, strict=True):
        assert torch.equal(mine, bare)


def test_gradient_norm(small, make_source):
    """The logged norm is the Euclidean norm of all of the player's gradients together."""
    gan = GAN(small(METHODS["anogan"]), SHAPE)
    logged = d_round(gan, make_source(SHAPE))["D.gradient_norm"]
    squares = sum(float(gradient.double().square().sum()) for gradient in gradients(gan.D).values())
    assert logged == pytest.approx(squares**0.5, rel=1e-5)


def test_accuracy():
    """D is right where the log-odds have the verdict's sign; groups that are not asked do not count."""

    def says(values, real):
        realness = torch.tensor(values)
        return Judged(Batch(realness, None, None, real), Judgement(realness, None, realness))

    judged = [says([1.0, -1.0, 2.0], True), says([-3.0, 0.5], False), says([9.0, 9.0], None)]
    assert accuracy(judged) == pytest.approx(3 / 5)


def test_losses_are_added(small, make_source):
    """With two losses the update follows their sum, and each is logged under its name."""
    method = small(METHODS["anogan"])
    gans = {
        losses: GAN(method.but(losses=losses), SHAPE) for losses in [(Minimax(),), (Hinge(),), (Minimax(), Hinge())]
    }
    logged = [d_round(gan, make_source(SHAPE)) for gan in gans.values()]
    first, second, both = (gradients(gan.D) for gan in gans.values())
    assert logged[2]["D.minimax"] == logged[0]["D.minimax"]
    assert logged[2]["D.hinge"] == logged[1]["D.hinge"]
    for name, gradient in both.items():
        assert torch.allclose(gradient, first[name] + second[name], atol=1e-6)


def test_d_steps(small, make_source):
    """With d_steps 3 D is updated three times per update of G, on other images each time."""
    gan = GAN(small(METHODS["anogan"]).but(d_steps=3), SHAPE)
    source = make_source(SHAPE)
    one_by_one = GAN(small(METHODS["anogan"]), SHAPE)
    for index in range(3):
        d_round(one_by_one, source, index)
    step(gan, source, 0, 6)
    state = gan.state(training=True)
    assert {float(state[k]) for k in state if k.startswith("adam.D.") and k.endswith(".step")} == {3.0}
    assert {float(state[k]) for k in state if k.startswith("adam.G.") and k.endswith(".step")} == {1.0}
    assert all(torch.equal(weights(gan.D)[k], value) for k, value in weights(one_by_one.D).items())


def test_gs_batch_may_be_larger_and_weighs_no_more(small, make_source, monkeypatch):
    """With g_batch 2 G's step draws twice the batch, D's does not, and the group's share stays 1."""
    gan, drawn = GAN(small(METHODS["anogan"]).but(g_batch=2), (1, 8, 8)), []
    monkeypatch.setattr("lookalike.game.train.judge", lambda gan, groups: drawn.append(groups) or judge(gan, groups))
    step(gan, make_source((1, 8, 8)), 0, 6)
    assert [[(len(one.x), one.share) for one in groups] for groups in drawn] == [[(6, 1), (6, 1)], [(12, 1)]]
    with pytest.raises(UsageError, match="g_batch must be at least 1, not 0"):
        METHODS["anogan"].but(g_batch=0)


def test_average_moves_once_per_step(small, make_source):
    """After step t the average keeps min(0.9, (1 + t) / (10 + t)): it soon forgets the first weights."""
    for index, kept in ((0, 0.1), (8, 0.5), (500, 0.9)):
        gan = GAN(small(METHODS["anogan"]), SHAPE, ema=0.9)
        before = weights(gan.G)
        step(gan, make_source(SHAPE), index, 6)
        now = weights(gan.G)
        for name, value in weights(gan.average).items():
            assert torch.allclose(value, kept * before[name] + (1 - kept) * now[name], atol=1e-7)


def test_progress_counts_images(small, make_source):
    """20 images in batches of 6 are 4 steps; a course that starts at step 2 goes on with the third."""
    gan = GAN(small(METHODS["anogan"]), SHAPE)
    assert [(p.step, p.images) for p in train(gan, make_source(SHAPE), images=20, batch=6)] == [
        (1, 6),
        (2, 12),
        (3, 18),
        (4, 24),
    ]
    assert [p.step for p in train(gan, make_source(SHAPE), images=20, batch=6, start=2)] == [3, 4]
    assert list(train(gan, make_source(SHAPE), images=20, batch=6, start=4)) == []


def test_training_repeats(small, make_source, same):
    """The same seed gives the same bits whatever torch's global random state; another seed gives others."""
    states = []
    for seed, noise in ((3, 1), (3, 2), (4, 1)):
        torch.manual_seed(noise)
        gan = GAN(small(METHODS["vtgan"]), SHAPE, seed=seed)
        list(train(gan, make_source(SHAPE, seed=seed), images=18, batch=6))
        states.append(gan.state(training=True))
    assert same(states[0], states[1])
    assert not same(states[0], states[2])


def test_twin_trains_its_own_course(small, make_source, same):
    """The twin's weights change, and exactly as they would if nobody looked at its images."""
    method = small(METHODS["vtgan"])
    watched = GAN(method, SHAPE)
    before = weights(watched.twins["weak"].G)
    unwatched = GAN(method.but(d_sees=method.d_sees[:2]), SHAPE)
    for gan in (watched, unwatched):
        last = list(train(gan, make_source(SHAPE), images=18, batch=6))[-1]
    after = weights(watched.twins["weak"].G)
    assert all(not torch.equal(before[k], value) for k, value in after.items())
    assert same(after, weights(unwatched.twins["weak"].G))
    assert same(weights(watched.twins["weak"].D), weights(unwatched.twins["weak"].D))
    assert not same(weights(watched.D), weights(unwatched.D))
    assert {k for k in last.metrics if k.startswith("weak/")} == {f"weak/{k}" for k in last.metrics if "/" not in k}


def test_twins_draws_are_its_own(small, make_source, monkeypatch):
    """In one step the twin is shown other real images and plays other z than the normal GAN, and comes first."""
    gan, drawn = GAN(small(METHODS["vtgan"]).but(latent=Normal(12)), SHAPE), []

    def spy(player, *given, **more):
        groups = draw(player, *given, **more)
        drawn.append(("twin" if player is not gan else "normal", groups))
        return groups

    monkeypatch.setattr("lookalike.game.train.draw", spy)
    step(gan, make_source(SHAPE, known=200), 0, 20)
    assert [who for who, _ in drawn] == ["twin", "twin", "normal", "normal"]
    (twin_d, twin_g), (normal_d, normal_g) = ([groups for _, groups in drawn[i : i + 2]] for i in (0, 2))
    assert not torch.equal(twin_d[0].x, normal_d[0].x)
    zs = [twin_d[1].z, twin_g[0].z, normal_d[1].z, normal_g[0].z]
    assert len({z.numpy().tobytes() for z in zs}) == 4
    assert {z.shape for z in zs} == {(20, 12)}
    # D's turn costs no gradient of G
    assert [any(group.x.requires_grad for group in groups) for _, groups in drawn] == [False, True, False, True]


@pytest.mark.parametrize(("batch", "share", "stream"), [(1, 1, "Real"), (4, 0.25, "Real"), (2, 0.7, "Real")])
def test_batch_too_small(batch, share, stream, small, make_source):
    """A group of fewer than two images, which batch norm cannot use, is refused before the first step."""
    gan = GAN(small(METHODS["anogan"]).but(d_sees=((Real(), share), (Generated(), 1))), SHAPE)
    with pytest.raises(UsageError, match=f"batch {batch} leaves {stream} fewer than 2 images; take a larger batch"):
        next(train(gan, make_source(SHAPE), images=10, batch=batch))


def test_reduced_precision_judges_with_the_updated_discriminator(small, make_source):
    """In bfloat16 G plays against D as D's update left it, not against a copy from before: as in float32."""
    told = {}
    for precision in (torch.float32, torch.bfloat16):
        gan = GAN(small(METHODS["anogan"]).but(optimiser=Adam(lr=0.05)), (1, 8, 8))
        told[precision] = step(gan, make_source((1, 8, 8)), 0, 16, precision)["G.minimax"]
    assert told[torch.bfloat16] == pytest.approx(told[torch.float32], rel=0.05)


def test_reduced_precision(small, make_source):
    """Under bfloat16 a step is finite, close to float32's, and keeps float32 weights."""
    gans = [GAN(small(METHODS["mcgan"]), SHAPE) for _ in range(2)]
    exact, rough = (
        step(gan, make_source(SHAPE), 0, 8, precision)
        for gan, precision in zip(gans, (torch.float32, torch.bfloat16), strict=True)
    )
    assert rough["D.minimax"] == pytest.approx(exact["D.minimax"], rel=0.05)
    assert rough["D.minimax"] != exact["D.minimax"]
    assert {value.dtype for value in gans[1].G.parameters()} == {torch.float32}


@pytest.mark.parametrize("name", ["acgan", "acgan-v1", "acgan-v2", "mcgan"])
def test_apart_d_is_updated_on_one_group_after_the_other(name, small, make_source, same):
    """As the authors' code: D's step on each group's mean loss as it is, the next group judged by the D after it."""
    found, by_hand = (GAN(small(METHODS[name]).but(d_updates="apart"), SHAPE, classes=3) for _ in range(2))
    source = make_source(SHAPE, classes=3)
    with torch.no_grad():
        shown = draw(found, found.method.d_sees, source.at("D", index=0), 8)
    told = update_d(found, shown, source.at("D", index=0))
    losses, norms = dict.fromkeys((loss.name for loss in by_hand.method.losses), 0.0), 0.0
    for group in shown:
        says = by_hand.D(group)
        parts = {"minimax": softplus(-says.realness if group.real else says.realness).mean()}
        if says.classes is not None:
            parts["class"] = cross_entropy(says.classes, group.y)
        by_hand.opt_d.zero_grad()
        sum(parts.values()).backward()
        norms += torch.stack([weight.grad.square().sum() for weight in by_hand.D.parameters()]).sum().sqrt().item()
        by_hand.opt_d.step()
        losses = {key: value + parts[key].item() for key, value in losses.items()}
    assert same(weights(found.D), weights(by_hand.D))
    assert {key: told[f"D.{key}"] for key in losses} == pytest.approx(losses, rel=1e-6)
    assert told["D.gradient_norm"] == pytest.approx(norms, rel=1e-5)


def test_together_a_share_weighs_and_apart_it_counts(small, make_source):
    """v1's three fakes for a real: together each group's mean is weighed by its share, apart by 1."""
    together = GAN(small(METHODS["acgan-v1"]), SHAPE, classes=3)
    with torch.no_grad():
        shown = draw(together, together.method.d_sees, make_source(SHAPE, classes=3).at("D", index=0), 8)
    assert [(len(group.x), group.share) for group in shown] == [(4, 0.5), (12, 1.5)]
    terms = [softplus(-j.says.realness if j.batch.real else j.says.realness).mean() for j in judge(together, shown)]
    told = update_d(together, shown, make_source(SHAPE, classes=3))
    assert told["D.minimax"] == pytest.approx((0.5 * terms[0] + 1.5 * terms[1]).item(), rel=1e-6)


def test_apart_a_loss_may_ask_nothing_of_a_group(small, make_source):
    """With the class loss on real images alone, the update on generated ones is on their realness alone."""
    method = small(METHODS["acgan"]).but(d_updates="apart", losses=(Minimax(), AuxiliaryClass(on_fake=False)))
    gan = GAN(method, SHAPE, classes=3)
    before = weights(gan.D)
    with torch.no_grad():
        shown = draw(gan, method.d_sees, make_source(SHAPE, classes=3).at("D", index=0), 8)
    assert update_d(gan, shown[1:], make_source(SHAPE, classes=3))["D.class"] == 0
    still = [key for key, value in weights(gan.D).items() if torch.equal(value, before[key])]
    assert still == ["layers.classes.weight", "layers.classes.bias"]
