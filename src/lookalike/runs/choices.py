"""From settings to a method: the user, the preset and the kind of method give the value of each axis.

A flag changes a part of a method only where the part has the value. Elsewhere the flag is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

from lookalike.base.errors import UsageError
from lookalike.game.diffaugment import DiffAugment
from lookalike.game.heads import Binary
from lookalike.game.latents import BalancedLabels, Labels, LabelsAsInData, Latent, Normal, Uniform, UniformLabels
from lookalike.game.losses import Hinge, Loss, Minimax, Wasserstein
from lookalike.game.method import Method, Twin
from lookalike.game.needs import Need
from lookalike.game.nets import Net
from lookalike.game.nets.conditioning import ClassBatchNorm, Embedded, OneHot, Unconditional
from lookalike.game.optimiser import Adam
from lookalike.game.penalty import GradientPenalty, Penalty
from lookalike.game.score import SCORES, Score
from lookalike.game.share import scaled, share_at
from lookalike.game.splitting import Splitting
from lookalike.game.streams import Real, Unlabelled
from lookalike.methods import METHODS, NETS
from lookalike.methods.fanogan import Inverting
from lookalike.methods.r3gan import RelativisticPairing
from lookalike.runs.presets import FROM, PRESETS, TIMES
from lookalike.runs.settings import TrainSettings

FIELDS = {  # setting -> (axis, field of a part on it)
    "noise": ("d_sees", "sigma"),
    "salt_pepper": ("d_sees", "salt_pepper"),
    "weak_z": ("twins", "z_dim"),
    "weak_depth": ("twins", "layers"),
    "weak_stride": ("twins", "stride"),
    "weak_g_pool": ("twins", "g_pool"),
    "weak_pool": ("twins", "pool"),
    "spread": ("head", "spread"),
    "class_loss": ("losses", "on_fake"),
    "class_weight": ("losses", "g_weight"),
    "penalty": ("penalty", "weight"),
}
EXTRAS = tuple(name for name, (axis, _) in FIELDS.items() if axis in ("d_sees", "twins"))  # of the extra fakes
WEAK = {name: FIELDS[name][1] for name in ("weak_depth", "weak_stride", "weak_g_pool", "weak_pool")}  # of a weak net
SPLITS = (0.1562,)  # shares of the training after which classes are split (splitting-gan-2017, CIFAR-10)
ABOVE, OF_EQUAL = 0.04, 0.4  # of the images: the authors' 2,000 of 50,000, which is 0.4 of one of ten classes
SPLITS_OF_ONE = tuple(0.0781 * i for i in range(1, 6))
REFINED = 11  # evaluations of V(x) from an encoder's z: 10 steps
FULL = 10  # known classes whose detectors each get all of --images
PLAIN = "dcgan"  # the family of the values at the top of a preset
LATENTS: dict[str, Callable[[int], Latent]] = {one.name: one for one in (Normal, Uniform)}
CONDITIONINGS = {one.name: one for one in (Embedded(), ClassBatchNorm(), ClassBatchNorm(with_z=True), OneHot())}
LABELS: dict[str, Labels] = {one.name: one for one in (UniformLabels(), BalancedLabels(), LabelsAsInData())}
LOSSES: dict[str, Loss] = {
    "minimax": Minimax(),
    "saturating": Minimax(saturating=True),
    "hinge": Hinge(),
    "wasserstein": Wasserstein(),
    "relativistic": RelativisticPairing(),
}


PLAIN_VALUES: dict[str, Any] = {  # of settings that neither the user nor the method gives a value
    "latent": "normal",
    "labels": "uniform",
    "d_updates": "together",
    "diff_augment": False,
    "noise": 0.3,
    "salt_pepper": 0.0,
    "weak_z": 400,
    "split_normalised": "sample",
}


def own_value(method: Method, setting: str) -> Any:
    """The method's value of a setting of `PLAIN_VALUES`; None where it has none that has a name."""
    match setting:
        case "latent" | "labels":
            own = getattr(method, setting).name
            return own if own in (LATENTS if setting == "latent" else LABELS) else None
        case "d_updates":
            return method.d_updates
        case "diff_augment":
            return method.diff_augment is not None
        case "split_normalised":
            return method.splitting and method.splitting.normalised
        case _:
            axis, field = FIELDS[setting]
            return next(values_of(getattr(method, axis), field), None)


def weak_value(net: Net, setting: str) -> int | None:
    """The value of a setting of `WEAK` that the network's weak member has; None where it has none."""
    value = getattr(net.weak(), WEAK[setting], None)
    return value if isinstance(value, int) else None


def per_class(s: TrainSettings) -> bool:
    """Whether one GAN learns all known classes."""
    return s.method in METHODS and METHODS[s.method].per_class and s.conditioning != "none"


def conditional(s: TrainSettings) -> bool:
    """Whether that GAN is conditional on the class."""
    return per_class(s) and METHODS[s.method].conditional


def preset_of(s: TrainSettings) -> dict[str, Any]:
    """The preset's values for the method's family, or for the plain one where the user chose another network."""
    preset, several, named = PRESETS[s.preset], per_class(s), METHODS.get(s.method)
    if named is not None and named.family != PLAIN and s.net in (None, named.net.name):
        g, d = named.optimiser, named.d_optimiser or named.optimiser
        rates = {"lr": g.lr, "d_lr_share": d.lr / g.lr}
        return {**preset, **rates, **preset["families"].get(named.family, {})}
    twice = several and named is not None and named.start is not None
    return preset | (preset["per_class"] if several else {}) | (preset["twice"] if twice else {})


def times(s: TrainSettings, sides: tuple[int, ...] | None) -> int:
    """By how much the preset's side, width and images shown grow for images of these (H, W); `runs/presets.py`."""
    grows = PRESETS[s.preset]["grows"] and s.method in METHODS
    return TIMES if grows and sides and max(sides) >= FROM else 1


def filled(settings: TrainSettings, shape: tuple[int, ...], known: int) -> TrainSettings:
    """The settings with every open value filled in, for images of `shape` and so many known classes."""
    preset = preset_of(settings)
    several = per_class(settings) or settings.pooled
    larger = times(settings, shape[1:])
    both = 2 if settings.encoder else 1  # the game and its encoder
    images = settings.images or both * larger * preset["images"] * (min(known, FULL) if several else 1)
    batch = settings.batch or preset["batch"]
    net = settings.net or (net_of(settings).name if len(shape) == 3 else "mlp")
    wider = (larger if preset["widens"] else 1) * (8 if net == "mlp" else 1)
    width = settings.width or wider * preset["width"]
    every = {"log_every": 100, "sample_every": 8, "save_every": 10}
    steps = {name: getattr(settings, name) or max(batch, images // times) for name, times in every.items()}
    search = {name: getattr(settings, name) or preset[name] for name in ("search_steps", "search_lr")}
    if settings.search_steps is None and _refines(settings):
        search["search_steps"] = REFINED
    size = ",".join(map(str, shape[1:])) if len(shape) == 3 else None
    lr, d_lr = _rates(settings)
    ema = preset["ema"] if settings.ema is None else settings.ema
    spread = _spread(settings) if settings.spread is None else settings.spread
    values = {"images": images, "batch": batch, "net": net, "width": width, "size": size}
    values |= {"conditioning": settings.conditioning or _conditioning(settings)}
    values |= {"calibration": settings.held_out, "test": settings.tested}
    values |= {"decay": preset.get("decay") if settings.decay is None else settings.decay}
    values |= {"lr": lr, "d_lr": d_lr, "ema": ema} | ({"spread": spread} if per_class(settings) else {})
    values |= {name: _given_or_own(settings, name) for name in PLAIN_VALUES}
    if settings.method in METHODS and weighs_classes(METHODS[settings.method]):
        values["class_weight"] = settings.class_weight or preset.get("class_weight")
    return settings.model_copy(update=values | steps | search | _split_settings(settings, images, batch, known))


def _given_or_own(s: TrainSettings, name: str) -> Any:
    """The user's value of a setting of `PLAIN_VALUES`, or the method's, or the plain one where it has no such part."""
    given, plain = getattr(s, name), PLAIN_VALUES[name]
    if given is not None or s.method not in METHODS:
        return plain if given is None else given
    own = own_value(METHODS[s.method], name)
    nameless = name in ("latent", "labels")  # priors of another kind have no name, and stay as they are
    return plain if own is None and not nameless else own


def _split_settings(s: TrainSettings, images: int, batch: int, known: int) -> dict[str, Any]:
    """The share above which classes are split, and after how many images; of points in one step, the last."""
    named, one = METHODS.get(s.method), s.pooled or known == 1
    if named is None or not (named.splitting or s.split_at):
        return {}
    points = [max(1, int(share * images)) for share in (SPLITS_OF_ONE if one else SPLITS)]
    return {
        "split_above": s.split_above or min(ABOVE, OF_EQUAL / (1 if one else known)),
        "split_at": s.split_at or tuple({-(-point // batch): point for point in points}.values()),
    }


def _spread(s: TrainSettings) -> bool:
    """Whether the spread is an input of D: as the preset says, where all classes are labelled and none is split."""
    own = s.method in METHODS and METHODS[s.method].family == PLAIN
    return own and not (s.split_at or s.unlabelled) and preset_of(s).get("spread", False)


def _conditioning(s: TrainSettings) -> str | None:
    """What the preset makes of the method's conditioning; None: it stays."""
    if s.method not in METHODS:
        return None
    own = METHODS[s.method].conditioning
    changed = _with(own, {"with_z": True} if PRESETS[s.preset]["with_z"] else {})
    return None if changed == own else changed.name


def net_of(s: TrainSettings) -> Net:
    """The network of the method, or the one that the user chose; the papers' small one for a baseline."""
    own = METHODS[s.method].net if s.method in METHODS else NETS["anogan"]()
    return own if s.net in (None, own.name) else NETS[s.net or ""]()


def _rates(s: TrainSettings) -> tuple[float, float]:
    """Step sizes of G and of D."""
    preset = preset_of(s)
    lr: float = s.lr or preset["lr"]
    return lr, s.d_lr or preset["d_lr_share"] * lr


def method_of(s: TrainSettings) -> Method:
    """The named method with the settings' values on its axes. Raises UsageError where they do not go together."""
    named = _changed_parts(METHODS[s.method], s)
    shares = [
        share if stream.made or stream.real else scaled(share, s.extra_fakes_share) for stream, share in named.d_sees
    ]
    preset = preset_of(s)
    levels = {name: preset[name] for name in ("dequantised",) if name in preset}
    streams = [_with(stream, levels) for stream, _ in named.d_sees]
    more = ((Unlabelled(), 1.0),) if s.unlabelled else ()
    _check_unlabelled(s)
    net = net_of(s)
    lr, d_lr = _rates(s)
    g, d = (
        {"beta1": adam.beta1 if s.beta1 is None else s.beta1, "beta2": adam.beta2}
        for adam in (named.optimiser, named.d_optimiser or named.optimiser)
    )
    return named.but(
        **_conditioned(s, named),
        **_played(s, named),
        d_sees=(*zip(streams, shares, strict=True), *more),
        net=_sized(net, s),
        latent=_latent(s, named),
        optimiser=Adam(lr, **g),
        d_optimiser=Adam(d_lr, **d),
        g_batch=preset.get("g_batch", named.g_batch),
        d_steps=s.d_steps or named.d_steps,
        spectral=named.spectral if s.spectral is None else s.spectral,
        penalty=None if s.penalty == 0 else _penalty(s, named),
        start=None if s.start == "scratch" else named.start,
        d_updates=s.d_updates or named.d_updates,
        diff_augment=_diff_augment(s, named),
        splitting=replace(named.splitting or Splitting(), **_splits(s)) if named.splitting or s.split_at else None,
        decay=named.decay if s.decay is None else s.decay,
        score=_score(s, named),
        twins=_with_encoder(s, named),
    )


def _refines(s: TrainSettings) -> bool:
    """Whether the latent search starts at an encoder's z."""
    searches = s.method in METHODS and METHODS[s.method].score.name == "search"
    return s.score == "refined" or (s.score is None and s.encoder and searches)


def _score(s: TrainSettings, named: Method) -> Score:
    """The method's own score, or another one that the settings ask for."""
    name = "refined" if _refines(s) else s.score
    return named.score if name in (None, named.score.name) else SCORES[name or ""]


def _with_encoder(s: TrainSettings, named: Method) -> tuple[Twin, ...]:
    """The method's twins, and one that trains an encoder after the game where the user wants it."""
    if not s.encoder:
        return named.twins
    if named.encodes:
        raise UsageError(f"--encoder: {named.name} has an encoder already; leave it out")
    return (*named.twins, Twin("encoder", Inverting(), after=0.5))


def _sized(net: Net, s: TrainSettings) -> Net:
    """The net with the width, and one layer more for large images whose sides can be halved, if its depth is fixed."""
    values = {} if s.width is None else {"width": s.width}
    depth: int | None = next(values_of(net, "layers"), None)
    if depth and times(s, s.sides) > 1 and all(side % (2 * net.multiple) == 0 for side in s.sides or ()):
        values["layers"] = depth + 1
    sized: Net = _with(net, values)
    return sized


def _latent(s: TrainSettings, named: Method) -> Latent:
    """The method's prior of z, or the one that the user named, of the chosen length."""
    z = s.z or named.latent.z_dim
    if s.latent is None or s.latent == own_value(named, "latent"):
        return named.latent if z == named.latent.z_dim else _with(named.latent, {"z_dim": z})
    return LATENTS[s.latent](z)


def _penalty(s: TrainSettings, named: Method) -> Penalty | None:
    """The method's penalty, with the user's weight; a Wasserstein loss brings its own to a D whose slope is free."""
    spectral = named.spectral if s.spectral is None else s.spectral
    free = named.penalty is None and not spectral and not net_of(s).d_batch_norm
    own = GradientPenalty() if s.loss == "wasserstein" and free else named.penalty
    return own if own is None or s.penalty is None else _with(own, {"weight": s.penalty})


def _diff_augment(s: TrainSettings, named: Method) -> DiffAugment | None:
    """The method's own, the usual one where the user wants one that the method lacks, or none."""
    wanted = own_value(named, "diff_augment") if s.diff_augment is None else s.diff_augment
    return (named.diff_augment or DiffAugment()) if wanted else None


def _changed_parts(named: Method, s: TrainSettings) -> Method:
    """The method with the settings of `FIELDS` in the parts that have the field."""
    usual = {name: weak_value(net_of(s), name) if name in WEAK else own_value(named, name) for name in EXTRAS}
    changed = {name: getattr(s, name) for name, value in usual.items() if getattr(s, name) != value}
    given: dict[str, Any] = changed | {"spread": bool(s.spread)}
    given |= {"class_weight": s.class_weight} if weighs_classes(named) else {}
    given |= {"class_loss": s.class_loss and s.class_loss == "both"} if named.conditional else {}
    by_axis: dict[str, dict[str, Any]] = {}
    for name, value in given.items():
        if value is not None:
            axis, field = FIELDS[name]
            by_axis.setdefault(axis, {})[field] = value
    return named.but(**{axis: _with(getattr(named, axis), values) for axis, values in by_axis.items()})


def _with(part: Any, values: Mapping[str, Any]) -> Any:
    """The part with these values in its fields of these names, and in those of what it is made of."""
    if isinstance(part, tuple):
        return tuple(_with(item, values) for item in part)
    if not _is_part(part):
        return part
    own = {one.name: values[one.name] for one in fields(part) if one.name in values}
    inner = {one.name: _with(getattr(part, one.name), values) for one in fields(part) if one.name not in own}
    return replace(part, **own, **inner)


def has(part: Any, field: str) -> bool:
    """Whether the part, or what it is made of, has a field of this name."""
    if isinstance(part, tuple):
        return any(has(item, field) for item in part)
    return _is_part(part) and any(one.name == field or has(getattr(part, one.name), field) for one in fields(part))


def values_of(part: Any, field: str) -> Iterator[Any]:
    """Every value of a field of this name in the part, or in what it is made of."""
    if isinstance(part, tuple):
        for item in part:
            yield from values_of(item, field)
    elif _is_part(part):
        for one in fields(part):
            value = getattr(part, one.name)
            if one.name == field:
                yield value
            else:
                yield from values_of(value, field)


def _is_part(value: Any) -> bool:
    """Whether this is a value of an axis that has fields."""
    return is_dataclass(value) and not isinstance(value, type)


def _splits(s: TrainSettings) -> dict[str, Any]:
    """When and how classes are split."""
    usual = METHODS[s.method].splitting or Splitting()
    normalised = s.split_normalised or usual.normalised
    return {"at": s.split_at or usual.at, "above": s.split_above or usual.above, "normalised": normalised}


def _conditioned(s: TrainSettings, named: Method) -> dict[str, Any]:
    """How G is conditional on the class, and which head D has."""
    if not named.conditional:
        return {}
    if s.conditioning != "none":
        chosen = CONDITIONINGS[s.conditioning] if s.conditioning else named.conditioning
        own = s.labels is None or s.labels == own_value(named, "labels")
        return {"conditioning": chosen, "labels": named.labels if own else LABELS[s.labels or ""]}
    if Need.Z not in named.head.needs:
        raise UsageError(
            f"--conditioning none: {s.method} learns its classes together, so that its G needs the class as an input; "
            "take another conditioning, or ali"
        )
    return {"head": _with(named.head, {"head": Binary()}), "conditioning": Unconditional()}


def _played(s: TrainSettings, named: Method) -> dict[str, Any]:
    """The losses, and the groups of images in G's step that they need."""
    losses = (LOSSES[s.loss] if s.loss else named.losses[0], *named.losses[1:])
    made = tuple((stream, share) for stream, share in named.g_plays if stream.made)
    real: tuple[Any, ...] = ((Real(), sum(share_at(share, 0) for _, share in made)),)
    wanted = any(Need.REAL_IN_G in loss.needs for loss in losses)
    return {"losses": losses, "g_plays": (*(real if wanted else ()), *made) if s.loss else named.g_plays}


def _check_unlabelled(s: TrainSettings) -> None:
    """Raises UsageError where D cannot learn from images without a label."""
    head = METHODS[s.method].head
    if not s.unlabelled:
        return
    if Need.LABELS in head.needs or not head.classifies:
        does = "has the class as an input" if Need.LABELS in head.needs else "does not classify"
        raise UsageError(
            f"--unlabelled: {s.method}'s D {does}; take a method whose D classifies, such as k-plus-one or acgan"
        )
    if s.spread and has(head, "spread"):
        raise UsageError(
            "--spread is how much the images of a class differ, and --unlabelled's have no class; leave one of them out"
        )


def weighs_classes(method: Method) -> bool:
    """Whether G learns from the class that D gives its images."""
    return any(loss.teaches_classes and loss.moves_g for loss in method.losses)
