"""The input and the output of D: a group of images, D's answer to it, and the two together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """One group of images that D gets as input, with the label that D learns."""

    x: Tensor  # (N, C, H, W) or (N, F), float32; images lie in [-1, 1]
    y: Tensor | None  # (N,) int64 class numbers; None: these images have no known class
    z: Tensor | None  # (N, Z) float32; only heads of pairs read it
    real: bool | None  # label that D learns: real or fake; None: no realness loss
    share: float = 1.0  # of the batch size; also the group's weight in a loss


@dataclass(frozen=True)
class Judgement:
    """D's output for N images."""

    realness: Tensor  # (N,) log-odds of real, or the critic's value
    classes: Tensor | None  # (N, K) logits; None where the head does not classify
    features: Tensor  # (N, F) output of the trunk


class Judged(NamedTuple):
    """A group of images with D's answer. Losses and penalties take lists of these."""

    batch: Batch
    says: Judgement
