"""Figure 1 of kplus1-2020: what a GAN without classes, K + 1 and Mode GAN learn of ten Gaussians on a circle."""

from __future__ import annotations

import io
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lookalike.base import files
from lookalike.base.arrays import Report, Warn
from lookalike.base.errors import UsageError
from lookalike.base.seeds import generator
from lookalike.game.gan import GAN
from lookalike.game.latents import Normal
from lookalike.game.losses import Minimax
from lookalike.game.method import Method
from lookalike.game.nets.mlp import Mlp
from lookalike.game.optimiser import Adam
from lookalike.game.source import Source
from lookalike.game.train import train
from lookalike.methods import METHODS
from lookalike.studies.paired import difference
from lookalike.studies.tables import circle
from lookalike.studies.tables.lines import as_csv, chosen, every_seed, file_name, grid, of_seeds, ours
from lookalike.studies.tables.trials import lacking, train_missing

NAME = "kplus1-2020/gaussians"
OWN = {"sn-binary": "real", "k-plus-one": "real", "mode": "mode"}  # method -> what it should learn
TARGETS = ("real", "mode")
FIGURES = (*(f"kl_to_{target}" for target in TARGETS), "outside")
SUMMARY = (
    "Ten Gaussians on a circle, 10,000 points of each. The Kullback-Leibler divergence, in nats, of 50,000 generated "
    "points from what the paper derives: real, the average of the classes, and mode, their pointwise maximum, "
    "normalised (closed forms; 40 x 40 cells). Points outside the square are left out; `outside` is their share. The "
    "two targets lie {apart} apart. Mean ± standard deviation over seeds; seconds are training on one thread. "
    "sn-binary plays the minimax game here, without spectral norm, as the others."
)
SAMPLES = 50_000
SCALE = circle.RADIUS  # brings points to the size of images


@dataclass(frozen=True)
class Size:
    """How large a training is: width of three hidden layers, points of each class, points shown."""

    width: int
    each: int
    shown: int
    batch: int = 256


SIZES = {"small": Size(128, 10_000, 1_024_000), "paper": Size(512, 10_000, 2_560_000)}


@dataclass(frozen=True)
class Trial:
    """One training."""

    method: str
    seed: int
    preset: str

    def __str__(self) -> str:
        return f"{self.method}, seed {self.seed}"

    def is_done(self, runs: Path) -> bool:
        """Whether it was measured."""
        return self.file(runs).exists()

    def file(self, runs: Path) -> Path:
        """Its figures and histogram."""
        return runs / f"gaussians-{self.preset}" / self.method / f"seed-{self.seed}.npz"


def method_of(name: str, width: int) -> Method:
    """The method without images: an mlp, and three steps of a faster D for one of G (ours), or G outruns it."""
    named = METHODS[name]
    return named.but(
        net=Mlp(width, 3),
        latent=Normal(8),
        losses=(Minimax(), *named.losses[1:]),
        spectral=False,
        optimiser=Adam(5e-4, 0.0, 0.999),
        d_optimiser=Adam(2e-3, 0.0, 0.999),
        d_steps=3,
    )


def perform(trial: Trial, runs: Path, command: str = "") -> None:
    """Trains and stores both divergences, the share outside the square, seconds and the histogram."""
    size, began = SIZES[trial.preset], time.monotonic()
    points, labels = circle.draw(size.each, trial.seed)
    gan = GAN(method_of(trial.method, size.width), (2,), seed=trial.seed, classes=circle.CLASSES, ema=0.99)
    source = Source(torch.from_numpy(points / SCALE), torch.from_numpy(labels), None, trial.seed)
    for _ in train(gan, source, images=size.shown, batch=size.batch):
        pass
    seconds = time.monotonic() - began
    z = gan.method.latent.draw(SAMPLES, generator(trial.seed, "generate"))
    share, outside = circle.histogram(SCALE * gan.generate(z).double().numpy())
    out = io.BytesIO()
    far = {f"kl_to_{name}": circle.divergence(share, target) for name, target in circle.targets().items()}
    np.savez(out, histogram=share, outside=outside, seconds=seconds, **far)  # type: ignore[arg-type]
    files.make_folder(trial.file(runs).parent)
    files.write_bytes(trial.file(runs), out.getvalue())


def run(
    *,
    preset: str,
    seeds: int,
    rows: Sequence[str] = (),
    methods: Sequence[str] = (),
    runs: Path,
    out: Path,
    side_by_side: int,
    command: str,
    report: Report = lambda stage, done, of: None,
    warn: Warn = lambda message: None,
) -> list[dict[str, Any]]:
    """Trains what is missing below `runs`, and writes the table and its pictures into `out`.

    Raises
    ------
    UsageError
        For a row or method that is not there, or where nothing could be measured.
    """
    from lookalike.studies.tables.histograms import draw

    chosen(("gaussians",), rows, "row", NAME)
    names = chosen(tuple(OWN), methods, "method", NAME)
    trials = [Trial(name, seed, preset) for seed in range(seeds) for name in names]
    folder = files.make_folder(out)
    group = {"gaussians": trials}
    train_missing(perform, group, runs, side_by_side=side_by_side, command=command, report=report, warn=warn)
    lacking(group, runs, lambda trial: trial.method, warn)
    found = {trial: _stored(trial, runs) for trial in trials if trial.is_done(runs)}
    if not found:
        raise UsageError("nothing could be trained; the warnings above say why")
    lines = [line for name in names for line in _lines(name, found, command)]
    stem = file_name(NAME, preset, part=bool(methods))
    targets = {f"target: {name}": share for name, share in circle.targets().items()}
    made = {str(trial): one["histogram"] for trial, one in found.items()}
    first = {name: made[f"{name}, seed 0"] for name in names if f"{name}, seed 0" in made}
    files.write_bytes(folder / f"{stem}.png", draw(targets | first, circle.EDGE, len(targets | first)))
    files.write_bytes(folder / f"{stem}-seeds.png", draw(made, circle.EDGE, len(names)))
    files.write_text(folder / f"{stem}.csv", as_csv(lines))
    values = {(trial.method, trial.seed): {key: one[key] for key in FIGURES} for trial, one in found.items()}
    files.write_text(folder / f"{stem}-seeds.csv", every_seed({"gaussians": values}))
    files.write_text(folder / f"{stem}.md", _markdown(preset, lines, found, command))
    return lines


Found = Mapping[Trial, Mapping[str, Any]]


def _stored(trial: Trial, runs: Path) -> dict[str, Any]:
    with np.load(trial.file(runs), allow_pickle=False) as arrays:
        return {name: arrays[name] if arrays[name].ndim else float(arrays[name]) for name in arrays}


def _lines(method: str, found: Found, command: str) -> list[dict[str, Any]]:
    """Both divergences over the seeds, and the share of points outside the square."""
    mine = [one for trial, one in found.items() if trial.method == method]
    seconds = [one["seconds"] for one in mine]
    keys = [(*NAME.split("/"), "gaussians", "", "", method, figure) for figure in FIGURES]
    return [  # the paper prints no figure, it shows pictures
        of_seeds(key, [one[key[-1]] for one in mine], seconds, printed=None, command=command) for key in keys
    ]


def _markdown(preset: str, lines: Sequence[Mapping[str, Any]], found: Found, command: str) -> str:
    """The table for a reader: what each method is nearer to first."""
    real, mode = circle.targets().values()
    apart = f"{circle.divergence(real, mode):.3f}"
    head = ["method", "figure", "ours", "seeds", "seconds"]
    body = [
        [line["method"], line["metric"], ours(line), str(line["seeds"]), f"{line['seconds'] or 0:.0f}"]
        for line in lines
    ]
    said = [_verdict(name, found) for name in dict.fromkeys(trial.method for trial in found)]
    return "\n".join(
        [
            f"# {NAME.replace('/', ', ')}, preset {preset}", "", f"`{command}`", "", SUMMARY.format(apart=apart), "",
            *said, "", *grid(head, body), "",
        ]
    )  # fmt: skip


def _verdict(method: str, found: Found) -> str:
    """How many seeds are nearer to the method's own target, and the paired difference."""
    mine, own = [one for trial, one in found.items() if trial.method == method], OWN[method]
    other = next(target for target in TARGETS if target != own)
    gap = difference([one[f"kl_to_{other}"] for one in mine], [one[f"kl_to_{own}"] for one in mine])
    nearer = sum(one[f"kl_to_{own}"] < one[f"kl_to_{other}"] for one in mine)
    interval = f" [{gap.low:+.4f}, {gap.high:+.4f}]" if len(mine) > 1 else ""
    return (
        f"- {method} is nearer to {own} than to {other} in {nearer} of {len(mine)} seeds, by {gap.mean:+.4f}{interval}"
    )
