"""Detectors on features of a frozen network that others trained: for photographs, and good on small pictures too."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from lookalike.base.arrays import Floats, Labels, Pixels
from lookalike.base.errors import DataError
from lookalike.data.images import Selection
from lookalike.detect.baselines.networks import counter, need_images
from lookalike.detect.choose import Expected, chosen, looked_at
from lookalike.detect.layers import Layers
from lookalike.detect.members import Member
from lookalike.detect.on_features import OnFeatures
from lookalike.features.backbone import Backbone, Tap
from lookalike.features.backbones import stored
from lookalike.features.efficientnet import LITE0
from lookalike.features.views import side_of

SMALL, LARGE = 64, 320  # sides in pixels: up to the first, images are small; from the second on, they have fine detail
SIDES_OF_SMALL, SIDES = (64, 128, 160), (64, 128, 224)  # at which the network sees them
FINEST = 640  # the side at which it looks for the smallest defects; images are read at this size, or at their own
MOST = 600  # images of a class
TENSORS = 3  # of a member at most
WARMTH = 0.01  # difference of AUC that makes a weight e times as large
ALIKE = 0.1  # the same for small grey pictures, which all layers see about equally well
Candidates = Callable[[Backbone, int], tuple[Member, ...]]  # for the side of a square as large as the images


def _side(shape: tuple[int, ...]) -> int:
    """The side of a square as large as images (C, H, W)."""
    return round(math.sqrt(shape[1] * shape[2]))


def _sides(backbone: Backbone, side: int) -> tuple[int, ...]:
    """The sizes at which the network sees the images, from coarse to fine; of one size alone all are that one."""
    return tuple(side_of(backbone, s) for s in (SIDES_OF_SMALL if side <= SMALL else SIDES))


def _finest(backbone: Backbone, side: int) -> tuple[int, ...]:
    """The size for small defects, where the images have the detail."""
    fine = FINEST if side > (FINEST + LARGE) // 2 else LARGE
    return (side_of(backbone, fine),) if side >= LARGE * 0.9 else ()


def _names(taps: Sequence[Tap]) -> tuple[str, ...]:
    return tuple(tap.name for tap in taps)


def _nearest(backbone: Backbone, side: int) -> tuple[Member, ...]:
    return (Member("neighbours", _sides(backbone, side)[1], _names(backbone.taps[-1:])),)


def _gaussians(backbone: Backbone, side: int) -> tuple[Member, ...]:
    every = _names(Layers.of(backbone.taps).every)
    taps = every[1:] or every
    return tuple(Member("gaussian", _sides(backbone, side)[-1], (tap,), cells) for cells in (1, 3) for tap in taps)


def _patches(backbone: Backbone, side: int) -> tuple[Member, ...]:
    layers = Layers.of(backbone.taps)
    both = _names(layers.middle), _names(layers.joint)
    usual = [Member("patches", s, taps) for s in _sides(backbone, side)[1:] for taps in both]
    return (*usual, *_small_defects(backbone, side))


def _small_defects(backbone: Backbone, side: int) -> tuple[Member, ...]:
    early = _names(Layers.of(backbone.taps).early)
    return tuple(Member("patches", s, early, stands_out=out) for s in _finest(backbone, side) for out in (False, True))


def _all(backbone: Backbone, side: int) -> tuple[Member, ...]:
    layers = Layers.of(backbone.taps)
    late = _names(layers.late)
    of_size = [
        member
        for s in _sides(backbone, side)
        for member in (
            *(Member("gaussian", s, (tap,), cells) for cells in (1, 3) for tap in late),
            *(Member("gaussian", s, (tap,), 0) for tap in _names(layers.whole(s))),
            *(Member("neighbours", s, (tap,)) for tap in late[1:] or late),
            Member("patches", s, _names(layers.middle)),
        )
    ]
    fine = [*_small_defects(backbone, side)]
    fine += [Member("gaussian", s, (tap,), cells) for s in _finest(backbone, side) for cells in (1, 3) for tap in late]
    return (*of_size, *fine)


def _alike(_shape: tuple[int, ...]) -> tuple[Expected, ...]:
    return ()


def _defects(_shape: tuple[int, ...]) -> tuple[Expected, ...]:
    return (Expected("defects", "pieces", WARMTH),)


def _another_kind(shape: tuple[int, ...]) -> tuple[Expected, ...]:
    small_and_grey = _side(shape) <= SMALL and shape[0] == 1
    return (Expected("another-kind", "blend", ALIKE if small_and_grey else WARMTH),)


def _either(shape: tuple[int, ...]) -> tuple[Expected, ...]:
    """Both, but for small pictures, in which a defect would have a pixel or two."""
    return _another_kind(shape) if _side(shape) <= SMALL else (*_defects(shape), *_another_kind(shape))


@dataclass(frozen=True)
class FeatureBaseline:
    """A way to make a detector on frozen features.

    Parameters
    ----------
    kind, paper, summary : str
        See `Baseline`.
    candidates : callable
        Its members, for a backbone and images of some side.
    expected : callable
        The kinds of unknown that members are chosen for, for images of some shape; none: all count alike.
    backbone : Backbone
        The network.
    """

    kind: str
    paper: str
    summary: str
    candidates: Candidates
    expected: Callable[[tuple[int, ...]], tuple[Expected, ...]] = _alike
    backbone: Backbone = LITE0

    side = FINEST
    most_images = MOST

    def members(self, shape: tuple[int, ...]) -> tuple[Member, ...]:
        """The candidates for images of `shape` (C, H, W)."""
        return tuple(dict.fromkeys(self.candidates(self.backbone, _side(shape))))

    def on(self, backbone: Backbone) -> FeatureBaseline:
        """The same on another backbone."""
        return replace(self, backbone=backbone)

    def tensors(self, shape: tuple[int, ...]) -> int:
        """How many tensors the detector of one class has at most."""
        return TENSORS * len(self.members(shape))

    def fit(self, pixels: Pixels | Selection, seed: int) -> OnFeatures:
        """Return a detector of known images (N, C, H, W) uint8; raises as `fit_left_out` does."""
        return self.fit_left_out(pixels, seed)[0]

    def fit_left_out(
        self, pixels: Pixels | Selection, seed: int, groups: Labels | None = None
    ) -> tuple[OnFeatures, Floats]:
        """Return the detector, and float64 (N,) scores of the known images, each as if its group had not been learnt.

        Without `groups` (N,) each image is a group.

        Raises
        ------
        UsageError
            For vectors, or where the network's weights are not installed.
        DataError
            For a single image.
        """
        need_images(pixels.shape[1:], self.kind)
        if len(pixels) < 2:
            raise DataError(f"{self.kind} needs 2 known images to train on, not {len(pixels)}; add images")
        members = self.members(pixels.shape[1:])
        sizes = len({member.side for member in members})
        votes = {self.kind: dict.fromkeys(members, 1 / len(members))}
        if expected := self.expected(pixels.shape[1:]):
            of = sizes * looked_at(len(pixels), len(expected))
            votes = chosen(self.backbone, pixels, members, expected, seed, counter(of), groups)
        return OnFeatures.fit(self.kind, self.backbone, pixels, votes, seed, counter(sizes * len(pixels)), groups)

    def restore(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], shape: tuple[int, ...]) -> OnFeatures:
        """Return the detector that gave `tensors` and `facts`; raises ModelError for anything else."""
        need_images(shape, self.kind)
        named = {"backbone", "sha256"} <= set(facts)  # other facts are refused below
        own = self.on(stored(facts["backbone"], facts["sha256"])) if named else self
        return OnFeatures.restore(self.kind, own.backbone, own.members(shape), tensors, facts, shape)


NETWORK = f"EfficientNet-{LITE0.name.capitalize()}, which ImageNet trained"
FEATURES_KNN = FeatureBaseline(
    "features-knn",
    "dn2-2020",
    f"The mean distance to the two nearest known images, by the last features of {NETWORK}. Nothing else is trained.",
    _nearest,
)
FEATURES_GAUSSIAN = FeatureBaseline(
    "features-gaussian",
    "rippel-2021",
    f"The distance from Gaussians of the known images, by the features of five layers of {NETWORK}: averaged over the "
    "image, and over 3 x 3 parts of it. Nothing else is trained.",
    _gaussians,
)
PATCHES = FeatureBaseline(
    "patches",
    "patchcore-2022",
    "The distance of an image's worst places to the nearest places of known images, by the features of two layers of "
    f"{NETWORK}. Size and layers are chosen by known images with small pieces pasted in. It finds small defects.",
    _patches,
    _defects,
)
AUTO = FeatureBaseline(
    "auto",
    "rippel-2021",
    f"Images: Gaussians, nearest images and patches on features of {NETWORK}, weighted by how well each separates "
    "known images from stand-ins for the unknown that are made from them: small pieces pasted in stand for defects, "
    "and blends of two images for another kind of thing. Vectors: the mean of nearest neighbours and local outlier "
    "factor.",
    _all,
    _either,
)
EXPECTED = {"defects": _defects, "another-kind": _another_kind}


def expecting(what: str) -> FeatureBaseline:
    """`AUTO` for one kind of unknown alone, a key of `EXPECTED`."""
    return replace(AUTO, expected=EXPECTED[what])
