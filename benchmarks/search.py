"""The latent search: images per second against one image at a time, and a step against a bare batched loop.

    python benchmarks/search.py

Goals: at least 20 times as many images per second as one image at a time, and a step at most 1.10 times a bare
batched loop with frozen networks. "One at a time" is a plain loop as public AnoGAN code has it (a batch of one, all of
D run, weights not frozen); beside it stands the same loop with frozen weights and D cut at f. All take as many
steps, without early stop, in turn in one run; medians over rounds. Networks of preset small, 32 px grey.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from lookalike.detect.search import Inverter, Search
from lookalike.game.gan import GAN
from lookalike.game.nets.anogan import Anogan
from lookalike.methods import METHODS
from machine import save

STEPS, IMAGES, ROUNDS = 50, 256, 5


def bare(G: nn.Module, D: Callable[[Tensor], tuple[Tensor, Tensor]], x: Tensor) -> None:
    """STEPS Adam steps on z for the batch x, on eq. 5, as one would write them; D gives (f(x), rest)."""
    z = torch.randn(len(x), 100, requires_grad=True)
    optimiser = torch.optim.Adam([z], lr=0.05)
    with torch.no_grad():
        fx, _ = D(x)
    for _ in range(STEPS):
        y = G(z)
        fy, _ = D(y)
        loss = 0.8 * (x - y).abs().sum() + 0.2 * (fx - fy).abs().sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


def per_image(run: Callable[[], None], images: int) -> float:
    """Seconds per image."""
    began = time.perf_counter()
    run()
    return (time.perf_counter() - began) / images


def main() -> None:
    """Measures and saves."""
    torch.set_num_threads(2)
    gan = GAN(METHODS["anogan"].but(net=Anogan(width=8)), (1, 32, 32))
    settings = Search(steps=STEPS, patience=STEPS + 1)
    inverter = Inverter(gan, settings)
    x = torch.rand(IMAGES, 1, 32, 32) * 2 - 1
    trunk = gan.D.trunk.eval()

    def whole(image: Tensor) -> tuple[Tensor, Tensor]:
        early = trunk[:2](image)
        return early, gan.D.layers(trunk[2:](early))

    def cut(image: Tensor) -> tuple[Tensor, Tensor]:
        return inverter.f(image), image

    gan.G.eval()
    few = x[:4]
    runs: dict[str, tuple[Callable[[], None], int]] = {
        "ours": (lambda: inverter.search(x) and None, IMAGES),
        "bare batched": (lambda: [bare(inverter.G, cut, part) for part in x.split(settings.batch)] and None, IMAGES),
        "one at a time": (lambda: [bare(gan.G, whole, part) for part in few.split(1)] and None, len(few)),
        "one at a time, frozen": (lambda: [bare(inverter.G, cut, part) for part in few.split(1)] and None, len(few)),
    }
    for run, images in runs.values():
        per_image(run, images)
    rounds = [{name: per_image(run, images) for name, (run, images) in runs.items()} for _ in range(ROUNDS)]

    def ratio(a: str, b: str) -> float:
        return round(statistics.median(r[a] / r[b] for r in rounds), 3)

    milliseconds = {
        f"{name}, ms per image and step": round(1000 * statistics.median(r[name] for r in rounds) / STEPS, 4)
        for name in runs
    }
    save(
        "search",
        {
            "times faster than one at a time": ratio("one at a time", "ours"),
            "times faster than one at a time, frozen": ratio("one at a time, frozen", "ours"),
            "goal faster": 20,
            "step against bare batched": ratio("ours", "bare batched"),
            "goal step": 1.10,
            **milliseconds,
            "rounds": ROUNDS,
        },
    )


if __name__ == "__main__":
    main()
