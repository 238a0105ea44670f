"""Makers of image files, folders and array files, and the common contract of a refused image."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from lookalike.base.errors import DataError
from lookalike.data import Images, check, read, stream

Content = bytes | np.ndarray


@pytest.fixture
def make() -> SimpleNamespace:
    """The makers below; tests are imported one by one and cannot import this file."""
    return SimpleNamespace(encode=encode, photo=photo, chunk=chunk, png=png, zeros=zeros, images=images)


@pytest.fixture
def clean() -> Callable[..., None]:
    """`assert_clean`."""
    return assert_clean


def encode(pixels: np.ndarray | Image.Image, kind: str = "PNG", **options: object) -> bytes:
    """The bytes of an image file."""
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def photo(height: int = 12, width: int = 10, channels: int = 3, seed: int = 0) -> np.ndarray:
    """Random uint8 pixels (H, W, C), or (H, W) for one channel."""
    shape = (height, width, channels) if channels > 1 else (height, width)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def chunk(name: bytes, data: bytes) -> bytes:
    """One PNG chunk."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int, height: int, data: bytes, extra: bytes = b"", depth: int = 8, colour: int = 0) -> bytes:
    """A PNG with this header and these packed bytes, true or not."""
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + extra + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def zeros(megabytes: int) -> bytes:
    """That many megabytes of zeros, packed 1,000 to 1 by repeating one flushed block."""
    packer = zlib.compressobj(9)
    first, second = (packer.compress(bytes(2**20)) + packer.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    return first + second * (megabytes - 1) + packer.flush()


@pytest.fixture
def folder(tmp_path: Path) -> Callable[[Mapping[str, Content]], Path]:
    """Writes {relative path: bytes or pixels} and returns the folder."""

    def write(files: Mapping[str, Content]) -> Path:
        root = tmp_path / "data"
        for name, content in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else encode(content))
        return root

    return write


@pytest.fixture
def refused(folder: Callable[[Mapping[str, Content]], Path]) -> Callable[..., str]:
    """Asserts the common contract for one bad file among good ones, and returns the reason."""

    def reason(content: Content, name: str = "bad.png", **options: object) -> str:
        good = {f"a/good{i}.png": photo(seed=i) for i in range(3)}
        root = folder({**good, f"a/{name}": content})
        with pytest.raises(DataError) as caught:
            read(root, **options)
        assert_clean(caught.value, name, "--on-bad skip")
        with pytest.raises(DataError) as caught:
            read(root, on_bad="skip", **options)
        assert_clean(caught.value, name, "1 of 4", "25 %", "--max-bad")
        kept = read(root, on_bad="skip", max_bad=0.25, **options)
        assert kept.names == ("a/good0.png", "a/good1.png", "a/good2.png")
        assert [skipped.name for skipped in kept.skipped] == [f"a/{name}"]
        blocks = list(stream(root, size=(4, 4), channels=3, on_bad="skip", max_bad=0.25, **options))
        assert [skipped for block in blocks for skipped in block.skipped] == list(kept.skipped)
        assert check(root, **options).unreadable == kept.skipped
        return kept.skipped[0].reason

    return reason


def assert_clean(error: DataError, *words: str) -> None:
    """Exit code 3 and one printable line with all `words`."""
    message = str(error)
    assert type(error) is DataError
    assert error.exit_code == 3
    assert message.isprintable()
    assert [word for word in words if word not in message] == []


def images(pixels: np.ndarray, labels: list[int], classes: tuple[str, ...] = ("a", "b"), **more: object) -> Images:
    """Images made in memory."""
    names = tuple(f"{i:05d}" for i in range(len(pixels)))
    return Images(pixels, np.array(labels, np.int64), classes, names, **more)
