"""What members read of images, block by block: a frozen network sees each image once for all that share a view."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version

import torch
from torch import Tensor

from lookalike.base.arrays import Pixels
from lookalike.data.images import Selection
from lookalike.detect.members import Member
from lookalike.features import cache
from lookalike.features.backbone import Backbone, layers
from lookalike.features.cache import Reading
from lookalike.features.views import averaged, block_size, maps, seen_size

EDITION = 1  # of how rows are read; counts up with any change, so that none come from the cache of before
Steps = Callable[[int], None]  # gets the number of images that a network has just seen


def by_view(members: Sequence[Member]) -> list[list[Member]]:
    """Members that see images in the same way, and so share the work of the network."""
    found: dict[tuple[int, bool], list[Member]] = {}
    for member in members:
        found.setdefault((member.side, member.averaged), []).append(member)
    return list(found.values())


def seen(
    backbone: Backbone, pixels: Pixels | Selection, members: Sequence[Member], steps: Steps
) -> Iterator[tuple[int, dict[Member, Tensor]]]:
    """Blocks in order: the number n of images, and the rows (block, ...) of each member; only the first n are real.

    The members share a view.
    """
    wanted = {tap for member in members for tap in member.taps}
    taps = [tap for tap in layers(backbone) if tap.name in wanted]
    side, look = members[0].side, averaged if members[0].averaged else maps

    def see(part: Pixels | Selection) -> Iterator[tuple[int, list[Tensor]]]:
        for n, found in look(backbone, part, side, taps):
            by_tap = dict(zip((tap.name for tap in taps), found, strict=True))
            yield n, [member.rows(by_tap) for member in members]

    def see_block(part: Pixels) -> list[Tensor]:
        ((_, rows),) = see(part)
        return rows

    blocks = see(pixels)
    if kept := cache.current():
        block = block_size(backbone, pixels.shape[1:], side)
        blocks = kept.blocks(see_block, pixels, block, [_reading(backbone, one, pixels.shape[1:]) for one in members])
    for n, rows in blocks:
        yield n, dict(zip(members, rows, strict=True))
        steps(n)


def row_shape(backbone: Backbone, member: Member, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of the member's row of one image (C, H, W), by the sizes of empty maps."""
    size = seen_size(backbone, shape, member.side)
    grids = {
        tap.name: torch.empty(1, tap.channels, -(-size[0] // tap.stride), -(-size[1] // tap.stride), device="meta")
        for tap in layers(backbone)
    }
    return tuple(member.rows(grids).shape[1:])


def _reading(backbone: Backbone, member: Member, shape: tuple[int, ...]) -> Reading:
    """What a member's row depends on: the network, what is read, and all that rounds sums in another way."""
    facts = (backbone.origin.sha256, member.reads, EDITION, torch.get_num_threads(), *_makers())
    return Reading.of(facts, row_shape(backbone, member, shape))


@lru_cache
def _makers() -> tuple[str, ...]:
    """The versions of what computes maps, and the kind of CPU."""
    versions = [version("lookalike"), torch.__version__]
    with suppress(PackageNotFoundError):
        versions.append(version("onnxruntime"))
    return (*versions, platform.machine(), torch.backends.cpu.get_cpu_capability())
