"""A method: one value per axis of the game, refused with a sentence where the values cannot work together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

from lookalike.base.errors import UsageError
from lookalike.game.diffaugment import DiffAugment
from lookalike.game.heads import Binary, Head
from lookalike.game.latents import Labels, Latent, Normal, UniformLabels
from lookalike.game.losses import AuxiliaryClass, Loss, Minimax, Mode
from lookalike.game.nets import Net
from lookalike.game.nets.anogan import Anogan
from lookalike.game.nets.conditioning import Conditioning, Unconditional
from lookalike.game.nets.encoder import Encoder
from lookalike.game.penalty import GradientPenalty
from lookalike.game.splitting import Splitting
from lookalike.game.streams import Generated, NeedsEncoder, NeedsOthers, NeedsTwin, Real, Stream


@dataclass(frozen=True)
class Adam:
    """Settings of an Adam optimiser (2e-4 and beta_1 0.5: DCGAN's, since the papers are silent)."""

    lr: float = 2e-4
    beta1: float = 0.5
    beta2: float = 0.999

    def __str__(self) -> str:
        return f"Adam, step size {self.lr:g}, beta_1 {self.beta1:g}, beta_2 {self.beta2:g}"


@dataclass(frozen=True)
class EveryThird:
    """A share that differs in the third of every three epochs (gan-augmentation-2020, AC-GAN v3)."""

    usual: float = 1.0
    third: float = 1.0

    def at(self, epoch: int) -> float:
        """The share in this epoch, counted from 0."""
        return self.third if epoch % 3 == 2 else self.usual

    def __format__(self, spec: str) -> str:
        return f"{self.usual:{spec}} (every third epoch {self.third:{spec}})"


OF_G = ("net", "latent", "conditioning")  # the axes that G's weights depend on
Share = float | EveryThird


def share_at(share: Share, epoch: int) -> float:
    """A stream's share of the batch size in this epoch."""
    return share.at(epoch) if isinstance(share, EveryThird) else share


@dataclass(frozen=True)
class Twin:
    """A GAN that trains beside, or before: its name and its method, derived from the method that it accompanies.

    Parameters
    ----------
    name : str
        What streams and logs call it.
    method : callable
        Its method, given the one that it accompanies.
    before : float
        The first share of the training's steps, which the twin has for itself; then it is frozen. 0: it trains beside.
    """

    name: str
    method: Callable[[Method], Method]
    before: float = 0.0


def early(twin: Twin, steps: int) -> int:
    """How many of the steps the twin has for itself."""
    return int(twin.before * steps)


def when(twin: Twin) -> str:
    """When a twin trains, in words."""
    return f"trains alone for the first {twin.before:.0%} of the steps" if twin.before else "trains throughout"


@dataclass(frozen=True)
class Method:
    """A way to train a GAN.

    Parameters
    ----------
    name : str
        Name in `METHODS`.
    paper : str
        Short name of the paper that it comes from.
    summary : str
        What it does, in sentences for a reader who has not seen the paper.
    d_sees : tuple of (Stream, float or EveryThird)
        What D is shown; the number is the group's share of the batch size.
    g_plays : tuple of (Stream, float or EveryThird)
        What the players make in G's step, and each group's share of the batch size.
    head, latent, net, losses
        How D answers; where z comes from; the networks; what is lost.
    conditioning, labels
        How G is told a class; which classes it is asked for.
    encoder : Encoder or None
        E, which plays beside G.
    optimiser : Adam
        G's, and D's too unless `d_optimiser` is given.
    d_optimiser : Adam or None
        D's own: two step sizes keep the game in balance (Heusel et al. 2017).
    d_steps : int
        D's updates per update of G.
    d_updates : "together" or "apart"
        Together: D's updates are on all groups, each weighed by its share. Apart: D is updated on one group after the
        other, each group's mean as it is, as the code of gan-augmentation-2020's authors does; a share is then only a
        number of images.
    diff_augment : DiffAugment or None
        What every image goes through before D sees it.
    spectral : bool
        D's weights are divided by their spectral norm (Miyato et al. 2018).
    penalty : GradientPenalty or None
        What D's slope costs beside the losses.
    twins : tuple of Twin
        GANs that train beside, or before.
    start : str or None
        The twin trained before whose G's weights G begins with; None: G begins from scratch.
    splitting : Splitting or None
        When classes are split into sub-classes.
    decay : bool
        Step sizes fall linearly to 0 at the end of the training.

    Raises
    ------
    UsageError
        For a combination that cannot work.
    """

    name: str
    paper: str
    summary: str
    d_sees: tuple[tuple[Stream, Share], ...] = ((Real(), 1), (Generated(), 1))
    g_plays: tuple[tuple[Stream, Share], ...] = ((Generated(), 1),)
    head: Head = Binary()
    latent: Latent = Normal(100)
    net: Net = Anogan()
    losses: tuple[Loss, ...] = (Minimax(),)
    conditioning: Conditioning = Unconditional()
    labels: Labels = UniformLabels()
    encoder: Encoder | None = None
    optimiser: Adam = Adam()
    d_optimiser: Adam | None = None
    d_steps: int = 1
    d_updates: Literal["together", "apart"] = "together"
    diff_augment: DiffAugment | None = None
    spectral: bool = False
    penalty: GradientPenalty | None = None
    twins: tuple[Twin, ...] = ()
    start: str | None = None
    splitting: Splitting | None = None
    decay: bool = False

    def __post_init__(self) -> None:
        # one after the other: a twin is made of a method that can work
        for refusals in (
            *(self._refusals, self._twin_refusals, self._pair_refusals, self._label_refusals),
            self._split_refusals,
        ):
            for refused, sentence in refusals():
                if refused:
                    raise UsageError(f"method {self.name}: {sentence}")

    def _refusals(self) -> list[tuple[bool, str]]:
        verdicts = [stream.real for stream, _ in self.d_sees]
        losses = [loss.name for loss in self.losses]
        twins = [twin.name for twin in self.twins]
        return [
            (True not in verdicts, "D must see some images as real; add Real() to d_sees"),
            (False not in verdicts, "D must see some images as fake; add Generated() to d_sees"),
            (
                any(share_at(share, e) <= 0 for _, share in self.groups for e in (0, 2)),
                "every share in d_sees and g_plays must be above 0",
            ),
            (
                all(isinstance(stream, NeedsEncoder) for stream, _ in self.g_plays),
                "G must play something; add Generated() to g_plays",
            ),
            (not all(stream.made for stream, _ in self.g_plays), "G can only learn from images that the players make"),
            (
                all(stream.real is None for stream, _ in self.g_plays),
                "D must be asked the realness of something that G plays; add Generated() to g_plays",
            ),
            (not losses, "there must be at least one loss"),
            (len(set(losses)) < len(losses), f"loss names must differ, not {', '.join(losses)}"),
            (self.d_steps < 1, f"d_steps must be at least 1, not {self.d_steps}"),
            (self.d_updates not in ("together", "apart"), f"d_updates must be together or apart, not {self.d_updates}"),
            (len(set(twins)) < len(twins), f"twin names must differ, not {', '.join(twins)}"),
        ]

    def _twin_refusals(self) -> list[tuple[bool, str]]:
        """Where a twin is missing, or is not what a stream or G needs."""
        inner = {twin.name: twin.method(self) for twin in self.twins}
        streams = [stream for stream, _ in self.groups if isinstance(stream, NeedsTwin)]
        absent = [stream.twin for stream in streams if stream.twin not in inner]
        encoding = [inner[stream.twin] for stream in streams if stream.encodes and stream.twin in inner]
        source = {twin.name: inner[twin.name] for twin in self.twins if twin.before}.get(self.start or "")
        differ = [axis for axis in OF_G if source and getattr(source, axis) != getattr(self, axis)]
        return [
            (bool(absent), f"D is shown a twin's images ({', '.join(absent)}) but no such twin trains beside"),
            (
                any(not 0 <= twin.before < 1 for twin in self.twins),
                "the share that a twin trains before must be at least 0 and below 1",
            ),
            (any(twin.before for m in inner.values() for twin in m.twins), "no twin of a twin can train before"),
            (
                any(m.encoder is None or m.latent.z_dim != self.latent.z_dim for m in encoding),
                "z is to come from a twin that has no encoder, or whose z is of another length",
            ),
            (self.start is not None and source is None, f"G starts from {self.start}, but no such twin trains before"),
            (bool(differ), f"G starts from {self.start}, whose G differs in {', '.join(differ)}"),
        ]

    def _pair_refusals(self) -> list[tuple[bool, str]]:
        """Where D needs a z that nobody gives, or an encoder stands idle."""
        bare = [stream for stream, _ in self.groups if not stream.made]
        encoded = any(isinstance(stream, NeedsEncoder) for stream, _ in self.groups)
        played = any(isinstance(stream, NeedsEncoder) for stream, _ in self.g_plays)
        return [
            (
                self.head.needs_z and bool(bare),
                f"D judges pairs of an image and its z, and {_named(bare)} have none; use Encoded()",
            ),
            (encoded and self.encoder is None, "images are to be encoded and there is no encoder; add Encoder()"),
            (
                self.encoder is not None and not played,
                "the encoder learns from nothing; add Encoded() to d_sees and to g_plays",
            ),
            (
                self.encoder is not None and not self.head.needs_z,
                "D does not look at the encoder's z, so that it learns nothing; use the head Joint()",
            ),
        ]

    def _label_refusals(self) -> list[tuple[bool, str]]:
        """Where a class is asked for that nobody gives."""
        unlabelled = [s for s, _ in self.groups if not (self.conditioning.conditional if s.made else s.labelled)]
        teaching = [loss for loss in self.losses if isinstance(loss, AuxiliaryClass)]
        learns, asks = bool(teaching), any(loss.g_weight for loss in teaching)
        modes = any(isinstance(loss, Mode) for loss in self.losses)
        return [
            (
                self.head.needs_labels and bool(unlabelled),
                f"D looks at each image's class, and {_named(unlabelled)} have none; use another head",
            ),
            (learns and not self.head.classifies, "a class loss needs a head that names classes: Auxiliary()"),
            (self.head.classifies and not learns, "the head names classes that no loss teaches; add AuxiliaryClass()"),
            (
                asks and not self.conditioning.conditional,
                "G is to make images of a class and is told none; add Embedded() or ClassBatchNorm()",
            ),
            (
                not (asks or modes) and all(isinstance(loss, AuxiliaryClass | Mode) for loss in self.losses),
                "no loss asks anything of G; add a game such as Minimax()",
            ),
            (modes and not self.head.classifies, "the mode loss needs a head that names classes: KPlusOne()"),
            (
                self.penalty is not None and self.head.needs_z,
                "the gradient penalty lies between images, and D judges pairs of an image and its z; use another head",
            ),
            (
                self.penalty is not None and self.net.d_batch_norm,
                "the gradient penalty is of each image's own slope, and D's batch norm mixes images; use another net",
            ),
            (
                self.penalty is not None and self.d_updates == "apart",
                "the gradient penalty lies between real and fake images; use d_updates together",
            ),
        ]

    def _split_refusals(self) -> list[tuple[bool, str]]:
        """Where classes that are to be split cannot be."""
        splits = self.splitting is not None
        return [
            (splits and not self.per_class, "classes are to be split that neither G nor D knows; use Auxiliary()"),
            (splits and not self.head.grows, f"its classes are to be split, and D's head cannot grow: {self.head}"),
            (
                splits and not self.conditioning.grows,
                f"its classes are to be split, and G cannot be told new ones: {self.conditioning}",
            ),
            (splits and self.encoder is not None, "its classes are to be split, and the encoder cannot grow"),
            (splits and bool(self.twins), "its classes are to be split, and its twins would not follow"),
        ]

    @property
    def groups(self) -> tuple[tuple[Stream, Share], ...]:
        """All that D judges, in its own step and in G's."""
        return *self.d_sees, *self.g_plays

    def begins(self, steps: int) -> int:
        """The step, of so many, at which the game begins: twins that train before have the ones before it."""
        return max((early(twin, steps) for twin in self.twins), default=0)

    @property
    def conditional(self) -> bool:
        """Whether G makes images of a class that is asked for."""
        return self.conditioning.conditional

    @property
    def per_class(self) -> bool:
        """Whether one GAN learns all known classes, by their labels."""
        return self.conditional or self.head.classifies

    @property
    def needs_others(self) -> bool:
        """Whether D is shown images of other classes, so that some must be named."""
        return any(isinstance(stream, NeedsOthers) for stream, _ in self.d_sees)

    def but(self, **changes: Any) -> Method:
        """This method with other values on some axes: how a paper's delta is written."""
        return replace(self, **changes)


def _named(streams: list[Stream]) -> str:
    """Each kind of images once."""
    return ", ".join(dict.fromkeys(map(str, streams)))
