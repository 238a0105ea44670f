"""How long the training of a GAN will take, from a few steps of another GAN that is thrown away.

The GAN that trains is not touched, so that its bits do not depend on the timing.
"""

from __future__ import annotations

import math
import time
from pathlib import Path
from statistics import median

import torch

from lookalike.base import files
from lookalike.base.errors import DivergedError
from lookalike.base.words import duration
from lookalike.game.gan import GAN
from lookalike.game.method import Method
from lookalike.game.train import turn
from lookalike.runs.folder import CLASSES, images_shown
from lookalike.runs.plan import Plan

STEPS = 10  # that are timed in each phase of a training, after one that is not
LONG = 2.0  # seconds, after which no further step of a phase is timed


def expected(folder: Path, plan: Plan) -> str | None:
    """How long the rest of a training in `folder` will take, as a sentence; None for a baseline."""
    method, known = plan.recipe.method, plan.known
    if method is None:
        return None
    each = len(known) > 1 and not method.per_class
    one, places = plan, [folder]
    if each:
        one, places = plan.only(known[0]), [folder / CLASSES / files.safe_name(name) for name in known]
    left = sum(1 - min(1.0, images_shown(place) / one.shown) for place in places)
    seconds = _seconds(method, one) if left else None
    if seconds is None:
        return None
    return f"training {f'{len(places)} GANs ' if each else ''}takes about {duration(left * seconds)}"


def _seconds(method: Method, plan: Plan) -> float | None:
    """Seconds of the whole training of one GAN; None where its first steps diverge."""
    s, source, batch = plan.recipe.settings, plan.source(), plan.recipe.batch
    gan = GAN(method, plan.images.shape, seed=s.seed, device=s.device, classes=len(plan.known), ema=s.ema or 0.0)
    precision = {"float32": torch.float32, "bfloat16": torch.bfloat16}[s.precision]
    steps = math.ceil(plan.shown / batch)
    begins, ends = method.begins(steps), method.ends(steps)
    total = 0.0
    for first, last in ((0, begins), (begins, ends), (ends, steps)):  # twins before, the game, twins after
        took: list[float] = []
        for index in range(first, min(last, first + 1 + STEPS)):
            began = time.perf_counter()
            try:
                turn(gan, source, index, steps, batch, precision)
            except DivergedError:
                return None  # the training will say so, with the images
            took.append(time.perf_counter() - began)
            if sum(took) > LONG:
                break
        if took:
            total += (last - first) * median(took[1:] or took)  # the first has to set things up
    return total
