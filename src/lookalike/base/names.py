"""The one table of names that flags accept. It loads without torch. A new method is one line here and one file.

What the names stand for is in `methods`, `detect.baselines` and `game`. Tests keep both sides equal.
"""

from __future__ import annotations

from typing import Literal, NamedTuple


class GAN(NamedTuple):
    """The row of a method that trains a GAN."""

    file: str  # in `lookalike.methods`; it has a variable of the method's name, with _ for -
    conditional: bool = False  # whether G is conditional on the class


GANS: dict[str, GAN] = {
    "auto-gan": GAN("autogan", conditional=True),
    "anogan": GAN("mcgan"),
    "noisegan": GAN("vtgan"),
    "mcgan": GAN("mcgan"),
    "vtgan": GAN("vtgan"),
    "f-anogan": GAN("fanogan"),
    "cgan": GAN("acgan", conditional=True),
    "acgan": GAN("acgan", conditional=True),
    "acgan-v1": GAN("acgan", conditional=True),
    "acgan-v2": GAN("acgan", conditional=True),
    "acgan-v3": GAN("acgan", conditional=True),
    "ali": GAN("ali", conditional=True),
    "acgan-ali-v1": GAN("ali", conditional=True),
    "acgan-ali-v2": GAN("ali", conditional=True),
    "wgan-gp": GAN("splitting"),
    "wgan-gp-classes": GAN("splitting", conditional=True),
    "splitting": GAN("splitting", conditional=True),
    "sn-binary": GAN("kplus1"),
    "sn-acgan": GAN("kplus1", conditional=True),
    "k-plus-one": GAN("kplus1"),
    "mode": GAN("kplus1"),
    "sn-projection": GAN("kplus1", conditional=True),
    "k-plus-one-projection": GAN("kplus1", conditional=True),
    "mode-projection": GAN("kplus1", conditional=True),
    "r3gan": GAN("r3gan", conditional=True),
}
CONDITIONAL = tuple(name for name, row in GANS.items() if row.conditional)
ON_FEATURES = ("features-knn", "features-gaussian", "patches", "auto")  # of a frozen network
BASELINES = (
    *("pca", "knn", "ocsvm", "ocsvm-pca", "iforest", "iforest-pca", "lof", "mahalanobis"),
    *("autoencoder", "deepsvdd", "rotation"),
    *ON_FEATURES,
)
CROSSED = (  # they learn so quickly that the images that train also set the threshold
    *("pca", "knn", "iforest", "iforest-pca", "lof", "mahalanobis"),
    *ON_FEATURES,
)
CLASSIFIERS = ("cnn", "cnn-energy", "cnn-knn")  # for two or more known classes
BACKBONES = ("lite0", "lite1", "lite2")  # frozen networks that need no file of the user's
# `bench detect` measures these unless others are named.
USUAL = ("knn", "pca", "lof", "iforest-pca", "ocsvm-pca", "rotation", "cnn-knn", "patches", "auto")
# `bench augment` measures these ways of filling up classes unless others are named.
USUAL_WAYS = ("none", "oversample", "affine", "mixup", "auto-gan", "acgan")
METHODS = (*GANS, *BASELINES, *CLASSIFIERS)
NETS = ("anogan", "dcgan", "resnet", "pyramid", "r3gan", "mlp")
LOSSES = ("minimax", "saturating", "hinge", "wasserstein", "relativistic")
CONDITIONINGS = ("embedding", "batch-norm", "batch-norm-z", "one-hot", "none")
SCORES = ("search", "refined", "encoder", "realness", "features", "classes")
ClassifierName = Literal["cnn", "probe"]  # the classifier of `bench augment`
Aspect = Literal["squash", "crop", "pad"]  # how images of another aspect are brought to a size
