"""The training of a GAN in its run folder: figures, grids and checkpoints, and what there is to warn of.

It goes on from the newest checkpoint, and then ends in the bits of an uninterrupted training.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import load, save
from torch import Tensor

from lookalike.base import checkpoint, files, interrupts
from lookalike.base.arrays import Report, Warn
from lookalike.base.errors import DivergedError, show
from lookalike.base.ranks import Ranks
from lookalike.game.gan import GAN
from lookalike.game.method import Method
from lookalike.game.share import share_at
from lookalike.game.source import Source
from lookalike.game.splitting import SPLIT
from lookalike.game.train import Progress, drawn_at
from lookalike.runs import log
from lookalike.runs.encoding import Encoding
from lookalike.runs.folder import CHECKPOINTS, METRICS, read_metrics
from lookalike.runs.memory import trained
from lookalike.runs.plan import Plan
from lookalike.runs.remedies import remedies
from lookalike.runs.samples import draw_samples
from lookalike.runs.variety import Variety
from lookalike.runs.watch import findings

CUBLAS = "CUBLAS_WORKSPACE_CONFIG"
TYPES = {"float32": torch.float32, "tf32": torch.float32, "bfloat16": torch.bfloat16}  # of autocast
ROOM = 0.5  # share of a GPU's free memory that the images may take
STEP = "step"  # name of a tensor beside those of a GAN


def trained_gan(folder: Path, plan: Plan, method: Method, report: Report, warn: Warn) -> GAN:
    """The plan's GAN after its training, which goes on from a checkpoint where one is there.

    Of several processes that train it together, rank 0 alone reads and writes `folder`. A signal to one stops all.

    Raises
    ------
    DivergedError
        If training leaves the finite numbers; the last good checkpoint stays.
    ResourceError
        If memory runs out.
    Stopped
        After a signal, with a checkpoint saved.
    LostError
        If another process of the training is lost; the last checkpoint stays.
    """
    s, source = plan.recipe.settings, plan.source()
    total, batch = s.images or 0, plan.recipe.batch
    gan = GAN(method, plan.images.shape, seed=s.seed, device=s.device, classes=len(plan.known), ema=s.ema or 0.0)
    if s.sync_bn and plan.ranks.size > 1:
        gan.share_norms(plan.ranks)
    near = resident(source)
    keeper = _Keeper(folder, plan, gan, warn) if plan.ranks.leads else None
    start, steps = _as_first(gan, plan.ranks, keeper.start if keeper else 0), math.ceil(total / batch)
    with interrupts.deferred() as request, exact(), rounding(tf32=s.precision == "tf32"):
        if keeper:
            keeper.begin()
        try:
            for progress in trained(gan, near, images=total, batch=batch, start=start, precision=TYPES[s.precision]):
                stop = plan.ranks.largest(request.number)
                if keeper:
                    keeper.keep(progress, stop=bool(stop))
                if stop:
                    raise interrupts.Stopped(
                        stop, f"stopped after {progress.images} of {total} images; the same command goes on from there"
                    )
                report("training", progress.images, total)
        except DivergedError as error:
            names = ", ".join(_first_names(plan, method, source, error.step, steps))
            raise DivergedError(
                f"{error}; among the images of that step: {names}; earlier checkpoints stay; try a lower step "
                "size (--lr) in a new folder"
            ) from error
    if keeper:
        keeper.warn_of_findings()
    return gan


def _as_first(gan: GAN, ranks: Ranks, start: int) -> int:
    """Gives every process the weights of rank 0, and returns the number of steps that rank 0 has done."""
    if ranks.size == 1:
        return start
    tensors = load(ranks.told(lambda: save(gan.state(training=True) | {STEP: torch.tensor(start)})))
    start = int(tensors.pop(STEP))
    if not ranks.leads:
        gan.load(tensors, training=True)
    return start


class _Keeper:
    """Goes on from what a training left behind, writes what it leaves, and warns of what its figures say."""

    def __init__(self, folder: Path, plan: Plan, gan: GAN, warn: Warn) -> None:
        self.folder, self.plan, self.gan, self.warn = folder, plan, gan, warn
        self.settings, self.batch = plan.recipe.settings, plan.recipe.batch
        self.total = self.settings.images or 0
        self.steps = math.ceil(self.total / self.batch)
        self.begins, self.ends = gan.method.begins(self.steps), gan.method.ends(self.steps)
        self.variety, self.encoding = Variety(plan, gan.method), Encoding(plan, gan.method)
        self.said: set[tuple[str, str]] = set()  # kinds and classes of findings
        self.start, self.before = _resumed(folder, gan, warn)
        self.images = self.start * self.batch
        self.began = time.monotonic()

    def begin(self) -> None:
        """Drops what lies beyond the checkpoint, and draws the grid of a new GAN."""
        log.begin(self.folder, self.start * self.batch)
        if self.start == 0:
            draw_samples(self.folder, self.gan, 0, self.settings.seed)

    @property
    def seconds(self) -> float:
        """How long it has trained, earlier parts counted."""
        return self.before + time.monotonic() - self.began

    def keep(self, progress: Progress, *, stop: bool) -> None:
        """Writes what is due after a step; before a `stop` a checkpoint is."""
        last = progress.step == self.steps
        drawn = last or self._due(progress, self.settings.sample_every)
        if drawn or self._due(progress, self.settings.log_every) or SPLIT in progress.metrics:
            log.add(self.folder, progress, self.seconds, self._measured(progress.step) if drawn else {})
        if drawn:
            draw_samples(self.folder, self.gan, progress.images, self.settings.seed)
        if drawn and not last and progress.step > (self.begins + self.ends) / 2:
            self.warn_of_findings(f"after {progress.images} of {self.total} images: ", grids=2)
        if last or stop or self._due(progress, self.settings.save_every):
            self._save(progress.step)
        self.images = progress.images

    def _measured(self, step: int) -> dict[str, float]:
        """What a grid's line of metrics has beside the step's: of G and of the encoder, once each has trained."""
        varies = self.variety.figures(self.gan) if step > self.begins else {}
        return varies | (self.encoding.figures(self.gan) if step > self.encoding.late * self.ends else {})

    def warn_of_findings(self, at: str = "", *, grids: int = 1) -> None:
        """Warns of what the last `grids` grids say of G and D, once of each kind and class."""
        for finding in findings(read_metrics(self.folder / METRICS), grids):
            new = {name: value for name, value in finding.figures.items() if (finding.kind, name) not in self.said}
            self.said.update((finding.kind, name) for name in new)
            if new:
                self.warn(f"{at}{replace(finding, figures=new)}; {remedies(self.plan, finding.kind)}")

    def _due(self, progress: Progress, every: int | None) -> bool:
        """Whether a multiple of `every` images lies in the steps since the last call of `keep`."""
        return every is not None and progress.images // every > self.images // every

    def _save(self, step: int) -> None:
        images = step * self.batch
        facts = {"step": step, "images": images, "seconds": self.seconds}
        files.make_folder(self.folder / CHECKPOINTS)
        checkpoint.save_checkpoint(self.folder / CHECKPOINTS, images, self.gan.state(training=True), facts)


def _resumed(folder: Path, gan: GAN, warn: Warn) -> tuple[int, float]:
    """Steps done and seconds spent before, with the newest checkpoint loaded."""
    found = checkpoint.newest_checkpoint(folder / CHECKPOINTS, warn)
    if found is None:
        return 0, 0.0
    tensors, facts = found
    gan.load(tensors, training=True)
    checkpoint.drop_older(folder / CHECKPOINTS, int(facts["images"]))  # a kill may have come between
    return int(facts["step"]), float(facts["seconds"])


def _first_names(plan: Plan, method: Method, source: Source, step: int, steps: int) -> list[str]:
    """The first real images that each D has at a step, those of twins first."""
    begins, batch = method.begins(steps), plan.recipe.batch
    step, early = (step, True) if step < begins else (step - begins, False)
    players = [(source.at(t.name, index=0), t.method(method)) for t in method.twins if (t.before > 0) == early]
    names = []
    for player, game in [*players, *([] if early else [(source, method)])]:
        own, epoch = drawn_at(game, player, step * game.d_steps, batch)
        n = round(share_at(game.groups[0][1], epoch) * batch)
        rows = own.at(0, index=own.index).rows(len(plan.rows.train), n)[:3]
        names += [show(plan.images.names[plan.rows.train[row]], 60) for row in rows.tolist()]
    return names


def resident(source: Source) -> Source:
    """The source with its images on the GPU, where they find room beside the training; else as it is."""
    if source.device.type != "cuda":
        return source
    parts = {name: getattr(source, name) for name in ("known", "others", "unlabelled")}
    there = {name: part for name, part in parts.items() if isinstance(part, Tensor)}
    free, _ = torch.cuda.mem_get_info(source.device)
    if sum(part.nbytes for part in there.values()) > ROOM * free:
        return source
    return replace(source, **{name: part.to(source.device) for name, part in there.items()})


@contextmanager
def rounding(*, tf32: bool) -> Iterator[None]:
    """CUDA rounds what convolutions and matrix products multiply to TF32 within the block, or to nothing."""
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision("high" if tf32 else "highest")
    torch.backends.cudnn.allow_tf32 = tf32
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before[0])
        torch.backends.cudnn.allow_tf32 = before[1]


@contextmanager
def exact() -> Iterator[None]:
    """Allows only operations whose results repeat to the bit."""
    before, theirs = torch.are_deterministic_algorithms_enabled(), os.environ.get(CUBLAS)
    os.environ[CUBLAS] = theirs or ":4096:8"  # what CUDA needs for it
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)
        if theirs is None:
            del os.environ[CUBLAS]
