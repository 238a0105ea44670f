"""A trained model in its folder: bit-equal scores after loading, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lookalike import checkpoint
from lookalike.baselines import BASELINES
from lookalike.errors import DataError, ModelError
from lookalike.gan import GAN
from lookalike.methods import METHODS, stored
from lookalike.model import Model
from lookalike.train import train
from lookalike.use.invert import Search
from lookalike.use.score import GANDetector, Threshold

SHAPES = {"grey": (1, 8, 8), "colour": (3, 8, 12), "vectors": (9,)}
KINDS = [
    *((name, "mlp" if shape == "vectors" else "anogan", shape) for name in METHODS for shape in SHAPES),
    ("vtgan", "dcgan", "colour"),
    *((name, "", shape) for name in BASELINES for shape in SHAPES),
]


def images(shape, n=9, seed=1):
    """Random images or vectors as a source gives them."""
    random = np.random.default_rng(seed)
    if len(shape) == 1:
        return random.standard_normal((n, *shape)).astype(np.float32)
    return random.integers(0, 256, (n, *shape), dtype=np.uint8)


@pytest.fixture
def make(small, make_source):
    """Makes a model of a kind, trained for three steps where it trains."""

    def model(name, net="anogan", shape=(1, 8, 8), ema=0.0):
        if name in BASELINES:
            detector, method = BASELINES[name].fit(images(shape, 40)), {"name": name}
        else:
            gan = GAN(small(METHODS[name], net), shape, ema=ema)
            list(train(gan, make_source(shape), images=18, batch=6))
            detector = GANDetector(gan, Search(steps=4, lam=0.3, seed=5))
            method = stored.to_json(gan.method)
        limit = Threshold(detector.score(images(shape, 12, 7)).score, 0.25)
        classes = {"known": ("a", "b"), "against": ("c",)}
        return Model(detector, limit, shape, classes, method, {"images": 18, "value_range": [0, 1]})

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
    assert loaded.classes == {"known": ("a", "b"), "against": ("c",)}
    assert loaded.training == {"images": 18, "value_range": [0, 1]}
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
    text = f"this model takes images of shape (1, 8, 8), not {shape}; read them with size=(8, 8)"
    assert str(error.value) == text


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
    rewritten(tmp_path, training={"false_alarms": 0.5})
    assert "is not its calibration scores' quantile" in refused(tmp_path)


@pytest.mark.parametrize("share", [0, 0.0, 1.5, -1, "0.1", None, [], True, 10**400])
def test_tampered_share(share, make, tmp_path):
    """A share of false alarms that is none is refused as a bad model, not with a crash."""
    make("knn").save(tmp_path)
    rewritten(tmp_path, training={"false_alarms": share})
    refused(tmp_path)


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
