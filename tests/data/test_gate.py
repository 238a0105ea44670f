"""The gate for image files: rows A1 to A30 of the catalogue of faults."""

from __future__ import annotations

import base64
import os
import shutil
import struct
import subprocess
import sys
import time
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageFile

from lookalike.data import check, gate, read
from lookalike.data.source import Refused

SRC = str(Path(gate.__file__).parents[2])


@pytest.fixture
def raw(tmp_path):
    """Decodes bytes through the gate: pixels (H, W, C) and the other facts."""

    def decode(content, name="x.png", **options):
        path = tmp_path / name
        path.write_bytes(content)
        return gate.decode(path, **options)

    return decode


# --- damaged files

DAMAGED = {
    "A1": ("bad.png", lambda make: make.encode(make.photo())[:200], "damaged"),
    "A2": ("bad.jpg", lambda make: (b := make.encode(make.photo(64, 64), "JPEG"))[: len(b) // 2], "truncated"),
    "A2-progressive": (
        "bad.jpg",
        lambda make: (b := make.encode(make.photo(64, 64), "JPEG", progressive=True))[: len(b) // 2],
        "truncated",
    ),
    "A3": ("bad.jpg", lambda make: make.encode(make.photo(64, 64), "JPEG")[:-2], "truncated"),
    "A4": ("bad.png", lambda make: b"", "empty"),
    "A5": ("bad.png", lambda make: b"not an image at all", "unknown"),
    "A6": ("bad.jpg", lambda make: b"<!DOCTYPE html><p>404", "HTML"),
    "truncated-GIF": ("bad.gif", lambda make: make.encode(make.photo(64, 64, 1), "GIF")[:-900], "damaged"),
    "truncated-BMP": ("bad.bmp", lambda make: make.encode(make.photo(), "BMP")[:-40], "truncated"),
    "truncated-TIFF": ("bad.tif", lambda make: make.encode(make.photo(), "TIFF")[:-40], "damaged"),
    "truncated-packed-TIFF": (
        "bad.tif",
        lambda make: make.encode(make.photo(64, 64), "TIFF", compression="tiff_lzw")[:6000],
        "damaged",
    ),
    "truncated-WebP": (
        "bad.webp",
        lambda make: make.encode(make.photo(64, 64), "WEBP", lossless=True)[:-500],
        "damaged",
    ),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_A1_to_A6_damaged_files_are_refused_or_listed(case, refused, make):
    """A damaged file stops reading with its path and the fix, or is skipped, counted and listed; never filled in."""
    name, content, word = DAMAGED[case]
    assert word in refused(content(make), name)


def test_A1_every_cut_of_a_PNG_is_refused_or_whole(raw, make):
    """A PNG cut anywhere is refused, or gives exactly the pixels of the whole one."""
    pixels = make.photo(6, 5)
    content = make.encode(pixels)
    for end in range(1, len(content)):
        try:
            assert (raw(content[:end]).pixels == pixels).all(), end
        except Refused:
            assert end < len(content) - 12  # all but the end mark


def test_A7_content_decides_not_the_suffix(folder, make):
    """A JPEG named .png is read, with the JPEG's pixels, and counted."""
    content = make.encode(make.photo(), "JPEG")
    root = folder({"a/x.png": content, "a/y.jpg": content})
    images = read(root)
    assert (images.pixels[0] == images.pixels[1]).all()
    assert check(root).renamed == 1
    assert check(root).formats == {"JPEG": 2}


NOT_ALLOWED = {
    "EPS": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n",
    "PDF": b"%PDF-1.4\n1 0 obj <<>> endobj\n",
    "SVG": b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'/>",
    "PSD": b"8BPS\0\1" + bytes(60),
    "FITS": b"SIMPLE  =                    T" + bytes(2880),
}


@pytest.mark.parametrize("kind", NOT_ALLOWED)
def test_A8_other_formats_are_never_looked_at(kind, refused, monkeypatch):
    """EPS, PDF, SVG, PSD and FITS named .png are refused by name, and no program is started or sought."""

    def never(*args, **kwargs):
        raise AssertionError("a program was looked for")

    for module, call in ((subprocess, "Popen"), (shutil, "which"), (os, "system")):
        monkeypatch.setattr(module, call, never)
    reason = refused(NOT_ALLOWED[kind])
    assert f"format not allowed ({kind})" in reason
    assert "PNG, JPEG, BMP, GIF, TIFF, WebP, AVIF and JPEG 2000 are" in reason


def test_A8_a_real_EPS_is_refused_too(refused, make):
    """An EPS file that Pillow itself could open is refused."""
    assert "format not allowed (EPS)" in refused(make.encode(make.photo(), "EPS"))


def test_A9_a_flipped_byte_in_IDAT_is_refused(raw, make):
    """A PNG with one changed byte of packed pixels is refused, wherever that byte is."""
    content = make.encode(make.photo(6, 5))
    start, length = content.index(b"IDAT") + 4, struct.unpack(">I", content[content.index(b"IDAT") - 4 :][:4])[0]
    for place in range(start, start + length):
        damaged = content[:place] + bytes([content[place] ^ 0x55]) + content[place + 1 :]
        with pytest.raises(Refused):
            raw(damaged)


def test_A10_a_changed_JPEG_that_decodes_has_another_key(folder, make):
    """One changed byte in a JPEG's scan still decodes: only the content key tells, and the module says so."""
    content = make.encode(make.photo(64, 64), "JPEG")
    place = len(content) - 100
    changed = content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]
    images = read(folder({"a/x.jpg": content, "a/y.jpg": changed}))
    assert images.keys[0] != images.keys[1]
    assert "cannot be distinguished from an intact one" in gate.__doc__


# --- more than 8 bits


def test_A11_16_bit_grey_keeps_the_highest_8_bits(raw, make):
    """16-bit grey is scaled by bit depth: 65535 to 255, 256 to 1, 255 to 0; one channel."""
    values = np.array([[0, 255, 256, 32768, 65535]], np.uint16)
    picture = raw(make.encode(values))
    assert picture.mode == "I;16"
    assert picture.pixels[..., 0].tolist() == [[0, 0, 1, 128, 255]]
    assert (raw(make.encode(values, "TIFF")).pixels == picture.pixels).all()


def test_A11_16_bit_grey_by_value_range(raw, make):
    """A value range replaces the bit depth, and a value outside it is refused, not clipped."""
    content = make.encode(np.array([[0, 2048, 4095]], np.uint16))
    assert raw(content, value_range=(0, 4095)).pixels[..., 0].tolist() == [[0, 128, 255]]
    with pytest.raises(Refused, match="values from 0 to 4095, where 0 to 4000 is expected"):
        raw(content, value_range=(0, 4000))


def test_A11_16_bit_grey_with_a_transparent_value(raw, make):
    """The transparent value of a 16-bit grey PNG becomes white."""
    values = np.array([[0, 512, 65535]], ">u2")
    data = zlib.compress(b"\0" + values.tobytes())
    content = make.png(3, 1, data, make.chunk(b"tRNS", struct.pack(">H", 512)), depth=16)
    assert raw(content).pixels[..., 0].tolist() == [[0, 255, 255]]


def test_A12_16_bit_RGB_keeps_the_highest_8_bits(raw, make):
    """16-bit RGB follows the same rule as 16-bit grey."""
    values = np.array([[[0, 256, 65535], [255, 32768, 4096]]], ">u2")
    picture = raw(make.png(2, 1, zlib.compress(b"\0" + values.tobytes()), depth=16, colour=2))
    assert picture.pixels.tolist() == [[[0, 1, 255], [0, 128, 16]]]


@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_A13_int32_and_float_TIFF_need_a_value_range(dtype, refused, raw, make):
    """Without a value range refused with the flag's name; with it scaled and rounded; outside it refused."""
    content = make.encode(np.array([[-10, 0, 30]], dtype), "TIFF")
    assert "--value-range LOW,HIGH" in refused(content, "bad.tif")
    assert raw(content, value_range=(-10, 30)).pixels[..., 0].tolist() == [[0, 64, 255]]


def test_A13_values_outside_the_range_are_refused(raw, make):
    """Nothing is ever clipped."""
    content = make.encode(np.array([[-10, 0, 30]], np.float32), "TIFF")
    with pytest.raises(Refused, match="values from -10 to 30, where 0 to 30 is expected"):
        raw(content, value_range=(0, 30))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_A14_float_TIFF_with_NaN_or_infinity_is_refused(value, raw, make):
    """A value that is no number is refused even with a value range."""
    with pytest.raises(Refused, match="NaN or infinite"):
        raw(make.encode(np.array([[0, value]], np.float32), "TIFF"), value_range=(0, 1))


# --- modes: golden pixels


def palette(colours, **options):
    """A palette image of one row that uses every colour."""
    image = Image.new("P", (len(colours), 1))
    image.putpalette([value for colour in colours for value in colour])
    image.putdata(range(len(colours)))
    return image, options


def row(mode, *values):
    """One row of the mode."""
    image = Image.new(mode, (len(values), 1))
    for x, value in enumerate(values):
        image.putpixel((x, 0), value)
    return image


RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)
GOLDEN = {
    "A15": ("P", *palette([RED, GREEN, BLUE]), [[RED, GREEN, BLUE]]),
    "A15-grey": ("P", *palette([(9, 9, 9), (200, 200, 200)]), [[[9], [200]]]),
    "A16": ("P", *palette([RED, GREEN, BLUE], transparency=1), [[RED, (255, 255, 255), BLUE]]),
    "A16-partly": (
        "P",
        *palette([RED, (0, 0, 0)], transparency=bytes([255, 51])),
        [[RED, (204, 204, 204)]],
    ),
    "A17": ("1", row("1", 0, 255, 0), {}, [[[0], [255], [0]]]),
    "A18": ("LA", row("LA", (10, 255), (10, 0), (0, 51)), {}, [[[10], [255], [204]]]),
    "A19": (
        "RGBA",
        row("RGBA", (1, 2, 3, 0), (1, 2, 3, 255), (0, 0, 255, 51)),
        {},
        [[(255, 255, 255), (1, 2, 3), (204, 204, 255)]],
    ),
    "A19-colour": ("RGB", row("RGB", RED, GREEN), {"transparency": GREEN}, [[RED, (255, 255, 255)]]),
    "A19-grey": ("L", row("L", 7, 8), {"transparency": 8}, [[[7], [255]]]),
    "A20": (
        "CMYK",
        row("CMYK", (0, 0, 0, 0), (0, 255, 255, 0), (0, 0, 0, 255)),
        {"kind": "TIFF"},
        [[(255, 255, 255), RED, (0, 0, 0)]],
    ),
    "A21-YCbCr": (
        "YCbCr",
        row("YCbCr", (100, 128, 128), (76, 85, 255)),
        {"kind": "TIFF"},
        [[(100, 100, 100), (254, 0, 0)]],
    ),
}


@pytest.mark.parametrize("case", GOLDEN)
def test_A15_to_A21_modes_have_golden_pixels(case, folder, make):
    """Each mode is converted by the documented rule, to these very pixels, and counted."""
    mode, image, options, expected = GOLDEN[case]
    root = folder(
        {"a/x.png": make.encode(image, options.get("kind", "PNG"), **{k: v for k, v in options.items() if k != "kind"})}
    )
    assert gate.decode(root / "a/x.png").pixels.tolist() == [[list(pixel) for pixel in row] for row in expected]
    found = check(root)
    assert found.modes == {mode: 1}
    assert found.transparent == (1 if "transparency" in options or mode in ("LA", "RGBA") else 0)


def test_A21_Lab_becomes_sRGB(raw, make):
    """Black, white and sRGB's red (Lab 54.3, 80.8, 69.9 under D50) come out within 6 of 255."""
    picture = raw(make.encode(row("LAB", (0, 128, 128), (255, 128, 128), (138, 209, 198)), "TIFF"))
    assert picture.mode == "LAB"
    assert np.abs(picture.pixels[0].astype(int) - [(0, 0, 0), (255, 255, 255), RED]).max() <= 6


def test_A20_CMYK_JPEG_is_read_in_Adobes_inverted_sense(raw, make):
    """The same colours as CMYK in a TIFF and in a JPEG, which stores them inverted, give the same RGB."""
    image = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    content = make.encode(image, "JPEG", quality=100)
    assert b"Adobe" in content
    plain = raw(make.encode(image, "TIFF")).pixels.astype(int)
    assert np.abs(raw(content).pixels - plain).max() <= 2


def test_A22_colour_profiles_are_ignored_and_counted(folder, make):
    """The pixels with and without a profile are the same, and `check` says how many carry one."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    pixels = make.photo()
    root = folder({"a/x.png": make.encode(pixels, icc_profile=profile), "a/y.png": make.photo()})
    images = read(root)
    assert images.keys[0] == images.keys[1]
    assert check(root).icc == 1
    assert "1 carry a colour profile; it is ignored" in check(root).notes()


# --- orientation and frames

TURNED = (
    None,
    "FLIP_LEFT_RIGHT",
    "ROTATE_180",
    "FLIP_TOP_BOTTOM",
    "TRANSPOSE",
    "ROTATE_90",
    "TRANSVERSE",
    "ROTATE_270",
)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_A23_all_eight_orientations_give_one_image(kind, folder, make):
    """Eight files that store the same picture in the eight EXIF orientations give identical pixels, keys and sizes."""
    files = {}
    for orientation, turn in enumerate(TURNED, start=1):
        image = Image.fromarray(make.photo())
        stored = image if turn is None else image.transpose(Image.Transpose[turn])
        exif = Image.Exif()
        exif[gate.ORIENTATION] = orientation
        files[f"a/{orientation}.png"] = make.encode(
            stored, kind, exif=exif, **({"lossless": True} if kind == "WEBP" else {})
        )
    root = folder(files)
    images = read(root)
    assert images.pixels.shape == (8, 3, 12, 10)
    assert set(images.keys) == {images.keys[0]}
    assert (images.pixels[0] == make.photo().transpose(2, 0, 1)).all()
    assert {gate.size(root / name) for name in files} == {(12, 10)}
    assert check(root).turned == 7


@pytest.mark.parametrize("kind", ["GIF", "PNG", "TIFF", "WEBP"])
def test_A24_the_first_frame_is_taken_and_counted(kind, folder, make):
    """Of an animation or a file of pages the first is read, and `check` counts such files."""
    frames = [Image.fromarray(np.full((6, 5), value, np.uint8)) for value in (10, 200, 90)]
    options = {"lossless": True} if kind == "WEBP" else {}
    content = make.encode(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    root = folder({"a/x.png": content, "a/y.png": np.full((6, 5), 10, np.uint8)})
    images = read(root)
    assert (images.pixels == 10).all()
    assert check(root).frames == 1
    assert "1 hold more frames or pages; the first is used" in check(root).notes()


def test_A24_a_JPEG_of_several_pictures_is_a_JPEG(folder, make):
    """What phones write, a JPEG with more pictures behind the first, is a JPEG of which the first is read."""
    pixels = np.full((16, 16), 90, np.uint8)
    content = make.encode(pixels, "MPO", save_all=True, append_images=[Image.fromarray(pixels + 99)])
    found = check(folder({"a/x.jpg": content}))
    assert (found.formats, found.frames, found.renamed) == ({"JPEG": 1}, 1, 0)
    assert (read(folder({})).pixels == 90).all()


# --- sizes


def test_images_that_shrink_much_are_counted(folder, make):
    """More than four times in height or width; a size like the image's own shrinks nothing."""
    root = folder({"a/x.png": np.full((300, 40), 77, np.uint8)})
    assert [check(root, size=size).shrunk for size in ((75, 10), (74, 10), (75, 9), (300, 40))] == [0, 1, 1, 0]
    assert "1 shrink more than 4 times at this size, which loses small things" in check(root, size=(32, 4)).notes()


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (5, 7)], ids=["A25", "A26", "A26-high", "A27"])
def test_A25_to_A27_small_images_and_strips_are_resized(size, folder, make):
    """Images of any size are brought to the size asked for, and growth of more than 4 times is counted."""
    root = folder({"a/x.png": np.full(size, 77, np.uint8)})
    assert read(root, size=(32, 32)).pixels.shape == (1, 1, 32, 32)
    assert (read(root, size=(32, 32)).pixels == 77).all()
    assert check(root, size=(32, 32)).upscaled == 1
    assert check(root, size=(4, 4)).upscaled == 0
    assert "1 grow more than 4 times at this size" in check(root, size=(32, 32)).notes()


def bombs(make):
    """PNGs of far too many pixels."""
    return {
        "A28": make.png(20_000, 20_000, make.zeros(400)),
        "A29": make.png(13_300, 13_300, make.zeros(170)),
        "A29-claim": make.png(13_000, 13_000, b"x"),
        "limit": make.png(5_001, 5_000, b"x"),
    }


@pytest.mark.parametrize("case", ["A28", "A29", "A29-claim", "limit"])
def test_A28_A29_too_many_pixels_are_refused_before_decoding(case, refused, raw, make, monkeypatch):
    """Refused from the header: no pixel is decoded, at most 20 MB are taken, within 0.1 s of processor time."""

    def never(self):
        raise AssertionError("decoding began")

    content = bombs(make)[case]
    reason = refused(content)
    assert "too large" in reason and "25,000,000" in reason
    monkeypatch.setattr(ImageFile.ImageFile, "load", never)
    tracemalloc.start()
    began = time.process_time()
    with pytest.raises(Refused, match="too large"):
        raw(content)
    seconds, peak = time.process_time() - began, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert seconds < 0.1
    assert peak < 20e6


def test_A28_the_largest_allowed_header_passes(raw, make):
    """The limit itself is not refused for its size; the missing pixels are what is wrong."""
    with pytest.raises(Refused, match="damaged"):
        raw(make.png(5_000, 5_000, b"x"))


def many_frames(make):
    """A GIF of 10,001 frames."""
    content = make.encode(make.photo(8, 8, 1), "GIF")
    start = content.index(b",\0\0\0\0")
    return content[:start] + content[start:-1] * 10_001 + b";"


def long_exif(make):
    """65,535 EXIF entries of 4 GB each."""
    entry = b"\x01\x12\0\x02\xff\xff\xff\xff\0\0\0\0"
    return make.chunk(b"eXIf", b"MM\0*\0\0\0\x08\xff\xff" + entry * 65_535)


def wide_webp(make):
    """A 16 x 16 animation whose header claims 16,383 x 16,383."""
    frames = [Image.fromarray(np.full((16, 16), value, np.uint8)) for value in (1, 99)]
    content = bytearray(make.encode(frames[0], "WEBP", save_all=True, append_images=frames[1:]))
    place = content.index(b"VP8X") + 12
    content[place : place + 6] = (16_382).to_bytes(3, "little") * 2
    return bytes(content)


def with_segments(make, segment, count):
    """A JPEG with that many extra segments."""
    content = make.encode(make.photo(8, 8, 1), "JPEG")
    return content[:2] + segment * count + content[2:]


SMALL = zlib.compress(bytes(72))
HOSTILE = {
    "zTXt": lambda make: make.png(8, 8, SMALL, make.chunk(b"zTXt", b"k\0\0" + make.zeros(1024))),
    "zTXt-many": lambda make: make.png(8, 8, SMALL, make.chunk(b"zTXt", b"k\0\0" + make.zeros(1)[:-5]) * 200),
    "iCCP": lambda make: make.png(8, 8, SMALL, make.chunk(b"iCCP", b"k\0\0" + make.zeros(1024))),
    "EXIF": lambda make: make.png(8, 8, SMALL, long_exif(make)),
    "chunks": lambda make: make.png(8, 8, SMALL, make.chunk(b"teSt", b"") * 1_000_000),
    "empty-IDATs": lambda make: make.png(8, 8, b"", make.chunk(b"IDAT", b"") * 1_000_000),
    "GIF-frames": many_frames,
    "GIF-comments": lambda make: make.encode(make.photo(8, 8, 1), "GIF")[:-1] + b"!\xfe\1a\0" * 1_000_000 + b";",
    "JPEG-segments": lambda make: with_segments(make, b"\xff\xe1\0\x0cExif\0\0abcd", 1_000_000),
    "WebP-canvas": wide_webp,
}


@pytest.mark.parametrize("case", HOSTILE)
def test_A30_metadata_bombs_end_soon_and_stay_small(case, tmp_path, make):
    """Accepted or refused with a phrase, in at most 5 s of processor time and 300 MB more than before."""
    path = tmp_path / "bomb.png"
    path.write_bytes(HOSTILE[case](make))
    code = f"""if True:
        import time
        from pathlib import Path
        from PIL import Image
        from lookalike.data import gate
        from lookalike.data.source import Refused
        def peak():  # ru_maxrss would begin at the parent's peak
            return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
        Image.init()
        before, began = peak(), time.process_time()
        try:
            said = str(gate.decode(Path({str(path)!r})).pixels.shape)
        except Refused as error:
            said = str(error)
        print(time.process_time() - began, peak() - before, said, sep="|")
    """
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": SRC}
    )
    seconds, kilobytes, said = done.stdout.strip().split("|")
    assert float(seconds) <= 5
    assert int(kilobytes) <= 300_000
    assert done.stderr == ""
    assert said == "(8, 8, 1)" or any(word in said for word in ("damaged", "too large"))


# --- files that are no files


def test_files_that_vanish_are_named(tmp_path):
    """B25: a file that is gone when its turn comes is refused with the system's words."""
    with pytest.raises(Refused, match=r"cannot be opened \(No such file"):
        gate.decode(tmp_path / "gone.png")


def test_memory_errors_are_not_blamed_on_the_file(raw, make, monkeypatch):
    """When memory runs out the error passes through, since the file may be sound."""

    def full(self):
        raise MemoryError

    monkeypatch.setattr(ImageFile.ImageFile, "load", full)
    with pytest.raises(MemoryError):
        raw(make.encode(make.photo()))


def test_descriptors_are_closed(tmp_path, make):
    """Neither good nor bad files leave an open descriptor behind."""
    good, bad = tmp_path / "a.png", tmp_path / "b.png"
    good.write_bytes(make.encode(make.photo()))
    bad.write_bytes(b"\x89PNG\r\n\x1a\n")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        gate.decode(good)
        with pytest.raises(Refused):
            gate.decode(bad)
    assert len(os.listdir("/proc/self/fd")) == before


def test_mutated_images_raise_nothing_else(tmp_path, make):
    """600 files with random damage in six formats either decode to bounded uint8 or are Refused."""
    rng = np.random.default_rng(0)
    path = tmp_path / "x.png"
    for kind in ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP"):
        whole = np.frombuffer(make.encode(make.photo(9, 7), kind), np.uint8)
        for _ in range(100):
            content = whole.copy()
            content[rng.integers(0, len(content), rng.integers(1, 6))] = rng.integers(0, 256)
            path.write_bytes(content[: rng.integers(1, len(content) + 1)].tobytes())
            try:
                pixels = gate.decode(path, value_range=(0, 1)).pixels
            except Refused as error:
                assert str(error).isprintable()  # noqa: PT017  either way is right
            else:
                assert pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] in (1, 3)


# --- large photographs, and formats of phones and scanners


@pytest.mark.parametrize(
    ("width", "height", "scale"),
    [(8064, 6048, 2), (8065, 6047, 2), (6048, 8064, 2), (12001, 9001, 4), (5000, 5000, 1), (5001, 5000, 2)],
)
def test_a_large_JPEG_is_decoded_smaller(width, height, scale, raw, make, tmp_path):
    """More than 25 megapixels are read at a half or a quarter of each side, whose size is known from the header."""
    content = make.encode(Image.new("L", (width, height), 90), "JPEG", quality=30)
    picture = raw(content)
    assert picture.pixels.shape == (-(-height // scale), -(-width // scale), 1)
    assert gate.size(tmp_path / "x.png") == picture.pixels.shape[:2]
    assert picture.reduced == (scale > 1)
    assert abs(int(picture.pixels.mean()) - 90) <= 1


def test_a_large_JPEG_is_turned_and_counted(folder, make):
    """Its orientation counts after the shrinking, and check says how many were shrunk."""
    exif = Image.Exif()
    exif[0x0112] = 6
    content = make.encode(Image.new("RGB", (8000, 4000)), "JPEG", quality=30, exif=exif)
    root = folder({"a/x.jpg": content})
    assert gate.size(root / "a/x.jpg") == (4000, 2000)
    found = check(root)
    assert found.sizes == {"4000 x 2000": 1}
    assert "1 have more than 25 megapixels; they are decoded at half their height and width, or less" in found.notes()


@pytest.mark.parametrize(("kind", "pixels"), [("PNG", (8064, 6048)), ("JPEG", (12001, 10001))])
def test_what_is_larger_than_the_limit_is_refused(kind, pixels, raw, make):
    """No other format shrinks while it is decoded, and a JPEG of more than 120 megapixels is too large as well."""
    with pytest.raises(Refused, match="too large"):
        raw(make.encode(Image.new("1" if kind == "PNG" else "L", pixels), kind))


@pytest.mark.parametrize(
    ("kind", "suffix", "options"),
    [
        ("AVIF", ".avif", {"quality": 100, "subsampling": "4:4:4"}),
        ("JPEG2000", ".jp2", {}),
        ("JPEG2000", ".j2k", {"no_jp2": True}),
    ],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_AVIF_and_JPEG_2000_are_read(kind, suffix, options, channels, folder, make):
    """Both are images like others, by their suffix and by their content; AVIF knows no grey."""
    pixels = np.repeat(np.repeat(make.photo(6, 5, channels), 4, 0), 4, 1)
    root = folder({f"a/x{suffix}": make.encode(pixels, kind, **options), "a/y.png": pixels})
    images = read(root)
    assert images.names == (f"a/x{suffix}", "a/y.png")
    assert np.abs(images.pixels[0].astype(int) - images.pixels[1]).mean() < (0 if kind == "JPEG2000" else 6) + 0.01
    assert check(root).renamed == 0


@pytest.mark.parametrize("content", [b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(60), b"\0\0\0\x18ftypavif" + bytes(60)])
def test_a_damaged_AVIF_or_JPEG_2000_is_refused(content, refused):
    """A cut file is refused like any other."""
    assert "damaged" in refused(content, "bad.jp2") or "format" in refused(content, "bad.jp2")


HEIC = base64.b64decode(  # 8 x 16 pixels of (200, 60, 30)
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAXxtZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAAAAAAACJpbG9jAAAAAE"
    "RAAAEAAQAAAAABoAABAAAAAAAAADIAAAAjaWluZgAAAAAAAQAAABVpbmZlAgAAAAABAABodmMxAAAAAA5waXRtAAAAAAABAAAA/GlwcnAAAADcaXBj"
    "bwAAAHVodmNDAQNwAAAAkAAAAAAAHvAA/P34+AAADwNgAAEAGEABDAH//wNwAAADAJAAAAMAAAMAHroCQGEAAQApQgEBA3AAAAMAkAAAAwAAAwAeoC"
    "CBBZbqrprm4CGgwIAAAAyAAAADAIRiAAEABkQBwXPBiQAAABNjb2xybmNseAABAA0ABoAAAAAUaXNwZQAAAAAAAABAAAAAQAAAAChjbGFwAAAAEAAA"
    "AAEAAAAIAAAAAf///9AAAAAC////yAAAAAIAAAAQcGl4aQAAAAADCAgIAAAAGGlwbWEAAAAAAAAAAQABBYECAwWEAAAAOm1kYXQAAAAuKAGvEyFiY0"
    "D1JyL//v+6f/CLJ/0r2WFncrrBW/L6wPZkm8DzqpGegIdppzAVeA=="
)


@pytest.fixture
def no_heif(monkeypatch):
    """The extra is not installed."""
    gate.reads_heic.cache_clear()
    monkeypatch.setitem(sys.modules, "pi_heif", None)
    yield
    gate.reads_heic.cache_clear()


def test_HEIC_without_its_reader_is_counted_with_what_to_do(no_heif, folder, make):
    """Files that are passed over by their suffix have a line with their number, and the extra that reads them."""
    root = folder({"a/x.png": make.photo(), **{f"a/{i}.HEIC": HEIC for i in range(3)}, "a/y.cr2": b"x"})
    reasons = check(root).ignored_reasons()
    assert reasons == {
        ".heic files are not read: install the extra heic (pip install '.[heic]' in the folder with "
        "lookalike's source), or convert them to JPEG or PNG": 3,
        ".cr2 files are not read: convert them to JPEG or PNG": 1,
    }


def test_HEIC_with_another_suffix_says_what_to_do_too(no_heif, refused):
    """A phone's photograph that was renamed to .jpg is refused as what it is."""
    assert "a HEIC file; install the extra heic" in refused(HEIC, "bad.jpg")


@pytest.mark.parametrize("name", ["a/x.HEIC", "a/x.heif", "a/x.jpg"])
def test_HEIC_is_read_with_its_extra(name, folder, make):
    """With pi-heif a phone's photograph is read by its suffix or its content, and its size from the header."""
    pytest.importorskip("pi_heif")
    root = folder({name: HEIC, "a/y.png": make.photo(8, 16)})
    images = read(root)
    assert images.names == (name, "a/y.png")
    assert gate.size(root / name) == (8, 16)
    assert np.abs(images.pixels[0].mean((1, 2)) - (200, 60, 30)).max() < 5
    assert check(root).renamed == name.endswith("jpg")


@pytest.mark.parametrize("end", [30, 200, 440])
def test_a_cut_HEIC_is_refused(end, refused):
    """Whatever is cut off, the rest is no image."""
    pytest.importorskip("pi_heif")
    assert "damaged" in refused(HEIC[:end], "bad.heic")
