"""The gate for image files: bytes go in, one bounded uint8 array comes out. No other module opens an image file.

Accepted formats are PNG, JPEG, BMP, GIF, TIFF, WebP, AVIF and JPEG 2000, HEIC with the extra `heic`, and DICOM with the
extra `dicom`. The content decides, and no other decoder sees the bytes. The number of pixels in the header is checked
before anything is decoded. A damaged file is refused, never filled with grey.

How an image is read:

- The EXIF orientation is applied, the first frame is used, and transparency is laid on white.
- Palettes, CMYK (JPEG in Adobe's inverted sense), YCbCr and Lab become RGB; grey palettes become grey.
- Colour profiles are ignored.
- A JPEG of more than 25 megapixels is decoded at a half, a quarter or an eighth of its height and width.
- Of 12 or 16 bits the highest 8 are kept.
- int32 and float values need a value range; values are never clipped.

A JPEG whose bytes were changed but still decode cannot be distinguished from an intact one.
"""

from __future__ import annotations

import io
import os
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from lookalike.base.errors import install
from lookalike.data import dicom
from lookalike.data.source import Picture, Refused

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "AVIF", "JPEG2000")
ACCEPTED = "PNG, JPEG, BMP, GIF, TIFF, WebP, AVIF and JPEG 2000"
MAX_PIXELS = 25_000_000  # photos of 24 megapixels pass; decoding them takes at most 340 MB
MAX_JPEG = 120_000_000  # pixels of a JPEG, which is then decoded at a smaller scale
SCALES = (1, 2, 4, 8)  # at which a JPEG can be decoded
ROUNDING = 1e-5  # share of a range by which float values may lie outside it, as after resizing
MAX_READS = 250_000  # a GIF of 25 megapixels needs 200,000
BLOCK = 2**20
SUFFIXES = {
    ".png": "PNG", ".apng": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".jpe": "JPEG", ".jfif": "JPEG", ".bmp": "BMP",
    ".dib": "BMP", ".gif": "GIF", ".tif": "TIFF", ".tiff": "TIFF", ".webp": "WEBP", ".avif": "AVIF",
    ".jp2": "JPEG2000", ".j2k": "JPEG2000", ".jpx": "JPEG2000", ".j2c": "JPEG2000", ".jpc": "JPEG2000",
}  # fmt: skip
HEIC = {".heic": "HEIF", ".heif": "HEIF", ".hif": "HEIF"}  # suffixes that need the extra `heic`
DICOM = {".dcm": "DICOM", ".dicom": "DICOM"}  # suffixes that need the extra `dicom`
BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})  # in a file's first bytes
CONVERT = "convert them to JPEG or PNG"
INSTALL = {name: f"install the extra {name} ({install(name)}), or {CONVERT}" for name in ("heic", "dicom")}
HEAD = 132  # bytes that say which format a file has
NO_SUFFIX = "no image suffix"
UNREAD = {  # suffixes of image files that are passed over -> what to do
    **dict.fromkeys(HEIC, INSTALL["heic"]),
    **dict.fromkeys(DICOM, INSTALL["dicom"]),
    **dict.fromkeys((".cr2", ".cr3", ".nef", ".arw", ".raf", ".orf", ".rw2", ".dng", ".jxl", ".psd", ".svg"), CONVERT),
    **dict.fromkeys((".svs", ".ndpi", ".mrxs", ".scn", ".nii", ".mha", ".exr", ".hdr", ".eps", ".pdf"), CONVERT),
    **dict.fromkeys((".pgm", ".ppm", ".pbm", ".pnm", ".tga", ".ico", ".ras"), CONVERT),
}
MAGIC = (
    (b"%!PS", "EPS"), (b"\xc5\xd0\xd3\xc6", "EPS"), (b"%PDF", "PDF"), (b"8BPS", "PSD"), (b"SIMPLE", "FITS"),
    (b"\x1f\x8b", "gzip"), (b"PK\3\4", "zip"),
)  # fmt: skip
OURS = (
    b"\x89PNG", b"\xff\xd8", b"GIF8", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"BM", b"RIFF", b"\0\0\0\x0cjP",
    b"\xff\x4f\xff\x51",
)  # fmt: skip
ORIENTATION = 0x0112
BITS_PER_SAMPLE = 258
SAY_RANGE = "say what black and white are with '--value-range LOW,HIGH' (score and evaluate take that of train)"

ValueRange = tuple[float, float]


def decode(source: Path | bytes, value_range: ValueRange | None = None) -> Picture:
    """Return the image in a file, or in the bytes of one, as uint8 of shape (H, W, 1) when it is grey, else (H, W, 3).

    For images of more than 8 bits, `value_range` (low, high) maps low to 0 and high to 255.

    Raises
    ------
    Refused
        With a phrase that says what is wrong.
    """
    with _opened(source, value_range) as image:
        turned = image.getexif().get(ORIENTATION) in range(2, 9)
        # formats without frames lack this attribute
        frames = bool(getattr(image, "is_animated", False)) or image.info.get(dicom.FRAMES, 1) > 1
        scale = _scale(image)
        if scale > 1:
            image.draft(image.mode, (image.width // scale, image.height // scale))
        image.load()
        if turned:
            ImageOps.exif_transpose(image, in_place=True)
        return Picture(
            as_array(image, value_range),
            format=_format(image),
            mode=image.mode,
            transparent=image.has_transparency_data,
            frames=frames,
            icc="icc_profile" in image.info,
            turned=turned,
            renamed=isinstance(source, Path)
            and (SUFFIXES | HEIC | DICOM).get(source.suffix.lower(), _format(image)) != _format(image),
            reduced=scale > 1,
            values=span(np.asarray(image)) if image.mode in ("I", "F") or image.mode.startswith("I;16") else None,
        )


def size(path: Path) -> tuple[int, int]:
    """Return (H, W) at which `decode` reads the image, from the header alone. Raises Refused like `decode`."""
    with _opened(path) as image:
        # Pillow itself turns a TIFF when it opens it.
        sideways = image.format != "TIFF" and image.getexif().get(ORIENTATION) in range(5, 9)
        width, height = _reduced(image)
        return (width, height) if sideways else (height, width)


def unwanted(suffix: str) -> str:
    """Return why files of this suffix, in lower case, are passed over; "" where they may be images that can be read."""
    if suffix in SUFFIXES or (suffix in HEIC and reads_heic()) or (suffix in DICOM and dicom.reads_dicom()):
        return ""
    return f"{suffix} files are not read: {UNREAD[suffix]}" if suffix in UNREAD else NO_SUFFIX


@cache
def reads_heic() -> bool:
    """Return whether the extra `heic` is installed; Pillow then knows its reader."""
    try:
        from pi_heif import register_heif_opener
    except ImportError:
        return False
    register_heif_opener(thumbnails=False)
    return True


class _Bounded(io.BufferedReader):
    """A file that refuses to be read in very many pieces, such as a million empty PNG chunks."""

    left = MAX_READS

    def read(self, size: int | None = -1, /) -> bytes:
        """Read like `BufferedReader.read`, but raise Refused after MAX_READS calls."""
        self.left -= 1
        if self.left < 0:
            raise Refused("damaged or hostile: it has too many parts")
        return super().read(size)


@contextmanager
def regular(path: Path, reader: type[io.BufferedReader] = io.BufferedReader) -> Iterator[BinaryIO]:
    """Open `path` for reading if it is a regular file with content, else raise Refused; a FIFO never blocks."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        raise Refused(f"cannot be opened ({phrase(error)})") from None
    with reader(io.FileIO(descriptor)) as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise Refused("not a regular file")
        if status.st_size == 0:
            raise Refused("empty, 0 bytes")
        yield file


@contextmanager
def _bounded(source: Path | bytes) -> Iterator[_Bounded]:
    if isinstance(source, Path):
        with regular(source, _Bounded) as file:
            yield cast("_Bounded", file)
        return
    if not source:
        raise Refused("empty, 0 bytes")
    yield _Bounded(cast("io.RawIOBase", io.BytesIO(source)))


@contextmanager
def _opened(source: Path | bytes, value_range: ValueRange | None = None) -> Iterator[Image.Image]:
    """Yield the image after the checks of its header; every error of Pillow becomes Refused."""
    try:
        with _bounded(source) as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # our own check of the size follows
            yield _identified(file, value_range)
    except (Refused, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001  Pillow raises nearly any kind of error
        raise Refused(f"damaged or incomplete ({phrase(error)})") from None


def _identified(file: _Bounded, value_range: ValueRange | None) -> Image.Image:
    if dicom.is_dicom(file.peek(HEAD)) and dicom.reads_dicom():
        found = dicom.opened(file, value_range, MAX_PIXELS)
        if isinstance(found, tuple):
            raise Refused(_too_large(f"{found[0]} x {found[1]}"))
        return found
    heic = _is_heic(file.peek(12)) and reads_heic()
    try:
        image = Image.open(file, formats=(*FORMATS, "HEIF") if heic else FORMATS)
    except Image.DecompressionBombError:
        raise Refused(_too_large("far too many")) from None
    except UnidentifiedImageError:
        file.seek(0)
        raise Refused(_refusal(file.read(512))) from None
    if not image.width * image.height <= MAX_PIXELS * _scale(image) ** 2:
        raise Refused(_too_large(f"{image.width} x {image.height}"))
    return image


def _is_heic(head: bytes) -> bool:
    return head[4:8] == b"ftyp" and head[8:12] in BRANDS


def _format(image: Image.Image) -> str:
    """Return the format's name; a JPEG of several pictures (MPO), as phones write it, counts as JPEG."""
    return "JPEG" if image.format == "MPO" else str(image.format)


def _refusal(head: bytes) -> str:
    """Return why no allowed decoder accepted these first bytes of a file."""
    if _is_heic(head) and not reads_heic():
        return f"a HEIC file; {INSTALL['heic']}"
    if dicom.is_dicom(head):
        return f"a DICOM file; {INSTALL['dicom']}"
    if head.startswith(OURS) or head[4:8] == b"ftyp":
        return "damaged, or a kind of its format that is not supported"
    name = next((name for magic, name in MAGIC if head.startswith(magic)), "")
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    name = name or ("SVG" if b"<svg" in text else "HTML or XML" if text.startswith(b"<") else "unknown")
    return f"format not allowed ({name}); {ACCEPTED} are"


def _scale(image: Image.Image) -> int:
    """Return by how much a JPEG is shrunk while it is decoded, so that it has MAX_PIXELS at most; 1 for all others."""
    pixels = image.width * image.height
    if _format(image) != "JPEG" or pixels > MAX_JPEG:
        return 1
    return next(scale for scale in SCALES if pixels <= MAX_PIXELS * scale**2)


def _reduced(image: Image.Image) -> tuple[int, int]:
    """Return (W, H) at which an image is decoded."""
    scale = _scale(image)
    return -(-image.width // scale), -(-image.height // scale)


def _too_large(what: str) -> str:
    return f"too large: {what} pixels, where {MAX_PIXELS:,} are allowed; shrink the image first"


def phrase(error: Exception) -> str:
    """Return the error's text as one printable line."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:100]


def as_array(image: Image.Image, value_range: ValueRange | None) -> npt.NDArray[np.uint8]:
    """Return a loaded image as uint8 of shape (H, W, 1 or 3); raises Refused as `decode` does."""
    if image.mode.startswith("I;16"):
        return _deep(np.asarray(image), image.info.get("transparency"), _bits(image), value_range)[..., None]
    if image.mode in ("I", "F"):
        if value_range is None:
            kind = "32-bit integer" if image.mode == "I" else "float"
            low, high = span(np.asarray(image))
            raise Refused(f"{kind} values, here {low:g} to {high:g}, have no fixed black and white; {SAY_RANGE}")
        return ranged(np.asarray(image), value_range)[..., None]
    if image.has_transparency_data:
        plain = _on_white(image)
    elif image.mode in ("L", "RGB"):
        plain = image
    else:
        plain = image.convert("L" if image.mode == "1" else "RGB")
    pixels = np.asarray(plain)
    if pixels.ndim == 2:
        return pixels[..., None]
    if image.mode in ("P", "PA") and (pixels == pixels[..., :1]).all():
        return pixels[..., :1]
    return pixels


def _on_white(image: Image.Image) -> Image.Image:
    grey = image.mode in ("1", "L", "LA", "La")
    wanted = "LA" if grey else "RGBA"
    image = image if image.mode == wanted else image.convert(wanted)
    white = Image.new("L" if grey else "RGB", image.size, "white")
    white.paste(image, mask=image)
    return white


def _bits(image: Any) -> int:
    """Return the bits per sample of a grey image of more than 8 bits; only TIFF has other values than 16."""
    return int(image.tag_v2.get(BITS_PER_SAMPLE, (16,))[0]) if image.format == "TIFF" else 16


def _deep(
    values: npt.NDArray[np.uint16], transparent: object, bits: int, value_range: ValueRange | None
) -> npt.NDArray[np.uint8]:
    """Return 12- or 16-bit grey as uint8: the highest 8 bits, as Pillow does for RGB, or by the value range."""
    pixels = (values >> (bits - 8)).astype(np.uint8) if value_range is None else ranged(values, value_range)
    if isinstance(transparent, int):
        pixels[values == transparent] = 255  # transparent pixels are laid on white
    return pixels


def span(values: npt.NDArray[Any]) -> tuple[float, float]:
    """Return the least and the largest of the values, as Python's numbers."""
    return values.min().item(), values.max().item()


def ranged(values: npt.NDArray[Any], value_range: ValueRange) -> npt.NDArray[np.uint8]:
    """Map `values` to uint8, low to 0 and high to 255, rounded. Raises Refused for a value outside, NaN or infinity."""
    low, high = value_range
    check_within(values, low, high)
    pixels = np.empty(values.shape, np.uint8)
    rows = max(1, BLOCK * len(values) // values.size)  # a float64 copy of all values would be large
    for start in range(0, len(values), rows):
        part = slice(start, start + rows)
        grey = (values[part].astype(np.float64) - low) * (255 / (high - low))
        pixels[part] = np.rint(grey.clip(0, 255))  # rounding of floats may lie outside
    return pixels


def check_within(values: npt.NDArray[Any], low: float, high: float) -> None:
    """Raise Refused unless all `values` are finite and from `low` to `high`, but for rounding."""
    if not np.isfinite(values).all():
        raise Refused("NaN or infinite values")
    slack = (high - low) * ROUNDING if values.dtype.kind == "f" else 0
    if values.min() < low - slack or values.max() > high + slack:
        there = f"values from {values.min():g} to {values.max():g}"
        raise Refused(f"{there}, where {low:g} to {high:g} is expected; {SAY_RANGE}")
