"""How many of the 256 grey levels images use, and the value range that would use more of them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lookalike.data.source import Picture

Span = tuple[float, float]  # the least and the largest value; two ints where the values are whole numbers
FEW = 64  # of the 256 grey levels; with fewer, differences within the images are lost
DARK = 32  # 8-bit values that stay below it are numbers of classes, or on another scale


@dataclass(frozen=True)
class Levels:
    """The values of images as they are stored, and the grey levels that they become.

    Parameters
    ----------
    grey : tuple of int or None
        The least and the largest level, 0 to 255, of all images; None of none, and of vectors.
    stored : tuple of float or None
        The least and the largest value of the images that are stored with other than 8 bits; None without such.
    value_range : tuple of float or None
        The values that became black and white; None: the full 16 bits, or 0 to 1 for numbers with a fraction.
    """

    grey: tuple[int, int] | None = None
    stored: Span | None = None
    value_range: Span | None = None

    def with_picture(self, picture: Picture) -> Levels:
        """These levels with those of one more image."""
        if picture.pixels.ndim == 1:
            return self
        own = int(picture.pixels.min()), int(picture.pixels.max())
        return self | replace(self, grey=own, stored=picture.values)

    def __or__(self, other: Levels) -> Levels:
        """The levels of both groups of images, which were read with one value range."""
        return replace(self, grey=_joined(self.grey, other.grey), stored=_joined(self.stored, other.stored))

    def line(self, fixed: str = "") -> str | None:
        """What to do where few grey levels are used; `fixed` takes the place of the advice to give a value range."""
        if self.grey is None:
            return None
        low, high = self.grey
        if self.stored is None:
            if high >= DARK:
                return None
            return (
                f"the images' values go from {low} to {high} of 0 to 255, which is nearly black; multiply them so "
                "that the largest is about 255"
            )
        if high - low + 1 >= FEW or self.stored[0] == self.stored[1]:
            return None
        ends = " to ".join(f"{end:,g}" if abs(end) < 1e6 else f"{end:g}" for end in self.stored)
        bottom, top = suggested(self.stored)
        advice = fixed or f"give --value-range {bottom:.15g},{top:.15g}, or another that holds all values to come"
        return f"the images' values go from {ends}, which leaves at most {high - low + 1} of 256 grey levels; {advice}"

    @property
    def idle(self) -> bool:
        """Whether a value range was given, and no image takes one."""
        return self.value_range is not None and self.grey is not None and self.stored is None


def suggested(stored: Span) -> Span:
    """A range that holds stored values and those of similar images, and leaves them many grey levels."""
    low, high = stored
    whole = isinstance(low, int) and isinstance(high, int)
    full = (2 ** int(high).bit_length() - 1 if whole else _rounded(high, 1)) or 1
    if low >= 0 and 256 * (high - low) >= FEW * full:
        return 0, full
    bottom, top = _rounded(low, -1), _rounded(high, 1)
    return bottom, top if bottom < top else bottom + 1


def _joined(one: Any, other: Any) -> Any:
    """The span of both; either may be None."""
    if one is None or other is None:
        return one or other
    return min(one[0], other[0]), max(one[1], other[1])


def _rounded(value: float, up: int) -> float:
    """The value up (1) or down (-1) to three digits."""
    if value == 0:
        return 0.0
    step = 10.0 ** (math.floor(math.log10(abs(value))) - 2)
    return float(f"{up * math.ceil(round(up * value / step, 6)) * step:.3g}")
