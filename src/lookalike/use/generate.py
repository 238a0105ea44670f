"""Images of the classes that a model knows, from its folder alone: each image has a seed of its own.

Image i of a class is made from a z that only the seed, the class's name and i decide: the same command gives the same
images, and more of them begin with the same ones.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from lookalike.base import files
from lookalike.base.arrays import Pixels, Report
from lookalike.base.errors import DataError, UsageError, listed, show
from lookalike.base.seeds import generator
from lookalike.data.images import as_pixels
from lookalike.detect.detector import Detector
from lookalike.detect.gan import GANDetector
from lookalike.detect.model import ANY, Model
from lookalike.detect.openset import OpenSet
from lookalike.game.gan import GAN
from lookalike.runs.samples import grid, png

BLOCK = 256  # images made at once, always so many, so that company changes no bit
MANIFEST = "generated.csv"


@dataclass(frozen=True)
class Generator:
    """Makes the images of one known class; image i of its sub-class i, modulo their number.

    Parameters
    ----------
    name : str
        The class.
    gan : GAN
        That learned it, alone or with others.
    label : int or None
        Its number, where the GAN is told it.
    """

    name: str
    gan: GAN
    label: int | None

    def images(self, n: int, *, seed: int, truncation: float | None = None) -> Iterator[Pixels]:
        """Blocks of at most 256 images, n altogether: (N, C, H, W) uint8, or (N, F) float32 vectors.

        Parameters
        ----------
        n : int
            How many.
        seed : int
            Of all of them.
        truncation : float or None
            Entries of z beyond it are drawn anew (Brock et al. 2019): fewer odd images, and less variety.
        """
        make = self.maker()
        for start in range(0, n, BLOCK):
            z = torch.cat([self.z(start + i, seed, truncation) for i in range(BLOCK)])
            yield as_pixels(make(z, start))[: n - start]

    def maker(self) -> Callable[[Tensor, int], Tensor]:
        """Makes images (N, *shape) float32 on the CPU of z (N, Z), which are the images from number `start` on."""
        leaves = () if self.label is None else self.gan.tree.of(self.label)
        if len(leaves) > 1:
            turn = torch.tensor(leaves)
            return lambda z, start: self.gan.generate(z, turn[(start + torch.arange(len(z))) % len(turn)]).cpu()
        G, _ = self.gan.frozen(self.label)
        return lambda z, _start: _made(G, z, self.gan)

    def z(self, i: int, seed: int, truncation: float | None = None) -> Tensor:
        """(1, Z) of image i."""
        return self.gan.method.latent.draw(1, generator(seed, "generate", self.name, i), truncation)


@torch.no_grad()
def _made(G: nn.Module, z: Tensor, gan: GAN) -> Tensor:
    images: Tensor = G(z.to(gan.device))
    return images.cpu()


def generators(model: Model) -> dict[str, Generator]:
    """What makes the images of each known class, or of `ANY`; UsageError for a model without a GAN."""
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
        made = "train with --method acgan, or another GAN"
        raise UsageError(f"the model is {model.method['name']}, which makes no images; {made}")
    return found


def write(
    model: Model,
    out: Path,
    counts: Mapping[str, int],
    *,
    seed: int = 0,
    truncation: float | None = None,
    report: Report = lambda stage, done, of: None,
) -> None:
    """Writes so many images of each class into `out`: a folder of PNGs by class with a list, or an .npz file.

    Both can be read as any data. The folder is new or empty, and made whole or not at all; images stream through memory
    into a folder, and are held for an .npz file.

    Raises
    ------
    UsageError
        For a model without a GAN, a folder that holds something, or PNGs of vectors.
    DataError
        For a class that the model does not know.
    OutputError
        If `out` cannot be written.
    """
    able = generators(model)
    if strange := [name for name in counts if name not in able]:
        raise DataError(f"the model knows no class {show(strange[0])}; it knows {listed(able)}")
    _write = _npz if out.suffix == ".npz" else _folder
    if len(model.shape) != 3 and _write is _folder:
        raise UsageError("the model makes vectors, which are no pictures; give a file .npz (-o)")
    total = sum(counts.values())

    def blocks() -> Iterator[tuple[str, int, Pixels]]:
        done = 0
        for name, n in counts.items():
            start = 0
            for block in able[name].images(n, seed=seed, truncation=truncation):
                report("generating", done, total)
                yield name, start, block
                start, done = start + len(block), done + len(block)

    _write(out, list(counts), seed, truncation, blocks())


def _folder(
    out: Path, names: list[str], seed: int, truncation: float | None, blocks: Iterator[tuple[str, int, Pixels]]
) -> None:
    """PNGs in a folder per class; generated.csv lists them last."""
    folders = {name: class_folder(name) for name in names}
    with files.atomic_folder(out) as part:
        for folder in folders.values():
            (part / folder).mkdir()
        listing = io.StringIO()
        rows = csv.writer(listing, lineterminator="\n")
        rows.writerow(("file", "class", "seed", "number", "truncation"))
        for name, start, block in blocks:
            for i, image in enumerate(block, start):
                path = f"{folders[name]}/{i:06d}.png"
                files.write_new(part / path, png(image.transpose(1, 2, 0)))
                rows.writerow((path, name, seed, i, truncation))
        files.write_new(part / MANIFEST, listing.getvalue().encode("utf-8", "surrogateescape"))


def class_folder(name: str) -> str:
    """The class as a folder's name; UsageError where it can be none."""
    if name in (".", "..") or "/" in name or "\0" in name:
        raise UsageError(f"class {show(name)} cannot name a folder; give a file .npz (-o)")
    return name


def _npz(
    out: Path, names: list[str], seed: int, truncation: float | None, blocks: Iterator[tuple[str, int, Pixels]]
) -> None:
    """`images`, `labels`, `classes`, as `lookalike` reads them; `number`, `seed`, `truncation` say what made them."""
    kept = [(names.index(name), start + np.arange(len(block)), block) for name, start, block in blocks]
    pixels = np.concatenate([block for _, _, block in kept])
    images = pixels.transpose(0, 2, 3, 1) if pixels.ndim == 4 else pixels
    data = io.BytesIO()
    np.savez_compressed(
        data,
        images=images,
        labels=np.repeat([label for label, _, _ in kept], [len(block) for _, _, block in kept]),
        classes=np.array(names),
        number=np.concatenate([numbers for _, numbers, _ in kept]),
        seed=np.array(seed),
        truncation=np.array(np.inf if truncation is None else truncation),
    )
    files.write_bytes(out, data.getvalue())


def picture(model: Model, seed: int = 0, truncation: float | None = None, columns: int = 8) -> bytes:
    """A PNG with a row of images for each known class, the first that `write` makes."""
    able = generators(model)
    if len(model.shape) != 3:
        raise UsageError("the model makes vectors, which are no pictures; leave --grid out")
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
    """A PNG of the way from one class to another: each row one z, its columns from `first` to `second`.

    Raises
    ------
    UsageError
        For a model with a GAN per class, which has nothing between them, or of vectors.
    DataError
        For a class that it does not know.
    """
    able = generators(model)
    for name in (first, second):
        if name not in able:
            raise DataError(f"the model knows no class {show(name)}; it knows {listed(able)}")
    one, other = able[first], able[second]
    if one.label is None or other.label is None or len(model.shape) != 3:
        raise UsageError("only a GAN of several classes of images has something between them; train acgan or cgan")
    z = torch.cat([one.z(i, seed, truncation) for i in range(rows)])
    ways = []
    for share in np.linspace(0, 1, steps).tolist():
        mix = torch.zeros(one.gan.classes)
        mix[one.label] += 1 - share
        mix[other.label] += share
        ways.append(_made(one.gan.frozen(mix)[0], z, one.gan))
    return png(grid(torch.stack(ways, 1).flatten(0, 1), steps))
