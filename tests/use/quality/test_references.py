"""Figures of quality against public code on the same features: torchmetrics, and prdc by the authors of density."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from prdc import compute_prdc
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.inception import InceptionScore
from torchmetrics.image.kid import KernelInceptionDistance

from lookalike.use.quality import diversity, frechet, kernel, manifold

N, D = 400, 24


class Given(torch.nn.Identity):
    """A feature network for torchmetrics whose images are features already."""

    num_features = D


def features(seed: int, n: int = N) -> np.ndarray:
    """(n, 24) skewed and correlated, as a network's after its ReLU are."""
    random = np.random.default_rng(seed)
    return np.maximum(random.normal(0.1 * seed, 1.0, (n, D)) @ np.random.default_rng(9).normal(size=(D, D)), 0)


def theirs(metric: type, *sides: np.ndarray, **how: object) -> tuple[float, ...]:
    """What a metric of torchmetrics says of one side, or of real and made features."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Metric .* will save all extracted features in buffer", UserWarning)
        found = metric(feature=Given(), **how)
    for side, flag in zip(sides, ((False,), (True,)) if len(sides) == 2 else ((),), strict=True):
        found.update(torch.from_numpy(side), *flag)
    said = found.compute()
    return tuple(map(float, said)) if isinstance(said, tuple) else (float(said),)


@pytest.mark.parametrize("n", [N, 3 * N])
def test_frechet_distance_is_that_of_torchmetrics(n):
    """FID of two sides of features, as many or not, to 1e-4 of it."""
    made, real = features(1, n), features(2)
    assert frechet.distance(made, real) == pytest.approx(theirs(FrechetInceptionDistance, made, real)[0], rel=1e-4)


def test_kernel_distance_is_that_of_torchmetrics():
    """KID of all images in one subset: they too leave out the pairs of an image with itself."""
    made, real = features(1), features(2)
    wanted = theirs(KernelInceptionDistance, made, real, subset_size=N, subsets=1)[0]
    assert kernel.distance(made, real).value == pytest.approx(wanted, rel=1e-4)


def test_inception_score_is_that_of_torchmetrics():
    """Mean and deviation over ten parts, once their random order is undone and ours taken."""
    p = np.random.default_rng(3).dirichlet([0.3] * D, N)
    torch.manual_seed(0)
    undone = torch.randperm(N).argsort().numpy()
    ours = np.random.default_rng(5).permutation(N)
    torch.manual_seed(0)
    wanted = theirs(InceptionScore, np.log(p)[ours][undone], splits=10)
    assert diversity.inception_score(p, 10, seed=5) == pytest.approx(wanted, rel=1e-4)


@pytest.mark.parametrize("k", [1, 5])
def test_manifolds_are_those_of_prdc(k):
    """Precision, recall, density and coverage to 1e-12, for as many images on each side or not."""
    for made, real in ((features(1), features(2)), (features(3, 150), features(4))):
        wanted = compute_prdc(real, made, k)
        found = manifold.compare(real, made, k)
        assert found._asdict() == pytest.approx({name: float(value) for name, value in wanted.items()}, rel=1e-12)
        assert 0 < found.precision < 1 and 0 < found.recall < 1
