"""Every setting of a run in one typed model, which gives the flags, the TOML keys, the defaults and the ranges.

Nothing here imports torch, so that `--help` stays quick.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from cyclopts import Parameter
from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from lookalike.base import names
from lookalike.base.errors import UsageError, did_you_mean, show
from lookalike.base.names import Aspect
from lookalike.runs.game_settings import GameSettings, Names, StrictSettings
from lookalike.runs.groups import DATA, LEARN, MOST_USED, OF_METHOD, OF_PRESET, RUN, SCORE, THRESHOLD
from lookalike.runs.presets import FROM, PRESETS, Preset

if TYPE_CHECKING:  # mypy takes no computed names
    ClassGANName: TypeAlias = str
    MethodName: TypeAlias = str
    ScoreName: TypeAlias = str
else:
    ClassGANName = Literal[names.CONDITIONAL]  # G makes images of a given class
    MethodName, ScoreName = Literal[names.METHODS], Literal[names.SCORES]


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


def _network(value: str) -> str:
    if value not in names.BACKBONES and not value.endswith(".onnx"):
        raise ValueError(f"{', '.join(names.BACKBONES)} and paths of .onnx files are accepted")
    return value


def _device(value: str) -> str:
    if re.fullmatch(r"cuda:\d+(,\d+)+", value):
        n = len(value.split(","))
        raise ValueError(
            f"a process trains on one GPU; to train on {n}, start with 'torchrun --standalone --nproc-per-node {n} "
            "-m lookalike train' and give --device cuda"
        )
    if not re.fullmatch(r"cpu|cuda(:\d+)?|mps", value):
        raise ValueError("cpu, cuda, mps and one GPU by its number, such as cuda:1, are accepted")
    return value


def pair(value: str | None) -> tuple[float, float] | None:
    """The two numbers of "A,B"."""
    if value is None:
        return None
    first, second = (float(part) for part in value.split(","))
    return first, second


GROUP = (
    "A regular expression, or a .csv file with the columns file,group: it says which images are of one slide, patient, "
    "part or batch. No group is on both sides of a split."
)
MINUTES = (
    "GANs: in place of --images, about how long the training takes. A short timing says how many images are shown; "
    "from then on this number holds."
)
MANY = 8  # words; more are not listed where one is near
HELD_OUT = 0.2  # share of the images that sets the threshold, where the method learns slowly
TEST = 0.2  # share of the images that only measures
Size = Annotated[str, BeforeValidator(_joined), AfterValidator(_sides)]
Range = Annotated[str, BeforeValidator(_joined), AfterValidator(_ordered)]


class BadImageSettings(StrictSettings):
    """What is done about images that cannot be read."""

    on_bad: Annotated[
        Literal["fail", "skip"],
        Parameter(help="Where an image cannot be read, the command stops, or leaves the image out.", group=DATA),
    ] = "fail"
    max_bad: Annotated[
        float,
        Field(ge=0, le=1),
        Parameter(help="The largest share of unreadable images that --on-bad skip accepts.", group=DATA),
    ] = 0.05


class BadSettings(BadImageSettings):
    """What is done about images and classes that cannot be used."""

    allow_empty_class: Annotated[
        bool, Parameter(help="Class folders without an image are accepted.", group=DATA, negative=())
    ] = False


class DataSettings(BadSettings):
    """How DATA is read."""

    value_range: Annotated[
        Range | None,
        Parameter(
            help="LOW,HIGH: the values that become black and white, of 16-bit or float images. Float images need it.",
            group=DATA,
            show_default="the full 16 bits",
        ),
    ] = None
    group: Annotated[str | None, Parameter(help=GROUP, group=DATA)] = None
    aspect: Annotated[
        Aspect,
        Parameter(
            help="Images of another aspect than the size's are squashed, cropped in the middle, or padded with their "
            "edge.",
            group=DATA,
        ),
    ] = "squash"

    def reading(self) -> dict[str, Any]:
        """Keyword arguments of `lookalike.data.read`."""
        bad = {name: getattr(self, name) for name in BadSettings.model_fields}
        return bad | {"value_range": self.low_high, "group": self.group, "aspect": self.aspect}

    @property
    def low_high(self) -> tuple[float, float] | None:
        """`value_range` as numbers."""
        return pair(self.value_range)


class SearchSettings(StrictSettings):
    """How a GAN scores images, and its latent search (vtgan-2021, eqs. 2 to 5)."""

    score: Annotated[
        ScoreName | None,
        Parameter(
            help="A GAN scores an image by the latent search, an encoder, D's realness, D's features, or how unsure D "
            "is of the class. With refined the search starts at the encoder's z.",
            group=SCORE,
            show_default=OF_METHOD,
        ),
    ] = None
    lam: Annotated[
        float,
        Field(ge=0, le=1),
        Parameter(
            help="Weight of the loss on D's features in the score V(x); the loss on pixels has the rest.", group=SCORE
        ),
    ] = 0.2
    reduce: Annotated[
        Literal["sum", "mean"],
        Parameter(help="V(x) takes the sum over pixels and features, as the papers do, or the mean.", group=SCORE),
    ] = "sum"
    layer: Annotated[
        str | None,
        Parameter(help="The layer of D that gives the features.", group=SCORE, show_default="the network's own"),
    ] = None
    search_steps: Annotated[
        int | None,
        Field(ge=1),
        Parameter(help="The most steps that a search takes from each start.", group=SCORE, show_default=OF_PRESET),
    ] = None
    search_lr: Annotated[
        float | None,
        Field(gt=0, le=10),
        Parameter(help="Step size of the search, which is Adam on z.", group=SCORE, show_default=OF_PRESET),
    ] = None
    prior: Annotated[bool, Parameter(help="The search keeps z where its prior has its mass.", group=SCORE)] = True
    restarts: Annotated[
        int,
        Field(ge=1, le=1000),
        Parameter(help="Number of starts of the search for each image; the best result counts.", group=SCORE),
    ] = 1
    tolerance: Annotated[
        float,
        Field(ge=0, lt=1),
        Parameter(help="A search ends when V(x) falls by less than this share over --patience steps.", group=SCORE),
    ] = 0.001
    patience: Annotated[
        int, Field(ge=1), Parameter(help="Number of steps that --tolerance looks back.", group=SCORE)
    ] = 20
    search_batch: Annotated[
        int, Field(ge=1, le=4096), Parameter(help="Number of images that are searched side by side.", group=SCORE)
    ] = 128


class TrainSettings(DataSettings, SearchSettings, GameSettings):
    """Every setting of `lookalike train`; None stands for the value of the preset, the method or the data."""

    known: Annotated[
        Names,
        Parameter(
            help="The known class, or several with commas between them. Repeat the flag for names that hold commas.",
            group=MOST_USED,
            consume_multiple=False,
            negative=(),
        ),
    ] = ()
    method: Annotated[
        MethodName,
        Parameter(
            help="The GAN or baseline that is trained. 'lookalike methods' says what each one is.", group=MOST_USED
        ),
    ] = "auto"
    extra_fakes: Annotated[
        Names,
        Parameter(
            help="mcgan: classes whose images D learns as fake, beside the images of G.",
            group=MOST_USED,
            consume_multiple=False,
            negative=(),
        ),
    ] = ()
    preset: Annotated[
        Preset,
        Parameter(
            help="The values of flags that you leave out. Preset small suits a laptop: 32 x 32 images, for GANs on "
            f"photographs {FROM} x {FROM}, where nets and trainings are twice as large. Preset paper has 64 x 64 "
            "images, and the sizes and steps that papers print.",
            group=MOST_USED,
        ),
    ] = "small"
    images: Annotated[
        int | None,
        Field(ge=1),
        Parameter(
            help="Number of images shown in the training of a GAN, repeats counted.",
            group=MOST_USED,
            show_default=OF_PRESET,
        ),
    ] = None
    size: Annotated[
        Size | None,
        Parameter(
            help="Images are resized to H,W pixels.",
            group=MOST_USED,
            show_default=f"{OF_PRESET}, {PRESETS['small']['side']} at small, for GANs {FROM} where images have them; "
            "their own up to 640,640 for methods on features, auto too; the aspect is kept",
        ),
    ] = None
    grey: Annotated[bool, Parameter(help="Colour images become grey.", group=MOST_USED, negative=())] = False
    seed: Annotated[
        int,
        Field(ge=0, lt=2**63),
        Parameter(help="Seed of the split, the training and the scores.", group=MOST_USED),
    ] = 0
    false_alarms: Annotated[
        float,
        Field(gt=0, lt=1),
        Parameter(help="Share of known images that may be flagged; it sets the threshold.", group=MOST_USED),
    ] = 0.05

    test: Annotated[
        float | None,
        Field(ge=0, lt=1),
        Parameter(
            help="Share of the images that is held out as test images, where the data has no official test part.",
            group=DATA,
            show_default=f"{TEST}; 0 for GANs with --calibration 0, which only make images",
        ),
    ] = None

    expect: Annotated[
        Literal["defects", "another-kind"] | None,
        Parameter(
            help="auto on images: what you fear most, defects on a known thing or another kind of thing. It raises AUC "
            "where you know.",
            group=LEARN,
            show_default="both; another-kind for several known classes, and for pictures of 64 x 64 pixels and less",
        ),
    ] = None
    backbone: Annotated[
        str,
        AfterValidator(_network),
        Parameter(
            help="Methods on features: the frozen network that sees the images. It is lite0, lite1 or lite2, or the "
            "path of an .onnx file.",
            group=LEARN,
        ),
    ] = names.BACKBONES[0]
    pooled: Annotated[
        bool,
        Parameter(help="The known classes are learnt as one class, without their labels.", group=LEARN, negative=()),
    ] = False
    unlabelled: Annotated[
        Names,
        Parameter(
            help="Methods whose D classifies: class folders that hold images of the known classes without labels. "
            "D learns from them too.",
            group=LEARN,
            consume_multiple=False,
            negative=(),
        ),
    ] = ()
    labels: Annotated[
        Literal["uniform", "balanced", "data"] | None,
        Parameter(
            help="Conditional methods: G makes all classes equally often, or as often as they are in the data. "
            "With balanced, D also sees real images of all classes equally often.",
            group=LEARN,
            show_default=OF_METHOD,
        ),
    ] = None

    calibration: Annotated[
        float | None,
        Field(ge=0, lt=1),
        Parameter(
            help="Share of the images beside the test images that is held out for the threshold. Methods that learn "
            "quickly hold none out: each image that trains is scored by what the others teach. With 0 a GAN has no "
            "threshold, and only makes images.",
            group=THRESHOLD,
            show_default=f"{HELD_OUT}; 0 for methods that learn quickly",
        ),
    ] = None
    scaling: Annotated[
        Literal["each", "shared"],
        Parameter(
            help="With several known classes, the scores of each detector are scaled by images of its own class, or "
            "all are on one common scale.",
            group=THRESHOLD,
        ),
    ] = "each"
    decides: Annotated[
        Literal["all", "best"],
        Parameter(
            help="With several known classes, all detectors choose the class, or the one that is best on held-out "
            "images does, as in mcgan-2021.",
            group=THRESHOLD,
        ),
    ] = "all"

    minutes: Annotated[
        float | None,
        Field(gt=0, le=1e6),
        Parameter(help=MINUTES, group=RUN, show_default="as long as --images take"),
    ] = None
    device: Annotated[
        str,
        AfterValidator(_device),
        Parameter(help="Where the networks run: cpu, cuda, cuda:1 or mps.", group=RUN),
    ] = "cpu"
    precision: Annotated[
        Literal["float32", "tf32", "bfloat16"],
        Parameter(
            help="For a GPU: tf32 rounds what layers multiply, and bfloat16 computes most layers with it.", group=RUN
        ),
    ] = "float32"
    sync_bn: Annotated[
        bool,
        Parameter(
            help="Started by torchrun: batch norm is over the images of all processes, not over those of each.",
            group=RUN,
            negative=(),
        ),
    ] = False
    threads: Annotated[
        int,
        Field(ge=1, le=1024),
        Parameter(help="Number of CPU threads. The same bits need the same number.", group=RUN),
    ] = 2
    log_every: Annotated[
        int | None,
        Field(ge=1),
        Parameter(help="Images shown between two lines of metrics.", group=RUN, show_default="100 lines in all"),
    ] = None
    sample_every: Annotated[
        int | None,
        Field(ge=1),
        Parameter(help="Images shown between two grids of samples.", group=RUN, show_default="8 grids in all"),
    ] = None
    save_every: Annotated[
        int | None,
        Field(ge=1),
        Parameter(help="Images shown between two checkpoints.", group=RUN, show_default="10 checkpoints in all"),
    ] = None

    @property
    def crosses(self) -> bool:
        """Whether the images that train also set the threshold, each scored by what the others teach."""
        return self.method in names.CROSSED and not self.calibration

    @property
    def held_out(self) -> float:
        """`calibration`, or what it is where it was left out."""
        if self.calibration is None:
            return 0.0 if self.crosses else HELD_OUT
        return self.calibration

    @property
    def tested(self) -> float:
        """`test`, or what it is where it was left out: a GAN that only makes images learns from all."""
        if self.test is None:
            return 0.0 if self.method in names.GANS and self.calibration == 0 else TEST
        return self.test

    @property
    def sides(self) -> tuple[int, int] | None:
        """`size` as numbers (H, W)."""
        given = pair(self.size)
        return (int(given[0]), int(given[1])) if given else None

    @model_validator(mode="after")
    def _consistent(self) -> TrainSettings:
        if both := set(self.known) & set(self.extra_fakes):
            raise ValueError(f"class {show(min(both))} is both known and an extra fake; name it once")
        if self.minutes and self.images:
            raise ValueError(f"--minutes {self.minutes:g} and --images {self.images} both say how long; give one")
        if self.minutes and self.method not in names.GANS:
            raise ValueError(
                f"--minutes {self.minutes:g}: {self.method} trains as long as it needs; leave it out, or take a GAN "
                f"({', '.join(names.GANS)})"
            )
        if self.expect and self.method != "auto":
            raise ValueError(f"--expect {self.expect}: only auto asks what is expected; leave it out")
        if self.backbone != names.BACKBONES[0] and self.method not in names.ON_FEATURES:
            raise ValueError(
                f"--backbone {show(self.backbone)}: {self.method} has no frozen network; leave it out, or take "
                f"{', '.join(names.ON_FEATURES)}"
            )
        return self


def train_settings(**given: Any) -> TrainSettings:
    """TrainSettings from keyword arguments; raises UsageError with one line for a value that does not fit."""
    try:
        return TrainSettings(**given)
    except ValueError as error:
        raise UsageError(sentence(error)) from error


def flag(name: str) -> str:
    """The flag of a setting."""
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
    if first["type"] == "extra_forbidden":
        known = [*TrainSettings.model_fields]
        return f"no setting is called {show(first['loc'][0], 60)};{did_you_mean(first['loc'][0], known)} see --help"
    name = flag(str(first["loc"][0]))
    if first["type"] == "literal_error":
        words = re.findall("'([^']*)'", first["ctx"]["expected"])
        near = did_you_mean(first["input"], words)
        rest = "see --help" if near and len(words) > MANY else f"accepted are {', '.join(words)}"
        return f"{name} {show(first['input'])}:{near} {rest}"
    return f"{name} {show(first['input'])}: {message[0].lower() if message[1:2].islower() else message[0]}{message[1:]}"
