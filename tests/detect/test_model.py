"""A trained model in its folder: bit-equal scores after loading, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lookalike.base import checkpoint
from lookalike.base.errors import DataError, ModelError, UsageError
from lookalike.data import read
from lookalike.detect import members
from lookalike.detect.baselines import BASELINES, autoencoder, deepsvdd, rotation
from lookalike.detect.detector import Threshold
from lookalike.detect.gan import GANDetector
from lookalike.detect.model import Model, Verdicts
from lookalike.detect.openset import OpenSet
from lookalike.detect.search import Search
from lookalike.game.gan import GAN
from lookalike.game.train import train
from lookalike.methods import METHODS, stored

ON_IMAGES = (  # baselines that take no vectors
    *("autoencoder", "deepsvdd", "rotation"),
    *("features-knn", "features-gaussian", "patches"),
)
SHAPES = {"grey": (1, 8, 8), "colour": (3, 8, 12), "vectors": (9,)}
KINDS = [
    *((name, "mlp" if shape == "vectors" else "anogan", shape) for name in METHODS for shape in SHAPES),
    ("vtgan", "dcgan", "colour"),
    *((name, "", shape) for name in BASELINES for shape in SHAPES if not (shape == "vectors" and name in ON_IMAGES)),
]

TRAINING = {"images": 18, "counts": {"train": 40, "calibration": 12}, "value_range": [0, 1], "threads": 1}


def images(shape, n=9, seed=1):
    """Random images or vectors as a source gives them."""
    random = np.random.default_rng(seed)
    if len(shape) == 1:
        return random.standard_normal((n, *shape)).astype(np.float32)
    return random.integers(0, 256, (n, *shape), dtype=np.uint8)


@pytest.fixture(autouse=True)
def short(monkeypatch):
    """Neural baselines train for a moment, and patches keep few places."""
    monkeypatch.setattr(members, "POOL", 600)
    monkeypatch.setattr(members, "BANK", 100)
    monkeypatch.setattr(autoencoder, "STEPS", 5)
    monkeypatch.setattr(rotation, "STEPS", 5)
    monkeypatch.setattr(deepsvdd, "EPOCHS", 2)


@pytest.fixture
def make(small, make_source):
    """Makes a model of a kind, trained for three steps where it trains."""

    def model(name, net="anogan", shape=(1, 8, 8), ema=0.0):
        if name in BASELINES:
            detector, method = BASELINES[name].fit(images(shape, 40), 1), {"name": name}
        else:
            gan = GAN(small(METHODS[name], net), shape, classes=2, ema=ema)
            list(train(gan, make_source(shape, classes=2), images=18, batch=6))
            search, method = Search(steps=4, lam=0.3, seed=5), stored.to_json(gan.method)
            detector = GANDetector(gan, search, 0 if gan.method.conditional else None)
            if gan.method.conditional:
                members = {label: GANDetector(gan, search, k) for k, label in enumerate(("a", "b"))}
                detector = OpenSet.fit(members, images(shape, 12, 3), np.arange(12) % 2)
        limit = Threshold(detector.score(images(shape, 12, 7)).score, 0.25)
        classes = {"known": ("a", "b"), "extra_fakes": ("c",)}
        return Model(detector, limit, shape, classes, method, TRAINING)

    return model


@pytest.mark.parametrize(("name", "net", "shape"), KINDS, ids=map("-".join, KINDS))
def test_loaded_scores_are_bit_equal(name, net, shape, make, tmp_path):
    """Scores, p-values, flags, parts and nearest images of a loaded model are those of the one that was saved."""
    model = make(name, net, SHAPES[shape])
    model.save(tmp_path)
    loaded = Model.load(tmp_path)
    asked = images(SHAPES[shape])
    first, again = model.score(asked), loaded.score(asked)
    for field in ("score", "p_value", "flagged", "nearest"):
        assert np.array_equal(getattr(first, field), getattr(again, field))
    assert {k: v.tolist() for k, v in first.parts.items()} == {k: v.tolist() for k, v in again.parts.items()}
    assert loaded.shape == SHAPES[shape]
    assert loaded.classes == {"known": ("a", "b"), "extra_fakes": ("c",)}
    assert loaded.training == TRAINING
    assert loaded.threshold.value == model.threshold.value
    assert loaded.threshold.allowed == 0.25
    assert loaded.method == model.method
    assert loaded.detector.facts() == model.detector.facts()


def test_averaged_generator_is_kept(make, tmp_path):
    """A model with an averaged generator scores by it before and after."""
    model = make("vtgan", ema=0.9)
    model.save(tmp_path)
    loaded = Model.load(tmp_path)
    assert loaded.detector.gan.average is not None
    assert np.array_equal(model.score(images((1, 8, 8))).score, loaded.score(images((1, 8, 8))).score)


def test_twin_vanishes(make, tmp_path):
    """The weak twin is no part of the stored model."""
    make("vtgan").save(tmp_path)
    tensors, _ = checkpoint.load_model(tmp_path)
    assert {name.split(".")[0] for name in tensors} == {"G", "D", "calibration"}


def test_verdicts_by_hand(make):
    """Flags and p-values are the threshold's on the detector's scores."""
    model = make("knn")
    asked = images((1, 8, 8), 30, 3)
    said = model.score(asked)
    held_out = model.threshold.calibration
    assert said.p_value.tolist() == [(1 + int((held_out >= s).sum())) / 13 for s in said.score]
    assert said.flagged.tolist() == [bool(s > np.sort(held_out)[9]) for s in said.score]


@pytest.mark.parametrize("name", ["anogan", "pca", "knn"])
@pytest.mark.parametrize("shape", [(3, 8, 8), (1, 8, 9), (64,)], ids=str)
def test_wrong_shape(name, shape, make):
    """Images of another shape are refused with both shapes and how to read them."""
    with pytest.raises(DataError) as error:
        make(name).score(images(shape))
    text = f"this model takes images of shape (1, 8, 8), not {shape}; read them with model.read(...)"
    if len(shape) == 1:
        text = "this model takes arrays of uint8, shape (N, *(1, 8, 8)), not float32; read them with model.read(...)"
    assert str(error.value) == text


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (np.zeros((2, 1, 8, 8)), "float64"),
        (np.zeros((2, 1, 8, 8), np.float32), "float32"),
        (np.zeros((2, 1, 8, 8), bool), "bool"),
        (np.zeros((2, 1, 8, 8), np.int64), "int64"),
        (torch.zeros(2, 1, 8, 8, dtype=torch.uint8), "Tensor"),
        ([[0] * 64], "list"),
        (None, "NoneType"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_wrong_type(given, named, make):
    """Anything but uint8 images is refused with what was given and what is taken; floats are never guessed at."""
    with pytest.raises(DataError) as error:
        make("knn").score(given)
    text = f"this model takes arrays of uint8, shape (N, *(1, 8, 8)), not {named}; read them with model.read(...)"
    assert str(error.value) == text


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (b"\x89PNG", "bytes"),
        ("a.png", "str"),
        (Image.new("L", (20, 30)), "Image"),
        (np.zeros((30, 20), np.uint8), None),
        (np.zeros((30, 20, 3), np.uint8), None),
    ],
    ids=["bytes", "path", "PIL image", "grey", "colour"],
)
def test_one_picture_is_sent_to_judge(given, named, make):
    """Where `score` gets one picture, the line names `Model.judge`, which takes it."""
    what = f"images of shape (1, 8, 8), not {given.shape[1:]}" if named is None else "arrays of uint8"
    with pytest.raises(DataError) as error:
        make("knn").score(given)
    said = str(error.value)
    assert said.startswith(f"this model takes {what}") and (named is None or f"not {named};" in said)
    assert said.endswith("; give one picture to model.judge(...), which takes any size")


def test_its_text_is_one_short_line(make):
    """`repr` says method, shape, number of known classes and threshold, and prints no array."""
    model = make("knn")
    limit = f"threshold={model.threshold.value:.4g}"
    assert repr(model) == f"Model(knn, shape=(1, 8, 8), known=2, {limit})"
    assert repr(replace(model, threshold=None)).endswith("only makes images)")


def test_wrong_type_of_vectors(make):
    """A vectors' model takes float32 only."""
    with pytest.raises(DataError, match=r"arrays of float32, shape \(N, \*\(9,\)\), not float64; give such vectors"):
        make("knn", shape=(9,)).score(np.zeros((2, 9)))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(("name", "net"), [("pca", ""), ("knn", ""), ("anogan", "mlp")])
def test_vectors_that_are_not_finite(name, net, value, make):
    """NaN and infinity are counted and refused before anything is computed."""
    asked = images((9,), 5)
    asked[3, 2] = asked[1] = value
    with pytest.raises(DataError, match=r"^2 of 5 vectors hold NaN or infinity"):
        make(name, net, (9,)).score(asked)


@pytest.mark.parametrize("shape", [(1, 8, 8), (9,)], ids=str)
def test_no_images(shape, make):
    """An empty array is refused, not answered with empty verdicts."""
    with pytest.raises(DataError, match="there are no images to score"):
        make("knn", shape=shape).score(images(shape, 0))


def test_scores_that_are_not_finite(make):
    """Finite vectors whose score overflows are an error of the model, not a verdict."""
    model = make("anogan", "mlp", (9,))
    with pytest.raises(ModelError, match="scores are not finite"):
        model.score(np.full((2, 9), 3e38, np.float32))


def test_device(make, tmp_path, monkeypatch):
    """The networks are made on the device that is asked for; one that is not there is a UsageError."""
    make("anogan").save(tmp_path)
    made = []

    def recording(*arguments, **options):
        made.append(options["device"])
        return GAN(*arguments, **options)

    monkeypatch.setattr("lookalike.detect.restored.GAN", recording)
    assert Model.load(tmp_path).detector.gan.device == torch.device("cpu")
    assert Model.load(tmp_path, torch.device("cpu", 0)).detector.gan.device == torch.device("cpu", 0)
    assert made == ["meta", "cpu", "meta", torch.device("cpu", 0)]  # sizes are compared first
    for name in ("tpu", "cuda:99"):
        with pytest.raises(UsageError, match=f"^--device {name} cannot be used here: .*; use cpu$"):
            Model.load(tmp_path, name)


def test_size_and_channels(make):
    """A model says at which size and in how many channels it wants images; a vectors' model in none."""
    colour, vectors = make("knn", shape=(3, 8, 12)), make("knn", shape=(9,))
    assert (colour.size, colour.channels) == ((8, 12), 3)
    assert (vectors.size, vectors.channels) == (None, None)


def rewritten(folder, tensors=None, **facts):
    """The model in `folder` with other tensors or facts and a right digest, as a forger could write it."""
    there, known = checkpoint.load_model(folder)
    checkpoint.save_model(folder, there | (tensors or {}), known | facts)


def refused(folder):
    """The line with which the model is refused."""
    with pytest.raises(ModelError) as error:
        Model.load(folder)
    assert str(error.value).isprintable()
    return str(error.value)


@pytest.mark.parametrize("name", ["anogan", "pca", "knn"])
def test_tampered_threshold(name, make, tmp_path):
    """A threshold that is not the held-out scores' quantile is refused, whichever of the two was changed."""
    model = make(name)
    model.save(tmp_path)
    rewritten(tmp_path, threshold=model.threshold.value + 1)
    assert "is not its calibration scores' quantile" in refused(tmp_path)
    model.save(tmp_path)
    rewritten(tmp_path, tensors={"calibration": torch.from_numpy(np.sort(model.threshold.calibration) + 1)})
    assert "is not its calibration scores' quantile" in refused(tmp_path)
    model.save(tmp_path)
    rewritten(tmp_path, training={**TRAINING, "false_alarms": 0.5})
    assert "is not its calibration scores' quantile" in refused(tmp_path)


@pytest.mark.parametrize("share", [0, 0.0, 1.5, -1, "0.1", None, [], True, 10**299])
def test_tampered_share(share, make, tmp_path):
    """A share of false alarms that is none is refused as a bad model, not with a crash."""
    make("knn").save(tmp_path)
    rewritten(tmp_path, training={**TRAINING, "false_alarms": share})
    refused(tmp_path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("value_range", value) for value in ([1, 1], [2, 1], [0], [0, 1, 2], "0,1", [0, "1"], [False, True], 5, {})),
        ("value_range", [None, None]),
        *(("threads", value) for value in (0, -1, 1.0, "2", True, None, 1025)),
        *(("counts", value) for value in (None, {}, {"train": 1}, {"train": 1, "calibration": "<b>"}, [1, 2])),
        ("counts", {"train": -1, "calibration": 1}),
        *(("groups", value) for value in (None, [1], {"train": "2"})),
    ],
    ids=str,
)
def test_D28_tampered_training(name, value, make, tmp_path):
    """Facts of the training that a later command reads are refused by name where they are of a wrong kind."""
    make("knn").save(tmp_path)
    rewritten(tmp_path, training={**TRAINING, "false_alarms": 0.25, name: value})
    assert f"the model's training.{name} is missing or has an impossible value" in refused(tmp_path)


@pytest.mark.parametrize("name", ["value_range", "threads", "counts"])
def test_D28_missing_training(name, make, tmp_path):
    """Each of these facts is needed."""
    make("knn").save(tmp_path)
    rewritten(tmp_path, training={k: v for k, v in {**TRAINING, "false_alarms": 0.25}.items() if k != name})
    assert f"the model's training.{name} is missing" in refused(tmp_path)


@pytest.mark.parametrize("value", [None, [0, 4095], [-1.5, 2.5]], ids=str)
def test_value_ranges_that_are_good(value, make, tmp_path):
    """None and two numbers in order come back as they were."""
    make("knn").save(tmp_path)
    rewritten(tmp_path, training={**TRAINING, "false_alarms": 0.25, "value_range": value})
    assert Model.load(tmp_path).training["value_range"] == value


@pytest.mark.parametrize("kind", ["pca", "knn"])
@pytest.mark.parametrize(
    "facts",
    [
        {"shape": [8, 8]},
        {"shape": [2, 8, 8]},
        {"shape": [1, 8, 9]},
        {"shape": [65]},
        {"shape": [1, 2**39, 2**39]},
        {"method": {}},
        {"method": {"name": "<b>"}},
        {"method": {"name": "vtgan"}},
        {"settings": {}},
        {"settings": {"neighbours": "5", "components": "11"}},
        {"settings": {"neighbours": 10**9}},
        {"settings": {"components": 10**9}},
        {"settings": {"components": True}},
        {"settings": {"components": 0}},
        {"settings": {"components": 3}},
        {"classes": {"known": [], "extra_fakes": []}},
        {"classes": {"known": ["a"], "extra_fakes": ["a"]}},
        {"classes": {"known": ["a"], "extra_fakes": [], "more": []}},
    ],
    ids=str,
)
def test_D28_forged_facts_of_a_baseline(facts, kind, make, tmp_path):
    """Facts that do not fit a baseline's tensors, or are none of its own, are refused in one line."""
    make(kind).save(tmp_path)
    rewritten(tmp_path, **facts)
    refused(tmp_path)


@pytest.mark.parametrize(
    ("kind", "name", "tensor", "words"),
    [
        ("pca", "mean", torch.full((64,), torch.nan, dtype=torch.float64), "holds NaN or infinity"),
        ("pca", "mean", torch.zeros(64), "has dtype torch.float32, expected torch.float64"),
        ("pca", "components", torch.zeros(11, 63, dtype=torch.float64), "has shape (11, 63), expected (32, 64)"),
        ("knn", "known", torch.zeros(5, 1, 8, 8), "has dtype torch.float32, expected torch.uint8"),
        ("knn", "known", torch.zeros(5, 1, 8, 9, dtype=torch.uint8), "expected (5, 1, 8, 8)"),
        ("knn", "known", torch.zeros(0, 1, 8, 8, dtype=torch.uint8), "expected (1, 1, 8, 8)"),
        ("knn", "known", torch.zeros((), dtype=torch.uint8), "has shape (), expected (1, 1, 8, 8)"),
        ("knn", "more", torch.zeros(1, dtype=torch.uint8), "is not part of the network"),
        ("knn", "calibration", torch.zeros(12), "has dtype torch.float32, expected torch.float64"),
        ("anogan", "calibration", torch.zeros(3, 4, dtype=torch.float64), "has shape (3, 4), expected (12,)"),
        ("anogan", "calibration", torch.full((12,), torch.inf, dtype=torch.float64), "holds NaN or infinity"),
        ("anogan", "D.trunk.conv1.bias", torch.full((4,), torch.nan), "holds NaN or infinity"),
    ],
)
def test_D20_to_D23_forged_tensors(kind, name, tensor, words, make, tmp_path):
    """NaN, another dtype, another shape, none or one too many: the first offending tensor is named."""
    make(kind).save(tmp_path)
    rewritten(tmp_path, tensors={name: tensor})
    line = refused(tmp_path)
    assert f"tensor '{name}' " in line and words in line


@pytest.mark.parametrize(
    "search",
    [
        {"steps": 0}, {"steps": "9"}, {"steps": 2.5}, {"batch": 10**9}, {"batch": 0}, {"restarts": -1}, {"seed": None},
        {"lam": 2}, {"lam": "0.2"}, {"lr": 0}, {"lr": 10**299}, {"tolerance": -1}, {"patience": 0}, {"patience": True},
        {"reduce": "max"}, {"reduce": ["sum"]}, {"layer": 1}, {"layer": ["pool1"]},
    ],
    ids=str,
)  # fmt: skip
def test_D28_forged_search(search, make, tmp_path):
    """A search setting of another type or out of range is refused when loading, by its name, not when scoring."""
    model = make("anogan")
    model.save(tmp_path)
    rewritten(tmp_path, settings={**model.detector.facts(), **search})
    assert f"search: {next(iter(search))} is " in refused(tmp_path)


@pytest.mark.parametrize(
    "facts",
    [
        {"kind": "forest"},
        {"kind": "knn"},
        {"method": {"name": "os.system"}},
        {"method": {"name": "anogan", "net": {"is": "Popen"}}},
        {"method": {"name": "anogan", "net": 5}},
        {"method": {"name": []}},
        {"shape": [3, 8, 8]},
        {"shape": [1, 8, 7]},
        {"shape": [64]},
        {"classes": {"known": ["a"]}},
        {"training": {}},
        {"settings": {"lam": 0.2, "evil": 1}},
        {"settings": {"layer": "pool9"}},
    ],
    ids=str,
)
def test_forged_facts(facts, make, tmp_path):
    """Facts that do not fit the weights, or name something unknown, are refused in one line."""
    make("anogan").save(tmp_path)
    rewritten(tmp_path, **facts)
    refused(tmp_path)


def test_forged_weights(make, tmp_path):
    """Weights that are not the network's, or not finite, are refused by the tensor's name."""
    model = make("anogan")
    model.save(tmp_path)
    rewritten(tmp_path, tensors={"G.0.weight": torch.zeros(2, 2)})
    assert "tensor 'G.0.weight' has shape (2, 2)" in refused(tmp_path)
    model.save(tmp_path)
    rewritten(tmp_path, tensors={"calibration": torch.full((12,), torch.nan, dtype=torch.float64)})
    refused(tmp_path)


def test_D25_a_golden_model_scores_as_when_it_was_written():
    """A whole model of schema 1 is loaded by every later version and gives its scores, parts and p-values, forever."""
    folder = Path(__file__).parents[1] / "golden" / "mcgan_v1"
    wanted = json.loads((folder / "scores.json").read_text("ascii"))
    said = Model.load(folder).score(read("digits", size=(8, 8)).pixels[:6])
    found = {"score": said.score, "p_value": said.p_value, **said.parts}
    for name, values in wanted.items():
        assert found[name] == pytest.approx(values, rel=1e-3), name  # other processors end in other bits
    assert set(wanted) == {"score", "p_value", "R", "L_D", "realness"}


def test_D22_a_card_that_asks_for_a_huge_network_is_refused_before_it_is_built(make, tmp_path):
    """Sizes are compared without taking memory: a forged width of 60,000 (terabytes) is refused at once."""
    model = make("anogan", "dcgan", (3, 8, 8))
    model.save(tmp_path)
    tensors, facts = checkpoint.load_model(tmp_path)
    facts["method"]["net"] = {"is": "Dcgan", "width": 60_000, "levels": None}
    checkpoint.save_model(tmp_path, tensors, facts)
    with pytest.raises(ModelError, match="has shape"):
        Model.load(tmp_path)


# --- several known classes


@pytest.fixture
def make_joined(small, make_source):
    """Makes a model of two known classes, each with a detector of a kind of its own images."""

    def model(name, net="anogan", shape=(1, 8, 8), **how):
        members = {}
        for seed, known in enumerate(("a", "b")):
            if name in BASELINES:
                members[known] = BASELINES[name].fit(images(shape, 40, seed), 1)
                continue
            gan = GAN(small(METHODS[name], net), shape, ema=0.9)
            list(train(gan, make_source(shape, seed=seed), images=18, batch=6))
            members[known] = GANDetector(gan, Search(steps=4, lam=0.3, seed=5))
        method = {"name": name} if name in BASELINES else stored.to_json(members["a"].gan.method)
        held = np.concatenate([images(shape, 15, 20), images(shape, 15, 21)])
        detector = OpenSet.fit(members, held, np.repeat([0, 1], 15), **how)
        limit = Threshold(detector.score(images(shape, 12, 7)).score, 0.25)
        return Model(detector, limit, shape, {"known": ("a", "b"), "extra_fakes": ("c",)}, method, TRAINING)

    return model


JOINED = [("knn", "", "grey"), ("knn", "", "vectors"), ("auto", "", "grey"), ("vtgan", "anogan", "colour")]


def test_a_loaded_detector_decides_first_again(make_joined, tmp_path):
    """Who decides is part of the model: the loaded one gives the same bits, which are not those of a regression."""
    model = make_joined("knn", decides="best")
    model.save(tmp_path)
    asked = images((1, 8, 8))
    first, again = model.score(asked), Model.load(tmp_path).score(asked)
    assert np.array_equal(first.classes, again.classes) and np.array_equal(first.score, again.score)
    assert not np.array_equal(first.classes, make_joined("knn").score(asked).classes)


@pytest.mark.parametrize(("name", "net", "shape"), [*JOINED, ("anogan", "mlp", "vectors")], ids=str)
def test_loaded_detectors_of_several_classes_give_the_same_bits(name, net, shape, make_joined, tmp_path):
    """Scores, verdicts, probabilities, parts and nearest images of a loaded open set are those of the saved one."""
    model = make_joined(name, net, SHAPES[shape])
    model.save(tmp_path)
    loaded, asked = Model.load(tmp_path), images(SHAPES[shape])
    first, again = model.score(asked), loaded.score(asked)
    for field in ("score", "p_value", "flagged", "nearest", "classes", "label"):
        assert np.array_equal(getattr(first, field), getattr(again, field)), field
    assert {k: v.tolist() for k, v in first.parts.items()} == {k: v.tolist() for k, v in again.parts.items()}
    assert (list(first.parts), first.classes.shape) == (["as a", "as b"], (9, 2))
    assert loaded.detector.facts() == model.detector.facts()
    assert (first.nearest is None) == (name == "auto" or (name == "knn" and shape == "vectors"))
    assert not np.array_equal(first.parts["as a"], first.parts["as b"])


def test_labels_by_hand():
    """The label is the most likely class, -1 where flagged; of one known class it is 0."""
    shares = np.array([[0.2, 0.7, 0.1], [0.9, 0.05, 0.05], [0.1, 0.2, 0.7]])
    score, flagged = np.zeros(3), np.array([False, True, False])
    assert Verdicts(score, score, flagged, classes=shares).label.tolist() == [1, -1, 2]
    assert Verdicts(score, score, flagged).label.tolist() == [0, -1, 0]


FORGED = {
    "a member too few": ({"members": [{"neighbours": 5}]}, "does not have one detector for each of its 2 known"),
    "a scale too many": ({"scales": [[0.0, 1.0]] * 3}, "does not have one detector for each of its 2 known"),
    "no list": ({"members": 2}, "is not a model that this version can build"),
    "another field": ({"more": 1}, "does not have one detector for each"),
    "nested": ({"kind": "openset"}, "kind openset is no detector of single classes"),
    "a classifier": ({"kind": "cnn"}, "method is missing or has an impossible value"),
    "another baseline": ({"kind": "pca"}, "method is missing or has an impossible value"),
    "nobody's": ({"kind": "Popen"}, "kind Popen is no detector of single classes"),
    "no name": ({"kind": ["knn"]}, "kind ['knn'] is no detector of single classes"),
    "settings": ({"members": [{"neighbours": 5}, {"neighbours": 6}]}, "knn has the settings {'neighbours': 6}"),
    "no settings": ({"members": [{"neighbours": 5}, None]}, "knn has the settings None"),
    "a spread of 0": ({"scales": [[0.0, 1.0], [0.0, 0.0]]}, "b has the scale [0.0, 0.0], not a middle and a spread"),
    "an AUC too few": ({"apart": [0.9]}, "does not have one detector for each of its 2 known"),
    "no AUC": ({"apart": [0.9, 1.5]}, "the model's AUCs of single classes are [0.9, 1.5]"),
    "an order of others": ({"order": [0, 2]}, "the model's order of classes is [0, 2], not of all 2"),
    "an order of names": ({"order": ["a", "b"]}, "the model's order of classes is ['a', 'b'], not of all 2"),
    "an order of one": ({"order": [0]}, "the model's order of classes is [0], not of all 2"),
    "no order": ({"order": 1}, "is not a model that this version can build"),
    "whole numbers": ({"scales": [[0, 1], [0.0, 1.0]]}, "a has the scale [0, 1], not a"),
}


@pytest.mark.parametrize("case", FORGED)
def test_D28_forged_facts_of_several_classes(case, make_joined, tmp_path):
    """Facts of joined detectors that do not fit, or name what is none, are refused in one line."""
    changes, words = FORGED[case]
    model = make_joined("knn")
    model.save(tmp_path)
    rewritten(tmp_path, settings=model.detector.facts() | changes)
    assert words in refused(tmp_path)


@pytest.mark.parametrize("missing", ["kind", "members", "scales", "apart"])
def test_D28_missing_facts_of_several_classes(missing, make_joined, tmp_path):
    """Each fact that joins detectors is needed."""
    model = make_joined("knn")
    model.save(tmp_path)
    rewritten(tmp_path, settings={k: v for k, v in model.detector.facts().items() if k != missing})
    assert "does not have one detector for each of its 2 known classes" in refused(tmp_path)


@pytest.mark.parametrize(
    "facts",
    [
        {"kind": "knn"}, {"kind": "gan"}, {"kind": "cnn"}, {"method": {}}, {"method": {"name": "vtgan"}},
        {"shape": [1, 8, 9]}, {"shape": [64]}, {"classes": {"known": ["a"], "extra_fakes": []}},
        {"classes": {"known": ["a", "b", "c"], "extra_fakes": []}},
    ],
    ids=str,
)  # fmt: skip
def test_forged_cards_of_several_classes(facts, make_joined, tmp_path):
    """Another kind, method, shape or number of classes than the detectors' is refused in one line."""
    make_joined("knn").save(tmp_path)
    rewritten(tmp_path, **facts)
    refused(tmp_path)


@pytest.mark.parametrize(
    ("name", "tensor", "words"),
    [
        ("weights", torch.zeros(3, 2, dtype=torch.float64), "has shape (3, 2), expected (2, 2)"),
        ("weights", torch.zeros(2, 2), "has dtype torch.float32, expected torch.float64"),
        ("weights", torch.full((2, 2), torch.nan, dtype=torch.float64), "holds NaN or infinity"),
        ("biases", torch.full((2,), torch.inf, dtype=torch.float64), "holds NaN or infinity"),
        ("biases", torch.zeros(1, dtype=torch.float64), "has shape (1,), expected (2,)"),
        ("0.known", torch.zeros(5, 1, 8, 8), "has dtype torch.float32, expected torch.uint8"),
        ("2.known", torch.zeros(5, 1, 8, 8, dtype=torch.uint8), "belongs to no known class"),
        ("00.known", torch.zeros(5, 1, 8, 8, dtype=torch.uint8), "belongs to no known class"),
        ("known", torch.zeros(5, 1, 8, 8, dtype=torch.uint8), "belongs to no known class"),
        ("1.more", torch.zeros(1, dtype=torch.uint8), "is not part of the network"),
    ],
    ids=str,
)
def test_D20_to_D23_forged_tensors_of_several_classes(name, tensor, words, make_joined, tmp_path):
    """A regression of another size or dtype, or not finite, and tensors of no class are refused by their name."""
    make_joined("knn").save(tmp_path)
    rewritten(tmp_path, tensors={name: tensor})
    line = refused(tmp_path)
    assert f"tensor '{name.partition('.')[2] if name[:2] in ('0.', '1.') else name}' " in line and words in line


@pytest.mark.parametrize("missing", ["weights", "biases", "1.known"])
def test_D20_missing_tensors_of_several_classes(missing, make_joined, tmp_path):
    """A model without part of its regression, or without one class's detector, is refused."""
    make_joined("knn").save(tmp_path)
    tensors, facts = checkpoint.load_model(tmp_path)
    del tensors[missing]
    checkpoint.save_model(tmp_path, tensors, facts)
    assert f"tensor '{missing.removeprefix('1.')}' is missing" in refused(tmp_path)
