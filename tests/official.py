"""Small data sets in the layouts of MNIST, CIFAR, STL-10 and CelebA, and tasks done in this process."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from PIL import Image

from lookalike.base import workers
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


def stl_files(folder: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Writes STL-10's binary files, two images of each class in each part and seven without a label.

    Returns part -> (labels from 0, pixels (N, 3, 96, 96) uint8 with rows before columns, as one looks at them).
    """
    folder.mkdir(parents=True)
    draw, written = np.random.default_rng(0), {}
    (folder / "class_names.txt").write_text("".join(f"stl_{i}\n" for i in range(10)), encoding="utf-8")
    for part, count in (("train", 20), ("test", 20), ("unlabeled", 7)):
        pixels = draw.integers(0, 256, (count, 3, 96, 96), dtype=np.uint8)
        (folder / f"{part}_X.bin").write_bytes(pixels.transpose(0, 1, 3, 2).tobytes())
        labels = np.arange(count) % 10
        if part != "unlabeled":
            (folder / f"{part}_y.bin").write_bytes((labels + 1).astype(np.uint8).tobytes())
        written[part] = labels, pixels
    return written


ATTRIBUTES = ("5_o_Clock_Shadow", "Male", "Mouth_Slightly_Open", "Young")
LANDMARKS = tuple(
    f"{part}_{axis}" for part in ("lefteye", "righteye", "nose", "leftmouth", "rightmouth") for axis in "xy"
)


def celeba_files(folder: Path, faces: list[tuple[int, int, int]], *, official_folders: bool = False) -> np.ndarray:
    """Writes CelebA's aligned images and lists: a face per (male, open, nose's x between eyes at 69 and 109).

    Every third is an official test image. Returns the pixels (N, 3, 218, 178) that JPEG keeps exactly: one grey each.
    """
    anno, evaluation, img = ((folder / n if official_folders else folder) for n in ("Anno", "Eval", "Img"))
    (img / "img_align_celeba").mkdir(parents=True)
    for place in (anno, evaluation):
        place.mkdir(exist_ok=True)
    names = [f"{i + 1:06d}.jpg" for i in range(len(faces))]
    told = [
        f"{name} -1 {2 * male - 1:2d} {2 * mouth - 1:2d}  1"
        for name, (male, mouth, _) in zip(names, faces, strict=True)
    ]
    where = [
        f"{name} 69 109 109 113 {nose:3d} 135 72 152 108 154" for name, (_, _, nose) in zip(names, faces, strict=True)
    ]
    lists = (("list_attr_celeba.txt", ATTRIBUTES, told), ("list_landmarks_align_celeba.txt", LANDMARKS, where))
    for file, columns, rows in lists:
        (anno / file).write_text("\n".join([str(len(faces)), " ".join(columns) + " ", *rows]) + "\n")
    parts = "".join(f"{name} {2 if i % 3 == 2 else i % 3}\n" for i, name in enumerate(names))
    (evaluation / "list_eval_partition.txt").write_text(parts)
    pixels = np.zeros((len(faces), 3, 218, 178), np.uint8)
    for i, name in enumerate(names):
        pixels[i] = 20 * i + 10
        pixels[i, :, 20] = 250  # above the face
        Image.fromarray(pixels[i].transpose(1, 2, 0)).save(img / "img_align_celeba" / name, quality=100, subsampling=0)
    return pixels


def in_turn(do, tasks, runs, _workers, command, _told, _until):
    """Each task done at once, in this process, with what is said of it; what is no `Exception` goes to the caller."""
    for task in iter(tasks.take, None):
        kind, value = workers.guarded(do, task, runs, command)
        if kind == workers.FAULT:
            raise value
        yield task, value


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
