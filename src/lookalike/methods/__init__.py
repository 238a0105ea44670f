"""The methods, one file per paper.

`METHODS` maps names to methods. `PARTS` maps names to the dataclasses that a model file may name as parts of a method.
"""

from __future__ import annotations

from dataclasses import is_dataclass
from importlib import import_module
from types import ModuleType

from lookalike.base.names import GANS
from lookalike.game import (
    diffaugment,
    heads,
    heads_by_class,
    latents,
    losses,
    optimiser,
    penalty,
    score,
    share,
    streams,
)
from lookalike.game import method as methods
from lookalike.game import splitting as splits
from lookalike.game.method import Method
from lookalike.game.nets import Net, anogan, conditioning, dcgan, encoder, mlp, resnet

# the table of names is the only list of methods: each is the variable of its name, with _ for -, in its file
_FILES: dict[str, ModuleType] = {row.file: import_module(f"lookalike.methods.{row.file}") for row in GANS.values()}
METHODS: dict[str, Method] = {name: getattr(_FILES[row.file], name.replace("-", "_")) for name, row in GANS.items()}

_AXES = (
    *(diffaugment, heads, heads_by_class, latents, losses, optimiser, penalty, score, share, methods, splits, streams),
    *(anogan, conditioning, dcgan, encoder, mlp, resnet),
)


def _parts(module: ModuleType) -> dict[str, type]:
    """The dataclasses that a module of ours defines, by name; without those that it imports."""
    own = [value for value in vars(module).values() if isinstance(value, type) and is_dataclass(value)]
    return {part.__name__: part for part in own if part.__module__ == module.__name__ and part is not Method}


# a file can name no other class, so that it can never name code to run
PARTS: dict[str, type] = {name: part for module in (*_AXES, *_FILES.values()) for name, part in _parts(module).items()}
NETS: dict[str, type[Net]] = {
    net.name: net for net in (anogan.Anogan, dcgan.Dcgan, resnet.Resnet, _FILES["r3gan"].R3Resnet, mlp.Mlp)
}
