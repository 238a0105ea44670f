"""A stored model's facts checked, and its detector built from them and from its tensors."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lookalike.base import checkpoint
from lookalike.base.arrays import Floats
from lookalike.base.errors import DamagedError, ModelError, show
from lookalike.base.renamed import current
from lookalike.data.aspect import SAID
from lookalike.detect.baselines import BASELINES, CLASSIFIERS
from lookalike.detect.detector import Detector
from lookalike.detect.gan import KEPT, GANDetector
from lookalike.detect.join import Join
from lookalike.detect.kinds import Nearest
from lookalike.detect.on_features import OnFeatures
from lookalike.detect.openset import WEIGHTS, OpenSet
from lookalike.detect.scale import Scale
from lookalike.detect.search import Search
from lookalike.game.gan import GAN
from lookalike.methods import stored

CALIBRATION = "calibration"  # the tensor of the calibration images' scores
ROLES = ("known", "extra_fakes")


def with_new_names(facts: dict[str, Any]) -> dict[str, Any]:
    """The facts with old names replaced by those of this version."""
    classes, training = facts["classes"], facts["training"]
    counts = training.get("counts")
    counted = {"counts": current(counts)} if isinstance(counts, dict) else {}
    return facts | {"classes": current(classes), "training": training | counted}


def check(facts: dict[str, Any]) -> None:
    """Raises ModelError for facts that no model has. `checkpoint` has checked their types before."""
    training, shape, classes = facts["training"], facts["shape"], facts["classes"]
    kind = facts["settings"].get("kind") if facts["kind"] == OpenSet.kind else facts["kind"]
    counts: Any = training.get("counts")
    checks = {
        "shape": (len(shape) == 3 and shape[0] in (1, 3)) or len(shape) == 1,
        "classes": set(classes) == set(ROLES)
        and classes["known"]
        and not set(classes["known"]) & set(classes["extra_fakes"]),
        "method": kind not in (*BASELINES, *CLASSIFIERS) or facts["method"] == {"name": kind},
        "training.value_range": _is_range(training.get("value_range", ())),
        "training.key_size": _is_size(training.get("key_size", [1, 1])),
        "training.aspect": training.get("aspect", "squash") in SAID,
        "training.threads": _is_count(training.get("threads")) and 1 <= training["threads"] <= 1024,
        "training.counts": _are_counts(counts) and {"train", "calibration"} <= set(counts),
        "training.groups": _are_counts(training.get("groups", {})),
    }
    for name, good in checks.items():
        if not good:
            raise DamagedError(
                f"the model's {name} is missing or has an impossible value; use another copy or train again"
            )


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0


def _are_counts(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_count, value.values()))


def _is_size(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(_is_count(side) and 0 < side < 1 << 16 for side in value)


def _is_range(value: Any) -> bool:
    """Whether the value is None, or two finite numbers in rising order."""
    if value is None:
        return True
    return (
        isinstance(value, list)
        and [type(number) in (int, float) for number in value] == [True, True]
        and -sys.float_info.max <= value[0] < value[1] <= sys.float_info.max
    )


def calibration_of(tensors: dict[str, Tensor]) -> Floats:
    """The scores of the calibration images, removed from `tensors`. Raises ModelError if they do not fit."""
    found = {name: tensors.pop(name) for name in (CALIBRATION,) if name in tensors}
    size = sum(tensor.numel() for tensor in found.values())
    checkpoint.match(found, {CALIBRATION: torch.empty(size, dtype=torch.float64, device="meta")}, "the model")
    return np.asarray(found[CALIBRATION].numpy())


def detector_of(tensors: dict[str, Tensor], facts: Mapping[str, Any], device: torch.device | str) -> Detector:
    """The detector of a stored kind. Raises ModelError for an unknown one."""
    if facts["kind"] == OpenSet.kind:
        return _open_set(tensors, facts, device)
    if facts["kind"] in BASELINES:
        return BASELINES[facts["kind"]].restore(tensors, facts["settings"], tuple(facts["shape"]))
    if facts["kind"] in CLASSIFIERS:
        classifier = CLASSIFIERS[facts["kind"]].restore(tensors, facts["settings"], tuple(facts["shape"]))
        if classifier.facts()["classes"] != len(facts["classes"]["known"]):
            raise ModelError(f"the {facts['kind']} was not trained on this number of known classes; train again")
        return classifier
    if facts["kind"] == GANDetector.kind:
        return _gan(tensors, facts, device)
    known = ", ".join((GANDetector.kind, OpenSet.kind, *BASELINES, *CLASSIFIERS))
    raise ModelError(f"the file names a model of kind {show(facts['kind'])}; this version has: {known}")


def _gan(tensors: Mapping[str, Tensor], facts: Mapping[str, Any], device: torch.device | str) -> GANDetector:
    """A trained GAN with its latent search."""
    # any decay but 0: the file has an averaged G, and training is over
    averaged = any(name.startswith("average.") for name in tensors)
    method, shape, ema = stored.from_json(facts["method"]), tuple(facts["shape"]), 0.5 if averaged else 0.0
    classes = len(facts["classes"]["known"])
    with torch.device("meta"):  # sizes are compared before any memory is allocated
        weights = {name: tensor for name, tensor in tensors.items() if not name.startswith(KEPT)}
        GAN(method, shape, device="meta", classes=classes, ema=ema).expect(weights, training=False)
    gan = GAN(method, shape, device=device, classes=classes, ema=ema)
    gan.take(weights, training=False)
    kept = {name: tensor for name, tensor in tensors.items() if name.startswith(KEPT)}
    return GANDetector.restore(gan, Search(**facts["settings"]), 0 if method.conditional else None, kept)


def _open_set(tensors: dict[str, Tensor], facts: Mapping[str, Any], device: torch.device | str) -> OpenSet:
    """The joined detector of several known classes: one detector per class, and the join."""
    settings, names = facts["settings"], facts["classes"]["known"]
    n = len(names)
    _check_several(settings, n)
    own = {name: tensors.pop(name) for name in WEIGHTS if name in tensors}
    sides = zip(WEIGHTS, ((n, n), (n,)), strict=True)
    expected = {name: torch.empty(side, dtype=torch.float64, device="meta") for name, side in sides}
    checkpoint.match(own, expected, OpenSet.kind)
    if strays := [key for key in tensors if key.partition(".")[0] not in map(str, range(n))]:
        raise ModelError(f"openset: tensor '{show(strays[0])}' belongs to no known class; train again")
    members = _members(tensors, facts, device)
    scales = [Scale.stored(scale, show(name)) for scale, name in zip(settings["scales"], names, strict=True)]
    order = settings.get("order")
    weights, biases = (own[name].numpy() for name in WEIGHTS)
    join = Join(tuple(scales), weights, biases, tuple(settings["apart"]), None if order is None else tuple(order))
    return OpenSet(members, join, _nearest(settings.get("nearest"), list(members.values())))


def _check_several(settings: Mapping[str, Any], n: int) -> None:
    """Raises ModelError for settings that no joined detector of n classes has."""
    lists = ("members", "scales", "apart")
    if set(settings) - {"order", "nearest"} != {"kind", *lists} or {len(settings[name]) for name in lists} != {n}:
        raise ModelError(f"the model does not have one detector for each of its {n} known classes; train again")
    if settings["kind"] not in (GANDetector.kind, *BASELINES):
        raise ModelError(f"the model's kind {show(settings['kind'])} is no detector of single classes; train again")
    seen = {str(member.get("sha256")) for member in settings["members"] if isinstance(member, dict)}
    if len(seen) > 1:  # they share the work of one network
        raise ModelError("the detectors of the model's classes see images through different networks; train again")
    if not all(type(auc) is float and 0 <= auc <= 1 for auc in settings["apart"]):
        raise ModelError(f"the model's AUCs of single classes are {show(settings['apart'])}; train again")
    order = settings.get("order")
    if order is not None and sorted(order) != list(range(n)):
        raise ModelError(f"the model's order of classes is {show(order)}, not of all {n}; train again")


def _members(
    tensors: Mapping[str, Tensor], facts: Mapping[str, Any], device: torch.device | str
) -> dict[str, Detector]:
    """The detector of each known class; those of a conditional GAN share it."""
    settings, members = facts["settings"], dict[str, Detector]()
    for k, name in enumerate(facts["classes"]["known"]):
        own = settings["members"][k]
        mine = {key.removeprefix(f"{k}."): tensor for key, tensor in tensors.items() if key.startswith(f"{k}.")}
        first = next(iter(members.values()), None)
        if isinstance(first, GANDetector) and first.gan.method.conditional:
            members[name] = GANDetector.restore(first.gan, Search(**own), k, mine)
        else:
            members[name] = detector_of(mine, {**facts, "kind": settings["kind"], "settings": own}, device)
    return members


def _nearest(facts: Any, detectors: Sequence[Detector]) -> Nearest | None:
    """What the distance to the nearest known image adds, where the model has it."""
    if facts is None:
        return None
    on_features = [one for one in detectors if isinstance(one, OnFeatures)]
    if len(on_features) < len(detectors) or len({tuple(one.members) for one in on_features}) > 1:
        raise ModelError("the detectors of the model's classes have not the same members; train again")
    return Nearest.stored(facts, list(on_features[0].members))
