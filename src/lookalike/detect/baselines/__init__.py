"""Detectors without a GAN, with the same interface: most use scikit-learn, some are small networks of our own."""

from __future__ import annotations

from lookalike.detect.baselines.auto import AutoBaseline
from lookalike.detect.baselines.autoencoder import Autoencoder
from lookalike.detect.baselines.baseline import Baseline
from lookalike.detect.baselines.classical import IFOREST, IFOREST_PCA, LOF, MAHALANOBIS, OCSVM, OCSVM_PCA
from lookalike.detect.baselines.classifier import CNN, CNN_ENERGY, CNN_KNN, ClassifierBaseline
from lookalike.detect.baselines.deepsvdd import DeepSVDD
from lookalike.detect.baselines.features import FEATURES_GAUSSIAN, FEATURES_KNN, PATCHES
from lookalike.detect.baselines.knn import KNN
from lookalike.detect.baselines.pca import PCA
from lookalike.detect.baselines.rotation import Rotation

_ALL: tuple[Baseline, ...] = (
    *(PCA, KNN, OCSVM, OCSVM_PCA, IFOREST, IFOREST_PCA, LOF, MAHALANOBIS),
    *(Autoencoder, DeepSVDD, Rotation),
    *(FEATURES_KNN, FEATURES_GAUSSIAN, PATCHES, AutoBaseline()),
)
BASELINES: dict[str, Baseline] = {baseline.kind: baseline for baseline in _ALL}
# These need several known classes with labels.
CLASSIFIERS: dict[str, ClassifierBaseline] = {baseline.kind: baseline for baseline in (CNN, CNN_ENERGY, CNN_KNN)}
