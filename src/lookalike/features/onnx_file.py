"""A backbone from an ONNX file, which onnxruntime runs on the CPU; docs/backbones.md says how to export one.

Such a file cannot name Python code. It must be whole, and its outputs must depend on the image alone.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from re import fullmatch
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lookalike.base.errors import ModelError, UsageError, show
from lookalike.base.files import open_regular, read_bytes
from lookalike.features.backbone import Origin, Tap
from lookalike.features.onnx_check import refuse_outside

LIMIT = 2**31 - 1  # bytes; protobuf has no larger messages
MOST_TAPS = 64
PROBE = (224, 448)  # (H, W) of the image that strides are read from; transformers want multiples of 14 or 16
SMALL = 64  # pixels, the least side of the images that try whether blocks change anything
ALIKE = 1e-4  # share of a map's largest value by which an image may differ, alone and in a block
FLOATS = "tensor(float)"
MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)  # ImageNet's, of values from 0 to 255
EXPORT = "export it again (docs/backbones.md)"


@dataclass(frozen=True, eq=False)
class OnnxFile:
    """See `Backbone`; `opened` makes it.

    Parameters
    ----------
    name : str
        The absolute path of the file.
    mean, std : Tensor
        (3, 1, 1) of the images that the network was trained on; their values go from 0 to 255.
    session : Session
        Runs the file.
    """

    name: str
    origin: Origin
    taps: tuple[Tap, ...]
    multiple: int
    size: tuple[int, int] | None
    mean: Tensor
    std: Tensor
    session: Session

    def maps(self, x: Tensor, taps: Sequence[Tap]) -> list[Tensor]:
        """See `Backbone.maps`. Raises ModelError where the file cannot be run, or gives maps of another shape."""
        found = self.session.run([tap.name for tap in taps], (x - self.mean) / self.std)
        for tap, m in zip(taps, found, strict=True):
            wanted = (len(x), tap.channels, x.shape[2] // tap.stride, x.shape[3] // tap.stride)
            if tuple(m.shape) != wanted:
                raise ModelError(
                    f"{self.origin.source}: output {tap.name} has the shape {tuple(m.shape)} of images "
                    f"{tuple(x.shape)}, not {wanted}; {EXPORT}"
                )
        return found


class Session:
    """An ONNX file in onnxruntime, with as many threads as torch has.

    Parameters
    ----------
    path : Path
        The file.
    data : bytes
        What is in it.

    Raises
    ------
    ModelError
        For a file that onnxruntime cannot read.
    """

    def __init__(self, path: Path, data: bytes) -> None:
        self.path, self.sha256, self.what = path, sha256(data).hexdigest(), show(path.name)
        self._begin(data)

    def _begin(self, data: bytes) -> None:
        import onnxruntime

        self.threads = torch.get_num_threads()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = self.threads, 1
        options.log_severity_level = 4  # errors are raised
        options.add_session_config_entry(
            "session.load_model_format", "ONNX"
        )  # no other format, whatever its first bytes
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # torch needs the cores in between
        with self._told():
            self.of = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Raises ModelError for the errors of onnxruntime."""
        from onnxruntime.capi import onnxruntime_pybind11_state as state

        raised = tuple(kind for kind in vars(state).values() if isinstance(kind, type) and issubclass(kind, Exception))
        try:
            yield
        except raised as error:
            reason = show(" ".join(str(error).split()).rpartition("[ONNXRuntimeError] : ")[2], 300)
            raise ModelError(f"{self.what} cannot be run by onnxruntime ({reason}); {EXPORT}") from error

    def run(self, names: Sequence[str], x: Tensor) -> list[Tensor]:
        """These outputs of normalised images (N, 3, H, W) float32."""
        if self.threads != torch.get_num_threads():
            data = read_bytes(self.path, LIMIT)
            if sha256(data).hexdigest() != self.sha256:
                raise ModelError(f"{show(self.path)} has changed since it was opened; restore it")
            self._begin(data)
        with self._told():
            found = self.of.run(list(names), {self.of.get_inputs()[0].name: x.contiguous().numpy()})
        return [torch.from_numpy(m) for m in found]


def opened(path: Path) -> OnnxFile:
    """The backbone in a file; one that is open already, and has not changed, is not read again.

    Raises
    ------
    UsageError
        Where onnxruntime is not installed.
    ModelError
        For a file that cannot be read, or cannot be a backbone.
    """
    if find_spec("onnxruntime") is None:
        raise UsageError(f"{show(path.name)}: ONNX files need onnxruntime; pip install onnxruntime, or take lite0")
    return _opened(path.absolute(), stamp(path))


def stamp(path: Path) -> tuple[int, int]:
    """Size and time of a file, which change with it; raises ModelError for what is no file."""
    with open_regular(path) as handle:
        facts = os.fstat(handle.fileno())
    return facts.st_size, facts.st_mtime_ns


@lru_cache(maxsize=4)
def _opened(path: Path, _stamp: tuple[int, int]) -> OnnxFile:
    data, what = read_bytes(path, LIMIT), show(path.name)
    refuse_outside(data, what)
    session = Session(path, data)
    size = _size(session.of.get_inputs(), what)
    mean, std = _scaling(session.of.get_modelmeta().custom_metadata_map, what)
    taps = _taps(session, size or PROBE, what)
    multiple = 1 if size else math.lcm(*(tap.stride for tap in taps))
    origin = Origin(what, "its author's", session.sha256)
    made = OnnxFile(str(path), origin, taps, multiple, size, mean, std, session)
    _refuse_blocks(made)
    return made


def _size(inputs: Sequence[Any], what: str) -> tuple[int, int] | None:
    """(H, W) of the images, None where any are accepted. Raises ModelError for another input than images."""
    shape: Sequence[Any] = inputs[0].shape if len(inputs) == 1 and inputs[0].type == FLOATS else ()
    free = [not isinstance(n, int) for n in shape]
    if len(shape) != 4 or not free[0] or shape[1] != 3 or free[2] != free[3]:
        given = ", ".join(f"{show(one.name, 40)} {one.type} {show(one.shape, 80)}" for one in inputs)
        raise ModelError(
            f"{what} takes {given or 'nothing'}, not one float32 input (N, 3, H, W) with free N, and H and W both free "
            f"or both fixed; {EXPORT}"
        )
    return None if free[2] else (shape[2], shape[3])


def _scaling(facts: dict[str, str], what: str) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation (3, 1, 1) that the file names, ImageNet's where it names none."""
    found = []
    for name, usual in (("mean", MEAN), ("std", STD)):
        text = facts.get(f"lookalike.{name}", ",".join(map(str, usual)))
        try:
            values = [float(part) for part in text.split(",")]
        except ValueError:
            values = []
        if len(values) != 3 or not all(map(math.isfinite, values)) or (name == "std" and min(values) <= 0):
            raise ModelError(
                f"{what}: lookalike.{name} is '{show(text, 60)}', not three numbers such as "
                f"{','.join(map(str, usual))}; {EXPORT}"
            )
        found.append(torch.tensor(values).reshape(3, 1, 1))
    return found[0], found[1]


def _taps(session: Session, size: tuple[int, int], what: str) -> tuple[Tap, ...]:
    """The outputs by rising stride. Raises ModelError where one is no map of the image."""
    outputs = session.of.get_outputs()
    if len(outputs) > MOST_TAPS:
        raise ModelError(f"{what} has {len(outputs)} outputs, more than {MOST_TAPS}; {EXPORT}")
    for one in outputs:
        if one.type != FLOATS or not fullmatch(r"[A-Za-z0-9_./:-]{1,80}", one.name):
            raise ModelError(
                f"{what}: output {show(one.name, 80)} is {one.type}; outputs are {FLOATS}, and have names of at most "
                f"80 letters, digits and ./:-; {EXPORT}"
            )
    names = [one.name for one in outputs]
    found = []
    for name, m in zip(names, session.run(names, torch.zeros(1, 3, *size)), strict=True):
        stride = _stride(m, size)
        if stride is None:
            raise ModelError(
                f"{what}: output {name} has the shape {tuple(m.shape)} of an image (1, 3, {size[0]}, {size[1]}); maps "
                f"(N, C, H / stride, W / stride) with a whole stride are accepted; {EXPORT}"
            )
        found.append(Tap(name, m.shape[1], stride))
    return tuple(sorted(found, key=lambda tap: tap.stride))


def _stride(m: Tensor, size: tuple[int, int]) -> int | None:
    """The pixels from one place of a map (1, C, h, w) of an image of `size` to the next; None for another output."""
    if m.ndim != 4 or len(m) != 1 or not m.numel():
        return None
    down, across = (side / n for side, n in zip(size, m.shape[2:], strict=True))
    return int(down) if down == across and down.is_integer() else None


def _refuse_blocks(made: OnnxFile) -> None:
    """Raises ModelError where an image in a block has other maps than alone, or maps that are not finite."""
    side = made.multiple * math.ceil(SMALL / made.multiple)
    height, width = made.size or (side, side + made.multiple)
    x = torch.from_numpy(np.random.default_rng(0).uniform(0, 255, (2, 3, height, width)).astype(np.float32))
    together = made.maps(x, made.taps)
    alone = [torch.cat(parts) for parts in zip(*(made.maps(one, made.taps) for one in x.split(1)), strict=True)]
    for tap, block, each in zip(made.taps, together, alone, strict=True):
        if not block.isfinite().all():
            raise ModelError(f"{made.origin.source}: output {tap.name} is not finite for a random image; {EXPORT}")
        if (block - each).abs().max() > ALIKE * each.abs().max():
            raise ModelError(
                f"{made.origin.source}: output {tap.name} of an image depends on the other images of a block; export "
                "the network for inference (.eval())"
            )
