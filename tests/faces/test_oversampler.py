"""GANOverSampler against imbalanced-learn's conventions and its own sampler."""

from __future__ import annotations

import sys
import warnings

import numpy as np
import pytest
from imblearn.over_sampling import RandomOverSampler
from imblearn.pipeline import make_pipeline
from imblearn.utils.estimator_checks import estimator_checks_generator
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.preprocessing import MinMaxScaler

import lookalike
from lookalike.base.errors import DataError, UsageError
from lookalike.faces.oversampler import GANOverSampler
from lookalike.use.generate import generators

TINY = {"images": 64, "batch": 32, "width": 8, "z": 4}


def sampler(**changes):
    """A sampler that trains for a moment."""
    return GANOverSampler(**{"settings": TINY, "random_state": 0} | changes)


def test_without_its_extra_one_line_says_what_to_install(monkeypatch):
    """Without imbalanced-learn the name ends in an import error that says how to install the extra."""
    monkeypatch.setitem(sys.modules, "imblearn.over_sampling.base", None)
    monkeypatch.delitem(sys.modules, "lookalike.faces.oversampler")
    text = "GANOverSampler needs the extra imblearn; pip install '.[imblearn]' in the folder with lookalike's source"
    with pytest.raises(ModuleNotFoundError) as error:
        _ = lookalike.GANOverSampler
    assert str(error.value) == text


CHECKS = list(estimator_checks_generator(sampler(), legacy=True))


@pytest.mark.parametrize(("estimator", "check"), CHECKS, ids=[check.func.__name__ for _, check in CHECKS])
def test_imbalanced_learns_checks(estimator, check):
    """Every check of imbalanced-learn and scikit-learn for samplers passes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the checks' own
        check(estimator)


@pytest.fixture(scope="module")
def vectors():
    """60, 25 and 12 vectors of three classes, named."""
    random = np.random.default_rng(0)
    y = np.repeat(["a", "b", "c"], [60, 25, 12])
    return random.normal(size=(97, 5)) + (y == "b")[:, None] * 3, y


@pytest.mark.parametrize(
    "strategy",
    [
        "auto",
        "minority",
        "not minority",
        "not majority",
        "all",
        {"b": 40, "c": 12},
        {"c": 30},
        lambda y: {"c": int((y == "b").sum())},
    ],
)
def test_every_strategy_gives_as_many_as_imbalanced_learns_own(strategy, vectors):
    """Counts are RandomOverSampler's, the given samples stand first as they were, and the rest is generated."""
    x, y = vectors
    mine = sampler(sampling_strategy=strategy)
    more, labels = mine.fit_resample(x, y)
    _, wanted = RandomOverSampler(sampling_strategy=strategy, random_state=0).fit_resample(x, y)
    assert sorted(labels) == sorted(wanted)
    assert np.array_equal(more[:97], x) and np.array_equal(labels[:97], y)
    assert labels.dtype == y.dtype and more.dtype == x.dtype
    assert {name: int((labels[97:] == name).sum()) for name in mine.sampling_strategy_} == mine.sampling_strategy_


def test_a_ratio_of_two_classes(vectors):
    """0.5 is half as many of the smaller class as of the larger."""
    x, y = vectors[0][:85], vectors[1][:85]
    _, labels = sampler(sampling_strategy=0.5).fit_resample(x, y)
    assert (labels == "b").sum() == 30 and (labels == "a").sum() == 60


def test_generated_samples_are_the_models_on_the_scale_of_the_data(vectors):
    """A sample is low + (v + 1) / 2 (high - low), feature by feature, of the vector v that its class's G makes."""
    x, y = vectors
    mine = sampler(sampling_strategy={"c": 20})
    more, _ = mine.fit_resample(x, y)
    seed = int(np.random.RandomState(0).randint(2**31))
    made = np.concatenate(list(generators(mine.model_)["label c"].images(8, seed=seed))).astype(float)
    low, high = x.min(0), x.max(0)
    assert np.allclose(more[97:], low + (made + 1) / 2 * (high - low))


@pytest.mark.parametrize("channels", [(), (1,), (3,)])
def test_images_keep_their_shape_and_dtype(channels):
    """(N, H, W) and (N, H, W, C) of uint8 come back so; originals are untouched."""
    x = np.random.default_rng(0).integers(0, 256, (40, 8, 8, *channels), dtype=np.uint8)
    y = np.repeat([3, 5], [28, 12])
    before = x.copy()
    more, labels = sampler().fit_resample(x, y)
    assert more.shape == (56, 8, 8, *channels) and more.dtype == np.uint8
    assert np.array_equal(more[:40], before) and np.array_equal(x, before)
    assert np.bincount(labels)[[3, 5]].tolist() == [28, 28]


def test_flat_rows_that_are_images():
    """With image_shape rows of pixels are learnt as images and come back as rows of their range."""
    data = load_digits()
    rows = np.concatenate([np.flatnonzero(data.target == 3)[:30], np.flatnonzero(data.target == 8)[:12]])
    mine = sampler(image_shape=(8, 8))
    more, labels = mine.fit_resample(data.data[rows], data.target[rows])
    assert more.shape == (60, 64) and np.bincount(labels)[[3, 8]].tolist() == [30, 30]
    assert more.min() >= 0 and more.max() <= 16 and mine.model_.shape == (1, 8, 8)


def test_the_same_seed_gives_the_same_samples_and_another_others(vectors):
    """Two fits with one random_state end in the same bits."""
    one, same, other = (sampler(random_state=seed).fit_resample(*vectors)[0] for seed in (1, 1, 2))
    assert np.array_equal(one, same) and not np.array_equal(one, other)


def test_where_nothing_is_short_nothing_is_trained(vectors):
    """Balanced samples come back as they are."""
    x, y = vectors[0][:24], np.repeat(["a", "b"], 12)
    more, labels = sampler().fit_resample(x, y)
    assert np.array_equal(more, x) and np.array_equal(labels, y)


@pytest.mark.filterwarnings("ignore:label c. the GAN had 6 distinct samples")  # half of them, in two folds
def test_it_works_in_a_pipeline_with_cross_validation(vectors):
    """Between a scaler and a classifier, cloned and fitted anew in each fold."""
    pipeline = make_pipeline(MinMaxScaler(), sampler(), LogisticRegression())
    scores = cross_val_score(pipeline, *vectors, cv=2)
    assert scores.shape == (2,) and np.isfinite(scores).all()


def test_it_is_cloned_and_public():
    """It is a name of the package, and a clone has its parameters."""
    mine = sampler(sampling_strategy={"c": 9})
    assert lookalike.GANOverSampler is GANOverSampler
    assert clone(mine).get_params() == mine.get_params()


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"method": "knn"}, UsageError, "knn makes no images of a given class"),
        ({"image_shape": (2, 2)}, UsageError, "image_shape .* does not fit rows of 5 entries"),
        ({"sampling_strategy": {"a": 3}}, ValueError, "should be greater or equal"),
        ({"settings": {"imagse": 3}}, UsageError, "imagse"),
    ],
)
def test_what_cannot_be_used_is_a_value_error(changes, error, said, vectors):
    """As scikit-learn's and imbalanced-learn's users expect."""
    with pytest.raises(error, match=said):
        sampler(**changes).fit_resample(*vectors)


def test_a_class_with_one_sample_is_refused():
    """Two samples at least are learnt from."""
    with pytest.raises(DataError, match="images of known class label 1: 1 to train on"):
        sampler().fit_resample(np.random.default_rng(0).normal(size=(11, 3)), [0] * 10 + [1])
