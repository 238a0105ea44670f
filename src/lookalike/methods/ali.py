"""ALI (Dumoulin et al. 2017) conditional on the class, and AC-GAN after ALI (gan-augmentation-2020, section V.B).

In ALI the input of D is a pair. An image with its z from the encoder E is labelled real. A z with the image that G
makes from it is labelled fake (eq. 4). G and E together minimise what D maximises, so E learns to invert G.

In the AC-GAN after ALI, part of the input of G is the z of real images. With the mask of eq. 5 D's realness loss is not
computed for the images that G makes from them.
"""

from __future__ import annotations

from dataclasses import dataclass

from lookalike.game.batch import Batch
from lookalike.game.heads import Binary, Joint, LabelAware
from lookalike.game.method import Method, Twin
from lookalike.game.needs import Need, needs
from lookalike.game.nets.encoder import Encoder
from lookalike.game.players import Players
from lookalike.game.source import Source
from lookalike.game.streams import Generated
from lookalike.methods.acgan import acgan, cgan


@dataclass(frozen=True)
class Encoded:
    """Pairs of a real image and a z drawn from E's posterior. D learns them as real (eq. 4, first term)."""

    real = True
    labelled = True
    made = True
    needs = needs(Need.ENCODER)
    twin = None

    def __str__(self) -> str:
        return "images of the known class with their encoded z"

    def draw(self, gan: Players, source: Source, n: int) -> Batch:
        """n pairs (x, E(x)) with their classes. Gradients reach E unless the caller disabled them."""
        x, y = source.take_known(n)
        given = y if gan.conditional else None
        # a draw, not the mean: E of eq. 4 is a distribution of z given x
        return Batch(x, given, gan.infer(x, given, source.generator(), source.ranks), self.real)


ali = cgan.but(
    name="ali",
    paper="ali-2017",
    summary=(
        "A GAN with an encoder, the network from an image to its z, whose D classifies pairs of an image and a z. "
        "The input of D is a real image with its encoded z, or a z with the image that G makes from it. G and the "
        "encoder learn together to make both kinds alike. One GAN learns all known classes. "
        "All three networks are conditional on the class."
    ),
    d_sees=((Encoded(), 1), (Generated(), 1)),  # eq. 4
    g_plays=((Encoded(), 1), (Generated(), 1)),  # the same pairs with the labels flipped
    head=Joint(),
    encoder=Encoder(),
)


@dataclass(frozen=True)
class FromPosterior:
    """G's images from the z of real images, drawn from the posterior of a twin's fixed encoder (section V.B.1).

    Parameters
    ----------
    twin : str
        Name of the twin with the encoder.
    real : bool or None
        The label that D learns: False for fake; None for no label, the mask of eq. 5.
    """

    twin: str = "ali"
    real: bool | None = False
    labelled = False
    made = True
    needs = needs(Need.TWIN, Need.TWINS_ENCODER)

    def __str__(self) -> str:
        return f"G's images from z that the {self.twin} twin encodes"

    def draw(self, gan: Players, source: Source, n: int) -> Batch:
        """n images, the classes of their real images, and z. Gradients reach G, but not the twin."""
        x, y = source.take_known(n)
        twin = gan.twins[self.twin]
        z = twin.encode(x, y if twin.conditional else None, source.generator(), source.ranks)
        # the class of the real image, because z alone need not carry it
        given = y if gan.conditional else None
        return Batch(gan.make(z, given), given, z, self.real)


@dataclass(frozen=True)
class Inferring:
    """The ALI of a method, with the same network, z, classes and loss. So G can start from the weights of its G.

    Where the spread within a class is an input of the method's D, it is one of ALI's D too. Without it ALI collapses
    to one image per class.
    """

    def __call__(self, method: Method) -> Method:
        """ALI with the method's values on the axes that both share."""
        conditional = method.conditioning.conditional
        spread = getattr(method.head.of_images, "spread", False)  # only some heads have it
        # all axes that decide the shapes of G's weights, and those that decide how it learns
        shared = (
            "net",
            "latent",
            "conditioning",
            "labels",
            "optimiser",
            "d_optimiser",
            "diff_augment",
            "spectral",
            "penalty",
        )
        return ali.but(
            **{axis: getattr(method, axis) for axis in shared},
            head=Joint(LabelAware(spread=spread) if conditional else Binary()),
            # ALI's D does not classify (eq. 4), so the class losses go
            losses=tuple(loss for loss in method.losses if not loss.teaches_classes),
        )


acgan_ali_v1 = acgan.but(
    name="acgan-ali-v1",
    summary=(
        "AC-GAN after ALI: its G starts from that of ali, and three of four z in G's step come from real images. "
        "In the first half of the training ali trains alone. Then its encoder gives these z; the fourth is random. "
        "The encoder is not stored."
    ),
    # section V.B.1; the shares are those of the authors' code
    g_plays=((FromPosterior("ali"), 0.75), (Generated(), 0.25)),
    twins=(Twin("ali", Inferring(), before=0.5),),  # half of the steps is ours
    start="ali",
)

acgan_ali_v2 = acgan_ali_v1.but(
    name="acgan-ali-v2",
    summary=(
        "As acgan-ali-v1, but one of four z comes from a real image. For that image G learns only from D's class, not "
        "from its realness."
    ),
    # real=None is the mask 1(S = fake) of eq. 5
    g_plays=((FromPosterior("ali", real=None), 0.25), (Generated(), 0.75)),
)
