"""Every method on vectors, grey and rectangular colour images: a step, images, its state, and a resumed run."""

from __future__ import annotations

import itertools
import math
import types
from dataclasses import dataclass

import pytest
import torch

from lookalike import methods
from lookalike.base import checkpoint
from lookalike.base.errors import ModelError, UsageError
from lookalike.base.names import GANS
from lookalike.game import losses
from lookalike.game.gan import GAN
from lookalike.game.nets.anogan import Anogan
from lookalike.game.share import EveryThird
from lookalike.game.streams import Generated, Real
from lookalike.game.train import step, train
from lookalike.methods import METHODS
from lookalike.methods.ali import Encoded, FromPosterior
from lookalike.methods.mcgan import OtherClasses
from lookalike.methods.papers import BIBTEX
from lookalike.methods.vtgan import FromTwin, Noised, Weakened
from lookalike.runs.choices import filled, method_of
from lookalike.runs.settings import train_settings

PLACES = {
    "vectors": ("mlp", (11,)),
    "grey": ("anogan", (1, 8, 8)),
    "colour": ("anogan", (3, 8, 12)),
    "colour-dcgan": ("dcgan", (3, 8, 12)),
    "colour-resnet": ("resnet", (3, 8, 12)),
}
EVERYWHERE = [
    (name, place)
    for name, method in METHODS.items()
    for place in PLACES
    if not (method.penalty and place == "colour-dcgan")  # refused: its D has batch norm
]
IDS = list(map("-".join, EVERYWHERE))


@pytest.fixture(params=EVERYWHERE, ids=IDS)
def started(request, small, make_source):
    """A GAN of a method at a place, with an averaged generator, and its images."""
    name, (net, shape) = request.param[0], PLACES[request.param[1]]
    return GAN(small(METHODS[name], net), shape, seed=2, classes=3, ema=0.9), make_source(shape, classes=3)


def classes_for(gan, n):
    """Classes for n images, where this GAN is conditional on them."""
    return torch.arange(n) % 3 if gan.method.conditional else None


def test_one_step(started):
    """A step logs finite losses, norms and D's accuracy under their names, and moves every network."""
    gan, source = started
    before = {name: value.clone() for name, value in gan.state(training=True).items()}
    metrics = step(gan, source, 0, 6)
    losses = {f"{player}.{loss.name}" for player in "DG" for loss in gan.method.losses}
    losses |= {"D.penalty"} if gan.method.penalty else set()
    own = {"D.gradient_norm", "D.accuracy", "G.gradient_norm", *losses}
    beside = [twin.name for twin in gan.method.twins if twin.beside]
    assert set(metrics) == own | {f"{name}/{metric}" for name in beside for metric in own}
    assert all(math.isfinite(value) for value in metrics.values())
    assert 0 <= metrics["D.accuracy"] <= 1
    assert metrics["D.gradient_norm"] > 0
    assert metrics["G.gradient_norm"] > 0
    after = gan.state(training=True)
    moved = {name.rpartition("/")[2].split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert moved == {*gan.nets(), "adam"}
    weights = [name for name in before if name.endswith("weight") and not name.startswith("adam")]
    still = {name.split("/")[0] for name in weights if torch.equal(before[name], after[name])}
    assert still == {twin.name for twin in gan.method.twins if not twin.beside}


@pytest.mark.parametrize("channels", [1, 3], ids=["grey", "colour"])
@pytest.mark.parametrize("name", METHODS)
def test_photographs(name, channels, make_source):
    """At 64 x 64 pixels each method trains two steps with the nets of preset small, here narrow, and makes images."""
    shape, known = (channels, 64, 64), ("a", "b", "c")
    given = train_settings(known=known, method=name, width=2, z=8, batch=6, images=12)
    gan = GAN(method_of(filled(given, shape, 3)), shape, classes=3, ema=0.9)
    reports = list(train(gan, make_source(shape, classes=3), images=12, batch=6))
    assert [report.step for report in reports] == [1, 2]
    assert all(math.isfinite(value) for report in reports for value in report.metrics.values())
    made = gan.generate(torch.randn(2, 8), classes_for(gan, 2))
    assert made.shape == (2, *shape) and made.abs().max() <= 1


def test_generate(started):
    """Images have the shape that was trained and lie in [-1, 1]; vectors are finite; different z, different images."""
    gan, _ = started
    made = gan.generate(torch.randn(5, 8), classes_for(gan, 5))
    assert made.shape == (5, *gan.shape)
    assert made.dtype == torch.float32
    assert torch.isfinite(made).all()
    assert len(gan.shape) == 1 or made.abs().max() <= 1
    assert len({image.numpy().tobytes() for image in made}) == 5


def test_loaded_state_generates_the_same_bits(started, small):
    """State loaded into a fresh GAN of another seed gives bit-equal images."""
    gan, source = started
    step(gan, source, 0, 6)
    fresh = GAN(gan.method, gan.shape, seed=77, classes=3, ema=0.5)
    z = (torch.randn(5, 8), classes_for(gan, 5))
    assert not torch.equal(gan.generate(*z), fresh.generate(*z))
    fresh.load(gan.state(training=False), training=False)
    assert torch.equal(gan.generate(*z), fresh.generate(*z))


def test_resumed_equals_uninterrupted(started, tmp_path, same):
    """A run of 6 steps, stopped at 3, stored and resumed in a fresh GAN, ends in the same bits and metrics."""
    gan, source = started
    whole = list(train(gan, source, images=36, batch=6))
    first = GAN(gan.method, gan.shape, seed=2, classes=3, ema=0.9)
    before = list(itertools.islice(train(first, source, images=36, batch=6), 3))
    checkpoint.save_checkpoint(tmp_path, 18, first.state(training=True), {"step": 3})
    tensors, facts = checkpoint.newest_checkpoint(tmp_path, pytest.fail)
    resumed = GAN(gan.method, gan.shape, seed=123, classes=3, ema=0.9)
    resumed.load(tensors, training=True)
    after = list(train(resumed, source, images=36, batch=6, start=facts["step"]))
    assert same(gan.state(training=True), resumed.state(training=True))
    assert [(p.step, p.images, p.metrics) for p in whole] == [(p.step, p.images, p.metrics) for p in before + after]
    kinds = {name.split(".")[0] for name in tensors}
    assert {"G", "D", "average", "adam"} <= kinds
    assert len(gan.twins) == sum(f"{name}/adam" in kinds for name in gan.twins)


@pytest.mark.parametrize(("one", "other"), [("anogan", "vtgan"), ("vtgan", "anogan")])
def test_another_methods_checkpoint(one, other, small):
    """A training's state does not load into a method with other parts."""
    state = GAN(small(METHODS[one]), (1, 8, 8)).state(training=True)
    with pytest.raises(ModelError, match="tensor 'weak/"):
        GAN(small(METHODS[other]), (1, 8, 8)).load(state, training=True)


def test_names_and_papers():
    """A method's name is its key and stands in the table; its paper can be cited; its summary says something."""
    assert {name: method.conditional for name, method in METHODS.items()} == {
        n: row.conditional for n, row in GANS.items()
    }
    assert list(METHODS) == list(GANS)
    for name, method in METHODS.items():
        assert method.name == name
        assert method.paper in BIBTEX
        assert len(method.summary.split()) > 10


def test_what_the_papers_methods_show():
    """What D sees beside real and generated images, and the shares; v1, v2, v3: 1/4, 3/4 and at times 1/2 are real."""
    plain, pairs = ((Real(), 1), (Generated(), 1)), ((Encoded(), 1), (Generated(), 1))
    shown = {
        **dict.fromkeys(("anogan", "cgan", "acgan", "wgan-gp", "splitting", "sn-binary", "k-plus-one", "r3gan"), plain),
        "noisegan": (*plain, (Noised(0.3, 0.0), 1)),
        "mcgan": (*plain, (OtherClasses(), 1)),
        "vtgan": (*plain, (FromTwin("weak"), 1)),
        "acgan-v1": ((Real(), 0.5), (Generated(), 1.5)),
        "acgan-v2": ((Real(), 1.5), (Generated(), 0.5)),
        "acgan-v3": ((Real(), EveryThird(1.5, 1.0)), (Generated(), EveryThird(0.5, 1.0))),
        "ali": pairs,
    }
    assert {name: METHODS[name].d_sees for name in shown} == shown
    played = {
        **dict.fromkeys(("anogan", "cgan", "acgan", "wgan-gp", "splitting", "sn-binary", "k-plus-one"), plain[1:]),
        "ali": pairs,
        "acgan-ali-v1": ((FromPosterior("ali", real=False), 0.75), (Generated(), 0.25)),
        "acgan-ali-v2": ((FromPosterior("ali", real=None), 0.25), (Generated(), 0.75)),
        "r3gan": plain,  # its loss pairs real images with G's
    }
    assert {name: METHODS[name].g_plays for name in played} == played


def test_papers_twins():
    """VTGAN's twin has z 400 and the weak network, and plays the plain game; the normal one has z 100."""
    method = METHODS["vtgan"]
    (twin,) = method.twins
    weak = twin.method(method)
    assert (twin.name, method.latent.z_dim, weak.latent.z_dim) == ("weak", 100, 400)
    assert (weak.net, weak.twins, weak.d_sees) == (method.net.weak(), (), METHODS["anogan"].d_sees)
    assert (weak.losses, weak.optimiser) == (method.losses, method.optimiser)
    assert Weakened(50)(method).latent.z_dim == 50
    longer, other = Weakened(layers=2, stride=2, pool=2)(method), Weakened(stride=4, g_pool=2)(method)
    assert longer.net == method.net and other.net == Anogan(layers=1, stride=4, g_pool=2, pool=4)


def test_what_an_author_forgets_is_one_sentence():
    """A stream, a loss or a score without one of its statements is refused by name when the method is built."""

    class Forgetful:
        name, needs, teaches_classes = "forgetful", frozenset(), False

        def d(self, judged):
            return torch.zeros(())

        g = d

    with pytest.raises(UsageError, match="the loss Forgetful has no moves_g; see CONTRIBUTING"):
        METHODS["anogan"].but(losses=(Forgetful(),))
    with pytest.raises(UsageError, match="the stream Forgetful has no real; see CONTRIBUTING"):
        METHODS["anogan"].but(d_sees=((Forgetful(), 1),))


def test_a_name_that_differs_and_a_part_that_exists_are_refused():
    """A variable whose method has another name, and two parts of one name in different files, are refused."""
    with pytest.raises(UsageError, match="has no Method in a variable lsgan whose name is lsgan"):
        methods._method("lsgan", "mcgan")
    other = types.ModuleType("elsewhere")
    other.Hinge = dataclass(frozen=True)(type("Hinge", (), {"__module__": "elsewhere"}))
    with pytest.raises(UsageError, match=r"lookalike\.game\.losses and elsewhere both have a part Hinge; rename"):
        methods._parts(losses, other)
