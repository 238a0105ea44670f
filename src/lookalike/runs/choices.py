"""From settings to a method: what the user, the preset and the kind of method say on each axis."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from lookalike.base.errors import UsageError
from lookalike.game.diffaugment import DiffAugment
from lookalike.game.heads import Auxiliary, Binary, Head, Joint, LabelAware
from lookalike.game.latents import LabelsAsInData, Normal, Uniform, UniformLabels
from lookalike.game.losses import AuxiliaryClass, Hinge, Loss, Minimax, Wasserstein
from lookalike.game.method import Adam, EveryThird, Method
from lookalike.game.nets import Net
from lookalike.game.nets.conditioning import ClassBatchNorm, Embedded, OneHot, Unconditional
from lookalike.game.nets.resnet import Resnet
from lookalike.game.penalty import GradientPenalty
from lookalike.game.splitting import Splitting
from lookalike.game.streams import Unlabelled
from lookalike.methods import METHODS, NETS
from lookalike.methods.vtgan import Noised, Weakened
from lookalike.runs.presets import PRESETS
from lookalike.runs.settings import DataSettings, TrainSettings, flag

OF_BASELINES = {  # settings that a baseline looks at
    *(
        "known",
        "pooled",
        "method",
        "preset",
        "seed",
        "size",
        "grey",
        "test",
        "calibration",
        "false_alarms",
        "device",
        "threads",
    ),
    *DataSettings.model_fields,
}
OF_SOME_METHODS = (
    *("extra_fakes", "unlabelled", "noise", "salt_pepper", "weak_z", "extra_fakes_share"),
    *("spread", "labels", "conditioning", "class_loss", "class_weight", "start"),
    *("split_at", "split_above", "split_normalised"),
)
JOINING = ("scaling", "decides")  # how detectors of several known classes become one
SPLITS = (0.1562,)  # shares of the training after which classes are split (splitting-gan-2017, CIFAR-10)
ABOVE, OF_EQUAL = 0.04, 0.4  # of the images: the authors' 2,000 of 50,000; of one of ten classes that is .4
SPLITS_OF_ONE = tuple(0.0781 * i for i in range(1, 6))
FULL = 10  # known classes whose detectors each get all of --images
CONDITIONINGS = {"embedding": Embedded(), "batch-norm": ClassBatchNorm(), "one-hot": OneHot()}
LABELS = {"uniform": UniformLabels(), "data": LabelsAsInData()}
LOSSES: dict[str, Loss] = {
    "minimax": Minimax(),
    "saturating": Minimax(saturating=True),
    "hinge": Hinge(),
    "wasserstein": Wasserstein(),
}


def per_class(s: TrainSettings) -> bool:
    """Whether one GAN learns all known classes."""
    return s.method in METHODS and METHODS[s.method].per_class and s.conditioning != "none"


def conditional(s: TrainSettings) -> bool:
    """Whether that GAN is asked for a class."""
    return per_class(s) and METHODS[s.method].conditional


def preset_of(s: TrainSettings) -> dict[str, Any]:
    """What the preset says for this kind of method; one of residual networks has its own step sizes."""
    preset, told, named = PRESETS[s.preset], per_class(s), METHODS.get(s.method)
    if named is not None and isinstance(named.net, Resnet) and s.net in (None, "resnet"):
        g, d = named.optimiser, named.d_optimiser or named.optimiser
        rates = {"lr": g.lr, "d_lr_share": d.lr / g.lr}
        return {**preset, **rates, **preset["resnet"], **(preset["critic"] if named.d_steps > 1 else {})}
    twice = told and named is not None and named.start is not None
    return preset | (preset["per_class"] if told else {}) | (preset["twice"] if twice else {})


def filled(settings: TrainSettings, shape: tuple[int, ...], known: int) -> TrainSettings:
    """The settings with what they leave open, for images of `shape` and so many known classes."""
    preset = preset_of(settings)
    several = per_class(settings) or settings.pooled
    images = settings.images or preset["images"] * (min(known, FULL) if several else 1)
    batch = settings.batch or preset["batch"]
    net = settings.net or (_net_of(settings.method) if len(shape) == 3 else "mlp")
    width = settings.width or (8 * preset["width"] if net == "mlp" else preset["width"])
    every = {"log_every": 100, "sample_every": 8, "save_every": 10}
    steps = {name: getattr(settings, name) or max(batch, images // times) for name, times in every.items()}
    search = {name: getattr(settings, name) or preset[name] for name in ("search_steps", "search_lr")}
    size = ",".join(map(str, shape[1:])) if len(shape) == 3 else None
    lr, d_lr = _rates(settings)
    ema = preset["ema"] if settings.ema is None else settings.ema
    spread = _spread(settings) if settings.spread is None else settings.spread
    values = {"images": images, "batch": batch, "net": net, "width": width, "size": size}
    values |= {"lr": lr, "d_lr": d_lr, "ema": ema} | ({"spread": spread} if per_class(settings) else {})
    if settings.method in METHODS and _minds_classes(METHODS[settings.method]):
        values["class_weight"] = settings.class_weight or preset.get("class_weight")
    return settings.model_copy(update=values | steps | search | _split_settings(settings, images, batch, known))


def _split_settings(s: TrainSettings, images: int, batch: int, known: int) -> dict[str, Any]:
    """From which share of the images on classes are split, and after how many: of points in one step the last."""
    named, one = METHODS.get(s.method), s.pooled or known == 1
    if named is None or not (named.splitting or s.split_at):
        return {}
    points = [max(1, int(share * images)) for share in (SPLITS_OF_ONE if one else SPLITS)]
    return {
        "split_above": s.split_above or min(ABOVE, OF_EQUAL / (1 if one else known)),
        "split_at": s.split_at or tuple({-(-point // batch): point for point in points}.values()),
    }


def _spread(s: TrainSettings) -> bool:
    """Whether D sees it: as the preset says of methods not of residual networks, whose classes are known and stay."""
    own = s.method in METHODS and not isinstance(METHODS[s.method].net, Resnet)
    return own and not (s.split_at or s.unlabelled) and preset_of(s).get("spread", False)


def _net_of(method: str) -> str:
    """The name of the method's own network."""
    own = {kind: name for name, kind in NETS.items()}
    return own[type(METHODS[method].net)] if method in METHODS else "anogan"


def _rates(s: TrainSettings) -> tuple[float, float]:
    """Step sizes of G and of D."""
    preset = preset_of(s)
    lr: float = s.lr or preset["lr"]
    return lr, s.d_lr or preset["d_lr_share"] * lr


def method_of(s: TrainSettings) -> Method:
    """The named method with the settings' values on its axes."""
    named = METHODS[s.method]
    shares = [
        share if stream.made or stream.real or isinstance(share, EveryThird) else share * s.extra_fakes_share
        for stream, share in named.d_sees
    ]
    streams = [Noised(s.noise, s.salt_pepper) if isinstance(stream, Noised) else stream for stream, _ in named.d_sees]
    more = ((Unlabelled(), 1.0),) if s.unlabelled else ()
    if more and (named.head.needs_labels or not named.head.classifies):
        does = "is told each image's class" if named.head.needs_labels else "names no classes"
        raise UsageError(
            f"--unlabelled: {s.method}'s D {does}; take one whose D names them itself, such as k-plus-one or acgan"
        )
    if more and s.spread and isinstance(named.head, Auxiliary):
        raise UsageError("--spread: D sees how much the images of a class differ, and --unlabelled's are of none")
    twins = [replace(t, method=Weakened(s.weak_z)) if isinstance(t.method, Weakened) else t for t in named.twins]
    kind = NETS[s.net or _net_of(s.method)]
    net: Net = replace(named.net, width=s.width) if isinstance(named.net, kind) else kind(width=s.width)  # type: ignore[type-var]
    lr, d_lr = _rates(s)
    g, d = (
        {"beta1": adam.beta1 if s.beta1 is None else s.beta1, "beta2": adam.beta2}
        for adam in (named.optimiser, named.d_optimiser or named.optimiser)
    )
    return named.but(
        **_told(s, named),
        d_sees=(*zip(streams, shares, strict=True), *more),
        twins=tuple(twins),
        net=net,
        latent={"normal": Normal, "uniform": Uniform}[s.latent](s.z or named.latent.z_dim),
        losses=(LOSSES[s.loss] if s.loss else named.losses[0], *(_other(s, loss) for loss in named.losses[1:])),
        optimiser=Adam(lr, **g),
        d_optimiser=Adam(d_lr, **d),
        d_steps=s.d_steps or named.d_steps,
        spectral=named.spectral if s.spectral is None else s.spectral,
        penalty=named.penalty if s.penalty is None else GradientPenalty(s.penalty) if s.penalty else None,
        start=None if s.start == "scratch" else named.start,
        d_updates=s.d_updates,
        diff_augment=DiffAugment() if s.diff_augment else None,
        splitting=replace(named.splitting or Splitting(), **_splits(s)) if named.splitting or s.split_at else None,
        decay=named.decay if s.decay is None else s.decay,
    )


def _splits(s: TrainSettings) -> dict[str, Any]:
    """When and how classes are split."""
    usual = Splitting()
    return {"at": s.split_at or usual.at, "above": s.split_above or usual.above, "normalised": s.split_normalised}


def _told(s: TrainSettings, named: Method) -> dict[str, Any]:
    """How G is told a class, and what of classes D looks at."""
    head = _seeing(named.head, spread=bool(s.spread))
    if not named.conditional:
        return {"head": head}
    if s.conditioning != "none":
        told = CONDITIONINGS[s.conditioning] if s.conditioning else named.conditioning
        return {"head": head, "conditioning": told, "labels": LABELS[s.labels]}
    if not isinstance(head, Joint):
        raise UsageError(
            f"--conditioning none: {s.method} learns its classes together and must be told them; ali need not"
        )
    return {"head": replace(head, head=Binary()), "conditioning": Unconditional()}


def _other(s: TrainSettings, loss: Loss) -> Loss:
    """A loss beside the game's."""
    if not isinstance(loss, AuxiliaryClass):
        return loss
    on_fake = s.class_loss == "both" if s.class_loss and METHODS[s.method].conditional else loss.on_fake
    return replace(loss, on_fake=on_fake, g_weight=loss.g_weight and (s.class_weight or loss.g_weight))


def _minds_classes(method: Method) -> bool:
    """Whether G learns from the class that D takes its images for."""
    return any(isinstance(loss, AuxiliaryClass) and loss.g_weight for loss in method.losses)


def _seeing(head: Head, *, spread: bool) -> Head:
    """The head with or without a look at the spread, where it can have one."""
    if isinstance(head, Joint):
        return replace(head, head=_seeing(head.head, spread=spread))
    return replace(head, spread=spread) if isinstance(head, Auxiliary | LabelAware) else head


def _inner(head: Head) -> Head:
    return head.head if isinstance(head, Joint) else head


def own_settings(method: Method) -> tuple[str, ...]:
    """Those of `OF_SOME_METHODS` that `method` looks at."""
    streams = [stream for stream, _ in method.d_sees]
    noised = any(isinstance(stream, Noised) for stream in streams)
    weak = any(isinstance(twin.method, Weakened) for twin in method.twins)
    extra_fakes_share = any(not stream.made and not stream.real for stream in streams)
    told, named = method.conditional, METHODS[method.name]
    spreads = told and method.splitting is None and isinstance(_inner(method.head), Auxiliary | LabelAware)
    used = (
        *(method.needs_others, method.head.classifies, noised, noised, weak, extra_fakes_share),
        *(
            spreads,
            told,
            named.conditional,
            method.head.classifies and told,
            _minds_classes(named),
            named.start is not None,
        ),
        *[method.splitting is not None] * 3,
    )
    looks = zip(OF_SOME_METHODS, used, strict=True)
    return tuple(name for name, look in looks if look)


def unused(settings: TrainSettings, method: Method | None, *, joins: bool) -> tuple[str, ...]:
    """A line for each setting that was given and that `method` (None: a baseline) does not look at.

    `joins`: whether it is one detector per class, of several.
    """
    given = settings.model_fields_set - {"extra_fakes"}  # which is refused
    looked_at = OF_BASELINES if method is None else given - set(OF_SOME_METHODS) | set(own_settings(method))
    idle = given - looked_at - set(JOINING) | (set() if joins else given & set(JOINING))
    where = " on one known class" if len(settings.known) == 1 else ""
    return tuple(
        f"{settings.method} does not use {flag(name)}{where if name in JOINING else ''}" for name in sorted(idle)
    )
