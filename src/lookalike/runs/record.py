"""The configuration and the split in a run folder. The folder of another run is refused."""

from __future__ import annotations

import platform
import re
import shlex
from pathlib import Path
from typing import Any

import torch

from lookalike.base import checkpoint, files
from lookalike.base.arrays import Warn
from lookalike.base.errors import ModelError, UsageError, show
from lookalike.base.parts import target_of
from lookalike.base.words import minutes, percent
from lookalike.data import groups
from lookalike.data.aspect import SAID
from lookalike.game.method import Method
from lookalike.methods import stored
from lookalike.runs.axes import axes
from lookalike.runs.folder import BAD_FILES, BEGUN, CONFIG, GROUPS, SPLIT, read_config
from lookalike.runs.plan import Plan
from lookalike.runs.settings import HELD_OUT, TrainSettings, flag
from lookalike.runs.used import used_groups, used_images

OLD_PART = re.compile(r"\.part\.[0-9]{1,9}\Z")
REPEATABLE = ("device", "precision", "threads")  # may differ when resuming, at the price of bits
PACKAGES = ("lookalike", "torch", "numpy", "pillow", "scikit-learn", "safetensors")
BITS = (
    *(("settings", name) for name in REPEATABLE),
    *(("versions", name) for name in PACKAGES if name != "safetensors"),
    ("machine", "cpu"),
    ("machine", "processes"),
)


class OtherRunError(UsageError):
    """A folder that holds a run with other settings or data (exit code 2)."""


def begin(folder: Path, plan: Plan, command: tuple[str, ...], warn: Warn) -> None:
    """Writes the configuration and the split, or compares them with those of the run in the folder.

    Raises
    ------
    OtherRunError
        Where these differ.
    UsageError
        For other rows of the file of groups, or a folder that holds other files.
    """
    settings, group = plan.recipe.settings.model_dump(mode="json"), plan.recipe.settings.group
    digests = {"data_digest": plan.data_digest(), "group_digest": groups.digest(group)}
    wanted = {"data": plan.data, **digests, **settings}
    there = begun(folder)
    if there is not None:
        given = _defaults() | there["settings"]
        moved = ["group"] * (digests["group_digest"] is not None)  # the content of the file counts, not its place
        differ = [k for k in wanted if k not in (*REPEATABLE, *moved, "data") and given.get(k) != wanted[k]]
        if "group_digest" in differ and given.get("group_digest") and group:
            raise UsageError(
                f"{show(folder)} was begun with other rows of the file --group {show(group)}; give the file as it was, "
                "or another folder (-o)"
            )
        differ = [k for k in differ if k != "data_digest"] or differ  # which other settings may change as well
        if differ:
            pairs = ", ".join(_change(folder, plan, k, given.get(k), wanted[k]) for k in differ)
            earlier = plan.recipe.settings.crosses and given.get("calibration") == HELD_OUT
            longer = "; a training cannot be made longer" if "images" in differ else ""
            advice = f"give another folder (-o){longer}"
            hint = f", or as earlier versions held out a share, --calibration {HELD_OUT}" if earlier else ""
            raise OtherRunError(f"{show(folder)} was begun with other settings or data: {pairs}; {advice}{hint}")
        _note_changes(folder, there, _config(plan, wanted, command), warn)
        _mend_split(folder, plan, warn)
        return
    _write_split(folder, plan)
    if plan.images.skipped:
        files.write_json_lines(folder / BAD_FILES, [vars(bad) for bad in plan.images.skipped])
        n = len(plan.images.skipped)
        warn(f"images left out since they cannot be read: {n}; {show(folder / BAD_FILES)} lists them")
    files.write_json(folder / CONFIG, _config(plan, wanted, command))


def _write_split(folder: Path, plan: Plan) -> None:
    """Writes which images the run uses for what, and their groups."""
    group = plan.recipe.settings.group
    files.write_json(folder / SPLIT, plan.keys())
    if (parts := plan.groups()) is not None:
        by = str(Path(group).resolve()) if group and groups.is_file(group) else group
        files.write_json(folder / GROUPS, {"by": by, "sha256": groups.digest(group), "parts": parts})


def _mend_split(folder: Path, plan: Plan, warn: Warn) -> None:
    """Writes the split of the same data again where its file is lost or damaged."""
    try:
        used_images(folder)
        if used_groups(folder) is None and plan.groups() is not None:
            raise ModelError(f"{show(folder / GROUPS)} is lost")
    except ModelError:
        warn(f"{SPLIT} is written again, as the record of the split was lost or damaged")
        _write_split(folder, plan)


def _change(folder: Path, plan: Plan, name: str, before: Any, now: Any) -> str:
    """What differs from the run in the folder, in words."""
    if name == "group_digest":
        return "the rows of --group"
    if name != "data_digest":
        return f"{flag(name)} {show(before, 60)} -> {show(now, 60)}"
    then = {key for part, keys in used_images(folder).items() if part != "test" for key in keys}
    here = {key for part, keys in plan.keys().items() if part != "test" for key in keys}
    return f"images: {len(here - then):,} new ones, {len(then - here):,} gone"


def _note_changes(folder: Path, there: dict[str, Any], now: dict[str, Any], warn: Warn) -> None:
    """Warns of changes that cost an unfinished run its bits, and records them under machine.resumed."""
    changed = [
        f"{name} {show(there[part].get(name))} -> {show(now[part][name])}"
        for part, name in BITS
        if name in there[part] and there[part][name] != now[part][name]
    ]
    if not changed or (folder / checkpoint.CARD).exists():
        return
    text = ", ".join(changed)
    warn(f"the run will not have the bits of an uninterrupted one, as these changed: {text}")
    machine = there["machine"]
    before = machine.get("resumed", [])
    if isinstance(before, list) and text not in before:
        files.write_json(folder / CONFIG, there | {"machine": machine | {"resumed": [*before, text]}})


def as_begun(folder: Path, settings: TrainSettings) -> TrainSettings:
    """The settings; a GAN that only makes images goes on with the test share that its run in `folder` was begun with.

    Earlier versions held a share out that nobody asked for.
    """
    if settings.test is not None or settings.tested:
        return settings
    match _settings(folder):
        case {"test": int() | float() as test} if 0 <= test < 1:
            return settings.model_copy(update={"test": test})
    return settings


def images_of(folder: Path) -> int | None:
    """The images that the run in `folder` was begun to show, None where none was begun."""
    match _settings(folder):
        case {"images": int() as images} if images > 0:
            return images
    return None


def _settings(folder: Path) -> Any:
    """The settings of the run in `folder`, None where none was begun."""
    there = begun(folder) if (folder / CONFIG).exists() else None
    return there and there["settings"]


def begun(folder: Path) -> dict[str, Any] | None:
    """The record of the run in `folder`, None where it is new. A folder with anything else is refused."""
    if (folder / CONFIG).exists():
        there = read_config(folder)
        if all(isinstance(there.get(part), dict) for part in dict(BITS)):
            return there
        strangers = [CONFIG]
    else:
        strangers = [path.name for path in folder.iterdir() if _begins(path.name) not in BEGUN]
    if strangers:
        raise UsageError(f"{show(folder)} holds other files ({show(min(strangers))}); give a new or empty folder (-o)")
    return None


def _defaults() -> dict[str, Any]:
    """The default of each setting, for settings that an earlier version did not have."""
    fields = TrainSettings.model_fields.items()
    return {name: field.default for name, field in fields if not field.is_required()}


def _begins(name: str) -> str:
    """What a kill left a part of: this version's, or an older one's `NAME.part.PID`."""
    return target_of(name) or OLD_PART.sub("", name)


def _config(plan: Plan, settings: dict[str, Any], command: tuple[str, ...]) -> dict[str, Any]:
    from importlib.metadata import version

    return {
        "schema": 1,
        "command": shlex.join(command),
        "settings": settings,
        "method": stored.to_json(plan.recipe.method) if plan.recipe.method else {"name": plan.recipe.settings.method},
        "open_choices": open_choices(plan),
        "classes": {"known": list(plan.known), "extra_fakes": list(plan.others)},
        "data": {
            "source": plan.data,
            "shape": list(plan.images.shape),
            **({"key_size": list(plan.images.key_size)} if plan.images.key_size else {}),
            **({"aspect": plan.images.aspect} if plan.images.aspect != "squash" else {}),
            "train": len(plan.rows.train),
            "calibration": len(plan.rows.calibration),
            "extra_fakes": len(plan.rows.extra_fakes),
            "skipped": len(plan.images.skipped),
        },
        "versions": {"python": platform.python_version()} | {name: version(name) for name in PACKAGES},
        "machine": {
            "system": f"{platform.system()} {platform.machine()}",
            "cpu": torch.backends.cpu.get_cpu_capability(),
            "threads": torch.get_num_threads(),
            "device": plan.recipe.settings.device,
            "processes": plan.ranks.size,
        },
    }


DECIDES = {"all": "softmax regression", "best": "the best detector first, on its own score,"}
SCALING = {"each": "scaled by its own class", "shared": "all on one scale"}


def _search(s: TrainSettings, method: Method) -> dict[str, str]:
    """The latent search of a GAN that scores by one."""
    if not method.score.searches:
        return {}
    return {
        "f(x) of V(x)": s.layer or method.net.feature_layer,
        "V(x)": f"lambda {s.lam:g}, {s.reduce} over pixels and features, the best step counts",
        "search": f"Adam on z, step {s.search_lr:g}, at most {s.search_steps} steps, "
        f"{s.restarts} start(s) from the prior, z {'kept within it' if s.prior else 'free to leave it'}, "
        f"converged at < {s.tolerance:g} over {s.patience} steps",
    }


def _threshold(s: TrainSettings) -> str:
    """How the threshold is set, and what it promises."""
    if s.crosses:
        return (
            "conformal quantile of the scores of the training images, each by what the others teach, about "
            f"{percent(s.false_alarms)} false alarms expected"
        )
    if not s.calibration:
        return "none"
    return (
        f"conformal quantile of the scores of calibration images, at most {percent(s.false_alarms)} false alarms "
        "expected"
    )


def open_choices(plan: Plan) -> dict[str, Any]:
    """Every choice that the papers leave open, with the value of this run. Each report prints them."""
    s, method = plan.recipe.settings, plan.recipe.method
    common = {
        "resize filter": f"bilinear, antialiased{SAID[plan.images.aspect]}",
        "training images": f"all but the held-out ones: {len(plan.rows.train)}",
        **({"images without a label": f"{len(plan.rows.unlabelled)}"} if len(plan.rows.unlabelled) else {}),
        "threshold": _threshold(s),
    }
    if len(plan.rows.deciding):
        common["known classes"] = (
            f"{len(plan.known)}, a detector each, {SCALING[s.scaling]}, joined by {DECIDES[s.decides]} on "
            f"{len(plan.rows.deciding)} {'training' if s.crosses else 'held-out'} images"
        )
    if method is None:
        return common
    return common | {
        **{name: value.replace("\n", "; ") for name, value in axes(method).items()},
        "training": f"batch {s.batch}, {plan.shown} images shown"
        + (f", as many as were timed to fit {minutes(s.minutes)}" if s.minutes else ""),
        **_search(s, method),
        "batch norm when scoring": "inference statistics",
        "averaged generator": f"decay min({s.ema:g}, (1 + t) / (10 + t)) at step t" if s.ema else "none",
    }
