"""Classical detectors with the same face as the GANs, computed by scikit-learn; each one file."""

from __future__ import annotations

from lookalike.baselines.knn import KNN
from lookalike.baselines.pca import PCA

BASELINES: dict[str, type[PCA | KNN]] = {"pca": PCA, "knn": KNN}
