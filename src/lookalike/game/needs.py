"""Needs: what a part of a method requires of the other parts. `Method` refuses a combination that lacks one."""

from __future__ import annotations

from enum import Enum, auto


class Need(Enum):
    """One requirement of a stream, a head, a loss, a penalty, a split or a score."""

    OTHER_CLASSES = auto()  # real images of classes that stay unknown
    TWIN = auto()  # the twin that the stream names
    TWINS_ENCODER = auto()  # that twin has an encoder, whose z is as long as this GAN's
    ENCODER = auto()  # this GAN, or a twin that trains after it, has an encoder
    LABELS = auto()  # every image in D's input has a class
    Z = auto()  # every image in D's input has a z
    CLASSIFIER = auto()  # D classifies images
    CONDITIONAL = auto()  # G is conditional on the class
    REAL_IN_G = auto()  # real images in G's step
    EQUAL_GROUPS = auto()  # as many real as fake images, in D's step and in G's
    SAME_ROWS = auto()  # G's step has two groups, row by row of the same real images
    TOGETHER = auto()  # one update of D on real and fake images together
    IMAGES_ALONE = auto()  # the input of D is an image, not a pair of an image and its z
    NO_BATCH_NORM = auto()  # D's answer to an image does not depend on other images
    CLASSES = auto()  # one GAN learns all known classes
    GROWS = auto()  # D and G can get new classes during training
    NO_ENCODER = auto()  # this GAN has no encoder: its layers cannot grow
    NO_TWINS = auto()  # this GAN has no twins: their classes would not grow


Needs = frozenset[Need]
NOTHING: Needs = frozenset()


def needs(*these: Need) -> Needs:
    """A set of needs, as a part states them."""
    return frozenset(these)
