"""The split of classes during training: k-means on D's features within each class (splitting-gan-2017, Algorithm 1).

D's features of all training images are normalised. Each large class becomes the two clusters that k-means finds. From
then on an image keeps its sub-class, a leaf of the tree. What the paper leaves open is an argument.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load, save
from threadpoolctl import threadpool_limits
from torch import Tensor
from torch.nn.functional import normalize

from lookalike.base.errors import UsageError
from lookalike.base.seeds import seed_of
from lookalike.base.words import percent
from lookalike.game.batch import Batch
from lookalike.game.needs import Need, needs
from lookalike.game.players import Players
from lookalike.game.source import Source
from lookalike.game.tree import MOST

BLOCK = 64  # images per block: the batch of the authors' code, over which it normalises
STARTS = 10  # of k-means, scikit-learn's former default, which the authors' code took
SPLIT = "split.leaves"  # name in the log
TINY = 0.01  # smallest share of its class that a cluster may have (ours): outliers alone are no class


@dataclass(frozen=True)
class Splitting:
    """When classes are split during training, and which.

    Parameters
    ----------
    at : tuple of int
        Images shown before each split. The authors' code counts G's updates, of 64 images each.
    above : float
        A class is split if it has more than this share of the training images (the authors' 2,000 of 50,000).
    normalised : "sample" or "feature"
        By sample, the features of each image get length 1, as the paper suggests. By feature, each feature gets length
        1 over 64 images, as in the authors' code.

    Raises
    ------
    UsageError
        If `at` does not rise, or `above` is out of range.
    """

    at: tuple[int, ...] = (1_000_000,)
    above: float = 0.04
    normalised: Literal["sample", "feature"] = "sample"
    needs = needs(Need.CLASSES, Need.GROWS, Need.NO_ENCODER, Need.NO_TWINS)

    def __post_init__(self) -> None:
        if list(self.at) != sorted(set(self.at)) or any(point < 1 for point in self.at):
            raise UsageError(f"classes are split at rising numbers of images, not at {', '.join(map(str, self.at))}")
        if not 0 < self.above < 1:
            raise UsageError(f"the share of images above which a class is split is between 0 and 1, not {self.above:g}")
        if self.normalised not in ("sample", "feature"):
            raise UsageError(f"features are normalised by sample or by feature, not {self.normalised}")

    def __str__(self) -> str:
        points = ", ".join(f"{point:,}" for point in self.at)
        by = "image" if self.normalised == "sample" else f"feature over {BLOCK} images"
        above = percent(self.above)
        return f"classes above {above} of the images split after {points} shown; features of length 1 by {by}"

    def due(self, index: int, batch: int) -> bool:
        """Whether a split is due before step `index`, at `batch` images per step."""
        return any((index - 1) * batch < point <= index * batch for point in self.at)

    def split(self, gan: Players, source: Source, index: int) -> dict[str, float]:
        """Splits every large class in two (Algorithm 1). Returns the number of leaves, and of classes left whole."""
        source = relabelled(source, gan.leaves)  # a second split works on the leaves of the first
        # of several processes one does it: on another machine k-means may round differently
        found = load(source.ranks.told(lambda: save(self._halves(gan, source, index))))
        for leaf in found["split"].tolist():
            gan.grow(leaf)
        gan.leaves = found["leaves"]
        return {SPLIT: float(gan.tree.leaves), "split.left_whole": float(found["whole"])}

    def _halves(self, gan: Players, source: Source, index: int) -> dict[str, Tensor]:
        """The leaves (N,) after the split, which leaves were split, in order, and how many large ones were not."""
        leaves, features = source.labels.clone(), self.features(gan, source)
        split, whole = list[int](), 0
        for leaf in range(gan.tree.leaves):
            rows, new = torch.nonzero(leaves == leaf).flatten(), gan.tree.leaves + len(split)
            # section 3: only a class with more samples than a threshold is divided
            if len(rows) <= self.above * len(leaves) or new == MOST:
                continue
            second = halved(features[rows.numpy()], seed_of(source.seed, "split", index, leaf))
            if second is None:
                whole += 1
                continue
            leaves[rows[torch.from_numpy(second)]] = new  # the number that `grow` gives to the new leaf
            split.append(leaf)
        return {"leaves": leaves, "split": torch.tensor(split, dtype=torch.int64), "whole": torch.tensor(whole)}

    def features(self, gan: Players, source: Source) -> npt.NDArray[np.float64]:
        """(N, F) float64, D's features of all training images in stored order, normalised."""
        blocks = [self._normalised(gan.features(Batch(x, y, None, None))) for x, y in source.blocks(BLOCK)]
        return np.asarray(torch.cat(blocks).double().cpu().numpy())

    def _normalised(self, features: Tensor) -> Tensor:
        # dim 0 normalises over the block, as the authors' code does
        return normalize(features, dim=1 if self.normalised == "sample" else 0)


def halved(features: npt.NDArray[np.float64], seed: int) -> npt.NDArray[np.bool_] | None:
    """(N,) bool: whether each of features (N, F) is in the smaller of two clusters. None where there are no two."""
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings(), threadpool_limits(1):  # sums in threads differ in bits
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer distinct images than clusters
        found = KMeans(2, n_init=STARTS, random_state=seed % 2**32).fit(features).labels_ == 1
    # the smaller cluster becomes the new leaf, because k-means numbers its clusters at random
    second = found if 2 * found.sum() <= len(found) else ~found
    return np.asarray(second) if second.sum() >= max(2, TINY * len(second)) else None


def relabelled(source: Source, leaves: Tensor | None) -> Source:
    """The source with `leaves` (N,) as labels, or unchanged without them."""
    if leaves is None:
        return source
    changed = replace(source, labels=leaves)
    return changed.in_turn() if source.of_classes else changed  # halves are classes of their own
