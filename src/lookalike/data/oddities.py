"""What the user should know about odd but usable images: which facts deserve a line, and the text of that line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from lookalike.base.names import Aspect
from lookalike.data.aspect import seen
from lookalike.data.images import Images
from lookalike.data.layout import MASK
from lookalike.data.levels import Levels
from lookalike.data.listing import HIDDEN
from lookalike.data.sizes import Counts, shrinking
from lookalike.data.source import Picture, reasons
from lookalike.data.sources import Size

MUCH = 4  # times
STRETCH = 2  # times
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
    "squashed": f"change their aspect more than {STRETCH} times at this size; 'train --aspect crop' or pad keeps it",
}
LOSSES = ("frames", "transparent", "deep", "upscaled", "shrunk", "squashed")
GREYED = "greyed"  # of images that are read as grey: those with colour


def oddities(picture: Picture, size: Size | None, aspect: Aspect = "squash") -> Iterator[str]:
    """Yield the names in `LINES` that apply to `picture` when it is resized to `size` (H, W); None keeps its size."""
    yield from (
        name for name in ("renamed", "frames", "turned", "transparent", "icc", "reduced") if getattr(picture, name)
    )
    if picture.mode.startswith("I;16") or picture.mode == "uint16":
        yield "deep"
    if size is not None and picture.pixels.ndim == 3:
        own = picture.pixels.shape[0], picture.pixels.shape[1]
        height, width = seen(own, size, aspect)
        if size[0] > MUCH * height or size[1] > MUCH * width:
            yield "upscaled"
        if shrunk({own: 1}, size, aspect):
            yield "shrunk"
        if max(height * size[1], width * size[0]) > STRETCH * min(height * size[1], width * size[0]):
            yield "squashed"


def coloured(picture: Picture) -> bool:
    """Whether an image has colour; one that is stored in colour may have none."""
    return picture.pixels.ndim == 3 and bool((picture.pixels != picture.pixels[..., :1]).any())


def grey(images: Images) -> bool:
    """Whether all images are grey, though they are stored in colour."""
    return images.shape[0] == 3 and all((image == image[:1]).all() for image in images.pixels)


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


def of_model(odd: Mapping[str, int], found: Levels, said: str, *, grey: bool) -> Iterator[str]:
    """Yield a line for everything that is lost where a model reads images as its training did.

    `said` says at which value range, and `grey` whether the training made colour images grey as well.
    """
    yield from losses(odd)
    if not grey and (n := odd.get(GREYED)):
        yield f"of the images, {n:,} have colour and become grey, as the model has learnt grey images alone"
    if line := found.line(f"{said}: give images on that scale, or train again"):
        yield line


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
    yield from levels(images.levels)


def levels(found: Levels) -> Iterator[str]:
    """Yield what to do where few grey levels are used, and where a value range has no effect."""
    if line := found.line():
        yield line
    if found.idle:
        yield "--value-range has no effect: these images have 8 bits, and it is for 16 bits and for float values"
