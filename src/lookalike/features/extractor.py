"""What features are: of a named network. The usual one is a small classifier of the user's own real images."""

from __future__ import annotations

from typing import Protocol

from lookalike.base.arrays import Floats, Pixels


class Extractor(Protocol):
    """A network's features; `name` says what it is and what it was trained on, or no figure means anything."""

    @property
    def name(self) -> str:
        """In words."""

    def features(self, pixels: Pixels) -> Floats:
        """(N, D) of images (N, C, H, W) uint8."""
