"""The methods, one file per paper.

`METHODS` maps names to methods. `PARTS` maps names to the dataclasses that a model file may name as parts of a method.
"""

from __future__ import annotations

from dataclasses import is_dataclass
from importlib import import_module
from types import ModuleType

from lookalike.base.errors import UsageError
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
from lookalike.game.nets import Net, anogan, conditioning, dcgan, encoder, mlp, pyramid, resnet

# the table of names is the only list of methods: each is the variable of its name, with _ for -, in its file
_FILES: dict[str, ModuleType] = {row.file: import_module(f"lookalike.methods.{row.file}") for row in GANS.values()}


def _method(name: str, file: str) -> Method:
    """The method that a file defines. Raises UsageError where variable, name and the table's key do not agree."""
    variable = name.replace("-", "_")
    found = getattr(_FILES[file], variable, None)
    if not isinstance(found, Method) or found.name != name:
        raise UsageError(
            f"base/names.py has the method {name}, but methods/{file}.py has no Method in a variable {variable} whose "
            f"name is {name}; give all three the same name"
        )
    return found


def _parts(*modules: ModuleType) -> dict[str, type]:
    """The dataclasses that modules of ours define, by name. Raises UsageError where two have one name."""
    found: dict[str, type] = {}
    for module in modules:
        for part in vars(module).values():
            own = isinstance(part, type) and is_dataclass(part) and part.__module__ == module.__name__
            if own and part is not Method and found.setdefault(part.__name__, part) is not part:
                other = found[part.__name__].__module__
                raise UsageError(f"{other} and {module.__name__} both have a part {part.__name__}; rename one of them")
    return found


METHODS: dict[str, Method] = {name: _method(name, row.file) for name, row in GANS.items()}
_AXES = (
    *(diffaugment, heads, heads_by_class, latents, losses, optimiser, penalty, score, share, methods, splits, streams),
    *(anogan, conditioning, dcgan, encoder, mlp, pyramid, resnet),
)
# a file can name no other class, so that it can never name code to run
PARTS: dict[str, type] = _parts(*_AXES, *_FILES.values())
NETS: dict[str, type[Net]] = {
    net.name: net
    for net in (anogan.Anogan, dcgan.Dcgan, resnet.Resnet, pyramid.Pyramid, _FILES["r3gan"].R3Resnet, mlp.Mlp)
}
