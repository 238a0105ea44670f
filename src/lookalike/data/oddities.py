"""What the user should know of images that can be used: which facts of a picture deserve a line, and the line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from lookalike.data.folder import HIDDEN
from lookalike.data.images import Images
from lookalike.data.source import Picture, reasons
from lookalike.data.sources import Size

UPSCALED = 4
LINES = {
    "renamed": "have a suffix of another format; the content decides",
    "frames": "hold more frames or pages; the first is used",
    "turned": "are turned by their EXIF orientation",
    "transparent": "have transparency; it is laid on white",
    "icc": "carry a colour profile; it is ignored",
    "deep": "have 16 bits; 8 are kept",
    "upscaled": f"grow more than {UPSCALED} times at this size",
}
LOSSES = ("frames", "transparent", "deep", "upscaled")


def oddities(picture: Picture, size: Size | None) -> Iterator[str]:
    """Names in `LINES` that hold of `picture`, which is to have `size` (H, W); None: it keeps its own."""
    yield from (name for name in ("renamed", "frames", "turned", "transparent", "icc") if getattr(picture, name))
    if picture.mode.startswith("I;16"):
        yield "deep"
    if size is not None and picture.pixels.ndim == 3:
        height, width, _ = picture.pixels.shape
        if size[0] > UPSCALED * height or size[1] > UPSCALED * width:
            yield "upscaled"


def lines(counts: Mapping[str, int]) -> tuple[str, ...]:
    """One printable line for each oddity that was counted."""
    return tuple(f"{counts[name]:,} {text}" for name, text in LINES.items() if counts.get(name))


def losses(counts: Mapping[str, int]) -> tuple[str, ...]:
    """The lines of what reading loses or invents: to be said when training and scoring too."""
    return tuple(f"of the images, {line}" for line in lines({name: counts.get(name, 0) for name in LOSSES}))


def remarks(images: Images) -> Iterator[str]:
    """A line for whatever reading left out or changed."""
    for reason, count in reasons(images.ignored).items():
        if reason != HIDDEN:
            yield f"entries of the data left out ({reason}): {count}"
    yield from losses(images.odd)
