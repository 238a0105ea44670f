"""Crosses of the axes: every pair of values either trains one finite step or is refused with a sentence."""

from __future__ import annotations

import itertools
import math
import re
from collections import Counter

import pytest
import torch

from lookalike.base.errors import UsageError
from lookalike.game.diffaugment import DiffAugment
from lookalike.game.gan import GAN
from lookalike.game.heads import Auxiliary, Binary, Joint, LabelAware
from lookalike.game.heads_by_class import KPlusOne, Projection
from lookalike.game.latents import BalancedLabels, LabelsAsInData, Normal, Uniform, UniformLabels
from lookalike.game.losses import AuxiliaryClass, Hinge, Minimax, Mode, Wasserstein
from lookalike.game.method import Method, Twin
from lookalike.game.needs import Need
from lookalike.game.nets.anogan import Anogan
from lookalike.game.nets.conditioning import ClassBatchNorm, Embedded, OneHot
from lookalike.game.nets.dcgan import Dcgan
from lookalike.game.nets.encoder import Encoder
from lookalike.game.nets.mlp import Mlp
from lookalike.game.nets.resnet import Resnet
from lookalike.game.optimiser import Adam
from lookalike.game.penalty import GradientPenalty, ZeroCentred
from lookalike.game.score import SCORES
from lookalike.game.share import EveryThird, share_at
from lookalike.game.streams import Generated, Real
from lookalike.game.train import train
from lookalike.methods import METHODS
from lookalike.methods.ali import Encoded
from lookalike.methods.mcgan import OtherClasses
from lookalike.methods.r3gan import RelativisticPairing
from lookalike.methods.vtgan import FromTwin, Noised, Weakened

REAL_CLASSES = AuxiliaryClass(on_fake=False, g_weight=0.0)
PAIRS = ((Encoded(), 1), (Generated(), 1))
PLAYED = {"d_sees": PAIRS, "g_plays": PAIRS}
# what D and G know of classes, and of z, hangs together
BUNDLES = {
    "conditional": {"conditioning": Embedded(4)},
    "norm": {"conditioning": ClassBatchNorm()},
    "cgan": {"head": LabelAware(4), "conditioning": Embedded(4)},
    "acgan": {"head": Auxiliary(), "conditioning": Embedded(4), "losses": (AuxiliaryClass(on_fake=False),)},
    "spread": {"head": Auxiliary(spread=True), "conditioning": ClassBatchNorm(), "losses": (AuxiliaryClass(),)},
    "pairs": {"head": Joint(Binary(), 8), "encoder": Encoder(4)} | PLAYED,
    "conditional pairs": {"head": Joint(LabelAware(4), 8), "encoder": Encoder(4), "conditioning": ClassBatchNorm()}
    | PLAYED,
    "classified pairs": {
        "head": Joint(Auxiliary(), 8),
        "encoder": Encoder(4),
        "conditioning": Embedded(4),
        "losses": (AuxiliaryClass(),),
    }
    | PLAYED,
    "pairs with a class for D alone": {"head": Joint(LabelAware(4), 8), "encoder": Encoder(4)} | PLAYED,
    "no encoder": {"head": Joint(Binary(), 8)} | PLAYED,
    "no joint head": {"encoder": Encoder(4)} | PLAYED,
    "idle encoder": {"head": Joint(Binary(), 8), "encoder": Encoder(4)} | PLAYED | {"g_plays": ((Generated(), 1),)},
    "pairs without z": {"head": Joint(Binary(), 8)},
    "no class for G": {"head": LabelAware(4)},
    "k plus one": {"head": KPlusOne(), "losses": (REAL_CLASSES,)},
    "mode": {"head": KPlusOne(), "conditioning": OneHot(), "losses": (REAL_CLASSES, Mode())},
    "k plus one by class": {
        "head": KPlusOne(projection=True),
        "conditioning": Embedded(4),
        "losses": (REAL_CLASSES,),
    },
    "projection": {"head": Projection(), "conditioning": ClassBatchNorm()},
    "projection, no class for G": {"head": Projection()},
    "mode of no class": {"losses": (Mode(),)},
    "no class loss": {"head": Auxiliary(), "conditioning": Embedded(4)},
}
WEAK = (Twin("weak", Weakened(6)),)
# the first value of each axis is the one that the other axes are crossed with
AXES = {
    "net": (Anogan(4), Dcgan(4), Resnet(4), Mlp(16, 2)),
    "shape": ((1, 8, 8), (3, 8, 12), (7,), (1, 7, 9)),
    "losses": (
        *((Minimax(),), (Minimax(saturating=True),), (Hinge(),), (Wasserstein(),), (Minimax(), Hinge())),
        (RelativisticPairing(),),
        *((Minimax(), Minimax(saturating=True)), ()),
    ),
    "d_sees": (
        ((Real(), 1), (Generated(), 1)),
        ((Real(), 1), (Generated(), 1), (Noised(), 1)),
        ((Real(), 1), (Generated(), 1), (OtherClasses(), 1)),
        ((Real(), 1), (Generated(), 1), (FromTwin("weak"), 1)),
        ((Real(), 0.5), (Generated(), 1.5)),
        ((Real(), 1.5), (Generated(), 0.5)),
        ((Real(), EveryThird(1.5, 1.0)), (Generated(), EveryThird(0.5, 1.0))),
        PAIRS,
        ((Real(), 0.25), (Generated(), 0.75)),
        ((Real(), 1), (OtherClasses(), 1)),
        ((Real(), 1), (Generated(), 1), (Noised(0.0, 0.1), 0.5), (OtherClasses(), 0.5), (FromTwin(), 0.5)),
        ((Real(), 1), (Real(), 1)),
        ((Generated(), 1),),
        ((Real(), 1), (Generated(), 0)),
    ),
    "g_plays": (
        *(((Generated(), 1),), ((Generated(), 1), (Generated(), 0.5)), (), ((Real(), 1),)),
        *(((OtherClasses(), 1),), ((Generated(), 0),), ((Encoded(), 1), (Generated(), 1))),
        *(((Real(), 1), (Generated(), 1)), ((Real(), 1), (Generated(), 0.5))),
    ),
    "latent": (Normal(8), Uniform(5), Normal(1)),
    "d_steps": (1, 3, 0),
    "d_updates": ("together", "apart", "never"),
    "spectral": (False, True),
    "penalty": (None, GradientPenalty(10.0), ZeroCentred(1.0), ZeroCentred(1.0, fake=False)),
    "score": tuple(SCORES.values()),
    "diff_augment": (None, DiffAugment(), DiffAugment(0.0, 0.25, 0.0)),
    "optimiser": (Adam(), Adam(1e-3, 0.0, 0.9)),
    "d_optimiser": (None, Adam(1e-4)),
    "classes": ("nothing", *BUNDLES),
    "labels": (UniformLabels(), LabelsAsInData(), BalancedLabels()),
    "twins": (WEAK, (), (*WEAK, Twin("other", Weakened(3))), (*WEAK, *WEAK)),
    "ema": (0.0, 0.9),
    "others": (20, 0),
}  # fmt: skip


def crosses():
    """Every pair of values of every two axes, the other axes at their first; each cross once."""
    first = dict.fromkeys(AXES, 0)
    found = {tuple(first.values())}
    for one, other in itertools.combinations(AXES, 2):
        for i, j in itertools.product(range(len(AXES[one])), range(len(AXES[other]))):
            found.add(tuple((first | {one: i, other: j}).values()))
    return [{axis: AXES[axis][i] for axis, i in zip(AXES, cross, strict=True)} for cross in sorted(found)]


def axes_of(cross):
    """The axes of a cross: a bundle's values where the cross has the first ones, its losses beside the cross's."""
    axes = dict(cross)
    bundle = BUNDLES.get(axes.pop("classes"), {})
    chosen = {axis: value for axis, value in axes.items() if value is not AXES[axis][0]}
    return axes | bundle | chosen | {"losses": (*cross["losses"], *bundle.get("losses", ()))}


def outcome(cross, make_source):
    """The word trained after one finite step, or the sentence with which the cross was refused."""
    axes = axes_of(cross)
    shape, ema, others = (axes.pop(name) for name in ("shape", "ema", "others"))
    try:
        gan = GAN(Method(name="cross", paper="none", summary="", **axes), shape, classes=3, ema=ema)
        (progress,) = train(gan, make_source(shape, others=others, classes=3), images=8, batch=8)
    except UsageError as error:
        return str(error)
    assert all(math.isfinite(value) for value in progress.metrics.values())
    assert f"D.{axes['losses'][0].name}" in progress.metrics
    assert set(gan.twins) == {twin.name for twin in axes["twins"]}
    y = torch.tensor([0, 2]) if "conditioning" in axes else None
    made = gan.generate(axes["latent"].draw(2, make_source(shape).generator()), y)
    assert made.isfinite().all()
    return "trained"


def impossible(cross):
    """Whether a cross cannot work, by what its values mean."""
    axes = axes_of(cross)
    streams, shares = zip(*axes["d_sees"], *axes["g_plays"], strict=True)
    shares, played = [share_at(share, 2) for share in shares], [stream for stream, _ in axes["g_plays"]]
    losses, twins = [loss.name for loss in axes["losses"]], [twin.name for twin in axes["twins"]]
    head, encoder, given = axes.get("head", Binary()), "encoder" in axes, "conditioning" in axes
    shorter = [twin.method.z_dim for twin in axes["twins"]] or [8]
    paired, between = "relativistic" in losses, isinstance(axes["penalty"], GradientPenalty)
    equal = all(
        math.isclose(
            *(sum(share_at(s, e) for stream, s in axes[groups] if stream.real is label) for label in (True, False))
        )
        for groups in ("d_sees", "g_plays")
        for e in (0, 2)
    )
    made = {stream for stream in streams if isinstance(stream, Generated | Encoded)}
    return any(
        (
            {stream.real for stream, _ in axes["d_sees"]} != {True, False},
            min(shares) <= 0,
            not losses or len(losses) > len(set(losses)),
            Generated() not in played,
            not made.issuperset(played) and (not paired or played[0] != Real()),
            paired and (Real() not in played or not equal or axes["d_updates"] == "apart"),
            axes["d_steps"] < 1,
            axes["score"].name in ("encoder", "refined") and not encoder,
            axes["score"].name == "classes" and not head.classifies,
            axes["d_updates"] == "never",
            between and (isinstance(head, Joint) or axes["d_updates"] == "apart"),
            axes["penalty"] is not None and isinstance(axes["net"], Dcgan),
            axes.get("conditioning") == OneHot() and min(axes["latent"].z_dim, *shorter) <= 3,
            cross["classes"] == "mode of no class",
            axes["losses"] == (REAL_CLASSES,),
            axes["diff_augment"] is not None and axes["shape"] == (7,),
            len(twins) > len(set(twins)),
            FromTwin() in streams and "weak" not in twins,
            OtherClasses() in streams and not axes["others"],
            cross["classes"] == "no class loss",
            Need.LABELS in head.needs and not all(given if stream in made else stream == Real() for stream in streams),
            isinstance(head, Joint) and not made.issuperset(streams),
            (Encoded() in streams) > encoder,
            encoder and not (isinstance(head, Joint) and Encoded() in played),
            axes["shape"] in ((7,), (1, 7, 9)) and not isinstance(axes["net"], Mlp),
        )
    )


SAID = r"method cross: |net (anogan|dcgan|resnet) makes |3 classes do not fit|this method learns from|--diff-augment "


def test_pairs_of_axes(make_source):
    """Each of 2958 crosses trains, or is refused in a sentence where it cannot work; none crashes."""
    outcomes = Counter()
    for cross in crosses():
        said = outcome(cross, make_source)
        assert (said != "trained") == impossible(cross), said
        outcomes[re.sub(r"\d+,\d+", "H,W", said)] += 1
    trained = outcomes.pop("trained")
    for sentence in outcomes:
        assert re.match(SAID, sentence)
        assert len(sentence.split()) > 6
    # a change here is a change of what can be crossed
    assert (trained, sum(outcomes.values()), len(outcomes)) == (1119, 1839, 49)


POSITIVE = "every share in d_sees and g_plays must be above 0"
SENTENCES = {
    "no real": ({"d_sees": ((Generated(), 1),)}, "no images are labelled real for D; add Real() to d_sees"),
    "no fake": ({"d_sees": ((Real(), 1),)}, "no images are labelled fake for D; add Generated() to d_sees"),
    "nothing": ({"d_sees": ()}, "no images are labelled real for D; add Real() to d_sees"),
    "zero share": ({"d_sees": ((Real(), 1), (Generated(), 0))}, POSITIVE),
    "negative share": ({"g_plays": ((Generated(), -1),)}, POSITIVE),
    "same loss twice": ({"losses": (Hinge(), Minimax(), Hinge())}, "loss names must differ, not hinge, minimax, hinge"),
    "no loss": ({"losses": ()}, "there must be at least one loss"),
    "missing twin": (
        {"d_sees": ((Real(), 1), (FromTwin("faint"), 1))},
        "a stream needs the twin faint; add it to twins",
    ),
    "same twin twice": ({"twins": WEAK + WEAK}, "twin names must differ, not weak, weak"),
    "G plays nothing": ({"g_plays": ()}, "G makes no images in its own step; add Generated() to g_plays"),
    "G plays reals": (
        {"g_plays": ((Real(), 1),)},
        "G can only learn from images that G or the encoder made; change g_plays",
    ),
    "no D step": ({"d_steps": 0}, "d_steps must be at least 1, not 0"),
    "less than no D step": ({"d_steps": -2}, "d_steps must be at least 1, not -2"),
    "D's updates": ({"d_updates": "never"}, "d_updates must be together or apart, not never"),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "sentence"), SENTENCES.values(), ids=SENTENCES)
@pytest.mark.parametrize("name", METHODS)
def test_refusals(name, changes, sentence):
    """What cannot work is refused when the method is built, in a sentence that begins with the method's name."""
    with pytest.raises(UsageError) as error:
        METHODS[name].but(**changes)
    assert str(error.value) == f"method {name}: {sentence}"


def test_batch_norm_needs_two(make_source):
    """A share that leaves one image is refused with the stream and what to do."""
    gan = GAN(METHODS["noisegan"].but(net=Mlp(16, 2), d_sees=((Real(), 1), (Generated(), 1), (Noised(), 0.1))), (7,))
    with pytest.raises(
        UsageError, match=r"^batch 8 leaves Noised fewer than 2 images; take a larger batch \(--batch\)$"
    ):
        list(train(gan, make_source((7,)), images=8, batch=8))


@pytest.mark.parametrize(
    ("net", "shape", "sentence"),
    [
        (
            Anogan(),
            (1, 30, 29),
            "net anogan makes heights and widths that are multiples of 4, not 30,29; try --size 28,28",
        ),
        (
            Dcgan(),
            (3, 50, 64),
            "net dcgan makes heights and widths that are multiples of 8, not 50,64; try --size 48,64",
        ),
        (Anogan(), (7,), "net anogan makes images (C, H, W), not vectors of 7 entries; use net mlp"),
    ],
    ids=["anogan", "dcgan", "vectors"],
)
def test_sizes(net, shape, sentence):
    """A shape that the network cannot make is refused with the nearest size, or the network, that works."""
    with pytest.raises(UsageError) as error:
        GAN(METHODS["vtgan"].but(net=net), shape)
    assert str(error.value) == sentence


def test_a_cross_nobody_published(make_source):
    """MCGAN with hinge and a weak twin under noise: a delta of axes, and it trains."""
    method = METHODS["mcgan"].but(
        net=Anogan(4),
        losses=(Hinge(),),
        d_sees=(*METHODS["vtgan"].d_sees, (OtherClasses(), 0.5), (Noised(), 0.5)),
        twins=WEAK,
        d_steps=2,
    )
    metrics = [p.metrics for p in train(GAN(method, (1, 8, 8)), make_source((1, 8, 8)), images=16, batch=8)]
    assert all({"D.hinge", "G.hinge", "weak/D.hinge", "weak/G.hinge"} <= set(row) for row in metrics)
    assert all(math.isfinite(value) for row in metrics for value in row.values())
