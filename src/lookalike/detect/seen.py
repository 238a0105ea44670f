"""What members read of images, block by block: a frozen network sees each image once for all that share a view."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from inspect import getfile
from pathlib import Path

import torch
from torch import Tensor

from lookalike.base.arrays import Pixels
from lookalike.data.images import Selection
from lookalike.detect.members import Member
from lookalike.features import cache
from lookalike.features.backbone import Backbone, layers
from lookalike.features.cache import Reading
from lookalike.features.efficientnet import Lite
from lookalike.features.nets.efficientnet import EfficientNetLite
from lookalike.features.onnx_file import opened
from lookalike.features.views import averaged, block_size, maps, seen_size

READ_BY = (maps, Member, Lite, EfficientNetLite, opened)  # from the files with the code that rows depend on
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
    first = {member.reads: member for member in reversed(members)}  # members that read the same rows share them

    def see(part: Pixels | Selection) -> Iterator[tuple[int, list[Tensor]]]:
        for n, found in look(backbone, part, side, taps):
            by_tap = dict(zip((tap.name for tap in taps), found, strict=True))
            yield n, [member.rows(by_tap) for member in first.values()]

    def see_block(part: Pixels) -> list[Tensor]:
        ((_, rows),) = see(part)
        return rows

    blocks = see(pixels)
    if kept := cache.current():
        block = block_size(backbone, pixels.shape[1:], side)
        readings = [_reading(backbone, member, pixels.shape[1:]) for member in first.values()]
        blocks = kept.blocks(see_block, pixels, block, readings)
    for n, rows in blocks:
        read = dict(zip(first, rows, strict=True))
        yield n, {member: read[member.reads] for member in members}
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
    facts = (backbone.origin.sha256, member.reads, torch.get_num_threads(), *_makers())
    return Reading.of(facts, row_shape(backbone, member, shape))


@lru_cache
def _makers() -> tuple[str, ...]:
    """The code and the versions of what computes rows, and the kind of CPU."""
    made = [sha256(Path(getfile(one)).read_bytes()).hexdigest() for one in READ_BY]
    made.append(torch.__version__)
    with suppress(PackageNotFoundError):
        made.append(version("onnxruntime"))
    return (*made, platform.machine(), torch.backends.cpu.get_cpu_capability())
