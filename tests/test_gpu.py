"""The prepared script of a GPU, benchmarks/gpu.py, at a tiny scale on the CPU."""

from __future__ import annotations

import json
import os
import signal
import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from test_project import ROOT, load

from lookalike.runs.run import run

sys.path.insert(0, str(ROOT / "benchmarks"))
gpu = load(ROOT / "benchmarks" / "gpu.py")


@pytest.mark.parametrize("name", gpu.CHECKS)
def test_each_check_holds_on_the_cpu(name, tmp_path):
    """CPU and CPU agree, a resumed training has the same bits, a stored one makes the same images, nothing waits."""
    assert gpu.CHECKS[name]("cpu", gpu.TINY, tmp_path)["ok"] is True


def test_checks_see_what_is_wrong(tmp_path, monkeypatch):
    """Other images on the second device, weights that are lost, and a step that reads a value fail the checks."""
    seeds = iter(range(9))
    source_of, turn = gpu.source_of, gpu.turn
    with monkeypatch.context() as other:
        other.setattr(gpu, "source_of", lambda *of: replace(source_of(*of), seed=next(seeds)))
        other.setattr(gpu, "NEAR", 1e-4)
        assert gpu.near("cpu", gpu.TINY, tmp_path)["ok"] is False
    with monkeypatch.context() as other:
        other.setattr(gpu.GAN, "load", lambda *of, **how: None)
        assert gpu.resumed("cpu", gpu.TINY, tmp_path)["ok"] is False
        assert gpu.stored("cpu", gpu.TINY, tmp_path)["ok"] is False
    with monkeypatch.context() as other:
        other.setattr(gpu, "turn", lambda *of: turn(*of) and torch.ones(()).item())
        assert gpu.waits("cpu", gpu.TINY, tmp_path)["ok"] is False


class Never:
    """A timer that does not go off."""

    def __init__(self, *_):
        pass

    start = cancel = __init__


def stopped_after(images):
    """`run` that gets SIGTERM once its training was shown so many images more."""

    def told(data, settings, folder, **how):
        began = []

        def report(stage, done, _of):
            if stage == "training":
                began.append(done)
                if done - began[0] >= images:
                    os.kill(os.getpid(), signal.SIGTERM)

        return run(data, settings, folder, report=report, **how)

    return told


def test_the_script_goes_on_where_it_stopped(tmp_path, monkeypatch):
    """Parts with a file are not done again, the training goes on, and gpu.json has all of it with the machine."""
    argv = ["gpu.py", "--out", str(tmp_path), "--device", "cpu", "--tiny", "--data", "digits"]
    monkeypatch.setattr(sys, "argv", argv)
    monkeypatch.setattr(gpu, "MEASURES", {})
    monkeypatch.setattr(gpu, "threading", SimpleNamespace(Timer=Never))
    monkeypatch.setattr(gpu, "run", stopped_after(40))
    found = []
    for check, code in ((lambda *of: {"ok": True}, 0), (None, 0), (lambda *of: {"ok": False}, 1)):
        monkeypatch.setattr(gpu, "CHECKS", {"near": check})  # None cannot be called: its file is there
        assert gpu.main() == code
        found.append(json.loads((tmp_path / "gpu.json").read_text())["results"])
        if check is None:
            (tmp_path / "near.json").unlink()
    assert [one["near"]["ok"] for one in found] == [True, True, False]
    shown = [one["training"]["images"] for one in found]
    assert 40 <= shown[0] < shown[1] < shown[2] < found[0]["training"]["of"]
