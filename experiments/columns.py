"""A picture of images in columns under titles, whose rows are classes."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.figure import Figure

from lookalike.base.arrays import Pixels


def drawn(columns: Mapping[str, Pixels], size: tuple[float, float]) -> Figure:
    """A figure of so many inches: title -> grey images (K, N, 1, H, W) of K classes."""
    figure = Figure(figsize=size, layout="constrained")
    for axes, (title, images) in zip(figure.subplots(1, len(columns)), columns.items(), strict=True):
        k, n, _, h, w = images.shape
        axes.imshow(images[:, :, 0].transpose(0, 2, 1, 3).reshape(k * h, n * w), cmap="gray", vmin=0, vmax=255)
        axes.set_title(title)
        axes.axis("off")
    return figure
