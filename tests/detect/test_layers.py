"""Which layers members look at: those of EfficientNet-Lite0 as ever, and by the same rule those of other networks."""

from __future__ import annotations

import pytest

from lookalike.detect.baselines.features import AUTO, FEATURES_GAUSSIAN, FEATURES_KNN, PATCHES
from lookalike.detect.layers import Layers
from lookalike.detect.members import Member
from lookalike.features.backbone import Tap
from lookalike.features.efficientnet import LITE0, LITE2

STAGES = ("stage 4", "stage 5", "stage 6", "stage 7")


class Network:
    """A backbone of these taps (channels, stride), the earliest first; with `size` it takes no other."""

    head = None

    def __init__(self, *taps, size=None):
        self.taps = tuple(Tap(f"tap {i}", *tap) for i, tap in enumerate(taps))
        self.size = size


RESNET = Network((256, 4), (512, 8), (1024, 16), (2048, 32))
TRANSFORMER = Network(*[(384, 14)] * 4, size=(224, 224))


def names(network):
    """The numbers of the taps: every, early, middle, joint, late."""
    layers = Layers.of(network.taps)
    parts = (layers.every, layers.early, layers.middle, layers.joint, layers.late)
    return tuple("".join(tap.name.removeprefix("tap ") for tap in part) for part in parts)


@pytest.mark.parametrize(
    ("network", "wanted"),
    [
        (RESNET, ("0123", "01", "12", "23", "23")),
        (Network((64, 2), (256, 4), (512, 8), (1024, 16), (2048, 32)), ("1234", "12", "23", "34", "34")),
        (Network((9, 4), (9, 8), (9, 8), (9, 16), (9, 16), (9, 16)), ("012345", "02", "35", "5", "345")),
        (TRANSFORMER, ("0123", "03", "03", "3", "0123")),
        (Network((9, 16)), ("0", "0", "0", "0", "0")),
        (Network((9, 1), (9, 2)), ("01", "0", "01", "1", "1")),
        (Network((9, 4), (9, 8)), ("01", "0", "01", "1", "1")),
    ],
)
def test_layers_follow_from_strides(network, wanted):
    """Early ones of stride 4 to 8, middle ones of the first stride above, late ones from there on, as the rule says."""
    assert names(network) == wanted


def of_lite0(sides, fine, late):
    """Every candidate of each method on Lite0, written out."""
    early, middle, joint = ("stage 2", "stage 3"), ("stage 4", "stage 5"), ("stage 5", "stage 6")
    small = [Member("patches", s, early, 1, out) for s in fine for out in (False, True)]
    of_size = []
    for s in sides:
        of_size += [Member("gaussian", s, (tap,), cells) for cells in (1, 3) for tap in STAGES]
        of_size += [Member("gaussian", s, (tap,), 0) for tap in STAGES[:3]]
        of_size += [Member("neighbours", s, (tap,)) for tap in STAGES[1:]]
        of_size += [Member("patches", s, middle), Member("gaussian", s, ("head",), unit=True)]
    return {
        FEATURES_KNN: [Member("neighbours", sides[1], ("stage 7",))],
        FEATURES_GAUSSIAN: [
            Member("gaussian", sides[-1], (tap,), cells) for cells in (1, 3) for tap in ("stage 3", *STAGES)
        ],
        PATCHES: [*(Member("patches", s, taps) for s in sides[1:] for taps in (middle, joint)), *small],
        AUTO: [
            *of_size,
            *small,
            *(Member("gaussian", s, (tap,), cells) for s in late for cells in (1, 3) for tap in STAGES),
        ],
    }


@pytest.mark.parametrize(
    ("shape", "sides", "fine", "late"),
    [
        ((1, 28, 28), (64, 128, 160), (), ()),
        ((1, 64, 64), (64, 128, 160), (), ()),
        ((3, 100, 120), (64, 128, 224), (), ()),
        ((3, 200, 300), (64, 128, 224), (224, 320), ()),
        ((3, 320, 320), (64, 128, 224), (320,), (320,)),
        ((3, 900, 1200), (64, 128, 224), (640,), (640,)),
    ],
)
def test_the_candidates_on_lite0(shape, sides, fine, late):
    """Small defects are looked for at the size of the images, or up to twice that; large ones show late layers more."""
    for baseline, wanted in of_lite0(sides, fine, late).items():
        assert list(baseline.members(shape)) == wanted, baseline.kind


def test_small_colour_pictures_are_enlarged():
    """`auto` has Gaussians of averaged views at 224 pixels; models of earlier versions are restored."""
    wanted = [Member("gaussian", 224, (tap,), averaged=True) for tap in STAGES[:3]]
    wanted.append(Member("gaussian", 224, ("head",), unit=True, averaged=True))
    wanted.append(Member("gaussian", 224, ("stage 6",), 0, averaged=True))
    assert list(AUTO.members((3, 64, 64))) == wanted
    earlier = set(of_lite0((64, 128, 160), (), ())[AUTO])
    for s in (160, 224):
        earlier |= {Member("gaussian", s, (tap,), cells) for cells in (1, 3) for tap in STAGES}
        earlier |= {Member("gaussian", s, ("stage 6",), 0)}
        earlier |= {Member("neighbours", s, (tap,)) for tap in STAGES[1:]}
        earlier |= {Member(how, s, ("head",), unit=True) for how in ("gaussian", "neighbours")}
    assert earlier < set(AUTO.every_member((3, 64, 64)))
    assert FEATURES_KNN.members((3, 64, 64)) == FEATURES_KNN.members((1, 64, 64))


def test_of_small_colour_pictures_more_are_learnt():
    """2,500 of one class by `auto`, else 600 of each."""
    for shape, classes, most in (((3, 32, 32), 1, 2500), ((3, 32, 32), 2, 600), ((1, 28, 28), 1, 600)):
        assert AUTO.most_images(shape, classes) == most
    assert AUTO.most_images((3, 200, 200), 1) == FEATURES_KNN.most_images((3, 32, 32), 1) == 600


def test_the_candidates_of_several_classes():
    """Gaussians and neighbours of all late layers, also by direction alone; the last locates."""
    *members, locator = AUTO.of_kinds(LITE0, (3, 200, 200))
    taps = ("stage 4", "stage 5", "stage 6", "stage 7")
    wanted = set()
    for s in (64, 128, 224):
        wanted |= {Member("gaussian", s, (tap,), cells) for cells in (1, 3) for tap in taps}
        wanted |= {Member("neighbours", s, (tap,), unit=unit) for unit in (False, True) for tap in taps}
        wanted |= {Member(how, s, ("head",), unit=True) for how in ("gaussian", "neighbours")}
    assert set(members) == wanted and len(members) == len(wanted)
    assert locator == Member("gaussian", 224, ("stage 4",), 0)


def test_the_candidates_on_a_larger_lite_are_the_same():
    """Its stages have the same names and strides."""
    for baseline in (FEATURES_KNN, FEATURES_GAUSSIAN, PATCHES, AUTO):
        assert baseline.on(LITE2).members((3, 500, 500)) == baseline.members((3, 500, 500))
        assert baseline.on(LITE2).on(LITE0) == baseline


def test_large_maps_are_not_compared_whole():
    """A map of more than 65,536 numbers is left out: of a wide ResNet all at 224 pixels, at 64 those of 16 and less."""
    layers = Layers.of(RESNET.taps)
    assert [tap.name for tap in layers.whole(64)] == ["tap 2", "tap 3"]  # 1024 x 4 x 4 and 2048 x 2 x 2
    assert layers.whole(224) == ()  # 1024 x 14 x 14 and 2048 x 7 x 7


def test_a_network_of_one_size_has_each_member_once():
    """All sizes are that one; a size that is no square counts as the square of its area."""
    for baseline in (FEATURES_KNN, FEATURES_GAUSSIAN, PATCHES, AUTO):
        members = baseline.on(TRANSFORMER).members((3, 500, 500))
        assert {member.side for member in members} == {224} and len(set(members)) == len(members)
    small = AUTO.on(TRANSFORMER).members((3, 32, 32))
    assert [member.how for member in small if member.locates] == ["patches"]  # its maps are too large to compare whole
    oblong = Network((9, 8), (9, 16), size=(112, 448))
    assert {member.side for member in PATCHES.on(oblong).members((3, 50, 50))} == {224}
    assert PATCHES.on(Network((9, 16))).members((3, 50, 50)) == (
        Member("patches", 128, ("tap 0",)),
        Member("patches", 160, ("tap 0",)),
    )
