"""Tensors of a published torch file, in the zip format or the older one, without running the pickle in it.

The pickle is read as a list of operations. Only the few operations that a dict of tensors needs are followed. A file
with any other operation is refused, so that nothing in it can run.
"""

from __future__ import annotations

import hashlib
import pickletools
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor

from lookalike.base.errors import ModelError, show
from lookalike.base.files import read_bytes

DTYPES = {"torch FloatStorage": torch.float32, "torch LongStorage": torch.int64}
# Pickles of the old format before the tensors (magic number, version, machine) and after them (order of the storages).
BEFORE, AFTER = 3, 1
NUMBERS = {"BINUNICODE", "BININT", "BININT1", "BININT2", "LONG1"}
EMPTY: Mapping[str, Callable[[], Any]] = {"EMPTY_TUPLE": tuple, "EMPTY_LIST": list, "EMPTY_DICT": dict}
FIXED = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
MARK = object()
BROKEN = (
    *(ValueError, LookupError, TypeError, AttributeError, OverflowError, RuntimeError, StopIteration),
    *(zipfile.BadZipFile, zlib.error),
)


@dataclass(frozen=True)
class _Name:
    """The name of a class or function: its module, and its name there."""

    text: str


@dataclass(frozen=True)
class _Stored:
    """Where the numbers of a tensor lie in its storage."""

    storage: str
    dtype: torch.dtype
    numbers: int
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def tensor(self, raw: bytes) -> Tensor:
        """Return the tensor from the storage's bytes."""
        flat = torch.frombuffer(bytearray(raw), dtype=self.dtype)
        return flat.as_strided(self.shape, self.strides, self.offset).contiguous()


def read(path: Path, limit: int, sha256: str) -> dict[str, Tensor]:
    """Return name -> tensor of the file with this SHA-256, at most `limit` bytes long; ModelError for another file."""
    data = read_bytes(path, limit)
    if hashlib.sha256(data).hexdigest() != sha256:
        raise ModelError(
            f"{show(path)} is not the published file (its SHA-256 is not {sha256[:8]}...); download it again"
        )
    return tensors(data)


def tensors(data: bytes) -> dict[str, Tensor]:
    """Return name -> tensor from a file's bytes; ModelError where they are more than a dict of tensors."""
    try:
        return _zipped(data) if zipfile.is_zipfile(BytesIO(data)) else _plain(BytesIO(data))
    except BROKEN as error:
        raise ModelError("the weights are not a dict of tensors as torch stores it; download them again") from error


def _zipped(data: bytes) -> dict[str, Tensor]:
    """Read the zip format: data.pkl, and one file per storage in data/."""
    with zipfile.ZipFile(BytesIO(data)) as archive:
        head = next(name for name in archive.namelist() if name.endswith("/data.pkl"))
        stored = _value(BytesIO(archive.read(head)))
        folder = head.removesuffix(".pkl")
        return {name: one.tensor(archive.read(f"{folder}/{one.storage}")) for name, one in stored.items()}


def _plain(stream: IO[bytes]) -> dict[str, Tensor]:
    """Read the old format: pickles, then each storage after its length."""
    *_, stored, order = [_value(stream) for _ in range(BEFORE + 1 + AFTER)]
    sizes = {one.storage: one.numbers * one.dtype.itemsize for one in stored.values()}
    raw = {}
    for key in order:
        stream.read(8)  # the number of entries, which the pickle gives too
        raw[key] = stream.read(sizes[key])
    return {name: one.tensor(raw[one.storage]) for name, one in stored.items()}


def _value(stream: IO[bytes]) -> Any:
    """Return the value of the next pickle."""
    stack: list[Any] = []
    memo: dict[int, Any] = {}
    for operation, argument, _ in pickletools.genops(stream):
        _follow(operation.name, argument, stack, memo)
    return stack.pop()


def _follow(name: str, argument: Any, stack: list[Any], memo: dict[int, Any]) -> None:
    """Follow one operation on the stack."""
    if name in NUMBERS:
        stack.append(argument)
    elif name in EMPTY:
        stack.append(EMPTY[name]())
    elif name in FIXED:
        stack.append(FIXED[name])
    elif name in TUPLES:
        stack.append(tuple(_last(stack, TUPLES[name])))
    elif name in {"BINPUT", "LONG_BINPUT"}:
        memo[argument] = stack[-1]
    elif name in {"BINGET", "LONG_BINGET"}:
        stack.append(memo[argument])
    elif name == "MARK":
        stack.append(MARK)
    elif name == "GLOBAL":
        stack.append(_Name(argument))
    else:
        _join(name, stack)


def _join(name: str, stack: list[Any]) -> None:
    """Follow an operation that uses values already on the stack."""
    match name:
        case "PROTO" | "STOP":
            pass
        case "TUPLE":
            stack.append(tuple(_marked(stack)))
        case "APPENDS":
            values = _marked(stack)
            stack[-1].extend(values)
        case "SETITEM" | "SETITEMS":
            values = _last(stack, 2) if name == "SETITEM" else _marked(stack)
            stack[-1].update(zip(values[::2], values[1::2], strict=True))
        case "BUILD":
            stack.pop()  # the version of each layer, which is not needed
        case "BINPERSID":
            stack.append(_storage(*stack.pop()))
        case "REDUCE":
            made, values = _last(stack, 2)
            stack.append(_made(made, values))
        case _:
            raise ValueError(name)


def _storage(kind: str, dtype: _Name, key: str, _device: str, numbers: int, _view: None = None) -> _Stored:
    if kind != "storage":
        raise ValueError(kind)
    return _Stored(key, DTYPES[dtype.text], numbers, 0, (numbers,), (1,))


def _made(of: _Name, values: tuple[Any, ...]) -> Any:
    """Return the result of one of the two functions that a dict of tensors needs."""
    if of == _Name("collections OrderedDict") and not values:
        return {}
    if of != _Name("torch._utils _rebuild_tensor_v2"):
        raise ValueError(of)
    whole, offset, shape, strides, *_ = values
    return _Stored(whole.storage, whole.dtype, whole.numbers, offset, shape, strides)


def _last(stack: list[Any], number: int) -> list[Any]:
    """Remove the last `number` values from the stack and return them."""
    values = stack[len(stack) - number :]
    del stack[len(stack) - number :]
    return values


def _marked(stack: list[Any]) -> list[Any]:
    """Remove the values above the last mark, and the mark, and return the values."""
    at = max(i for i, value in enumerate(stack) if value is MARK)
    values = stack[at + 1 :]
    del stack[at:]
    return values


def fill(net: torch.nn.Module, stored: Mapping[str, Tensor]) -> None:
    """Load tensors into the network, by name where the names are equal, else in order.

    Raises
    ------
    ModelError
        Where a shape differs from the network's.
    """
    like = net.state_dict()
    values = [stored[name] for name in like] if set(like) == set(stored) else list(stored.values())
    if [one.shape for one in values] != [one.shape for one in like.values()]:
        raise ModelError("the weights have other shapes than the published network; download them again")
    net.load_state_dict(dict(zip(like, values, strict=True)))
