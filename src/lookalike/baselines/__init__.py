"""Detectors without a GAN, with the same face; most by scikit-learn, some small networks of our own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from torch import Tensor

from lookalike.baselines.auto import Auto
from lookalike.baselines.autoencoder import Autoencoder
from lookalike.baselines.classical import IFOREST, IFOREST_PCA, LOF, MAHALANOBIS, OCSVM, OCSVM_PCA
from lookalike.baselines.deepsvdd import DeepSVDD
from lookalike.baselines.knn import KNN
from lookalike.baselines.pca import PCA
from lookalike.baselines.rotation import Rotation
from lookalike.use.score import Detector, Pixels


class Baseline(Protocol):
    """A way to make a detector from known images."""

    @property
    def kind(self) -> str:
        """Its name."""

    @property
    def paper(self) -> str:
        """Short name of whom to cite, in `lookalike.papers`."""

    @property
    def summary(self) -> str:
        """What it does, in sentences."""

    def fit(self, pixels: Pixels, seed: int) -> Detector:
        """The detector of known images (N, C, H, W) uint8 or (N, F) float32."""

    def restore(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], shape: tuple[int, ...]) -> Detector:
        """The detector that gave `tensors` and `facts`; raises ModelError for anything else."""


_ALL: tuple[Baseline, ...] = (
    *(PCA, KNN, OCSVM, OCSVM_PCA, IFOREST, IFOREST_PCA, LOF, MAHALANOBIS),
    *(Autoencoder, DeepSVDD, Rotation, Auto),
)
BASELINES: dict[str, Baseline] = {baseline.kind: baseline for baseline in _ALL}
