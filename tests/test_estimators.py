"""The scikit-learn face: its own checks, the forms of X, and the same figures as the command line's."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import warnings

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import estimator_checks_generator

import lookalike
from lookalike.baselines import BASELINES
from lookalike.errors import DataError, LookalikeError, UsageError
from lookalike.estimators import LookalikeDetector
from lookalike.metrics.auc import auc

VECTORS = ("knn", "pca", "lof")  # quick ones that take vectors
QUICK = {"images": 64, "batch": 8, "width": 1, "z": 4, "search_steps": 3, "search_batch": 32, "patience": 2}


def checks():
    """Each of scikit-learn's checks for some baselines and a GAN, none marked as expected to fail."""
    for method in VECTORS:
        yield from estimator_checks_generator(LookalikeDetector(method))
    yield from estimator_checks_generator(LookalikeDetector("anogan", settings=QUICK))


def _name(part):
    return getattr(getattr(part, "func", part), "__name__", None) or part.method


@pytest.mark.parametrize(("estimator", "check"), list(checks()), ids=_name)
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")
def test_scikit_learns_checks(estimator, check):
    """Every check of scikit-learn passes; the one on array API input, which needs a switch, has a test of its own."""
    if _name(check) != "check_array_api_input":
        check(estimator)


def test_scikit_learns_check_of_array_api():
    """The check that asks for SCIPY_ARRAY_API=1 passes in a process that has it."""
    code = (
        "import warnings; warnings.simplefilter('ignore');"
        "from sklearn.utils.estimator_checks import check_estimator;"
        "from lookalike.estimators import LookalikeDetector;"
        "said = {r['check_name']: r['status'] for r in check_estimator(LookalikeDetector())};"
        "assert set(said.values()) == {'passed'}, said; print(len(said))"
    )
    env = os.environ | {"SCIPY_ARRAY_API": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) > 30


@pytest.fixture(scope="module")
def digits():
    """(N, 64) float64 in 0..16, and labels."""
    return load_digits(return_X_y=True)


def test_predictions_follow_from_the_score(digits):
    """decision_function is score_samples minus offset_, predict its sign, and known samples are flagged as allowed."""
    X, y = digits
    threes, eights = X[y == 3], X[y == 8]
    detector = LookalikeDetector("pca", image_shape=(8, 8), random_state=0).fit(threes[:120])
    scores, decision = detector.score_samples(X), detector.decision_function(X)
    assert np.array_equal(decision, scores - detector.offset_)
    assert np.array_equal(detector.predict(X), np.where(decision < 0, -1, 1))
    assert -detector.offset_ == detector.model_.threshold.value
    assert np.mean(detector.predict(threes[120:]) == -1) < 0.2
    assert auc(-detector.score_samples(threes[120:]), -detector.score_samples(eights)).value > 0.85


def test_flat_rows_images_and_uint8_are_the_same(digits):
    """Rows with image_shape, (N, H, W), (N, H, W, 1) and uint8 images on 0..255 give bit-equal scores."""
    X, y = digits
    known = X[y == 3]
    flat = LookalikeDetector("knn", image_shape=(8, 8), random_state=1).fit(known)
    assert (flat.low_, flat.high_) == (0, 16)
    wanted = flat.score_samples(X)
    for form in (X.reshape(-1, 8, 8), X.reshape(-1, 8, 8, 1)):
        assert np.array_equal(LookalikeDetector("knn", random_state=1).fit(form[y == 3]).score_samples(form), wanted)
    as_bytes = np.rint(X / 16 * 255).astype(np.uint8).reshape(-1, 8, 8)
    detector = LookalikeDetector("knn", random_state=1).fit(as_bytes[y == 3])
    assert (detector.low_, detector.high_) == (0, 255)
    assert np.array_equal(detector.score_samples(as_bytes), wanted)


def test_colour_keeps_its_channels():
    """(N, H, W, 3) reaches the model as (N, 3, H, W), each channel in its place."""
    X = np.random.default_rng(0).integers(0, 256, (30, 4, 8, 3), dtype=np.uint8)
    model = LookalikeDetector("knn", false_alarms=0.2, random_state=0).fit(X).model_
    assert model.shape == (3, 4, 8)
    assert model.detector.known[0].transpose(1, 2, 0).tolist() in X.tolist()


def test_the_scores_are_those_of_the_command(tmp_path, digits):
    """The run that the estimator keeps is a run folder: its stored model gives the estimator's scores, bit for bit."""
    X, y = digits
    detector = LookalikeDetector(
        "anogan", image_shape=(8, 8), settings=QUICK, run_folder=tmp_path / "run", random_state=3
    ).fit(X[y == 3])
    model = lookalike.Model.load(tmp_path / "run")
    pixels = np.rint(X / 16 * 255).astype(np.uint8).reshape(-1, 1, 8, 8)
    assert np.array_equal(-model.score(pixels).score, detector.score_samples(X))
    again = LookalikeDetector(
        "anogan", image_shape=(8, 8), settings=QUICK, run_folder=tmp_path / "run", random_state=3
    ).fit(X[y == 3])
    assert np.array_equal(again.score_samples(X), detector.score_samples(X))


@pytest.mark.parametrize("method", [*sorted(set(BASELINES) - {"autoencoder", "deepsvdd", "rotation"}), "anogan"])
def test_pickled_detectors_score_the_same(method, digits):
    """A detector that went through pickle, as joblib's workers do, gives bit-equal scores."""
    X, y = digits
    detector = LookalikeDetector(method, image_shape=(8, 8), settings=QUICK, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # settings that a baseline does not use
        detector.fit(X[y == 3][:60])
    twin = pickle.loads(pickle.dumps(detector))
    assert np.array_equal(twin.score_samples(X[:50]), detector.score_samples(X[:50]))


def test_pipelines_and_searches(digits):
    """It works behind a scaler, in cross_val_score and in GridSearchCV over its own parameters."""
    X, y = digits
    known = X[y == 3]
    truth = np.where(y == 3, 1, -1)
    assert make_pipeline(StandardScaler(), LookalikeDetector("pca")).fit(known).predict(X).shape == truth.shape

    def accuracy(detector, X, _y=None):
        return float(np.mean(detector.predict(X) == 1))

    assert np.all(cross_val_score(LookalikeDetector("knn", random_state=0), known, scoring=accuracy, cv=3) > 0.7)
    search = GridSearchCV(LookalikeDetector(random_state=0), {"method": ["knn", "pca"]}, scoring=accuracy, cv=3)
    assert search.fit(known).best_params_["method"] in ("knn", "pca")


def test_few_samples_are_told(digits):
    """With 4 held-out samples 5 % cannot be promised: a warning says what is, and no held-out sample is flagged."""
    X, y = digits
    with pytest.warns(UserWarning, match=r"^4 held-out samples cannot promise 0\.05 .* promises 0\.2;"):
        detector = LookalikeDetector("knn", random_state=0).fit(X[y == 3][:20])
    assert -detector.offset_ == detector.model_.threshold.calibration.max()


REFUSED = {
    "no method": ({"method": "gan"}, "method"),
    "a method that needs others": ({"method": "mcgan"}, "against"),
    "sides": ({"image_shape": (8, 9)}, r"image_shape \(8, 9\) does not fit rows of 64 entries"),
    "channels": ({"image_shape": (4, 8, 2)}, "C 1 or 3"),
    "share": ({"false_alarms": 1.5}, "false-alarms"),
    "setting": ({"settings": {"colour": 3}}, "colour"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_parameters_are_refused_by_fit(case, digits):
    """Each wrong parameter is one line, from `fit` and not from the constructor."""
    given, words = REFUSED[case]
    detector = LookalikeDetector(**given)
    with pytest.raises(LookalikeError, match=words) as error:
        detector.fit(digits[0])
    assert "\n" not in str(error.value)


def test_other_shapes_are_refused(digits):
    """Images of another shape than fit's, of two channels, or given beside image_shape, are one line."""
    images = digits[0].reshape(-1, 8, 8)
    detector = LookalikeDetector("knn", random_state=0).fit(images)
    with pytest.raises(DataError, match=r"images of \(4, 16, 1\); the detector was fitted on images of \(8, 8, 1\)"):
        detector.predict(images.reshape(-1, 4, 16))
    with pytest.raises(DataError, match=r"flat rows; the detector was fitted on images of \(8, 8, 1\)"):
        detector.predict(digits[0])
    with pytest.raises(DataError, match=r"images of \(8, 8, 1\); the detector was fitted on vectors"):
        detector.fit(digits[0]).predict(images)
    with pytest.raises(DataError, match="1 or 3"):
        LookalikeDetector("knn").fit(images.reshape(-1, 8, 4, 2))
    with pytest.raises(UsageError, match="leave it out"):
        LookalikeDetector("knn", image_shape=(8, 8)).fit(images)
