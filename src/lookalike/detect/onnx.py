"""A model's generator, encoder or score as an ONNX file, which other programs run without torch (extra `onnx`)."""

from __future__ import annotations

import copy
import logging
import warnings
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal

import torch
from torch import Tensor, nn

from lookalike.base.errors import UsageError, install
from lookalike.detect.baselines.autoencoder import Autoencoder
from lookalike.detect.baselines.classifier import Classifier, neighbours
from lookalike.detect.baselines.deepsvdd import DeepSVDD
from lookalike.detect.gan import GANDetector
from lookalike.detect.model import Model
from lookalike.detect.openset import OpenSet
from lookalike.game.gan import GAN

Part = Literal["generator", "encoder", "score"]
NEEDED = ("onnx", "onnxscript")  # what torch's export asks for
SCORES = "autoencoder, deepsvdd, cnn and cnn-energy"  # the detectors whose score is a network
MOST = 1 << 20  # images in a batch


@dataclass(frozen=True)
class Network:
    """A network with examples of its inputs, (2, ...) each; the batch may have any size.

    Images that come in are uint8 (N, C, H, W), as `Model.score` takes them. Images that go out are float32 in [-1, 1].
    """

    part: Part
    net: nn.Module
    inputs: dict[str, Tensor]
    outputs: tuple[str, ...]


def network(model: Model, part: Part | None = None) -> Network:
    """The part of a model; without a name, its generator, or the score of a model that has none.

    Raises
    ------
    UsageError
        For a part that the model does not have, or that is no network.
    """
    gan = _gan(model)
    part = part or ("score" if gan is None else "generator")
    if part == "score":
        return _score(model, gan)
    if gan is None:
        raise UsageError(f"the model is {model.method['name']}, which has no {part}; take --part score")
    return _generator(gan) if part == "generator" else _encoder(gan)


def as_onnx(of: Network) -> bytes:
    """The network as an ONNX file.

    Raises
    ------
    UsageError
        Where the packages of the extra `onnx` are missing.
    """
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        raise UsageError(f"the export needs {' and '.join(missing)}; {install('onnx')}")
    batch = torch.export.Dim("batch", min=1, max=MOST)
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)  # it tells of packages that are not needed
    try:
        with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch's own code
            # strict: the size of a batch, such as len(z), stays open
            seen = torch.export.export(
                of.net, tuple(of.inputs.values()), dynamic_shapes=tuple({0: batch} for _ in of.inputs), strict=True
            )
            made = torch.onnx.export(
                seen, dynamo=True, verbose=False, input_names=[*of.inputs], output_names=[*of.outputs]
            )
    finally:
        logger.setLevel(level)
    assert made is not None, "without a file name the export is given back"
    file: bytes = made.model_proto.SerializeToString()
    return file


def _gan(model: Model) -> GAN | None:
    """The GAN of a model, None where it has none. Raises UsageError for one GAN per class."""
    detector = model.detector
    members = [*detector.members.values()] if isinstance(detector, OpenSet) else [detector]
    gans = list({id(one.gan): one.gan for one in members if isinstance(one, GANDetector)}.values())
    if len(gans) > 1:
        raise UsageError(
            f"the model has {len(gans)} GANs, one for each class, and a file holds one network; train a conditional "
            "method such as auto-gan"
        )
    return gans[0] if gans else None


def _classes(gan: GAN) -> dict[str, Tensor]:
    """The input of the class, where G and E have one."""
    return {"y": torch.tensor([0, gan.classes - 1])} if gan.conditional else {}


def _generator(gan: GAN) -> Network:
    """From z (N, Z), and the class y (N,) where G is conditional, to images."""
    net = gan.conditional_generator() if gan.conditional else gan.frozen()[0]
    return Network("generator", net.cpu(), {"z": torch.zeros(2, gan.method.latent.z_dim)} | _classes(gan), ("images",))


def _encoder(gan: GAN) -> Network:
    """From images, and the class where E is conditional, to z: the mean of the posterior."""
    found = next((one.E for one in (gan, *gan.twins.values()) if one.E is not None), None)
    if found is None:
        raise UsageError(f"{gan.method.name} has no encoder; take --part generator, or train ali or f-anogan")
    net = _Encoder(copy.deepcopy(found).cpu().eval(), conditional=gan.conditional).requires_grad_(False)
    return Network("encoder", net, {"images": _pixels(gan.shape)} | _classes(gan), ("z",))


def _score(model: Model, gan: GAN | None) -> Network:
    """From images to scores, and to the probabilities of classes where the detector gives them."""
    detector, pixels = model.detector, {"images": _pixels(model.shape)}
    if isinstance(detector, Autoencoder):
        return Network("score", _Scored(detector, [detector.net]), pixels, ("score",))
    if isinstance(detector, DeepSVDD):
        return Network("score", _Scored(detector, [detector.contrast, detector.net]), pixels, ("score",))
    if isinstance(detector, Classifier) and detector.reading is not neighbours:
        return Network("score", _Classified(detector), pixels, ("score", "classes"))
    name, also = model.method["name"], "" if gan is None else "; its generator can be exported (--part generator)"
    raise UsageError(
        f"the score of {name} is a computation around networks, which stays in torch; those of {SCORES} are "
        f"networks{also}"
    )


def _pixels(shape: tuple[int, ...]) -> Tensor:
    """Two images as they come in: uint8, or vectors float32."""
    return torch.zeros(2, *shape, dtype=torch.uint8 if len(shape) == 3 else torch.float32)


def _scaled(images: Tensor) -> Tensor:
    """As `lookalike.data.scaled`, of a tensor."""
    return images if images.dtype == torch.float32 else images.float() / 127.5 - 1


class _Encoder(nn.Module):
    def __init__(self, net: nn.Module, *, conditional: bool) -> None:
        super().__init__()
        self.net, self.conditional = net, conditional

    def forward(self, images: Tensor, y: Tensor | None = None) -> Tensor:
        """(N, C, H, W), (N,) -> (N, Z)."""
        mean: Tensor = self.net(_scaled(images), y)[0]
        return mean


class _Scored(nn.Module):
    """A detector's `scored`; `nets` are its networks, named so that the export finds their weights."""

    def __init__(self, detector: Autoencoder | DeepSVDD, nets: list[nn.Module]) -> None:
        super().__init__()
        self.nets, self.scored = nn.ModuleList(nets), detector.scored

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) -> (N,) float64."""
        return self.scored(_scaled(images))


class _Classified(nn.Module):
    def __init__(self, detector: Classifier) -> None:
        super().__init__()
        self.net, self.judged = detector.net, detector.judged

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """(N, C, H, W) -> (N,) and (N, K) float64."""
        found = self.judged(_scaled(images))
        return found[:, 0], found[:, 1:]
