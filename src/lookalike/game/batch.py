"""What D is shown and what it says: a group of images, its judgement, and the two together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """One group of images shown to D."""

    x: Tensor  # (N, C, H, W) or (N, F), float32; images lie in [-1, 1]
    y: Tensor | None  # (N,) class numbers; None: a label means nothing here
    z: Tensor | None  # (N, Z); only joint heads look at it
    real: bool | None  # what D is taught; None: realness is not asked
    share: float = 1.0  # of the batch size; the group's weight in a loss


@dataclass(frozen=True)
class Judgement:
    """What D says of N images."""

    realness: Tensor  # (N,) log-odds of real, or the critic's value
    classes: Tensor | None  # (N, K) logits, where the head has them
    features: Tensor  # (N, F) last features of the trunk


class Judged(NamedTuple):
    """A group of images with D's answer; losses read lists of these."""

    batch: Batch
    says: Judgement
