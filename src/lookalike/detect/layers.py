"""Which taps of a backbone which members look at, by the pixels from one place of a map to the next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lookalike.features.backbone import Tap

FINEST, FINE = 4, 8  # strides: below the first a tap sees little more than pixels; up to the second, small defects
WHOLE = 3  # taps whose whole maps are compared
LARGEST = 2**16  # numbers of a whole map; larger ones take much memory


@dataclass(frozen=True)
class Layers:
    """The taps of a backbone by their use, the earliest first.

    The rule holds for any backbone with at least one tap. Taps of stride 4 and more are used, or all where there are
    none. Those of a stride above 8 are late; where there are none, those of the largest stride. The first of the late
    strides is the middle one: 16 in most networks, 14 or 16 in a transformer.

    Parameters
    ----------
    every : tuple of Tap
        All that are used.
    early : tuple of Tap
        For small defects: the first and the last of stride 4 to 8, or of the middle stride where there are none.
    middle : tuple of Tap
        The first and the last of the middle stride. Where only one has it, the one before and this one, as PatchCore
        has in a ResNet (Roth et al. 2022).
    joint : tuple of Tap
        The last of the middle stride, and the next one where there is one.
    late : tuple of Tap
        All that are late.
    """

    every: tuple[Tap, ...]
    early: tuple[Tap, ...]
    middle: tuple[Tap, ...]
    joint: tuple[Tap, ...]
    late: tuple[Tap, ...]

    @classmethod
    def of(cls, taps: Sequence[Tap]) -> Layers:
        """The layers among these taps, the earliest first."""
        every = tuple(tap for tap in taps if tap.stride >= FINEST) or tuple(taps)
        late = tuple(tap for tap in every if tap.stride > min(FINE, every[-1].stride - 1))
        middle = [tap for tap in late if tap.stride == late[0].stride]
        fine = [tap for tap in every if tap not in late and tap.stride <= FINE]
        first, last = every.index(middle[0]), every.index(middle[-1])
        return cls(
            every=every,
            early=_ends(fine or middle),
            middle=_ends(middle if len(middle) > 1 else every[max(0, first - 1) : first + 1]),
            joint=every[last : last + 2],
            late=late,
        )

    def whole(self, side: int) -> tuple[Tap, ...]:
        """The first late taps whose maps of an image of `side` x `side` pixels are small enough to compare whole."""
        small = [tap for tap in self.late if tap.channels * (side / tap.stride) ** 2 <= LARGEST]
        return tuple(small[:WHOLE])


def _ends(taps: Sequence[Tap]) -> tuple[Tap, ...]:
    """The first and the last, once where they are one."""
    return tuple(dict.fromkeys((taps[0], taps[-1])))
