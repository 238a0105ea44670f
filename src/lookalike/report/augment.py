"""What `augment` made, and whether it was learnt by heart, as one self-contained HTML page."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

import numpy as np
from markupsafe import Markup

from lookalike.base.arrays import Pixels
from lookalike.base.errors import listed
from lookalike.detect.model import Model
from lookalike.report import environment, pictures
from lookalike.use.balanced import Filled
from lookalike.use.filters import Filters

SHOWN, CLOSEST = 10, 6


def page(model: Model, filled: Sequence[Filled], filters: Filters, data: str, command: Sequence[str]) -> str:
    """The page: counts, pictures, what the filters refused, and how close the images lie to the training images."""
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
        )
    )


def verdict(filled: Sequence[Filled]) -> str:
    """How many images were made of what, and whether too many are close to training images, in sentences."""
    made = sum(len(one.pixels) for one in filled)
    said = f"{made:,} generated images of {listed([one.name for one in filled])}."
    if all(one.agreed is not None for one in filled):
        right = sum((one.agreed or 0.0) * len(one.pixels) for one in filled)
        said += f" A classifier of the real images takes {right / made:.0%} of them for their class."
    checked = [one for one in filled if len(one.memory.usual)]
    if not checked:
        return f"{said} No image was left unseen, so that it cannot be said whether they are copies."
    copies, expected = sum(_copies(one) for one in checked), sum(_expected(one) for one in checked)
    limit = 2 * expected + 3
    said += (
        f" {copies:,} lie closer to a training image than every unseen real image of their class does; of new images "
        f"about {expected:.0f} would."
    )
    if copies > limit or any(_near(one) for one in checked):
        return f"{said} G has learnt some of its images by heart."
    if sum(len(one.pixels) for one in checked) <= limit:
        return f"{said} So few cannot show whether G learnt images by heart; look at the closest ones below."
    return f"{said} There is no sign that G learnt images by heart."


def _copies(one: Filled) -> int:
    return int(one.memory.copies(one.closeness).sum())


def _near(one: Filled) -> bool:
    """Whether generated images usually lie less than half as far as unseen ones: few unseen ones do to see that."""
    return bool(np.median(one.closeness) < np.median(one.memory.usual) / 2)


def _expected(one: Filled) -> float:
    """Of images that are as new as the unseen ones, one in n + 1 is closer than all n."""
    return len(one.pixels) / (len(one.memory.usual) + 1)


def _strips(one: Filled) -> Iterator[tuple[str, list[Markup]]]:
    """The first real and the first generated images."""
    for name, images in (("real", one.memory.training), ("generated", one.pixels)):
        yield name, [pictures.tile(image) for image in images[:SHOWN]]


def _closest(one: Filled) -> Iterator[tuple[float, Markup, Markup]]:
    """Closeness, image and nearest training image of the generated images that are closest."""
    for row in np.argsort(one.closeness, kind="stable")[:CLOSEST].tolist():
        near: Pixels = one.memory.training[one.nearest[row]]
        yield float(one.closeness[row]), pictures.tile(one.pixels[row]), pictures.tile(near)
