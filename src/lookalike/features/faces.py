"""How sure MTCNN is that an image shows a face (kplus1-2020, section 4), with the weights in facenet-pytorch's wheel.

The package is data: it is found, not imported. Its three files are known by their SHA-256. As the authors' code does,
images get six pixels of their edge all around. Small ones are enlarged: the smallest face looked for has 20 pixels.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from math import ceil
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, grid_sample, interpolate, pad

from lookalike.base.arrays import Pixels
from lookalike.base.errors import UsageError
from lookalike.features import statedict
from lookalike.features.blocks import in_blocks
from lookalike.features.nets.mtcnn import FINAL, PROPOSAL, REFINED, STRIDE, Stage, final, proposal, refined

PACKAGE, VERSION = "facenet_pytorch", "2.6.0"
FILES = (  # name, network, SHA-256
    ("pnet.pt", proposal, "a2a71925e0b9996a42f63e47efc1ca19043e69558b5c523b978d611dfae49c8f"),
    ("rnet.pt", refined, "bbb937de72efc9ef83b186c49f5f558467a1d7e3453a8ece0d71a886633f6a86"),
    ("onet.pt", final, "165bfbe42940416ccfb977545cf0e976d5bf321f67083ae2aaaa5c764280118d"),
)
LIMIT = 1 << 22  # bytes
EDGE = 6  # pixels
SMALLEST = 20  # pixels of a face
AT_LEAST = 64  # pixels of an image's shorter side
SHRINKS = 0.709  # from one scale to the next: half the area
PROPOSED, REFINES, SHOWN = 0.6, 0.7, 0.7  # probabilities that a frame needs to go on
ALIKE = 0.5, 0.7  # overlap above which the less probable of two frames goes: in one scale, over all
ROWS = 64  # images at once


def faces(pixels: Pixels) -> npt.NDArray[np.float64]:
    """(N,) the largest probability of a face in each image (N, C, H, W) uint8, C 1 or 3; 0 where none is found.

    Raises UsageError without the weights, ModelError for other ones.
    """
    nets = detector()
    return np.asarray(in_blocks(lambda x: _surest(x, nets), pixels, ROWS).double().numpy())


@cache
def detector() -> tuple[Stage, ...]:
    """The three networks; UsageError without the package, ModelError for another file."""
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise UsageError(
            "MTCNN's weights are not installed; pip install --no-deps facenet-pytorch=="
            f"{VERSION} (its code is not used; without --no-deps it replaces torch), or leave --faces out"
        )
    found = []
    for name, made, digest in FILES:
        stored = statedict.read(Path(spec.origin).parent / "data" / name, LIMIT, digest)
        with torch.random.fork_rng(devices=[]):  # its first weights are not used
            net = made().eval()
        statedict.fill(net, stored)
        found.append(net)
    return tuple(found)


def _surest(x: Tensor, nets: tuple[Stage, ...]) -> Tensor:
    """(N,) of images (N, C, H, W) in [-1, 1]."""
    x = x.expand(-1, 3, -1, -1)
    scale = AT_LEAST / min(x.shape[2:])
    if scale > 1:
        x = interpolate(x, [ceil(n * scale) for n in x.shape[2:]], mode="bilinear", align_corners=False)
    x = pad(x, (EDGE,) * 4, mode="replicate")
    frames, owners = _proposals(x, nets[0])
    for net, side, least in zip(nets[1:], (REFINED, FINAL), (REFINES, SHOWN), strict=True):
        frames = _squared(frames)
        sure, moves = net(_cut(x, frames, owners, side))
        kept = sure > least
        frames, owners, sure, moves = frames[kept], owners[kept], sure[kept], moves[kept]
        kept = _apart(frames, sure, owners, ALIKE[1])
        frames, owners, sure = _moved(frames[kept], moves[kept]), owners[kept], sure[kept]
    return x.new_zeros(len(x)).scatter_reduce(0, owners, sure, "amax")


def _proposals(x: Tensor, net: Stage) -> tuple[Tensor, Tensor]:
    """Frames (M, 4), left, top, right, bottom in pixels, and their images (M,), over all scales."""
    scale, found = PROPOSAL / SMALLEST, []
    while min(x.shape[2:]) * scale >= PROPOSAL:
        small = interpolate(x, [int(n * scale + 1) for n in x.shape[2:]], mode="area")
        sure, moves = net(small)
        owners, rows, columns = (sure >= PROPOSED).nonzero(as_tuple=True)
        corner = torch.stack([columns, rows], 1) * STRIDE
        frames = torch.cat([corner, corner + PROPOSAL], 1) / scale
        sure, moves = sure[owners, rows, columns], moves[owners, :, rows, columns]
        kept = _apart(frames, sure, owners, ALIKE[0])
        found.append((frames[kept], sure[kept], owners[kept], moves[kept]))
        scale *= SHRINKS
    frames, sure, owners, moves = (torch.cat(parts) for parts in zip(*found, strict=True))
    kept = _apart(frames, sure, owners, ALIKE[1])
    return _moved(frames[kept], moves[kept]), owners[kept]


def _moved(frames: Tensor, moves: Tensor) -> Tensor:
    """Frames (M, 4), each side moved by its share (M, 4) of the width or height."""
    return frames + moves * (frames[:, 2:] - frames[:, :2]).repeat(1, 2)


def _squared(frames: Tensor) -> Tensor:
    """Frames (M, 4) -> squares around the same centres, as long as the longer side."""
    centres = (frames[:, :2] + frames[:, 2:]) / 2
    half = (frames[:, 2:] - frames[:, :2]).amax(1, keepdim=True) / 2
    return torch.cat([centres - half, centres + half], 1)


def _cut(x: Tensor, frames: Tensor, owners: Tensor, side: int) -> Tensor:
    """(M, 3, side, side) what is in each frame of its image; outside lies the edge. Means of 2 x 2 finer points."""
    fine = (torch.arange(2 * side) + 0.5) / (2 * side)
    points = frames[:, None, :2] + fine[:, None] * (frames[:, 2:] - frames[:, :2])[:, None]  # (M, 2 side, 2)
    across, down = (2 * points / torch.tensor([x.shape[3], x.shape[2]]) - 1).unbind(2)
    grid = torch.stack(
        [across[:, None].expand(-1, 2 * side, -1), down[:, :, None].expand(-1, -1, 2 * side)], 3
    )  # (M, 2 side, 2 side, 2)
    cut = x.new_empty(len(frames), x.shape[1], 2 * side, 2 * side)
    for one in owners.unique().tolist():  # all frames of an image as one tall grid, or each would have a copy of it
        mine = owners == one
        tall = grid_sample(x[one : one + 1], grid[mine].flatten(0, 1)[None], padding_mode="border", align_corners=False)
        cut[mine] = tall[0].unflatten(1, (-1, 2 * side)).transpose(0, 1)
    return avg_pool2d(cut, 2)


def _apart(frames: Tensor, sure: Tensor, owners: Tensor, alike: float) -> Tensor:
    """(K,) rows of the frames (M, 4) to keep: the surest of each crowd in an image (non-maximum suppression)."""
    order = sure.argsort(descending=True, stable=True)
    return torch.cat([order[:0], *(_surer(frames, order[owners[order] == one], alike) for one in owners.unique())])


def _surer(frames: Tensor, rows: Tensor, alike: float) -> Tensor:
    """(K,) of rows (M,), surest first, those that overlap no surer one that is kept."""
    corners = frames[rows]
    low = torch.maximum(corners[:, None, :2], corners[None, :, :2])
    high = torch.minimum(corners[:, None, 2:], corners[None, :, 2:])
    shared = (high - low).clamp_min(0).prod(2)
    areas = (corners[:, 2:] - corners[:, :2]).prod(1)
    near = shared / (areas[:, None] + areas - shared) > alike
    gone = torch.zeros(len(rows), dtype=torch.bool)
    for i in range(len(rows)):
        if not gone[i]:
            gone[i + 1 :] |= near[i, i + 1 :]
    return rows[~gone]
