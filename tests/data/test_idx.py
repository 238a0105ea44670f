"""IDX files: plain and gzipped, pairs and the four of MNIST's layout, and damaged ones."""

from __future__ import annotations

import gzip
import struct

import numpy as np
import pytest

from lookalike.base.errors import DataError
from lookalike.data import read, stream

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 5, 4), dtype=np.uint8)
LABELS = np.array([0, 1, 2, 0, 1, 2], np.uint8)


def idx(array, magic=None):
    """The bytes of an IDX file of unsigned bytes."""
    head = struct.pack(">I", magic or 0x0800 + array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
    return head + array.tobytes()


@pytest.fixture
def pair(tmp_path):
    """Writes a pair of files and returns the path of the images."""

    def write(images=None, labels=None, suffix="", part="train"):
        pack = gzip.compress if suffix else bytes
        path = tmp_path / f"{part}-images-idx3-ubyte{suffix}"
        path.write_bytes(pack(images or idx(PIXELS)))
        (tmp_path / f"{part}-labels-idx1-ubyte{suffix}").write_bytes(pack(labels or idx(LABELS)))
        return path

    return write


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_pair_is_read(suffix, pair):
    """Images and labels come in file order, gzipped or not; classes are the numbers; no part is official."""
    images = read(pair(suffix=suffix))
    assert (images.pixels == PIXELS[:, None]).all()
    assert images.labels.tolist() == LABELS.tolist()
    assert images.classes == ("0", "1", "2")
    assert images.names[5] == "00005"
    assert images.test is None


def test_classes_are_the_numbers_that_occur(pair):
    """EMNIST's letters begin with 1, and a file may hold 1, 3 and 8 only: there are no empty classes."""
    images = read(pair(labels=idx(np.array([3, 1, 8, 3, 1, 8], np.uint8))))
    assert images.classes == ("1", "3", "8")
    assert images.labels.tolist() == [1, 0, 2, 1, 0, 2]


def test_plain_images_find_packed_labels(pair, tmp_path):
    """The labels may be gzipped where the images are not."""
    path = pair()
    labels = tmp_path / "train-labels-idx1-ubyte"
    (tmp_path / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(labels.read_bytes()))
    labels.unlink()
    assert len(read(path)) == 6


def test_the_four_files_know_their_test_part(pair, tmp_path):
    """A folder of four files gives training images, then official test images, named by part."""
    pair()
    pair(idx(255 - PIXELS[:3]), idx(LABELS[:3]), suffix=".gz", part="t10k")
    images = read(tmp_path)
    assert (images.pixels == np.concatenate([PIXELS, 255 - PIXELS[:3]])[:, None]).all()
    assert images.test.tolist() == [False] * 6 + [True] * 3
    assert images.names[5:7] == ("train/00005", "t10k/00000")
    blocks = list(stream(tmp_path, size=(5, 4), channels=1, block=4))
    assert [block.test.tolist() for block in blocks] == [[False] * 4, [False, False, True, True], [True]]


def test_a_missing_part_is_named(pair, tmp_path, clean):
    """A folder with the training files only names the file it lacks; so does a pair without labels."""
    path = pair()
    with pytest.raises(DataError) as caught:
        read(tmp_path)
    clean(caught.value, "t10k-images-idx3-ubyte", "is missing")
    (tmp_path / "train-labels-idx1-ubyte").unlink()
    with pytest.raises(DataError) as caught:
        read(path)
    clean(caught.value, "train-labels-idx1-ubyte", "is missing")


BROKEN = {
    "truncated": ({"images": idx(PIXELS)[:-1]}, "truncated"),
    "truncated early": ({"images": idx(PIXELS)[:40]}, "truncated"),
    "no header": ({"images": b"\0\0\x08"}, "starts with 000008"),
    "wrong magic": ({"images": idx(PIXELS, 0x0D03)}, "starts with 00000d03; an IDX file of bytes"),
    "labels as images": ({"images": idx(LABELS)}, "with 3 axes starts with 00000803"),
    "images as labels": ({"labels": idx(PIXELS)}, "with 1 axes starts with 00000801"),
    "counts differ": ({"labels": idx(LABELS[:5])}, "holds 5 labels for the 6 images"),
    "labels truncated": ({"labels": idx(LABELS)[:-2]}, "truncated: its header says 14 bytes, but there are 12"),
    "labels too long": ({"labels": idx(LABELS) + b"\1"}, "damaged: its header says 14 bytes"),
    "images too long": ({"images": idx(PIXELS) + b"\1"}, "damaged"),
    "no images": ({"images": idx(PIXELS[:0]), "labels": idx(LABELS[:0])}, "all at least 1"),
    "too large": ({"images": struct.pack(">4I", 0x0803, 6, 50_000, 50_000)}, "at most 25,000,000 pixels"),
    "claims 4 TB": (
        {"images": struct.pack(">4I", 0x0803, 2**32 - 1, 32, 32)},
        ("truncated: its header says 4,398,046,510,096", "bomb"),
    ),
}


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("case", BROKEN)
def test_broken_files_are_refused(case, suffix, pair, clean):
    """Every kind of damage is one line that names the file and what is wrong."""
    files, words = BROKEN[case]
    words = words if isinstance(words, str) else words[bool(suffix)]
    with pytest.raises(DataError) as caught:
        read(pair(**files, suffix=suffix))
    clean(caught.value, "-ubyte", words)


def test_a_packed_file_that_ends_early_names_the_image(pair, clean):
    """A sound gzip file with too little or too much in it says where the images end."""
    for content, words in (
        (idx(PIXELS)[:-1], "truncated in image 5 of 6"),
        (idx(PIXELS) + b"\1", "data follow its 6 images"),
    ):
        with pytest.raises(DataError) as caught:
            read(pair(content, suffix=".gz"))
        clean(caught.value, "train-images", words)


def test_damaged_gzip_is_refused(pair, clean):
    """A gzipped file cut short or changed is refused by name."""
    path = pair(suffix=".gz")
    whole = path.read_bytes()
    for content in (whole[:-9], whole[:60], b"\x1f\x8b" + bytes(40), whole[:50] + b"\xff\xff" + whole[52:]):
        path.write_bytes(content)
        with pytest.raises(DataError) as caught:
            read(path)
        clean(caught.value, path.name, "damaged or truncated")
