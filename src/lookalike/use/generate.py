"""Images of the classes that a model generates, from its folder alone; each image has a seed of its own.

The z of image i depends only on the seed, the class's name and i. So the same command gives the same images, and a
larger number of images begins with the images of a smaller number.
"""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lookalike.base import files
from lookalike.base.arrays import Pixels, Report, Warn
from lookalike.base.cells import as_csv, file_cell
from lookalike.base.errors import DataError, UsageError, listed, show
from lookalike.base.seeds import generator
from lookalike.base.threads import as_usual
from lookalike.data.images import as_pixels
from lookalike.data.part import WHOLE, Part
from lookalike.detect.detector import Detector
from lookalike.detect.gan import GANDetector
from lookalike.detect.leaves import split_gan
from lookalike.detect.model import ANY, Model
from lookalike.detect.openset import OpenSet
from lookalike.game.gan import GAN
from lookalike.runs.samples import LEARNT, alike, grid, png

BLOCK = 256  # images per batch; always the same number, so that an image's bits do not depend on the others
WAITING = 2  # blocks that are being written while the next one is made
MANIFEST = "generated.csv"


@dataclass(frozen=True)
class Generator:
    """A generator of the images of one known class; image i is of the class's sub-class i modulo their number.

    Parameters
    ----------
    name : str
        The class.
    gan : GAN
        The GAN that learned the class, alone or with others.
    label : int or None
        The number of the class, where the GAN is conditional on it.
    leaf : int or None
        The number of the sub-class, where only its images are made.
    """

    name: str
    gan: GAN
    label: int | None
    leaf: int | None = None

    def images(self, n: int, *, seed: int, truncation: float | None = None, first: int = 0) -> Iterator[Pixels]:
        """Yield blocks of at most 256 images, n in total: (N, C, H, W) uint8, or (N, F) float32 vectors.

        Parameters
        ----------
        n : int
            Number of images, with those before the first.
        seed : int
            Seed of all images.
        truncation : float or None
            Entries of z beyond it are drawn again (Brock et al. 2019): fewer odd images, and less variety.
        first : int
            Number of the first image that is yielded.
        """
        make = self.maker()
        for start in range(first - first % BLOCK, n, BLOCK):  # every image keeps its place in its block
            with as_usual():
                z = torch.cat([self.z(start + i, seed, truncation) for i in range(BLOCK)])
                made = as_pixels(make(z, start))
            yield made[max(first - start, 0) : n - start]

    def maker(self) -> Callable[[Tensor, int], Tensor]:
        """Return a map from z (N, Z) to images (N, *shape) float32 on the CPU, those from number `start` on."""
        if len(self.leaves) > 1:
            turn = torch.tensor(self.leaves)
            return lambda z, start: self.gan.generate(z, turn[(start + torch.arange(len(z))) % len(turn)]).cpu()
        G, _ = self.gan.frozen(self.leaves[0] if self.leaves else None)
        return lambda z, _start: _made(G, z, self.gan)

    @property
    def leaves(self) -> tuple[int, ...]:
        """Numbers of the sub-classes whose images it makes in turn; none where the GAN has no classes."""
        own = () if self.label is None else self.gan.tree.of(self.label)
        return own if self.leaf is None else (self.leaf,)

    def z(self, i: int, seed: int, truncation: float | None = None) -> Tensor:
        """Return z of image i, (1, Z)."""
        return self.gan.method.latent.draw(1, generator(seed, "generate", self.name, i), truncation)


@torch.no_grad()
def _made(G: nn.Module, z: Tensor, gan: GAN) -> Tensor:
    images: Tensor = G(z.to(gan.device))
    return images.cpu()


def generators(model: Model) -> dict[str, Generator]:
    """Return class -> its generator, or that of `ANY`; UsageError for a model without a GAN."""
    names = model.classes["known"]
    detector = model.detector
    if isinstance(detector, GANDetector) and len(names) > 1 and not detector.gan.method.conditional:
        return {ANY: Generator(ANY, detector.gan, None)}
    if isinstance(detector, GANDetector) and detector.gan.method.conditional:
        return {name: Generator(name, detector.gan, k) for k, name in enumerate(names)}
    members: Mapping[str, Detector] = detector.members if isinstance(detector, OpenSet) else {names[0]: detector}
    found = {
        name: Generator(name, member.gan, member.label)
        for name, member in members.items()
        if isinstance(member, GANDetector)
    }
    if not found:
        made = "train with --method auto-gan, or another GAN"
        raise UsageError(f"the model is {model.method['name']}, which generates no images; {made}")
    return found


def leaf_generators(model: Model) -> dict[str, Generator]:
    """Return sub-class, such as Coat/0 -> its generator; none where no class was split, or G has no class as input.

    Image i is that of the class with the same number, where the class takes it from this sub-class.
    """
    gan, known = split_gan(model.detector), model.classes["known"]
    if gan is None or not gan.conditional:
        return {}
    able, paths = generators(model), gan.tree.paths
    return {
        name: replace(able[known[path[0]]], leaf=leaf)
        for leaf, (name, path) in enumerate(zip(model.leaves, paths, strict=True))
        if len(path) > 1
    }


def write(
    model: Model,
    out: Path,
    counts: Mapping[str, int],
    *,
    seed: int = 0,
    truncation: float | None = None,
    part: Part = WHOLE,
    judge: Model | None = None,
    report: Report = lambda stage, done, of: None,
    warn: Warn = lambda message: None,
) -> dict[str, int]:
    """Write images of each class to `out`: a folder with PNGs by class and a list, or an .npz file.

    Both can be read as data. The folder is new or empty, and is written as a whole or not at all. For a folder the
    images stream through memory; for an .npz file all are in memory.

    Parameters
    ----------
    counts
        Class, or sub-class of a class that was split -> number of images.
    seed, truncation
        As for `Generator.images`.
    part : Part
        The share of the images that is written, of all classes in turn: a class may have none in it.
    judge : Model or None
        A model of several known classes; each image stands below the one that it is likeliest of, where G makes images
        of `ANY`.
    report, warn : callable
        Called with the progress, and with the classes of which all images are nearly the same.

    Returns
    -------
    dict
        Class, or sub-class -> number of images that were written.

    Raises
    ------
    UsageError
        For a model without a GAN, a folder that is not empty, PNGs of vectors, or a judge of other images or of one
        class, or where the images have classes of their own.
    DataError
        For a class that is not a known class of the model, nor a sub-class of one, or fewer images than parts.
    OutputError
        If `out` cannot be written.
    """
    parts = leaf_generators(model)
    able = parts | generators(model)
    if strange := [name for name in counts if name not in able]:
        raise DataError(f"the model has no class {show(strange[0])}; it has {listed(able)}")
    _write = _npz if out.suffix.lower() == ".npz" else _folder
    if len(model.shape) != 3 and _write is _folder:
        raise UsageError("the model generates vectors, which cannot be written as PNG; give an .npz file (-o)")
    if judge is not None:
        _check_judge(judge, model, able)
    rows = _rows(counts, part)
    total = sum(map(len, rows.values()))

    def blocks() -> Iterator[Block]:
        done = 0
        for name, mine in rows.items():
            start = mine.start
            for block in able[name].images(mine.stop, seed=seed, truncation=truncation, first=start):
                report("generating", done, total)
                if start == mine.start and model.training["images"] >= LEARNT and alike(block):
                    warn(
                        f"the images of {show(name)} are nearly all alike: the GAN has collapsed; train again with "
                        "more images shown (--images), or a lower step size (--lr)"
                    )
                yield Block(name, able[name], start, block, () if judge is None else seen(judge, block))
                start, done = start + len(block), done + len(block)

    _write(out, {name: able[name] for name in rows}, model.leaves if parts else (), seed, truncation, blocks())
    return {name: len(mine) for name, mine in rows.items()}


def _check_judge(judge: Model, model: Model, able: Mapping[str, Generator]) -> None:
    """Raises UsageError where the images of the model cannot be sorted by what the judge sees."""
    if ANY not in able:
        raise UsageError(f"the model's images are of {listed(able)} already; leave out --sorted-by")
    if len(judge.classes["known"]) < 2:
        raise UsageError(
            "--sorted-by: its model knows one class; name a run of several known classes, such as one of cnn"
        )
    if judge.shape != model.shape:
        raise UsageError(
            f"--sorted-by: its model takes images of shape {judge.shape}, and this one makes {model.shape}; train it "
            "with the same --size"
        )


def seen(judge: Model, pixels: Pixels) -> tuple[str, ...]:
    """Return the known class that each image (N, C, H, W) uint8 is likeliest of."""
    shares = judge.score(pixels).classes
    assert shares is not None, "a model of several classes has their probabilities"
    return tuple(judge.classes["known"][k] for k in shares.argmax(1))


def _rows(counts: Mapping[str, int], part: Part) -> dict[str, range]:
    """Return the numbers of a part's images of each class, of those classes that have any in it."""
    own, before, found = part.rows(sum(counts.values())), 0, dict[str, range]()
    for name, n in counts.items():
        mine = range(max(own.start - before, 0), min(own.stop - before, n))
        found |= {name: mine} if mine else {}
        before += n
    return found


@dataclass(frozen=True)
class Block:
    """Images that a generator made, from number `start` on."""

    asked: str  # the class or sub-class
    of: Generator
    start: int
    pixels: Pixels
    seen: tuple[str, ...] = ()  # the class that a judge sees in each image

    @property
    def classes(self) -> tuple[str, ...]:
        """The class of each image: that of the generator, or what the judge sees."""
        return self.seen or (self.of.name,) * len(self.pixels)

    def leaves(self, names: Sequence[str]) -> list[str]:
        """Return the sub-class of each image, by the names of all sub-classes."""
        turn = [names[leaf] for leaf in self.of.leaves]
        return [turn[(self.start + i) % len(turn)] for i in range(len(self.pixels))]


def _folder(
    out: Path,
    able: Mapping[str, Generator],
    leaves: Sequence[str],
    seed: int,
    truncation: float | None,
    blocks: Iterator[Block],
) -> None:
    """Write PNGs into one folder per class, those of a sub-class below it, and their list in generated.csv last."""
    folders = {name: class_folder(one.name) + name.removeprefix(one.name) for name, one in able.items()}
    with files.atomic_folder(out) as part:
        for name, folder in folders.items():
            if name != ANY:  # whose images may be sorted
                (part / folder).mkdir(parents=True, exist_ok=True)
        head = ("file", "class", "seed", "number", "truncation", *["subclass"] * bool(leaves))
        rows: list[tuple[object, ...]] = [head]

        def write_block(block: Block) -> None:
            own = [(name,) for name in block.leaves(leaves)] if leaves else [()] * len(block.pixels)
            for i, image in enumerate(block.pixels, block.start):
                name = block.classes[i - block.start]
                folder = class_folder(name) if block.seen else folders[block.asked]
                (part / folder).mkdir(parents=True, exist_ok=True)
                path = f"{folder}/{i:06d}.png"
                files.write_new(part / path, png(image.transpose(1, 2, 0)))
                rows.append((file_cell(path), name, seed, i, truncation, *own[i - block.start]))

        _behind(write_block, blocks)
        files.write_new(part / MANIFEST, as_csv(rows).encode("utf-8", "surrogateescape"))


def _behind(write_block: Callable[[Block], None], blocks: Iterator[Block]) -> None:
    """Write the blocks in a second thread, in their order, while the next one is made.

    An error of either side is raised here, after the other side has ended. Blocks that wait then are not written.
    """
    waiting = deque[Future[None]]()
    with ThreadPoolExecutor(1) as pool:
        try:
            for block in blocks:
                waiting.append(pool.submit(write_block, block))
                if len(waiting) > WAITING:
                    waiting.popleft().result()
            for one in waiting:
                one.result()
        finally:
            pool.shutdown(cancel_futures=True)


def class_folder(name: str) -> str:
    """Return the class as a folder's name; UsageError where no folder can have this name."""
    if name in (".", "..") or "/" in name or "\0" in name:
        raise UsageError(f"class {show(name)} cannot be the name of a folder; give an .npz file (-o)")
    return name


def _npz(
    out: Path,
    able: Mapping[str, Generator],
    leaves: Sequence[str],
    seed: int,
    truncation: float | None,
    blocks: Iterator[Block],
) -> None:
    """Write `images`, `labels` and `classes` as `lookalike` reads them, and `number`, `seed` and `truncation`."""
    kept = list(blocks)
    classes = [name for block in kept for name in block.classes]
    names = list(dict.fromkeys([*(one.name for one in able.values() if one.name != ANY), *classes]))
    pixels = np.concatenate([block.pixels for block in kept])
    images = pixels.transpose(0, 2, 3, 1) if pixels.ndim == 4 else pixels
    subclass: dict[str, Any] = (
        {"subclass": np.array([name for block in kept for name in block.leaves(leaves)])} if leaves else {}
    )
    data = io.BytesIO()
    np.savez_compressed(
        data,
        images=images,
        labels=np.array([names.index(name) for name in classes]),
        classes=np.array(names),
        number=np.concatenate([block.start + np.arange(len(block.pixels)) for block in kept]),
        seed=np.array(seed),
        truncation=np.array(np.inf if truncation is None else truncation),
        **subclass,
    )
    files.write_bytes(out, data.getvalue())


def picture(model: Model, seed: int = 0, truncation: float | None = None, columns: int = 8) -> bytes:
    """Return a PNG with a row of images for each known class, the first that `write` generates."""
    able = generators(model)
    if len(model.shape) != 3:
        raise UsageError("the model generates vectors, which have no picture; leave out --grid")
    rows = []
    for one in able.values():
        z = torch.cat([one.z(i, seed, truncation) for i in range(columns)])
        rows.append(one.maker()(z, 0))
    return png(grid(torch.cat(rows), columns))


def between(
    model: Model,
    first: str,
    second: str,
    *,
    seed: int = 0,
    truncation: float | None = None,
    steps: int = 8,
    rows: int = 4,
) -> bytes:
    """Return a PNG of the way from one class to another: a row per z, with columns from `first` to `second`.

    Raises
    ------
    UsageError
        For a model with one GAN per class, which has nothing between them, or for a model of vectors.
    DataError
        For a class that is not a known class of the model.
    """
    able = generators(model)
    for name in (first, second):
        if name not in able:
            raise DataError(f"the model has no class {show(name)}; it has {listed(able)}")
    one, other = able[first], able[second]
    if one.label is None or other.label is None or len(model.shape) != 3:
        raise UsageError("only a conditional GAN of image classes has images between them; train acgan or cgan")
    z = torch.cat([one.z(i, seed, truncation) for i in range(rows)])
    ways = []
    for share in np.linspace(0, 1, steps).tolist():
        # The label is a mixture of the two classes' one-hot vectors.
        mix = torch.zeros(one.gan.classes)
        mix[one.label] += 1 - share
        mix[other.label] += share
        ways.append(_made(one.gan.frozen(mix)[0], z, one.gan))
    return png(grid(torch.stack(ways, 1).flatten(0, 1), steps))
