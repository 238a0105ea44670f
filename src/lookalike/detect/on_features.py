"""A detector on a frozen network's features: one member, or several whose scaled scores are averaged by weight."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor
from torch.nn.functional import interpolate

from lookalike.base.arrays import Floats, Labels, Pixels
from lookalike.base.errors import ModelError, show
from lookalike.data.images import Selection
from lookalike.detect.detector import Scores
from lookalike.detect.heat import smoothed
from lookalike.detect.members import Fitted, Gaussian, Learner, LeftOut, Member, Patches
from lookalike.detect.scale import Scale
from lookalike.detect.seen import Steps, by_view, row_shape, seen
from lookalike.features.backbone import Backbone

DEFECTS, ANOTHER_KIND = "defects", "another-kind"  # kinds of unknown


def learn(
    backbone: Backbone, pixels: Pixels | Selection, members: Sequence[Member], seed: int, steps: Steps = lambda n: None
) -> dict[Member, Learner]:
    """Each member, taught by known images (N, C, H, W) uint8; N is at least 2."""
    taught = {member: member.learner(len(pixels), seed) for member in members}
    for mine in by_view(members):
        for n, rows in seen(backbone, pixels, mine, steps):
            for member in mine:
                taught[member].add(rows[member][:n])
    return taught


def left_out(
    backbone: Backbone, pixels: Pixels | Selection, taught: Mapping[Member, Learner], steps: Steps = lambda n: None,
    groups: Labels | None = None,
) -> dict[Member, LeftOut]:  # fmt: skip
    """What each member says of the images that taught it, each by what all images of other groups (N,) teach.

    Without `groups` each image is one.
    """
    groups = np.arange(len(pixels)) if groups is None else groups
    for mine in by_view([member for member in taught if member.how == "patches"]):
        for n, rows in seen(backbone, pixels, mine, steps):
            for member in mine:
                taught[member].again(rows[member][:n], groups)
    return {member: learner.left_out(groups) for member, learner in taught.items()}


def scores(
    backbone: Backbone, pixels: Pixels | Selection, fitted: Sequence[Mapping[Member, Fitted]],
    steps: Steps = lambda n: None,
) -> list[dict[Member, Floats]]:  # fmt: skip
    """The scores (N,) of images by each member of several detectors, unscaled; they share the work of the network."""
    found: list[dict[Member, list[Floats]]] = [{member: [] for member in one} for one in fitted]
    members = list(dict.fromkeys(member for one in fitted for member in one))
    for mine in by_view(members):
        for n, rows in seen(backbone, pixels, mine, steps):
            for member in mine:
                for one, parts in zip(fitted, found, strict=True):
                    if member in one:
                        parts[member].append(one[member].score(rows[member])[:n])
    return [{member: np.concatenate(said) for member, said in parts.items()} for parts in found]


@dataclass(frozen=True)
class Panel:
    """Members that were chosen for one kind of unknown; it says the weighted mean of their scaled scores.

    Parameters
    ----------
    expects : str
        The kind of unknown.
    weights : mapping
        Member -> its share; they sum to 1. A member of no weight only helps to locate.
    scale : Scale
        Of what it says of known images, each left out in turn.
    """

    expects: str
    weights: Mapping[Member, float]
    scale: Scale

    @classmethod
    def of(cls, expects: str, weights: Mapping[Member, float], scaled: Mapping[Member, Floats]) -> Panel:
        """The panel, by the members' scaled scores of known images that were left out."""
        return cls(expects, weights, Scale.of(mean_of(weights, scaled)))

    def __call__(self, scaled: Mapping[Member, Floats]) -> Floats:
        """(N,) what it says of images, in spreads above the usual, by the members' scaled scores."""
        return self.scale(mean_of(self.weights, scaled))


def mean_of(weights: Mapping[Member, float], scaled: Mapping[Member, Floats]) -> Floats:
    """(N,) the weighted mean of the members' scaled scores."""
    # One by one: numpy's sum over an axis takes another order for a single image.
    return np.asarray(sum(weight * scaled[member] for member, weight in weights.items() if weight))


class OnFeatures:
    """A detector by one or several panels of members; the panel that objects most decides.

    Parameters
    ----------
    kind : str
        The name of the method.
    backbone : Backbone
        The frozen network.
    shape : tuple of int
        (C, H, W) of the images.
    members : mapping
        Member -> what it learnt.
    scales : mapping
        Member -> the scale of its scores of known images, each left out in turn.
    panels : sequence of Panel
        Each for a kind of unknown.
    usual : mapping
        Member that locates -> mean and spread of what it says of places of known images, each left out in turn.
    """

    def __init__(
        self,
        kind: str,
        backbone: Backbone,
        shape: tuple[int, ...],
        members: Mapping[Member, Fitted],
        scales: Mapping[Member, Scale],
        panels: Sequence[Panel],
        usual: Mapping[Member, tuple[float, float]],
    ) -> None:
        self.kind, self.backbone, self.shape = kind, backbone, shape
        self.members, self.scales, self.panels, self.usual = members, scales, panels, usual
        self.shares = {  # of the score, as if each panel decided equally often
            member: float(np.mean([panel.weights.get(member, 0.0) for panel in panels])) for member in members
        }

    @classmethod
    def fit(
        cls, kind: str, backbone: Backbone, pixels: Pixels | Selection,
        chosen: Mapping[str, Mapping[Member, float]], seed: int, steps: Steps = lambda n: None,
        groups: Labels | None = None,
    ) -> tuple[OnFeatures, Floats]:  # fmt: skip
        """The detector of known images (N, C, H, W) uint8, N at least 2, and the score (N,) of each as left out.

        `chosen` has, for each kind of unknown, the weights of members. With `groups` (N,) an image
        is left out with its group.
        """
        members = list(dict.fromkeys(member for weights in chosen.values() for member in weights))
        taught = learn(backbone, pixels, members, seed, steps)
        known = left_out(backbone, pixels, taught, steps, groups)
        scales = {member: Scale.of(said.score) for member, said in known.items()}
        usual = {member: said.usual for member, said in known.items()}
        fitted = {member: learner.fitted() for member, learner in taught.items()}
        found = {member: said.score for member, said in known.items()}
        scaled = {member: scales[member](score) for member, score in found.items()}
        panels = [Panel.of(expects, weights, scaled) for expects, weights in chosen.items()]
        made = cls(kind, backbone, tuple(pixels.shape[1:]), fitted, scales, panels, usual)
        return made, made.joined(found).score

    def score(self, pixels: Pixels) -> Scores:
        """What the panel that objects most says; the parts are what each panel, and each member, says."""
        return score_each([self], pixels)[0]

    @property
    def voting(self) -> dict[Member, Fitted]:
        """The members that have a share of the score, and those that only find the nearest image of several classes."""
        return {member: one for member, one in self.members.items() if self.shares[member] or not member.locates}

    def joined(self, found: Mapping[Member, Floats]) -> Scores:
        """`score`, from what `scores` gave."""
        scaled = {member: self.scales[member](found[member]) for member, share in self.shares.items() if share}
        parts = {panel.expects: panel(scaled) for panel in self.panels}
        score = np.max(list(parts.values()), axis=0)
        if len(parts) == 1:
            parts = {}
        return Scores(score, parts | ({str(m): one for m, one in scaled.items()} if len(scaled) > 1 else {}))

    def locate(self, pixels: Pixels) -> tuple[Scores, Pixels]:
        """See `heat.Locates`: the weighted mean of what members say, in spreads above the usual of known places."""
        found: dict[Member, list[Floats]] = {member: [] for member in self.members}
        locating = {member: self.shares[member] for member in self.members if member.locates}
        if not any(locating.values()):
            locating = dict.fromkeys(locating, 1.0)
        heat = np.zeros((len(pixels), *self.shape[1:]), np.float32)
        for mine in by_view(list(self.members)):
            start = 0
            for n, rows in seen(self.backbone, pixels, mine, lambda n: None):
                for member in mine:
                    found[member].append(self.members[member].score(rows[member])[:n])
                    if member in locating:
                        share = locating[member] / sum(locating.values())
                        heat[start : start + n] += share * self._heat(member, rows[member])[:n]
                start += n
        return self.joined({member: np.concatenate(parts) for member, parts in found.items()}), smoothed(heat)

    @property
    def locates(self) -> bool:
        """See `heat.Locates`."""
        return any(member.locates for member in self.members)

    def _heat(self, member: Member, rows: Tensor) -> Pixels:
        """(n, H, W) of what a member says of places, in spreads above the usual."""
        (middle, spread), fitted = self.usual[member], self.members[member]
        assert isinstance(fitted, Gaussian | Patches), "neighbours do not locate"
        places = (fitted.places(rows) - middle) / spread
        large = interpolate(places[:, None], size=self.shape[1:], mode="bilinear")
        return np.asarray(large[:, 0].numpy())

    def tensors(self) -> dict[str, Tensor]:
        """What the members learnt, with their numbers as prefix."""
        members = enumerate(self.members.values())
        return {f"{i}.{name}": tensor for i, one in members for name, tensor in one.tensors().items()}

    def facts(self) -> dict[str, Any]:
        """The network, and the members with their scales and weights."""
        return {
            "backbone": self.backbone.name,
            "sha256": self.backbone.origin.sha256,
            "members": [member.json() for member in self.members],
            "scales": [self.scales[member].json() for member in self.members],
            "panels": [
                {
                    "expects": panel.expects,
                    "weights": [panel.weights.get(member) for member in self.members],
                    "scale": panel.scale.json(),
                }
                for panel in self.panels
            ],
            "usual": [list(self.usual[member]) for member in self.members],
        }

    @classmethod
    def restore(
        cls, kind: str, backbone: Backbone, allowed: Sequence[Member], tensors: Mapping[str, Tensor],
        facts: Mapping[str, Any], shape: tuple[int, ...],
    ) -> OnFeatures:  # fmt: skip
        """The detector that gave `tensors` and `facts`; its members are some of those `allowed`.

        Raises
        ------
        ModelError
            For anything else.
        """
        if set(facts) != {"backbone", "sha256", "members", "scales", "panels", "usual"} or (
            facts["sha256"] != backbone.origin.sha256
        ):
            raise ModelError(f"{kind} has the settings {show(facts, 200)}, not those of {backbone.name}; train again")
        names = {str(member.json()): member for member in allowed}
        members = [names.get(str(given)) for given in _list(facts["members"])]
        stored, usual, numbers = _list(facts["scales"]), _list(facts["usual"]), range(len(members))
        if (
            not members
            or None in members
            or len({*members}) != len(members)
            or {len(members)} != {len(stored), len(usual)}
            or not all(map(_is_usual, usual))
        ):
            raise ModelError(f"{kind} has members or scales that this version cannot have; train again")
        if strays := [key for key in tensors if key.partition(".")[0] not in map(str, numbers)]:
            raise ModelError(f"{kind}: tensor '{show(strays[0])}' belongs to no member; train again")
        known = [member for member in members if member is not None]
        fitted = {}
        for i, member in zip(numbers, known, strict=True):
            mine = {key.removeprefix(f"{i}."): t for key, t in tensors.items() if key.startswith(f"{i}.")}
            fitted[member] = member.restore(mine, row_shape(backbone, member, shape), f"{kind}'s {member}")
        scales = {m: Scale.stored(value, f"{kind}'s {m}") for m, value in zip(known, stored, strict=True)}
        panels = [_panel(given, known, kind) for given in _list(facts["panels"])]
        if (
            not panels
            or len({panel.expects for panel in panels}) < len(panels)
            or {member for panel in panels for member in panel.weights} != set(known)
        ):
            raise ModelError(f"{kind} has panels that this version cannot have; train again")
        places = {member: (float(one[0]), float(one[1])) for member, one in zip(known, usual, strict=True)}
        return cls(kind, backbone, shape, fitted, scales, panels, places)


def raw_of_each(detectors: Sequence[OnFeatures], pixels: Pixels) -> list[dict[Member, Floats]]:
    """What each detector's members say of images (N, C, H, W) uint8; the network sees each once at each size."""
    return scores(detectors[0].backbone, pixels, [detector.voting for detector in detectors])


def score_each(detectors: Sequence[OnFeatures], pixels: Pixels) -> list[Scores]:
    """What each detector says of images, in one pass of the network; see `raw_of_each`."""
    found = raw_of_each(detectors, pixels)
    return [detector.joined(mine) for detector, mine in zip(detectors, found, strict=True)]


def _panel(given: Any, members: Sequence[Member], kind: str) -> Panel:
    """The panel of these members from its facts; raises ModelError for anything else."""
    weights = _list(given.get("weights")) if isinstance(given, dict) else []
    good = all(weight is None or (type(weight) is float and 0 <= weight <= 1) for weight in weights)
    if (
        not isinstance(given, dict)
        or set(given) != {"expects", "weights", "scale"}
        or given["expects"] not in (kind, DEFECTS, ANOTHER_KIND)
        or len(weights) != len(members)
        or not good
        or not math.isclose(sum(weight or 0.0 for weight in weights), 1, abs_tol=1e-6)
    ):
        raise ModelError(f"{kind} has the panel {show(given, 200)}, which this version cannot have; train again")
    own = {member: weight for member, weight in zip(members, weights, strict=True) if weight is not None}
    return Panel(given["expects"], own, Scale.stored(given["scale"], f"{kind}'s panel for {show(given['expects'])}"))


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _is_usual(value: Any) -> bool:
    """Whether the value is a finite mean and a spread above 0."""
    return (
        isinstance(value, list)
        and [type(number) for number in value] == [float, float]
        and math.isfinite(value[0])
        and 0 < value[1] < math.inf
    )
