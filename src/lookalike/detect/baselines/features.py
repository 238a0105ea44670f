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
from lookalike.detect.kinds import JUDGED, Kinds, learn_kinds
from lookalike.detect.layers import Layers
from lookalike.detect.members import Member
from lookalike.detect.on_features import ANOTHER_KIND, DEFECTS, OnFeatures
from lookalike.detect.seen import by_view
from lookalike.features.backbone import Backbone, Tap
from lookalike.features.backbone import layers as every_layer
from lookalike.features.backbones import stored
from lookalike.features.efficientnet import LITE0
from lookalike.features.views import side_of

SMALL, LARGE = 64, 320  # sides in pixels: up to the first, images are small; from the second on, they have fine detail
SIDES_OF_SMALL, SIDES = (64, 128, 160), (64, 128, 224)  # at which the network sees them
SIDES_OF_SMALL_COLOUR = (160, 224)  # the same, where `auto` has several known classes of them
FINEST = 640  # the side at which it looks for the smallest defects; images are read at this size, or at their own
MOST = 600  # images of a class
WARMTH = 0.01  # difference of AUC that makes a weight e times as large
ALIKE, ALIKE_IN_COLOUR = 0.1, 0.03  # the same for small pictures, whose stand-ins tell less about the unknown
Candidates = Callable[[Backbone, tuple[int, ...]], tuple[Member, ...]]  # for images of a shape (C, H, W)


def _side(shape: tuple[int, ...]) -> int:
    """The side of a square as large as images (C, H, W)."""
    return round(math.sqrt(shape[1] * shape[2]))


def _sides(backbone: Backbone, side: int) -> tuple[int, ...]:
    """The sizes at which the network sees the images, from coarse to fine; of one size alone all are that one."""
    return tuple(side_of(backbone, s) for s in (SIDES_OF_SMALL if side <= SMALL else SIDES))


def _finest(backbone: Backbone, side: int) -> tuple[int, ...]:
    """The sizes for small defects: near that of the images, and up to twice as large for those below `LARGE`."""
    if side >= LARGE * 0.9:
        fine = [FINEST if side > (FINEST + LARGE) // 2 else LARGE]
    else:
        fine = [SIDES[-1], LARGE] if side >= LARGE // 2 else []
    return tuple(dict.fromkeys(side_of(backbone, s) for s in fine))


def _names(taps: Sequence[Tap]) -> tuple[str, ...]:
    return tuple(tap.name for tap in taps)


def _nearest(backbone: Backbone, shape: tuple[int, ...]) -> tuple[Member, ...]:
    return (Member("neighbours", _sides(backbone, _side(shape))[1], _names(backbone.taps[-1:])),)


def _gaussians(backbone: Backbone, shape: tuple[int, ...]) -> tuple[Member, ...]:
    every, side = _names(Layers.of(backbone.taps).every), _sides(backbone, _side(shape))[-1]
    taps = every[1:] or every
    return tuple(Member("gaussian", side, (tap,), cells) for cells in (1, 3) for tap in taps)


def _patches(backbone: Backbone, shape: tuple[int, ...]) -> tuple[Member, ...]:
    layers, side = Layers.of(backbone.taps), _side(shape)
    both = _names(layers.middle), _names(layers.joint)
    usual = [Member("patches", s, taps) for s in _sides(backbone, side)[1:] for taps in both]
    return (*usual, *_small_defects(backbone, side))


def _small_defects(backbone: Backbone, side: int) -> tuple[Member, ...]:
    early = _names(Layers.of(backbone.taps).early)
    return tuple(Member("patches", s, early, stands_out=out) for s in _finest(backbone, side) for out in (False, True))


def _all(backbone: Backbone, shape: tuple[int, ...]) -> tuple[Member, ...]:
    side = _side(shape)
    if _is_small_colour(shape):
        return _of_small_colour(backbone)
    late = _names(Layers.of(backbone.taps).late)
    fine = [*_small_defects(backbone, side)]
    if side >= LARGE * 0.9:
        sides = _finest(backbone, side)
        fine += [Member("gaussian", s, (tap,), cells) for s in sides for cells in (1, 3) for tap in late]
    return (*_of_sizes(backbone, _sides(backbone, side)), *fine)


def _is_small_colour(shape: tuple[int, ...]) -> bool:
    """Mostly pictures of things, which the last layers tell apart when enlarged."""
    return _side(shape) <= SMALL and shape[0] == 3


def _of_small_colour(backbone: Backbone) -> tuple[Member, ...]:
    """Gaussians of late layers, averaged over views. The head stands for the last tap, and a whole map locates."""
    layers, side = Layers.of(backbone.taps), side_of(backbone, SIDES_OF_SMALL_COLOUR[-1])
    late = _names(layers.late)
    return (
        *(Member("gaussian", side, (tap,), averaged=True) for tap in late[:-1]),
        Member("gaussian", side, _head(backbone), unit=True, averaged=True),
        _whole_map(layers, side),
    )


def _whole_map(layers: Layers, side: int) -> Member:
    """The last map that is small enough to be compared whole; else patches, which locate too."""
    if whole := _names(layers.whole(side)[-1:]):
        return Member("gaussian", side, whole, 0, averaged=True)
    return Member("patches", side, _names(layers.middle), averaged=True)


def _earlier_small_colour(backbone: Backbone) -> tuple[Member, ...]:
    layers = Layers.of(backbone.taps)
    late, head = _names(layers.late), _head(backbone)
    sides = dict.fromkeys(side_of(backbone, s) for s in SIDES_OF_SMALL_COLOUR)
    return tuple(
        member
        for s in sides
        for member in (
            *(Member("gaussian", s, (tap,), cells) for cells in (1, 3) for tap in late),
            *(Member("gaussian", s, (tap,), 0) for tap in _names(layers.whole(s)[-1:])),
            *(Member("neighbours", s, (tap,)) for tap in late[1:] or late),
            *(Member(how, s, head, unit=True) for how in ("gaussian", "neighbours")),
        )
    )


def _of_sizes(backbone: Backbone, sides: Sequence[int]) -> tuple[Member, ...]:
    layers = Layers.of(backbone.taps)
    late = _names(layers.late)
    return tuple(
        member
        for s in sides
        for member in (
            *(Member("gaussian", s, (tap,), cells) for cells in (1, 3) for tap in late),
            *(Member("gaussian", s, (tap,), 0) for tap in _names(layers.whole(s))),
            *(Member("neighbours", s, (tap,)) for tap in late[1:] or late),
            Member("patches", s, _names(layers.middle)),
            Member("gaussian", s, _head(backbone), unit=True),
        )
    )


def _of_kinds(backbone: Backbone, shape: tuple[int, ...]) -> tuple[Member, ...]:
    """Gaussians and neighbours, then the one that locates."""
    side, layers = _side(shape), Layers.of(backbone.taps)
    sides = SIDES_OF_SMALL_COLOUR if _is_small_colour(shape) else _sides(backbone, side)
    sides, late = tuple(side_of(backbone, s) for s in sides), _names(layers.late)
    members = [
        member
        for s in dict.fromkeys(sides)
        for member in (
            *(Member("gaussian", s, (tap,), cells) for cells in (1, 3) for tap in late),
            Member("gaussian", s, _head(backbone), unit=True),
            *(Member("neighbours", s, (tap,), unit=unit) for unit in (False, True) for tap in late),
            Member("neighbours", s, _head(backbone), unit=True),
        )
    ]
    return (*dict.fromkeys(members), Member("gaussian", sides[-1], (_names(layers.whole(sides[-1])) or late)[:1], 0))


def _earlier(backbone: Backbone, shape: tuple[int, ...]) -> tuple[Member, ...]:
    """Small colour pictures were seen at other sizes, and later by more members."""
    seen = _of_sizes(backbone, _sides(backbone, _side(shape)))
    return (*seen, *_earlier_small_colour(backbone)) if _is_small_colour(shape) else seen


def _head(backbone: Backbone) -> tuple[str]:
    """The last layer that can be read."""
    return (every_layer(backbone)[-1].name,)


def _alike(_shape: tuple[int, ...]) -> tuple[Expected, ...]:
    return ()


def _defects(_shape: tuple[int, ...]) -> tuple[Expected, ...]:
    return (Expected(DEFECTS, "pieces", WARMTH),)


def _another_kind(shape: tuple[int, ...]) -> tuple[Expected, ...]:
    warmth = WARMTH if _side(shape) > SMALL else ALIKE_IN_COLOUR if _is_small_colour(shape) else ALIKE
    return (Expected(ANOTHER_KIND, "blend", warmth),)


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
        Its members, for a backbone and images of some shape.
    expected : callable
        The kinds of unknown that members are chosen for, for images of some shape; none: all count alike.
    backbone : Backbone
        The network.
    of_kinds : callable, optional
        Its members where several classes are known, for a backbone and images of some shape. They are chosen by how
        well they find a known class that is left out, and the last only locates. None: each class is learnt by itself.
    earlier : callable, optional
        Members of models that earlier versions trained.
    most_of_small_colour : int
        How many small colour pictures it learns from, where one class is known.
    """

    kind: str
    paper: str
    summary: str
    candidates: Candidates
    expected: Callable[[tuple[int, ...]], tuple[Expected, ...]] = _alike
    backbone: Backbone = LITE0
    of_kinds: Candidates | None = None
    earlier: Candidates | None = None
    most_of_small_colour: int = MOST

    side = FINEST
    vectors = False

    def most_images(self, shape: tuple[int, ...], classes: int) -> int:
        """See `Baseline`."""
        return self.most_of_small_colour if classes == 1 and _is_small_colour(shape) else MOST

    def members(self, shape: tuple[int, ...]) -> tuple[Member, ...]:
        """The candidates for images of `shape` (C, H, W)."""
        return tuple(dict.fromkeys(self.candidates(self.backbone, shape)))

    def on(self, backbone: Backbone) -> FeatureBaseline:
        """The same on another backbone."""
        return replace(self, backbone=backbone)

    def tensors(self, shape: tuple[int, ...], *, several: bool) -> int:
        """How many tensors the detector of one class has at most, where it is one of `several` classes or not."""
        found = self.of_kinds(self.backbone, shape) if several and self.of_kinds else self.members(shape)
        return sum(member.tensors for member in found)

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
        views = len(by_view(members))
        votes = {self.kind: dict.fromkeys(members, 1 / len(members))}
        if expected := self.expected(pixels.shape[1:]):
            of = views * looked_at(len(pixels), len(expected))
            votes = chosen(self.backbone, pixels, members, expected, seed, counter(of), groups)
        return OnFeatures.fit(self.kind, self.backbone, pixels, votes, seed, counter(views * len(pixels)), groups)

    def learn_kinds(self, pixels: Pixels | Selection, labels: Labels, seed: int) -> Kinds | None:
        """The detectors of several known classes, images (N, C, H, W) uint8 of classes (N,); None: see `of_kinds`."""
        if self.of_kinds is None:
            return None
        need_images(pixels.shape[1:], self.kind)
        *members, locator = self.of_kinds(self.backbone, pixels.shape[1:])
        views = len(by_view(members))
        steps = counter(views * (2 * len(pixels) + min(len(pixels), JUDGED * (int(labels.max()) + 1))))
        return learn_kinds(self.kind, self.backbone, pixels, labels, members, locator, seed, steps)

    def every_member(self, shape: tuple[int, ...]) -> tuple[Member, ...]:
        """All members that a model can have."""
        found = [source(self.backbone, shape) for source in (self.of_kinds, self.earlier) if source]
        return tuple(dict.fromkeys((*self.members(shape), *(member for some in found for member in some))))

    def restore(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], shape: tuple[int, ...]) -> OnFeatures:
        """Return the detector that gave `tensors` and `facts`; raises ModelError for anything else."""
        need_images(shape, self.kind)
        named = {"backbone", "sha256"} <= set(facts)  # other facts are refused below
        own = self.on(stored(facts["backbone"], facts["sha256"])) if named else self
        return OnFeatures.restore(self.kind, own.backbone, own.every_member(shape), tensors, facts, shape)


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
    "and blends of two images for another kind of thing. Several known classes: weighted by how well each finds a "
    "known class that is left out. Vectors: the mean of nearest neighbours and local outlier factor.",
    _all,
    _either,
    of_kinds=_of_kinds,
    earlier=_earlier,
    most_of_small_colour=2500,
)
EXPECTED = {DEFECTS: _defects, ANOTHER_KIND: _another_kind}


def expecting(what: str) -> FeatureBaseline:
    """`AUTO` for one kind of unknown alone, a key of `EXPECTED`; defects are looked for in each class by itself."""
    return replace(AUTO, expected=EXPECTED[what], of_kinds=None if what == DEFECTS else AUTO.of_kinds)
