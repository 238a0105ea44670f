"""Every setting of a run as one typed, range-checked model: it gives the flags, the TOML keys and the defaults.

Nothing here imports torch, so that `--help` stays quick.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from cyclopts import Parameter
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from lookalike.base import names
from lookalike.base.errors import UsageError, show
from lookalike.runs.presets import Preset

if TYPE_CHECKING:  # mypy takes no computed names
    ClassGANName: TypeAlias = str
    MethodName: TypeAlias = str
    NetName: TypeAlias = str
    LossName: TypeAlias = str
    ConditioningName: TypeAlias = str
    ScoreName: TypeAlias = str
else:
    ClassGANName = Literal[names.CONDITIONAL]  # G makes images of a given class
    MethodName = Literal[names.METHODS]
    NetName, LossName = Literal[names.NETS], Literal[names.LOSSES]
    ConditioningName, ScoreName = Literal[names.CONDITIONINGS], Literal[names.SCORES]
DIFF_AUGMENT = "D sees images moved, partly cut out, in colour brighter or darker: for few images."


def _joined(value: Any) -> Any:
    """A pair such as (32, 48) as the text that the command line gives: "32,48"."""
    return ",".join(str(item) for item in value) if isinstance(value, list | tuple) else value


def _sides(value: str | None) -> str | None:
    if value is not None and not (re.fullmatch(r"\d{1,4},\d{1,4}", value) and min(pair(value) or (0,)) >= 1):
        raise ValueError("H,W in pixels is accepted, such as 32,48")
    return value


def _ordered(value: str | None) -> str | None:
    try:
        low, high = pair(value) or (0.0, 1.0)
    except ValueError:
        low, high = 1.0, 0.0
    if not -math.inf < low < high < math.inf:
        raise ValueError("LOW,HIGH with LOW < HIGH is accepted, such as 0,4095")
    return value


def pair(value: str | None) -> tuple[float, float] | None:
    """The two numbers of "A,B"."""
    if value is None:
        return None
    first, second = (float(part) for part in value.split(","))
    return first, second


Size = Annotated[str, BeforeValidator(_joined), AfterValidator(_sides)]
Range = Annotated[str, BeforeValidator(_joined), AfterValidator(_ordered)]


class BadImageSettings(BaseModel):
    """What is done about images that cannot be read."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    on_bad: Annotated[Literal["fail", "skip"], Parameter(help="What to do with an image that cannot be read.")] = "fail"
    max_bad: Annotated[float, Field(ge=0, le=1), Parameter(help="Share of unreadable images that skip accepts.")] = 0.05


class BadSettings(BadImageSettings):
    """What is done about images and classes that cannot be used."""

    allow_empty_class: Annotated[bool, Parameter(help="Accept class folders without an image.", negative=())] = False


class DataSettings(BadSettings):
    """How DATA is read."""

    value_range: Annotated[
        Range | None, Parameter(help="LOW,HIGH of 16-bit or float images; needed for float ones.")
    ] = None

    def reading(self) -> dict[str, Any]:
        """Keyword arguments of `lookalike.data.read`."""
        return {name: getattr(self, name) for name in BadSettings.model_fields} | {"value_range": self.low_high}

    @property
    def low_high(self) -> tuple[float, float] | None:
        """`value_range` as numbers."""
        return pair(self.value_range)


class SearchSettings(BaseModel):
    """The latent search (vtgan-2021, eqs. 2 to 5)."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    lam: Annotated[float, Field(ge=0, le=1), Parameter(help="Weight of the feature loss in V(x).")] = 0.2
    reduce: Annotated[Literal["sum", "mean"], Parameter(help="Over pixels and features: the papers' sum, or mean.")] = (
        "sum"
    )
    layer: Annotated[str | None, Parameter(help="Discriminator layer that f(x) reads; default: the net's own.")] = None
    search_steps: Annotated[int | None, Field(ge=1), Parameter(help="Most steps per start; default: the preset's.")] = (
        None
    )
    search_lr: Annotated[
        float | None, Field(gt=0, le=10), Parameter(help="Step size of Adam on z; default: the preset's.")
    ] = None
    prior: Annotated[bool, Parameter(help="Keep z where its prior has its mass.")] = True
    restarts: Annotated[int, Field(ge=1, le=1000), Parameter(help="Starts per image; the best counts.")] = 1
    tolerance: Annotated[
        float, Field(ge=0, lt=1), Parameter(help="A search has converged when V fell by less than this share ...")
    ] = 0.001
    patience: Annotated[int, Field(ge=1), Parameter(help="... over so many steps.")] = 20
    search_batch: Annotated[int, Field(ge=1, le=4096), Parameter(help="Images searched side by side.")] = 128


class TrainSettings(DataSettings, SearchSettings):
    """What `lookalike train` can be told; None means: as the preset, the method or the data say."""

    known: Annotated[
        tuple[str, ...],
        Parameter(
            help="Known class, or several separated by commas; repeat the flag for names that hold commas.",
            consume_multiple=False,
            negative=(),
        ),
    ]
    pooled: Annotated[
        bool, Parameter(help="Learn the known classes as one, any, without their labels.", negative=())
    ] = False
    unlabelled: Annotated[
        tuple[str, ...],
        Parameter(
            help="Classes, such as a folder, whose images are of the known ones and nobody says which: k-plus-one and "
            "other methods whose D names classes learn from them too.",
            consume_multiple=False,
            negative=(),
        ),
    ] = ()
    extra_fakes: Annotated[
        tuple[str, ...],
        Parameter(help="Classes whose images mcgan learns to be unlike.", consume_multiple=False, negative=()),
    ] = ()
    method: Annotated[MethodName, Parameter(help="What to train; see `lookalike methods`.")] = "auto"
    preset: Annotated[Preset, Parameter(help="small: 32 px, a laptop; paper: 64 px, published sizes and steps.")] = (
        "small"
    )
    seed: Annotated[int, Field(ge=0, lt=2**63), Parameter(help="Seed of the split, the training and the scores.")] = 0

    size: Annotated[Size | None, Parameter(help="Resize to H,W; default: the preset's, aspect kept.")] = None
    grey: Annotated[bool, Parameter(help="Turn colour images grey.", negative=())] = False
    net: Annotated[
        NetName | None,
        Parameter(help="Network; default: the method's (mlp for vectors)."),
    ] = None
    width: Annotated[
        int | None, Field(ge=1, le=4096), Parameter(help="Channels next to the image; default: the preset's.")
    ] = None
    z: Annotated[
        int | None, Field(ge=1, le=65536), Parameter(help="Entries of the latent vector; default: the method's.")
    ] = None
    latent: Annotated[Literal["normal", "uniform"], Parameter(help="Prior of the latent vector.")] = "normal"
    loss: Annotated[
        LossName | None,
        Parameter(help="The game; minimax is the non-saturating form; default: the method's."),
    ] = None
    score: Annotated[
        ScoreName | None,
        Parameter(
            help="How a GAN scores an image: by latent search, one pass of its encoder, D's realness, D's features, or "
            "how unsure D is of the class. Default: the method's."
        ),
    ] = None
    noise: Annotated[float, Field(ge=0), Parameter(help="noisegan: sigma of Gaussian noise on [-1, 1].")] = 0.3
    salt_pepper: Annotated[
        float, Field(ge=0, le=1), Parameter(help="noisegan: share of pixels set to black or white.")
    ] = 0.0
    weak_z: Annotated[
        int, Field(ge=1, le=65536), Parameter(help="vtgan: entries of the weak twin's latent vector.")
    ] = 400
    extra_fakes_share: Annotated[
        float, Field(gt=0, le=64), Parameter(help="Share of the images that a method adds as fake (real is 1).")
    ] = 1.0

    spread: Annotated[
        bool | None,
        Parameter(help="cgan, acgan: D sees how much a class's images differ; default: the preset's."),
    ] = None
    conditioning: Annotated[
        ConditioningName | None,
        Parameter(help="How G is told the class: a vector beside z, its batch norms, z's first entries; ali: or not."),
    ] = None
    labels: Annotated[
        Literal["uniform", "data"],
        Parameter(help="cgan, acgan, ali: which classes G is asked for, all alike or as often as in the data."),
    ] = "uniform"
    class_loss: Annotated[
        Literal["both", "real"] | None,
        Parameter(help="D learns the classes of real and generated images, or of real ones; default: the method's."),
    ] = None
    class_weight: Annotated[
        float | None,
        Field(gt=0, le=1000),
        Parameter(help="How much G minds its images' class, beside D's 1; default: the preset's or method's."),
    ] = None
    start: Annotated[
        Literal["ali", "scratch"], Parameter(help="acgan-ali: G begins with the weights of ALI's, or with its own.")
    ] = "ali"
    d_updates: Annotated[
        Literal["together", "apart"],
        Parameter(help="D's updates: on all its images together, or on real and fake ones one after the other."),
    ] = "together"
    split_at: Annotated[
        tuple[Annotated[int, Field(ge=1)], ...],
        Parameter(
            help="Images shown before classes are split, repeated for more; splitting's default, as its paper: after "
            "16 % of --images, of a single class five times after 8 % each.",
            consume_multiple=False,
            negative=(),
        ),
    ] = ()
    split_above: Annotated[
        float | None,
        Field(gt=0, lt=1),
        Parameter(help="Classes with more of the images than this are split; default: 0.04, or 0.4 / classes if less."),
    ] = None
    split_normalised: Annotated[
        Literal["sample", "feature"],
        Parameter(
            help="Where classes are split: features of length 1 by image, or each over 64 images, as the authors' code."
        ),
    ] = "sample"
    penalty: Annotated[
        float | None,
        Field(ge=0, le=1e6),
        Parameter(help="Weight of the gradient penalty on D, 0: none; default: the method's."),
    ] = None
    spectral: Annotated[
        bool | None, Parameter(help="D's weights are divided by their spectral norm; default: the method's.")
    ] = None
    diff_augment: Annotated[
        bool,
        Parameter(help=DIFF_AUGMENT, negative=()),
    ] = False
    images: Annotated[int | None, Field(ge=1), Parameter(help="Images shown in training; default: the preset's.")] = (
        None
    )
    batch: Annotated[
        int | None, Field(ge=2, le=65536), Parameter(help="Real images per step; default: the preset's.")
    ] = None
    lr: Annotated[float | None, Field(gt=0), Parameter(help="Step size of G's Adam; default: the preset's.")] = None
    d_lr: Annotated[
        float | None, Field(gt=0), Parameter(help="Step size of D's Adam; default: the preset's share of --lr.")
    ] = None
    beta1: Annotated[float | None, Field(ge=0, lt=1), Parameter(help="Adam's first decay; default: the method's.")] = (
        None
    )
    d_steps: Annotated[
        int | None, Field(ge=1, le=100), Parameter(help="Updates of D per update of G; default: the method's.")
    ] = None
    decay: Annotated[
        bool | None, Parameter(help="Step sizes fall to 0 at the end of training; default: the method's.")
    ] = None
    ema: Annotated[
        float | None,
        Field(ge=0, lt=1),
        Parameter(help="Most decay per step of an averaged generator, 0: none; default: the preset's."),
    ] = None

    test: Annotated[
        float, Field(ge=0, lt=1), Parameter(help="Share held out for evaluate, without an official test part.")
    ] = 0.2
    calibration: Annotated[
        float,
        Field(ge=0, lt=1),
        Parameter(help="Share of the rest held out for the threshold; 0: no threshold, G is all that is wanted."),
    ] = 0.2
    false_alarms: Annotated[float, Field(gt=0, lt=1), Parameter(help="Share of known images that may be flagged.")] = (
        0.05
    )

    scaling: Annotated[
        Literal["each", "shared"],
        Parameter(
            help="Several known classes: each detector's scores are scaled by images of its own class, or all alike."
        ),
    ] = "each"
    decides: Annotated[
        Literal["all", "best"],
        Parameter(help="Which known class: all detectors together, or the best on held-out images, as mcgan-2021."),
    ] = "all"

    device: Annotated[str, Field(pattern=r"^(cpu|cuda(:\d+)?|mps)$"), Parameter(help="cpu, cuda, cuda:1 or mps.")] = (
        "cpu"
    )
    precision: Annotated[Literal["float32", "bfloat16"], Parameter(help="bfloat16: mixed precision in training.")] = (
        "float32"
    )
    threads: Annotated[
        int, Field(ge=1, le=1024), Parameter(help="CPU threads; results repeat to the bit only with the same.")
    ] = 2

    log_every: Annotated[
        int | None, Field(ge=1), Parameter(help="Images between two lines of metrics; default: 100 lines.")
    ] = None
    sample_every: Annotated[
        int | None, Field(ge=1), Parameter(help="Images between two sample grids; default: 8 grids.")
    ] = None
    save_every: Annotated[int | None, Field(ge=1), Parameter(help="Images between two checkpoints; default: 10.")] = (
        None
    )

    @property
    def sides(self) -> tuple[int, int] | None:
        """`size` as numbers (H, W)."""
        given = pair(self.size)
        return (int(given[0]), int(given[1])) if given else None

    @model_validator(mode="after")
    def _consistent(self) -> TrainSettings:
        if not self.known:
            raise ValueError("name a known class (--known)")
        if both := set(self.known) & set(self.extra_fakes):
            raise ValueError(f"class {show(min(both))} is both known and an extra fake; name it once")
        return self


def train_settings(**given: Any) -> TrainSettings:
    """TrainSettings from keyword arguments; raises UsageError with one line for what does not fit."""
    try:
        return TrainSettings(**given)
    except ValueError as error:
        raise UsageError(sentence(error)) from error


def flag(name: str) -> str:
    """A setting's name as the command line has it."""
    return "--" + name.replace("_", "-")


def sentence(error: BaseException) -> str:
    """The first problem of a pydantic error as one line that names the setting and what was given."""
    problems: list[Any] = getattr(error, "errors", list)()
    if not problems:
        return show(error, 1000)
    first = problems[0]
    message: str = first["msg"].removeprefix("Value error, ")
    if not first["loc"]:
        return f"{show(first['input'])}: {message}" if isinstance(first["input"], str) else message
    name = flag(str(first["loc"][0]))
    return f"{name} {show(first['input'])}: {message[0].lower() if message[1:2].islower() else message[0]}{message[1:]}"
