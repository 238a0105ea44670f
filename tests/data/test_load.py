"""Reading and streaming: sizes, channels, and the rule for bad files."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from PIL import Image

from lookalike.base.errors import DataError, UsageError
from lookalike.data import read, stream


def test_resizing_is_Pillows_bilinear(folder, make):
    """Pixels at another size are exactly Pillow's, bilinear with antialiasing, (H, W) in this order."""
    pixels = make.photo(40, 30)
    images = read(folder({"a/x.png": pixels}), size=(10, 20))
    expected = np.asarray(Image.fromarray(pixels).resize((20, 10), Image.Resampling.BILINEAR))
    assert (images.pixels[0] == expected.transpose(2, 0, 1)).all()


def test_images_keep_their_size_when_it_is_one(folder, make):
    """Without a size images of one size keep it; of two sizes both are named with the flag."""
    root = folder({"a/x.png": make.photo(12, 10), "b/y.png": make.photo(12, 10)})
    assert read(root).shape == (3, 12, 10)
    said = r"different sizes \(12 x 10, and 9 x 10 in 'b/z.png'\); give images of one size, or choose one"
    with pytest.raises(DataError, match=said):
        read(folder({"b/z.png": make.photo(9, 10)}))
    assert read(root, size=(8, 8)).shape == (3, 8, 8)


def test_channels_are_one_only_when_all_are_grey(folder, make):
    """All grey: one channel; one coloured among them: grey is repeated; asked for: Pillow's L."""
    grey, colour = make.photo(5, 5, 1), make.photo(5, 5)
    assert read(folder({"a/x.png": grey})).shape == (1, 5, 5)
    root = folder({"a/y.png": colour})
    both = read(root)
    assert (both.pixels[0] == grey).all() and both.shape == (3, 5, 5)
    single = read(root, channels=1)
    assert (single.pixels[1, 0] == np.asarray(Image.fromarray(colour).convert("L"))).all()
    assert (read(root, channels=3).pixels == both.pixels).all()


@pytest.mark.parametrize("channels", [1, 3])
def test_streaming_equals_reading(channels, folder, make):
    """Blocks put together are what `read` gives, for any block size."""
    files = {f"{c}/{i}.png": make.photo(9, 7, 3 if i % 2 else 1, seed=i) for c in "ab" for i in range(5)}
    root = folder(files)
    whole = read(root, size=(8, 8), channels=channels)
    for block in (1, 3, 10, 64):
        blocks = list(stream(root, size=(8, 8), channels=channels, block=block))
        assert [len(part) for part in blocks[:-1]] == [block] * (len(blocks) - 1)
        assert (np.concatenate([part.pixels for part in blocks]) == whole.pixels).all()
        assert [name for part in blocks for name in part.names] == list(whole.names)
        assert [label for part in blocks for label in part.labels] == whole.labels.tolist()


@pytest.mark.parametrize("size", [(0, 8), (8, -1), (10_000, 10_000)])
def test_impossible_sizes_are_refused(size, folder, make):
    """A size below 1 or of too many pixels is a usage error."""
    with pytest.raises(UsageError, match="the size is"):
        read(folder({"a/x.png": make.photo()}), size=size)


@pytest.mark.parametrize("value_range", [(1, 1), (2, 1), (0, float("nan")), (0, float("inf"))])
def test_a_value_range_must_rise(value_range, folder, make):
    """LOW must be below HIGH, and both be numbers."""
    with pytest.raises(UsageError, match="LOW < HIGH"):
        read(folder({"a/x.png": make.photo()}), value_range=value_range)


@pytest.fixture
def hundred(folder, make):
    """100 images in class a and one in b, then `bad` of class a broken."""

    def write(bad):
        root = folder(
            {f"a/{i:03d}.png": make.photo(4, 4, 1, seed=i) for i in range(100)} | {"b/x.png": make.photo(4, 4, 1)}
        )
        for i in range(bad):
            (root / f"a/{10 * i:03d}.png").write_bytes(b"broken")
        return root

    return write


def test_skip_takes_up_to_five_percent(hundred):
    """5 of 101 bad files are left out and listed in order with reasons; labels and names of the rest stay right."""
    root = hundred(5)
    images = read(root, on_bad="skip")
    assert [skipped.name for skipped in images.skipped] == [f"a/{10 * i:03d}.png" for i in range(5)]
    assert all("format not allowed (unknown)" in skipped.reason for skipped in images.skipped)
    assert len(images) == 96
    assert images.names[:3] == ("a/001.png", "a/002.png", "a/003.png")
    assert images.labels.tolist() == [0] * 95 + [1]


def test_skip_refuses_more_than_five_percent(hundred, clean):
    """6 of 101 are too many, for `read` and, after its last block, for `stream`; the share can be set."""
    root = hundred(6)
    with pytest.raises(DataError) as caught:
        read(root, on_bad="skip")
    clean(caught.value, "6 of 101 images", "(5.9 %)", "more than 5 %", "a/000.png")
    with pytest.raises(DataError) as caught:
        list(stream(root, size=(4, 4), channels=1, block=10, on_bad="skip"))
    clean(caught.value, "6 of 101 images")
    assert len(read(root, on_bad="skip", max_bad=0.06)) == 95


def test_skip_refuses_to_lose_a_class(hundred, clean):
    """One bad file of 101 is too many when it is all of its class."""
    root = hundred(0)
    (root / "b/x.png").write_bytes(b"")
    with pytest.raises(DataError) as caught:
        read(root, on_bad="skip")
    clean(caught.value, "no image of class 'b' can be read", "b/x.png", "empty")


def test_skipped_files_come_with_the_block_they_belong_to(hundred):
    """Every skipped file is in exactly one block, and no block is empty."""
    blocks = list(stream(hundred(5), size=(4, 4), channels=1, block=10, on_bad="skip"))
    assert [len(block) for block in blocks] == [10] * 9 + [6]
    assert [s.name for block in blocks for s in block.skipped] == [f"a/{10 * i:03d}.png" for i in range(5)]


def test_a_stream_with_nothing_readable_is_refused(folder, clean):
    """When no file at all can be read there is no block, only the refusal."""
    root = folder({"x.png": b"", "y.png": b""})
    with pytest.raises(DataError) as caught:
        list(stream(root, size=(4, 4), channels=1, on_bad="skip", max_bad=1))
    clean(caught.value, "x.png")


def test_a_stream_holds_one_block(folder, make):
    """Streaming 40 images of 200 x 200 in blocks of 4 takes far less than all of them."""
    content = make.encode(make.photo(200, 200))
    root = folder({f"a/{i}.png": content for i in range(40)})
    tracemalloc.start()
    for block in stream(root, size=(200, 200), channels=3, block=4):
        assert len(block) == 4
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12 * 200 * 200 * 3 + 1e6
