"""What a part of a method needs of the other parts. Each part states it; `Method` refuses where it is missing."""

from __future__ import annotations

from enum import Enum, auto


class Need(Enum):
    """One thing that a stream, a head, a loss, a penalty, a split or a score cannot do without."""

    OTHER_CLASSES = auto()  # images of classes that are not to be known
    TWIN = auto()  # the twin that the stream names
    TWINS_ENCODER = auto()  # that twin has an encoder, whose z is as long as this GAN's
    ENCODER = auto()  # this GAN, or a twin that trains after it, has an encoder
    LABELS = auto()  # every image that D judges has a class
    Z = auto()  # every image that D judges has a z
    CLASSIFIER = auto()  # D says of which class an image is
    CONDITIONAL = auto()  # G is conditional on the class
    REAL_IN_G = auto()  # real images in G's step
    EQUAL_GROUPS = auto()  # as many real as fake images, in D's step and in G's
    SAME_ROWS = auto()  # the groups of G's step are of the same real images, row by row
    TOGETHER = auto()  # one update of D on real and fake images together
    IMAGES_ALONE = auto()  # D judges images, not pairs of an image and its z
    NO_BATCH_NORM = auto()  # D's answer to an image does not depend on the others
    CLASSES = auto()  # one GAN learns all known classes
    GROWS = auto()  # D and G can take new classes while they train
    NO_ENCODER = auto()
    NO_TWINS = auto()


Needs = frozenset[Need]
NOTHING: Needs = frozenset()


def needs(*these: Need) -> Needs:
    """These needs, as a part states them."""
    return frozenset(these)
