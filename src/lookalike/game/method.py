"""A method: one value per axis of the game, refused with a sentence where the values cannot work together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

from lookalike.base.errors import UsageError
from lookalike.game.diffaugment import DiffAugment
from lookalike.game.heads import Binary, Head
from lookalike.game.latents import Labels, Latent, Normal, UniformLabels
from lookalike.game.losses import Loss, Minimax
from lookalike.game.needs import Need
from lookalike.game.nets import Net
from lookalike.game.nets.anogan import Anogan
from lookalike.game.nets.conditioning import Conditioning, Unconditional
from lookalike.game.nets.encoder import Encoder
from lookalike.game.optimiser import Adam
from lookalike.game.penalty import Penalty
from lookalike.game.score import LatentSearch, Score
from lookalike.game.share import Share, share_at
from lookalike.game.splitting import Splitting
from lookalike.game.streams import Generated, Real, Stream

OF_G = ("net", "latent", "conditioning")  # the axes that G's weights depend on
OF_D = ("net", "head", "spectral")  # those of D's
Maker = Literal["G", "E"]


@dataclass(frozen=True)
class Twin:
    """A GAN that trains before, beside or after another: its name and its method, derived from the other's.

    Parameters
    ----------
    name : str
        What streams and logs call it.
    method : callable
        Its method, given the one that it accompanies.
    before : float
        The first share of the training's steps, which the twin has for itself. Then its weights stay as they are.
    after : float
        The last share of the training's steps, which the twin has for itself. It begins with the weights of G
        (averaged, where there is an average) and D, and the GAN keeps its encoder. 0 and 0: it trains beside.
    """

    name: str
    method: Callable[[Method], Method]
    before: float = 0.0
    after: float = 0.0

    @property
    def beside(self) -> bool:
        """Whether it trains in every step of the game."""
        return not (self.before or self.after)


def early(twin: Twin, steps: int) -> int:
    """How many of the first steps the twin has for itself."""
    return int(twin.before * steps)


def late(twin: Twin, steps: int) -> int:
    """How many of the last steps the twin has for itself."""
    return int(twin.after * steps)


def when(twin: Twin) -> str:
    """When a twin trains, in words."""
    if twin.before:
        return f"trains alone for the first {twin.before:.0%} of the steps"
    if twin.after:
        return f"trains alone for the last {twin.after:.0%} of the steps"
    return "trains throughout"


@dataclass(frozen=True)
class Method:
    """A way to train a GAN, and to score images with it.

    Parameters
    ----------
    name : str
        Name in `METHODS`.
    paper : str
        Short name of the paper that it comes from.
    summary : str
        What it does, in sentences for a reader who has not seen the paper.
    family : str
        The kind of game whose presets it takes; see `runs.presets`. Of a family without a preset of its own the
        method's optimisers stay as they are.
    d_sees : tuple of (Stream, float or EveryThird)
        D's images; the number is the group's share of the batch size.
    g_plays : tuple of (Stream, float or EveryThird)
        The images of G's step, and each group's share of the batch size.
    head, latent, net, losses
        How D answers; where z comes from; the networks; what is lost.
    conditioning, labels
        How G is conditional on a class; from which distribution the classes come.
    encoder : Encoder or None
        E, which gives the z of an image.
    makers : tuple of "G" and "E"
        Which of the two learn in G's step.
    optimiser : Adam
        The makers', and D's too unless `d_optimiser` is given.
    d_optimiser : Adam or None
        D's own: two step sizes keep the game in balance (Heusel et al. 2017).
    d_steps : int
        D's updates per update of G; 0: D stays as it is.
    d_updates : "together" or "apart"
        Together: D's updates are on all groups, each weighed by its share. Apart: D is updated on one group after the
        other, each group's mean as it is, as the code of gan-augmentation-2020's authors does; a share is then only a
        number of images.
    diff_augment : DiffAugment or None
        What every image goes through before D judges it.
    spectral : bool
        D's weights are divided by their spectral norm (Miyato et al. 2018).
    penalty : Penalty or None
        What D's slope costs beside the losses.
    twins : tuple of Twin
        GANs that train before, beside or after.
    start : str or None
        The twin trained before whose G's weights G begins with; None: G begins from scratch.
    splitting : Splitting or None
        When classes are split into sub-classes.
    decay : bool
        Step sizes fall linearly to 0 at the end of the training.
    score : Score
        How a trained GAN scores an image.

    Raises
    ------
    UsageError
        For a combination that cannot work.
    """

    name: str
    paper: str
    summary: str
    family: str = "dcgan"
    d_sees: tuple[tuple[Stream, Share], ...] = ((Real(), 1), (Generated(), 1))
    g_plays: tuple[tuple[Stream, Share], ...] = ((Generated(), 1),)
    head: Head = Binary()
    latent: Latent = Normal(100)
    net: Net = Anogan()
    losses: tuple[Loss, ...] = (Minimax(),)
    conditioning: Conditioning = Unconditional()
    labels: Labels = UniformLabels()
    encoder: Encoder | None = None
    makers: tuple[Maker, ...] = ("G", "E")
    optimiser: Adam = Adam()
    d_optimiser: Adam | None = None
    d_steps: int = 1
    d_updates: Literal["together", "apart"] = "together"
    diff_augment: DiffAugment | None = None
    spectral: bool = False
    penalty: Penalty | None = None
    twins: tuple[Twin, ...] = ()
    start: str | None = None
    splitting: Splitting | None = None
    decay: bool = False
    score: Score = LatentSearch()

    def __post_init__(self) -> None:
        # one after the other: a twin is made of a method that can work
        for refusals in (self._game_refusals, self._twin_refusals, self._unmet_needs):
            for refused, sentence in refusals():
                if refused:
                    raise UsageError(f"method {self.name}: {sentence}")

    def _game_refusals(self) -> Iterator[tuple[bool, str]]:
        """Where there is no game."""
        labels = [stream.real for stream, _ in self.d_sees]
        losses = [loss.name for loss in self.losses]
        twins = [twin.name for twin in self.twins]
        made = [stream for stream, _ in self.g_plays if stream.made]
        of_reals = any({Need.REAL_IN_G, Need.SAME_ROWS} & loss.needs for loss in self.losses)
        if self.d_steps or "G" in self.makers:
            yield True not in labels, "D must see some images as real; add Real() to d_sees"
            yield False not in labels, "D must see some images as fake; add Generated() to d_sees"
        unshared = any(share_at(share, e) <= 0 for _, share in self.groups for e in (0, 2))
        yield unshared, "every share in d_sees and g_plays must be above 0"
        yield not self.losses, "there must be at least one loss"
        yield len(set(losses)) < len(losses), f"loss names must differ, not {', '.join(losses)}"
        shared = self.penalty is not None and self.penalty.name in losses
        yield shared, f"the loss {self.penalty and self.penalty.name} has the penalty's name; give it another"
        idle = all(Need.ENCODER in stream.needs for stream, _ in self.g_plays) and "G" in self.makers
        yield idle, "G must play something; add Generated() to g_plays"
        strange = not made or (len(made) < len(self.g_plays) and not of_reals)
        yield strange, "G can only learn from images that the players make"
        silent = all(stream.real is None for stream in made) and not of_reals
        yield silent, "D must be asked the realness of something that G plays; add Generated() to g_plays"
        yield self.d_steps < ("G" in self.makers), f"d_steps must be at least 1, not {self.d_steps}"
        yield self.d_updates not in ("together", "apart"), f"d_updates must be together or apart, not {self.d_updates}"
        yield len(set(twins)) < len(twins), f"twin names must differ, not {', '.join(twins)}"
        learns = any(loss.teaches_classes for loss in self.losses)
        yield self.head.classifies and not learns, "the head names classes that no loss teaches; add AuxiliaryClass()"
        quiet = not any(loss.moves_g for loss in self.losses)
        yield quiet, "no loss asks anything of G; add a game such as Minimax()"

    def _twin_refusals(self) -> Iterator[tuple[bool, str]]:
        """Where a twin is missing, or is not what a stream or G needs."""
        inner = self.methods_of_twins()
        source = {twin.name: inner[twin.name] for twin in self.twins if twin.before}.get(self.start or "")
        differ = [axis for axis in OF_G if source and getattr(source, axis) != getattr(self, axis)]
        absent = [s.twin for s, _ in self.groups if Need.TWIN in s.needs and s.twin not in inner]
        yield bool(absent), f"D is shown a twin's images ({', '.join(map(str, absent))}) but no such twin trains beside"
        shares = all(0 <= share < 1 for twin in self.twins for share in (twin.before, twin.after))
        yield not shares, "the share that a twin trains before or after must be at least 0 and below 1"
        both = any(twin.before and twin.after for twin in self.twins)
        yield both, "a twin trains before, beside or after, not at two times"
        total = max((t.before for t in self.twins), default=0.0) + max((t.after for t in self.twins), default=0.0)
        yield total >= 1, "the twins that train before and after leave no steps for the game"
        nested = any(not twin.beside for method in inner.values() for twin in method.twins)
        yield nested, "no twin of a twin can train before or after"
        lost = self.start is not None and source is None
        yield lost, f"G starts from {self.start}, but no such twin trains before"
        yield bool(differ), f"G starts from {self.start}, whose G differs in {', '.join(differ)}"
        for twin in self.twins:
            other = inner[twin.name]
            changed = [axis for axis in dict.fromkeys((*OF_G, *OF_D)) if getattr(other, axis) != getattr(self, axis)]
            yield bool(twin.after and changed), f"{twin.name} trains after, and differs in {', '.join(changed)}"

    def _unmet_needs(self) -> Iterator[tuple[bool, str]]:
        """What a part states that it needs, and another part does not give."""
        for part in self._parts():
            for need in sorted(part.needs, key=lambda one: one.value):
                met, sentence = CHECKS[need]
                yield not met(self, part), sentence(self, part)
        plays_encoder = any(Need.ENCODER in stream.needs for stream, _ in self.g_plays)
        read = Need.Z in self.head.needs or any(Need.SAME_ROWS in loss.needs for loss in self.losses)
        idle, unread = self.encoder is not None and not plays_encoder, self.encoder is not None and not read
        yield idle, "the encoder learns from nothing; add Encoded() to d_sees and to g_plays"
        yield unread, "D does not look at the encoder's z, so that it learns nothing; use the head Joint()"

    def _parts(self) -> Iterator[Any]:
        """The parts that state needs."""
        yield from (stream for stream, _ in self.groups)
        yield self.head
        yield from self.losses
        yield from (part for part in (self.penalty, self.splitting) if part is not None)
        yield self.score

    @property
    def groups(self) -> tuple[tuple[Stream, Share], ...]:
        """All that D judges, in its own step and in G's."""
        return *self.d_sees, *self.g_plays

    def methods_of_twins(self) -> dict[str, Method]:
        """Each twin's own method."""
        return {twin.name: twin.method(self) for twin in self.twins}

    def begins(self, steps: int) -> int:
        """The step, of so many, at which the game begins: twins that train before have the ones before it."""
        return max((early(twin, steps) for twin in self.twins), default=0)

    def ends(self, steps: int) -> int:
        """The step, of so many, at which the game has ended: twins that train after have those from here on."""
        return steps - max((late(twin, steps) for twin in self.twins), default=0)

    @property
    def conditional(self) -> bool:
        """Whether G makes images of a given class."""
        return self.conditioning.conditional

    @property
    def per_class(self) -> bool:
        """Whether one GAN learns all known classes, by their labels."""
        return self.conditional or self.head.classifies

    @property
    def needs_others(self) -> bool:
        """Whether D's images include those of other classes, so that some must be named."""
        return any(Need.OTHER_CLASSES in stream.needs for stream, _ in self.d_sees)

    @property
    def encodes(self) -> bool:
        """Whether a trained GAN has an encoder: its own, or that of a twin that trains after it."""
        inner = self.methods_of_twins()
        return self.encoder is not None or any(inner[twin.name].encoder for twin in self.twins if twin.after)

    def but(self, **changes: Any) -> Method:
        """This method with other values on some axes: how a paper's delta is written."""
        return replace(self, **changes)


def _named(streams: list[Stream]) -> str:
    """Each kind of images once."""
    return ", ".join(dict.fromkeys(map(str, streams)))


def _classless(m: Method) -> list[Stream]:
    return [s for s, _ in m.groups if not (m.conditional if s.made else s.labelled)]


def _pairless(m: Method) -> list[Stream]:
    return [s for s, _ in m.groups if not s.made]


def _equal(m: Method) -> bool:
    """Whether real and fake images are as many, in either step and every epoch."""
    return all(
        sum(share_at(share, e) for s, share in groups if s.real is True)
        == sum(share_at(share, e) for s, share in groups if s.real is False)
        for groups in ((m.d_sees if m.d_steps else ()), m.g_plays)
        for e in (0, 2)
    )


def _encoders(m: Method, part: Any) -> bool:
    """Whether the twin of this part has an encoder, whose z is as long as G's."""
    twin = m.methods_of_twins().get(part.twin)
    return twin is None or (twin.encoder is not None and twin.latent.z_dim == m.latent.z_dim)


Check = tuple[Callable[[Method, Any], bool], Callable[[Method, Any], str]]


def _check(met: Callable[[Method], bool], sentence: str) -> Check:
    return (lambda method, _part: met(method)), (lambda _method, part: sentence.format(part=part))


CHECKS: dict[Need, Check] = {  # need -> (whether it is met, what is said where it is not)
    Need.OTHER_CLASSES: _check(lambda m: True, ""),  # the data has them or not; see `runs.plan`
    Need.TWIN: _check(lambda m: True, ""),  # refused before: a twin's method is asked for below
    Need.TWINS_ENCODER: (
        _encoders,
        lambda m, part: "z is to come from a twin that has no encoder, or whose z is of another length",
    ),
    Need.ENCODER: _check(lambda m: m.encodes, "images are to be encoded and there is no encoder; add Encoder()"),
    Need.LABELS: (
        lambda m, part: not _classless(m),
        lambda m, part: f"D looks at each image's class, and {_named(_classless(m))} have none; use another head",
    ),
    Need.Z: (
        lambda m, part: not _pairless(m),
        lambda m, part: f"D judges pairs of an image and its z, and {_named(_pairless(m))} have none; use Encoded()",
    ),
    Need.CLASSIFIER: _check(
        lambda m: m.head.classifies, "{part}: needs a head that names classes: Auxiliary() or KPlusOne()"
    ),
    Need.CONDITIONAL: _check(
        lambda m: m.conditional, "G is to make images of a class and is told none; add Embedded() or ClassBatchNorm()"
    ),
    Need.REAL_IN_G: _check(
        lambda m: any(s.real is True and not s.made for s, _ in m.g_plays),
        "{part}: G's loss compares with real images; add Real() to g_plays",
    ),
    Need.EQUAL_GROUPS: _check(
        _equal, "{part}: each real image is paired with a fake one; give real and fake groups equal shares"
    ),
    Need.SAME_ROWS: _check(
        lambda m: [s.made for s, _ in m.g_plays] == [False, True],
        "{part}: compares images with what is made of them; let g_plays be real images and one group made of them",
    ),
    Need.TOGETHER: _check(
        lambda m: m.d_updates == "together",
        "{part}: is of real and fake images together; use d_updates together",
    ),
    Need.IMAGES_ALONE: _check(
        lambda m: Need.Z not in m.head.needs,
        "{part}: lies between images, and D judges pairs of an image and its z; use another head",
    ),
    Need.NO_BATCH_NORM: _check(
        lambda m: not m.net.d_batch_norm,
        "{part}: is of each image's own slope, and D's batch norm mixes images; use another net",
    ),
    Need.CLASSES: _check(lambda m: m.per_class, "classes are to be split that neither G nor D knows; use Auxiliary()"),
    Need.GROWS: (
        lambda m, part: m.head.grows and m.conditioning.grows,
        lambda m, part: (
            f"its classes are to be split, and D's head cannot grow: {m.head}"
            if not m.head.grows
            else f"its classes are to be split, and G cannot be told new ones: {m.conditioning}"
        ),
    ),
    Need.NO_ENCODER: _check(lambda m: m.encoder is None, "its classes are to be split, and the encoder cannot grow"),
    Need.NO_TWINS: _check(lambda m: not m.twins, "its classes are to be split, and its twins would not follow"),
}
