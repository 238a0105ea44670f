"""What a baseline is: a way to make a detector from known images, and to make it again from a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from torch import Tensor

from lookalike.base.arrays import Pixels
from lookalike.detect.detector import Detector


class Baseline(Protocol):
    """A way to make a detector from known images."""

    @property
    def kind(self) -> str:
        """Its name."""

    @property
    def paper(self) -> str:
        """Short name of whom to cite, in `lookalike.methods.papers`."""

    @property
    def summary(self) -> str:
        """What it does, in sentences."""

    def fit(self, pixels: Pixels, seed: int) -> Detector:
        """The detector of known images (N, C, H, W) uint8 or (N, F) float32."""

    def restore(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], shape: tuple[int, ...]) -> Detector:
        """The detector that gave `tensors` and `facts`; raises ModelError for anything else."""
