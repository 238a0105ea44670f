"""Which members suit these images? Asked of known images alone, with stand-ins for the unknown made from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from lookalike.base.arrays import Pixels
from lookalike.base.seeds import generator
from lookalike.data.images import Selection
from lookalike.detect.auc import area
from lookalike.detect.members import Member
from lookalike.detect.on_features import Steps, learn, scores
from lookalike.detect.standins import stand_ins
from lookalike.features.backbone import Backbone

FEWEST = 10  # images; with fewer nothing can be chosen
TAUGHT, HELD_OUT = 400, 100  # images at most that teach, and that are held out; of fewer images a fifth is held out
SHARE = 5
WARMTH = 0.01  # difference of AUC that makes a weight e times as large
LEAST = 0.02  # smaller weights are dropped


def chosen(
    backbone: Backbone, pixels: Pixels | Selection, members: Sequence[Member], kinds: Sequence[str], seed: int,
    steps: Steps = lambda n: None,
) -> dict[Member, float]:  # fmt: skip
    """Member -> weight: exp(AUC / WARMTH) of held-out images against stand-ins made from them, as shares.

    Parameters
    ----------
    backbone : Backbone
        The network.
    pixels : ndarray
        (N, C, H, W) uint8, known images. With fewer than `FEWEST` all members get one weight.
    members : sequence of Member
        Who can be chosen.
    kinds : sequence of str
        Names of stand-ins, in `lookalike.detect.standins`; the mean of their AUC counts.
    seed : int
        Draws which images are held out, and the stand-ins.
    steps : callable
        See `learn`.
    """
    if len(pixels) < FEWEST or len(members) == 1:
        return dict.fromkeys(members, 1 / len(members))
    order = torch.randperm(len(pixels), generator=generator(seed, "choose")).numpy()
    n = min(HELD_OUT, len(pixels) // SHARE)
    held_out, taught = pixels[np.sort(order[:n])], Selection(pixels, np.sort(order[n : n + TAUGHT]))
    fitted = {member: one.fitted() for member, one in learn(backbone, taught, members, seed, steps).items()}
    known = scores(backbone, held_out, fitted, steps)
    unlike = [scores(backbone, stand_ins(kind, held_out, seed), fitted, steps) for kind in kinds]
    return weights({m: float(np.mean([area(known[m], other[m]) for other in unlike])) for m in members})


def looked_at(images: int, kinds: int) -> int:
    """How many images the network sees at each size to choose, of so many known images and kinds of stand-ins."""
    held_out = min(HELD_OUT, images // SHARE)
    return min(TAUGHT, images - held_out) + held_out * (1 + kinds)


def weights(areas: Mapping[Member, float]) -> dict[Member, float]:
    """The share of each member by its AUC; small shares are dropped, and the others sum to 1.

    Where no member that is left locates, the best that does is added with no share.
    """
    best = max(areas.values())
    raw = {member: float(np.exp((value - best) / WARMTH)) for member, value in areas.items()}
    kept = {member: value for member, value in raw.items() if value >= LEAST * sum(raw.values())}
    found = {member: value / sum(kept.values()) for member, value in kept.items()}
    locating = [member for member in areas if member.locates]
    if locating and not any(member.locates for member in found):
        found[max(locating, key=areas.__getitem__)] = 0.0
    return found
