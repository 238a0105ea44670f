"""What members read is kept: each image goes through a network once, and the bits are those without a cache."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from onnx_made import written

from lookalike.base.store import Store
from lookalike.data.images import Selection
from lookalike.detect import members
from lookalike.detect.members import Member
from lookalike.detect.on_features import OnFeatures
from lookalike.detect.seen import seen
from lookalike.features import cache
from lookalike.features.backbone import Backbone
from lookalike.features.efficientnet import LITE0
from lookalike.features.onnx_file import opened

READ = (
    Member("patches", 192, ("stage 3", "stage 5")),
    Member("gaussian", 192, ("stage 5",), 3),
    Member("gaussian", 192, ("head",), unit=True),
)
BLOCK = 3  # images of 192 x 192 pixels that the network sees at once


@dataclass
class Counted:
    """A backbone that counts its blocks and the real images in each, which are not black."""

    of: Any
    origin: Any
    seen: list[int]

    @classmethod
    def over(cls, backbone: Backbone) -> Counted:
        """Over another one."""
        return cls(backbone, backbone.origin, [])

    def __getattr__(self, name):
        return getattr(self.of, name)

    def maps(self, x, taps):
        """Those of the backbone."""
        self.seen.append(int((x.flatten(1) != 0).any(1).sum()))
        return self.of.maps(x, taps)


@pytest.fixture(autouse=True)
def own_folder(monkeypatch, tmp_path):
    """A cache folder of this test alone."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "lookalike"


@pytest.fixture
def lite():
    """Lite0, counted."""
    return Counted.over(LITE0)


def pictures(n, shape=(3, 20, 20)):
    """Random (n, *shape) uint8."""
    return np.random.default_rng(0).integers(1, 256, (n, *shape), np.uint8)


def blocks(backbone, pixels, read=READ):
    """All blocks, each with its number of real images."""
    return [(n, list(rows.values())) for n, rows in seen(backbone, pixels, read, lambda n: None)]


def kept(*given, **how):
    """The same within the cache."""
    with cache.kept():
        return blocks(*given, **how)


def same(first, second):
    """Whether blocks have the same numbers, and the same bits."""
    return [n for n, _ in first] == [n for n, _ in second] and all(
        a.shape == b.shape and torch.equal(a[:n], b[:n])
        for (n, one), (_, two) in zip(first, second, strict=True)
        for a, b in zip(one, two, strict=True)
    )


@pytest.mark.parametrize("shape", [(3, 20, 20), (1, 30, 20)])
def test_the_bits_are_those_without(shape, lite, own_folder):
    """When the rows are written, and when they are read; the network sees each image once."""
    pixels = pictures(40, shape)
    plain = blocks(lite, pixels)
    number = len(lite.seen)
    assert same(kept(lite, pixels), plain) and len(lite.seen) == 2 * number
    assert same(kept(lite, pixels), plain) and len(lite.seen) == 2 * number
    assert (own_folder / "features.sqlite").stat().st_mode & 0o777 == 0o600  # for no other account


def test_the_bits_of_an_onnx_file_are_those_without(tmp_path):
    """Its maps lie otherwise in memory than those of a Lite network."""
    net = Counted.over(opened(written(tmp_path / "net.onnx")))
    pixels = pictures(20, (3, 192, 160))
    read = [Member("gaussian", 176, (tap.name,), cells) for tap in net.taps for cells in (0, 1)]
    plain = blocks(net, pixels, read)
    assert same(kept(net, pixels, read), plain) and same(kept(net, pixels, read), plain)
    assert sum(net.seen) == 2 * len(pixels)


def test_scores_are_the_same_bits(lite, monkeypatch):
    """Of each kind of member, learnt and scored without a cache, while one is written, and from it."""
    monkeypatch.setattr(members, "POOL", 400)
    monkeypatch.setattr(members, "BANK", 100)
    pixels, new = pictures(12), 255 - pictures(5)
    plain = judged(LITE0, pixels, new)
    for _ in range(2):
        with cache.kept():
            assert all(np.array_equal(one, two) for one, two in zip(judged(lite, pixels, new), plain, strict=True))
    assert sum(lite.seen) == (2 + 4) * (12 + 5)  # at each of two sizes, and in four views


def judged(backbone, pixels, new):
    """The scores of known images as left out, and those of new images with their parts."""
    each = (
        Member("gaussian", 64, ("stage 4",), 3),
        Member("gaussian", 64, ("stage 5",), 0),
        Member("gaussian", 96, ("head",), unit=True),
        Member("neighbours", 64, ("stage 7",)),
        Member("patches", 96, ("stage 3", "stage 5")),
        Member("gaussian", 96, ("stage 6",), averaged=True),
    )
    detector, known = OnFeatures.fit("auto", backbone, pixels, {"auto": dict.fromkeys(each, 1 / len(each))}, 0)
    said = detector.score(new)
    return [known, said.score, *said.parts.values()]


def test_only_what_is_missing_goes_through_the_network(lite):
    """In whole blocks, wherever the images stand: their bits do not depend on the company."""
    pixels = pictures(4 * BLOCK)
    plain = blocks(LITE0, pixels)
    kept(lite, pixels[::2])
    assert lite.seen == [BLOCK, BLOCK]
    assert same(kept(lite, pixels), plain)
    assert lite.seen[2:] == [BLOCK, BLOCK]
    rows = np.random.default_rng(1).permutation(len(pixels))
    assert same(kept(lite, Selection(pixels, rows)), blocks(LITE0, pixels[rows])) and len(lite.seen) == 4


def test_equal_images_are_seen_once(lite):
    """Also those of one block."""
    pixels = pictures(2)[[0, 1, 0, 0, 1]]
    assert same(kept(lite, pixels), blocks(LITE0, pixels)) and lite.seen == [2]


def test_each_view_is_its_own(lite):
    """Another size, tap, cells, network, thread count or shape is seen anew; the first ones are still known."""
    pixels = pictures(3)
    kept(lite, pixels)
    other = replace(lite, origin=replace(lite.origin, sha256="0" * 64))
    turned = pixels.reshape(3, 3, 10, 40)
    for given, how in (
        ((lite, pixels), {"read": [replace(one, side=160) for one in READ]}),
        ((lite, pixels), {"read": [replace(READ[1], taps=("stage 4",))]}),
        ((lite, pixels), {"read": [replace(READ[1], cells=1)]}),
        ((other, pixels), {}),
        ((lite, turned), {}),
    ):
        before = sum(lite.seen)
        assert same(kept(*given, **how), blocks(LITE0, given[1], **how))
        assert sum(lite.seen) == before + 3
    before = sum(lite.seen)
    kept(lite, pixels, READ[1:])
    assert sum(lite.seen) == before
    threads = torch.get_num_threads()
    torch.set_num_threads(threads + 1)
    kept(lite, pixels)
    torch.set_num_threads(threads)
    assert sum(lite.seen) == before + 3


def test_the_clock_counts_what_was_spared(lite, monkeypatch):
    """A method costs as much from the cache, or while it is written, as without, whatever the cache itself takes."""
    time = SimpleNamespace(now=0.0)
    monkeypatch.setattr(cache, "time", SimpleNamespace(monotonic=lambda: time.now))

    def takes(seconds, call):
        def slow(*given):
            time.now += seconds
            return call(*given)

        return slow

    monkeypatch.setattr(Counted, "maps", takes(3.5, Counted.maps))
    monkeypatch.setattr(Store, "read", takes(0.1, Store.read))
    costs, taken = [], []
    for within in (nullcontext, cache.kept, cache.kept):
        with within():
            began = cache.clock(), time.now
            blocks(lite, pictures(2 * BLOCK))
            costs.append(cache.clock() - began[0])
            taken.append(time.now - began[1])
    assert costs == pytest.approx([7, 7, 7]) and taken == pytest.approx([7, 7.1, 0.1])
    for within in (nullcontext, cache.kept, cache.kept):  # of a block that is not full, and with an image twice
        with within():
            began = cache.clock()
            blocks(lite, 255 - pictures(2)[[0, 1, 0]])
            costs.append(cache.clock() - began)
    assert costs[3:] == pytest.approx([3.5, 3.5, 3.5])


def test_nothing_is_kept_outside(lite, own_folder):
    """One training or one score of a user's leaves the disk alone."""
    with cache.kept():
        assert cache.current() is not None
    assert cache.current() is None
    blocks(lite, pictures(3))
    blocks(lite, pictures(3))
    assert lite.seen == [3, 3] and not own_folder.exists()


def test_switched_off_nothing_is_kept(lite, own_folder, monkeypatch):
    """LOOKALIKE_CACHE=off reads all anew, and makes no folder."""
    monkeypatch.setenv("LOOKALIKE_CACHE", "off")
    for _ in range(2):
        kept(lite, pictures(3))
    assert lite.seen == [3, 3] and not own_folder.exists()


def test_where_nothing_can_be_written_rows_are_read_anew(lite, own_folder):
    """A file in place of the folder costs time alone."""
    own_folder.parent.mkdir()
    own_folder.write_text("in the way")
    for _ in range(2):
        assert same(kept(lite, pictures(3)), blocks(LITE0, pictures(3)))
    assert lite.seen == [3, 3] and own_folder.read_text() == "in the way"


def test_a_damaged_file_costs_time_alone(lite, own_folder):
    """It is begun anew."""
    kept(lite, pictures(3))
    (own_folder / "features.sqlite").write_bytes(b"damaged" * 5000)
    for _ in range(2):
        assert same(kept(lite, pictures(3)), blocks(LITE0, pictures(3)))
    assert lite.seen == [3, 3]
