"""Which images a run has used, and how it split them, read from its folder."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from lookalike.base import files
from lookalike.base.errors import ModelError, UsageError, show
from lookalike.base.renamed import OLD, current
from lookalike.data.groups import digest, is_file
from lookalike.runs.folder import CONFIG, GROUPS, SPLIT, read_config

PARTS = {"train", "calibration", "extra_fakes", "test"}
SPARE = "spare"  # a part that few runs have
KEY = re.compile("[0-9a-f]{16}")


def used_images(folder: Path) -> dict[str, frozenset[str]]:
    """The content keys of each part of the run; raises ModelError where its record is missing or damaged."""
    path = folder / SPLIT
    try:
        parts = files.read_json(path, limit=1 << 30)
        parts = current(parts) if isinstance(parts, dict) else parts
        if not isinstance(parts, dict) or set(parts) - {SPARE} != PARTS:
            raise ModelError(f"{show(path)} does not hold the parts {', '.join(sorted(PARTS))}")
        for name, keys in parts.items():
            if not isinstance(keys, list) or not all(isinstance(key, str) and KEY.fullmatch(key) for key in keys):
                raise ModelError(f"{show(path)}: {name} is not a list of content keys")
        if _recorded(folder) not in (None, digest_of(parts)):  # or an image that trained would count as a new one
            raise ModelError(f"{show(path)} was changed since the run began")
    except ModelError as error:
        raise ModelError(
            f"the run does not say which images trained: {str(error).partition(';')[0]}; the same train command writes "
            "it again"
        ) from error
    return {name: frozenset(keys) for name, keys in parts.items()}


def digest_of(keys: Mapping[str, Sequence[str]]) -> str:
    """One hash over the content keys of all parts but the test images, in their order."""
    recorded = {new: old for old, new in OLD.items()}  # runs that an earlier version began go on
    used = {recorded.get(name, name): list(part) for name, part in keys.items() if name != "test"}
    return sha256(repr(used).encode()).hexdigest()


def _recorded(folder: Path) -> str | None:
    """That hash as the configuration has it; None where it cannot be read."""
    try:
        settings = read_config(folder).get("settings")
    except ModelError:
        return None
    there = settings.get("data_digest") if isinstance(settings, dict) else None
    return there if isinstance(there, str) else None


@dataclass(frozen=True)
class RunSplit:
    """The classes of a run, as `data.images.names_of` takes them, and how the run read and split its images."""

    known: tuple[str, ...]
    unlabelled: tuple[str, ...]
    source: str
    shape: tuple[int, ...]
    test: float
    seed: int
    reading: Mapping[str, Any]  # keyword arguments of `lookalike.read`, with which its images are known again


def run_split(folder: Path) -> RunSplit:
    """The classes and the split of a run; raises ModelError where its record is missing or damaged."""
    match read_config(folder):
        case {
            "data": {"source": str(source), "shape": [*shape], **how},
            "settings": {"known": [*known], "test": int() | float() as test, "seed": int(seed), **others},
        } if 0 <= test < 1:
            nameless = others.get("unlabelled", [])  # older runs have none
            if isinstance(nameless, list) and all(isinstance(name, str) for name in (*known, *nameless)):
                return RunSplit(tuple(known), tuple(nameless), source, tuple(shape), test, seed, _reading(how))
    raise ModelError(f"{show(folder / CONFIG)} does not say how the images were split; give the run as train wrote it")


def _reading(how: Mapping[Any, Any]) -> dict[str, Any]:
    """At which size content keys were taken, and the aspect; most runs have neither."""
    match how.get("key_size"):
        case [int() as height, int() as width]:
            key_size = {"key_size": (height, width)}
        case _:
            key_size = {}
    return key_size | ({"aspect": how["aspect"]} if how.get("aspect") in ("crop", "pad") else {})


@dataclass(frozen=True)
class UsedGroups:
    """How a run grouped its images, and which groups it used.

    Parameters
    ----------
    by : str or None
        Its `--group`, of a CSV file the whole path; None where the data group themselves.
    trained : frozenset of str
        The groups whose images trained, or set the threshold.
    """

    by: str | None
    trained: frozenset[str]


def used_groups(folder: Path, given: str | None = None) -> UsedGroups | None:
    """The groups of a run, None where its images had none; `given` is a `--group` that takes the place of the run's.

    Raises
    ------
    ModelError
        Where the record is damaged.
    UsageError
        For a `given` where the run had no groups, or a CSV file that is not there any more or has changed.
    """
    path = folder / GROUPS
    if not path.exists():
        if given is not None:
            raise UsageError(f"--group {show(given)}: {show(folder)} was not split by group; leave it out, or train so")
        return None
    match files.read_json(path, limit=1 << 30):
        case {"by": None | str() as by, "sha256": None | str() as sha256, "parts": {"test": [*_], **parts}}:
            if given is None and by is not None and is_file(by) and digest(by) != sha256:
                raise UsageError(
                    f"{show(by)} has changed since {show(folder)} was split by its groups; give the file as it was "
                    "(--group)"
                )
            trained = (str(name) for names in parts.values() if isinstance(names, list) for name in names)
            return UsedGroups(given or by, frozenset(trained))
    raise ModelError(f"{show(path)} does not say which groups were used; give the run as train wrote it")
