"""The probability of a face by MTCNN (kplus1-2020, section 3.2), with the weights of facenet-pytorch's wheel.

The package is only data: its three files are read but no code is imported. The files are checked by their SHA-256. As
in the authors' code, six pixels are added on each side of an image, by repeating its edge. Small images are enlarged,
because the smallest face that is found has 20 pixels.
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
FILES = (  # (name, network, SHA-256)
    ("pnet.pt", proposal, "a2a71925e0b9996a42f63e47efc1ca19043e69558b5c523b978d611dfae49c8f"),
    ("rnet.pt", refined, "bbb937de72efc9ef83b186c49f5f558467a1d7e3453a8ece0d71a886633f6a86"),
    ("onet.pt", final, "165bfbe42940416ccfb977545cf0e976d5bf321f67083ae2aaaa5c764280118d"),
)
LIMIT = 1 << 22  # bytes
EDGE = 6  # pixels that are added on each side
SMALLEST = 20  # pixels, the side of the smallest face
AT_LEAST = 64  # pixels, the least length of an image's shorter side
SHRINKS = 0.709  # factor from one scale to the next, about half the area
PROPOSED, REFINES, SHOWN = 0.6, 0.7, 0.7  # the probability that a box needs to pass each network
ALIKE = 0.5, 0.7  # overlap above which the less probable of two boxes is dropped: in one scale, over all scales
ROWS = 64  # images per batch


def faces(pixels: Pixels) -> npt.NDArray[np.float64]:
    """Return the largest probability of a face in each image, float64 (N,); 0 where no face is found.

    Parameters
    ----------
    pixels
        uint8 (N, C, H, W) with C 1 or 3.

    Raises
    ------
    UsageError
        Where the weights are not installed.
    ModelError
        For other weights.
    """
    nets = detector()
    return np.asarray(in_blocks(lambda x: _surest(x, nets), pixels, ROWS).double().numpy())


@cache
def detector() -> tuple[Stage, ...]:
    """Return the three networks; UsageError without the package, ModelError for another file."""
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise UsageError(
            f"MTCNN's weights are not installed; install them with 'pip install --no-deps facenet-pytorch=={VERSION}' "
            "(its code is not used, and with what it requires it would replace torch), or leave out --faces"
        )
    found = []
    for name, made, digest in FILES:
        stored = statedict.read(Path(spec.origin).parent / "data" / name, LIMIT, digest)
        with torch.random.fork_rng(devices=[]):  # the random first weights are replaced below
            net = made().eval()
        statedict.fill(net, stored)
        found.append(net)
    return tuple(found)


def _surest(x: Tensor, nets: tuple[Stage, ...]) -> Tensor:
    """Return the largest probability (N,) of a face in images (N, C, H, W) in [-1, 1]."""
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
    # The most probable box of each image, or 0 where none is left.
    return x.new_zeros(len(x)).scatter_reduce(0, owners, sure, "amax")


def _proposals(x: Tensor, net: Stage) -> tuple[Tensor, Tensor]:
    """Return boxes (M, 4), left, top, right, bottom in pixels, and the image number (M,) of each, over all scales."""
    scale, found = PROPOSAL / SMALLEST, []
    while min(x.shape[2:]) * scale >= PROPOSAL:
        small = interpolate(x, [int(n * scale + 1) for n in x.shape[2:]], mode="area")
        sure, moves = net(small)
        owners, rows, columns = (sure >= PROPOSED).nonzero(as_tuple=True)
        # A place in the output stands for a window of 12 pixels at `STRIDE` times that place.
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
    """Return boxes (M, 4), each side shifted by its share (M, 4) of the width or height."""
    return frames + moves * (frames[:, 2:] - frames[:, :2]).repeat(1, 2)


def _squared(frames: Tensor) -> Tensor:
    """Return squares (M, 4) with the same centres as the boxes, as long as their longer sides."""
    centres = (frames[:, :2] + frames[:, 2:]) / 2
    half = (frames[:, 2:] - frames[:, :2]).amax(1, keepdim=True) / 2
    return torch.cat([centres - half, centres + half], 1)


def _cut(x: Tensor, frames: Tensor, owners: Tensor, side: int) -> Tensor:
    """Return the content (M, 3, side, side) of each box of its image, as means of 2 x 2 samples.

    Outside the image the edge is repeated.
    """
    fine = (torch.arange(2 * side) + 0.5) / (2 * side)
    points = frames[:, None, :2] + fine[:, None] * (frames[:, 2:] - frames[:, :2])[:, None]  # (M, 2 side, 2)
    # grid_sample counts from -1 to 1 over the image.
    across, down = (2 * points / torch.tensor([x.shape[3], x.shape[2]]) - 1).unbind(2)
    grid = torch.stack(
        [across[:, None].expand(-1, 2 * side, -1), down[:, :, None].expand(-1, -1, 2 * side)], 3
    )  # (M, 2 side, 2 side, 2)
    cut = x.new_empty(len(frames), x.shape[1], 2 * side, 2 * side)
    # All boxes of one image are one tall grid, since grid_sample would need a copy of the image for each box.
    for one in owners.unique().tolist():
        mine = owners == one
        tall = grid_sample(x[one : one + 1], grid[mine].flatten(0, 1)[None], padding_mode="border", align_corners=False)
        cut[mine] = tall[0].unflatten(1, (-1, 2 * side)).transpose(0, 1)
    return avg_pool2d(cut, 2)


def _apart(frames: Tensor, sure: Tensor, owners: Tensor, alike: float) -> Tensor:
    """Return the rows (K,) of the boxes (M, 4) that remain after non-maximum suppression within each image."""
    order = sure.argsort(descending=True, stable=True)
    return torch.cat([order[:0], *(_surer(frames, order[owners[order] == one], alike) for one in owners.unique())])


def _surer(frames: Tensor, rows: Tensor, alike: float) -> Tensor:
    """Return, of rows (M,) in falling order of probability, the (K,) that overlap no kept row before them."""
    corners = frames[rows]
    low = torch.maximum(corners[:, None, :2], corners[None, :, :2])
    high = torch.minimum(corners[:, None, 2:], corners[None, :, 2:])
    shared = (high - low).clamp_min(0).prod(2)
    areas = (corners[:, 2:] - corners[:, :2]).prod(1)
    # Intersection over union above the limit.
    near = shared / (areas[:, None] + areas - shared) > alike
    gone = torch.zeros(len(rows), dtype=torch.bool)
    for i in range(len(rows)):
        if not gone[i]:
            gone[i + 1 :] |= near[i, i + 1 :]
    return rows[~gone]
