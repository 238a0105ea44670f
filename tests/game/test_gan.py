"""The trainable thing: weights from the seed, the averaged generator, state and its return."""

from __future__ import annotations

import itertools

import pytest
import torch

from lookalike.base.errors import ModelError, UsageError
from lookalike.base.seeds import generator
from lookalike.game.batch import Batch
from lookalike.game.gan import GAN
from lookalike.game.method import Twin
from lookalike.game.optimiser import Adam
from lookalike.game.train import step, train
from lookalike.methods import METHODS

SHAPE = (1, 8, 8)


@pytest.fixture
def trained(small, make_source):
    """A vtgan with an averaged generator, two steps old."""
    gan = GAN(small(METHODS["vtgan"]), SHAPE, seed=1, ema=0.5)
    list(train(gan, make_source(SHAPE), images=12, batch=6))
    return gan


def test_weights_come_from_the_seed(small, same):
    """The same seed gives the same weights, another seed others; torch's global state is neither read nor moved."""
    torch.manual_seed(1)
    first = GAN(small(METHODS["vtgan"]), SHAPE, seed=1).state(training=True)
    torch.manual_seed(2)
    state = torch.get_rng_state()
    again = GAN(small(METHODS["vtgan"]), SHAPE, seed=1).state(training=True)
    assert torch.equal(state, torch.get_rng_state())
    assert same(first, again)
    other = GAN(small(METHODS["vtgan"]), SHAPE, seed=2).state(training=True)
    assert not torch.equal(first["G.0.weight"], other["G.0.weight"])
    assert not torch.equal(first["weak/G.0.weight"], other["weak/G.0.weight"])


def test_twin_is_the_weak_network(small):
    """The twin has its own optimisers, z of its own length, one layer, and no twin of its own."""
    gan = GAN(small(METHODS["vtgan"]), SHAPE)
    twin = gan.twins["weak"]
    assert (twin.method.latent.z_dim, twin.method.net.layers, twin.twins) == (12, 1, {})
    assert twin.opt_g is not gan.opt_g
    assert not {id(p) for p in twin.G.parameters()} & {id(p) for p in gan.G.parameters()}


def test_twins_start_apart(small):
    """Two twins of the same kind start from different weights: each has a seed of its own."""
    method = small(METHODS["vtgan"])
    gan = GAN(method.but(twins=(*method.twins, Twin("other", method.twins[0].method))), SHAPE)
    assert not torch.equal(gan.twins["weak"].G[0].weight, gan.twins["other"].G[0].weight)
    assert not torch.equal(gan.twins["weak"].D.layers.weight, gan.twins["other"].D.layers.weight)
    again = GAN(gan.twins["weak"].method, SHAPE)
    assert not torch.equal(gan.twins["weak"].G[0].weight, again.G[0].weight)


def test_adam_settings(small):
    """Both players have Adam with the method's step size and decays, D its own where the method has one; twins too."""
    gan = GAN(small(METHODS["anogan"]), SHAPE)
    for optimiser in (gan.opt_g, gan.opt_d):
        assert (optimiser.param_groups[0]["lr"], optimiser.param_groups[0]["betas"]) == (2e-4, (0.5, 0.999))
    own = GAN(small(METHODS["vtgan"]).but(d_optimiser=Adam(1e-3, 0.1, 0.9)), SHAPE)
    for gan in (own, own.twins["weak"]):
        rates = [(group["lr"], group["betas"]) for o in (gan.opt_g, gan.opt_d) for group in o.param_groups]
        assert rates == [(2e-4, (0.5, 0.999)), (1e-3, (0.1, 0.9))]


def test_average(small):
    """The average of weights and batch statistics moves by 1 - decay towards G; counts are copied."""
    gan = GAN(small(METHODS["anogan"]), SHAPE, ema=0.75)
    with torch.no_grad():
        for value in gan.G.state_dict().values():
            value.copy_(torch.full_like(value, 8))
        for value in gan.average.state_dict().values():
            value.copy_(torch.full_like(value, 4))
    gan.update_average(1000)  # long warm
    for name, value in gan.average.state_dict().items():
        assert torch.all(value == (8 if name.endswith("num_batches_tracked") else 5))


def test_generate_uses_the_average(trained):
    """Images are made by the averaged generator under inference statistics."""
    z = torch.randn(5, 8)
    wanted = trained.average.eval()(z)
    trained.G.train()
    assert torch.equal(trained.generate(z), wanted)
    assert not torch.equal(wanted, trained.G.eval()(z))


def test_generate_changes_nothing(small, make_source, same):
    """Making images moves no running statistic, leaves the mode of G as it was, and asks for no gradient."""
    gan = GAN(small(METHODS["anogan"]), SHAPE)
    step(gan, make_source(SHAPE), 0, 6)
    before = gan.state(training=True)
    images = gan.generate(torch.randn(5, 8))
    assert (gan.G.training, images.requires_grad) == (True, False)
    gan.G.eval()
    gan.generate(torch.randn(5, 8))
    assert not gan.G.training
    assert same(before, gan.state(training=True))


def test_generate_does_not_depend_on_neighbours(trained):
    """Under inference statistics an image depends on its own z alone."""
    z = torch.randn(6, 8)
    together = trained.generate(z)
    other = trained.generate(torch.cat([z[:3], torch.randn(3, 8)]))
    assert torch.equal(together[:3], other[:3])


def test_frozen_players(trained, same):
    """Frozen players are copies that ask for no gradients; the GAN itself trains on."""
    before = trained.state(training=True)
    G, D = trained.frozen()
    assert not any(p.requires_grad for p in (*G.parameters(), *D.parameters()))
    assert not any(m.training for m in (*G.modules(), *D.modules()))
    assert all(p.requires_grad for p in (*trained.G.parameters(), *trained.D.parameters()))
    with torch.no_grad():
        for p in (*G.parameters(), *D.parameters()):
            p.zero_()
    assert same(before, trained.state(training=True))


@pytest.mark.parametrize("net", ["anogan", "dcgan", "mlp"])
def test_frozen_generator_is_the_same_function(net, small, make_source):
    """Folding batch norm into the layers before it leaves the inference images as they are, and no norm behind one."""
    gan = GAN(small(METHODS["anogan"], net), (1, 16, 16))
    list(train(gan, make_source((1, 16, 16)), images=32, batch=8))
    z = torch.randn(6, 8, generator=generator("z"))
    G, _ = gan.frozen()
    assert torch.allclose(G(z), gan.generate(z), atol=1e-5)
    foldable = (torch.nn.Linear, torch.nn.Conv2d, torch.nn.ConvTranspose2d)
    norms = (torch.nn.BatchNorm1d, torch.nn.BatchNorm2d)
    assert not any(isinstance(a, foldable) and isinstance(b, norms) for a, b in itertools.pairwise(G))


def test_state_names(trained):
    """A model's state is G, D and the average; a training's has both Adam states and the twins besides."""
    model, training = trained.state(training=False), trained.state(training=True)
    assert {name.split(".")[0] for name in model} == {"G", "D", "average"}
    assert {name.split(".")[0] for name in training} == {"G", "D", "average", "adam", "weak/G", "weak/D", "weak/adam"}
    moments = {f"adam.G.{n}.{k}" for n, _ in trained.G.named_parameters() for k in ("step", "exp_avg", "exp_avg_sq")}
    assert moments == {name for name in training if name.startswith("adam.G.")}
    assert all(training[f"adam.G.{n}.step"] == 2 for n, _ in trained.G.named_parameters())


def test_load_gives_everything_back(trained, small, make_source, same):
    """Loaded state is the same state, and the next step from it is the same step, bit for bit."""
    kept = {name: value.clone() for name, value in trained.state(training=True).items()}
    other = GAN(small(METHODS["vtgan"]), SHAPE, seed=99, ema=0.5)
    other.load(kept, training=True)
    assert same(kept, other.state(training=True))
    assert step(trained, make_source(SHAPE), 2, 6) == step(other, make_source(SHAPE), 2, 6)
    assert same(trained.state(training=True), other.state(training=True))


def test_moments_before_the_first_step(small, make_source, same):
    """A state asked for before any update has zero moments, and asking for it changes no later bit."""
    asked, plain = (GAN(small(METHODS["anogan"]), SHAPE) for _ in range(2))
    state = asked.state(training=True)
    assert all(value.abs().max() == 0 for name, value in state.items() if name.startswith("adam."))
    for gan in (asked, plain):
        step(gan, make_source(SHAPE), 0, 6)
    assert same(asked.state(training=True), plain.state(training=True))


def test_load_refuses_what_does_not_fit(trained):
    """A missing, extra, reshaped or non-finite tensor is refused by its name, and nothing is loaded."""
    state = trained.state(training=True)
    name = "weak/D.layers.weight"
    spoilt = {
        "is missing": {k: v for k, v in state.items() if k != name},
        "has shape": state | {name: state[name][:, :1]},
        "has dtype": state | {name: state[name].double()},
        "NaN": state | {name: torch.full_like(state[name], torch.nan)},
    }
    for problem, tensors in spoilt.items():
        with pytest.raises(ModelError, match=f"tensor '{name}' .*{problem}"):
            trained.load(tensors, training=True)
    with pytest.raises(ModelError, match=r"tensor 'H\.weight\' is not part of the network"):
        trained.load(state | {"H.weight": torch.zeros(1)}, training=True)


def test_d_judges_by_its_features(trained):
    """D's answer is the head's linear layer on the flattened features of the trunk."""
    x = torch.rand(4, *SHAPE) * 2 - 1
    says = trained.D(Batch(x, None, None, None))
    features = trained.D.trunk(x)
    assert torch.equal(says.features, features)
    by_hand = features @ trained.D.layers.weight[0] + trained.D.layers.bias
    assert torch.allclose(says.realness, by_hand, atol=1e-6)
    assert says.classes is None


def test_shape_that_the_net_cannot_make(small):
    """A GAN whose network cannot make the shape is refused when it is built."""
    with pytest.raises(UsageError, match="try --size 4,8"):
        GAN(small(METHODS["anogan"]), (1, 7, 9))
