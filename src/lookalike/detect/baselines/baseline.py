"""The interface of a baseline: it makes a detector from known images, or restores one from a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from torch import Tensor

from lookalike.base.arrays import Pixels
from lookalike.detect.detector import Detector


class Baseline(Protocol):
    """A way to make a detector from known images."""

    @property
    def kind(self) -> str:
        """The baseline's name."""

    @property
    def side(self) -> int | None:
        """The side of a square as large as the images that it wants at most; None: the preset's, as GANs have."""

    @property
    def vectors(self) -> bool:
        """Whether it takes vectors too, and not images alone."""

    @property
    def most_images(self) -> Callable[[tuple[int, ...], int], int] | None:
        """How many images of a class it learns from at most, as more would add little and cost much; None: all.

        It depends on their shape (C, H, W) and on how many classes are known.
        """

    @property
    def paper(self) -> str:
        """Short name of the paper to cite, in `lookalike.methods.papers`."""

    @property
    def summary(self) -> str:
        """What the baseline does, in sentences."""

    def fit(self, pixels: Pixels, seed: int) -> Detector:
        """Return a detector fitted to known images (N, C, H, W) uint8 or (N, F) float32."""

    def restore(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], shape: tuple[int, ...]) -> Detector:
        """Return the detector that gave `tensors` and `facts`; raises ModelError for anything else."""
