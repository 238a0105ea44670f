"""Grids of generated images. Their z stay the same, so that one can follow the training."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from lookalike.base import files
from lookalike.base.arrays import Pixels
from lookalike.base.seeds import generator
from lookalike.data.images import as_pixels
from lookalike.game.gan import GAN
from lookalike.runs.folder import SAMPLES

JUDGED = 16  # images
LEARNT = 1000  # images shown; after fewer, nobody expects G to make various images
SAME = 0.25  # grey levels that images differ by, on average; of noise alone they differ by more
ROWS = 20  # of a grid at most, where G is conditional
COMPRESSION = 1  # of 0 to 9: the usual 6 takes twice as long and saves a twentieth of a small image


def draw_samples(folder: Path, gan: GAN, images: int, seed: int) -> None:
    """Draws a grid of 64 images from z that stay the same, one for each twin too, and none for vectors.

    With a conditional GAN each row is of one class; see `classes_in_rows`.
    """
    if len(gan.shape) != 3:
        return
    for prefix, player in {"": gan, **{f"{name}-": twin for name, twin in gan.twins.items()}}.items():
        y = classes_in_rows(player.classes) if player.method.conditional else None
        z = player.method.latent.draw(64 if y is None else len(y), generator(seed, "samples"))
        path = files.make_folder(folder / SAMPLES) / f"{prefix}{images:09d}.png"
        files.write_bytes(path, png(grid(player.generate(z, y))))


def alike(images: Pixels) -> bool:
    """Whether images (N, C, H, W) uint8, or vectors (N, F) in [-1, 1], are nearly all the same; few are not judged."""
    if len(images) < JUDGED:
        return False
    steps = 1.0 if images.ndim == 4 else 1 / 127.5  # a grey level
    return bool(np.std(images, axis=0, dtype=np.float64).mean() < SAME * steps)


def classes_in_rows(classes: int) -> Tensor:
    """(N,) the classes of a grid's images, in rows of eight: at least eight rows, and one for each class."""
    return torch.arange(min(classes, ROWS)).repeat_interleave(8 * max(1, 8 // classes))


def grid(x: Tensor, columns: int = 8) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """(N, C, H, W) in [-1, 1] as one picture (rows * (H + 1), columns * (W + 1), C), uint8, with grey lines between."""
    framed = np.pad(as_pixels(x.cpu()), ((0, -len(x) % columns), (0, 0), (0, 1), (0, 1)), constant_values=128)
    n, c, h, w = framed.shape
    rows = framed.reshape(n // columns, columns, c, h, w).transpose(0, 3, 1, 4, 2)
    return np.ascontiguousarray(rows.reshape(n // columns * h, columns * w, c))


def png(picture: np.ndarray[Any, np.dtype[np.uint8]]) -> bytes:
    """(H, W, 1 or 3) uint8 as the bytes of a PNG file."""
    out = BytesIO()
    Image.fromarray(picture[..., 0] if picture.shape[-1] == 1 else picture).save(out, "png", compress_level=COMPRESSION)
    return out.getvalue()
