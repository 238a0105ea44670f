"""A frozen network that others trained: its facts, its taps, and what each says of an image.

A tap is a layer whose local maps can be read. All detectors that look at photographs read a backbone by this interface.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor


@dataclass(frozen=True)
class Tap:
    """A layer of a backbone: its name, the number of its channels, and the pixels from one place to the next."""

    name: str
    channels: int
    stride: int


@dataclass(frozen=True)
class Origin:
    """Where the weights of a backbone come from: package or file, licence, and the SHA-256 of the file."""

    source: str
    licence: str
    sha256: str


class Backbone(Protocol):
    """A frozen network. Its outputs depend on the image alone, never on the others of a batch."""

    @property
    def name(self) -> str:
        """Its name, which model files give."""

    @property
    def origin(self) -> Origin:
        """Where its weights come from."""

    @property
    def taps(self) -> tuple[Tap, ...]:
        """Its layers, the earliest first."""

    @property
    def multiple(self) -> int:
        """The sides of its images are multiples of this."""

    @property
    def size(self) -> tuple[int, int] | None:
        """(H, W) of its images, where it takes no other; None: any multiples."""

    def maps(self, x: Tensor, taps: Sequence[Tap]) -> list[Tensor]:
        """Float32 maps (N, channels, ceil(H / stride), ceil(W / stride)) of some taps, in their order.

        Parameters
        ----------
        x : Tensor
            (N, 3, H, W) float32, values from 0 to 255.
        taps : sequence of Tap
            From `taps`, the earliest first.
        """
