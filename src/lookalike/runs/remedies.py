"""What to change where a GAN's training went wrong: flags that this GAN takes, each with another value than it has."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from lookalike.base.errors import UsageError
from lookalike.runs.choices import method_of
from lookalike.runs.plan import Plan, check_method
from lookalike.runs.recipe import Recipe
from lookalike.runs.settings import flag
from lookalike.runs.watch import Kind

FOR_G: dict[str, Any] = {"conditioning": "one-hot", "loss": "hinge"}
FOR_D: dict[str, Any] = {"diff_augment": True}


def remedies(plan: Plan, kind: Kind) -> str:
    """The flags to try against what was found, as the end of a sentence."""
    for_d = kind == "won"
    changes = {name: value for name, value in (FOR_D if for_d else FOR_G).items() if _takes(plan, name, value)}
    first = f"a lower --d-lr than {plan.recipe.settings.d_lr:g}" if for_d else "more images shown (--images)"
    flags = [flag(name) if value is True else f"{flag(name)} {value}" for name, value in changes.items()]
    return f"try in another folder (-o) {' or '.join([first, *flags])}"


def _takes(plan: Plan, name: str, value: Any) -> bool:
    """Whether the plan's GAN can have this value, and has another one."""
    settings = plan.recipe.settings.model_copy(update={name: value})
    try:
        method = method_of(settings)
        check_method(replace(plan, recipe=Recipe(settings, method)), method)
    except UsageError:
        return False
    return method != plan.recipe.method
