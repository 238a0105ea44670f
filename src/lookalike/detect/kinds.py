"""Several known classes on frozen features: the members are those that find a known class that is left out.

Of K known classes each in turn is taken for unknown: what says best that its images are of none of the others is
likely to find images of a further class too. This needs no training, since each class has its own detector.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.special import expit

from lookalike.base.arrays import Floats, Index, Labels, Pixels
from lookalike.base.errors import ModelError, show
from lookalike.base.seeds import generator
from lookalike.data.images import Selection
from lookalike.detect.auc import area
from lookalike.detect.choose import weights
from lookalike.detect.join import Join
from lookalike.detect.members import Learner, LeftOut, Member
from lookalike.detect.on_features import ANOTHER_KIND, OnFeatures, Panel, mean_of, scores
from lookalike.detect.scale import Scale
from lookalike.detect.seen import Steps, by_view, seen
from lookalike.features.backbone import Backbone

JUDGED = 100  # images of a class at most by which members are chosen
WARMTH = 0.01  # difference of AUC that makes a weight e times as large
Raw = Mapping[Member, Floats]  # (n, K) the scores of n images by each class's member


@dataclass(frozen=True)
class Nearest:
    """How far an image is from the nearest known image, whatever its class, beside the score of its likely class.

    Parameters
    ----------
    weights : mapping
        Member -> its share; they sum to 1.
    scales : mapping
        Member -> the scale of its distances of known images, each left out in turn.
    scale, likely : Scale
        Of the weighted mean, and of the score of the likely class, both of known images that were left out.
    share : float
        Of the distance in the score, from 0 to 1.
    """

    weights: Mapping[Member, float]
    scales: Mapping[Member, Scale]
    scale: Scale
    likely: Scale
    share: float

    @classmethod
    def of(cls, shares: Mapping[Member, float], raw: Raw, likely: Floats, share: float) -> Nearest:
        """By the scores of known images, each left out by its own class's detector; `likely` is (n,)."""
        scales = {member: Scale.of(raw[member].min(1)) for member in shares}
        return cls(shares, scales, Scale.of(_nearest(raw, shares, scales)), Scale.of(likely), share)

    def away(self, raw: Raw) -> Floats:
        """(n,) how far images are from the nearest known one, in spreads above the usual."""
        return self.scale(_nearest(raw, self.weights, self.scales))

    def __call__(self, away: Floats, likely: Floats) -> Floats:
        """(n,) the scores of images, by what `away` says and the score of the likely class."""
        return (1 - self.share) * self.likely(likely) + self.share * away

    def facts(self, members: Sequence[Member]) -> dict[str, Any]:
        """As JSON values, in the order of the detectors' members."""
        return {
            "weights": [self.weights.get(member) for member in members],
            "scales": [self.scales[member].json() for member in members if member in self.weights],
            "scale": self.scale.json(),
            "likely": self.likely.json(),
            "share": self.share,
        }

    @classmethod
    def stored(cls, facts: Any, members: Sequence[Member]) -> Nearest:
        """From what `facts` gave; raises ModelError for anything else."""
        if not isinstance(facts, dict) or set(facts) != {"weights", "scales", "scale", "likely", "share"}:
            raise ModelError(f"the model's nearest images have the settings {show(facts, 200)}; train again")
        given, stored = facts["weights"], facts["scales"]
        if not isinstance(given, list) or len(given) != len(members) or not isinstance(stored, list):
            raise ModelError("the model's nearest images are by other members than it has; train again")
        own = {member: weight for member, weight in zip(members, given, strict=True) if weight is not None}
        numbers = [*own.values(), facts["share"]]
        if len(stored) != len(own) or not own or not all(type(n) is float and 0 <= n <= 1 for n in numbers):
            raise ModelError("the model's nearest images have shares that this version cannot have; train again")
        scales = {member: Scale.stored(one, str(member)) for member, one in zip(own, stored, strict=True)}
        return cls(
            own, scales, Scale.stored(facts["scale"], "nearest"), Scale.stored(facts["likely"], "likely"),
            facts["share"],
        )  # fmt: skip


@dataclass(frozen=True)
class Kinds:
    """The detectors of K known classes that `learn_kinds` made, and what weighs them.

    Parameters
    ----------
    detectors : list of OnFeatures
        One for each class; all have the same members.
    left_out : list of mapping
        For each class, member -> scores of its images, each by what its others teach.
    near : mapping
        Member -> its share of the distance to the nearest known image.
    share : float
        Of that distance in the score.
    """

    detectors: list[OnFeatures]
    left_out: list[dict[Member, Floats]]
    near: Mapping[Member, float]
    share: float


def learn_kinds(
    kind: str, backbone: Backbone, pixels: Pixels | Selection, labels: Labels, members: Sequence[Member],
    locator: Member, seed: int, steps: Steps = lambda n: None,
) -> Kinds:  # fmt: skip
    """The detectors of known images (N, C, H, W) uint8 of classes `labels` (N,), 0 to K - 1, K at least 2.

    Parameters
    ----------
    kind, backbone
        See `OnFeatures`.
    members : sequence of Member
        Gaussians of parts of the map and neighbours, who can be chosen.
    locator : Member
        Says where, and has no part in the score.
    seed : int
        Draws the images by which members are chosen.
    steps : callable
        See `learn`.
    """
    rows, raw = _judged(labels, seed), dict[Member, Floats]()
    for mine in by_view(members):  # one size after the other, for memory
        taught = _learn(backbone, pixels, labels, mine, seed, steps)
        left_out = [{member: said.score for member, said in one.items()} for one in _left_out(taught, labels)]
        fitted = [{member: learner.fitted() for member, learner in one.items()} for one in taught]
        raw |= filled_in(scores(backbone, Selection(pixels, rows), fitted, steps), left_out, labels, rows)
    votes, near, share = _chosen(raw, labels[rows])
    kept = {member: votes.get(member, 0.0) for member in members if member in votes or member in near}
    taught = _learn(backbone, pixels, labels, (*kept, locator), seed, steps)
    own = _left_out(taught, labels)
    shape, given = tuple(pixels.shape[1:]), kept | {locator: 0.0}
    detectors = [_detector(kind, backbone, shape, given, one, said) for one, said in zip(taught, own, strict=True)]
    return Kinds(detectors, [{m: said.score for m, said in one.items()} for one in own], near, share)


def _detector(
    kind: str, backbone: Backbone, shape: tuple[int, ...], votes: Mapping[Member, float],
    taught: Mapping[Member, Learner], left_out: Mapping[Member, LeftOut],
) -> OnFeatures:  # fmt: skip
    """The detector of one class."""
    scales = {member: Scale.of(left_out[member].score) for member in votes}
    panel = Panel.of(ANOTHER_KIND, votes, {member: scales[member](left_out[member].score) for member in votes})
    fitted = {member: taught[member].fitted() for member in votes}
    usual = {member: left_out[member].usual for member in votes}
    return OnFeatures(kind, backbone, shape, fitted, scales, [panel], usual)


def _left_out(taught: Sequence[Mapping[Member, Learner]], labels: Labels) -> list[dict[Member, LeftOut]]:
    """What the members of each class say of its images, each by what all others teach."""
    alone = [np.arange(count) for count in np.bincount(labels).tolist()]
    return [{member: learner.left_out(alone[k]) for member, learner in one.items()} for k, one in enumerate(taught)]


def filled_in(
    new: Sequence[Mapping[Member, Floats]], left_out: Sequence[Mapping[Member, Floats]], labels: Labels, rows: Index
) -> Raw:
    """(n, K) of each member: `new` scores of these rows, where an image's own class has what is said of it left out."""
    place = np.empty(len(labels), np.int64)  # of an image among those of its class
    for k in range(len(new)):
        place[labels == k] = np.arange((labels == k).sum())
    found = {}
    for member in new[0]:
        raw = np.stack([one[member] for one in new], 1)
        for k, one in enumerate(left_out):
            mine = labels[rows] == k
            raw[mine, k] = one[member][place[rows[mine]]]
        found[member] = raw
    return found


def likely(raw: Floats, labels: Labels) -> Floats:
    """(n,) the scaled score of each image's most likely class of K; `labels` are -1 for images of no known class."""
    if raw.shape[1] == 1:
        return raw[:, 0]
    known = labels >= 0
    return Join.fit(raw[known], labels[known]).likely(raw)


def _learn(
    backbone: Backbone, pixels: Pixels | Selection, labels: Labels, members: Sequence[Member], seed: int, steps: Steps
) -> list[dict[Member, Learner]]:
    """The members of each class, taught by its images; the network sees each image once at each size."""
    counts = np.bincount(labels).tolist()
    taught = [{member: member.learner(count, seed) for member in members} for count in counts]
    for mine in by_view(members):
        start = 0
        for n, rows in seen(backbone, pixels, mine, steps):
            own, start = labels[start : start + n], start + n
            for member in mine:
                for k in np.unique(own).tolist():
                    taught[k][member].add(rows[member][:n][torch.from_numpy(own == k)])
    return taught


def _judged(labels: Labels, seed: int) -> Index:
    """Up to `JUDGED` images of each class."""
    order = torch.randperm(len(labels), generator=generator(seed, "kinds")).numpy()
    return np.sort(np.concatenate([order[labels[order] == k][:JUDGED] for k in range(int(labels.max()) + 1)]))


def _chosen(raw: Raw, labels: Labels) -> tuple[dict[Member, float], dict[Member, float], float]:
    """The members' weights, those of the nearest known image, and its share, by AUCs of classes that are left out."""

    def of_class(one: Floats) -> float:
        return _finds(lambda rest, own: likely(one[:, rest], own), labels)

    def of_nearest(shares: Mapping[Member, float]) -> float:
        def away(rest: list[int], own: Labels) -> Floats:
            there = {member: raw[member][:, rest] for member in shares}
            return _nearest(there, shares, {member: Scale.of(one.min(1)[own >= 0]) for member, one in there.items()})

        return _finds(away, labels)

    votes = weights({member: of_class(one) for member, one in raw.items()}, WARMTH)
    near = weights({member: of_nearest({member: 1.0}) for member in raw if member.how == "neighbours"}, WARMTH)
    scaled = {member: _scaled(raw[member], labels) for member in votes}
    joined = [mean_of(votes, {member: one[:, k] for member, one in scaled.items()}) for k in range(labels.max() + 1)]
    lead = of_class(np.stack(joined, 1)) - of_nearest(near)
    return votes, near, float(expit(-lead / WARMTH))


def _scaled(raw: Floats, labels: Labels) -> Floats:
    """(n, K) scores on the scale of each class's own."""
    return np.stack([Scale.of(raw[labels == k, k])(raw[:, k]) for k in range(raw.shape[1])], 1)


def _nearest(raw: Raw, shares: Mapping[Member, float], scales: Mapping[Member, Scale]) -> Floats:
    """(n,) the weighted distance to the nearest known image, on the members' scales."""
    return mean_of(shares, {member: scales[member](raw[member].min(1)) for member in shares})


def _finds(score: Callable[[list[int], Labels], Floats], labels: Labels) -> float:
    """The mean AUC over classes of the others' images against those of the class, when it is left out."""
    found = []
    for out in range(int(labels.max()) + 1):
        rest = [k for k in range(int(labels.max()) + 1) if k != out]
        own = np.array([rest.index(label) if label != out else -1 for label in labels.tolist()], np.int64)
        said = score(rest, own)
        found.append(area(said[labels != out], said[labels == out]))
    return float(np.mean(found))
