"""FID, KID, precision and recall of given features beside torch-fidelity's own functions, in turn, A B A B.

    python -m pip install --no-deps --target build/fidelity torch-fidelity==0.4.0 tqdm
    python benchmarks/fidelity.py

torch-fidelity needs torchvision, whose wheel replaces CPU builds of torch, and only for reading images and for its
networks: so it lies in a folder of its own, and here, where features are given, a stand-in takes torchvision's place.
10,000 random features on each side, of 128 and of 2,048 numbers, in float64; KID is of all images at once. The ratio is
the median over rounds of our time against theirs, and both must say the same. So must their Inception-v3 and ours, of
the same random weights (FID's own file is a download) and images of 32 pixels; how far apart they lie is saved.
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import torch

from lookalike.features import inception
from lookalike.features.nets.inception import Inception
from lookalike.use.quality import frechet, kernel, manifold
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


@torch.no_grad()
def apart() -> dict[str, float]:
    """Largest differences of Inception's features and probabilities; `theirs` was called before."""
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    torch.manual_seed(0)
    images, net = torch.randint(0, 256, (8, 3, 32, 32), dtype=torch.uint8), Inception()
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "weights.pth"
        torch.save(net.state_dict(), path)
        inception.SHA256 = hashlib.sha256(path.read_bytes()).hexdigest()
        ours, names = inception.published(path, (3, 32, 32)), ["2048", "logits_unbiased"]
        other = FeatureExtractorInceptionV3("inception", names, feature_extractor_weights_path=str(path))
        features, logits = other(images)
    mine = ours.features(images.numpy())
    pairs = {"features": (mine, features), "probabilities": (ours.probabilities(mine), logits.softmax(1))}
    for one, two in pairs.values():
        np.testing.assert_allclose(one, two.numpy(), rtol=1e-4, atol=1e-6)
    return {what: float(np.abs(one - two.numpy()).max()) for what, (one, two) in pairs.items()}


def main() -> None:
    """Measures and saves."""
    torch.set_num_threads(2)
    others, found = theirs(), {}
    for d, rounds in ROUNDS.items():
        sides = features(N, d)
        found[f"{d} features"] = {what: ratios(OURS[what], others[what], sides, rounds) for what in OURS}
    save("fidelity", {"images": N, "rounds": list(ROUNDS.values()), **found, "Inception-v3 apart": apart()})


if __name__ == "__main__":
    main()
