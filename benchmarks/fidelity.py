"""FID, KID, precision and recall of given features beside torch-fidelity's own functions, in turn, A B A B.

    python -m pip install --no-deps --target build/fidelity torch-fidelity==0.4.0 tqdm
    python benchmarks/fidelity.py

torch-fidelity needs torchvision, whose wheel replaces CPU builds of torch, and only for reading images and for its
networks: so it lies in a folder of its own, and here, where features are given, a stand-in takes torchvision's place.
10,000 random features on each side, of 128 and of 2,048 numbers, in float64; KID is of all images at once. The ratio is
the median over rounds of our time against theirs, and both must say the same.
"""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import torch

from lookalike.metrics import frechet, kernel, manifold
from machine import save
from metrics import Figure, features, ratios

FOLDER = Path("build/fidelity")
N, ROUNDS, NEAREST = 10_000, {128: 3, 2048: 1}, 5
OURS: dict[str, Figure] = {
    "FID": frechet.distance,
    "KID": kernel.discrepancy,
    "precision and recall": lambda made, real: manifold.compare(real, made)[:2],
}


def theirs() -> dict[str, Figure]:
    """torch-fidelity's functions of the same two sides."""
    for part in ("", ".transforms", ".transforms.functional", ".datasets", ".models"):
        name = f"torchvision{part}"
        sys.modules[name] = MagicMock(__name__=name, __path__=[], __spec__=ModuleSpec(name, None))
    sys.path.insert(0, str(FOLDER))
    from torch_fidelity import metric_fid, metric_kid, metric_prc

    def fid(made: np.ndarray, real: np.ndarray) -> Any:
        sides = (metric_fid.fid_features_to_statistics(torch.from_numpy(side)) for side in (made, real))
        return metric_fid.fid_statistics_to_metric(*sides, verbose=False)[metric_fid.KEY_METRIC_FID]

    def kid(made: np.ndarray, real: np.ndarray) -> Any:
        how = {"kid_subsets": 1, "kid_subset_size": len(made), "verbose": False}
        found = metric_kid.kid_features_to_metric(torch.from_numpy(made), torch.from_numpy(real), **how)
        return found[metric_kid.KEY_METRIC_KID_MEAN]

    def precision_and_recall(made: np.ndarray, real: np.ndarray) -> Any:
        how = {"prc_neighborhood": NEAREST, "verbose": False}
        found = metric_prc.prc_features_to_metric(torch.from_numpy(made), torch.from_numpy(real), **how)
        return found[metric_prc.KEY_METRIC_PRECISION], found[metric_prc.KEY_METRIC_RECALL]

    return {"FID": fid, "KID": kid, "precision and recall": precision_and_recall}


def main() -> None:
    """Measures and saves."""
    torch.set_num_threads(2)
    others, found = theirs(), {}
    for d, rounds in ROUNDS.items():
        sides = features(N, d)
        found[f"{d} features"] = {what: ratios(OURS[what], others[what], sides, rounds) for what in OURS}
    save("fidelity", {"images": N, "rounds": list(ROUNDS.values()), **found})


if __name__ == "__main__":
    main()
