"""Small detectors on maps of a frozen network; one or several of them are a detector of photographs.

Each learns from maps of known images, and says of each known image what it would score had it not learnt from it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal, Protocol

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, normalize

from lookalike.base import checkpoint
from lookalike.base.arrays import Floats, Labels, Pixels
from lookalike.base.errors import ModelError
from lookalike.base.seeds import generator
from lookalike.detect.coreset import coreset
from lookalike.detect.gaussian import ShrunkGaussian

How = Literal["gaussian", "neighbours", "patches"]
SHRINKAGE = 0.05  # share of the mean variance that is added in all ways
BLOCK = 2000  # images compared at once
NEAREST = 2  # images whose distances are averaged
POOL, BANK = 20_000, 6_000  # places of known images that a bank is chosen from, and that it keeps
WORST = 0.002  # share of an image's places, those least like known ones, whose mean is its score
WHITENED = 0.01  # share of the mean variance that is added to each, so that the smallest do not grow without bound
AROUND = 2.0  # places, the standard deviation of the weights of surroundings
LEAST = 1e-6  # the spread of places that are all alike
COMPARED = 2**23  # distances in memory at once


@dataclass(frozen=True)
class Member:
    """What a small detector looks at.

    Parameters
    ----------
    how : {"gaussian", "neighbours", "patches"}
        Distance to a shrunk Gaussian (Rippel et al. 2021), to the nearest known images (Bergman et al. 2020), or of
        the worst places to the nearest known places (Roth et al. 2022).
    side : int
        The size of the images; see `lookalike.features.views`.
    taps : tuple of str
        The layer of the network. Patches may have several, the earliest first, brought to the grid of the last.
    cells : int
        The map is averaged in cells x cells parts. 0 means the whole map, place by place.
    stands_out : bool
        Patches, for small defects: rows are whitened, the bank is twice as large, and of the distance of a place what
        it has above that of its surroundings counts.
    unit : bool
        Rows have length 1.
    averaged : bool
        Its maps are means over four views of an image; see `lookalike.features.views.averaged`.
    """

    how: How
    side: int
    taps: tuple[str, ...]
    cells: int = 1
    stands_out: bool = False
    unit: bool = False
    averaged: bool = False

    def __str__(self) -> str:
        grid = {0: ", whole map", 1: ""}.get(self.cells, f", {self.cells} x {self.cells} cells")
        grid += ", above its surroundings" if self.stands_out else ", directions" if self.unit else ""
        grid += ", averaged over views" if self.averaged else ""
        return f"{self.how}: {' and '.join(self.taps)} at {self.side} pixels{grid}"

    def json(self) -> dict[str, Any]:
        """The fields as JSON values."""
        later = {name for name in ("unit", "averaged") if not getattr(self, name)}  # fields that older models lack
        return {name: value for name, value in asdict(self).items() if name not in later} | {"taps": list(self.taps)}

    @property
    def locates(self) -> bool:
        """Whether it says which places of an image are unlike the known ones."""
        return self.how == "patches" or (self.how == "gaussian" and not self.cells)

    @property
    def reads(self) -> tuple[object, ...]:
        """All that its rows depend on, but for the network and the image."""
        return self.side, self.taps, 0 if self.locates else self.cells, self.unit, self.averaged

    @property
    def tensors(self) -> int:
        """The number of tensors that are stored of it; see `Fitted.tensors`."""
        return 3 if self.how == "gaussian" or self.stands_out else 1

    def rows(self, maps: Mapping[str, Tensor]) -> Tensor:
        """What it compares, from maps (n, C, h, w) by tap: (n, F) float32, or where it locates (n, h, w, F)."""
        if self.locates:
            grid = maps[self.taps[-1]].shape[2], maps[self.taps[-1]].shape[3]
            rows = torch.cat([adaptive_avg_pool2d(maps[tap], grid) for tap in self.taps], 1).permute(0, 2, 3, 1)
            return rows.contiguous()
        rows = adaptive_avg_pool2d(maps[self.taps[0]], self.cells).flatten(1)
        return normalize(rows) if self.unit else rows

    def learner(self, images: int, seed: int) -> Learner:
        """What learns from so many known images."""
        return _Pool(self, images, seed) if self.how == "patches" else _All(self)

    def restore(self, tensors: Mapping[str, Tensor], shape: tuple[int, ...], what: str) -> Fitted:
        """From what `Fitted.tensors` gave, for rows (n, *shape); raises ModelError for anything else."""
        if self.how == "gaussian":
            return Gaussian(ShrunkGaussian.restore(tensors, math.prod(shape), what))
        length = shape[-1]
        n = len(tensors["known"]) if "known" in tensors and tensors["known"].ndim else 1
        shapes = {"known": torch.empty(n, length, dtype=torch.float16, device="meta")}
        if self.stands_out:
            shapes |= {
                "mean": torch.empty(length, device="meta"),
                "matrix": torch.empty(length, length, device="meta"),
            }
        checkpoint.match(tensors, shapes, what)
        if not n:
            raise ModelError(f"{what} has no known image; train again")
        if self.how == "neighbours":
            return Neighbours(tensors["known"])
        return Patches(tensors["known"], Whitening(tensors["mean"], tensors["matrix"]) if self.stands_out else None)


class Learner(Protocol):
    """Takes the rows of known images, block by block and in their order."""

    def add(self, rows: Tensor) -> None:
        """The rows of the next images."""

    def fitted(self) -> Fitted:
        """What has learnt from all of them."""

    def again(self, rows: Tensor, groups: Labels) -> None:
        """The same rows once more, after the last `add`, and the groups (N,) of all images; asked of patches alone."""

    def left_out(self, groups: Labels) -> LeftOut:
        """What it says of the known images, each by what all images of other groups (N,) teach."""


@dataclass(frozen=True)
class LeftOut:
    """What is said of known images that were left out.

    Parameters
    ----------
    score : ndarray
        (N,) float64.
    usual : tuple of float
        Mean and standard deviation of what `Locator.places` says of their places; (0, 1) where it does not locate.
    """

    score: Floats
    usual: tuple[float, float] = (0.0, 1.0)


class Fitted(Protocol):
    """A member that has learnt."""

    def score(self, rows: Tensor) -> Floats:
        """(n,) float64, larger = less like the known images, of what `Member.rows` gave."""

    def tensors(self) -> dict[str, Tensor]:
        """What must be stored to score again."""


class Locator(Fitted, Protocol):
    """A member that has learnt, and can locate."""

    def places(self, rows: Tensor) -> Tensor:
        """(n, h, w) float32, larger = less like the known images there."""


@dataclass(frozen=True)
class Gaussian:
    """The distance to a shrunk Gaussian."""

    of: ShrunkGaussian

    def score(self, rows: Tensor) -> Floats:
        """See `Fitted`."""
        return np.sqrt(np.maximum(self.of.distances(rows.flatten(1).numpy()), 0))

    def places(self, rows: Tensor) -> Tensor:
        """See `Locator`: the length of the residual at each place."""
        return _lengths(self.of.residuals(rows.flatten(1).numpy()), rows.shape[1:3])

    def tensors(self) -> dict[str, Tensor]:
        """See `Fitted`."""
        return self.of.tensors()


@dataclass(frozen=True)
class Neighbours:
    """The mean distance to the nearest known images, (N, F) float16."""

    known: Tensor

    def score(self, rows: Tensor) -> Floats:
        """See `Fitted`."""
        return _nearest_images(torch.cdist(rows, self.known.float()), len(self.known))

    def tensors(self) -> dict[str, Tensor]:
        """See `Fitted`."""
        return {"known": self.known}


@dataclass(frozen=True)
class Whitening:
    """Takes `mean` (F,) from rows (..., F), and multiplies with `matrix` (F, F), both float32."""

    mean: Tensor
    matrix: Tensor

    @classmethod
    def fit(cls, rows: Tensor) -> Whitening:
        """All directions of rows (N, F) get a variance of nearly 1, but for the smallest."""
        values, vectors = torch.linalg.eigh(torch.cov(rows.double().T))
        least = WHITENED * values.mean().clamp_min(LEAST)
        return cls(rows.mean(0), (vectors / (values.clamp_min(0) + least).sqrt()).float())

    def __call__(self, rows: Tensor) -> Tensor:
        """The whitened rows."""
        return (rows - self.mean) @ self.matrix


@dataclass(frozen=True)
class Patches:
    """Distances of an image's places to the nearest of a bank of known places, (B, F) float16.

    With a whitening these are distances of whitened rows, of which what lies above the surroundings counts.
    """

    known: Tensor
    whitening: Whitening | None = None

    def score(self, rows: Tensor) -> Floats:
        """See `Fitted`."""
        return np.array([worst(self.distances(image)) for image in rows], np.float64)

    def places(self, rows: Tensor) -> Tensor:
        """See `Locator`: the distances."""
        return torch.stack([self.distances(image) for image in rows])

    def distances(self, image: Tensor, without: Tensor | None = None) -> Tensor:
        """(h, w) of an image's places (h, w, F) to the bank, of which the places `without` (B,) bool do not count.

        With a whitening, less the distances around, with the weights of a Gaussian.
        """
        rows = image.flatten(0, 1)
        found: Tensor = self._nearest(self.whitening(rows) if self.whitening else rows, without)
        found = found.unflatten(0, image.shape[:2])
        return found - torch.from_numpy(gaussian_filter(found.numpy(), AROUND)) if self.whitening else found

    def _nearest(self, places: Tensor, without: Tensor | None) -> Tensor:
        """(P,) distance of each place (P, F)."""
        bank = self.known.float()
        length = (bank**2).sum(1)
        if without is not None:
            length = length.masked_fill(without, torch.inf)
        parts = places.split(max(1, COMPARED // len(bank)))
        # |a - b|^2 = |a|^2 + |b|^2 - 2 ab
        found = [torch.addmm(length, part, bank.T, alpha=-2).min(1).values + (part**2).sum(1) for part in parts]
        return torch.cat(found).clamp_min(0).sqrt()

    def tensors(self) -> dict[str, Tensor]:
        """See `Fitted`."""
        return {"known": self.known} | (vars(self.whitening) if self.whitening else {})


def worst(distances: Tensor) -> float:
    """The mean of the largest distances (h, w) of an image, a `WORST` share of them and one at least."""
    return float(distances.flatten().topk(max(1, round(WORST * distances.numel()))).values.mean())


def _lengths(residuals: Pixels, grid: torch.Size) -> Tensor:
    """(n, h, w) lengths of residuals (n, h x w x F)."""
    found: Tensor = torch.linalg.vector_norm(torch.from_numpy(residuals).unflatten(1, (*grid, -1)), dim=3)
    return found


def _nearest_images(distances: Tensor, images: int) -> Floats:
    """(n,) mean of the smallest `NEAREST` distances (n, N) of each row, fewer where so many `images` are not there."""
    found = distances.topk(min(NEAREST, images), largest=False).values.mean(1)
    return np.asarray(found.double().numpy())


class _All:
    """Keeps one row of each known image, for a Gaussian or for neighbours."""

    def __init__(self, member: Member) -> None:
        self.member, self.kept = member, list[Tensor]()

    def add(self, rows: Tensor) -> None:
        """See `Learner`."""
        self.grid = rows.shape[1:3]
        self.kept.append(rows.flatten(1).half())

    def fitted(self) -> Fitted:
        """See `Learner`."""
        return self._fitted

    @cached_property
    def _fitted(self) -> Neighbours | Gaussian:
        known = torch.cat(self.kept)
        self.kept.clear()
        if self.member.how == "neighbours":
            return Neighbours(known)
        return Gaussian(ShrunkGaussian.fit(known.float().numpy(), SHRINKAGE))

    def again(self, rows: Tensor, groups: Labels) -> None:
        """See `Learner`."""

    def left_out(self, groups: Labels) -> LeftOut:
        """See `Learner`."""
        fitted, found = self._fitted, []
        if isinstance(fitted, Gaussian):
            score = np.sqrt(np.maximum(fitted.of.left_out(groups), 0))
            return LeftOut(score, self._usual(fitted.of, groups) if self.member.locates else LeftOut.usual)
        known, of = fitted.known.float(), torch.from_numpy(groups)
        others = len(known) - int(torch.unique(of, return_counts=True)[1].max())
        for part in torch.arange(len(known)).split(BLOCK):
            distances = torch.cdist(known[part], known)
            distances[of[part][:, None] == of] = torch.inf
            found.append(_nearest_images(distances, others))
        return LeftOut(np.concatenate(found))

    def _usual(self, of: ShrunkGaussian, groups: Labels) -> tuple[float, float]:
        lengths = _lengths(of.left_out_residuals(groups), self.grid)
        return float(lengths.mean()), max(float(lengths.std()), LEAST)


class _Pool:
    """Keeps some places of each known image, of which a bank is chosen."""

    def __init__(self, member: Member, images: int, seed: int) -> None:
        self.member, self.seed, self.kept = member, seed, list[Tensor]()
        self.times = 2 if member.stands_out else 1
        self.each = max(1, self.times * POOL // images)
        self.draw = generator(seed, str(member), "places")
        self.scores, self.sums = list[float](), np.zeros(3)  # left out; places, sum and sum of squares of distances

    def add(self, rows: Tensor) -> None:
        """See `Learner`."""
        for image in rows.flatten(1, 2):
            self.kept.append(image[torch.randperm(len(image), generator=self.draw)[: self.each]].half())

    def fitted(self) -> Patches:
        """See `Learner`."""
        return self._bank[0]

    @cached_property
    def _bank(self) -> tuple[Patches, Tensor]:
        """The bank of B places, and the number of the image (B,) that each is from."""
        pool = torch.cat(self.kept).float()
        whitening = Whitening.fit(pool) if self.member.stands_out else None
        pool = whitening(pool) if whitening else pool
        owner = torch.repeat_interleave(torch.tensor([len(kept) for kept in self.kept]))
        chosen = coreset(pool, self.times * BANK, generator(self.seed, str(self.member), "coreset"))
        return Patches(pool[chosen].half(), whitening), owner[chosen]

    def again(self, rows: Tensor, groups: Labels) -> None:
        """See `Learner`."""
        (bank, owner), of = self._bank, torch.from_numpy(groups)
        for image in rows:
            distances = bank.distances(image, of[owner] == of[len(self.scores)])
            self.scores.append(worst(distances))
            self.sums += [distances.numel(), float(distances.sum()), float((distances.double() ** 2).sum())]

    def left_out(self, groups: Labels) -> LeftOut:
        """See `Learner`."""
        places, total, squares = self.sums.tolist()
        mean = total / places
        spread = max(squares / places - mean**2, 0.0) ** 0.5  # rounding can make it negative
        return LeftOut(np.array(self.scores), (mean, max(spread, LEAST)))
