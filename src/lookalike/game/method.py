"""Methods: one value per axis of the game. A combination that cannot work is refused with a sentence."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

from lookalike.base.errors import UsageError
from lookalike.base.words import percent
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

OF_G = ("net", "latent", "conditioning")  # the axes that decide the shapes of G's weights
OF_D = ("net", "head", "spectral")  # the axes that decide the shapes of D's weights
Maker = Literal["G", "E"]


@dataclass(frozen=True)
class Twin:
    """A second GAN that trains before, beside or after the main one. Its method is derived from the main method.

    Parameters
    ----------
    name : str
        Its name in streams, logs and files.
    method : callable
        A function from the main GAN's method to the twin's.
    before : float
        Share of the training's steps, from 0 to below 1, in which it trains alone first. Its weights are fixed then.
    after : float
        Share of the steps in which it trains alone at the end. It starts from the weights of (averaged) G and D, and
        the main GAN keeps its encoder. If `before` and `after` are 0, it trains beside the main GAN.
    """

    name: str
    method: Callable[[Method], Method]
    before: float = 0.0
    after: float = 0.0

    @property
    def beside(self) -> bool:
        """Whether it trains in every step of the game, just before the main GAN."""
        return not (self.before or self.after)


def early(twin: Twin, steps: int) -> int:
    """Number of first steps, of `steps`, in which the twin trains alone."""
    return int(twin.before * steps)


def late(twin: Twin, steps: int) -> int:
    """Number of last steps, of `steps`, in which the twin trains alone."""
    return int(twin.after * steps)


def when(twin: Twin) -> str:
    """The time of a twin's training, in words for `lookalike describe` and the report."""
    if twin.before:
        return f"trains alone for the first {percent(twin.before)} of the steps"
    if twin.after:
        return f"trains alone for the last {percent(twin.after)} of the steps"
    return "trains throughout"


STATEMENTS = {  # what a part must say of itself before it is used
    "stream": ("real", "labelled", "made", "needs", "twin", "draw"),
    "loss": ("name", "needs", "moves_g", "teaches_classes", "d", "g"),
    "score": ("name", "needs", "searches", "fit", "kept", "of"),
    "penalty": ("name", "needs", "watches", "of"),
}


@dataclass(frozen=True)
class Method:
    """All that defines a GAN, its training and its score. See docs/design.md for the axes.

    Parameters
    ----------
    name : str
        Its name in `METHODS`.
    paper : str
        Short name of its paper, a key of `methods.papers.BIBTEX`.
    summary : str
        What it does, in sentences that need no knowledge of the paper.
    family : str
        Name of its presets; see `runs.presets`. A family without presets keeps the method's own optimisers.
    d_sees : tuple of (Stream, float or EveryThird)
        The streams of D's step. The number is the group's share of the batch size.
    g_plays : tuple of (Stream, float or EveryThird)
        The streams of the step of G and E, and each group's share of the batch size.
    head, latent, net, losses
        The last layers of D; the prior of z; the networks; the losses, which are added.
    conditioning, labels
        How G is conditional on the class; the prior of the classes.
    encoder : Encoder or None
        E, the network from an image to its z.
    makers : tuple of "G" and "E"
        Which of the two networks learn in G's step.
    optimiser : Adam
        That of the makers, and of D unless `d_optimiser` is set.
    d_optimiser : Adam or None
        That of D. Two step sizes can keep G and D in balance (Heusel et al. 2017).
    g_batch : int
        So many times the batch size has G's step, by which no loss weighs more.
    d_steps : int
        Updates of D per update of G. With 0 D does not learn.
    d_updates : "together" or "apart"
        Together: an update of D is on all groups, weighted by their shares. Apart: D has one update per group, on the
        group's mean loss, as in the authors' code of gan-augmentation-2020. A share then only sets a number of images.
    diff_augment : DiffAugment or None
        A random change of every image before D.
    spectral : bool
        D's weights are divided by their spectral norm (Miyato et al. 2018).
    penalty : Penalty or None
        A term on D's gradient, beside the losses.
    twins : tuple of Twin
        GANs that train before, beside or after the main one.
    start : str or None
        Name of a twin that trains before. G starts from its G's weights; None: from random weights.
    splitting : Splitting or None
        When and how classes are split into sub-classes.
    decay : bool
        Step sizes fall linearly to 0 at the end of the training.
    score : Score
        How a trained GAN scores an image.

    Raises
    ------
    UsageError
        If the values cannot work together. The message says what to change.
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
    g_batch: int = 1
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
        # in this order, because the later checks build the twins' methods, which need a game that can work
        for refusals in (self._unstated, self._game_refusals, self._twin_refusals, self._unmet_needs):
            for refused, sentence in refusals():
                if refused:
                    raise UsageError(f"method {self.name}: {sentence}")

    def _unstated(self) -> Iterator[tuple[bool, str]]:
        """Pairs (refused, sentence) about statements that the author of a part has forgotten."""
        parts = {
            "stream": [stream for stream, _ in self.groups],
            "loss": self.losses,
            "score": (self.score,),
            "penalty": () if self.penalty is None else (self.penalty,),
        }
        for kind, statements in STATEMENTS.items():
            for part in parts[kind]:
                for name in statements:
                    missing = not hasattr(part, name)  # a Protocol has no other way to be checked
                    yield missing, f"the {kind} {type(part).__name__} has no {name}; see CONTRIBUTING, Add a paper"

    def _game_refusals(self) -> Iterator[tuple[bool, str]]:
        """Pairs (refused, sentence) about the streams, the losses and the updates of this GAN alone."""
        labels = [stream.real for stream, _ in self.d_sees]
        losses = [loss.name for loss in self.losses]
        twins = [twin.name for twin in self.twins]
        made = [stream for stream, _ in self.g_plays if stream.made]
        # such losses compare real images with what is made, so real groups may be in G's step
        of_reals = any({Need.REAL_IN_G, Need.SAME_ROWS} & loss.needs for loss in self.losses)
        if self.d_steps or "G" in self.makers:  # a twin that trains E alone has no game
            yield True not in labels, "no images are labelled real for D; add Real() to d_sees"
            yield False not in labels, "no images are labelled fake for D; add Generated() to d_sees"
        # epochs 0 and 2 are the two values of a share by epoch
        unshared = any(share_at(share, e) <= 0 for _, share in self.groups for e in (0, 2))
        yield unshared, "every share in d_sees and g_plays must be above 0"
        yield not self.losses, "there must be at least one loss"
        yield len(set(losses)) < len(losses), f"loss names must differ, not {', '.join(losses)}"
        shared = self.penalty is not None and self.penalty.name in losses
        yield shared, f"the loss {self.penalty and self.penalty.name} has the penalty's name; rename one of the two"
        idle = all(Need.ENCODER in stream.needs for stream, _ in self.g_plays) and "G" in self.makers
        yield idle, "G makes no images in its own step; add Generated() to g_plays"
        strange = not made or (len(made) < len(self.g_plays) and not of_reals)
        yield strange, "G can only learn from images that G or the encoder made; change g_plays"
        silent = all(stream.real is None for stream in made) and not of_reals
        yield silent, "no images of G are labelled in its own step; add Generated() to g_plays"
        yield self.d_steps < ("G" in self.makers), f"d_steps must be at least 1, not {self.d_steps}"
        yield self.g_batch < 1, f"g_batch must be at least 1, not {self.g_batch}"
        yield self.d_updates not in ("together", "apart"), f"d_updates must be together or apart, not {self.d_updates}"
        yield len(set(twins)) < len(twins), f"twin names must differ, not {', '.join(twins)}"
        learns = any(loss.teaches_classes for loss in self.losses)
        yield self.head.classifies and not learns, "the head classifies, but no loss trains it; add AuxiliaryClass()"
        quiet = not any(loss.moves_g for loss in self.losses)
        yield quiet, "G learns from no loss; add one such as Minimax()"

    def _twin_refusals(self) -> Iterator[tuple[bool, str]]:
        """Pairs (refused, sentence) about the twins."""
        inner = self.methods_of_twins()
        source = {twin.name: inner[twin.name] for twin in self.twins if twin.before}.get(self.start or "")
        differ = [axis for axis in OF_G if source and getattr(source, axis) != getattr(self, axis)]
        absent = [s.twin for s, _ in self.groups if Need.TWIN in s.needs and s.twin not in inner]
        yield bool(absent), f"a stream needs the twin {', '.join(map(str, absent))}; add it to twins"
        shares = all(0 <= share < 1 for twin in self.twins for share in (twin.before, twin.after))
        yield not shares, "a twin's shares of steps before and after must be at least 0 and below 1"
        both = any(twin.before and twin.after for twin in self.twins)
        yield both, "a twin trains before, beside or after, not at two times"
        total = max((t.before for t in self.twins), default=0.0) + max((t.after for t in self.twins), default=0.0)
        yield total >= 1, "the twins that train before and after leave no steps for the game"
        nested = any(not twin.beside for method in inner.values() for twin in method.twins)
        yield nested, "no twin of a twin can train before or after"
        lost = self.start is not None and source is None
        yield lost, f"G starts from {self.start}, but no twin of that name trains before"
        yield bool(differ), f"G starts from {self.start}, whose G differs in {', '.join(differ)}"
        for twin in self.twins:
            # a twin after takes over the weights of G and D, so that all their shapes must be the same
            other = inner[twin.name]
            changed = [axis for axis in dict.fromkeys((*OF_G, *OF_D)) if getattr(other, axis) != getattr(self, axis)]
            yield bool(twin.after and changed), f"{twin.name} trains after, and differs in {', '.join(changed)}"

    def _unmet_needs(self) -> Iterator[tuple[bool, str]]:
        """Pairs (refused, sentence) about the needs of the parts; `CHECKS` says whether each is met."""
        for part in self._parts():
            # sorted, because the order of a set differs from run to run, and so would the message
            for need in sorted(part.needs, key=lambda one: one.value):
                met, sentence = CHECKS[need]
                yield not met(self, part), sentence(self, part)
        plays_encoder = any(Need.ENCODER in stream.needs for stream, _ in self.g_plays)
        read = Need.Z in self.head.needs or any(Need.SAME_ROWS in loss.needs for loss in self.losses)
        idle, unread = self.encoder is not None and not plays_encoder, self.encoder is not None and not read
        yield idle, "the encoder learns from nothing; add Encoded() to d_sees and to g_plays"
        yield unread, "z is no input of D, so that the encoder learns nothing; use the head Joint()"

    def _parts(self) -> Iterator[Any]:
        """The parts that have needs."""
        yield from (stream for stream, _ in self.groups)
        yield self.head
        yield from self.losses
        yield from (part for part in (self.penalty, self.splitting) if part is not None)
        yield self.score

    @property
    def groups(self) -> tuple[tuple[Stream, Share], ...]:
        """The streams of both steps, D's and G's, with their shares."""
        return *self.d_sees, *self.g_plays

    def methods_of_twins(self) -> dict[str, Method]:
        """The method of each twin, by its name."""
        return {twin.name: twin.method(self) for twin in self.twins}

    def begins(self, steps: int) -> int:
        """The first step of the game, of `steps` in all. Twins that train before have the steps before it."""
        return max((early(twin, steps) for twin in self.twins), default=0)

    def ends(self, steps: int) -> int:
        """The step after the last one of the game, of `steps` in all. Twins that train after have the rest."""
        return steps - max((late(twin, steps) for twin in self.twins), default=0)

    @property
    def conditional(self) -> bool:
        """Whether G is conditional on the class."""
        return self.conditioning.conditional

    @property
    def per_class(self) -> bool:
        """Whether one GAN learns all known classes, with their labels."""
        return self.conditional or self.head.classifies

    @property
    def needs_others(self) -> bool:
        """Whether D learns from images of other classes, so that the user must name some."""
        return any(Need.OTHER_CLASSES in stream.needs for stream, _ in self.d_sees)

    @property
    def encodes(self) -> bool:
        """Whether a trained GAN has an encoder: its own, or that of a twin after it."""
        inner = self.methods_of_twins()
        return self.encoder is not None or any(inner[twin.name].encoder for twin in self.twins if twin.after)

    def but(self, **changes: Any) -> Method:
        """This method with other values on some axes. That is how a paper is written as changes to another."""
        return replace(self, **changes)


def _named(streams: list[Stream]) -> str:
    """The streams in words, each once."""
    return ", ".join(dict.fromkeys(map(str, streams)))


def _classless(m: Method) -> list[Stream]:
    """The streams whose images have no class."""
    return [s for s, _ in m.groups if not (m.conditional if s.made else s.labelled)]


def _pairless(m: Method) -> list[Stream]:
    """The streams whose images have no z."""
    return [s for s, _ in m.groups if not s.made]


def _equal(m: Method) -> bool:
    """Whether there are as many real as fake images, in both steps and every epoch."""
    return all(
        sum(share_at(share, e) for s, share in groups if s.real is True)
        == sum(share_at(share, e) for s, share in groups if s.real is False)
        for groups in ((m.d_sees if m.d_steps else ()), m.g_plays)
        for e in (0, 2)
    )


def _encoders(m: Method, part: Any) -> bool:
    """Whether the twin of this part has an encoder, whose z has as many entries as that of G."""
    twin = m.methods_of_twins().get(part.twin)
    # a missing twin is refused before, with a better sentence
    return twin is None or (twin.encoder is not None and twin.latent.z_dim == m.latent.z_dim)


Check = tuple[Callable[[Method, Any], bool], Callable[[Method, Any], str]]


def _check(met: Callable[[Method], bool], sentence: str) -> Check:
    """A check of the method alone, whose sentence may name the part as {part}."""
    return (lambda method, _part: met(method)), (lambda _method, part: sentence.format(part=part))


CHECKS: dict[Need, Check] = {  # need -> (whether it is met, the sentence where it is not)
    Need.OTHER_CLASSES: _check(lambda m: True, ""),  # depends on the data; see `runs.plan`
    Need.TWIN: _check(lambda m: True, ""),  # refused before, in `_twin_refusals`
    Need.TWINS_ENCODER: (
        _encoders,
        lambda m, part: "z comes from a twin without an encoder, or with a z of another length; change that twin",
    ),
    Need.ENCODER: _check(lambda m: m.encodes, "images need an encoder, and there is no encoder; add Encoder()"),
    Need.LABELS: (
        lambda m, part: not _classless(m),
        lambda m, part: f"D needs the class of each image, and {_named(_classless(m))} have none; use another head",
    ),
    Need.Z: (
        lambda m, part: not _pairless(m),
        lambda m, part: f"D takes pairs of an image and its z, and {_named(_pairless(m))} have no z; use Encoded()",
    ),
    Need.CLASSIFIER: _check(
        lambda m: m.head.classifies, "{part}: needs a head that classifies; use Auxiliary() or KPlusOne()"
    ),
    Need.CONDITIONAL: _check(
        lambda m: m.conditional, "G learns from its class, but is not conditional; add Embedded() or ClassBatchNorm()"
    ),
    Need.REAL_IN_G: _check(
        lambda m: any(s.real is True and not s.made for s, _ in m.g_plays),
        "{part}: G's loss compares with real images; add Real() to g_plays",
    ),
    Need.EQUAL_GROUPS: _check(
        _equal, "{part}: each real image is paired with a fake one; give real and fake groups equal shares"
    ),
    Need.SAME_ROWS: _check(
        lambda m: [s.made for s, _ in m.g_plays] == [False, True] and Need.ENCODER in m.g_plays[1][0].needs,
        "{part}: compares images with their reconstructions; let g_plays be real images, then one made group",
    ),
    Need.TOGETHER: _check(
        lambda m: m.d_updates == "together",
        "{part}: needs real and fake images in one update; use d_updates together",
    ),
    Need.IMAGES_ALONE: _check(
        lambda m: Need.Z not in m.head.needs,
        "{part}: mixes images, and D takes pairs of an image and its z; use another head",
    ),
    Need.NO_BATCH_NORM: _check(
        lambda m: not m.net.d_batch_norm,
        "{part}: needs D's gradient at each image, and D's batch norm mixes images; use another net",
    ),
    Need.CLASSES: _check(
        lambda m: m.per_class, "classes cannot be split where neither G nor D depends on them; use Auxiliary()"
    ),
    Need.GROWS: (
        lambda m, part: m.head.grows and m.conditioning.grows,
        lambda m, part: (
            f"classes cannot be split, because D's head cannot grow ({m.head}); use another head"
            if not m.head.grows
            else f"classes cannot be split, because G cannot get new ones ({m.conditioning}); use another conditioning"
        ),
    ),
    Need.NO_ENCODER: _check(
        lambda m: m.encoder is None, "classes cannot be split, because the encoder cannot grow; leave it out"
    ),
    Need.NO_TWINS: _check(
        lambda m: not m.twins, "classes cannot be split, because the twins would keep the old ones; leave them out"
    ),
}
