"""Detectors without a GAN, with the same face; most by scikit-learn, some small networks of our own."""

from __future__ import annotations

from lookalike.baselines.auto import Auto
from lookalike.baselines.autoencoder import Autoencoder
from lookalike.baselines.baseline import Baseline
from lookalike.baselines.classical import IFOREST, IFOREST_PCA, LOF, MAHALANOBIS, OCSVM, OCSVM_PCA
from lookalike.baselines.classifier import CNN, CNN_ENERGY, CNN_KNN, ClassifierBaseline
from lookalike.baselines.deepsvdd import DeepSVDD
from lookalike.baselines.knn import KNN
from lookalike.baselines.pca import PCA
from lookalike.baselines.rotation import Rotation

_ALL: tuple[Baseline, ...] = (
    *(PCA, KNN, OCSVM, OCSVM_PCA, IFOREST, IFOREST_PCA, LOF, MAHALANOBIS),
    *(Autoencoder, DeepSVDD, Rotation, Auto),
)
BASELINES: dict[str, Baseline] = {baseline.kind: baseline for baseline in _ALL}
# these need several known classes, and their labels
CLASSIFIERS: dict[str, ClassifierBaseline] = {baseline.kind: baseline for baseline in (CNN, CNN_ENERGY, CNN_KNN)}
