"""scikit-learn's one-class detectors on pixels (vtgan-2021, section 4.2): OC-SVM, Isolation Forest, LOF, Mahalanobis.

The model file holds the known training images and the seed. Loading fits the same estimator again, so that no file can
name code to run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from sklearn.covariance import LedoitWolf
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.svm import OneClassSVM
from torch import Tensor

from lookalike.base import checkpoint
from lookalike.base.arrays import Floats, Pixels
from lookalike.base.errors import ModelError, show
from lookalike.detect.baselines.flat import blocks, flat
from lookalike.detect.detector import Scores

MOST = 512  # the paper's number of principal components


@dataclass(frozen=True)
class Classical:
    """A way to fit an estimator of scikit-learn to known images.

    Parameters
    ----------
    kind, summary : str
        Name of the detector, and what it does in sentences.
    build : callable
        (rows, columns, seed) -> unfitted estimator.
    scores : callable
        (fitted estimator, float64 (N, F)) -> scores (N,); larger means less like the known images.
    paper : str
        Short name of the paper to cite.
    """

    kind: str
    summary: str
    build: Callable[[int, int, int], Any]
    scores: Callable[[Any, Floats], Floats] = lambda estimator, x: -estimator.score_samples(x)
    paper: str = "scikit-learn-2011"

    side = None
    vectors = True
    most_images = None

    def fit(self, pixels: Pixels, seed: int) -> Kept:
        """Return an estimator fitted to known images (N, C, H, W) uint8 or (N, F) float32."""
        return Kept(self, pixels, seed)

    def restore(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], shape: tuple[int, ...]) -> Kept:
        """Return the detector for images of `shape` that gave `tensors` and `facts`; raises ModelError otherwise."""
        seed = facts.get("seed")
        if set(facts) != {"seed"} or type(seed) is not int or not 0 <= seed < 2**63:
            raise ModelError(f"{self.kind} has the settings {show(facts)}, not a seed; train again")
        n = max([2, *(len(tensor) for tensor in tensors.values() if tensor.ndim)])
        dtype = torch.uint8 if len(shape) == 3 else torch.float32
        checkpoint.match(tensors, {"known": torch.empty(n, *shape, dtype=dtype, device="meta")}, self.kind)
        return Kept(self, tensors["known"].numpy(), seed)


class Kept:
    """A fitted estimator and the known images that it was fitted to.

    Parameters
    ----------
    how : Classical
        The way to fit the estimator.
    known : ndarray
        (N, C, H, W) uint8 or (N, F) float32.
    seed : int
        Seed of the estimator's randomness.
    """

    def __init__(self, how: Classical, known: Pixels, seed: int) -> None:
        self.how, self.known, self.seed, self.kind = how, known, seed, how.kind
        x = flat(known)
        with np.errstate(invalid="ignore"):  # PCA divides by the total variance, which may be 0
            self.estimator = how.build(len(x), x.shape[1], seed % 2**32).fit(x)

    def score(self, pixels: Pixels) -> Scores:
        """Return the estimator's own score, with the sign that makes larger mean less like the known images."""
        parts = [self.how.scores(self.estimator, x)[:n] for x, n in blocks(pixels)]
        return Scores(np.concatenate(parts).astype(np.float64))

    def tensors(self) -> dict[str, Tensor]:
        """Return the known images."""
        return {"known": torch.from_numpy(np.ascontiguousarray(self.known))}

    def facts(self) -> dict[str, Any]:
        """Return the seed."""
        return {"seed": self.seed}


def reduced(build: Callable[[int, int, int], Any]) -> Callable[[int, int, int], Pipeline]:
    """Return `build` on the first 512 principal components, or on all there are (vtgan-2021, section 4.2)."""

    def built(n: int, entries: int, seed: int) -> Pipeline:
        k = min(MOST, n - 1, entries)  # n centred images have at most n - 1 components
        return make_pipeline(PCA(k, svd_solver="randomized", random_state=seed), build(n, k, seed))

    return built


def ocsvm(_n: int, _entries: int, _seed: int) -> OneClassSVM:
    """Return a one-class SVM with nu 0.1 and gamma "scale"; the paper's gamma is not usable, it needs test labels."""
    return OneClassSVM(nu=0.1)


def iforest(n: int, _entries: int, seed: int) -> IsolationForest:
    """Return an Isolation Forest of 100 trees with 256 images each, as published."""
    return IsolationForest(n_estimators=100, max_samples=min(256, n), random_state=seed)


def lof(n: int, _entries: int, _seed: int) -> LocalOutlierFactor:
    """Return a local outlier factor with 20 neighbours, scikit-learn's default."""
    return LocalOutlierFactor(n_neighbors=min(20, n - 1), novelty=True)


OCSVM = Classical("ocsvm", "A one-class SVM with a Gaussian kernel learns a boundary around the known pixels.", ocsvm)
OCSVM_PCA = Classical(
    "ocsvm-pca", "A one-class SVM on the first 512 principal components of the known pixels.", reduced(ocsvm)
)
IFOREST = Classical(
    "iforest", "An Isolation Forest: an image is unknown when few random cuts separate it from the known.", iforest
)
IFOREST_PCA = Classical(
    "iforest-pca", "An Isolation Forest on the first 512 principal components of the known pixels.", reduced(iforest)
)
LOF = Classical(
    "lof", "Local outlier factor: how much less dense an image's neighbourhood is than that of its neighbours.", lof
)
MAHALANOBIS = Classical(
    "mahalanobis",
    "Mahalanobis distance to the mean of the known pixels, with a Ledoit-Wolf covariance.",
    lambda _n, _entries, _seed: LedoitWolf(),
    lambda estimator, x: estimator.mahalanobis(x),  # squared: (x - mean)^T covariance^-1 (x - mean)
)
