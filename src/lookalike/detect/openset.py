"""Several known classes and an unknown one, in the two steps of mcgan-2021: known or unknown, then which.

One detector per known class. Which: by what joins them, usually a softmax regression on all scaled scores, which gives
the detectors that tell the classes apart the greatest weight. Known or unknown: an image is as unknown as it is to the
class that it is most likely of. What either step learns comes from held-out known images.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lookalike.base.arrays import Labels, Pixels
from lookalike.detect.detector import Detector, Scores
from lookalike.detect.join import Decides, Join, Scaling

WEIGHTS = ("weights", "biases")


class OpenSet:
    """Detectors of single classes, joined.

    Parameters
    ----------
    members : mapping
        Class name -> its detector, in the model's order of classes.
    join : Join
        Scales of the members' scores, and how they give a class.
    """

    kind = "openset"

    def __init__(self, members: Mapping[str, Detector], join: Join) -> None:
        self.members, self.join = members, join

    @classmethod
    def fit(
        cls,
        members: Mapping[str, Detector],
        pixels: Pixels,
        labels: Labels,
        *,
        scaling: Scaling = "each",
        decides: Decides = "all",
    ) -> OpenSet:
        """Joins the members by held-out images (N, ...) of all classes; labels (N,) are 0..K-1, each at least once.

        `scaling` and `decides` as `Join.fit` takes them.
        """
        raw = np.stack([member.score(pixels).score for member in members.values()], 1)
        return cls(members, Join.fit(raw, labels, scaling=scaling, decides=decides))

    def score(self, pixels: Pixels) -> Scores:
        """The most likely class's scaled score and nearest image; the parts are each class's scaled score."""
        said = [member.score(pixels) for member in self.members.values()]
        raw = np.stack([s.score for s in said], 1)
        scaled, shares = self.join(raw)
        parts = {f"as {name}": scaled[:, k] for k, name in enumerate(self.members)}
        offered = [s.nearest for s in said if s.nearest is not None]
        likely, each = shares.argmax(1), np.arange(len(pixels))
        nearest = np.stack(offered)[likely, each] if len(offered) == len(said) else None
        return Scores(scaled[each, likely], parts, nearest, shares)

    def tensors(self) -> dict[str, Tensor]:
        """The members', under their numbers, and the weights of what joins them."""
        own = {name: torch.from_numpy(np.ascontiguousarray(getattr(self.join, name))) for name in WEIGHTS}
        members = enumerate(self.members.values())
        return own | {f"{k}.{name}": tensor for k, member in members for name, tensor in member.tensors().items()}

    def facts(self) -> dict[str, Any]:
        """The members' kind and settings, the scales, how well each told its class from the others, and who decides."""
        members = list(self.members.values())
        return {
            "kind": members[0].kind,
            "members": [member.facts() for member in members],
            "scales": [scale.json() for scale in self.join.scales],
            "apart": list(self.join.apart),
        } | ({} if self.join.order is None else {"order": list(self.join.order)})
