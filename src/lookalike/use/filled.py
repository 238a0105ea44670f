"""The generated images of a class: how they were chosen, and whether they are worth writing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lookalike.base.arrays import Floats, Pixels
from lookalike.base.errors import DataError, show
from lookalike.base.words import percent
from lookalike.use.memorised import Memory
from lookalike.use.quality import diversity

# With less, more than two of three images show another class by the classifier, and their labels only mislead.
RECOGNISED = 0.3
# Of digits, a GAN that has learnt them has 116 to 136 %, and one picture with noise of 20 grey levels 25 to 28 %.
VARIETY = 0.3
NOISY = 2.0  # images that differ more than so many times as much as real ones are noise
JUDGED = 10  # generated images; of fewer, below 30 % may be recognised by chance though G makes most of them well


@dataclass(frozen=True)
class Filled:
    """The generated images of one class, and how they were chosen."""

    name: str
    real: int
    pixels: Pixels  # the generated images, (N, C, H, W) uint8 or (N, F) float32
    numbers: npt.NDArray[np.int64]  # (N,), numbers of the images as in `lookalike generate`
    made: int  # images generated to keep N
    rejected: Mapping[str, int]  # filter -> number of images that it dropped
    agreed: float | None  # share that a classifier of the real images gives this class, before it filters
    variety: float | None  # see `variety`
    closeness: Floats  # (N,), see `lookalike.use.memorised`
    nearest: npt.NDArray[np.int64]  # (N,), row of the nearest image in `memory.training`
    memory: Memory
    anyway: bool = False  # whether the images are written whatever they are worth

    @property
    def collapsed(self) -> bool:
        """Whether G makes nearly the same image again and again."""
        return self.variety is not None and self.variety < VARIETY

    @property
    def noisy(self) -> bool:
        """Whether the images differ far more than real ones do; never of few."""
        return self.variety is not None and self.variety > NOISY and len(self.pixels) >= JUDGED

    @property
    def unrecognised(self) -> bool:
        """Whether most images are of another class; never of images that the classifier itself chose, or of few."""
        if self.agreed is None or "classifier" in self.rejected or len(self.pixels) < JUDGED:
            return False
        return self.agreed < RECOGNISED

    @property
    def written(self) -> bool:
        """Whether the images stand in the output."""
        return self.anyway or not (self.collapsed or self.noisy or self.unrecognised)


class NotWrittenError(DataError):
    """Generated images that are of no use (exit code 3); all else is written. `filled` holds every class."""

    def __init__(self, filled: list[Filled]) -> None:
        bad = [one for one in filled if not one.written]
        super().__init__(
            f"generated images not written: {'; '.join(map(_figures, bad))}; accepted are {percent(RECOGNISED)} "
            f"recognised or more, and {percent(VARIETY)} to {percent(NOISY)} variety; add images of "
            "the class, show more images to the GAN (--images), or write them in any case (--anyway); the same command "
            "with either replaces this output"
        )
        self.filled = filled


def _figures(one: Filled) -> str:
    """Return the class with both figures: "8 (collapsed, recognised 40 %, variety 2 %)"."""
    figures = {"recognised": one.agreed, "variety": one.variety}
    said = ", ".join(f"{name} {'not measured' if x is None else percent(x)}" for name, x in figures.items())
    return f"{show(one.name, 60)} ({'collapsed, ' if one.collapsed else 'noise, ' if one.noisy else ''}{said})"


def variety(made: Floats, real: Floats) -> float | None:
    """Return the mean distance of two generated images over that of two real ones, by features (N, D) and (M, D).

    It is 0 where all generated images are equal, and about 1 where they vary as real ones do. None: there are fewer
    than two images on a side, or the real ones do not differ.
    """
    if min(len(made), len(real)) < 2:
        return None
    usual = diversity.within(real).mean
    return diversity.within(made).mean / usual if usual > 0 else None
