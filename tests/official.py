"""Small data sets in the layouts of MNIST and CIFAR, with a test part, and a pool that works in this process."""

from __future__ import annotations

import struct
from concurrent.futures import Future
from pathlib import Path

import numpy as np

from lookalike.data import cifar

CLASSES = (3, 8, 9)
TRAIN, TEST = 200, 24  # of each class; a tenth of 200 is enough for a threshold


def official(folder: Path, *, test_labels: np.ndarray | None = None, copied: bool = False) -> Path:
    """Writes the four files; `copied` makes the first training image of each class a copy of a test image."""
    folder.mkdir(parents=True)
    draw = np.random.default_rng(0)
    pixels = {part: np.concatenate([_looks(draw, c, n) for c in CLASSES]) for part, n in _parts().items()}
    labels = {part: np.repeat(CLASSES, n).astype(np.uint8) for part, n in _parts().items()}
    if copied:
        pixels["train"][::TRAIN] = pixels["t10k"][::TEST]
    if test_labels is not None:
        labels["t10k"] = test_labels.astype(np.uint8)
    for part in ("train", "t10k"):
        (folder / f"{part}-images-idx3-ubyte").write_bytes(_idx(pixels[part]))
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(_idx(labels[part]))
    return folder


def cifar_files(folder: Path, layout: cifar.Layout) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Writes CIFAR's binary files with one test image of each class and five others; part -> (labels, pixels).

    `labels` (N, label bytes) and `pixels` (N, 3, 32, 32) are uint8.
    """
    folder.mkdir(parents=True)
    draw = np.random.default_rng(0)
    names = {layout.names: layout.classes}
    if layout.label_bytes == 2:
        names = {"fine_label_names.txt": 100, "coarse_label_names.txt": 20}
    for file, count in names.items():
        (folder / file).write_text("".join(f"{file[:4]}_{i}\n" for i in range(count)) + "\n", encoding="utf-8")
    written = {}
    fine = np.arange(max(names.values()), dtype=np.uint8)
    for part in (*layout.train, layout.test):
        own = np.tile(fine, 1 if part == layout.test else 5 // len(layout.train))
        labels = np.stack([own // 5, own], 1) if layout.label_bytes == 2 else own[:, None]
        pixels = draw.integers(0, 256, (len(own), 3, 32, 32), dtype=np.uint8)
        rows = np.concatenate([labels, pixels.reshape(len(own), -1)], 1)
        (folder / f"{part}.bin").write_bytes(rows.tobytes())
        written[part] = labels, pixels
    return written


class Here:
    """A pool that does each job at once, in this process."""

    def __init__(self, _workers, _context, **_options) -> None:
        """Takes what a pool takes."""

    def submit(self, function, *arguments) -> Future:
        """The result as a future; what is no `Exception` goes to the caller, as a signal does."""
        future: Future = Future()
        try:
            future.set_result(function(*arguments))
        except Exception as error:  # noqa: BLE001 - as a pool does
            future.set_exception(error)
        return future

    def shutdown(self, *, cancel_futures: bool) -> None:
        """Nothing is left to end."""


def _parts() -> dict[str, int]:
    return {"train": TRAIN, "t10k": TEST}


def _looks(draw: np.random.Generator, label: int, n: int) -> np.ndarray:
    """uint8 (n, 8, 8): a bar whose place is the class's, shifted a little, under noise."""
    centre = label + draw.normal(0, 3, (n, 1, 1))
    bar = 200 * np.exp(-((np.arange(8)[None, None] - centre / 1.5) ** 2) / 2) * np.ones((1, 8, 1))
    return np.clip(bar + draw.normal(0, 60, (n, 8, 8)), 0, 255).astype(np.uint8)


def _idx(array: np.ndarray) -> bytes:
    """The bytes of an IDX file."""
    return struct.pack(f">I{array.ndim}I", 0x0800 + array.ndim, *array.shape) + array.tobytes()
