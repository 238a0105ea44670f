"""How G's images vary beside real ones, and which classes are recognised among them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny import settings

from lookalike.data import Images, read
from lookalike.game.gan import GAN
from lookalike.game.tree import Tree
from lookalike.runs import plan as plans
from lookalike.runs.settings import train_settings
from lookalike.runs.variety import EACH, Variety

KNOWN = ("3", "8", "0")


class Forced:
    """Stands for a GAN whose G is forced to make certain images."""

    def __init__(self, make, tree=None):
        self.make, self.asked, self.tree = make, [], tree or Tree(len(KNOWN))

    def generate(self, z, y=None):
        """The images for z (N, z_dim) and classes y (N,) or None; what was asked for is kept."""
        self.asked += [None] * len(z) if y is None else y.tolist()
        return self.make(z, y)


@pytest.fixture(scope="module")
def digits():
    """Digits at the runs' size."""
    return read("digits", size=(8, 8))


def planned(method, data="digits", **changes):
    """The plan of a training on three digits."""
    return plans.make(data, train_settings(**settings(method, extra_fakes=(), known=KNOWN, width=8) | changes))


def watch(plan):
    """The figures' source."""
    return Variety(plan, plan.recipe.method)


def real(plan, names, random):
    """One image, in [-1, 1], of each of these classes: a test image, which no training has."""
    test, true = plan.rows.test, plan.truth[plan.rows.test]
    rows = [random.choice(test[true == plan.true_classes.index(name)]) for name in names]
    return torch.from_numpy(plan.images.pixels[rows] / np.float32(127.5) - 1)


def test_E19_a_constant_G_has_no_variety():
    """Where G makes one image whatever z and class are, the variety of each class is 0."""
    found = watch(planned("acgan")).figures(Forced(lambda z, y: torch.zeros(len(z), 1, 8, 8)))
    assert [found[f"variety/{name}"] for name in KNOWN] == [0.0] * 3


def test_E19_one_image_with_noise_has_hardly_any():
    """At 32 x 32 pixels, one image with noise of 20 grey levels has less than 0.2 of the variety of real images."""
    noise = torch.Generator().manual_seed(0)
    found = watch(planned("acgan", size="32,32")).figures(
        Forced(lambda z, y: 20 / 127.5 * torch.randn(len(z), 1, 32, 32, generator=noise))
    )
    assert all(0 < found[f"variety/{name}"] < 0.2 for name in KNOWN)


def test_real_images_have_figures_near_1():
    """A G that makes held-out images of the class that it is asked for has all figures between 0.8 and 1.2."""
    plan, random = planned("acgan"), np.random.default_rng(0)
    found = watch(plan).figures(Forced(lambda z, y: real(plan, [KNOWN[k] for k in y], random)))
    assert set(found) == {f"{figure}/{name}" for figure in ("variety", "recognised") for name in KNOWN}
    assert all(0.8 < value < 1.2 for value in found.values())


def test_E21_a_class_that_a_conditional_G_never_makes():
    """Asked for an 8, G makes a 3: 8 is not recognised, the others are, and its variety is that of other images."""
    plan, random = planned("acgan"), np.random.default_rng(0)
    made = {"3": "3", "8": "3", "0": "0"}
    found = watch(plan).figures(Forced(lambda z, y: real(plan, [made[KNOWN[k]] for k in y], random)))
    assert found["recognised/8"] < 0.1
    assert min(found["recognised/3"], found["recognised/0"]) > 0.8
    assert found["variety/8"] > 0.8


@pytest.mark.parametrize(("method", "changes"), [("k-plus-one", {}), ("sn-binary", {"pooled": True})])
def test_E21_a_class_that_an_unconditional_G_never_makes(method, changes):
    """G makes 3 and 0 alone: 8 is not recognised, the others more often than among real images; pooled classes too."""
    plan, random = planned(method, **changes), np.random.default_rng(0)
    found = watch(plan).figures(Forced(lambda z, y: real(plan, random.choice(["3", "0"], len(z)), random)))
    assert set(found) == {"variety", *(f"recognised/{name}" for name in KNOWN)}
    assert found["recognised/8"] < 0.1 and min(found["recognised/3"], found["recognised/0"]) > 1.2


def test_one_known_class_has_its_variety_alone():
    """A G of one class has one figure, also where it is conditional; as varied as real ones it is near 1."""
    random = np.random.default_rng(0)
    for method in ("anogan", "acgan"):
        plan = planned(method, known=("3",))
        gan = Forced(lambda z, y, plan=plan: real(plan, ["3"] * len(z), random), Tree(1))
        found = watch(plan).figures(gan)
        assert list(found) == ["variety"] and 0.8 < found["variety"] < 1.2
        assert gan.asked == [None if method == "anogan" else 0] * EACH


def test_sub_classes_of_a_class_stand_for_it():
    """Where class 1 of 3 was split twice, G is asked for its sub-classes in turn, and for the others as before."""
    gan = Forced(lambda z, y: torch.zeros(len(z), 1, 8, 8), Tree(3).split(1).split(3))
    watch(planned("wgan-gp-classes")).figures(gan)
    assert gan.asked == [0] * EACH + [(1, 3, 4)[i % 3] for i in range(EACH)] + [2] * EACH


def test_a_class_that_pixels_do_not_tell_is_not_judged(digits):
    """Where labels are drawn at random no class is recognised among real images, so that none has the figure."""
    labels = np.random.default_rng(0).integers(0, 20, len(digits))
    names = tuple(f"c{k:02d}" for k in range(20))
    mixed = Images(digits.pixels, labels, names, digits.names)
    plan = planned("acgan", mixed, known=names, size=None)
    found = watch(plan).figures(Forced(lambda z, y: torch.zeros(len(z), 1, 8, 8), Tree(20)))
    assert set(found) == {f"variety/{name}" for name in names}


def test_twenty_classes_at_most(digits):
    """Of 25 classes a conditional G is asked for the first 20; a G of all of them has one figure."""
    labels = np.arange(len(digits)) % 25
    names = tuple(f"c{k:02d}" for k in range(25))
    mixed = Images(digits.pixels, labels, names, digits.names)
    gan = Forced(lambda z, y: torch.zeros(len(z), 1, 8, 8), Tree(25))
    found = watch(planned("acgan", mixed, known=names, size=None)).figures(gan)
    assert {name for name in found if name.startswith("variety")} == {f"variety/{name}" for name in names[:20]}
    assert set(gan.asked) == set(range(20))
    whole = planned("k-plus-one", mixed, known=names, size=None)
    assert set(watch(whole).figures(Forced(lambda z, y: torch.zeros(len(z), 1, 8, 8)))) == {"variety"}


def test_a_class_without_two_images_has_no_variety():
    """Real images that are all equal give no scale: the class has no figure, and the others have theirs."""
    pixels = np.random.default_rng(0).integers(0, 256, (90, 1, 8, 8), dtype=np.uint8)
    pixels[:30] = 7
    pixels[:30, 0, 0, 0] = np.arange(30) // 15  # the split needs two contents
    images = Images(pixels, np.repeat([0, 1, 2], 30), ("a", "b", "c"), tuple(map(str, range(90))))
    plan = planned("acgan", images, known=("a", "b", "c"), size=None, calibration=0.0, test=0.5, seed=2)
    gan = Forced(lambda z, y: torch.zeros(len(z), 1, 8, 8))
    alike = len(np.unique(images.pixels[plan.rows.train][plan.numbered(plan.rows.train) == 0], axis=0)) == 1
    assert alike
    assert {name for name in watch(plan).figures(gan) if name.startswith("variety")} == {"variety/b", "variety/c"}


def test_vectors_are_compared_as_they_are():
    """Vectors have no cells: real ones give figures near 1, a constant gives 0."""
    random = np.random.default_rng(0)
    x = (random.normal(0, 0.05, (300, 5)) + np.repeat([[-0.8], [0.0], [0.8]], 100, 0)).clip(-1, 1).astype(np.float32)
    vectors = Images(x, np.repeat([0, 1, 2], 100), ("a", "b", "c"), tuple(map(str, range(300))))
    found = watch(planned("acgan", vectors, known=("a", "b", "c"), size=None)).figures(
        Forced(lambda z, y: torch.from_numpy(x[y.numpy() * 100 + random.integers(0, 100, len(y))]))
    )
    assert len(found) == 6 and all(0.8 < value < 1.2 for value in found.values())


@pytest.mark.parametrize("method", ["acgan", "sn-projection", "k-plus-one", "vtgan"])
def test_the_training_is_not_touched(method):
    """Figures change no weight, statistic or mode of the networks, draw nothing from torch, and are the same again."""
    plan = planned(method, known=("3",) if method == "vtgan" else KNOWN)
    gan = GAN(plan.recipe.method, (1, 8, 8), classes=len(plan.known), ema=0.9)
    for net in gan.nets().values():
        net.train()
    source = watch(plan)
    before, drawn = gan.state(training=True), torch.random.get_rng_state()
    first = source.figures(gan)
    assert all(torch.equal(value, before[name]) for name, value in gan.state(training=True).items())
    assert torch.equal(torch.random.get_rng_state(), drawn)
    assert all(part.training for net in gan.nets().values() for part in net.modules())
    assert first and source.figures(gan) == first == watch(plan).figures(gan)
