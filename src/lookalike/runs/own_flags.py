"""Which flags a method takes: each is a part of it, or refused in a sentence that names methods that have the part."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lookalike.base.errors import UsageError
from lookalike.base.names import ON_FEATURES
from lookalike.game.method import Method
from lookalike.methods import METHODS
from lookalike.runs.choices import EXTRAS, FIELDS, has, method_of, values_of, weak_value, weighs_classes
from lookalike.runs.settings import DataSettings, TrainSettings, flag

OF_BASELINES = {  # settings that a baseline uses
    *("known", "pooled", "method", "preset", "seed", "size", "grey", "test", "calibration", "false_alarms"),
    *("expect", "backbone"),
    *("device", "threads"),
    *DataSettings.model_fields,
}
JOINING = ("scaling", "decides")  # how detectors of several known classes become one
OF_SPLITTING = ("split_at", "split_above", "split_normalised")


AXES = {  # settings that change what the other parts of a method must offer
    *("score", "loss", "net", "penalty", "spectral", "conditioning", "class_loss", "start", "d_updates"),
    *("diff_augment", "encoder", "split_at", "latent", "labels", "unlabelled"),
}


def chosen_method(given: TrainSettings, s: TrainSettings) -> Method:
    """The named method with the user's settings on its axes.

    Parameters
    ----------
    given : TrainSettings
        As the user gave them.
    s : TrainSettings
        The same, with every open value filled in.

    Raises
    ------
    UsageError
        For a flag that the method does not use, and for flags that do not go together with its parts. Then the message
        names the flags and the methods that can have them.
    """
    try:
        method = method_of(s)
    except UsageError as error:
        flags = sorted(AXES & given.model_fields_set)
        if not flags or str(error).startswith("--"):
            raise
        can = ", ".join(name for name in METHODS if _works(s.model_copy(update={"method": name})))
        reason = str(error).removeprefix(f"method {s.method}: ").rpartition("; ")[0]  # without the advice for Python
        wanted = " ".join(f"{flag(name)} {getattr(given, name)}" for name in flags)
        advice = f"methods that can: {can}" if can else "leave it out"
        raise UsageError(f"{s.method} cannot have {wanted}: {reason or error}; {advice}") from error
    refuse_idle(given, method)
    return method


def _works(s: TrainSettings) -> bool:
    try:
        method_of(s)
    except UsageError:
        return False
    return True


def _has_field(setting: str) -> Callable[[Method, Method], bool]:
    axis, field = FIELDS[setting]
    return lambda m, named: has(getattr(m, axis), field)


OWN: dict[str, Callable[[Method, Method], bool]] = {  # setting of some methods -> whether (method, as named) has it
    "extra_fakes": lambda m, named: m.needs_others,
    "unlabelled": lambda m, named: m.head.classifies,
    **{name: _has_field(name) for name in EXTRAS},
    "penalty": lambda m, named: has(m.penalty or named.penalty, "weight"),
    "extra_fakes_share": lambda m, named: any(not stream.made and not stream.real for stream, _ in m.d_sees),
    "spread": lambda m, named: m.conditional and m.splitting is None and has(m.head, "spread"),
    "labels": lambda m, named: m.conditional,
    "conditioning": lambda m, named: named.conditional,
    "class_loss": lambda m, named: m.head.classifies and m.conditional,
    "class_weight": lambda m, named: weighs_classes(named),
    "start": lambda m, named: named.start is not None,
    **dict.fromkeys(OF_SPLITTING, lambda m, named: m.splitting is not None),
}


def own_settings(method: Method) -> tuple[str, ...]:
    """The settings that only some methods have, and `method` is one of them."""
    return tuple(name for name, there in OWN.items() if there(method, METHODS[method.name]))


def own_flags(s: TrainSettings, method: Method) -> dict[str, str]:
    """Each of these settings as a flag with the value that `method` has, CLASS where the user names one.

    Those of a weak twin whose network does not have them are left out.
    """
    values = {name: _value(name, s, method) for name in own_settings(method)}
    return {name: _as_flag(name, value) for name, value in values.items() if value is not None}


def _value(name: str, s: TrainSettings, method: Method) -> Any:
    """The value of a setting: of the part that has it, else as the settings say."""
    if name == "conditioning":
        return method.conditioning.name
    if name not in FIELDS:
        return getattr(s, name)
    axis, field = FIELDS[name]
    value: Any = next(values_of(getattr(method, axis), field), 0.0)  # a penalty that was left out has no weight
    if value is None:
        return weak_value(method.net, name)
    return {True: "both", False: "real"}[value] if name == "class_loss" else value


def _as_flag(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return flag(name) if value else flag(f"no_{name}")
    if name in ("extra_fakes", "unlabelled"):
        value = ",".join(value) or "CLASS"
    many = value if isinstance(value, tuple) else (value,)
    return " ".join(f"{flag(name)} {one:g}" if isinstance(one, float) else f"{flag(name)} {one}" for one in many)


def refuse_idle(settings: TrainSettings, method: Method) -> None:
    """Raises UsageError for a given setting of a part that the method does not have."""
    idle = (settings.model_fields_set & set(OWN)) - set(own_settings(method)) - {"extra_fakes"}  # refused with its data
    if idle:
        own = ", ".join(map(flag, own_settings(method))) or "none"
        given = ", ".join(map(flag, sorted(idle)))
        raise UsageError(f"{method.name} does not use {given}; leave it out (its own settings: {own})")


def idle_settings(name: str, method: Method | None, known: int) -> set[str]:
    """The settings that `name`, a method or a baseline (`method` None), does not use on `known` classes."""
    others = set(TrainSettings.model_fields) - OF_BASELINES - set(JOINING)
    idle = others if method is None else set(OWN) - set(own_settings(method))
    only = {"backbone": name in ON_FEATURES, "expect": name == "auto", **dict.fromkeys(JOINING, known > 1)}
    return idle | {setting for setting, there in only.items() if not there}


def unused(settings: TrainSettings, method: Method | None, known: int, *, joins: bool) -> tuple[str, ...]:
    """A line for each given setting that a baseline (`method` None), or one `known` class, does not use.

    `joins`: whether each of several classes has a detector of its own.
    """
    given = settings.model_fields_set - {"extra_fakes"}  # which is refused
    idle = given - (OF_BASELINES if method is None else given) - set(JOINING)
    idle |= set() if joins else given & set(JOINING)
    where = " on one known class" if known == 1 else ""
    return tuple(
        f"{settings.method} does not use {flag(name)}{where if name in JOINING else ''}" for name in sorted(idle)
    )
