"""Estimators of scikit-learn: a detector of what is not known, and a classifier that can answer "none of these"."""

from __future__ import annotations

import tempfile
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import ClassifierMixin, OutlierMixin
from sklearn.utils import assert_all_finite, check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, check_is_fitted, column_or_1d

from lookalike.base.errors import DataError, UsageError, show
from lookalike.base.threads import computing_with
from lookalike.base.words import percent
from lookalike.data import split
from lookalike.detect.model import Model, Verdicts
from lookalike.faces.rows import KNOWN, Rows
from lookalike.runs.run import run
from lookalike.runs.settings import train_settings


class _Fitted(Rows):
    """What both estimators share: samples go in, a model is trained, and verdicts come out."""

    method: str
    false_alarms: float
    calibration: float
    settings: dict[str, Any] | None
    run_folder: str | Path | None
    random_state: Any
    model_: Model
    offset_: float

    def score_samples(self, X: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """(N,) minus each sample's score: larger is more like the known samples."""
        return -self.verdicts(X).score

    def verdicts(self, X: npt.ArrayLike) -> Verdicts:
        """Scores, their parts, p-values and flags, as `Model.score` gives them."""
        check_is_fitted(self)
        rows = self._rows(X, reset=False)
        if line := self._scale_remark(rows):
            _warn(line)
        pixels = self._images(rows).pixels
        with computing_with(self.model_.training["threads"]):
            return self.model_.score(pixels)

    def _train(
        self, rows: npt.NDArray[Any], labels: npt.NDArray[np.int64] | None = None, classes: tuple[str, ...] = (KNOWN,)
    ) -> None:
        """Trains on samples whose classes are all known."""
        given = self._own(
            known="is what fit gets",
            group="goes by the names of images, and samples have no names",
            seed="is the parameter random_state here",
            **{name: f"is a parameter of its own here, {name}=" for name in ("method", "calibration", "false_alarms")},
        )
        settings = train_settings(
            **{"test": 0.0, "threads": 1}
            | given
            | {"known": classes, "method": self.method, "calibration": self.calibration}
            | {"seed": int(check_random_state(self.random_state).randint(2**31)), "false_alarms": self.false_alarms}
        )
        self._set_range(rows)
        images = self._images(rows, labels, classes)
        parts = split(images, test=settings.tested, calibration=settings.held_out, seed=settings.seed)
        self._set_range(rows[parts.train])  # held-out samples set nothing but the threshold
        images = replace(self._images(rows, labels, classes), content=images.keys)
        settings = settings.model_copy(
            update={"false_alarms": self._promised(len(parts.train if settings.crosses else parts.calibration))}
        )
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(self.run_folder) if self.run_folder is not None else Path(scratch) / "run"
            self.model_ = run(images, settings, folder, warn=_warn)
        self.offset_ = -self.model_.limit.value

    def _promised(self, held: int) -> float:
        """`false_alarms`, or the least that so few calibration samples can promise, with a warning."""
        least = 1 / (held + 1)
        if held == 0 or self.false_alarms >= least:
            return self.false_alarms
        _warn(
            f"{held} calibration samples cannot promise {percent(self.false_alarms)} false alarms; the threshold is "
            f"the largest of their scores, which promises {percent(least)}; fit on more samples or raise calibration"
        )
        return least


class LookalikeDetector(OutlierMixin, _Fitted):  # type: ignore[misc]
    """Any method or baseline of this package as a scikit-learn outlier detector.

    Parameters
    ----------
    method : str
        A name that `lookalike methods` lists, of a method that needs no other class. The measurements recommend "auto";
        the default fits in milliseconds, as searches and cross-validation expect.
    image_shape : tuple of int, optional
        (H, W) or (H, W, C) of flat rows that are images; C is 1 or 3. Without it, arrays of two dimensions are vectors,
        and arrays (N, H, W) or (N, H, W, C) are images.
    false_alarms : float
        Share of known samples that may be flagged. The threshold is a conformal quantile of what `fit` holds out.
    calibration : float
        Share of the samples of `fit` that is held out for the threshold.
    settings : dict, optional
        Any other flag of `lookalike train --help`, with underscores: {"images": 5000}.
    run_folder : str or Path, optional
        A folder that keeps the run (metrics, checkpoints, model), and resumes it. Without one nothing stays on disk.
    random_state : int, RandomState or None
        Seed of the split, the training and the scores.

    Attributes
    ----------
    model_ : Model
        The trained detector, with its threshold.
    offset_ : float
        Minus the threshold: `decision_function` is `score_samples` minus this.
    n_features_in_ : int
        Entries of each sample.
    shape_ : tuple of int
        (H, W, C) of images, () of vectors.
    low_, high_ : ndarray or float
        What becomes -1 and 1: the range of each feature of vectors, or of all pixels of images, in the training
        samples. For uint8 images it is 0 to 255. Pixels beyond the range are cut to it.
    scale_ : float
        The median of the training samples' largest absolute values, 255 for uint8 images. Predictions warn of samples
        on quite another scale.

    Notes
    -----
    Scores have scikit-learn's sign: larger is more like the samples of `fit`. Where too few samples are held out for
    the promised false alarms, `fit` warns, and takes the largest of their scores as the threshold.

    Raises
    ------
    ValueError
        From `fit` and every prediction, in one line, for samples or settings that cannot be used.
    """

    def __init__(
        self,
        method: str = "knn",
        *,
        image_shape: tuple[int, ...] | None = None,
        false_alarms: float = 0.05,
        calibration: float = 0.2,
        settings: dict[str, Any] | None = None,
        run_folder: str | Path | None = None,
        random_state: Any = None,
    ) -> None:
        self.method = method
        self.image_shape = image_shape
        self.false_alarms = false_alarms
        self.calibration = calibration
        self.settings = settings
        self.run_folder = run_folder
        self.random_state = random_state

    def fit(self, X: npt.ArrayLike, y: object = None) -> Self:
        """Trains on known samples X: (N, F), or images (N, H, W) or (N, H, W, C), uint8 or float; y is ignored."""
        self._train(self._rows(X, reset=True))
        return self

    def decision_function(self, X: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """(N,) `score_samples` minus `offset_`: negative is flagged."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """(N,) 1 where a sample looks known, -1 where it is flagged."""
        return np.where(self.decision_function(X) < 0, -1, 1)


class OpenSetClassifier(ClassifierMixin, _Fitted):  # type: ignore[misc]
    """Any method or baseline as a scikit-learn classifier that can also answer "none of these".

    Parameters
    ----------
    method : str
        A name that `lookalike methods` lists. Most train a detector for each class; `cnn`, `cnn-energy` and `cnn-knn`
        train one network.
    unknown_label : object, optional
        The answer of `predict` for flagged samples, such as -1 where labels are numbers, or "unknown" where they are
        text. With None, the default, `predict` gives the most likely class, as scikit-learn demands of a classifier.
    image_shape : tuple of int, optional
        (H, W) or (H, W, C) of flat rows that are images; C is 1 or 3. Without it, arrays of two dimensions are vectors,
        and arrays (N, H, W) or (N, H, W, C) are images.
    false_alarms : float
        Share of known samples that may be flagged. The threshold is a conformal quantile of what `fit` holds out.
    calibration : float
        Share of the samples of `fit` that is held out for the threshold.
    settings : dict, optional
        Any other flag of `lookalike train --help`, with underscores: {"images": 5000}.
    run_folder : str or Path, optional
        A folder that keeps the run (metrics, checkpoints, model), and resumes it. Without one nothing stays on disk.
    random_state : int, RandomState or None
        Seed of the split, the training and the scores.

    Attributes
    ----------
    classes_ : ndarray
        (K,) the labels of `fit`, sorted.
    model_, offset_, n_features_in_, shape_, low_, high_
        As of `LookalikeDetector`.

    Notes
    -----
    Each class needs three samples: two that train, and one that is held out.

    Raises
    ------
    ValueError
        From `fit` and every prediction, in one line, for samples or settings that cannot be used.
    """

    def __init__(
        self,
        method: str = "knn",
        *,
        unknown_label: Any = None,
        image_shape: tuple[int, ...] | None = None,
        false_alarms: float = 0.05,
        calibration: float = 0.2,
        settings: dict[str, Any] | None = None,
        run_folder: str | Path | None = None,
        random_state: Any = None,
    ) -> None:
        self.method = method
        self.unknown_label = unknown_label
        self.image_shape = image_shape
        self.false_alarms = false_alarms
        self.calibration = calibration
        self.settings = settings
        self.run_folder = run_folder
        self.random_state = random_state

    def fit(self, X: npt.ArrayLike, y: npt.ArrayLike) -> Self:
        """Trains on samples X as `LookalikeDetector.fit` takes them, with labels y (N,) of two or more classes."""
        if y is None:
            raise DataError("requires y to be passed, but the target y is None; give a label for each sample")
        rows = self._rows(X, reset=True)
        y = column_or_1d(y, warn=True)
        assert_all_finite(y, input_name="y")
        check_classification_targets(y)
        check_consistent_length(rows, y)
        self.classes_, labels = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise DataError("y holds one class only; give two or more classes, or use LookalikeDetector")
        self._check_unknown()
        self._train(rows, labels.astype(np.int64), tuple(f"label {one}" for one in self.classes_.tolist()))
        return self

    def predict(self, X: npt.ArrayLike) -> npt.NDArray[Any]:
        """(N,) the most likely class, or `unknown_label` where one was given and the sample is flagged.

        So with an `unknown_label` it may differ from the largest of `predict_proba`, which knows no unknown class.
        """
        said = self.verdicts(X)
        if self.unknown_label is None:
            return np.asarray(self.classes_[_likely(said).argmax(1)])
        return np.append(self.classes_, self.unknown_label)[said.label]

    def _check_unknown(self) -> None:
        """Raises UsageError for an `unknown_label` that is a class already, or is no number where the classes are."""
        if self.unknown_label is None:
            return
        if self.unknown_label in self.classes_.tolist():
            raise UsageError(f"unknown_label {show(self.unknown_label)} is a label of y as well; choose another")
        if isinstance(self.unknown_label, str) == (self.classes_.dtype.kind in "biuf"):
            raise UsageError(
                f"unknown_label {show(repr(self.unknown_label))} and the labels of y are not both numbers or both "
                "text; give one of their kind"
            )

    def predict_proba(self, X: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """(N, K) probability of each class, given that the sample is of one of them."""
        return _likely(self.verdicts(X))


def _likely(said: Verdicts) -> npt.NDArray[np.float64]:
    assert said.classes is not None, "several classes were known"
    return said.classes


def _warn(line: str) -> None:
    warnings.warn(line, stacklevel=3)
