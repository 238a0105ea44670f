"""The gates through which foreign bytes come: each takes them, or refuses them with an error of ours. Used by fuzzing.

A gate is called with bytes and a folder that it may write in. Whatever else it raises is a bug.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
from made_run import Seen

from lookalike.base import checkpoint
from lookalike.base.errors import LookalikeError
from lookalike.data import gate, read
from lookalike.data.groups import Rule
from lookalike.data.labels import labels_of
from lookalike.data.source import Refused
from lookalike.faces import cli
from lookalike.report import environment
from lookalike.runs.folder import read_run
from lookalike.runs.settings import train_settings

CORPUS = Path(__file__).parent / "corpus"  # GATE/NAME: bytes that a gate has met; each bug's stay for ever
LABELS = bytes.fromhex("00000801 00000002 0001")  # of two images, in MNIST's form
IMAGES = ("a.png", "b/c.png", "b/d.png")
TEMPLATE = environment().from_string('<p title="{{ name }}">{{ name }}</p><script type="x">{{ name }}</script>')
Gate = Callable[[bytes, Path], object]


def image(data: bytes, folder: Path) -> object:
    """A picture: dropped on the page, or a file of DATA."""
    return gate.decode(data)


def arrays(data: bytes, folder: Path) -> object:
    """An .npz or .npy file, or one of MNIST's form, by its first bytes."""
    if data[:2] == b"PK" or data[:1] == b"\x93":
        return read(_file(folder, "x.npz" if data[:1] == b"P" else "x.npy", data), labelled=False)
    _file(folder, "x-labels-idx1-ubyte", LABELS)
    return read(_file(folder, "x-images-idx3-ubyte", data))


def labels(data: bytes, folder: Path) -> object:
    """A table of labels beside images."""
    return labels_of([_file(folder, "labels.csv", data)], IMAGES, "")


def groups(data: bytes, folder: Path) -> object:
    """A table of groups."""
    return Rule.of(str(_file(folder, "groups.csv", data))).groups(IMAGES, np.ones(len(IMAGES), bool))


def settings(data: bytes, folder: Path) -> object:
    """A TOML file of settings, and the settings that it gives."""
    return train_settings(**cli._toml(_file(folder, "c.toml", data)).config)


def model(data: bytes, folder: Path) -> object:
    """The card of a model beside its weights."""
    _file(folder, "model.json", data)
    return checkpoint.load_model(folder)


def weights(data: bytes, folder: Path) -> object:
    """A file of tensors whose hash is right, whatever its header claims."""
    sealed = bytearray(data)
    if len(data) >= checkpoint._DIGEST.stop:
        sealed[checkpoint._DIGEST] = b"0" * 64
        sealed[checkpoint._DIGEST] = hashlib.sha256(sealed).hexdigest().encode()
    return checkpoint.read_tensors(_file(folder, "model.safetensors", bytes(sealed)))


def record(data: bytes, folder: Path) -> object:
    """What a run folder says of its training."""
    _file(folder, "config.json", data)
    return read_run(folder)


def log(data: bytes, folder: Path) -> object:
    """The parts of the images and the figures of a training, in a run folder that is right."""
    shutil.copy(CORPUS / "record" / "config", folder / "config.json")
    for name in ("split.json", "metrics.jsonl"):
        _file(folder, name, data)
    return read_run(folder)


def page(data: bytes, folder: Path) -> object:
    """A name in a page: it becomes text, whatever it holds."""
    name = data.decode("utf-8", "surrogateescape")
    made = Seen(TEMPLATE.render(name=name)).tags
    assert [tag for tag, _ in made] == ["p", "script"] and list(made[0][1]) == ["title"], made


GATES: dict[str, Gate] = {
    "image": image, "arrays": arrays, "labels": labels, "groups": groups, "settings": settings, "model": model,
    "weights": weights, "record": record, "log": log, "page": page,
}  # fmt: skip


def passes(name: str, data: bytes, folder: Path) -> None:
    """Puts the bytes through a gate; an error of ours is an answer, and any other goes on."""
    with suppress(LookalikeError, Refused):
        GATES[name](data, folder)


def _file(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path
