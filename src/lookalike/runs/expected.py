"""How long the training of a GAN will take, or how many images fit into a time, from a few steps of another GAN.

That GAN is thrown away, and the one that trains is not touched. So its bits do not depend on the timing, but for the
number of images shown, where a time was given.
"""

from __future__ import annotations

import math
import time
from dataclasses import replace
from pathlib import Path
from statistics import median

from lookalike.base import files
from lookalike.base.errors import DivergedError, ResourceError, UsageError
from lookalike.base.ranks import ALONE
from lookalike.base.words import duration, minutes
from lookalike.data.sizes import text
from lookalike.game.gan import GAN
from lookalike.game.method import Method
from lookalike.runs.folder import CLASSES, images_shown
from lookalike.runs.memory import turned
from lookalike.runs.plan import Plan
from lookalike.runs.training import TYPES, resident

STEPS = 10  # that are timed in each phase of a training, after one that is not
LONG = 2.0  # seconds, after which no further step of a phase is timed
LEAST = 100  # steps; with fewer a GAN has learnt nothing
SLOWER = 1.1  # than the timed steps: what samples, checkpoints and a busy machine add


def expected(folder: Path, plan: Plan) -> str | None:
    """How long the rest of a training in `folder` will take, as a sentence; None for a baseline."""
    method = plan.recipe.method
    if method is None:
        return None
    (one, *_), number = plan.gans(), len(plan.gans())
    places = [folder / CLASSES / files.safe_name(name) for name in plan.known] if number > 1 else [folder]
    left = sum(1 - min(1.0, images_shown(place) / one.shown) for place in places)
    try:
        seconds = _seconds(method, one) if left else None
    except (DivergedError, ResourceError):
        return None  # the training will say so, with the images
    if seconds is None:
        return None
    return f"training {f'{number} GANs ' if number > 1 else ''}takes about {duration(left * seconds)}"


def affordable(method: Method, plan: Plan) -> tuple[int, str]:
    """How many images a training of `minutes` shows, in whole steps, and a sentence that says so.

    Raises
    ------
    UsageError
        Where so few steps fit that the GAN would learn nothing.
    DivergedError, ResourceError
        Where the first steps diverge, or find too little memory.
    """
    (one, *_), number = plan.gans(), len(plan.gans())
    s, batch, given = plan.recipe.settings, plan.recipe.batch, plan.recipe.settings.minutes or 0.0
    try:
        seconds = SLOWER * number * _seconds(method, one) / math.ceil(one.shown / batch)  # of a step of every GAN
    except DivergedError as error:
        raise DivergedError(f"training diverged in its first steps: {error}; try a lower --lr") from error
    steps = int(60 * given / seconds)
    if steps < LEAST:
        needed = math.ceil(1.1 * LEAST * seconds / 6) / 10  # a second timing may be slower
        raise UsageError(
            f"--minutes {given:g}: steps of {batch} images that fit: {steps}; with fewer than {LEAST} a GAN has learnt "
            f"nothing; give {minutes(needed)} or more"
        )
    shape = plan.images.shape
    what = f"images of {text(shape[1:])}" if len(shape) == 3 else "vectors"
    whose = f" for each of {number} GANs" if number > 1 else ""
    images = steps * batch * (s.images or 0) // one.shown  # of which each of many classes gets a part
    return images, (
        f"{minutes(given)}: {steps * batch:,} {what}{whose} at about {number * batch / seconds:.3g} a second; a "
        "training that turns out slower still goes on to its end"
    )


def _seconds(method: Method, plan: Plan) -> float:
    """Seconds of the whole training of one GAN. Raises DivergedError where its first steps diverge.

    Of several processes each times its part of a batch, and nothing is exchanged.
    """
    s, source, batch = plan.recipe.settings, resident(replace(plan.source(), ranks=ALONE)), plan.recipe.batch
    gan = GAN(method, plan.images.shape, seed=s.seed, device=s.device, classes=len(plan.known), ema=s.ema or 0.0)
    steps = math.ceil(plan.shown / batch)
    begins, ends = method.begins(steps), method.ends(steps)
    total = 0.0
    for first, last in ((0, begins), (begins, ends), (ends, steps)):  # twins before, the game, twins after
        took: list[float] = []
        for index in range(first, min(last, first + 1 + STEPS)):
            began = time.perf_counter()
            turned(gan, source, index, steps, batch // plan.ranks.size, TYPES[s.precision])
            took.append(time.perf_counter() - began)
            if sum(took) > LONG:
                break
        if took:
            total += (last - first) * median(took[1:] or took)  # the first has to set things up
    return total
