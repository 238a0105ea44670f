"""A training step against the same two updates and averaging by hand in bare torch: goal at most 1.05 times the time.

    python benchmarks/train_step.py

Both train the same networks (preset small, 32 px grey) on the same machine in turn, A B A B; the ratio is the
median over rounds of one round's time against the other's.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
from torch.nn.functional import binary_cross_entropy_with_logits as bce
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from lookalike.game.batch import Batch
from lookalike.game.gan import GAN
from lookalike.game.nets.anogan import Anogan
from lookalike.game.source import Source
from lookalike.game.train import step
from lookalike.methods import METHODS
from lookalike.runs.presets import PRESETS
from machine import save

BATCH, EMA, STEPS, ROUNDS = PRESETS["small"]["batch"], PRESETS["small"]["ema"], 24, 15
GOAL = 1.05


def ours(gan: GAN, source: Source) -> Callable[[int], None]:
    """`train.step`, with its metrics, checks and seeded draws."""
    return lambda index: step(gan, source, index, BATCH) and None


def by_hand(gan: GAN, images: torch.Tensor) -> Callable[[int], None]:
    """The two updates as one would write them, G's with D's weights switched off, and torch's own averaging."""
    average = AveragedModel(gan.G, multi_avg_fn=get_ema_multi_avg_fn(EMA), use_buffers=True)
    G, D, opt_g, opt_d = gan.G.train(), gan.D.train(), gan.opt_g, gan.opt_d
    one, zero = torch.ones(BATCH), torch.zeros(BATCH)

    def judge(x: torch.Tensor) -> torch.Tensor:
        return D(Batch(x, None, None, None)).realness

    def run(_index: int) -> None:
        x = images[torch.randint(len(images), (BATCH,))].float() / 127.5 - 1
        with torch.no_grad():
            fake = G(torch.randn(BATCH, 100))
        opt_d.zero_grad()
        (bce(judge(x), one) + bce(judge(fake), zero)).backward()
        opt_d.step()
        D.requires_grad_(requires_grad=False)
        opt_g.zero_grad()
        bce(judge(G(torch.randn(BATCH, 100))), one).backward()
        opt_g.step()
        D.requires_grad_(requires_grad=True)
        average.update_parameters(G)

    return run


def seconds(run: Callable[[int], None]) -> float:
    """Time of STEPS steps, per step."""
    began = time.perf_counter()
    for index in range(STEPS):
        run(index)
    return (time.perf_counter() - began) / STEPS


def main() -> None:
    """Measures and saves."""
    torch.set_num_threads(2)
    images = torch.randint(0, 256, (6000, 1, 32, 32), dtype=torch.uint8)
    method = METHODS["anogan"].but(net=Anogan(width=8))
    players = {"ours": GAN(method, (1, 32, 32), ema=EMA), "by hand": GAN(method, (1, 32, 32))}
    source = Source(images, torch.zeros(len(images), dtype=torch.int64), None, 0)
    runs = {"ours": ours(players["ours"], source), "by hand": by_hand(players["by hand"], images)}
    for run in runs.values():
        seconds(run)
    rounds = [{name: seconds(run) for name, run in runs.items()} for _ in range(ROUNDS)]
    ratio = statistics.median(r["ours"] / r["by hand"] for r in rounds)
    medians = {f"{name} ms": round(1000 * statistics.median(r[name] for r in rounds), 2) for name in runs}
    save("train_step", {"ratio": round(ratio, 3), "goal": GOAL, **medians, "rounds": ROUNDS, "steps a round": STEPS})


if __name__ == "__main__":
    main()
