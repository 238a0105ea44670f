"""At which size each method reads images, and what preset small makes of photographs."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image
from tiny import call

from lookalike.base import names
from lookalike.data.sizes import text
from lookalike.runs import choices, reading
from lookalike.runs.plan import make
from lookalike.runs.presets import GROWTH
from lookalike.runs.settings import train_settings

FAMILY = {
    **dict.fromkeys(names.GANS, "GANs"),
    **dict.fromkeys((*names.BASELINES, *names.CLASSIFIERS), "detectors on pixels"),
    **dict.fromkeys(("auto", "patches", "features-knn", "features-gaussian"), "methods on features"),
}


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """Two classes of photographs in colour, of 200 x 150 pixels and near it."""
    root, draw = tmp_path_factory.mktemp("photographs"), np.random.default_rng(0)
    for name, n in (("good", 30), ("bad", 12)):
        (root / name).mkdir()
        for i in range(n):
            shape = (200 + i % 3 * 10, 150, 3) if i % 4 == 0 else (200, 150, 3)
            Image.fromarray(draw.integers(0, 256, shape, dtype=np.uint8)).save(root / name / f"{i:02}.png")
    return root


@pytest.mark.parametrize(
    "counts",
    [{(28, 28): 9}, {(200, 200): 4}, {(375, 265): 2, (283, 121): 3, (63, 400): 1}, {(2000, 3000): 1}],
    ids=["small", "square", "mixed", "large"],
)
@pytest.mark.parametrize("method", names.METHODS)
def test_methods_of_a_family_read_alike(method, counts):
    """What `check` says of a family holds for each of its methods."""
    size = reading.reading_of(counts, train_settings(known=("a",), method=method)).size
    assert size == reading.size_by_family(counts)[FAMILY[method]]


@pytest.mark.parametrize(
    ("counts", "size", "key_size"),
    [
        ({(28, 28): 9}, (32, 32), None),
        ({(32, 32): 9}, (32, 32), None),
        ({(63, 90): 9}, (24, 32), None),
        ({(64, 64): 9}, (64, 64), (32, 32)),
        ({(200, 200): 1770}, (64, 64), (32, 32)),
        ({(375, 265): 6, (283, 121): 3}, (64, 48), (32, 24)),
        ({(40, 40): 1, (300, 400): 9}, (48, 64), (24, 32)),
        ({(40, 40): 9, (300, 400): 1}, (32, 32), None),
        ({}, (32, 32), None),
    ],
)
def test_a_gan_reads_photographs_at_twice_the_side(counts, size, key_size):
    """Where images have 64 pixels in both sides, most of them at least; keys stay those of every other method."""
    s = train_settings(known=("a",), method="acgan")
    assert reading.reading_of(counts, s) == reading.Reading(size, key_size)


def test_preset_paper_and_a_given_size_stay():
    """Preset paper has 64 pixels for all images, and --size holds for all methods."""
    paper = train_settings(known=("a",), method="acgan", preset="paper")
    assert [reading.reading_of({(side, side): 1}, paper) for side in (28, 300)] == [reading.Reading((64, 64))] * 2
    for method in ("auto", "knn", "acgan"):
        s = train_settings(known=("a",), method=method, size="40,48")
        assert reading.reading_of({(300, 300): 1}, s) == reading.Reading((40, 48))


@pytest.mark.parametrize(
    ("method", "small", "large"),
    [("acgan", (8, 30_000, 2), (16, 60_000, 3)), ("wgan-gp", (16, 6_000, None), (32, 12_000, None))],
)
def test_preset_small_grows(method, small, large):
    """At 64 pixels nets are twice as wide, a fixed depth is one layer more, and twice as many images are shown."""
    found = {}
    for side in (32, 60, 64, 128):
        s = choices.filled(train_settings(known=("a", "b")[: 1 + (method == "acgan")], method=method), (3, side, 64), 2)
        net = choices.method_of(s).net
        found[side] = (net.width, s.images, getattr(net, "layers", None))
    assert found[64] == found[128] == large
    assert found[60] == (*large[:2], small[2])  # 60 cannot be halved three times
    s = choices.filled(train_settings(known=("a", "b"), method=method), (3, 32, 32), 1)
    assert (s.width, s.images, getattr(choices.method_of(s).net, "layers", None)) == (
        small[0], s.images, small[2]
    )  # fmt: skip


def test_what_the_user_gives_does_not_grow():
    """A width and a number of images hold; baselines and preset paper know no growth."""
    s = choices.filled(train_settings(known=("a",), method="anogan", width=5, images=700), (3, 64, 64), 1)
    assert (choices.method_of(s).net.width, s.images) == (5, 700)
    for given in ({"method": "knn"}, {"method": "anogan", "preset": "paper"}):
        one, other = (choices.filled(train_settings(known=("a",), **given), (3, side, side), 1) for side in (32, 64))
        assert (one.width, one.images) == (other.width, other.images)


@pytest.mark.parametrize("method", ["auto", "knn", "acgan"])
def test_check_says_what_train_does(method, photographs, capsys):
    """The size in `check`'s line and in its JSON is that of the images that train; all methods split alike."""
    code, said, _ = call(capsys, "check", photographs)
    family = FAMILY[method]
    plan = make(photographs, train_settings(known=("good", "bad"), method=method, false_alarms=0.4, calibration=0.3))
    size = plan.images.shape[1:]
    assert code == 0 and f"{family}, such as {reading.EXAMPLES[family]}, read them at {text(size)}" in said
    assert GROWTH in said
    values = json.loads(call(capsys, "check", photographs, "--json")[1])
    assert values["read_at"][family] == list(size)
    knn = make(photographs, train_settings(known=("good", "bad"), method="knn", false_alarms=0.4, calibration=0.3))
    assert plan.images.keys == knn.images.keys and plan.keys()["test"] == knn.keys()["test"]


def test_small_pictures_are_told_of_no_growth(tmp_path, capsys):
    """`check` of digits says 32 x 32 for GANs, and nothing of larger nets; with a size it says nothing of sizes."""
    said = call(capsys, "check", "digits")[1]
    assert "GANs, such as auto-gan, read them at 32 x 32" in said and GROWTH not in said
    assert "read them at" not in call(capsys, "check", "digits", "--size", "8,8")[1]
