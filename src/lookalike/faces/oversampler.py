"""A sampler of imbalanced-learn, which generates samples of classes that have few (extra `imblearn`)."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_consistent_length, column_or_1d

from lookalike.base.arrays import Pixels
from lookalike.base.errors import UsageError, install, show
from lookalike.base.threads import computing_with
from lookalike.detect.model import Model
from lookalike.faces.given import samples
from lookalike.faces.rows import Rows
from lookalike.runs.choices import conditional
from lookalike.runs.run import run
from lookalike.runs.samples import LEARNT
from lookalike.runs.settings import train_settings
from lookalike.use.augment import LEAST
from lookalike.use.filled import VARIETY, variety
from lookalike.use.generate import generators

try:
    from imblearn.over_sampling.base import BaseOverSampler
    from imblearn.utils import check_target_type
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"GANOverSampler needs the extra imblearn; {install('imblearn')}", name=error.name
    ) from None


class GANOverSampler(Rows, BaseOverSampler):  # type: ignore[misc]
    """Fills up classes with samples of a GAN that learns all of them. The given samples stay, and stand first.

    Parameters
    ----------
    sampling_strategy : float, str, dict or callable
        How many samples a class gets, as imbalanced-learn has it: "auto", "minority", "not minority", "not majority",
        "all", a ratio of two classes, {class: number}, or a function of y that gives such a dict.
    method : str
        A conditional method; see `lookalike methods`.
    image_shape : tuple of int, optional
        (H, W) or (H, W, C) of flat rows that are images; C is 1 or 3. Without it, arrays of two dimensions are vectors,
        and arrays (N, H, W) or (N, H, W, C) are images.
    settings : dict, optional
        Any other flag of `lookalike train --help`, with underscores: {"images": 5000}.
    run_folder : str or Path, optional
        A folder that keeps the run (metrics, checkpoints, model), and resumes it. Without one nothing stays on disk.
    random_state : int, RandomState or None
        Seed of the training and of the generated samples.

    Attributes
    ----------
    sampling_strategy_ : dict
        Class -> number of generated samples.
    model_ : Model
        The GAN.
    n_features_in_, shape_, low_, high_
        As of `LookalikeDetector`.

    Raises
    ------
    ValueError
        From `fit_resample`, in one line, for samples or settings that cannot be used.
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = BaseOverSampler._parameter_constraints  # noqa: SLF001

    def __init__(
        self,
        sampling_strategy: float | str | dict[Any, int] | Callable[[Any], dict[Any, int]] = "auto",
        *,
        method: str = "auto-gan",
        image_shape: tuple[int, ...] | None = None,
        settings: dict[str, Any] | None = None,
        run_folder: str | Path | None = None,
        random_state: Any = None,
    ) -> None:
        super().__init__(sampling_strategy=sampling_strategy)
        self.method = method
        self.image_shape = image_shape
        self.settings = settings
        self.run_folder = run_folder
        self.random_state = random_state

    def _check_X_y(  # noqa: N802 - imbalanced-learn's name
        self, X: npt.ArrayLike, y: npt.ArrayLike, accept_sparse: object = None
    ) -> tuple[npt.NDArray[Any], npt.NDArray[Any], bool]:
        """Rows (N, F) or images (N, H, W, C), and labels (N,)."""
        sparse = getattr(X, "sparse", None)  # of a data frame with sparse columns
        X = X if sparse is None else sparse.to_dense()
        y, one_vs_all = check_target_type(y, indicate_one_vs_all=True)
        X = samples(X)
        rows, self._given = self._rows(X, reset=True), np.shape(X)[1:]
        labels = column_or_1d(y)
        check_consistent_length(rows, labels)
        return rows, labels, one_vs_all

    def _fit_resample(self, X: npt.NDArray[Any], y: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        """The given samples, then the generated ones, class by class."""
        classes, labels = np.unique(y, return_inverse=True)
        names = [f"label {one}" for one in classes.tolist()]
        seed = int(check_random_state(self.random_state).randint(2**31))
        wanted = {k: n for k, n in self.sampling_strategy_.items() if n}
        samples, targets = [X], [y]
        if wanted:
            self.model_ = self._trained(X, labels.astype(np.int64), tuple(names), seed)
            able = generators(self.model_)
            for label, n in wanted.items():
                name = names[int(np.searchsorted(classes, label))]
                with computing_with(self.model_.training["threads"]):
                    made = np.concatenate(list(able[name].images(n, seed=seed)))
                for line in self._doubts(name, self._images(X[y == label]).pixels, made):
                    warnings.warn(line, stacklevel=2)
                samples.append(self._back(made, X.dtype))
                targets.append(np.full(n, label, y.dtype))
        return np.concatenate(samples).reshape(-1, *self._given), np.concatenate(targets)

    def _trained(
        self, rows: npt.NDArray[Any], labels: npt.NDArray[np.int64], names: tuple[str, ...], seed: int
    ) -> Model:
        """A GAN of all classes, trained on all samples."""
        given = self._own(
            known="is what fit_resample gets",
            method="is a parameter of its own here, method=",
            seed="is the parameter random_state here",
            **dict.fromkeys(("test", "calibration"), "is 0 here, as all samples train"),
        )
        settings = train_settings(
            **{"threads": 1}
            | given
            | {"known": names, "method": self.method, "seed": seed, "test": 0.0, "calibration": 0.0}
        )
        if not conditional(settings):
            raise UsageError(f"{self.method} makes no images of a given class; take a conditional method such as acgan")
        self._set_range(rows)
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(self.run_folder) if self.run_folder is not None else Path(scratch) / "run"
            return run(self._images(rows, labels, names), settings, folder)

    def _doubts(self, name: str, real: Pixels, made: Pixels) -> Iterator[str]:
        """A line where the samples of a class taught little, and where those generated for it are nearly all alike."""
        if (distinct := len({sample.tobytes() for sample in real})) < LEAST:
            yield (
                f"{show(name)}: the GAN had {distinct} distinct samples to learn from, and needs about {LEAST}; give "
                "more, or take an oversampler that interpolates, such as SMOTE"
            )
        mine, theirs = (pixels.reshape(len(pixels), -1).astype(np.float64) for pixels in (made, real))
        share = variety(mine, theirs) if self.model_.training["images"] >= LEARNT else None
        if share is not None and share < VARIETY:
            yield (
                f"{show(name)}: the generated samples are nearly all alike (collapse); train longer "
                "(settings={'images': ...}) or with a lower lr, or give more samples"
            )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = False
        tags.input_tags.three_d_array = True
        return tags
