"""The axis "score": each score against its formula on frozen networks, stored and read, in any company."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.covariance import LedoitWolf

from lookalike.base.errors import ModelError, UsageError
from lookalike.base.names import SCORES as NAMES
from lookalike.detect.gan import KEPT, GANDetector
from lookalike.detect.search import Search
from lookalike.game.batch import Batch
from lookalike.game.gan import GAN
from lookalike.game.latents import Normal
from lookalike.game.needs import Need
from lookalike.game.nets.anogan import Anogan
from lookalike.game.score import SCORES, ClassEntropy, EncoderPass, Features, LatentSearch, Realness, RefinedSearch
from lookalike.methods import METHODS

SHAPE = (1, 8, 8)
SEARCH = Search(batch=32, steps=3)


def gan_of(name, score, classes=3, **changes):
    """A small GAN of a method with another score."""
    method = METHODS[name].but(net=Anogan(4), latent=Normal(8), score=score, **changes)
    return GAN(method, SHAPE, seed=3, classes=classes)


@pytest.fixture(scope="module")
def pixels():
    """Forty random images."""
    return np.random.default_rng(0).integers(0, 256, (40, *SHAPE), dtype=np.uint8)


def judged(gan, pixels, y=None):
    """What the frozen D says of the images."""
    x = torch.from_numpy(pixels).float() / 127.5 - 1
    with torch.no_grad():
        return gan.frozen(None if y is None else y)[1](
            Batch(x, None if y is None else torch.full((len(x),), y), None, None)
        )


def test_the_table_of_names_is_the_table_of_scores():
    """What `--score` accepts is what there is, and the methods' own scores are among them."""
    assert tuple(SCORES) == NAMES
    assert {method.score.name for method in METHODS.values()} == {"search", "encoder"}


def test_realness_is_minus_ds_answer(pixels):
    """The score is minus D's realness, and the part beside it D's realness itself."""
    gan = gan_of("anogan", Realness())
    found = GANDetector(gan, SEARCH).score(pixels)
    wanted = judged(gan, pixels).realness.numpy()
    assert found.score == pytest.approx(-wanted, rel=1e-5)
    assert found.parts["realness"] == pytest.approx(wanted, rel=1e-5) and found.nearest is None


def test_realness_of_a_conditional_d_is_of_the_class(pixels):
    """D of cgan is conditional on the class: the detector of class 2 asks for its realness as one of class 2."""
    gan = gan_of("cgan", Realness())
    found = GANDetector(gan, SEARCH, 2).score(pixels)
    assert found.score == pytest.approx(-judged(gan, pixels, 2).realness.numpy(), rel=1e-5)
    assert not np.allclose(found.score, -judged(gan, pixels, 1).realness.numpy())


def test_features_are_a_mahalanobis_distance_from_the_training_images(pixels):
    """The score is the Mahalanobis distance by the mean and the shrunk covariance of D's features of known images."""
    gan = gan_of("anogan", Features())
    known, others = pixels[:25], pixels[25:]
    found = GANDetector.fit(gan, SEARCH, None, known).score(others)
    features = judged(gan, known).features.double().numpy()
    fitted = LedoitWolf().fit(features)
    wanted = np.sqrt(fitted.mahalanobis(judged(gan, others).features.double().numpy()))
    assert found.score == pytest.approx(wanted, rel=1e-4)


def test_what_the_features_keep_is_stored_and_checked(pixels):
    """Mean and precision stand beside the weights; without them, or of another size, the model is refused."""
    gan = gan_of("anogan", Features())
    detector = GANDetector.fit(gan, SEARCH, None, pixels)
    tensors = detector.tensors()
    kept = {name: tensor for name, tensor in tensors.items() if name.startswith(KEPT)}
    assert set(kept) == {"score.mean", "score.precision"}
    again = GANDetector.restore(gan, SEARCH, None, kept)
    assert (again.score(pixels).score == detector.score(pixels).score).all()
    with pytest.raises(ModelError, match=r"score\.mean' is missing"):
        GANDetector.restore(gan, SEARCH, None, {})
    with pytest.raises(ModelError, match=r"score\.mean' has shape \(3,\)"):
        GANDetector.restore(gan, SEARCH, None, kept | {"score.mean": torch.zeros(3, dtype=torch.float64)})
    with pytest.raises(ModelError, match="is not part of the network"):
        GANDetector.restore(gan_of("anogan", Realness()), SEARCH, None, kept)


def test_class_entropy_by_hand(pixels):
    """Of k-plus-one the score is the entropy of D's class probabilities; of acgan -log of its own class's."""
    gan = gan_of("k-plus-one", ClassEntropy(), spectral=False)
    p = judged(gan, pixels).classes.softmax(1).double().numpy()
    found = GANDetector(gan, SEARCH).score(pixels)
    assert found.score == pytest.approx(-(p * np.log(p)).sum(1), rel=1e-4)
    assert found.classes == pytest.approx(p, rel=1e-4)
    gan = gan_of("acgan", ClassEntropy())
    p = judged(gan, pixels, 1).classes.softmax(1).numpy()
    assert GANDetector(gan, SEARCH, 1).score(pixels).score == pytest.approx(-np.log(p[:, 1]), rel=1e-4)


def test_alis_encoder_scores_in_one_pass(pixels):
    """ALI's own encoder gives z: the score compares the image with what G makes of it, of the class."""
    method = METHODS["ali"].but(net=Anogan(4), latent=Normal(8), score=EncoderPass(0.5))
    gan = GAN(method, SHAPE, seed=3, classes=3)
    found = GANDetector(gan, SEARCH, 1).score(pixels)
    x = torch.from_numpy(pixels).float() / 127.5 - 1
    y = torch.ones(len(x), dtype=torch.int64)
    z = gan.encode(x, y)
    near = gan.generate(z, y)
    D = gan.frozen(1)[1]
    with torch.no_grad():
        f, f_near = (D(Batch(images, y, z, None)).features for images in (x, near))
    wanted = (x - near).square().flatten(1).mean(1) + 0.5 * (f - f_near).square().mean(1)
    assert found.score == pytest.approx(wanted.numpy(), rel=1e-3)


@pytest.mark.parametrize("score", [Realness(), Features(), LatentSearch()], ids=lambda score: score.name)
def test_an_image_has_the_same_bits_in_any_company(score, pixels):
    """The score of an image depends neither on how many others there are nor on their order."""
    detector = GANDetector.fit(gan_of("anogan", score), SEARCH, None, pixels)
    together = detector.score(pixels).score
    assert (detector.score(pixels[::-1].copy()).score[::-1] == together).all()
    assert (detector.score(pixels[35:36]).score == together[35:36]).all()


@pytest.mark.parametrize(
    "score", [Realness(), Features(), LatentSearch(), EncoderPass(), RefinedSearch()], ids=lambda score: score.name
)
def test_few_images_have_the_bits_that_they_have_among_many(score):
    """With more slots than a block has images, an image alone and among 3 scores as among 300."""
    pixels = np.random.default_rng(1).integers(0, 256, (300, *SHAPE), dtype=np.uint8)
    name = "ali" if Need.ENCODER in score.needs else "anogan"
    detector = GANDetector.fit(gan_of(name, score), Search(batch=128, steps=3), 1 if name == "ali" else None, pixels)
    together = detector.score(pixels).score
    for rows in ([0], [299], [7, 100, 31]):
        assert (detector.score(pixels[rows]).score == together[rows]).all()


@pytest.mark.parametrize(
    ("name", "score", "sentence"),
    [
        ("anogan", EncoderPass(), r"there is no encoder; add Encoder\(\)"),
        ("anogan", RefinedSearch(), r"there is no encoder; add Encoder\(\)"),
        ("anogan", ClassEntropy(), "needs a head that classifies"),
        ("vtgan", EncoderPass(), r"there is no encoder; add Encoder\(\)"),
    ],
)
def test_a_score_that_the_method_cannot_give_is_refused(name, score, sentence):
    """A score without the part that it needs is refused when the method is built, in a sentence."""
    with pytest.raises(UsageError, match=sentence):
        METHODS[name].but(score=score)


def test_images_of_another_shape_are_refused():
    """A score of one pass says which shape the model takes, as the search does."""
    with pytest.raises(UsageError, match=r"takes images of shape \(1, 8, 8\), not \(1, 4, 4\)"):
        GANDetector(gan_of("anogan", Realness()), SEARCH).score(np.zeros((2, 1, 4, 4), np.uint8))
