"""`auto`: the detector for users without a reason to choose one. It uses no unknown images.

On images it is a detector on frozen features (`features.AUTO`). On vectors it is the mean of two detectors that fail on
different ones; held-out known vectors give the scale of each. Models that earlier versions trained on images have four
such parts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lookalike.base.arrays import Floats, Labels, Pixels
from lookalike.base.errors import DataError, ModelError, show
from lookalike.base.seeds import generator
from lookalike.data.images import Selection
from lookalike.detect.baselines.baseline import Baseline
from lookalike.detect.baselines.classical import LOF
from lookalike.detect.baselines.cross import folded
from lookalike.detect.baselines.features import AUTO, FeatureBaseline
from lookalike.detect.baselines.knn import KNN
from lookalike.detect.baselines.rotation import Rotation
from lookalike.detect.detector import Detector, Scores
from lookalike.detect.kinds import Kinds
from lookalike.detect.scale import Scale
from lookalike.features.backbone import Backbone

HELD = 5  # one of this many known vectors is held out for the scales
VECTORS: tuple[Baseline, ...] = (KNN, LOF)
EARLIER: tuple[Baseline, ...] = (*VECTORS, Rotation)  # on images, in models of earlier versions
PARTS_ON_VECTORS = ("knn", "lof")
PARTS_ON_IMAGES = (*PARTS_ON_VECTORS, "rotation.features", "rotation.turns")


@dataclass(frozen=True)
class AutoBaseline:
    """See `Baseline`.

    Parameters
    ----------
    on_images : FeatureBaseline
        What it is on images.
    """

    on_images: FeatureBaseline = AUTO

    kind = AUTO.kind
    paper = AUTO.paper
    side = AUTO.side
    vectors = True
    summary = AUTO.summary

    def tensors(self, shape: tuple[int, ...], *, several: bool) -> int:
        """See `FeatureBaseline.tensors`; for images."""
        return self.on_images.tensors(shape, several=several)

    def most_images(self, shape: tuple[int, ...], classes: int) -> int:
        """See `Baseline`; for images."""
        return self.on_images.most_images(shape, classes)

    def on(self, backbone: Backbone) -> AutoBaseline:
        """The same on another backbone."""
        return AutoBaseline(self.on_images.on(backbone))

    def fit(self, pixels: Pixels | Selection, seed: int) -> Detector:
        """Return a detector of known images or vectors; raises as `fit_left_out` does."""
        return self.on_images.fit(pixels, seed) if len(pixels.shape) == 4 else Auto.fit(pixels[:], seed)

    def fit_left_out(
        self, pixels: Pixels | Selection, seed: int, groups: Labels | None = None
    ) -> tuple[Detector, Floats]:
        """Return the detector, and float64 (N,) scores of what it has learnt from, each by what other groups teach.

        Without `groups` (N,) each image or vector is a group.

        Raises
        ------
        UsageError
            Where the network's weights are not installed.
        DataError
            For a single image, or fewer than 6 vectors.
        """
        if len(pixels.shape) == 4:
            return self.on_images.fit_left_out(pixels, seed, groups)
        return folded(self, pixels, seed, groups)

    def learn_kinds(self, pixels: Pixels | Selection, labels: Labels, seed: int) -> Kinds | None:
        """See `FeatureBaseline.learn_kinds`; None for vectors too."""
        return self.on_images.learn_kinds(pixels, labels, seed) if len(pixels.shape) == 4 else None

    def restore(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], shape: tuple[int, ...]) -> Detector:
        """Return the detector for inputs of `shape` that gave `tensors` and `facts`; raises ModelError otherwise."""
        own = Auto if len(shape) == 1 or set(facts) == {"members", "scales"} else self.on_images
        return own.restore(tensors, facts, shape)


class Auto:
    """A detector whose score is the mean of its members' scaled scores.

    Parameters
    ----------
    members : mapping
        Name -> fitted detector.
    scales : mapping
        Name of a part of the score -> its scale over held-out known images.
    """

    kind = AUTO.kind

    def __init__(self, members: Mapping[str, Detector], scales: Mapping[str, Scale]) -> None:
        self.members, self.scales = members, scales

    @classmethod
    def fit(cls, pixels: Pixels, seed: int) -> Auto:
        """Return a detector fitted to four fifths of known vectors (N, F) float32; the last fifth gives the scales.

        Raises
        ------
        DataError
            For fewer than 5.
        """
        if len(pixels) < HELD:
            raise DataError(f"auto needs {HELD} known vectors to train on, not {len(pixels)}; add some or use knn")
        order = torch.randperm(len(pixels), generator=generator(seed, cls.kind, "held")).numpy()
        n = len(order) // HELD
        out, rest = np.sort(order[:n]), np.sort(order[n:])
        members = {name: member.fit(pixels[rest], seed) for name, member in _members(pixels.shape[1:]).items()}
        parts = _parts({name: member.score(pixels[out]) for name, member in members.items()})
        return cls(members, {name: Scale.of(vote) for name, vote in parts.items()})

    def score(self, pixels: Pixels) -> Scores:
        """Return the mean of the scaled parts, the parts, and the nearest known image."""
        found = {name: member.score(pixels) for name, member in self.members.items()}
        parts = {name: self.scales[name](vote) for name, vote in _parts(found).items()}
        mean: Floats = np.mean(list(parts.values()), axis=0)
        return Scores(mean, parts, found[KNN.kind].nearest)

    def tensors(self) -> dict[str, Tensor]:
        """Return the members' tensors, with the member's name as prefix."""
        return {f"{name}.{key}": t for name, member in self.members.items() for key, t in member.tensors().items()}

    def facts(self) -> dict[str, Any]:
        """Return the members' settings and the scales."""
        members = {name: member.facts() for name, member in self.members.items()}
        return {"members": members, "scales": {name: scale.json() for name, scale in self.scales.items()}}

    @classmethod
    def restore(cls, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], shape: tuple[int, ...]) -> Auto:
        """Return the detector for images of `shape` that gave `tensors` and `facts`; raises ModelError otherwise."""
        known = _members(shape)
        settings, scales = facts.get("members"), facts.get("scales")
        if set(facts) != {"members", "scales"} or not isinstance(settings, dict) or set(settings) != set(known):
            raise ModelError(f"auto has the settings {show(facts)}, not those of {', '.join(known)}; train again")
        strays = [key for key in tensors if key.partition(".")[0] not in known]
        if strays:
            raise ModelError(f"auto: tensor '{show(strays[0])}' belongs to no member; train again")
        parts = PARTS_ON_IMAGES if len(shape) == 3 else PARTS_ON_VECTORS
        if not isinstance(scales, dict) or set(scales) != set(parts):
            raise ModelError(f"auto has the scales {show(scales)}, not those of {', '.join(parts)}; train again")
        members = {name: _restored(member, tensors, settings[name], shape) for name, member in known.items()}
        return cls(members, {name: Scale.stored(scales[name], f"auto's {name}") for name in parts})


def _parts(found: Mapping[str, Scores]) -> dict[str, Floats]:
    """Return what is averaged: each member's parts, or its score where it has no parts."""
    return {
        f"{name}.{part}" if part else name: vote
        for name, scores in found.items()
        for part, vote in (scores.parts or {"": scores.score}).items()
    }


def _restored(
    member: Baseline, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], shape: tuple[int, ...]
) -> Detector:
    prefix = f"{member.kind}."
    own = {key.removeprefix(prefix): t for key, t in tensors.items() if key.startswith(prefix)}
    try:
        return member.restore(own, facts, shape)
    except ModelError as error:
        raise ModelError(f"auto's {member.kind}: {error}") from error


def _members(shape: tuple[int, ...]) -> dict[str, Baseline]:
    """Return the members for images (C, H, W) or for vectors (F,), by name."""
    return {member.kind: member for member in (EARLIER if len(shape) == 3 else VECTORS)}
