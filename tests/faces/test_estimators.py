"""The scikit-learn face: its own checks, the forms of X, and the same figures as the command line's."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.metrics import DetCurveDisplay, RocCurveDisplay, get_scorer
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import estimator_checks_generator

import lookalike
from lookalike.base.errors import DataError, LookalikeError, UsageError
from lookalike.detect.auc import auc
from lookalike.detect.baselines import BASELINES, classifier
from lookalike.faces.estimators import LookalikeDetector, OpenSetClassifier

VECTORS = ("knn", "pca", "lof", "mahalanobis", "iforest", "ocsvm-pca", "auto")
CLASSIFYING = ("knn", "pca", "mahalanobis", "ocsvm-pca", "auto")  # with iforest the same checks take 80 s
LEFT_OUT = {
    ("auto", "check_n_features_in_after_fitting"): "it fits 4 samples of a class, and auto needs 5",
    ("auto", "check_estimators_nan_inf"): "it fits 4 samples of a class, and auto needs 5",
    ("auto", "check_fit2d_1feature"): "it fits 2 samples of a class, and auto says that it needs 5",
    ("anogan", "check_classifiers_train"): "it asks for an accuracy that a GAN's seed decides",
}  # of OpenSetClassifier
QUICK = {"images": 64, "batch": 8, "width": 1, "z": 4, "search_steps": 3, "search_batch": 32, "patience": 2}
HASTY = QUICK | {"images": 8, "search_steps": 1}


def checks():
    """Each of scikit-learn's checks for some baselines and a GAN, none marked as expected to fail."""
    for method in VECTORS:
        yield from estimator_checks_generator(LookalikeDetector(method))
    yield from estimator_checks_generator(LookalikeDetector("anogan", settings=QUICK))
    for method in (*CLASSIFYING, "anogan"):
        settings = HASTY if method == "anogan" else None
        for _, check in estimator_checks_generator(OpenSetClassifier(method)):
            if (method, _name(check)) not in LEFT_OUT:
                yield OpenSetClassifier(method, settings=settings), check


def _name(part):
    return getattr(getattr(part, "func", part), "__name__", None) or part.method


@pytest.mark.parametrize(("estimator", "check"), list(checks()), ids=_name)
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")
def test_scikit_learns_checks(estimator, check):
    """Every check of scikit-learn passes; the one on array API input, which needs a switch, has a test of its own."""
    if _name(check) != "check_array_api_input":
        check(estimator)


@pytest.mark.parametrize("estimator", [LookalikeDetector, OpenSetClassifier])
def test_scikit_learns_check_of_array_api(estimator):
    """Every check, with the one that asks for SCIPY_ARRAY_API=1, passes in a process that has it."""
    code = (
        "import warnings; warnings.simplefilter('ignore');"
        "from sklearn.utils.estimator_checks import check_estimator;"
        f"from lookalike.faces.estimators import {estimator.__name__} as estimator;"
        "said = {r['check_name']: r['status'] for r in check_estimator(estimator())};"
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


def test_heavy_tails_keep_the_promise():
    """Held-out samples do not set the range: with 10 % allowed about 10 % of lognormal data are flagged."""
    flagged = []
    for seed in range(10):
        X = np.exp(2 * np.random.default_rng(seed).standard_normal((1100, 50)))
        detector = LookalikeDetector("knn", false_alarms=0.1, calibration=0.5, random_state=seed).fit(X[:100])
        flagged.append(np.mean(detector.predict(X[100:]) == -1))
    assert np.mean(flagged) == pytest.approx(0.1, abs=0.05)


def test_the_range_is_that_of_the_training_part(digits):
    """Scaled training vectors fill [-1, 1] exactly, and the split follows the content before it was scaled."""
    X = digits[0][digits[1] == 3]
    detector = LookalikeDetector("knn", random_state=0).fit(X)
    known = detector.model_.detector.known
    varied = detector.high_ > detector.low_
    assert known.shape == (146, 64)  # of 183, a fifth is held out
    assert np.all(known[:, varied].min(0) == -1) and np.all(known[:, varied].max(0) == 1)
    assert np.all(known[:, ~varied] == -1)


def test_few_samples_are_told(digits):
    """With 4 held-out samples 5 % cannot be promised: a warning says what is, and no held-out sample is flagged."""
    X, y = digits
    with pytest.warns(UserWarning, match=r"^4 calibration samples cannot promise 5 % .* promises 20 %;"):
        detector = LookalikeDetector("knn", random_state=0).fit(X[y == 3][:20])
    assert -detector.offset_ == detector.model_.threshold.calibration.max()


REFUSED = {
    "no method": ({"method": "gan"}, "method"),
    "a method that needs others": ({"method": "mcgan"}, "--extra-fakes"),
    "sides": ({"image_shape": (8, 9)}, r"image_shape \(8, 9\) does not fit rows of 64 entries"),
    "channels": ({"image_shape": (4, 8, 2)}, "where C is 1 or 3"),
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
    with pytest.raises(UsageError, match="leave image_shape out"):
        LookalikeDetector("knn", image_shape=(8, 8)).fit(images)


# --- the classifier that can say "none of these"


@pytest.fixture(scope="module")
def three(digits):
    """(X, y) of digits 3, 5 and 8 to fit on, and (X, y) of all digits that were not fitted."""
    X, y = digits
    fitted = np.isin(y, [3, 5, 8]) & (np.arange(len(y)) % 3 > 0)
    return X[fitted], y[fitted], X[~fitted], y[~fitted]


def test_the_classifier_tells_known_classes_apart_and_others_unknown(three):
    """Of unseen digits nearly all known ones are named right, and other digits are mostly given the unknown label."""
    X, y, asked, true = three
    fitted = OpenSetClassifier("knn", unknown_label=-1, random_state=0).fit(X, y)
    known, said = np.isin(true, [3, 5, 8]), fitted.predict(asked)
    assert fitted.classes_.tolist() == [3, 5, 8] and said.dtype == fitted.classes_.dtype
    assert np.mean(said[known] == true[known]) > 0.85 and np.mean(said[~known] == -1) > 0.6
    assert set(said.tolist()) == {-1, 3, 5, 8}


@pytest.mark.parametrize("method", ["knn", "cnn"])
def test_the_unknown_label_stands_exactly_where_flagged(method, three, monkeypatch):
    """predict is unknown_label where verdicts() flags, else the class of the greatest probability; rows sum to one."""
    monkeypatch.setattr(classifier, "STEPS", 20)
    X, y, asked, _ = three
    fitted = OpenSetClassifier(method, unknown_label=-1, image_shape=(8, 8), random_state=0).fit(X, y)
    verdicts, said, shares = fitted.verdicts(asked), fitted.predict(asked), fitted.predict_proba(asked)
    assert 0 < verdicts.flagged.sum() < len(asked)
    assert np.array_equal(said == -1, verdicts.flagged)
    likely = fitted.classes_[shares.argmax(1)]
    assert np.array_equal(said[~verdicts.flagged], likely[~verdicts.flagged])
    assert shares.shape == (len(asked), 3) and shares.sum(1) == pytest.approx(np.ones(len(asked)), abs=1e-9)
    assert np.array_equal(verdicts.flagged, verdicts.score > -fitted.offset_)
    assert np.array_equal(-verdicts.score, fitted.score_samples(asked))
    never = OpenSetClassifier(method, image_shape=(8, 8), random_state=0).fit(X, y)
    assert np.array_equal(never.predict(asked), likely)


def test_labels_that_are_text(three):
    """Text labels come back as text; a longer unknown label is not cut."""
    X, y, asked, _ = three
    names = np.array(["", "", "", "Tee", "", "Bag", "", "", "Hat"])[y]
    fitted = OpenSetClassifier("knn", unknown_label="unknown", random_state=0).fit(X, names)
    assert fitted.classes_.tolist() == ["Bag", "Hat", "Tee"]
    said = fitted.predict(asked)
    assert set(said.tolist()) == {"Bag", "Hat", "Tee", "unknown"}
    assert np.array_equal(said == "unknown", fitted.verdicts(asked).flagged)
    numbers = OpenSetClassifier("knn", unknown_label=-1, random_state=0).fit(X, y).verdicts(asked).flagged
    assert numbers.sum() == pytest.approx((said == "unknown").sum(), abs=40)
    as_objects = OpenSetClassifier("knn", unknown_label="unknown", random_state=0).fit(X, names.astype(object))
    assert as_objects.predict(asked).tolist() == said.tolist()


def test_more_than_ten_classes_keep_their_order():
    """Twelve blobs: probabilities and predictions stand under the labels of fit, though "label 70" sorts before 8."""
    random = np.random.default_rng(0)
    middles, y = random.uniform(-20, 20, (12, 4)), np.repeat(np.arange(12) * 7, 30)
    X = middles[y // 7] + random.normal(size=(len(y), 4))
    fitted = OpenSetClassifier("knn", random_state=0).fit(X, y)
    assert np.mean(fitted.predict(X) == y) > 0.97
    assert fitted.model_.classes["known"][10] == "label 70"


def test_uint8_images_with_the_cnn(three, monkeypatch):
    """(N, H, W) uint8 images train the cnn; it names unseen digits, and repeats to the bit under pickle."""
    monkeypatch.setattr(classifier, "STEPS", 60)
    X, y, asked, true = three
    small, tests = (np.rint(rows / 16 * 255).astype(np.uint8).reshape(-1, 8, 8) for rows in (X, asked))
    fitted = OpenSetClassifier("cnn", random_state=0).fit(small, y)
    known = np.isin(true, [3, 5, 8])
    assert fitted.shape_ == (8, 8, 1) and fitted.model_.detector.kind == "cnn"
    assert np.mean(fitted.predict(tests[known]) == true[known]) > 0.9
    twin = pickle.loads(pickle.dumps(fitted))
    assert np.array_equal(twin.predict_proba(tests), fitted.predict_proba(tests))
    with pytest.raises(UsageError, match="cnn takes images, not vectors of 64 entries"):
        OpenSetClassifier("cnn").fit(X, y)


def test_the_classifier_in_pipelines_and_searches(three):
    """It works behind a scaler, in cross_val_score by its accuracy, and in GridSearchCV over its own parameters."""
    X, y, asked, true = three
    known = np.isin(true, [3, 5, 8])
    pipeline = make_pipeline(StandardScaler(), OpenSetClassifier("mahalanobis", random_state=0)).fit(X, y)
    assert pipeline.score(asked[known], true[known]) > 0.9
    assert np.all(cross_val_score(OpenSetClassifier(random_state=0), X, y, cv=3) > 0.9)
    search = GridSearchCV(OpenSetClassifier(random_state=0), {"method": ["knn", "pca"]}, cv=3).fit(X, y)
    assert search.best_score_ > 0.9 and search.predict_proba(asked).shape == (len(asked), 3)


def test_a_gan_of_each_class(three):
    """mcgan needs no other class to be named: the known ones are each other's; pickled, it gives the same bits."""
    X, y, asked, _ = three
    fitted = OpenSetClassifier("mcgan", image_shape=(8, 8), settings=QUICK, random_state=0).fit(X, y)
    assert [member.kind for member in fitted.model_.detector.members.values()] == ["gan"] * 3
    twin = pickle.loads(pickle.dumps(fitted))
    assert np.array_equal(twin.predict_proba(asked[:40]), fitted.predict_proba(asked[:40]))
    assert np.array_equal(twin.score_samples(asked[:40]), fitted.score_samples(asked[:40]))


def test_few_samples_of_several_classes_are_told(three):
    """Too few held-out samples for the promise, and for both their uses, give a warning each."""
    X, y, _, _ = three
    few = np.concatenate([np.flatnonzero(y == label)[:20] for label in (3, 5, 8)])
    with pytest.warns(UserWarning, match="calibration samples|held-out images") as said:
        OpenSetClassifier("knn", random_state=0).fit(X[few], y[few])
    lines = [str(one.message) for one in said]
    assert lines[0].startswith("12 calibration samples cannot promise 5 % false alarms")
    assert lines[1].startswith("12 held-out images both join the known classes and set the threshold")
    assert len(lines) == 2


UNFIT = {
    "one class": ({}, lambda y: np.full(len(y), 3), "y holds one class only; give two or more"),
    "a label as unknown": (
        {"unknown_label": 5},
        lambda y: y,
        "unknown_label 5 is a label of y as well; choose another",
    ),
    "a text among numbers": ({"unknown_label": "none"}, lambda y: y, "'none' and the labels of y are not both numbers"),
    "a number among texts": ({"unknown_label": -1}, lambda y: y.astype(str), "-1 and the labels of y are not both"),
    "a class of one sample": ({}, lambda y: np.where(np.arange(len(y)) == 0, 99, y), "1 to train on, 0 held out"),
    "infinity": ({}, lambda y: np.where(y == 3, np.inf, y), "^Input y contains infinity"),
    "not a number": ({}, lambda y: np.where(y == 3, np.nan, y), "^Input y contains NaN"),
    "none": ({}, lambda y: None, "requires y to be passed"),
    "fewer labels": ({}, lambda y: y[:-1], "inconsistent numbers of samples"),
}


@pytest.mark.parametrize("case", UNFIT)
def test_what_the_classifier_cannot_fit_is_refused_in_one_line(case, three):
    """One class, an unknown label that is one already or of another kind, a class too small, labels that do not fit."""
    given, labels, words = UNFIT[case]
    X, y, _, _ = three
    with pytest.raises(ValueError, match=words) as error:
        OpenSetClassifier("knn", random_state=0, **given).fit(X, labels(y))
    assert "\n" not in str(error.value)


def test_scikit_learns_curves_and_scorers():
    """ROC and DET curves of scikit-learn draw the detector's answers, and its scorer gives the same AUC as ours."""
    random = np.random.default_rng(0)
    known, unknown = random.normal(size=(140, 4)), random.normal(1, 1, size=(20, 4))
    detector = LookalikeDetector(random_state=0).fit(known[:120])
    X, y = np.concatenate([known[120:], unknown]), np.repeat([1, -1], 20)
    answers = detector.decision_function(X)
    expected = auc(-answers[:20], -answers[20:]).value
    assert 0.5 < expected < 1
    assert RocCurveDisplay.from_predictions(y, answers).roc_auc == pytest.approx(expected)
    assert get_scorer("roc_auc")(detector, X, y) == pytest.approx(expected)
    det = DetCurveDisplay.from_predictions(y, answers)
    flagged = detector.predict(X) == -1  # a point of the curve is the detector's own threshold
    rates = np.mean(~flagged[20:]), np.mean(flagged[:20])
    assert np.min(np.abs(det.fpr - rates[0]) + np.abs(det.fnr - rates[1])) < 0.051


def test_data_frames_and_columns_of_pandas_are_taken():
    """A frame gives the answers of its array, and its names must stay; a column of pictures is a list of them."""
    frame, y = load_digits(return_X_y=True, as_frame=True)
    detector = LookalikeDetector("knn", image_shape=(8, 8), random_state=0).fit(frame[y == 3])
    alone = LookalikeDetector("knn", image_shape=(8, 8), random_state=0).fit(frame[y == 3].to_numpy())
    assert detector.feature_names_in_[1] == "pixel_0_1"
    assert np.array_equal(detector.score_samples(frame[y == 8]), alone.score_samples(frame[y == 8].to_numpy()))
    with pytest.raises(ValueError, match="feature names should match"):
        detector.predict(frame.add_suffix("x"))
    named = OpenSetClassifier("knn", false_alarms=0.2).fit(frame[y < 2], y[y < 2].map({0: "zero", 1: "one"}))
    assert set(named.predict(frame[y < 2])) == {"zero", "one"}
    column = pd.Series([Image.fromarray(row.reshape(8, 8).astype(np.uint8)) for row in frame[y == 3].to_numpy()])
    assert LookalikeDetector("knn").fit(column).shape_ == (8, 8, 1)


def test_a_notebook_shows_an_estimator_with_its_parameters():
    """The HTML form names the estimator and what was chosen, and a fitted one says so."""
    shown = LookalikeDetector("pca", image_shape=(8, 8))._repr_html_()
    assert all(text in shown for text in ("LookalikeDetector", "image_shape", "pca", "Not fitted"))
    fitted = LookalikeDetector("knn").fit(np.random.default_rng(0).normal(size=(200, 4)))
    assert "Not fitted" not in fitted._repr_html_() and "Fitted" in fitted._repr_html_()
