"""Which members suit these images? Asked of known images alone, with stand-ins for the unknown made from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from lookalike.base.arrays import Labels, Pixels
from lookalike.base.seeds import generator
from lookalike.data.images import Selection
from lookalike.detect.auc import area
from lookalike.detect.members import Member
from lookalike.detect.on_features import learn, scores
from lookalike.detect.seen import Steps, by_view
from lookalike.detect.standins import stand_ins
from lookalike.features.backbone import Backbone

FEWEST = 10  # images; with fewer nothing can be chosen
TAUGHT, HELD_OUT = 400, 100  # images at most that teach, and that are held out; of fewer images a fifth is held out
SHARE = 5
LEARNT_FROM = 2  # images at least
LEAST = 0.005  # smaller weights are dropped


@dataclass(frozen=True)
class Expected:
    """A kind of unknown that is expected.

    Parameters
    ----------
    what : str
        Its name, such as "defects".
    stand_ins : str
        The kind of stand-ins for it, in `lookalike.detect.standins`.
    warmth : float
        The difference of AUC that makes a weight e times as large.
    """

    what: str
    stand_ins: str
    warmth: float


def chosen(
    backbone: Backbone, pixels: Pixels | Selection, members: Sequence[Member], expected: Sequence[Expected], seed: int,
    steps: Steps = lambda n: None, groups: Labels | None = None,
) -> dict[str, dict[Member, float]]:  # fmt: skip
    """What is expected -> member -> its weight, by the AUC of held-out images against stand-ins made from them.

    Parameters
    ----------
    backbone : Backbone
        The network.
    pixels : ndarray
        (N, C, H, W) uint8, known images. With fewer than `FEWEST` all members get one weight.
    members : sequence of Member
        Who can be chosen.
    expected : sequence of Expected
        Each is chosen for by itself.
    seed : int
        Draws which images are held out, and the stand-ins.
    steps : callable
        See `learn`.
    groups : ndarray, optional
        (N,) the group of each image: no group is both held out and learnt from. Without, each image is one.
    """
    groups = np.arange(len(pixels)) if groups is None else groups
    n, number = min(HELD_OUT, len(pixels) // SHARE), np.unique(groups, return_inverse=True)[1]
    place = torch.randperm(int(number.max()) + 1, generator=generator(seed, "choose")).argsort().numpy()
    order = np.argsort(place[number], kind="stable")  # group by group
    rest = order[~np.isin(groups[order], groups[order[:n]])]
    if len(pixels) < FEWEST or len(members) == 1 or len(rest) < LEARNT_FROM:
        return {one.what: dict.fromkeys(members, 1 / len(members)) for one in expected}
    held_out, taught = pixels[np.sort(order[:n])], Selection(pixels, np.sort(rest[:TAUGHT]))
    unlike = {one.what: stand_ins(one.stand_ins, held_out, seed) for one in expected}
    areas: dict[str, dict[Member, float]] = {one.what: {} for one in expected}
    for mine in by_view(members):  # one size after the other, for memory
        fitted = {member: one.fitted() for member, one in learn(backbone, taught, mine, seed, steps).items()}
        known = scores(backbone, held_out, [fitted], steps)[0]
        for what, made in unlike.items():
            other = scores(backbone, made, [fitted], steps)[0]
            areas[what] |= {member: area(known[member], other[member]) for member in mine}
    return {one.what: weights(areas[one.what], one.warmth) for one in expected}


def looked_at(images: int, kinds: int) -> int:
    """How many images the network sees at each size to choose, of so many known images and kinds of stand-ins."""
    held_out = min(HELD_OUT, images // SHARE)
    return min(TAUGHT, images - held_out) + held_out * (1 + kinds)


def weights(areas: Mapping[Member, float], warmth: float) -> dict[Member, float]:
    """The share of each member, exp(AUC / `warmth`); small shares are dropped, and the others sum to 1.

    Where no member that is left locates, the best that does is added with no share.
    """
    best = max(areas.values())
    raw = {member: float(np.exp((value - best) / warmth)) for member, value in areas.items()}
    kept = {member: value for member, value in raw.items() if value >= LEAST * sum(raw.values())} or raw
    found = {member: value / sum(kept.values()) for member, value in kept.items()}
    locating = [member for member in areas if member.locates]
    if locating and not any(member.locates for member in found):
        found[max(locating, key=areas.__getitem__)] = 0.0
    return found
