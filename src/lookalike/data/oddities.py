"""What the user should know about odd but usable images: which facts deserve a line, and the text of that line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from lookalike.base.names import Aspect
from lookalike.data.aspect import seen
from lookalike.data.images import Images
from lookalike.data.layout import MASK
from lookalike.data.listing import HIDDEN
from lookalike.data.sizes import Counts, shrinking
from lookalike.data.source import Picture, reasons
from lookalike.data.sources import Size

MUCH = 4  # times
LINES = {
    "renamed": "have a suffix of another format; the content decides",
    "frames": "hold more frames or pages; the first is used",
    "turned": "are turned by their EXIF orientation",
    "transparent": "have transparency; it is laid on white",
    "icc": "carry a colour profile; it is ignored",
    "reduced": "have more than 25 megapixels; they are decoded at half their height and width, or less",
    "deep": "have 16 bits; 8 are kept",
    "upscaled": f"grow more than {MUCH} times at this size",
    "shrunk": f"shrink more than {MUCH} times at this size, which loses small things",
}
LOSSES = ("frames", "transparent", "deep", "upscaled", "shrunk")


def oddities(picture: Picture, size: Size | None, aspect: Aspect = "squash") -> Iterator[str]:
    """Yield the names in `LINES` that apply to `picture` when it is resized to `size` (H, W); None keeps its size."""
    yield from (
        name for name in ("renamed", "frames", "turned", "transparent", "icc", "reduced") if getattr(picture, name)
    )
    if picture.mode.startswith("I;16"):
        yield "deep"
    if size is not None and picture.pixels.ndim == 3:
        own = picture.pixels.shape[0], picture.pixels.shape[1]
        height, width = seen(own, size, aspect)
        if size[0] > MUCH * height or size[1] > MUCH * width:
            yield "upscaled"
        if shrunk({own: 1}, size, aspect):
            yield "shrunk"


def shrunk(counts: Counts, size: Size, aspect: Aspect = "squash") -> int:
    """Return how many images of these sizes shrink more than `MUCH` times in height or width at `size` (H, W)."""
    parts = ((seen(own, size, aspect), n) for own, n in counts.items())
    return sum(n for (height, width), n in parts if MUCH * size[0] < height or MUCH * size[1] < width)


def lines(counts: Mapping[str, int]) -> tuple[str, ...]:
    """Return one printable line for each oddity that was counted."""
    return tuple(f"{counts[name]:,} {text}" for name, text in LINES.items() if counts.get(name))


def losses(counts: Mapping[str, int]) -> tuple[str, ...]:
    """Return the lines of what reading loses or invents; training and scoring print them too."""
    return tuple(f"of the images, {line}" for line in lines({name: counts.get(name, 0) for name in LOSSES}))


def reading(images: Images) -> Iterator[str]:
    """Yield the lines that say how the images lie, and from what sizes to what size they shrank, where they did."""
    yield from images.notes
    if len(images.shape) == 3:
        line = shrinking(images.sizes, (images.shape[1], images.shape[2]), images.aspect)
        yield from [line] if line else []


def remarks(images: Images) -> Iterator[str]:
    """Yield a line for everything that reading left out or changed."""
    for reason, count in reasons(images.ignored).items():
        if reason not in (HIDDEN, MASK):
            yield f"entries of the data that were left out ({reason}): {count}"
    yield from losses(images.odd)
