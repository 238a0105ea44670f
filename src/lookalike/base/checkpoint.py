"""Models and checkpoints as files: safetensors and JSON under SHA-256, written atomically, read as untrusted input.

A file of ours is a safetensors file whose metadata is one JSON string: schema, facts and a SHA-256. The digest is that
of the whole file, with zeros in place of the digest. So no byte can change unnoticed, and no file can name code to run.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from lookalike.base.arrays import Warn
from lookalike.base.errors import DamagedError, ModelError, show
from lookalike.base.files import JSON_LIMIT, json_bytes, open_regular, read_bytes, write_bytes, write_json
from lookalike.base.strict import parse_json

SCHEMA = 1
FIELDS = ("schema", "sha256", "kind", "method", "shape", "classes", "threshold", "training", "settings")
WEIGHTS = "model.safetensors"
CARD = "model.json"
HEADER_LIMIT = 1 << 20  # bytes
TENSOR_LIMIT = 8192
CLASS_LIMIT = 10_000
NAME_LIMIT = 255  # letters of the name of a class
NAMES_LIMIT = 1 << 18  # bytes of all names of classes, a quarter of what a header or a model.json may have
_SIZES = {"F16": 2, "F32": 4, "F64": 8, "I64": 8, "U8": 1, "BOOL": 1}  # bytes per element of the dtypes we write
_NAME = re.compile(r"(?!/)(?!.*\.\.)[A-Za-z0-9_.\-/]{1,200}")
_PREFIX = rb'{"__metadata__":{"lookalike":"{\"sha256\":\"'
# the metadata begins with the digest, so that it is at the same place in every file
_DIGEST = slice(8 + len(_PREFIX), 8 + len(_PREFIX) + 64)
_CHECKPOINT = re.compile(r"[0-9]{9,}\.safetensors")


def write_tensors(path: Path, tensors: Mapping[str, torch.Tensor], facts: Mapping[str, Any]) -> str:
    """Write tensors and facts as one file, atomically.

    Parameters
    ----------
    tensors
        float32, float64, int64, uint8 or bool, of any shape and device. Names have letters, digits and ``_.-/``.
    facts
        Any JSON value without NaN and infinity. With the tensors' names it takes at most 1 MiB.

    Returns
    -------
    str
        The SHA-256 of the file, in hex.

    Raises
    ------
    ModelError
        If `read_tensors` would refuse the file: another dtype, an unsafe name, too many tensors or facts.
    OutputError
        If the file cannot be written.
    """
    card = json.dumps({"sha256": "0" * 64, "schema": SCHEMA, "facts": facts}, allow_nan=False, separators=(",", ":"))
    # a contiguous copy, because safetensors refuses tensors that share memory or have another layout
    copies = {k: t.detach().cpu().clone(memory_format=torch.contiguous_format) for k, t in tensors.items()}
    data = bytearray(save(copies, {"lookalike": card}))
    data[_DIGEST] = hashlib.sha256(data).hexdigest().encode()
    header = 8 + int.from_bytes(data[:8], "little")
    _check_header(bytes(data[8:header]), len(data) - header, show(path))
    write_bytes(path, data)
    return hashlib.sha256(data).hexdigest()


def read_tensors(path: Path, *, sha256: str | None = None) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """The tensors and facts of a file that `write_tensors` wrote. `sha256` is that of the whole file, if it is known.

    Every claim of the header is checked against the file before safetensors reads it.

    Raises
    ------
    ModelError
        If it is not an unchanged file of ours. The message names the first tensor that is wrong.
    """
    what = show(path)
    with open_regular(path) as handle:
        try:
            size = handle.seek(0, 2)
            handle.seek(0)
            start = handle.read(8)
            length = int.from_bytes(start, "little")
            if len(start) < 8 or not len(_PREFIX) < length <= min(HEADER_LIMIT, size - 8):
                raise _not_ours(what, f"its header cannot be {length} bytes long in a file of {size}")
            header = handle.read(length)
            card = _check_header(header, size - 8 - length, what)
            # one byte more than the size, so that a file that grows meanwhile is refused
            data = b"".join((start, header, handle.read(size - 8 - length + 1)))
        except OSError as error:
            raise ModelError(f"{what} cannot be read: {error.strerror}; check the disk") from error
    blank = hashlib.sha256(data[: _DIGEST.start])
    blank.update(b"0" * 64)
    blank.update(memoryview(data)[_DIGEST.stop :])
    if data[_DIGEST] != blank.hexdigest().encode():
        raise _not_ours(what, "it was damaged or changed since it was written (SHA-256 differs)")
    if sha256 is not None and hashlib.sha256(data).hexdigest() != sha256:
        raise _not_ours(what, "it is not the file that its model.json was written for (SHA-256 differs)")
    try:
        tensors = load(data)
    except SafetensorError as error:  # it reads JSON more strictly: it refuses -0
        raise _not_ours(what, show(error)) from error
    return {name: tensors[name] for name in sorted(tensors)}, card["facts"]


def match(tensors: Mapping[str, torch.Tensor], expected: Mapping[str, torch.Tensor], what: str) -> None:
    """Check that names, shapes and dtypes are those of `expected`, and that every number is finite.

    Raises
    ------
    ModelError
        If they differ. The message names `what`, the file, and the first tensor that differs.
    """
    for name, wanted in expected.items():
        given = tensors.get(name)
        if given is None:
            problem = "is missing"
        elif given.shape != wanted.shape:
            problem = f"has shape {tuple(given.shape)}, expected {tuple(wanted.shape)}"
        elif given.dtype != wanted.dtype:
            problem = f"has dtype {given.dtype}, expected {wanted.dtype}"
        elif not torch.isfinite(given).all():
            problem = "holds NaN or infinity"
        else:
            continue
        raise _not_ours(what, f"tensor '{_brief(name)}' {problem}")
    extra = next((name for name in tensors if name not in expected), None)
    if extra is not None:
        raise _not_ours(what, f"tensor '{_brief(extra)}' is not part of the network")


def save_model(folder: Path, tensors: Mapping[str, torch.Tensor], facts: Mapping[str, Any]) -> None:
    """Write `model.safetensors`, then `model.json`. The facts have all `FIELDS` but schema and sha256."""
    _check_facts(facts, show(folder / CARD))
    # the card last: without it the folder is no model, so a kill between the two leaves none
    digest = write_tensors(folder / WEIGHTS, tensors, facts)
    write_json(folder / CARD, _card(facts, digest))


def load_model(folder: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """The tensors and facts of a model folder.

    Raises
    ------
    ModelError
        If there is no model, its training is not finished, it is of a newer version, or a file was changed.
    """
    path = folder / CARD
    what = show(path)
    try:
        data = read_bytes(path, JSON_LIMIT)
    except ModelError as error:
        raise _no_model(folder, error) from error
    card = _mapping(data, what)
    _check_schema(card.get("schema"), what)
    digest = card.pop("sha256", None)
    if not isinstance(digest, str):
        raise _not_ours(what, "the field 'sha256' must be text")
    del card["schema"]
    _check_facts(card, what)
    if not (folder / WEIGHTS).exists():
        raise DamagedError(f"{show(folder / WEIGHTS)} is lost; use another copy or train again")
    tensors, facts = read_tensors(folder / WEIGHTS, sha256=digest)
    if data != json_bytes(_card(facts, digest)):
        raise _not_ours(what, "it was damaged or changed since it was written")
    return tensors, facts


def save_checkpoint(folder: Path, images: int, tensors: Mapping[str, torch.Tensor], facts: Mapping[str, Any]) -> Path:
    """Write `folder/<images shown>.safetensors`. One older checkpoint stays; newer ones, damaged, are removed."""
    path = folder / f"{images:09d}.safetensors"
    write_tensors(path, tensors, facts)
    for other in _checkpoints(folder):
        if int(other.stem) > images:
            other.unlink(missing_ok=True)
    drop_older(folder, images)
    return path


def drop_older(folder: Path, images: int) -> None:
    """Remove the checkpoints before `images` images, except the newest of these."""
    older = [path for path in _checkpoints(folder) if int(path.stem) < images]
    for path in older[:-1]:
        path.unlink(missing_ok=True)


def newest_checkpoint(folder: Path, warn: Warn) -> tuple[dict[str, torch.Tensor], dict[str, Any]] | None:
    """Tensors and facts of the newest complete checkpoint, or None. `warn` gets a line for each damaged one.

    Raises
    ------
    ModelError
        If there are checkpoints and all are damaged.
    """
    found = _checkpoints(folder)
    for path in reversed(found):
        try:
            return read_tensors(path)
        except ModelError as error:
            warn(f"skipped a damaged checkpoint: {error}")
    if found:
        raise ModelError(f"{show(folder)} has only damaged checkpoints; delete it to train from the start")
    return None


def _check_header(header: bytes, body: int, what: str) -> dict[str, Any]:
    """The metadata of a header. Raises ModelError unless its tensors fill `body` bytes without gap or overlap."""
    if not header.startswith(_PREFIX):
        raise _not_ours(what, "lookalike did not write it")
    if len(header) > HEADER_LIMIT:
        raise _not_ours(what, f"its header is {len(header)} bytes long, at most {HEADER_LIMIT} are read")
    table = _mapping(header, what)
    metadata = table.pop("__metadata__")
    if not isinstance(metadata, dict) or list(metadata) != ["lookalike"] or not isinstance(metadata["lookalike"], str):
        raise _not_ours(what, "its metadata is more than lookalike's")
    card = _mapping(metadata["lookalike"].encode("utf-8", "surrogatepass"), what)
    _check_schema(card.get("schema"), what)
    if set(card) != {"sha256", "schema", "facts"}:
        raise _not_ours(what, "its metadata has other fields than sha256, schema and facts")
    if not isinstance(card["facts"], dict) or not isinstance(card["sha256"], str):
        raise _not_ours(what, "its metadata has fields of a wrong type")
    if len(table) > TENSOR_LIMIT:
        raise _not_ours(what, f"it has {len(table)} tensors, at most {TENSOR_LIMIT} are read")
    end = 0
    for name, entry in table.items():
        try:
            end = _tensor_end(name, entry, end)
        except ValueError as error:
            raise _not_ours(what, f"tensor '{_brief(name)}' {error}") from None
        if end > body:
            raise _not_ours(what, f"tensor '{_brief(name)}' ends at byte {end} of {body}")
    if end != body:
        raise _not_ours(what, f"{body - end} bytes follow the last tensor")
    return card


def _tensor_end(name: str, entry: Any, begin: int) -> int:
    """The end, in bytes, of a tensor that must begin at `begin`. Raises ValueError for a wrong entry."""
    if not _NAME.fullmatch(name):
        raise ValueError("has a name that is not made of letters, digits and _.-/")
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise ValueError("has other fields than dtype, shape and data_offsets")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in _SIZES:
        raise ValueError(f"has dtype {_brief(dtype)}, expected one of {', '.join(_SIZES)}")
    if not isinstance(shape, list) or len(shape) > 8 or not all(_is_count(side) for side in shape):
        raise ValueError(f"has shape {_brief(shape)}, expected at most 8 sides")
    # bounded before it is multiplied: Python would compute any number of digits
    if math.prod(max(side, 1) for side in shape) >= 1 << 40:
        raise ValueError(f"has shape {_brief(shape)}, which is too large")
    if not isinstance(offsets, list) or len(offsets) != 2 or not all(_is_count(offset) for offset in offsets):
        raise ValueError(f"has offsets {_brief(offsets)}, expected two counts of bytes")
    end = begin + math.prod(shape) * _SIZES[dtype]
    if offsets != [begin, end]:
        raise ValueError(f"lies at {_brief(offsets)}, expected [{begin}, {end}]")
    return end


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 1 << 40


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _mapping(data: bytes, what: str) -> dict[str, Any]:
    """A JSON object from untrusted bytes. Raises ModelError."""
    try:
        value = parse_json(data)
    except ValueError as error:
        raise _not_ours(what, show(error)) from error
    if not isinstance(value, dict):
        raise _not_ours(what, "it holds no JSON object")
    return value


def _check_schema(schema: Any, what: str) -> None:
    if type(schema) is not int or schema < 1:
        raise _not_ours(what, f"the field 'schema' is {_brief(schema)}, expected {SCHEMA}")
    if schema > SCHEMA:
        raise ModelError(
            f"{what} was made by a newer lookalike (schema {_brief(schema)}, this one reads {SCHEMA}); update lookalike"
        )


def _card(facts: Mapping[str, Any], digest: str) -> dict[str, Any]:
    return {"schema": SCHEMA, **facts, "sha256": digest}


def _check_facts(facts: Mapping[str, Any], what: str) -> None:
    """Raises ModelError for wrong types or bounds in a model's facts. Their meaning is checked by `Model.load`."""
    fields = [name for name in FIELDS if name not in ("schema", "sha256")]
    for name in (*fields, *facts):
        if name not in facts:
            raise _not_ours(what, f"the field '{name}' is missing")
        if name not in fields:
            raise _not_ours(what, f"the field '{_brief(name)}' is unknown; there are {', '.join(FIELDS)}")
    threshold, shape, classes = facts["threshold"], facts["shape"], facts["classes"]
    wrong = {
        "kind": not (isinstance(facts["kind"], str) and len(facts["kind"]) <= 100),
        "method": not isinstance(facts["method"], dict),
        "shape": not (
            isinstance(shape, list | tuple) and 1 <= len(shape) <= 3 and all(_is_count(side) and side for side in shape)
        ),
        "classes": not (isinstance(classes, dict) and all(map(_is_class_list, classes.values()))),
        "threshold": threshold is not None and not (_is_number(threshold) and math.isfinite(threshold)),
        "training": not isinstance(facts["training"], dict),
        "settings": not isinstance(facts["settings"], dict),
    }
    for name in fields:
        if wrong[name]:
            raise _not_ours(what, f"the field '{name}' cannot be {_brief(json.dumps(facts[name]))}")


def _is_class_list(names: Any) -> bool:
    return (
        isinstance(names, list | tuple)
        and len(set(map(str, names))) == len(names) <= CLASS_LIMIT
        and all(isinstance(name, str) and 0 < len(name) <= NAME_LIMIT for name in names)
    )


def _checkpoints(folder: Path) -> list[Path]:
    """The checkpoint files in `folder`, oldest first."""
    try:
        found = [path for path in folder.iterdir() if _CHECKPOINT.fullmatch(path.name)]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise ModelError(f"{show(folder)} cannot be read: {error.strerror}; check its permissions") from error
    return sorted(found, key=lambda path: int(path.stem))


def _no_model(folder: Path, error: ModelError) -> ModelError:
    if not isinstance(error.__cause__, FileNotFoundError | NotADirectoryError):
        return error
    if _checkpoints(folder / "checkpoints") or (folder / "config.json").exists():
        return ModelError(f"training in {show(folder)} is not finished: run the same train command again")
    return ModelError(
        f"{show(folder)} is not a lookalike model: there is no {CARD} in it; give the folder that train wrote"
    )


def _brief(value: Any) -> str:
    return show(str(value)[:80], 60)  # cut first, because escaping 1 MB is slow


def _not_ours(what: str, reason: str) -> DamagedError:
    return DamagedError(f"{what} is not a lookalike model or checkpoint: {reason}; use another copy or train again")
