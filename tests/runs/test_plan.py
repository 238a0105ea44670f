"""Plans: what the settings leave open is decided from the data, and what cannot end well is refused at once."""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from tiny import settings

from lookalike.base.errors import DataError, UsageError
from lookalike.data import Images, read, split
from lookalike.detect.search import Search
from lookalike.game.gan import GAN
from lookalike.game.latents import Normal, Uniform
from lookalike.game.losses import Hinge, Minimax
from lookalike.game.nets.anogan import Anogan
from lookalike.game.optimiser import Adam
from lookalike.methods import METHODS, NETS
from lookalike.methods.vtgan import Noised
from lookalike.runs import plan as plans
from lookalike.runs.own_flags import own_flags
from lookalike.runs.presets import PRESETS
from lookalike.runs.record import open_choices
from lookalike.runs.settings import train_settings


def make(data="digits", method="anogan", **changes):
    """The plan of the tiny run with changes."""
    return plans.make(data, train_settings(**settings(method, **changes)))


def images(shape=(1, 8, 8), names=("a", "b"), each=120):
    """Random images in memory."""
    random = np.random.default_rng(0)
    n = each * len(names)
    if len(shape) == 1:
        pixels = random.normal(size=(n, *shape)).astype(np.float32)
    else:
        pixels = random.integers(0, 256, (n, *shape), dtype=np.uint8)
    return Images(pixels, np.repeat(np.arange(len(names)), each), tuple(names), tuple(f"{i:05d}" for i in range(n)))


@pytest.mark.parametrize("preset", ["small", "paper"])
def test_the_preset_fills_what_is_left_open(preset):
    """Width, images, batch, search steps and the intervals come from the preset; digits of 8x8 are made its size."""
    s = plans.make("digits", train_settings(known=("3",), method="anogan", preset=preset)).recipe.settings
    expected = PRESETS[preset]
    assert (s.width, s.images, s.search_steps) == (expected["width"], expected["images"], expected["search_steps"])
    assert s.batch == expected["batch"]
    assert (s.lr, s.d_lr, s.ema) == (expected["lr"], expected["lr"] * expected["d_lr_share"], expected["ema"])
    assert (s.size, s.net) == (f"{expected['side']},{expected['side']}", "anogan")
    assert (s.log_every, s.sample_every, s.save_every) == tuple(expected["images"] // n for n in (100, 8, 10))


@pytest.mark.parametrize(
    ("changes", "test", "tested"),
    [
        ({"calibration": 0.0}, None, 0),
        ({"calibration": 0.0, "method": "acgan", "known": ("3", "8")}, None, 0),
        ({"calibration": 0.0}, 0.25, 46),
        ({"calibration": 0.2}, None, 37),
        ({"calibration": 0.2}, 0.0, 0),
        ({"calibration": 0.0, "method": "knn"}, None, 37),  # its training images set the threshold
    ],
)
def test_a_gan_that_only_makes_images_learns_from_all(changes, test, tested):
    """Of 183 threes none is a test image where none sets a threshold, unless a share is asked for; the rest trains."""
    plan = make(**changes, test=test)
    threes = plan.images.labels == plan.images.classes.index("3")
    assert threes[plan.rows.test].sum() == tested
    assert threes[np.union1d(plan.rows.train, plan.rows.calibration)].sum() == 183 - tested
    assert plan.recipe.settings.test == {0: 0.0, 46: 0.25, 37: 0.2}[tested]


def test_official_test_images_train_no_gan():
    """They stay test images where no threshold is set, whatever share is asked for."""
    data = images()
    official = replace(data, test=np.arange(240) % 4 == 0)
    for test in (None, 0.5):
        rows = make(official, known=("a",), size=None, calibration=0.0, test=test).rows
        assert (len(rows.test), len(rows.train), len(rows.calibration)) == (60, 90, 0)


@pytest.mark.parametrize(
    ("calibration", "said"),
    [
        (0.0, r"^images of known class few: 1 to train on; each of several known classes needs 2; add images or leave"),
        (0.2, r"^images of known class few: 1 to train on, 0 held out; each of several known classes needs 2 and 1;"),
    ],
)
def test_a_class_of_one_image_is_refused_with_what_it_lacks(calibration, said):
    """Held-out images are named where some are needed."""
    data = images(names=("a", "few"))
    data = data.select(np.arange(121))
    with pytest.raises(DataError, match=said):
        make(data, "acgan", known=("a", "few"), size=None, calibration=calibration)


def test_what_is_given_wins_over_the_preset():
    """No value that the user gave is replaced."""
    given = {"width": 3, "images": 500, "search_steps": 7, "size": "8,16", "net": "dcgan", "log_every": 70}
    s = make(**given).recipe.settings
    assert {name: getattr(s, name) for name in given} == given


@pytest.mark.parametrize(("preset", "share"), [("small", 0.25), ("paper", 1)])
def test_the_step_size_of_d_follows_that_of_g_unless_given(preset, share):
    """--lr alone moves both players, by the preset's share; --d-lr wins; --ema 0 keeps no average in any preset."""
    method = make(preset=preset, lr=0.01, beta1=0.25, ema=0).recipe.method
    assert (method.optimiser, method.d_optimiser) == (Adam(0.01, 0.25), Adam(0.01 * share, 0.25))
    given = make(preset=preset, d_lr=0.02, ema=0)
    assert (given.recipe.method.optimiser.lr, given.recipe.method.d_optimiser.lr) == (PRESETS[preset]["lr"], 0.02)
    assert given.recipe.settings.ema == 0


def test_intervals_are_at_least_one_step():
    """With few images, each step is logged, drawn and saved."""
    s = make(images=100, batch=32).recipe.settings
    assert (s.log_every, s.sample_every, s.save_every) == (32, 32, 32)


def test_a_rectangle_keeps_its_aspect(tmp_path):
    """Images of 24x12 become 32x16 under the small preset, a multiple of what the network can make."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for i in range(30):
            picture = Image.new("RGB", (12, 24), (i, 0, 0))
            picture.save(tmp_path / name / f"{i}.png")
    plan = plans.make(tmp_path, train_settings(known=("a",), method="anogan", false_alarms=0.2, width=2))
    assert plan.images.shape == (3, 32, 16) and plan.recipe.settings.size == "32,16"
    assert (32 % NETS["anogan"]().multiple, 16 % NETS["anogan"]().multiple) == (0, 0)
    grey = plans.make(tmp_path, train_settings(known=("a",), method="anogan", false_alarms=0.2, width=2, grey=True))
    assert grey.images.shape == (1, 32, 16)


def test_parts_are_those_of_the_split():
    """Known images train and are held out, against images come from the training part alone, no image is in two."""
    plan = make(method="mcgan", known=("3", "5"))
    parts = split(plan.images, test=0.2, calibration=0.2, seed=0)
    names = np.array(plan.images.classes)[plan.images.labels]
    known = np.isin(names, ["3", "5"])
    assert plan.rows.train.tolist() == [i for i in parts.train if known[i]]
    assert sorted([*plan.rows.calibration, *plan.rows.deciding]) == [i for i in parts.calibration if known[i]]
    assert plan.rows.extra_fakes.tolist() == [i for i in parts.train if names[i] == "8"]
    keys = [set(part) for part in plan.keys().values()]
    assert not keys[0] & keys[1] and not keys[0] & keys[2] and not keys[1] & keys[2]
    assert set(plan.keys()["calibration"]) == {plan.images.keys[i] for i in parts.calibration if known[i]}


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (("a,b",), ("a,b",)),
        (("a,c",), ("a", "c")),
        (("a,b", "c"), ("a,b", "c")),
        (("c", "a", "c"), ("c", "a")),
    ],
)
def test_known_takes_several_classes_and_names_with_commas(given, meant):
    """A text that is a class's name is that class; otherwise commas separate; repeated names count once."""
    plan = make(images(names=("a", "a,b", "b", "c")), known=given)
    assert plan.known == meant
    assert {plan.images.classes[label] for label in plan.images.labels[plan.rows.train]} == set(meant)


def test_labels_of_known_classes_are_numbered_from_zero():
    """The source's labels are 0 to K - 1 whatever the classes' numbers are."""
    plan = make(images(names=("a", "b", "c")), known=("c", "b"))
    source = plan.source()
    assert source.labels.unique().tolist() == [0, 1]
    assert torch.equal(source.known, torch.from_numpy(plan.images.pixels[plan.rows.train]))


def test_every_axis_of_the_method_comes_from_the_settings():
    """Net, latent, loss, optimiser, shares and noise of the plan's method are what was given."""
    given = {
        "z": 9,
        "latent": "uniform",
        "loss": "hinge",
        "lr": 0.003,
        "beta1": 0.25,
        "d_steps": 3,
        "extra_fakes_share": 0.5,
    }
    method = make(method="noisegan", noise=0.1, salt_pepper=0.2, net="dcgan", **given).recipe.method
    assert (method.latent, method.losses, method.optimiser) == (Uniform(9), (Hinge(),), Adam(0.003, 0.25))
    assert (method.net, method.d_steps) == (NETS["dcgan"](width=4), 3)
    assert method.d_sees[-1] == (Noised(0.1, 0.2), 0.5)
    assert [share for _, share in method.d_sees] == [1, 1, 0.5]


def test_the_weak_twin_takes_its_latent_length():
    """--weak-z sets the twin's z, and its game is plain."""
    method = make(method="vtgan", weak_z=33).recipe.method
    (twin,) = method.twins
    weak = twin.method(method)
    assert (weak.latent, weak.losses, len(weak.d_sees)) == (Normal(33), (Minimax(),), 2)


def test_the_weak_twin_takes_its_layers():
    """Depth, stride and both pools are the twin's alone; what is not given is as the weak network has it."""
    method = make(method="vtgan", net="anogan", weak_depth=2, weak_stride=8, weak_g_pool=4, weak_pool=2).recipe.method
    (weak,) = method.methods_of_twins().values()
    assert weak.net == Anogan(4, layers=2, stride=8, g_pool=4, pool=2) and method.net == Anogan(4)
    (plain,) = make(method="vtgan", net="anogan", weak_stride=2).recipe.method.methods_of_twins().values()
    assert plain.net == Anogan(4, layers=1, stride=2, g_pool=1, pool=4)
    flags = own_flags(train_settings(known=("3",), method="vtgan"), method)
    assert {flags[f"weak_{name}"] for name in ("depth", "stride", "g_pool", "pool")} == {
        "--weak-depth 2", "--weak-stride 8", "--weak-g-pool 4", "--weak-pool 2",
    }  # fmt: skip
    usual = own_flags(train_settings(known=("3",), method="vtgan"), METHODS["vtgan"])
    assert usual["weak_depth"] == "--weak-depth 1" and usual["weak_stride"] == "--weak-stride 4"
    assert make(method="vtgan").recipe.settings.weak_depth is None  # so runs of earlier versions go on
    residual = make(method="vtgan", net="resnet").recipe.method
    assert residual.twins == METHODS["vtgan"].twins
    assert not {"weak_depth", "weak_pool"} & set(own_flags(train_settings(known=("3",), method="vtgan"), residual))


def test_layers_that_the_weak_network_lacks_are_refused():
    """A residual network has no stride to set, and a stride that its pool does not divide makes no image."""
    with pytest.raises(
        UsageError, match=r"^vtgan cannot have --net resnet: the weak twin's network resnet has no stride"
    ):
        make(method="vtgan", net="resnet", weak_stride=4)
    with pytest.raises(UsageError, match=r"the stride of G's layers, 4, must be a multiple of their pool, 3"):
        make(method="vtgan", weak_g_pool=3)
    with pytest.raises(UsageError, match=r"anogan does not use --weak-depth"):
        make(method="anogan", weak_depth=2)


def test_the_search_takes_its_settings():
    """Each search setting reaches `Search`."""
    plan = make(
        lam=0.3, reduce="mean", layer="conv2", search_steps=7, search_lr=0.2, prior=False, restarts=2, tolerance=0.1,
        patience=3, search_batch=5, seed=11,
    )  # fmt: skip
    assert plan.recipe.search() == Search(
        lam=0.3, reduce="mean", layer="conv2", steps=7, lr=0.2, prior=False, restarts=2, tolerance=0.1, patience=3,
        batch=5, seed=11,
    )  # fmt: skip


def test_vectors_train_on_an_mlp_of_the_width_that_was_given():
    """Without --net vectors take the mlp, 8 times the preset's width or the width given, and have no size."""
    plan = make(images((5,)), known=("a",), size=None, width=6)
    assert (plan.recipe.settings.net, plan.recipe.settings.size, plan.recipe.method.net) == (
        "mlp",
        None,
        NETS["mlp"](width=6),
    )
    wide = make(images((5,)), known=("a",), size=None, width=None)
    assert wide.recipe.method.net == NETS["mlp"](width=8 * PRESETS["small"]["width"])


def test_open_choices_name_what_the_papers_leave_open():
    """The report's list follows the settings."""
    said = open_choices(make(method="vtgan", lam=0.5, loss="saturating", ema=0.9, d_steps=2))
    assert said["V(x)"].startswith("lambda 0.5, sum")
    assert said["averaged generator"] == "decay min(0.9, (1 + t) / (10 + t)) at step t"
    assert said["D's updates"] == "2 per update of G, on all groups together"
    assert said["f(x) of V(x)"] == "pool1"
    assert "z 400 entries, standard normal" in said["weak twin"]
    assert said["loss"] == "minimax, G's loss log(1 - D(G(z)))"
    assert said["initial weights"] == "N(0, 0.02), biases 0"
    assert set(open_choices(make(method="knn"))) == {"resize filter", "training images", "threshold"}
    for name in METHODS:
        every = open_choices(make(method=name, known=("3", "5"), extra_fakes=(), batch=32, images=640))
        assert not [value for value in every.values() if "None" in value], name
    joined = open_choices(make(method="knn", known=("3", "5")))["known classes"]
    assert joined == "2, a detector each, scaled by its own class, joined by softmax regression on 30 held-out images"


@pytest.mark.parametrize(
    ("changes", "kind", "words"),
    [
        ({"layer": "conv9"}, UsageError, "no discriminator layer 'conv9'"),
        ({"device": "cuda:7"}, UsageError, "--device cuda:7 cannot be used here"),
        ({"false_alarms": 0.001}, DataError, "29 calibration images cannot promise 0.1 % false alarms"),
        ({"false_alarms": 0.001}, DataError, r"a GAN that only makes images needs none \(--calibration 0\)$"),
        ({"false_alarms": 0.001, "method": "rotation"}, DataError, r"or allow more \(--false-alarms [0-9.]+\)$"),
        ({"size": "9,9"}, UsageError, "9"),
        ({"known": ("nine",)}, DataError, "no class 'nine'"),
        ({"known": ("3,8",), "method": "mcgan"}, UsageError, "class 8 is both known and an extra fake"),
        (
            {"method": "mcgan", "extra_fakes": ()},
            UsageError,
            r"mcgan learns images of another class as fake; name one \(--ex",
        ),
        ({"method": "vtgan", "extra_fakes": ("8",)}, UsageError, "vtgan does not use --extra-fakes"),
        ({"method": "pca", "extra_fakes": ("8",)}, UsageError, "pca does not use --extra-fakes"),
    ],
)
def test_what_cannot_end_well_is_refused_before_training(changes, kind, words):
    """A wrong layer, device, size, class or an empty promise costs no training."""
    with pytest.raises(kind, match=words):
        plans.make("digits", train_settings(**{**settings(changes.get("method", "anogan")), **changes}))


@pytest.mark.parametrize(("shape", "given"), [((1, 8, 8), "16,16"), ((5,), "8,8")])
def test_images_in_memory_are_not_resized_in_silence(shape, given):
    """A size that the images in memory do not have is refused."""
    with pytest.raises(UsageError, match=f"--size {given}: the images have the shape"):
        make(images(shape), known=("a",), size=given)


def test_an_explicit_network_that_cannot_make_vectors_is_refused():
    """--net anogan on vectors is not silently replaced."""
    with pytest.raises(UsageError):
        make(images((5,)), known=("a",), size=None, net="anogan")


@pytest.mark.parametrize(("each", "role"), [(1, "known"), (2, "known")])
def test_B5_too_few_images_to_train_on(each, role):
    """A class that leaves fewer than two images to train on is refused, naming it."""
    with pytest.raises(DataError, match=f"^{role} a: fewer than 2 images"):
        make(images(each=each), known=("a",), size=None, false_alarms=0.9, calibration=0.5)


def test_the_order_of_the_images_does_not_matter():
    """Shuffled images give parts of the same content, and the same digest only for the same images."""
    plain = read("digits", size=(8, 8))
    order = np.random.default_rng(0).permutation(len(plain))
    plan, shuffled = make(plain), make(plain.select(order))
    assert {name: set(keys) for name, keys in plan.keys().items()} == {
        name: set(keys) for name, keys in shuffled.keys().items()
    }
    changed = dataclasses.replace(plain, pixels=plain.pixels ^ 1)
    assert make(changed).data_digest() != plan.data_digest()


# --- several known classes


def test_half_of_what_is_held_out_of_each_class_joins_them_and_the_rest_sets_the_threshold():
    """Of every class every second held-out image decides; both halves together are the calibration part."""
    plan = make(images(names=("a", "b", "c"), each=130), known=("c", "a"), method="knn")
    labels = plan.images.labels
    assert not plan.rows.shared and not set(plan.rows.deciding.tolist()) & set(plan.rows.calibration.tolist())
    held = split(plan.images, test=0.2, calibration=0.2, seed=0).calibration
    for number in (0, 2):
        mine = held[labels[held] == number]
        ranked = sorted(mine.tolist(), key=lambda row: plan.images.keys[row])
        assert plan.rows.deciding[labels[plan.rows.deciding] == number].tolist() == sorted(ranked[::2])
        assert plan.rows.calibration[labels[plan.rows.calibration] == number].tolist() == sorted(ranked[1::2])
    assert set(labels[plan.rows.deciding].tolist()) == {0, 2}


def test_copies_of_an_image_never_both_decide_and_set_the_threshold():
    """Images that stand twice in a class, or in two known classes, go as one to either half."""
    plain = images(names=("a", "b"), each=120)
    pixels = np.concatenate([plain.pixels, plain.pixels[:90], plain.pixels[30:200]])
    labels = np.concatenate([plain.labels, plain.labels[:90], 1 - plain.labels[30:200]])
    doubled = Images(pixels, labels, plain.classes, tuple(f"{i:05d}" for i in range(len(labels))))
    plan = make(doubled, known=("a", "b"), method="knn")
    halves = [{doubled.keys[i] for i in rows} for rows in (plan.rows.deciding, plan.rows.calibration)]
    assert not plan.rows.shared and not halves[0] & halves[1]
    assert len(plan.rows.deciding) > len(halves[0]) > 10  # copies were held out


def test_the_order_of_the_images_does_not_matter_to_the_halves():
    """Shuffled images give the same content that joins, and the same that sets the threshold."""
    plain = images(names=("a", "b"), each=130)
    shuffled = plain.select(np.random.default_rng(0).permutation(len(plain)))
    one, two = (make(data, known=("b", "a"), method="knn") for data in (plain, shuffled))
    for part in ("deciding", "calibration"):
        assert {one.images.keys[i] for i in getattr(one.rows, part)} == {
            two.images.keys[i] for i in getattr(two.rows, part)
        }


def test_few_held_out_images_do_both():
    """Where half of them cannot promise so few false alarms, all join and all set the threshold: 38 and 39 of 40."""
    for each, allowed, shares in ((130, 0.05, False), (100, 0.05, True), (100, 0.1, False)):
        plan = make(images(names=("a", "b"), each=each), known=("a", "b"), method="knn", false_alarms=allowed)
        held = split(plan.images, test=0.2, calibration=0.2, seed=0).calibration
        assert plan.rows.shared is shares
        if shares:
            assert plan.rows.deciding.tolist() == plan.rows.calibration.tolist() == held.tolist()


def test_one_known_class_and_classifiers_join_nothing():
    """Nothing held out joins a single class, or a network that tells all classes at once."""
    data = images(names=("a", "b"), each=130)
    held = split(data, test=0.2, calibration=0.2, seed=0).calibration
    assert make(data, known=("a",), method="knn").rows.deciding.tolist() == []
    plan = make(data, known=("a", "b"), method="cnn")
    assert (plan.rows.deciding.tolist(), plan.rows.calibration.tolist()) == ([], held.tolist())


def test_rows_are_numbered_by_the_order_in_which_classes_are_known():
    """Class c, named first, has number 0."""
    plan = make(images(names=("a", "b", "c"), each=130), known=("c", "a"), method="knn")
    names = [plan.images.classes[label] for label in plan.images.labels[plan.rows.train]]
    assert plan.numbered(plan.rows.train).tolist() == [{"c": 0, "a": 1}[name] for name in names]


def test_the_part_of_one_class_trains_on_it_against_the_training_images_of_the_others():
    """The b of mcgan learns from training images of a, c and the extra fakes d; nothing held out is among them."""
    data = images(names=("a", "b", "c", "d", "e"), each=130)
    plan = make(data, known=("a", "b", "c"), method="mcgan", extra_fakes=("d",))
    only, parts = plan.only("b"), split(data, test=0.2, calibration=0.2, seed=0)
    assert only.rows.train.tolist() == [i for i in parts.train if data.labels[i] == 1]
    assert only.rows.extra_fakes.tolist() == [i for i in parts.train if data.labels[i] in (0, 2, 3)]
    assert (only.known, only.others) == (("b",), ("a", "c", "d"))
    assert (only.recipe.settings.known, only.recipe.settings.extra_fakes) == (("b",), ("a", "c", "d"))
    assert torch.equal(only.source().others, torch.from_numpy(data.pixels[only.rows.extra_fakes]))
    assert (plan.rows.extra_fakes.tolist(), plan.others) == ([i for i in parts.train if data.labels[i] == 3], ("d",))


@pytest.mark.parametrize("method", ["anogan", "vtgan", "knn"])
def test_the_part_of_one_class_of_other_methods_sees_no_other(method):
    """Only mcgan's detectors see images of the other known classes."""
    only = make(images(names=("a", "b")), known=("a", "b"), method=method, false_alarms=0.2).only("a")
    assert (only.rows.extra_fakes.tolist(), only.others, only.recipe.settings.extra_fakes) == ([], (), ())
    assert only.source().others is None and set(only.images.labels[only.rows.train].tolist()) == {0}


@pytest.mark.parametrize(("known", "shown"), [(2, 600), (10, 600), (11, 545), (12, 500), (20, 300)])
def test_beyond_ten_classes_the_images_shown_are_shared(known, shown):
    """Up to ten classes each GAN is shown all of --images; more share ten times as many."""
    data = images(names=tuple(f"c{i:02d}" for i in range(known)), each=20)
    plan = make(data, known=data.classes, images=600, false_alarms=0.2)
    assert plan.shown == plan.only("c01").recipe.settings.images == shown
    assert f"{shown} images shown" in open_choices(plan)["training"]


def test_the_images_shown_never_end_at_none():
    """Even one image in all is one image for each of thirty classes."""
    data = images(names=tuple(f"c{i:02d}" for i in range(30)), each=20)
    assert make(data, known=data.classes, images=1).only("c01").recipe.settings.images == 1


@pytest.mark.parametrize("method", ["knn", "cnn"])
@pytest.mark.parametrize(("each", "trained", "kept"), [(1, 1, 0), (2, 1, 1), (3, 1, 1)])
def test_B5_each_of_several_known_classes_needs_images_of_its_own(each, trained, kept, method):
    """A class with one, two or three images is refused by name with what is there and what is needed; four do."""
    plain = images(names=("a", "b", "few"), each=130)
    with pytest.raises(DataError) as error:
        make(plain.select(np.arange(260 + each)), known=("a", "b", "few"), method=method)
    assert str(error.value) == (
        f"images of known class few: {trained} to train on, {kept} held out; each of several known classes "
        "needs 2 and 1; add images or leave the class out"
    )
    assert len(make(plain.select(np.arange(264)), known=("a", "b", "few"), method=method).known) == 3


def test_a_known_class_called_unknown_is_refused_where_it_would_be_a_verdict():
    """Beside other known classes the name would mean both; alone it means nothing."""
    data = images(names=("a", "unknown"), each=130)
    with pytest.raises(DataError, match=r"^a known class is called unknown, .*; rename it$"):
        make(data, known=("a", "unknown"), method="knn")
    assert make(data, known=("unknown",), method="knn").known == ("unknown",)


def test_more_gans_than_a_file_holds_are_refused_before_training(monkeypatch):
    """The line says how many known classes one model of this method holds at most; so many are taken."""
    data = images(names=tuple("abcd"), each=130)
    tensors = len(GAN(make(data, known=("a",)).recipe.method, (1, 8, 8), ema=0.5).state(training=False))
    monkeypatch.setattr(plans, "TENSOR_LIMIT", 3 * tensors + 1)
    assert make(data, known=("a", "b", "c"), ema=0.5).known == ("a", "b", "c")
    with pytest.raises(UsageError, match=r"^4 known classes are too many: a model of anogan holds 3 at most; name f"):
        make(data, known=("a", "b", "c", "d"), ema=0.5)


def test_a_hundred_classes_fit_into_one_model_under_each_preset():
    """With the averaged generator of the presets a hundred GANs stay below the number of tensors of one file."""
    data = images(names=tuple(f"c{i:02d}" for i in range(100)), each=10)
    for preset in PRESETS:
        assert len(make(data, known=data.classes, method="vtgan", preset=preset, width=None).known) == 100


def test_a_run_that_an_earlier_version_began_has_the_same_data():
    """The hash of the images that are used is that of earlier versions, whose record called extra fakes "against"."""
    plan = make(method="mcgan")
    keys = plan.keys()
    then = {"train": keys["train"], "calibration": keys["calibration"], "against": keys["extra_fakes"]}
    assert plan.data_digest() == hashlib.sha256(repr(then).encode()).hexdigest()
