"""ALI (Dumoulin et al. 2017), told classes as in gan-augmentation-2020, section V.B; and the AC-GAN after it.

D judges pairs: an image and the z that the encoder E gives it are real, a z and the image that G makes of it are fake
(eq. 4). G and E play together against D, so that E learns to undo G. The AC-GAN's G is then given the z of real images
among its own; in eq. 5 D is asked the class of what it makes of them, and not whether it is real.
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
    """Real images with a z drawn from E's posterior, taught to be real; E is one of the players."""

    real = True
    labelled = True
    made = True
    needs = needs(Need.ENCODER)
    twin = None

    def __str__(self) -> str:
        return "images of the known class with their encoded z"

    def draw(self, gan: Players, source: Source, n: int) -> Batch:
        """n pairs (x, E(x)); gradients reach E unless the caller turned them off."""
        x, y = source.take_known(n)
        told = y if gan.conditional else None
        return Batch(x, told, gan.infer(x, told, source.generator()), self.real)


ali = cgan.but(
    name="ali",
    paper="ali-2017",
    summary=(
        "A GAN with an encoder: D judges pairs, a real image with the z that the encoder gives it against a z with the "
        "image that G makes of it, and G and the encoder learn together until the pairs cannot be told apart. One GAN "
        "learns all known classes, and all three networks are told the class."
    ),
    d_sees=((Encoded(), 1), (Generated(), 1)),
    g_plays=((Encoded(), 1), (Generated(), 1)),
    head=Joint(),
    encoder=Encoder(),
)


@dataclass(frozen=True)
class FromPosterior:
    """G's images from the z that a twin's frozen encoder draws for real images, with their classes (section V.B.1).

    Parameters
    ----------
    twin : str
        The twin that has an encoder.
    real : bool or None
        What D is taught of them: False, fake; None, realness is not asked (eq. 5).
    """

    twin: str = "ali"
    real: bool | None = False
    labelled = False
    made = True
    needs = needs(Need.TWIN, Need.TWINS_ENCODER)

    def __str__(self) -> str:
        return f"G's images from z that the {self.twin} twin encodes"

    def draw(self, gan: Players, source: Source, n: int) -> Batch:
        """n images; gradients reach G, and never the twin."""
        x, y = source.take_known(n)
        twin = gan.twins[self.twin]
        z = twin.encode(x, y if twin.conditional else None, source.generator())
        told = y if gan.conditional else None
        return Batch(gan.make(z, told), told, z, self.real)


@dataclass(frozen=True)
class Inferring:
    """A method's ALI: the same network, z, classes and game, so that G can begin with its G's weights."""

    def __call__(self, method: Method) -> Method:
        """ALI with the method's values on all other axes."""
        told = method.conditioning.conditional
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
            head=Joint(LabelAware() if told else Binary()),
            losses=tuple(loss for loss in method.losses if not loss.teaches_classes),
        )


acgan_ali_v1 = acgan.but(
    name="acgan-ali-v1",
    summary=(
        "AC-GAN after ALI: the first half of the training is ali's, whose encoder then gives G the z of real images, "
        "three for each z drawn at random; G begins with the weights of ali's. The encoder vanishes after training."
    ),
    g_plays=((FromPosterior("ali"), 0.75), (Generated(), 0.25)),
    twins=(Twin("ali", Inferring(), before=0.5),),
    start="ali",
)

acgan_ali_v2 = acgan_ali_v1.but(
    name="acgan-ali-v2",
    summary=(
        "As acgan-ali-v1 with one z of a real image for three drawn at random, and what G makes of it is asked for its "
        "class alone, not whether it is real."
    ),
    g_plays=((FromPosterior("ali", real=None), 0.25), (Generated(), 0.75)),
)
