"""One script for a GPU: checks, measurements, then a training of preset paper until the time is up.

    LOOKALIKE_DATA=FOLDER python benchmarks/gpu.py --out runs/gpu
    python benchmarks/gpu.py --out runs/gpu-tiny --device cpu --tiny --data digits --minutes 0.5

FOLDER holds CIFAR-10's binary files. Every part writes its own file below --out, and a part whose file is there is not
done again; the training goes on from its checkpoint. So the same command goes on where it stopped. gpu.json, the last
file, has all parts with the card's name and the facts of the machine. Exit code 1: a check failed.

Checks: the CPU and the card have nearly equal losses and images after 20 steps from the same weights; a training that
was saved and loaded has the bits of one that went through; what the card saved gives the same images on the CPU; a step
makes the host wait for nothing. Measurements: images a second in training, with and without rounding, beside the same
two updates in bare torch; of the latent search, an encoder and D's realness; peak memory; the share of time in kernels.
The training is `sn-projection` of `lookalike table kplus1-2020/cifar-10 --preset paper`, seed 0.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import relu, softplus
from torch.utils._python_dispatch import TorchDispatchMode

from lookalike.base import checkpoint, files, interrupts
from lookalike.data.sources import open_source
from lookalike.detect.frozen import FrozenGAN
from lookalike.detect.search import Search
from lookalike.game.batch import Batch
from lookalike.game.gan import GAN
from lookalike.game.method import Method
from lookalike.game.nets.dcgan import Dcgan
from lookalike.game.nets.resnet import Resnet
from lookalike.game.score import EncoderPass, Realness
from lookalike.game.source import Source
from lookalike.game.train import train, turn
from lookalike.methods import METHODS
from lookalike.runs.folder import CHECKPOINTS
from lookalike.runs.run import run
from lookalike.runs.training import exact, resident, rounding
from lookalike.studies.tables.quality import QUALITY
from lookalike.studies.tables.quality_trial import QualityTrial
from machine import facts

Found = dict[str, Any]
STEPS = 20  # of a check
NEAR = 0.05  # by which losses, and pixels in [-1, 1], may differ between the CPU and the card
MARGIN = 20.0  # seconds of the time in which the training saves and the program ends
RESULT = "gpu"


@dataclass(frozen=True)
class Scale:
    """Sizes of all parts."""

    check: int  # width of the networks that are checked
    dcgan: tuple[int, int]  # side and width
    resnet: tuple[int, int]
    batch: int
    steps: int  # that are timed
    scored: int  # images
    searched: int  # steps
    training: Mapping[str, Any]  # settings of the training that are not the table's


FULL = Scale(32, (64, 64), (32, 128), 64, 60, 2048, 500, {})
TINY = Scale(4, (16, 4), (8, 4), 8, 3, 8, 5, {"width": 4, "batch": 8, "images": 100_000})


def gan_of(method: Method, side: int, device: str, **more: Any) -> GAN:
    """A GAN of ten classes of images in colour, whose host runs ahead on the CPU too."""
    return GAN(method, (3, side, side), device=device, classes=10, ahead=True, **more)


def source_of(side: int, device: str, n: int = 2048) -> Source:
    """Random images in colour, where a training has them."""
    random = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (n, 3, side, side), dtype=torch.uint8, generator=random)
    return resident(Source(images, torch.arange(n) % 10, None, 0, torch.device(device)))


def checked(scale: Scale) -> tuple[Method, int]:
    """The method and the side of all checks."""
    return METHODS["sn-projection"].but(net=Resnet(scale.check, pool="sum")), scale.resnet[0]


def near(device: str, scale: Scale, out: Path) -> Found:
    """Losses and images after some steps of the CPU and of the device, from the same weights."""
    (method, side), ends = checked(scale), []
    start = gan_of(method, side, "cpu").state(training=True)
    z, y = torch.randn(16, method.latent.z_dim, generator=torch.Generator().manual_seed(0)), torch.arange(16) % 10
    for place in ("cpu", device):
        gan = gan_of(method, side, place)
        gan.load(start, training=True)
        with rounding(tf32=False):
            *_, last = train(gan, source_of(side, place), images=STEPS * scale.batch, batch=scale.batch)
        ends.append((last.metrics, gan.generate(z, y).cpu()))
    (a, one), (b, other) = ends
    names = [name for name in a if name.rpartition(".")[2] in {loss.name for loss in method.losses}]
    losses = max(abs(a[name] - b[name]) / max(1.0, abs(a[name])) for name in names)
    pixels = float((one - other).abs().mean())
    return {"ok": losses < NEAR and pixels < NEAR, "losses": losses, "pixels": pixels}


def resumed(device: str, scale: Scale, out: Path) -> Found:
    """Whether a training that was stored and loaded has the bits of one that went through."""
    (method, side), batch = checked(scale), scale.batch
    source, gans = source_of(side, device), [gan_of(method, side, device) for _ in range(3)]
    with exact():
        list(train(gans[0], source, images=STEPS * batch, batch=batch))
        list(train(gans[1], source, images=STEPS // 2 * batch, batch=batch))
        gans[2].load(gans[1].state(training=True), training=True)
        list(train(gans[2], source, images=STEPS * batch, batch=batch, start=STEPS // 2))
    whole, again = gans[0].state(training=True), gans[2].state(training=True)
    other = [name for name, value in whole.items() if not torch.equal(value, again[name])]
    return {"ok": not other, "tensors": len(whole), "other bits": other[:5]}


def stored(device: str, scale: Scale, out: Path) -> Found:
    """How far the images of a GAN that the device saved are from its own, once the CPU has loaded it."""
    method, side = checked(scale)
    gan, folder = gan_of(method, side, device, ema=0.9), files.make_folder(out / "stored")
    list(train(gan, source_of(side, device), images=STEPS * scale.batch, batch=scale.batch))
    checkpoint.save_checkpoint(
        folder, STEPS, gan.state(training=True), {"step": STEPS, "images": STEPS, "seconds": 0.0}
    )
    found = checkpoint.newest_checkpoint(folder, print)
    assert found is not None, "it was just saved"
    again = GAN(method, gan.shape, classes=10, ema=0.9)
    again.load(found[0], training=True)
    z, y = torch.randn(16, method.latent.z_dim), torch.arange(16) % 10
    pixels = float((gan.generate(z, y).cpu() - again.generate(z, y)).abs().max())
    return {"ok": pixels < NEAR, "pixels": pixels}


def waits(device: str, scale: Scale, out: Path) -> Found:
    """What makes the host wait in a step: on CUDA by its own warnings, on a CPU by the operations that would."""
    # on a CPU the number of classes is counted anew, from labels that are there on a card too
    method, side = (
        METHODS["sn-binary"].but(net=Resnet(scale.check)) if device == "cpu" else checked(scale)[0],
        scale.resnet[0],
    )
    gan, source = gan_of(method, side, device), source_of(side, device)
    for index in range(3):
        turn(gan, source, index, STEPS, scale.batch)
    with _waits(gan.device) as found:
        turn(gan, source, 3, STEPS, scale.batch)
    return {"ok": not found, "waits": sorted(set(found))}


@contextmanager
def _waits(device: torch.device) -> Iterator[list[str]]:
    """What made the host wait within the block."""
    found: list[str] = []
    if device.type != "cuda":
        with _Asked(found):
            yield found
        return
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("warn")
    try:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            yield found
    finally:
        torch.cuda.set_sync_debug_mode("default")
    found += [f"{Path(one.filename).name}:{one.lineno}" for one in said if "synchroniz" in str(one.message)]


class _Asked(TorchDispatchMode):
    """Notes each operation that asks for a value of a tensor."""

    def __init__(self, found: list[str]) -> None:
        super().__init__()
        self.found = found

    def __torch_dispatch__(self, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if operation is torch.ops.aten._local_scalar_dense.default:  # noqa: SLF001 - its name
            self.found.append(str(operation))
        return operation(*args, **(kwargs or {}))


CHECKS: dict[str, Callable[[str, Scale, Path], Found]] = {
    "near": near, "resumed": resumed, "stored": stored, "waits": waits,
}  # fmt: skip


def games(device: str, scale: Scale, out: Path) -> Found:
    """Images a second of trainings, ours and by hand, and what they take."""
    ways: Found = {}
    nets = {
        "dcgan": (METHODS["anogan"].but(net=Dcgan(scale.dcgan[1])), scale.dcgan[0]),
        "resnet": (METHODS["sn-binary"].but(net=Resnet(scale.resnet[1], pool="sum")), scale.resnet[0]),
    }
    for name, (method, side) in nets.items():
        for how, dtype in {"float32": torch.float32, "tf32": torch.float32, "bfloat16": torch.bfloat16}.items():
            source, batch = source_of(side, device), scale.batch
            gan = gan_of(method, side, device)
            with rounding(tf32=how == "tf32"):
                ways[f"{name} {side}, {how}"] = timed(ours(gan, source, batch, dtype), device, scale)
                if how != "bfloat16":
                    hand = by_hand(gan_of(method, side, device), source, batch)
                    ways[f"{name} {side}, {how}, by hand"] = timed(hand, device, scale)
    return ways


def ours(gan: GAN, source: Source, batch: int, dtype: torch.dtype) -> Callable[[int], None]:
    """A step of a long training, whose figures nobody reads."""
    return lambda index: turn(gan, source, index, 10**6, batch, dtype) and None


def by_hand(gan: GAN, source: Source, batch: int) -> Callable[[int], None]:
    """The two updates as one would write them in bare torch, with a fused Adam and without any check."""
    G, D, device = gan.G.train(), gan.D.train(), gan.device
    images, z = source.known.to(device), gan.method.latent.z_dim
    opt_g, opt_d = (torch.optim.Adam(net.parameters(), lr=1e-4, fused=True) for net in (G, D))
    hinge = gan.method.losses[0].name == "hinge"

    def judge(x: Tensor) -> Tensor:
        realness: Tensor = D(Batch(x, None, None, None)).realness
        return realness

    def step(_index: int) -> None:
        x = images[torch.randint(len(images), (batch,), device=device)].float() / 127.5 - 1
        with torch.no_grad():
            fake = G(torch.randn(batch, z, device=device))
        opt_d.zero_grad()
        real, made = judge(x), judge(fake)
        (relu(1 - real) + relu(1 + made) if hinge else softplus(-real) + softplus(made)).mean().backward()
        opt_d.step()
        D.requires_grad_(requires_grad=False)
        opt_g.zero_grad()
        made = judge(G(torch.randn(batch, z, device=device)))
        (-made if hinge else softplus(-made)).mean().backward()
        opt_g.step()
        D.requires_grad_(requires_grad=True)

    return step


def timed(step: Callable[[int], None], device: str, scale: Scale) -> Found:
    """Images a second of a step, its peak memory, and the share of its time that kernels take; both on CUDA alone."""
    on_card = device != "cpu"
    for index in range(5):
        step(index)
    if on_card:
        torch.cuda.reset_peak_memory_stats()
    found: Found = {"images a second": round(scale.batch * scale.steps / spent(step, device, scale.steps), 1)}
    if on_card:
        found["peak memory, MB"] = round(torch.cuda.max_memory_allocated() / 2**20)
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profile:
            wall = spent(step, device, 10)
        kernels = sum(event.self_device_time_total for event in profile.key_averages())  # microseconds
        found["share in kernels"] = round(kernels / 1e6 / wall, 3)
    return found


def spent(step: Callable[[int], None], device: str, steps: int) -> float:
    """Seconds of some steps."""
    wait = torch.cuda.synchronize if device != "cpu" else lambda: None
    wait()
    began = time.perf_counter()
    for index in range(steps):
        step(index)
    wait()
    return time.perf_counter() - began


def scores(device: str, scale: Scale, out: Path) -> Found:
    """Images a second of the latent search, of one pass of an encoder, and of D's realness."""
    side, width = scale.dcgan[0], scale.resnet[1]
    x = torch.rand(scale.scored, 3, side, side) * 2 - 1
    search = Search(steps=scale.searched, patience=scale.searched + 1, batch=512 if device != "cpu" else 32)
    plain = FrozenGAN(gan_of(METHODS["anogan"].but(net=Dcgan(scale.dcgan[1])), side, device), search, None)
    encoding = FrozenGAN(gan_of(METHODS["f-anogan"].but(net=Resnet(width)), side, device), search, None)
    ways: dict[str, Callable[[int], Any]] = {
        f"search, {scale.searched} steps": lambda _: plain.search(x),
        "encoder": lambda _: EncoderPass().of(encoding, x, {}),
        "realness": lambda _: Realness().of(plain, x, {}),
    }
    for way in ways.values():
        way(0)
    return {name: {"images a second": round(len(x) / spent(way, device, 1), 1)} for name, way in ways.items()}


MEASURES: dict[str, Callable[[str, Scale, Path], Found]] = {"games": games, "scores": scores}


def trained(data: str, device: str, scale: Scale, out: Path, seconds: float) -> Found:
    """Trains for so many seconds, from the newest checkpoint on; returns how many images were shown so far."""
    table = next(table for table in QUALITY if table.name == "kplus1-2020/cifar-10")
    side = table.sides.get(data, scale.resnet[0])
    images = table.images.get(data, scale.training.get("images"))
    trial = QualityTrial(data, "sn-projection", 0, preset="paper", side=side, images=images)
    settings = trial.train_settings(open_source(data).classes).model_copy(update={"device": device, **scale.training})
    folder = trial.folder(out / "trainings") / "run"
    folder.parent.mkdir(parents=True, exist_ok=True)
    before, began, clock = shown(folder), time.monotonic(), threading.Timer(
        max(0.0, seconds), os.kill, (os.getpid(), signal.SIGTERM)
    )  # fmt: skip
    with interrupts.handlers_kept():
        interrupts.stop_on_signals()
        clock.start()
        try:
            run(data, settings, folder, command=(f"python benchmarks/gpu.py --device {device}",))
        except interrupts.Stopped as stop:
            print(stop, flush=True)
        clock.cancel()
    after, took = shown(folder), time.monotonic() - began
    return {"images": after, "of": settings.images, "images a second": round((after - before) / took, 1)}


def shown(folder: Path) -> int:
    """How many images a training had been shown at its newest checkpoint."""
    found = checkpoint.newest_checkpoint(folder / CHECKPOINTS, print)
    return int(found[1]["images"]) if found else 0


def main() -> int:
    """Does what is missing, writes gpu.json, and says whether all checks hold."""
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("--out", type=Path, default=Path("runs/gpu"))
    given.add_argument("--device", default="cuda")
    given.add_argument("--data", default="cifar-10")
    given.add_argument("--minutes", type=float, default=8.0)
    given.add_argument("--tiny", action="store_true")
    asked, began = given.parse_args(), time.monotonic()
    scale, out = TINY if asked.tiny else FULL, files.make_folder(asked.out)
    found = {}
    for name, part in {**CHECKS, **MEASURES}.items():
        place = out / f"{name}.json"
        if not place.exists():
            files.write_json(place, part(asked.device, scale, out))
        found[name] = files.read_json(place)
        print(name, found[name], flush=True)
    left = 60 * asked.minutes - MARGIN * (not asked.tiny) - (time.monotonic() - began)
    found["training"] = trained(asked.data, asked.device, scale, out, left)
    card = torch.cuda.get_device_name() if asked.device != "cpu" else None
    files.write_json(out / f"{RESULT}.json", {"name": RESULT, "card": card, "machine": facts(), "results": found})
    print("training", found["training"], flush=True)
    return 0 if all(found[name]["ok"] for name in CHECKS) else 1


if __name__ == "__main__":
    sys.exit(main())
