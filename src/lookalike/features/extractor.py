"""The interface of a feature extractor; the preset one is a small classifier of the user's own real images."""

from __future__ import annotations

from typing import Protocol

from lookalike.base.arrays import Floats, Pixels


class Extractor(Protocol):
    """A network that gives features; `name` says which network and what trained it, since figures depend on both."""

    @property
    def name(self) -> str:
        """The network in words."""

    def features(self, pixels: Pixels) -> Floats:
        """Return features float64 (N, D) of images (N, C, H, W) uint8."""
