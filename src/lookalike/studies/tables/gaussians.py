"""Figure 1 of kplus1-2020: what a GAN without classes, K + 1 and Mode GAN learn of ten Gaussians on a circle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lookalike.studies.claims import difference
from lookalike.studies.study import Study
from lookalike.studies.tables import circle
from lookalike.studies.tables.circle_trial import CircleTrial
from lookalike.studies.tables.figures import SECONDS, FiguresTable, Values
from lookalike.studies.tables.lines import Line, grid, not_compared, ours, seconds
from lookalike.studies.tables.table import Found, Groups
from lookalike.studies.trial import Cell

NAME = "kplus1-2020/gaussians"
OWN = {"sn-binary": "real", "k-plus-one": "real", "mode": "mode"}  # method -> what it should learn
TARGETS = ("real", "mode")
FIGURES = (*(f"kl_to_{target}" for target in TARGETS), "outside")
SUMMARY = (
    "Ten Gaussians on a circle, 10,000 points of each. The Kullback-Leibler divergence, in nats, of 50,000 generated "
    "points from what the paper derives: real, the average of the classes, and mode, their pointwise maximum, "
    "normalised (closed forms; 40 x 40 cells). Points outside the square are left out; `outside` is their share. The "
    "two targets lie {apart} apart. Mean ± standard deviation over seeds; seconds are training on one thread. "
    "sn-binary has the minimax losses here, and no spectral norm, as the others."
)
ROW = "gaussians"


class Gaussians(FiguresTable[CircleTrial]):
    """The table."""

    name = NAME
    labels = ""
    row_names = (ROW,)
    method_names = tuple(OWN)
    least = FIGURES

    def groups(self, study: Study, rows: Sequence[str], *, required: bool) -> Groups[CircleTrial]:
        """The points are drawn, so that no data can be missing."""
        return {
            ROW: [
                Cell(ROW, name, seed, (CircleTrial(ROW, name, seed, preset=study.preset),))
                for seed in range(study.seeds)
                for name in study.methods or OWN
            ]
        }

    def figures(self, trial: CircleTrial, stored: Mapping[str, Any]) -> dict[str, float | None]:
        """Both divergences, and the share outside."""
        return {name: stored[name] for name in (*FIGURES, SECONDS)}

    def page(self, found: Found[CircleTrial], lines: Sequence[Line]) -> str:
        """The table for a reader: what each method is nearer to first."""
        real, mode = circle.targets().values()
        apart = f"{circle.divergence(real, mode):.3f}"
        values = self.values(found, ROW)
        said = [_verdict(name, values) for name in dict.fromkeys(method for method, _ in values)]
        head = ["method", "figure", "ours", "seeds", "seconds"]
        body = [[line["method"], line["metric"], ours(line), str(line["seeds"]), seconds(line)] for line in lines]
        return "\n".join(
            [
                f"# {NAME.replace('/', ', ')}, preset {found.study.preset}", "", f"`{found.study.command}`", "",
                SUMMARY.format(apart=apart), "", *said, *not_compared(found.gone[ROW]), "", *grid(head, body), "",
            ]
        )  # fmt: skip

    def beside(self, found: Found[CircleTrial]) -> dict[str, str | bytes]:
        """Every seed's figures; a picture of the targets and of each method's seed 0, and one of every seed."""
        from lookalike.studies.tables.histograms import draw

        targets = {f"target: {name}": share for name, share in circle.targets().items()}
        made = {
            (cell.method, cell.seed): np.array(cell.trials[0].figures(found.study.runs)["histogram"])
            for cell in found.done(ROW)
        }
        first = targets | {method: made[method, 0] for method in found.methods(ROW) if (method, 0) in made}
        every = {f"{method}, seed {seed}": share for (method, seed), share in made.items()}
        return {
            **super().beside(found),
            ".png": draw(first, circle.EDGE, len(first)),
            "-seeds.png": draw(every, circle.EDGE, len(found.methods(ROW))),
        }


def _verdict(method: str, values: Values) -> str:
    """How many seeds are nearer to the method's own target, and the paired difference."""
    own = OWN[method]
    other = next(target for target in TARGETS if target != own)
    mine = [one for (name, _), one in values.items() if name == method]
    to = {target: [float(one[f"kl_to_{target}"] or 0) for one in mine] for target in TARGETS}
    gap = difference(to[other], to[own])
    nearer = sum(a < b for a, b in zip(to[own], to[other], strict=True))
    return f"- {method} is nearer to {own} than to {other} in {nearer} of {len(mine)} seeds, by {gap.text(4)}"


TABLE = Gaussians()
