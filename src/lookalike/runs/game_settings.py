"""The settings of a GAN's game: its losses, networks, optimisers, extra fakes and splits. Nothing imports torch."""

from __future__ import annotations

import os
from collections.abc import Iterable
from numbers import Integral, Real
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from cyclopts import Parameter
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from lookalike.base import names
from lookalike.base.unicode import composed
from lookalike.runs.groups import EXTRA_FAKES, METHOD, NETWORK, OF_METHOD, OF_PRESET, OPTIMISER, SPLITTING

if TYPE_CHECKING:  # mypy takes no computed names
    NetName: TypeAlias = str
    LossName: TypeAlias = str
    ConditioningName: TypeAlias = str
else:
    NetName, LossName = Literal[names.NETS], Literal[names.LOSSES]
    ConditioningName = Literal[names.CONDITIONINGS]
DIFF_AUGMENT = "D's images are moved, partly cut out and changed in colour, which helps with few images."


def _plain(value: Any) -> Any:
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return value.item() if isinstance(value, Real) and hasattr(value, "item") else value


def names_given(value: Any) -> Any:
    """Names of classes as a tuple: one text or number is one name, and a set has the order of its names."""
    if isinstance(value, str) or (isinstance(value, Integral) and not isinstance(value, bool)):
        value = (value,)
    if not isinstance(value, Iterable) or isinstance(value, dict | bytes):
        return value
    texts = [str(name) if isinstance(name, Integral) and not isinstance(name, bool) else name for name in value]
    texts = [composed(name) if isinstance(name, str) else name for name in texts]
    return tuple(sorted(texts) if isinstance(value, set | frozenset) else texts)


def _several(value: Any) -> Any:
    return (value,) if isinstance(value, Integral) else value


Names = Annotated[tuple[str, ...], BeforeValidator(names_given)]


class StrictSettings(BaseModel):
    """Settings that cannot be changed; unknown names and numbers that are not finite are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _of_python(cls, given: Any) -> Any:
        """Paths as text, and numpy's numbers as Python's."""
        return {name: _plain(value) for name, value in given.items()} if isinstance(given, dict) else given


class GameSettings(StrictSettings):
    """How a GAN trains; None stands for the value of the preset or the method."""

    loss: Annotated[
        LossName | None,
        Parameter(
            help="The loss of D and G; minimax is its non-saturating form.", group=METHOD, show_default=OF_METHOD
        ),
    ] = None
    penalty: Annotated[
        float | None,
        Field(ge=0, le=1e6),
        Parameter(
            help="Methods with a penalty on the slope of D: its weight; 0 leaves the penalty out. --loss wasserstein "
            "brings the penalty of WGAN-GP.",
            group=METHOD,
            show_default=OF_METHOD,
        ),
    ] = None
    conditioning: Annotated[
        ConditioningName | None,
        Parameter(
            help="Conditional methods: G has the class as a vector beside z, in its batch norms (also with z), or in "
            "z's first entries. The method ali also takes none.",
            group=METHOD,
            show_default="the method's; where that is batch-norm, preset small takes batch-norm-z",
        ),
    ] = None
    spread: Annotated[
        bool | None,
        Parameter(
            help="Methods whose D can have the spread: how much the images of a class differ is one more input of D.",
            group=METHOD,
            show_default=OF_PRESET,
        ),
    ] = None
    class_loss: Annotated[
        Literal["both", "real"] | None,
        Parameter(
            help="Conditional methods whose D classifies: D learns the classes of real and generated images, or of "
            "real ones alone.",
            group=METHOD,
            show_default=OF_METHOD,
        ),
    ] = None
    class_weight: Annotated[
        float | None,
        Field(gt=0, le=1000),
        Parameter(
            help="Methods whose G learns from a class loss: its weight in G's loss; in D's it is 1.",
            group=METHOD,
            show_default="the preset's or the method's",
        ),
    ] = None
    start: Annotated[
        Literal["ali", "scratch"],
        Parameter(help="acgan-ali: G begins with the weights of ALI's G, or with new ones.", group=METHOD),
    ] = "ali"
    diff_augment: Annotated[bool | None, Parameter(help=DIFF_AUGMENT, group=METHOD, show_default=OF_METHOD)] = None
    encoder: Annotated[
        bool,
        Parameter(
            help="An encoder trains after the game, in the second half of twice as many images. It gives the start of "
            "the latent search, which then takes few steps.",
            group=METHOD,
            negative=(),
        ),
    ] = False

    net: Annotated[
        NetName | None,
        Parameter(help="The networks of G and D.", group=NETWORK, show_default="the method's; mlp for vectors"),
    ] = None
    width: Annotated[
        int | None,
        Field(ge=1, le=4096),
        Parameter(
            help="Number of channels of the layer next to the image; other layers have multiples of it.",
            group=NETWORK,
            show_default=OF_PRESET,
        ),
    ] = None
    z: Annotated[
        int | None,
        Field(ge=1, le=65536),
        Parameter(help="Number of entries of the latent vector z.", group=NETWORK, show_default=OF_METHOD),
    ] = None
    latent: Annotated[
        Literal["normal", "uniform"] | None, Parameter(help="Prior of z.", group=NETWORK, show_default=OF_METHOD)
    ] = None
    spectral: Annotated[
        bool | None,
        Parameter(help="D's weights are divided by their spectral norm.", group=NETWORK, show_default=OF_METHOD),
    ] = None

    batch: Annotated[
        int | None,
        Field(ge=2, le=65536),
        Parameter(help="Number of real images in a step.", group=OPTIMISER, show_default=OF_PRESET),
    ] = None
    lr: Annotated[
        float | None,
        Field(gt=0),
        Parameter(help="Step size of G's Adam.", group=OPTIMISER, show_default=OF_PRESET),
    ] = None
    d_lr: Annotated[
        float | None,
        Field(gt=0),
        Parameter(help="Step size of D's Adam.", group=OPTIMISER, show_default="the preset's share of --lr"),
    ] = None
    beta1: Annotated[
        float | None,
        Field(ge=0, lt=1),
        Parameter(help="Decay of the mean gradient in Adam.", group=OPTIMISER, show_default=OF_METHOD),
    ] = None
    d_steps: Annotated[
        int | None,
        Field(ge=1, le=100),
        Parameter(help="Updates of D for each update of G.", group=OPTIMISER, show_default=OF_METHOD),
    ] = None
    d_updates: Annotated[
        Literal["together", "apart"] | None,
        Parameter(
            help="An update of D is on all its images together, or there is one on real and one on fake images.",
            group=OPTIMISER,
            show_default=OF_METHOD,
        ),
    ] = None
    decay: Annotated[
        bool | None,
        Parameter(help="Step sizes fall to 0 at the end of the training.", group=OPTIMISER, show_default=OF_METHOD),
    ] = None
    ema: Annotated[
        float | None,
        Field(ge=0, lt=1),
        Parameter(
            help="G's weights are averaged over the steps, with at most this decay; 0: no average.",
            group=OPTIMISER,
            show_default=OF_PRESET,
        ),
    ] = None

    extra_fakes_share: Annotated[
        float,
        Field(gt=0, le=64),
        Parameter(help="Methods with extra fakes: number of extra fakes for each real image.", group=EXTRA_FAKES),
    ] = 1.0
    noise: Annotated[
        float | None,
        Field(ge=0),
        Parameter(
            help="noisegan: standard deviation of the noise on pixels in [-1, 1].",
            group=EXTRA_FAKES,
            show_default="0.3",
        ),
    ] = None
    salt_pepper: Annotated[
        float | None,
        Field(ge=0, le=1),
        Parameter(help="noisegan: share of pixels that become black or white.", group=EXTRA_FAKES, show_default="0"),
    ] = None
    weak_z: Annotated[
        int | None,
        Field(ge=1, le=65536),
        Parameter(help="vtgan: number of entries of the weak twin's z.", group=EXTRA_FAKES, show_default="400"),
    ] = None
    weak_depth: Annotated[
        int | None,
        Field(ge=1, le=8),
        Parameter(
            help="vtgan: transposed convolutions in the weak twin's G, and convolutions in its D.",
            group=EXTRA_FAKES,
            show_default="1",
        ),
    ] = None
    weak_stride: Annotated[
        int | None,
        Field(ge=1, le=64),
        Parameter(
            help="vtgan: stride of the weak twin's transposed convolutions.", group=EXTRA_FAKES, show_default="4"
        ),
    ] = None
    weak_g_pool: Annotated[
        int | None,
        Field(ge=1, le=64),
        Parameter(
            help="vtgan: max-pooling after each transposed convolution of the weak twin; the stride is a multiple.",
            group=EXTRA_FAKES,
            show_default="1, none",
        ),
    ] = None
    weak_pool: Annotated[
        int | None,
        Field(ge=1, le=64),
        Parameter(
            help="vtgan: max-pooling after each convolution of the weak twin's D.",
            group=EXTRA_FAKES,
            show_default="4",
        ),
    ] = None

    split_at: Annotated[
        Annotated[tuple[Annotated[int, Field(ge=1)], ...], BeforeValidator(_several)],
        Parameter(
            help="splitting: number of images shown before the classes are split. Repeat the flag for more splits.",
            group=SPLITTING,
            show_default="16 % of --images; with one class five times, after 8 % each",
            consume_multiple=False,
            negative=(),
        ),
    ] = ()
    split_above: Annotated[
        float | None,
        Field(gt=0, lt=1),
        Parameter(
            help="splitting: a class with more than this share of the images is split.",
            group=SPLITTING,
            show_default="0.04, or 0.4 / number of classes if that is less",
        ),
    ] = None
    split_normalised: Annotated[
        Literal["sample", "feature"] | None,
        Parameter(
            help="splitting: k-means has features of length 1 for each image, or each feature normalised over 64 "
            "images, as in the authors' code.",
            group=SPLITTING,
            show_default="sample",
        ),
    ] = None
