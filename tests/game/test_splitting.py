"""Class splitting: the tree, what grows, what stays the same, and which images go where."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny import settings
from torch.nn.utils.parametrizations import spectral_norm

from lookalike.base import checkpoint
from lookalike.base.errors import ModelError, UsageError
from lookalike.base.seeds import generator
from lookalike.game.batch import Batch
from lookalike.game.gan import GAN
from lookalike.game.growth import copy_row
from lookalike.game.heads import Auxiliary, Binary, LabelAware
from lookalike.game.heads_by_class import KPlusOne, Projection
from lookalike.game.method import Twin
from lookalike.game.needs import Need
from lookalike.game.nets.conditioning import ClassBatchNorm, Embedded, OneHot, Unconditional
from lookalike.game.splitting import SPLIT, Splitting, halved, relabelled
from lookalike.game.train import train
from lookalike.game.tree import Tree
from lookalike.methods import METHODS
from lookalike.methods.vtgan import Weakened
from lookalike.runs import plan as plans
from lookalike.runs.settings import train_settings

SHAPE = (1, 8, 8)
SPLITTING = METHODS["splitting"]


def splitting(small, **changes):
    """The method, small, that splits after 8 and 16 images."""
    return small(SPLITTING).but(splitting=Splitting(at=(8, 16), above=0.2), d_steps=1, **changes)


def test_a_tree_knows_its_leaves():
    """One half keeps the leaf's number, the other gets the next; paths lead from the root through each half."""
    tree = Tree(2).split(1).split(1).split(0)
    assert tree.leaves == 5
    assert tree.paths == [(0, 6), (1, 2, 4), (1, 3), (1, 2, 5), (0, 7)]
    assert tree.of(0) == (0, 4) and tree.of(1) == (1, 2, 3)
    assert tree.names(("Bag", "Coat")) == ["Bag/0", "Coat/0/0", "Coat/1", "Coat/0/1", "Bag/1"]
    assert tree.index().tolist() == [[0, 6, -1], [1, 2, 4], [1, 3, -1], [1, 2, 5], [0, 7, -1]]


def test_points_and_shares_are_checked():
    """Points rise and are numbers of images; a share is between 0 and 1; features have two ways."""
    for wrong in ({"at": (5, 5)}, {"at": (0,)}, {"at": (9, 3)}, {"above": 0.0}, {"above": 1.0}, {"normalised": "no"}):
        with pytest.raises(UsageError):
            Splitting(**wrong)


def test_a_point_lies_before_the_first_step_that_begins_after_it():
    """Points are counted in images shown, whatever the batch, and each comes once."""
    once = Splitting(at=(100, 128))
    assert [i for i in range(9) if once.due(i, 32)] == [4]
    assert [i for i in range(20) if once.due(i, 10)] == [10, 13]
    assert not once.due(0, 1000) and once.due(1, 1000)


@pytest.mark.parametrize("conditioning", [ClassBatchNorm(), Embedded(4)], ids=str)
def test_a_split_changes_no_bit_of_what_g_makes(conditioning, small, make_source):
    """Right after a split, at any depth, G and its average make the same images of both halves as of the whole."""
    method = splitting(small, conditioning=conditioning)
    gan = GAN(method.but(splitting=Splitting(at=(10**6,))), SHAPE, classes=2, ema=0.5)
    source = make_source(SHAPE, classes=2, others=0)
    z = torch.randn(6, 8, generator=generator("z"))
    for step, leaf in enumerate((1, 1, 2)):  # trained in between, so that no row below a root is zero
        list(train(gan, source, images=8 * step + 4, batch=4, start=2 * step))
        before = {average: _made(gan, z, leaf, average) for average in (False, True)}
        gan.grow(leaf)
        for half in (leaf, gan.classes - 1):
            assert all(torch.equal(before[average], _made(gan, z, half, average)) for average in before)
    assert gan.tree == Tree(2, (1, 1, 2))


def _made(gan, z, leaf, average):
    kept, gan.average = gan.average, gan.average if average else None
    made = gan.generate(z, torch.full((len(z),), leaf))
    gan.average = kept
    return made


def test_halves_go_on_sharing_the_scale_of_their_class(small):
    """A half's scale is its class's plus a difference of its own: a change of the class's row reaches both halves."""
    gan = GAN(splitting(small), SHAPE, classes=2)
    gan.grow(0)
    norm = next(m for m in gan.G.modules() if hasattr(m, "paths"))
    assert norm.scale.shape[0] == 4 and norm.paths.tolist() == [[0, 2], [1, -1], [0, 3]]
    with torch.no_grad():
        norm.scale[0] += 1
        norm.scale[3] += 0.5
    scales = [norm.only(row).weight for row in torch.eye(3)]
    assert [one[0].item() for one in scales] == [2.0, 1.0, 2.5]


HEADS = [Auxiliary(), LabelAware(4), KPlusOne(), Projection()]


@pytest.mark.parametrize("spectral", [False, True])
@pytest.mark.parametrize("head", HEADS, ids=str)
def test_a_split_changes_nothing_that_d_says_of_realness(head, spectral, small):
    """D finds each image as real as before; its class logits repeat the leaf's, in K + 1 each half as likely."""
    conditioning = ClassBatchNorm() if Need.LABELS in head.needs else Unconditional()
    base = METHODS["sn-projection"] if Need.LABELS in head.needs else METHODS["k-plus-one"] if head.classifies else None
    if isinstance(head, Auxiliary):
        base, conditioning = METHODS["wgan-gp-classes"], ClassBatchNorm()
    method = small(base).but(head=head, conditioning=conditioning, spectral=spectral, d_steps=1)
    gan = GAN(method, SHAPE, classes=3)
    gan.D.eval()
    x, y = torch.rand(5, *SHAPE, generator=generator("x")) * 2 - 1, torch.full((5,), 1)
    before = gan.D(Batch(x, y, None, None))
    gan.grow(1)
    for half in (1, 3):
        after = gan.D(Batch(x, torch.full((5,), half), None, None))
        assert torch.allclose(before.realness, after.realness, atol=1e-5)
    if head.classifies:
        less = np.log(2) if isinstance(head, KPlusOne) else 0.0
        expected = torch.cat([before.classes, before.classes[:, 1:2]], 1)
        expected[:, [1, 3]] -= less
        assert torch.allclose(after.classes, expected, atol=1e-5)


def test_adams_moments_go_from_parent_to_child(small, make_source):
    """The new logit has its parent's moments, G's new differences those of the row above them; others stay."""
    gan = GAN(splitting(small), SHAPE, classes=2)
    list(train(gan, make_source(SHAPE, classes=2, others=0), images=8, batch=4))
    logit = gan.D.layers["classes"].weight
    norm = next(m for m in gan.G.modules() if hasattr(m, "paths"))
    before = {key: gan.opt_d.state[logit][key].clone() for key in ("exp_avg", "exp_avg_sq")}
    scales = {key: gan.opt_g.state[norm.scale][key].clone() for key in before}
    gan.grow(1)
    for key, moments in before.items():
        assert moments.abs().max() > 0
        assert torch.equal(gan.opt_d.state[logit][key], moments[[0, 1, 1]])
        assert torch.equal(gan.opt_g.state[norm.scale][key], scales[key][[0, 1, 1, 1]])
    assert any(p is logit for group in gan.opt_d.param_groups for p in group["params"])


def test_a_norm_keeps_its_value_when_a_row_joins():
    """A spectrally normalised layer divides by the same norm right after its growth."""
    layer = spectral_norm(torch.nn.Linear(4, 3)).eval()
    before = layer.weight.detach().clone()
    copy_row(layer, 2, None)
    assert torch.allclose(layer.weight, before[[0, 1, 2, 2]], atol=1e-6)
    assert layer.out_features == 4 and layer(torch.ones(1, 4)).shape == (1, 4)


def test_images_keep_their_leaf_under_any_shuffling(small, make_source):
    """After a split each image's label is its own, whatever order the passes over the data take."""
    gan, source = GAN(splitting(small), SHAPE, classes=2), make_source(SHAPE, classes=2, others=0)
    steps = list(train(gan, source, images=64, batch=4))
    assert [(p.step, p.metrics[SPLIT]) for p in steps if SPLIT in p.metrics] == [(3, 4.0), (5, gan.classes)]
    leaf_of = {bytes(image.numpy()): leaf for image, leaf in zip(source.known, gan.leaves.tolist(), strict=True)}
    roots = [path[0] for path in gan.tree.paths]
    assert [roots[leaf] for leaf in gan.leaves.tolist()] == source.labels.tolist()
    shown = METHODS["splitting"].d_sees[0][0]
    for index in range(12):
        batch = shown.draw(gan, relabelled(source, gan.leaves).at("D", index=index), 6)
        pixels = ((batch.x + 1) * 127.5).round().to(torch.uint8)
        assert [leaf_of[bytes(image.numpy())] for image in pixels] == batch.y.tolist()
    assert set(batch.y.tolist()) <= set(range(gan.classes))


def test_k_means_finds_the_two_clusters():
    """Two separate clouds come apart, the smaller one second; one cloud of equal points, or one stray, does not."""
    random = np.random.default_rng(0)
    clouds = np.concatenate([random.normal(0, 0.1, (30, 3)), random.normal(5, 0.1, (20, 3))])
    assert halved(clouds, 1).tolist() == [False] * 30 + [True] * 20
    assert halved(np.ones((40, 3)), 1) is None
    assert halved(np.concatenate([np.zeros((300, 3)), np.full((1, 3), 9.0)]), 1) is None


def test_E21_a_class_that_k_means_leaves_whole_is_counted(small, make_source):
    """Where all images are alike no class is split, and the log says how many stayed whole."""
    source = make_source(SHAPE, classes=2, others=0)
    source.known[:] = 7
    steps = list(train(GAN(splitting(small), SHAPE, classes=2), source, images=12, batch=4))
    assert next(p.metrics for p in steps if SPLIT in p.metrics)["split.left_whole"] == 2.0
    assert [p.metrics[SPLIT] for p in steps if SPLIT in p.metrics] == [2.0]


def test_small_classes_are_not_split(small, make_source):
    """A class with no more than the share of the images stays whole."""
    method = splitting(small).but(splitting=Splitting(at=(4,), above=0.5))
    gan = GAN(method, SHAPE, classes=2)
    list(train(gan, make_source(SHAPE, classes=2, others=0), images=8, batch=4))
    assert gan.classes == 2


def test_features_are_normalised_by_image_or_by_feature(small, make_source):
    """Each image's features have length 1; as the authors' code each feature has, over 64 images in turn."""
    gan, source = GAN(splitting(small), SHAPE, classes=2), make_source(SHAPE, known=70, classes=2, others=0)
    by_sample = Splitting().features(gan, source)
    assert by_sample.shape[0] == 70 and np.allclose(np.linalg.norm(by_sample, axis=1), 1, atol=1e-5)
    by_feature = Splitting(normalised="feature").features(gan, source)
    raw = gan.features(Batch(source.known.float() / 127.5 - 1, source.labels, None, None)).numpy()
    for rows in (slice(0, 64), slice(64, 70)):
        length = np.linalg.norm(raw[rows], axis=0)
        assert np.allclose(by_feature[rows], raw[rows] / np.maximum(length, 1e-12), atol=1e-5)


def test_training_stopped_within_the_tree_resumes_to_the_same_bits(small, make_source, same, tmp_path):
    """Before, between and after splits: a checkpoint file, loaded into a new GAN and trained on, is as one go."""
    source = make_source(SHAPE, classes=2, others=0)

    def new():
        return GAN(splitting(small), SHAPE, classes=2, seed=4, ema=0.5)

    whole = new()
    list(train(whole, source, images=32, batch=4))
    assert len(whole.tree.splits) >= 3
    for stop in (1, 2, 3, 4, 5, 7):
        part, rest = new(), new()
        for progress in train(part, source, images=32, batch=4):
            if progress.step == stop:
                break
        (tmp_path / str(stop)).mkdir()
        checkpoint.save_checkpoint(tmp_path / str(stop), 4 * stop, part.state(training=True), {"step": stop})
        tensors, facts = checkpoint.newest_checkpoint(tmp_path / str(stop), pytest.fail)
        assert facts["step"] == stop
        rest.load(tensors, training=True)
        list(train(rest, source, images=32, batch=4, start=stop))
        assert same(rest.state(training=True), whole.state(training=True)), stop
    assert torch.equal(rest.leaves, whole.leaves) and rest.tree == whole.tree


@pytest.mark.parametrize(
    "splits", [[2], [-1], [0, 9], [[0]], [0] * 5000], ids=["beyond", "below", "later", "2-d", "many"]
)
def test_a_forged_tree_is_refused(splits, small):
    """A tree that splits a class that is not there, or grows without end, builds nothing."""
    gan = GAN(splitting(small), SHAPE, classes=2)
    tensors = gan.state(training=False) | {"tree": torch.tensor(splits)}
    with pytest.raises(ModelError, match="tree"):
        gan.load(tensors, training=False)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            {"split_at": (500,), "images": 256},
            "after 500 images, and the last of this training's steps begins at 224; show more",
        ),
        ({"split_at": (10, 20), "images": 256}, "--split-at 10, 20: two of these lie within a step of 32 images"),
        ({"split_above": 0.6}, r"no class would be split: the largest has 5\d\.\d % of the training images"),
    ],
)
def test_splits_that_would_not_be_made_are_refused(given, words):
    """Points that the training does not come to or that one step holds, and a share that no class exceeds."""
    how = settings("splitting", known=("3", "8")) | {"extra_fakes": (), "batch": 32, "images": 256, "net": "anogan"}
    with pytest.raises(UsageError, match=words):
        plans.make("digits", train_settings(**how | given))
    assert plans.make("digits", train_settings(**how)).recipe.method.splitting.at == (39,)
    assert plans.make("digits", train_settings(**how | {"split_at": (39,)})).recipe.method.splitting.above == 0.04
    few = plans.make("digits", train_settings(**how | {"pooled": True, "images": 100}))
    assert few.recipe.method.splitting.at == (31, 39), "of points in one step the last stays"


REFUSED = {
    "neither G nor D depends on them": {
        "head": Binary(),
        "conditioning": Unconditional(),
        "losses": METHODS["wgan-gp"].losses,
    },
    "D's head cannot grow": {"head": Auxiliary(spread=True)},
    "G cannot get new ones": {"conditioning": OneHot()},
    "twins would keep the old ones": {"twins": (Twin("weak", Weakened(12)),)},
}  # fmt: skip


@pytest.mark.parametrize("sentence", REFUSED)
def test_what_cannot_grow_is_refused(sentence):
    """A method whose classes cannot be split is refused when it is built, with the reason."""
    with pytest.raises(UsageError, match=sentence):
        SPLITTING.but(**REFUSED[sentence])


def test_step_sizes_fall_to_nothing(small, make_source):
    """With decay the k-th of n steps has the share 1 - k / n of the step size; without, all have it whole."""
    source, rates = make_source(SHAPE, others=0), []
    for decay in (True, False):
        gan = GAN(small(METHODS["sn-binary"]).but(decay=decay), SHAPE)
        rates.append([gan.opt_d.param_groups[0]["lr"] for _ in train(gan, source, images=16, batch=4)])
    assert np.allclose(rates[0], 4e-4 * np.array([1, 0.75, 0.5, 0.25])) and rates[1] == [4e-4] * 4


TWINS = [("vtgan", "weak", [1, 0.75, 0.5, 0.25]), ("acgan-ali-v1", "ali", [1, 0.5])]


@pytest.mark.parametrize(("name", "twin", "rates"), TWINS)
def test_step_sizes_of_twins_fall_too(name, twin, rates, small, make_source):
    """A twin beside has the same share of its step size in each step; one before falls to 0 in the steps it has."""
    gan = GAN(small(METHODS[name]).but(decay=True), SHAPE, classes=2)
    own, source = gan.twins[twin].opt_d.param_groups[0], make_source(SHAPE, classes=2, others=0)
    steps = train(gan, source, images=32, batch=8)
    assert [own["lr"] / own["initial_lr"] for _, _ in zip(rates, steps, strict=False)] == pytest.approx(rates)
