"""GANs that train on the processes of torchrun: `torchrun --nproc-per-node 2 tests/together.py FOLDER`.

In float64, where means over two halves and over the whole differ by their rounding alone: Adam divides by the size of a
gradient, so in float32 the bias before a batch norm, whose gradient is 0 but for rounding, goes wherever rounding says.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from lookalike.base.ranks import ALONE, Ranks, joined
from lookalike.base.seeds import generator
from lookalike.game.gan import GAN
from lookalike.game.latents import Normal
from lookalike.game.nets.anogan import Anogan
from lookalike.game.nets.dcgan import Dcgan
from lookalike.game.nets.pyramid import Pyramid
from lookalike.game.nets.resnet import Resnet
from lookalike.game.source import Source
from lookalike.game.splitting import Splitting
from lookalike.game.train import train
from lookalike.methods import METHODS
from lookalike.methods.vtgan import Weakened

SHAPE, CLASSES, BATCH, STEPS = (1, 8, 8), 3, 8, 50
NETS: dict[str, Any] = {
    "mcgan": Dcgan(width=4),
    "vtgan": Anogan(width=4),
    "acgan": Dcgan(width=4),
    "auto-gan": Pyramid(width=8),
    "ali": Dcgan(width=4),
    "wgan-gp": Resnet(width=4),
    "sn-binary": Resnet(width=4),
    "k-plus-one": Resnet(width=4),
    "splitting": Resnet(width=4),
}
AGAIN = ("vtgan", "wgan-gp")


def on_two_processes(*argv: str) -> subprocess.CompletedProcess[str]:
    """What torchrun with two processes prints; an error where one of them fails."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", *argv]
    return subprocess.run(command, capture_output=True, text=True, timeout=600, check=True)


@contextmanager
def in_float64() -> Iterator[None]:
    """Within the block new tensors are float64, and torch has one thread."""
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


def trained(name: str, ranks: Ranks = ALONE) -> dict[str, torch.Tensor]:
    """All tensors of the GAN after 50 steps, with batch norms over the images of all processes."""
    twins = tuple(replace(twin, method=Weakened(12)) for twin in METHODS[name].twins)
    method = METHODS[name].but(net=NETS[name], latent=Normal(8), twins=twins)
    if method.splitting:
        method = method.but(splitting=Splitting(at=(64, 240), above=0.1))
    known, others = (torch.rand(n, *SHAPE, generator=generator(part)) * 2 - 1 for part, n in (("a", 24), ("b", 20)))
    source = Source(known, torch.arange(24) % CLASSES, others, 3, ranks=ranks)
    gan = GAN(method, SHAPE, classes=CLASSES, ema=0.9)
    if ranks.size > 1:
        gan.share_norms(ranks)
    for _ in train(gan, source, images=BATCH * STEPS, batch=BATCH):
        pass
    return gan.state(training=True)


def main() -> None:
    """Every process writes the tensors that it has, in a file of its own."""
    with in_float64(), joined("cpu") as ranks:
        for place, names in (("first", NETS), ("again", AGAIN)):
            for name in names:
                save_file(trained(name, ranks), Path(sys.argv[1]) / f"{place}-{name}-{ranks.rank}.safetensors")


if __name__ == "__main__":
    main()
