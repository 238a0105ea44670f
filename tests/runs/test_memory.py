"""Out of memory: the line names a batch that would fit, the exit code is 7, and checkpoints stay as they were."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
import torch
from tiny import settings, train

from lookalike.base import checkpoint
from lookalike.base.errors import ResourceError
from lookalike.game.gan import GAN
from lookalike.runs import memory
from lookalike.runs import run as runs
from lookalike.runs.plan import make
from lookalike.runs.settings import train_settings

LIMITED = """
import resource, sys
import lookalike.runs.run
from lookalike.faces.cli import main
size = next(line for line in open("/proc/self/status") if line.startswith("VmSize"))
limit = 1024 * int(size.split()[1]) + 150 * 2**20
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
sys.exit(main(sys.argv[1:]))
"""
LARGE = {"width": 32, "batch": 8192, "images": 32768, "calibration": 0.0}


def limited(argv):
    """A command whose process may take 150 MB more than it has after its imports; exit code and its last line."""
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, *argv], capture_output=True, text=True, check=False, timeout=300
    )
    return done.returncode, done.stderr.splitlines()[-1]


def flags(**values):
    """The same on the command line."""
    return [f"--{name}={value}" for name, value in values.items()]


@pytest.mark.skipif(sys.platform != "linux", reason="the limit and /proc are Linux's")
def test_under_a_real_limit_the_named_batch_fits(tmp_path):
    """A checkpoint made with more memory stays to the byte, and the batch that the line names trains in the limit."""
    given = train_settings(**settings(**LARGE, save_every=1))

    def stops(stage, done, of):
        if done == 8192:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        runs.run("digits", given, tmp_path / "run", report=stops)
    (saved,) = (tmp_path / "run" / "checkpoints").iterdir()
    before = saved.read_bytes()
    code, line = limited(train(tmp_path / "run", *flags(**LARGE), "--save-every=1"))
    found = re.fullmatch(
        r"error: out of memory in step 2 of 4, with a batch of 8192; (\d+) would fit \(--batch \1\), in another "
        r"folder \(-o\), or the same command where there is more memory, which goes on from the last checkpoint",
        line,
    )
    assert code == 7 and found, line
    assert list((tmp_path / "run" / "checkpoints").iterdir()) == [saved] and saved.read_bytes() == before
    batch = int(found[1])
    assert 64 <= batch < 8192
    few = LARGE | {"batch": batch, "images": 2 * batch}
    assert limited(train(tmp_path / "fits", *flags(**few)))[0] == 0
    assert checkpoint.load_model(tmp_path / "fits")[1]["training"]["images"] == 2 * batch


def game(method="anogan", batch=64):
    """A GAN, its source, and the arguments of a step."""
    plan = make("digits", train_settings(**settings(method, batch=batch, known=("3", "8"), pooled=True)))
    gan = GAN(plan.recipe.method, plan.images.shape, seed=0, device="cpu", classes=1)
    return gan, plan.source(), 0, 4, batch, torch.float32


def without_memory(monkeypatch, above, free=2**40):
    """Steps with a larger batch than `above` find no memory, and no more than `free` bytes are to be had."""
    honest, empty = memory.turn, torch.empty

    def turn(gan, source, index, steps, batch, precision):
        if batch > above:
            raise MemoryError
        return honest(gan, source, index, steps, batch, precision)

    def bounded(size, **how):
        if size > free:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        return empty(0, **how)

    monkeypatch.setattr(memory, "turn", turn)
    monkeypatch.setattr(memory.torch, "empty", bounded)


def kept(*step):
    """Bytes that a step keeps."""
    found = memory.Kept()
    with found:
        memory.turn(*step)
    assert found.now == 0
    return found.most


def test_what_a_step_keeps_grows_with_the_batch_alone():
    """From 16 to 32 images by as much as from 32 to 64, of which half goes to images and the rest to layers."""
    gan, source, *_ = game()
    sizes = [kept(gan, source, 0, 4, n, torch.float32) for n in (16, 32, 64)]
    assert 2 * (sizes[1] - sizes[0]) == pytest.approx(sizes[2] - sizes[1], rel=0.02)
    assert sizes[0] > 16 * 64 * 4


@pytest.mark.parametrize("fits", [4, 8, 32])
def test_the_largest_half_whose_need_is_free_is_named(fits, monkeypatch):
    """As many bytes are free as twice those of a step with the batch, and a little more."""
    step = game()
    gan, source, *_ = step
    need = kept(gan, source, 0, 4, fits, torch.float32)
    without_memory(monkeypatch, above=4, free=int(2.1 * need))
    with pytest.raises(ResourceError) as caught:
        memory.turned(*step)
    assert str(caught.value) == (
        f"out of memory in step 1 of 4, with a batch of 64; {fits} would fit (--batch {fits}), in another folder (-o)"
    )


@pytest.mark.parametrize(("batch", "above", "free"), [(4, 1, 2**40), (64, 1, 2**40), (64, 4, 1000)])
def test_where_no_batch_is_known_to_fit_other_flags_are_named(batch, above, free, monkeypatch):
    """No smaller batch has two images of each kind, even small steps fail, or there is no memory at all."""
    step = game(batch=batch)
    without_memory(monkeypatch, above, free)
    with pytest.raises(ResourceError, match="; try a smaller --batch, --size or --width, in another folder"):
        memory.turned(*step)


def test_steps_are_those_of_train_until_memory_ends(monkeypatch):
    """Without an error the same bits; with one the steps before it were yielded, and the error counts them."""
    (one, source, *_), (other, _, *_) = game(), game()
    mine = list(memory.trained(one, source, images=256, batch=64, start=1, precision=torch.float32))
    theirs = list(memory.train(other, source, images=256, batch=64, start=1))
    assert [p.step for p in mine] == [2, 3, 4] and mine == theirs
    honest, calls = memory.train, []

    def ends(*args, **how):
        for progress in honest(*args, **how):
            yield progress
            calls.append(progress)
            if len(calls) == 2:
                raise MemoryError

    monkeypatch.setattr(memory, "train", ends)
    steps = memory.trained(one, source, images=256, batch=64, start=0, precision=torch.float32)
    assert [next(steps).step, next(steps).step] == [1, 2]
    with pytest.raises(ResourceError, match=r"out of memory in step 3 of 4, .* goes on from the last checkpoint"):
        next(steps)
