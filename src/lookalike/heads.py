"""How D answers: from the trunk's features to a `Judgement` (design 1, axis "head")."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

from torch import Tensor, nn

from lookalike.streams import Batch


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


class Head(Protocol):
    """A way to answer; `build` makes its layers."""

    def build(self, features: int) -> nn.Module:
        """The layers that turn (N, features) into an answer."""

    def answer(self, layers: nn.Module, features: Tensor, batch: Batch) -> Judgement:
        """The Judgement of `batch` whose trunk features are (N, F)."""


@dataclass(frozen=True)
class Binary:
    """Real or fake: one logit (mcgan-2021 eq. 1)."""

    def __str__(self) -> str:
        return "one logit, real or fake"

    def build(self, features: int) -> nn.Module:
        """A linear layer to one logit."""
        return nn.Linear(features, 1)

    def answer(self, layers: nn.Module, features: Tensor, batch: Batch) -> Judgement:
        """Realness only."""
        return Judgement(layers(features).squeeze(1), None, features)
