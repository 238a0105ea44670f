"""Arrays: .npz and .npy files, and what is refused in them (rows C1 to C13 of the catalogue of faults)."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest

from lookalike.base.errors import DataError
from lookalike.data import check, read, stream

GREY = np.arange(4 * 3 * 2, dtype=np.uint8).reshape(4, 3, 2)
LABELS = np.array([3, 1, 3, 1])


@pytest.fixture
def npz(tmp_path):
    """Writes arrays to a .npz and returns its path."""

    def write(**arrays):
        path = tmp_path / "data.npz"
        np.savez_compressed(path, **arrays)
        return path

    return write


@pytest.fixture
def refused(clean):
    """Asserts that reading raises the common contract's DataError with these words."""

    def check_words(path, *words, **options):
        with pytest.raises(DataError) as caught:
            read(path, **options)
        clean(caught.value, str(path), *words)

    return check_words


def npy_bytes(array, **options):
    """The bytes of a .npy file."""
    file = io.BytesIO()
    np.lib.format.write_array(file, array, **options)
    return file.getvalue()


def test_grey_images_with_numbers_as_labels(npz):
    """Images (N, H, W) become (N, 1, H, W); the sorted labels are the classes; rows are named by number."""
    images = read(npz(images=GREY, labels=LABELS))
    assert (images.pixels == GREY[:, None]).all()
    assert images.classes == ("1", "3")
    assert images.labels.tolist() == [1, 0, 1, 0]
    assert images.names == ("00000", "00001", "00002", "00003")
    assert images.test is None


@pytest.mark.parametrize(
    ("more", "notes"), [({"test": [1, 0, 0, 1], "x": [0]}, ("arrays that are not read: 'test', 'x'",)), ({}, ())]
)
def test_arrays_that_are_not_read_are_named(more, notes, npz):
    """A mask of test images or a second array of images has no effect, and a line says so."""
    assert read(npz(images=GREY, labels=LABELS, seed=np.array(0), **more)).notes == notes


def test_colour_images_with_names_as_labels(npz, make):
    """Images (N, H, W, 3) become (N, 3, H, W); names are sorted unless `classes` orders them."""
    pixels = np.stack([make.photo(seed=i) for i in range(3)])
    images = read(npz(images=pixels, labels=np.array(["dog", "cat", "dog"])))
    assert (images.pixels == pixels.transpose(0, 3, 1, 2)).all()
    assert (images.classes, images.labels.tolist()) == (("cat", "dog"), [1, 0, 1])
    images = read(npz(images=pixels, labels=np.array(["dog", "cat", "dog"]), classes=np.array(["dog", "cat"])))
    assert (images.classes, images.labels.tolist()) == (("dog", "cat"), [0, 1, 0])
    images = read(npz(images=pixels, labels=np.array([1, 0, 1]), classes=np.array(["dog", "cat"])))
    assert (images.classes, images.labels.tolist()) == (("dog", "cat"), [1, 0, 1])


def test_minus_one_is_no_label(npz):
    """Label -1 is kept as -1 and makes no class."""
    images = read(npz(images=GREY, labels=np.array([0, -1, 1, -1])))
    assert (images.classes, images.labels.tolist()) == (("0", "1"), [0, -1, 1, -1])


def test_unlabelled_arrays_can_be_streamed_but_not_read(npz, tmp_path, refused):
    """Scoring needs no labels; reading for training says that they are missing."""
    path = npz(images=GREY)
    refused(path, "has no labels")
    np.save(tmp_path / "data.npy", GREY)
    refused(tmp_path / "data.npy", "has no labels")
    for source in (path, tmp_path / "data.npy"):
        blocks = list(stream(source, size=(3, 2), channels=1, block=3))
        assert [block.labels.tolist() for block in blocks] == [[-1] * 3, [-1]]
        assert (np.concatenate([block.pixels for block in blocks]) == GREY[:, None]).all()


@pytest.mark.parametrize(
    ("dtype", "values", "expected"),
    [
        (np.bool_, [0, 1], [0, 255]),
        (np.uint16, [255, 65535], [0, 255]),
        (">u2", [256, 65535], [1, 255]),
        (np.float32, [0, 0.5], [0, 128]),
        (np.float64, [0.2, 1], [51, 255]),
        (np.float16, [0, 1], [0, 255]),
    ],
)
def test_C4_number_types_of_images(dtype, values, expected, npz):
    """bool, uint16 by bit depth and floats in [0, 1] become these uint8 values."""
    path = npz(images=np.array(values, dtype).reshape(2, 1, 1), labels=np.zeros(2, int))
    assert read(path).pixels.ravel().tolist() == expected


@pytest.mark.parametrize("dtype", [np.complex64, "U3", "S3", "M8[s]"])
def test_C4_other_types_are_refused(dtype, npz, refused):
    """Complex numbers, text and dates are no pixels."""
    images = np.zeros((2, 3, 3), np.int64).astype(dtype)
    refused(npz(images=images, labels=np.zeros(2, int)), "numbers or booleans are accepted", "(2, 3, 3)")


@pytest.mark.parametrize("value", [np.nan, np.inf], ids=["C1", "C2"])
def test_C1_C2_values_that_are_no_numbers_are_refused_by_image(value, npz, refused):
    """NaN and infinity name the image; `skip` leaves it out."""
    images = np.full((30, 2, 2), 0.5, np.float32)
    images[7, 1, 1] = value
    path = npz(images=images, labels=np.zeros(30, int))
    refused(path, "image 00007", "NaN or infinite")
    kept = read(path, on_bad="skip")
    assert [skipped.name for skipped in kept.skipped] == ["00007"]
    assert len(kept) == 29


@pytest.mark.parametrize(("low", "high"), [(0, 255), (-1, 1)])
def test_C3_floats_outside_the_range_say_what_to_do(low, high, npz, refused):
    """Floats that are not in [0, 1] show their range and the flag, and are read with it."""
    path = npz(images=np.array([low, high], np.float32).reshape(2, 1, 1), labels=np.zeros(2, int))
    refused(
        path,
        f"values from {low} to {low}" if low else "values from 255 to 255",
        "0 to 1 is expected",
        "--value-range LOW,HIGH",
    )
    assert read(path, value_range=(low, high)).pixels.ravel().tolist() == [0, 255]


def test_C4_int64_needs_a_value_range(npz, refused):
    """Wide integers could mean anything: the range is asked for."""
    path = npz(images=GREY.astype(np.int64), labels=LABELS)
    refused(path, "int64 values from 0 to 5", "--value-range LOW,HIGH")
    assert (read(path, value_range=(0, 255)).pixels == GREY[:, None]).all()


def test_C5_channels_first_is_recognised(npz, refused):
    """Images stored (N, C, H, W) are refused with the one line that turns them."""
    path = npz(images=np.zeros((2, 3, 8, 9), np.uint8), labels=np.zeros(2, int))
    refused(path, "(2, 3, 8, 9)", "channels-first", "numpy.moveaxis(images, 1, -1)")


@pytest.mark.parametrize(
    ("case", "shape"),
    [
        ("C6", (2, 8, 8, 2)),
        ("C6", (2, 8, 8, 4)),
        ("C7", (2,)),
        ("C7", (1, 2, 3, 4, 1)),
        ("C8", (0, 8, 8)),
        ("C8", (2, 0, 8)),
    ],
)
def test_C6_to_C8_shapes_are_refused(case, shape, npz, refused):
    """Wrong channels, axes and empty arrays show the shape and what is accepted."""
    refused(
        npz(images=np.zeros(shape, np.uint8), labels=np.zeros(shape[0], int)),
        str(shape),
        "is accepted" if case != "C6" else "1 or 3",
    )


def test_C9_mixed_sizes_are_refused(npz, refused):
    """Images of different sizes can only be stored as objects, which are never loaded."""
    images = np.empty(2, object)
    images[0], images[1] = np.zeros((2, 2)), np.zeros((3, 3))
    refused(npz(images=images, labels=np.zeros(2, int)), "Python objects", "images of one size")


@pytest.mark.parametrize(
    ("labels", "word"),
    [
        (np.zeros(3, int), "(3,)"),
        (np.zeros(5, int), "(5,)"),
        (np.zeros((4, 1), int), "(4, 1)"),
        (np.array([0.0, 1, 0, 1]), "float64"),
        (np.array([0, np.nan, 0, 1]), "float64"),
        (np.array([0, -2, 0, 1]), "-2"),
        (np.array([True, False, True, False]), "bool"),
        (np.array(["a", "", "a", "b"]), "empty name"),
    ],
)
def test_C10_labels_that_do_not_fit_are_refused(labels, word, npz, refused):
    """Labels of another count, shape or type say what was given."""
    refused(npz(images=GREY, labels=labels), word)


@pytest.mark.parametrize(
    ("labels", "classes", "word"),
    [
        (np.array([0, 1, 2, 0]), np.array(["a", "b"]), "label '2' is none of the 2 classes"),
        (np.array(["a", "c", "a", "b"]), np.array(["a", "b"]), "label 'c' is none of the 2 classes"),
        (np.array([0, 1, 0, 0]), np.array(["a", "a"]), "distinct names"),
        (np.array([0, 1, 0, 0]), np.array([1, 2]), "distinct names"),
        (np.array([0, 0, 0, 0]), np.array(["a", "b"]), "class 'b' has no image"),
        (np.array([0, 1, 0, 0]), np.array(["a", "A"]), "differ only in case"),
    ],
)
def test_C10_classes_that_do_not_fit_are_refused(labels, classes, word, npz, refused):
    """Labels outside `classes`, repeated names and classes without images are refused."""
    refused(npz(images=GREY, labels=labels, classes=classes), word)


def test_C11_Fortran_order_is_read_alike(npz, make):
    """An array stored in Fortran order gives the same images."""
    pixels = np.stack([make.photo(seed=i) for i in range(3)])
    assert (
        read(npz(images=np.asfortranarray(pixels), labels=np.zeros(3, int))).pixels == pixels.transpose(0, 3, 1, 2)
    ).all()


def test_C13_objects_are_never_unpickled(tmp_path, refused):
    """An object array runs nothing: neither as images, labels, nor as a single .npy."""

    class Bomb:
        def __reduce__(self):
            return (tmp_path.joinpath("ran").touch, ())

    bomb = npy_bytes(np.array([Bomb()] * 4, object), allow_pickle=True)
    for name in ("images", "labels", "classes"):
        path = tmp_path / "bomb.npz"
        with zipfile.ZipFile(path, "w") as archive:
            for member, data in {"images": GREY, "labels": LABELS, "classes": np.array(["a", "b"])}.items():
                archive.writestr(f"{member}.npy", bomb if member == name else npy_bytes(data))
        refused(path, "Python objects, which are never loaded")
    (tmp_path / "bomb.npy").write_bytes(bomb)
    refused(tmp_path / "bomb.npy", "Python objects, which are never loaded")
    assert not (tmp_path / "ran").exists()


def test_C13_a_zip_bomb_is_refused_before_unpacking(tmp_path, refused):
    """A member that says it unpacks from 1 kB to 1 GB is refused with both sizes, in little memory."""
    path = tmp_path / "bomb.npz"
    data = npy_bytes(np.zeros((1024, 32, 32), np.uint8))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("images.npy", data)
    content = path.read_bytes().replace(struct.pack("<I", len(data)), struct.pack("<I", 2**30))
    path.write_bytes(content)
    tracemalloc.start()
    refused(path, "1,073,741,824 bytes; it is refused as a zip bomb")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20e6


def test_C13_a_header_that_claims_more_than_is_there_is_refused(tmp_path, refused):
    """A shape of 2^40 images takes no memory: the bytes are counted first."""
    path = tmp_path / "bomb.npz"
    head = npy_bytes(np.zeros((1, 8, 8), np.uint8))[:128].replace(b"(1, 8, 8), }     ", b"(1099511627776, 8, 8), }")[
        :128
    ]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("images.npy", head + bytes(64))
        archive.writestr("labels.npy", npy_bytes(np.zeros(1, int)))
    refused(path, "truncated: its header says")


def test_damaged_archives_are_refused(tmp_path, npz, refused):
    """Empty, text, truncated and changed archives, and one with two members of a name, are no sound .npz."""
    whole = npz(images=np.arange(4000, dtype=np.uint8).reshape(10, 20, 20), labels=np.zeros(10, int)).read_bytes()
    path = tmp_path / "bad.npz"
    for content in (b"", b"text", whole[: len(whole) // 2], whole[:200] + b"\xff" * 20 + whole[220:]):
        path.write_bytes(content)
        refused(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("images.npy", npy_bytes(GREY))
        archive.writestr("imagez.npy", npy_bytes(GREY))
    path.write_bytes(path.read_bytes().replace(b"imagez.npy", b"images.npy"))
    refused(path, "store one array 'images'")
    np.savez(path, pictures=GREY)
    refused(path, "holds 'pictures'", "store one array 'images'")


def test_every_truncation_of_an_npy_is_refused(tmp_path):
    """A .npy cut anywhere is refused, never read short."""
    content = npy_bytes(GREY)
    path = tmp_path / "data.npy"
    for end in range(0, len(content), 3):
        path.write_bytes(content[:end])
        with pytest.raises(DataError):
            list(stream(path, size=(3, 2), channels=1))
    path.write_bytes(content + b"\0")
    with pytest.raises(DataError, match="damaged: its header says"):
        list(stream(path, size=(3, 2), channels=1))


@pytest.mark.parametrize("kind", ["npz", "npy"])
def test_mutated_arrays_raise_nothing_else(kind, tmp_path):
    """300 array files with random damage are read to bounded arrays or refused in one line with the name."""
    rng = np.random.default_rng(0)
    path = tmp_path / f"data.{kind}"
    np.savez(path, images=GREY) if kind == "npz" else np.save(path, GREY)
    whole = np.frombuffer(path.read_bytes(), np.uint8)
    for _ in range(300):
        content = whole.copy()
        content[rng.integers(0, len(content), rng.integers(1, 4))] = rng.integers(0, 256)
        path.write_bytes(content[: rng.integers(len(content) // 2, len(content) + 1)].tobytes())
        try:
            blocks = list(stream(path, size=(3, 2), channels=1, value_range=(-1e30, 1e30)))
            assert sum(block.pixels.size for block in blocks) <= GREY.size
        except DataError as error:
            refusal = str(error)
            assert refusal.isprintable() and path.name in refusal


def test_negative_lengths_are_refused(tmp_path, refused):
    """A shape of two negative lengths, whose product fits, is refused."""
    path = tmp_path / "bomb.npz"
    head = npy_bytes(np.zeros((1, 8, 8), np.uint8)).replace(b"(1, 8, 8), }  ", b"(-1, -8, 8), }")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("images.npy", head)
        archive.writestr("labels.npy", npy_bytes(np.zeros(1, int)))
    refused(path, "(-1, -8, 8)", "all at least 1")


def test_vectors_are_float32_in_minus_one_to_one(npz, refused):
    """(N, F) arrays stay vectors: floats as they are, uint8 from 0..255, others by the value range."""
    labels = np.zeros(2, int)
    images = read(npz(images=np.array([[-1, 0.25, 1], [0, 0, 0]]), labels=labels))
    assert images.pixels.dtype == np.float32
    assert images.pixels.tolist() == [[-1, 0.25, 1], [0, 0, 0]]
    assert images.shape == (3,)
    assert read(npz(images=np.array([[0, 255], [255, 0]], np.uint8), labels=labels)).pixels.tolist() == [
        [-1, 1],
        [1, -1],
    ]
    path = npz(images=np.array([[0, 10], [5, 10]]), labels=labels)
    refused(path, "values from 0 to 10, where -1 to 1 is expected", "--value-range")
    assert read(path, value_range=(0, 10)).pixels.tolist() == [[-1, 1], [0, 1]]
    assert check(path, value_range=(0, 10)).sizes == {}
    assert check(path, value_range=(0, 10)).channels is None


def test_vectors_and_images_are_not_mixed_up(npz, clean):
    """A stream for a model of images refuses vectors, and the other way round."""
    path = npz(images=np.zeros((2, 3), np.float32))
    with pytest.raises(DataError, match="holds vectors, but the model needs images"):
        list(stream(path, size=(4, 4), channels=1))
    (block,) = stream(path, size=None, channels=None)
    assert block.pixels.shape == (2, 3)
    with pytest.raises(DataError, match="holds images, but the model needs vectors"):
        list(stream(npz(images=GREY), size=None, channels=None))


def test_a_stream_of_an_array_holds_one_block(tmp_path):
    """Streaming a packed array of 32 MB takes less than 12 MB at a time."""
    path = tmp_path / "large.npz"
    rng = np.random.default_rng(0)
    np.savez_compressed(path, images=np.tile(rng.integers(0, 256, (64, 64, 64), np.uint8), (128, 1, 1)))
    tracemalloc.start()
    count = 0
    for block in stream(path, size=(64, 64), channels=1, block=512):
        assert block.pixels.shape == (512, 1, 64, 64)
        count += len(block)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 8_192
    assert peak < 12e6


@pytest.mark.parametrize(("value", "taken"), [(1 + 1e-6, 255), (-1e-9, 0), (1.001, None), (-0.01, None)])
def test_C3_what_rounding_leaves_outside_the_range_is_taken(value, taken, npz, refused):
    """Resized floats may be a little above 1 or below 0; more than that is said with digits that tell."""
    path = npz(images=np.array([0.5, value], np.float32).reshape(2, 1, 1), labels=np.zeros(2, int))
    if taken is None:
        refused(path, f"{value:g}", "where 0 to 1 is expected")
    else:
        assert read(path).pixels.ravel().tolist() == [128, taken]


@pytest.mark.parametrize("name", ["labels", "classes"])
def test_C13_text_as_objects_names_the_array_and_the_remedy(name, npz, refused):
    """pandas stores text as objects: the message says which array, and how it is stored as text."""
    given = {"labels": np.array(["a", "b"]), "classes": np.array(["a", "b"])}
    given[name] = given[name].astype(object)
    refused(npz(images=np.zeros((2, 3, 3), np.uint8), **given), f"the array {name} holds", f"{name}.astype(str)")
