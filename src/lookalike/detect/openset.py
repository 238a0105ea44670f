"""Several known classes and the unknown, in the two steps of mcgan-2021: first known or unknown, then which class.

There is one detector per known class. Which class: usually a softmax regression on all scaled scores; it gives the
largest weights to the detectors that separate the classes best. Known or unknown: the score of an image is the scaled
score of its most likely class. Both steps learn from known images that did not teach the detector that scores them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lookalike.base.arrays import Labels, Pixels
from lookalike.data.images import Selection
from lookalike.detect.detector import Detector, Scores
from lookalike.detect.heat import Locates, located
from lookalike.detect.join import Decides, Join, Scaling
from lookalike.detect.kinds import Nearest
from lookalike.detect.on_features import OnFeatures, raw_of_each
from lookalike.detect.on_features import score_each as score_each_on_features

WEIGHTS = ("weights", "biases")
BLOCK = 1024  # images that are scored at one time
AWAY = "nearest known"  # the part of the score that is the distance to the nearest known image


def score_each(members: Mapping[str, Detector], pixels: Pixels) -> list[Scores]:
    """What each detector says of images; those on a frozen network's features share its work."""
    detectors = list(members.values())
    on_features = [detector for detector in detectors if isinstance(detector, OnFeatures)]
    if len(on_features) == len(detectors):
        return score_each_on_features(on_features, pixels)
    return [detector.score(pixels) for detector in detectors]


class OpenSet:
    """A detector of several classes, joined from detectors of single classes.

    Parameters
    ----------
    members : mapping
        Class name -> its detector, in the model's order of classes.
    join : Join
        The scales of the members' scores, and the rule that gives a class.
    nearest : Nearest, optional
        What the distance to the nearest known image, whatever its class, adds to the score.
    """

    kind = "openset"

    def __init__(self, members: Mapping[str, Detector], join: Join, nearest: Nearest | None = None) -> None:
        self.members, self.join, self.nearest = members, join, nearest

    @classmethod
    def fit(
        cls,
        members: Mapping[str, Detector],
        pixels: Pixels | Selection,
        labels: Labels,
        *,
        scaling: Scaling = "each",
        decides: Decides = "all",
    ) -> OpenSet:
        """Join the members by held-out images of all classes.

        Parameters
        ----------
        members
            Class name -> its trained detector, K of them.
        pixels
            (N, C, H, W) uint8 or (N, F) float32.
        labels
            int64 (N,), 0 to K - 1, each at least once.
        scaling, decides
            As for `Join.fit`.
        """
        parts = (pixels[i : i + BLOCK] for i in range(0, len(pixels), BLOCK))  # the nearest images of all are many
        raw = np.concatenate([np.stack([said.score for said in score_each(members, part)], 1) for part in parts])
        return cls(members, Join.fit(raw, labels, scaling=scaling, decides=decides))

    def score(self, pixels: Pixels) -> Scores:
        """Return the scaled score and nearest image of the most likely class; the parts are all scaled scores."""
        if self.nearest is None:
            return self._joined(score_each(self.members, pixels))
        detectors = [one for one in self.members.values() if isinstance(one, OnFeatures)]
        found = raw_of_each(detectors, pixels)
        said = self._joined([one.joined(mine) for one, mine in zip(detectors, found, strict=True)])
        away = self.nearest.away({member: np.stack([mine[member] for mine in found], 1) for member in found[0]})
        return replace(said, score=self.nearest(away, said.score), parts={**said.parts, AWAY: away})

    @property
    def locates(self) -> bool:
        """See `heat.Locates`."""
        return all(isinstance(member, Locates) and member.locates for member in self.members.values())

    def locate(self, pixels: Pixels) -> tuple[Scores, Pixels]:
        """See `heat.Locates`; the map is that of the most likely class."""
        said = self.score(pixels)
        assert said.classes is not None, "several classes are known"
        likely, maps = said.classes.argmax(1), np.empty((len(pixels), *pixels.shape[2:]), np.float32)
        for k, member in enumerate(self.members.values()):
            if (mine := likely == k).any():
                maps[mine] = located(member, pixels[mine])[1]
        return said, maps

    def _joined(self, found: Sequence[Scores]) -> Scores:
        raw = np.stack([s.score for s in found], 1)
        scaled, shares = self.join(raw)
        parts = {f"as {name}": scaled[:, k] for k, name in enumerate(self.members)}
        offered = [s.nearest for s in found if s.nearest is not None]
        likely, each = shares.argmax(1), np.arange(len(raw))  # the class per image, and the image's row
        nearest = np.stack(offered)[likely, each] if len(offered) == len(found) else None
        return Scores(scaled[each, likely], parts, nearest, shares)

    def tensors(self) -> dict[str, Tensor]:
        """Return the tensors of the members, with their numbers as prefix, and the weights and biases of the join."""
        own = {name: torch.from_numpy(np.ascontiguousarray(getattr(self.join, name))) for name in WEIGHTS}
        members = enumerate(self.members.values())
        return own | {f"{k}.{name}": tensor for k, member in members for name, tensor in member.tensors().items()}

    def facts(self) -> dict[str, Any]:
        """Return the members' kind and settings, their scales, how well each separates its class, and the order."""
        members = list(self.members.values())
        return {
            "kind": members[0].kind,
            "members": [member.facts() for member in members],
            "scales": [scale.json() for scale in self.join.scales],
            "apart": list(self.join.apart),
            **({} if self.join.order is None else {"order": list(self.join.order)}),
            **({} if self.nearest is None else {"nearest": self._nearest_facts(self.nearest)}),
        }

    def _nearest_facts(self, nearest: Nearest) -> dict[str, Any]:
        first = next(iter(self.members.values()))
        assert isinstance(first, OnFeatures), "they alone have members that find the nearest image"
        return nearest.facts(list(first.members))
