"""The only training loop: D's updates, then G's, for any `Method`; a twin beside trains first in each step.

Progress is counted in images shown: one step shows `batch` images of the first stream. Twins that train before have the
first of the steps, so that a training of any method shows as many images.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import add

import torch
from torch import Tensor

from lookalike.base.errors import DivergedError, UsageError
from lookalike.game.batch import Batch, Judged
from lookalike.game.gan import GAN
from lookalike.game.method import Method, early, late
from lookalike.game.needs import Need
from lookalike.game.penalty import Penalty
from lookalike.game.share import Share, share_at
from lookalike.game.source import Source
from lookalike.game.splitting import relabelled
from lookalike.game.streams import Stream

HUGE = 1e8  # a loss beyond this has left the game
REALS = frozenset({Need.REAL_IN_G, Need.SAME_ROWS})  # needs of real images in G's step

Metrics = dict[str, float]


@dataclass(frozen=True)
class Progress:
    """What a step reports."""

    step: int  # updates of G so far
    images: int  # images shown so far
    metrics: Metrics  # losses, gradient norms, D's accuracy; a twin's under "name/"


def train(
    gan: GAN, source: Source, *, images: int, batch: int, start: int = 0, precision: torch.dtype = torch.float32
) -> Iterator[Progress]:
    """Trains `gan` in place, a step per item, from step `start` until `images` images were shown.

    Raises
    ------
    UsageError
        If a stream's share leaves fewer than two images (batch norm needs two).
    DivergedError
        Before the update that a non-finite or huge loss or gradient would spoil.
    """
    check_batch(gan.method, batch)
    steps = math.ceil(images / batch)
    for index in range(start, steps):
        try:
            metrics = turn(gan, source, index, steps, batch, precision)
        except DivergedError as error:
            raise DivergedError(
                f"training diverged at step {index + 1}, {index * batch} images shown: {error}"
            ) from error
        yield Progress(index + 1, (index + 1) * batch, metrics)


def check_batch(method: Method, batch: int) -> None:
    """Raises UsageError where a stream's share of `batch` is fewer than two images."""
    for stream, share in method.groups:
        if min(round(share_at(share, epoch) * batch) for epoch in (0, 2)) < 2:
            raise UsageError(f"batch {batch} leaves {type(stream).__name__} fewer than 2 images; use a larger --batch")


def turn(
    gan: GAN, source: Source, index: int, steps: int, batch: int, precision: torch.dtype = torch.float32
) -> Metrics:
    """Step `index` of `steps`: of the twins that train before or after, or of the game, which counts its own from 0."""
    begins, ends = gan.method.begins(steps), gan.method.ends(steps)
    if index < begins:
        alone = {twin.name: early(twin, steps) for twin in gan.method.twins if index < early(twin, steps)}
        return _step_alone(gan, alone, source, index, batch, precision)
    if index == ends:
        gan.end()
    if index >= ends:
        alone = {twin.name: late(twin, steps) for twin in gan.method.twins if late(twin, steps)}
        return _step_alone(gan, alone, source, index - ends, batch, precision)
    if index == begins:
        gan.begin()
    if gan.method.decay:
        gan.set_rate(1 - (index - begins) / (ends - begins))
    splitting, split = gan.method.splitting, {}
    if splitting and splitting.due(index - begins, batch):
        split = splitting.split(gan, source, index)
    return split | step(gan, relabelled(source, gan.leaves), index - begins, batch, precision)


def _step_alone(
    gan: GAN, steps: Mapping[str, int], source: Source, index: int, batch: int, precision: torch.dtype
) -> Metrics:
    """Step `index` of each of these twins, which have so many for themselves."""
    for name, number in steps.items():
        if gan.method.decay:
            gan.twins[name].set_rate(1 - index / number)
    return step_twins(gan, list(steps), source, index, batch, precision)


def step_twins(
    gan: GAN, names: Sequence[str], source: Source, index: int, batch: int, precision: torch.dtype
) -> Metrics:
    """A step of each of these twins."""
    metrics: Metrics = {}
    for name in names:
        try:
            own = step(gan.twins[name], source.at(name, index=0), index, batch, precision)
        except DivergedError as error:
            raise DivergedError(f"twin {name}: {error}") from error
        metrics |= {f"{name}/{key}": value for key, value in own.items()}
    return metrics


def step(gan: GAN, source: Source, index: int, batch: int, precision: torch.dtype = torch.float32) -> Metrics:
    """One round of the game: each twin's that trains beside, then `d_steps` updates of D, then one of G."""
    beside = [twin.name for twin in gan.method.twins if twin.beside]
    metrics = step_twins(gan, beside, source, index, batch, precision)
    method, epoch = gan.method, index * batch // len(source.known)
    for name, net in gan.nets().items():
        net.train(name in gan.learning)
    # no cache: it would keep weights from before an update
    with torch.autocast(gan.device.type, precision, enabled=precision != torch.float32, cache_enabled=False):
        for k in range(method.d_steps):
            own = source.at("D", index=index * method.d_steps + k)
            with torch.no_grad():
                shown = draw(gan, method.d_sees, own, batch, epoch)
            metrics |= update_d(gan, shown, own)
        metrics |= update_g(gan, source.at("G", index=index), batch, epoch)
    gan.update_average(index)
    return metrics


def update_d(gan: GAN, shown: Sequence[Batch], source: Source) -> Metrics:
    """D's update on all groups together, or one on each apart, whose losses and gradient norms are summed."""
    apart = gan.method.d_updates == "apart"
    parts = [[replace(group, share=1.0)] for group in shown] if apart else [shown]
    penalty = gan.method.penalty
    metrics, says = Counter[str](), list[Judged]()
    for part in parts:
        judged = judge(gan, [_watched(batch, penalty) for batch in part])
        losses = {loss.name: loss.d(judged) for loss in gan.method.losses}
        if penalty:
            losses[penalty.name] = penalty.of(gan.D, judged, source.at(penalty.name, index=source.index).generator())
        metrics.update(update("D", gan.opt_d, losses))
        says += judged
    return dict(metrics) | {"D.accuracy": accuracy(says)}


def _watched(batch: Batch, penalty: Penalty | None) -> Batch:
    """The group, with images that carry gradients where the penalty asks for D's slope at them."""
    watches = penalty is not None and penalty.watches(batch)
    return replace(batch, x=batch.x.detach().requires_grad_()) if watches else batch


def update_g(gan: GAN, source: Source, batch: int, epoch: int) -> Metrics:
    """The makers' update. A loss is of the groups that they made; of real ones too where it says that it needs them."""
    method = gan.method
    aligned = any(Need.SAME_ROWS in loss.needs for loss in method.losses)
    judged = judge(gan, draw(gan, method.g_plays, source, batch, epoch, aligned=aligned))
    made = [one for one, (stream, _) in zip(judged, method.g_plays, strict=True) if stream.made]
    losses = {loss.name: loss.g(judged if REALS & loss.needs else made) for loss in method.losses}
    return update(method.makers[0], gan.opt_g, losses)


def draw(
    gan: GAN,
    streams: Sequence[tuple[Stream, Share]],
    source: Source,
    batch: int,
    epoch: int = 0,
    *,
    aligned: bool = False,
) -> list[Batch]:
    """A group of images from each stream, as D is to judge them.

    Each has randomness of its own; where they are `aligned`, all draw the same rows.
    """
    change, groups = gan.method.diff_augment, []
    for i, (stream, varying) in enumerate(streams):
        share, own = share_at(varying, epoch), source.at(0 if aligned else i, index=source.index)
        group = replace(stream.draw(gan, own, round(share * batch)), share=share)
        if change:
            random = own.at("augmented", index=own.index).generator()
            group = replace(group, x=change(group.x, random))
        groups.append(group)
    return groups


def judge(gan: GAN, groups: Sequence[Batch]) -> list[Judged]:
    """D's answer to each group on its own, so that batch norm never mixes verdicts."""
    return [Judged(group, gan.D(group)) for group in groups]


def update(player: str, optimiser: torch.optim.Optimizer, losses: Mapping[str, Tensor]) -> Metrics:
    """One step of one player on the sum of its losses: the only caller of `backward` and `optimiser.step`.

    Gradients are taken for this player's weights alone. Nothing is updated where a loss or a gradient is not finite.
    """
    metrics = {f"{player}.{name}": loss.item() for name, loss in losses.items()}
    for name, value in metrics.items():
        if not abs(value) < HUGE:
            raise DivergedError(f"loss {name} is {value:g}")
    weights = [weight for group in optimiser.param_groups for weight in group["params"]]
    optimiser.zero_grad()
    reduce(add, losses.values()).backward(inputs=weights)
    norms = [torch.linalg.vector_norm(weight.grad) for weight in weights if weight.grad is not None]
    norm = torch.linalg.vector_norm(torch.stack(norms)).item()
    if not math.isfinite(norm):
        raise DivergedError(f"the gradient of {' + '.join(metrics)} has norm {norm:g}")
    optimiser.step()
    return metrics | {f"{player}.gradient_norm": norm}


def accuracy(judged: Sequence[Judged]) -> float:
    """Share of the images with a verdict that D got right."""
    right = [(j.says.realness > 0) == j.batch.real for j in judged if j.batch.real is not None]
    return torch.cat(right).float().mean().item()
