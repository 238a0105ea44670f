"""A small CNN that classifies several known classes; an image that is far from all of them is unknown.

One network gives three scores: maximum softmax (Hendrycks and Gimpel 2017), energy (Liu et al. 2020) and the distance
to the features of the nearest training images (Sun et al. 2022).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

from lookalike.base import checkpoint
from lookalike.base.arrays import Pixels
from lookalike.base.errors import ModelError, show
from lookalike.detect.baselines import networks
from lookalike.detect.detector import Scores
from lookalike.features.blocks import in_blocks

WIDTH, STEPS, BATCH, LR = 32, 500, 32, 1e-3
FEATURES = 4 * WIDTH
NEIGHBOURS = 5


class Network(nn.Module):
    """Three convolutions, mean-pooled features, and a linear layer with one output per class."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        parts: list[nn.Module] = []
        for i, o in ((channels, WIDTH), (WIDTH, 2 * WIDTH), (2 * WIDTH, FEATURES)):
            parts += [nn.Conv2d(i, o, 3, padding=1), nn.BatchNorm2d(o), nn.ReLU(), nn.MaxPool2d(2, ceil_mode=True)]
        self.features = nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.classes = nn.Linear(FEATURES, classes)
        networks.channels_last(self)


def softmax(logits: Tensor, _features: Tensor, _known: Tensor) -> Tensor:
    """Return -log max_k softmax(logits)_k, float64 (N,); it has the order of Hendrycks and Gimpel's score."""
    return -logits.log_softmax(1).amax(1)


def energy(logits: Tensor, _features: Tensor, _known: Tensor) -> Tensor:
    """Return the free energy -log sum_k exp(logit_k), float64 (N,) (Liu et al. 2020, equation 4 with T = 1)."""
    return -logits.logsumexp(1)


def neighbours(_logits: Tensor, features: Tensor, known: Tensor) -> Tensor:
    """Return the distance (N,) to the fifth nearest training image's features, all normalised (Sun et al. 2022)."""
    # Distances by differences: a matrix product would round small ones.
    near = torch.cdist(features, known, compute_mode="donot_use_mm_for_euclid_dist")
    return near.kthvalue(min(NEIGHBOURS, len(known)), dim=1).values


Reading = Callable[[Tensor, Tensor, Tensor], Tensor]  # logits (N, K), features (N, F), training features (M, F)


class Classifier:
    """A detector by one score of the trained network.

    Parameters
    ----------
    kind : str
        Name of the baseline.
    reading : callable
        The function that gives the score: `softmax`, `energy` or `neighbours`.
    net : Network
        The trained network.
    known : Tensor
        Float32 (M, F), the training images' features, each of length one.
    """

    def __init__(self, kind: str, reading: Reading, net: Network, known: Tensor) -> None:
        self.kind, self.reading, self.net, self.known = kind, reading, net.eval(), known

    def score(self, pixels: Pixels) -> Scores:
        """Return the score, and the softmax over the known classes, (N, K)."""
        found = in_blocks(self.judged, pixels).numpy()
        return Scores(found[:, 0], {}, None, found[:, 1:])

    def judged(self, x: Tensor) -> Tensor:
        """Return float64 (N, 1 + K): the score, then the softmax over the K classes."""
        features = self.net.features(x)
        logits = self.net.classes(features).double()
        unknown = self.reading(logits, normalize(features), self.known).double()
        return torch.cat([unknown[:, None], logits.softmax(1)], 1)

    def tensors(self) -> dict[str, Tensor]:
        """Return the weights and the training images' features."""
        return networks.state(self.net) | {"known": self.known}

    def facts(self) -> dict[str, Any]:
        """Return the number of classes."""
        return {"classes": self.net.classes.out_features}


@dataclass(frozen=True)
class ClassifierBaseline:
    """A way to make a `Classifier`; it needs several known classes with labels."""

    kind: str
    paper: str
    summary: str
    reading: Reading

    def fit(
        self, pixels: Pixels, labels: npt.NDArray[np.int64], seed: int, *, steps: int = STEPS, decay: bool = False
    ) -> Classifier:
        """Return a classifier trained on known images.

        Parameters
        ----------
        pixels : (N, C, H, W) uint8
        labels : (N,), 0 to K - 1
        seed : seed of the first weights and of the order of the images
        steps : number of batches of 32 images
        decay : whether the step size falls to 0 linearly

        Raises
        ------
        UsageError
            For vectors.
        """
        channels, _, _ = networks.need_images(pixels.shape[1:], self.kind)
        # All three scores have the same seed name, so that they share their network.
        net = networks.seeded(lambda: Network(channels, int(labels.max()) + 1), seed, "cnn").train()
        adam = torch.optim.Adam(net.parameters(), lr=LR)
        falling = torch.optim.lr_scheduler.LambdaLR(adam, lambda step: 1 - step / steps if decay else 1.0)
        targets = torch.from_numpy(labels)
        for rows, x in networks.numbered_batches(pixels, BATCH, steps, seed, "cnn"):
            adam.zero_grad()
            cross_entropy(net.classes(net.features(x)), targets[rows]).backward()
            adam.step()
            falling.step()
        net.eval()
        return Classifier(self.kind, self.reading, net, in_blocks(lambda x: normalize(net.features(x)), pixels))

    def restore(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], shape: tuple[int, ...]) -> Classifier:
        """Return the detector for images of `shape` that gave `tensors` and `facts`; raises ModelError otherwise."""
        n, m = facts.get("classes"), len(tensors["known"]) if "known" in tensors and tensors["known"].ndim else 1
        if set(facts) != {"classes"} or type(n) is not int or not 2 <= n <= 100_000:
            raise ModelError(f"{self.kind} has the settings {show(facts)}, not a number of classes; train again")
        channels = networks.need_images(shape, self.kind)[0]
        with torch.device("meta"):
            expected = Network(channels, n).state_dict() | {"known": torch.empty(max(m, 1), FEATURES)}
        checkpoint.match(tensors, expected, self.kind)
        net = Network(channels, n)
        net.load_state_dict({name: tensors[name] for name in net.state_dict()})
        return Classifier(self.kind, self.reading, net, tensors["known"])


SUMMARY = "A small network learns to classify the known classes (two or more); "
CNN = ClassifierBaseline("cnn", "softmax-2017", SUMMARY + "the score is how unsure its softmax is.", softmax)
CNN_ENERGY = ClassifierBaseline(
    "cnn-energy", "energy-2020", SUMMARY + "the score is its energy, minus the log-sum-exp of the logits.", energy
)
CNN_KNN = ClassifierBaseline(
    "cnn-knn",
    "deep-knn-2022",
    SUMMARY + "the score is the distance to the fifth nearest training image in its feature space.",
    neighbours,
)
