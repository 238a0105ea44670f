"""Steps of a critic with its gradient penalty and of a spectrally normalised GAN against bare torch: goal 1.05 times.

    python benchmarks/critics.py

Both train the same networks (resnet of width 16, 32 px grey, batch 32) on the same machine in turn, A B A B; the ratio
is the median over rounds of one round's time against the other's, three times, each with new networks. By hand: five
critic updates with the penalty and one of G; or one hinge update of each.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
from torch.nn.functional import relu

from lookalike.game.batch import Batch
from lookalike.game.gan import GAN
from lookalike.game.method import Method
from lookalike.game.nets.resnet import Resnet
from lookalike.game.source import Source
from lookalike.game.train import step
from lookalike.methods import METHODS
from machine import save

BATCH, STEPS, ROUNDS, TIMES, GOAL = 32, 3, 21, 3, 1.05
Run = Callable[[int], None]


def ours(gan: GAN, source: Source) -> Run:
    """`train.step`, with its metrics, checks and seeded draws."""
    return lambda index: step(gan, source, index, BATCH) and None


def by_hand(gan: GAN, images: torch.Tensor) -> Run:
    """The same updates as one would write them, G's with D's weights switched off."""
    G, D, opt_g, opt_d = gan.G.train(), gan.D.train(), gan.opt_g, gan.opt_d
    method = gan.method

    def judge(x: torch.Tensor) -> torch.Tensor:
        return D(Batch(x, None, None, None)).realness

    def of_d(x: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
        if method.penalty is None:
            return relu(1 - judge(x)).mean() + relu(1 + judge(fake)).mean()
        mix = torch.rand(BATCH, 1, 1, 1)
        between = (mix * x + (1 - mix) * fake).requires_grad_()
        (slope,) = torch.autograd.grad(judge(between).sum(), between, create_graph=True)
        return judge(fake).mean() - judge(x).mean() + 10 * (slope.flatten(1).norm(dim=1) - 1).square().mean()

    def run(_index: int) -> None:
        for _ in range(method.d_steps):
            x = images[torch.randint(len(images), (BATCH,))].float() / 127.5 - 1
            with torch.no_grad():
                fake = G(torch.randn(BATCH, 128))
            opt_d.zero_grad()
            of_d(x, fake).backward()
            opt_d.step()
        D.requires_grad_(requires_grad=False)
        opt_g.zero_grad()
        (-judge(G(torch.randn(BATCH, 128))).mean()).backward()
        opt_g.step()
        D.requires_grad_(requires_grad=True)

    return run


def seconds(run: Run) -> float:
    """Time of STEPS steps, per step."""
    began = time.perf_counter()
    for index in range(STEPS):
        run(index)
    return (time.perf_counter() - began) / STEPS


def compared(method: Method) -> dict[str, float]:
    """The ratio and both times."""
    images = torch.randint(0, 256, (6000, 1, 32, 32), dtype=torch.uint8)
    players = [GAN(method.but(net=Resnet(16)), (1, 32, 32)) for _ in range(2)]
    source = Source(images, torch.zeros(len(images), dtype=torch.int64), None, 0)
    runs = {"ours": ours(players[0], source), "by hand": by_hand(players[1], images)}
    for run in runs.values():
        seconds(run)
    rounds = [{name: seconds(run) for name, run in runs.items()} for _ in range(ROUNDS)]
    times = {f"{name} ms": round(1000 * statistics.median(one[name] for one in rounds), 2) for name in runs}
    return {"ratio": round(statistics.median(one["ours"] / one["by hand"] for one in rounds), 3)} | times


def main() -> None:
    """Measures and saves."""
    torch.set_num_threads(2)
    found = {name: [compared(METHODS[name]) for _ in range(TIMES)] for name in ("wgan-gp", "sn-binary")}
    save("critics", {"goal": GOAL, "rounds": ROUNDS, "steps a round": STEPS, **found})


if __name__ == "__main__":
    main()
