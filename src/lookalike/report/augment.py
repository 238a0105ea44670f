"""The result of `augment` as one self-contained HTML page: whether G collapsed, or memorised training images."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

import numpy as np
from markupsafe import Markup

from lookalike.base.arrays import Pixels
from lookalike.base.errors import listed
from lookalike.base.words import percent
from lookalike.detect.model import Model
from lookalike.report import environment, pictures
from lookalike.use.filled import NOISY, RECOGNISED, VARIETY, Filled
from lookalike.use.filters import Filters

SHOWN, CLOSEST = 10, 6


def page(model: Model, filled: Sequence[Filled], filters: Filters, data: str, command: Sequence[str]) -> str:
    """Return the page: numbers, pictures, images that the filters dropped, and closeness to the training images."""
    return (
        environment()
        .get_template("augment.html.jinja")
        .render(
            data=data,
            method=model.method["name"],
            filled=filled,
            filters=filters,
            verdict=verdict(filled),
            command=shlex.join(command),
            strips=_strips if len(model.shape) == 3 else None,
            closest=_closest if len(model.shape) == 3 else None,
            copies=_copies,
            floors={"recognised": percent(RECOGNISED), "variety": percent(VARIETY), "noise": percent(NOISY)},
        )
    )


def verdict(filled: Sequence[Filled]) -> str:
    """Return sentences: how many images, recognised by the classifier, of classes that collapsed, and copied."""
    made = sum(len(one.pixels) for one in filled)
    parts = [f"{made:,} generated images of {listed([one.name for one in filled])}."]
    if all(one.agreed is not None for one in filled):
        right = sum((one.agreed or 0.0) * len(one.pixels) for one in filled)
        parts.append(f"A classifier of the real images gives {100 * right / made:.0f} % of them their class.")
    if collapsed := [one.name for one in filled if one.collapsed]:
        parts.append(f"Collapsed: {listed(collapsed)}. G makes nearly the same image of each again and again.")
    if noise := [one.name for one in filled if one.noisy]:
        parts.append(f"Noise: {listed(noise)}. Images of each differ far more than real ones do.")
    if left := [one.name for one in filled if not one.written]:
        parts.append(f"Not written: {listed(left)}. Of each, the output has the real images alone.")
    # One image repeated is close to few training images or to none, whatever G has seen of them.
    if varied := [one for one in filled if not one.collapsed]:
        parts.append(_of_copies(varied, "of the others, " if collapsed else ""))
    return " ".join(parts)


def _of_copies(varied: Sequence[Filled], whose: str) -> str:
    """Return whether too many images are close to training images, in classes that did not collapse."""
    copies, expected = sum(_copies(one) for one in varied), sum(_expected(one) for one in varied)
    limit = 2 * expected + 3  # twice the expected number, and room for chance where few are expected
    text = (
        f"{whose.capitalize()}{copies:,} are closer to a training image than nearly all training images of their class "
        f"are to another; of new images about {expected:.0f} would be."
    )
    if copies > limit or any(_near(one) for one in varied):
        return f"{text} G has memorised some of its training images."
    if sum(len(one.pixels) for one in varied) <= limit:
        return f"{text} So few images cannot show whether G memorised training images; look at the closest ones below."
    return f"{text} There is no sign that G memorised training images."


def _copies(one: Filled) -> int:
    return int(one.memory.copies(one.closeness).sum())


def _near(one: Filled) -> bool:
    """Return whether the median closeness is below half that of training images; this needs few training images."""
    return bool(np.median(one.closeness) < np.median(one.memory.usual) / 2)


def _expected(one: Filled) -> float:
    """Return the expected number of copies among new images."""
    return len(one.pixels) * one.memory.by_chance


def _strips(one: Filled) -> Iterator[tuple[str, list[Markup]]]:
    """Yield the first real and the first generated images."""
    for name, images in (("real", one.memory.training), ("generated", one.pixels)):
        yield name, [pictures.tile(image) for image in images[:SHOWN]]


def _closest(one: Filled) -> Iterator[tuple[float, Markup, Markup]]:
    """Yield the closeness, the image and its nearest training image, for the closest generated images."""
    for row in np.argsort(one.closeness, kind="stable")[:CLOSEST].tolist():
        near: Pixels = one.memory.training[one.nearest[row]]
        yield float(one.closeness[row]), pictures.tile(one.pixels[row]), pictures.tile(near)
