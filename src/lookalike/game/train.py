"""The only training loop of GANs, for any `Method`. A step updates the twins beside, then D, then G.

Progress counts images shown: one step counts as `batch` images. Twins that train before or after use some of the steps.
So a training of any method ends after the same number of images.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import reduce
from operator import add, or_

import torch
from torch import Tensor

from lookalike.base.errors import DivergedError, UsageError
from lookalike.base.ranks import ALONE, Ranks
from lookalike.game.batch import Batch, Judged
from lookalike.game.device import Figures, read, sent, unfit
from lookalike.game.gan import GAN
from lookalike.game.method import Method, early, late
from lookalike.game.needs import Need
from lookalike.game.penalty import Penalty
from lookalike.game.share import Share, place, share_at
from lookalike.game.source import Source
from lookalike.game.splitting import relabelled
from lookalike.game.streams import Stream

HUGE = 1e8  # a loss of this size has diverged
REALS = frozenset({Need.REAL_IN_G, Need.SAME_ROWS})  # needs of losses that take real images in G's step

Metrics = dict[str, float]
STRETCH = 20  # steps of a GPU between two reads of its figures
NORM = "gradient_norm"


@dataclass(frozen=True)
class Progress:
    """The report of one step."""

    step: int  # updates of G so far
    images: int  # images shown so far
    metrics: Metrics  # losses, gradient norms, D's accuracy; a twin's begin with "name/"


def train(
    gan: GAN, source: Source, *, images: int, batch: int, start: int = 0, precision: torch.dtype = torch.float32
) -> Iterator[Progress]:
    """Trains `gan` in place and yields after each step, from step `start` until `images` images were shown.

    Where the host runs ahead of the device (`GAN.ahead`), it yields every `STRETCH` steps, with the last one's metrics.

    Parameters
    ----------
    gan : GAN
        Trained in place.
    source : Source
        The real images and the seed.
    images, batch : int
        Images shown in the whole training, and per step.
    start : int
        Number of steps already done, in a resumed run.
    precision : torch.dtype
        float32, or the type for autocast.

    Raises
    ------
    UsageError
        If a stream gets fewer than two images in a process, because batch norm needs two, or processes get unequal
        numbers.
    DivergedError
        If a loss or a gradient is not finite, or a loss is huge. That update was left out.
    """
    check_batch(gan.method, batch, source.ranks.size)
    steps = math.ceil(images / batch)
    stretch, waiting = STRETCH if gan.ahead else 1, list[Figures]()
    for index in range(start, steps):
        with _at(index, batch):
            waiting.append(turn(gan, source, index, steps, batch, precision))
        if (index + 1) % stretch and index + 1 < steps:  # by the step's number: a resumed run reads at the same steps
            continue
        found = read(waiting)
        for past, metrics in enumerate(found, index + 1 - len(found)):
            with _at(past, batch):
                refuse(metrics)
        waiting.clear()
        yield Progress(index + 1, (index + 1) * batch, reduce(or_, found))


@contextmanager
def _at(index: int, batch: int) -> Iterator[None]:
    """The error of a training that diverges names the step."""
    try:
        yield
    except DivergedError as error:
        told = DivergedError(f"training diverged at step {index + 1}, {index * batch} images shown: {error}")
        told.step = index
        raise told from error


def check_batch(method: Method, batch: int, processes: int = 1) -> None:
    """Raises UsageError if a stream's share of `batch` is fewer than two images in a process, or cannot be divided."""
    whose = f" in each of {processes} processes" if processes > 1 else ""
    for stream, n in _numbers(method, batch):
        if n < 2 * processes:
            raise UsageError(
                f"batch {batch} leaves {type(stream).__name__} fewer than 2 images{whose}; take a larger batch "
                "(--batch)"
            )
        if n % processes:
            fits = next((b for b in range(batch, 2 * batch * processes) if _divides(method, b, processes)), None)
            advice = f"take a batch of {fits} (--batch)" if fits else "take another batch (--batch)"
            raise UsageError(
                f"batch {batch} gives {type(stream).__name__} {n} images, which {processes} processes cannot share "
                f"equally; {advice}, or another number of processes"
            )


def _numbers(method: Method, batch: int) -> list[tuple[Stream, int]]:
    """Each stream with the numbers of images that it has in a batch."""
    # epochs 0 and 2 are the two values of a share by epoch
    return [(stream, round(share_at(share, epoch) * batch)) for stream, share in method.groups for epoch in (0, 2)]


def _divides(method: Method, batch: int, processes: int) -> bool:
    return all(n % processes == 0 for _, n in _numbers(method, batch))


def turn(
    gan: GAN, source: Source, index: int, steps: int, batch: int, precision: torch.dtype = torch.float32
) -> Figures:
    """Step `index` of `steps`: one of the twins before or after, or one of the game. Returns the metrics.

    Those of several processes are their means, and so are the statistics of batch norms afterwards.
    """
    metrics = _turned(gan, source, index, steps, batch, precision)
    if source.ranks.size == 1:
        return metrics
    there = [torch.as_tensor(value, dtype=torch.float32) for value in metrics.values()]
    figures = torch.stack([sent(value, gan.device) for value in there])
    source.ranks.average([figures, *gan.buffers()])
    return dict(zip(metrics, figures if gan.ahead else figures.tolist(), strict=True))


def _turned(
    gan: GAN, source: Source, index: int, steps: int, batch: int, precision: torch.dtype = torch.float32
) -> Figures:
    begins, ends = gan.method.begins(steps), gan.method.ends(steps)
    if index < begins:
        alone = {twin.name: early(twin, steps) for twin in gan.method.twins if index < early(twin, steps)}
        return _step_alone(gan, alone, source, index, batch, precision)
    if index == ends:
        gan.end()  # the twins after start from the final G and D
    if index >= ends:
        alone = {twin.name: late(twin, steps) for twin in gan.method.twins if late(twin, steps)}
        return _step_alone(gan, alone, source, index - ends, batch, precision)
    if index == begins:
        gan.begin()  # G starts from a twin that trained before
    # the game counts its own steps from 0: decay, split points and batches do not depend on the twins
    if gan.method.decay:
        gan.set_rate(1 - (index - begins) / (ends - begins))
    splitting, split = gan.method.splitting, {}
    if splitting and splitting.due(index - begins, batch):  # before the step, which trains on the new classes
        split = splitting.split(gan, source, index)
    return {**split, **step(gan, relabelled(source, gan.leaves), index - begins, batch, precision)}


def _step_alone(
    gan: GAN, steps: Mapping[str, int], source: Source, index: int, batch: int, precision: torch.dtype
) -> Figures:
    """Step `index` of each twin in `steps`, which maps its name to its number of steps."""
    for name, number in steps.items():
        if gan.method.decay:
            gan.twins[name].set_rate(1 - index / number)
    return step_twins(gan, list(steps), source, index, batch, precision)


def step_twins(
    gan: GAN, names: Sequence[str], source: Source, index: int, batch: int, precision: torch.dtype
) -> dict[str, float | Tensor]:
    """A step of each named twin; its metrics begin with its name."""
    metrics: dict[str, float | Tensor] = {}
    for name in names:
        try:
            # the twin's name is part of the purpose: its draws differ from those of the main GAN
            own = step(gan.twins[name], source.at(name, index=0), index, batch, precision)
        except DivergedError as error:
            raise DivergedError(f"twin {name}: {error}") from error
        metrics |= {f"{name}/{key}": value for key, value in own.items()}
    return metrics


def step(gan: GAN, source: Source, index: int, batch: int, precision: torch.dtype = torch.float32) -> Figures:
    """One step of the game: a step of each twin beside, then `d_steps` updates of D, then one of G (and E)."""
    beside = [twin.name for twin in gan.method.twins if twin.beside]
    metrics = step_twins(gan, beside, source, index, batch, precision)
    method, epoch = gan.method, 0
    for name, net in gan.nets().items():
        # eval for networks that do not learn, so that their batch norm statistics stay as they are
        net.train(name in gan.learning)
    # no cache: it would keep cast weights from before an update
    with torch.autocast(gan.device.type, precision, enabled=precision != torch.float32, cache_enabled=False):
        for k in range(method.d_steps):
            own, epoch = drawn_at(method, source, index * method.d_steps + k, batch)
            with torch.no_grad():  # D's update needs no gradient of G or E
                groups = draw(gan, method.d_sees, own, batch, epoch)
            metrics |= update_d(gan, groups, own)
        metrics |= update_g(gan, source.at("G", index=index), batch, epoch)
    gan.update_average(index)  # after G's update, so that the last step counts
    return metrics


def drawn_at(method: Method, source: Source, update: int, batch: int) -> tuple[Source, int]:
    """The source of an update of D, and its epoch: the pass over the real images that it draws from, from 0."""
    share = next((share for stream, share in method.d_sees if stream.real), 1.0)  # a twin with E alone has none
    found = place(share, update, batch, len(source.known))
    return source.at("D", *(("third",) if found.third else ()), index=found.index), found.epoch


def update_d(gan: GAN, groups: Sequence[Batch], source: Source) -> Figures:
    """One update of D on all groups together, or one per group (`Method.d_updates`). Returns summed metrics."""
    apart = gan.method.d_updates == "apart"
    # apart, each group's loss is its mean, so a share only sets the number of images
    parts = [[replace(group, share=1.0)] for group in groups] if apart else [groups]
    penalty = gan.method.penalty
    metrics, says = Counter[str](), list[Judged]()  # sums of numbers, or of scalar tensors
    for part in parts:
        judged = judge(gan, [_watched(batch, penalty) for batch in part])
        losses = {loss.name: loss.d(judged) for loss in gan.method.losses}
        if penalty:
            random = source.at(penalty.name, index=source.index).generator()
            losses[penalty.name] = penalty.of(gan.D, judged, random, source.ranks)
        metrics.update(update("D", gan.opt_d, losses, source.ranks))
        says += judged
    share = accuracy(says)
    return {**metrics, "D.accuracy": share if gan.ahead else share.item()}


def _watched(batch: Batch, penalty: Penalty | None) -> Batch:
    """The group, whose images require gradients if the penalty takes D's gradient at them."""
    watches = penalty is not None and penalty.watches(batch)
    # detach makes a tensor of its own, because requires_grad_ changes the tensor that it is called on
    return replace(batch, x=batch.x.detach().requires_grad_()) if watches else batch


def update_g(gan: GAN, source: Source, batch: int, epoch: int) -> Figures:
    """One update of the makers, G or E or both.

    A loss gets the groups that they made. Where its needs name real images, it gets the real groups too.
    """
    method = gan.method
    aligned = any(Need.SAME_ROWS in loss.needs for loss in method.losses)
    judged = judge(gan, draw(gan, method.g_plays, source, method.g_batch * batch, epoch, aligned=aligned))
    made = [one for one, (stream, _) in zip(judged, method.g_plays, strict=True) if stream.made]
    losses = {loss.name: loss.g(judged if REALS & loss.needs else made) for loss in method.losses}
    return update(method.makers[0], gan.opt_g, losses, source.ranks)


def draw(
    gan: GAN,
    streams: Sequence[tuple[Stream, Share]],
    source: Source,
    batch: int,
    epoch: int = 0,
    *,
    aligned: bool = False,
) -> list[Batch]:
    """A group of images from each stream, as input of D.

    Each stream has a generator of its own. If `aligned`, all have the same one, and so draw the same real images.
    """
    change, groups = gan.method.diff_augment, []
    for i, (stream, varying) in enumerate(streams):
        share, own = share_at(varying, epoch), source.at(0 if aligned else i, index=source.index)
        group = replace(stream.draw(gan, own, round(share * batch) // source.ranks.size), share=share)
        if change:  # in D's step and in G's, or G would learn to make changed images (DiffAugment)
            random = own.at("augmented", index=own.index).generator()
            group = replace(group, x=change(group.x, random, source.ranks))
        groups.append(group)
    return groups


def judge(gan: GAN, groups: Sequence[Batch]) -> list[Judged]:
    """D's answer to each group on its own, so that batch norm never mixes real and fake images."""
    return [Judged(group, gan.D(group)) for group in groups]


def update(player: str, optimiser: torch.optim.Adam, losses: Mapping[str, Tensor], ranks: Ranks = ALONE) -> Figures:
    """One optimiser step on the sum of the losses. It alone calls `backward` and `optimiser.step`.

    Only the weights of this optimiser get gradients. Of several processes, the losses and the gradients are the means.
    Returns the losses and the gradient norm. Where a loss or the gradient is not finite, or a loss is huge, nothing is
    updated. A fused Adam finds that on its device, so that the host need not wait, and then figures are scalar tensors.

    Raises
    ------
    DivergedError
        In that case, unless Adam is fused; later `refuse` says so.
    """
    weights = [weight for group in optimiser.param_groups for weight in group["params"]]
    optimiser.zero_grad()
    # `inputs`: G's loss passes through D, and D's weights must not collect its gradient
    reduce(add, losses.values()).backward(inputs=weights)
    gradients = [weight.grad for weight in weights if weight.grad is not None]
    ranks.average([*gradients, *losses.values()])  # before the checks: all processes stop, or none
    figures = {f"{player}.{name}": loss.detach() for name, loss in losses.items()}
    norms = [torch.linalg.vector_norm(gradient) for gradient in gradients]
    norm = figures[f"{player}.{NORM}"] = torch.linalg.vector_norm(torch.stack(norms))
    if optimiser.defaults["fused"]:
        optimiser.found_inf = unfit(list(losses.values()), norm, HUGE)  # type: ignore[attr-defined]
        optimiser.step()
        return figures
    metrics = {name: value.item() for name, value in figures.items()}
    refuse(metrics)
    optimiser.step()
    return metrics


def refuse(metrics: Metrics) -> None:
    """Raises DivergedError if a loss is not finite or huge, or the norm of a gradient not finite."""
    for name, value in metrics.items():
        player, _, figure = name.rpartition(".")
        if figure == NORM and not math.isfinite(value):
            losses = (one for one in metrics if one.rpartition(".")[0] == player and one != name)
            raise DivergedError(f"the gradient of {' + '.join(losses)} has norm {value:g}")
        if figure != NORM and not abs(value) < HUGE:  # true for NaN too
            raise DivergedError(f"loss {name} is {value:g}")


def accuracy(judged: Sequence[Judged]) -> Tensor:
    """Share, from 0 to 1, of the labelled images that D answers correctly: real with realness above 0, fake without."""
    right = [(j.says.realness > 0) == j.batch.real for j in judged if j.batch.real is not None]
    return torch.cat(right).float().mean()
