"""What the page answers: the model's own verdicts, pictures encoded anew, and the images that `generate` makes."""

from __future__ import annotations

import io
import zipfile
from base64 import b64decode

import numpy as np
import pytest
from PIL import Image

from lookalike.base.errors import DataError
from lookalike.data.pictures import picture_of
from lookalike.faces.page.served import MOST, SIDE, words, zipped
from lookalike.use.generate import generators


def opened(url: str) -> Image.Image:
    """The picture of a data URL."""
    head, _, data = url.partition(",")
    assert head == "data:image/png;base64"
    return Image.open(io.BytesIO(b64decode(data)))


def test_verdicts_are_the_models_own(served, digits):
    """Each answer has the score, p-value and flag that `Model.judge` gives the file alone."""
    said = served[0].judge(digits, pictures=False)
    for answer, file in zip(said, digits, strict=True):
        alone = served[0].model.judge(file)
        assert answer["score"] == alone.score[0]
        assert answer["p_value"] == alone.p_value[0]
        assert answer["flagged"] == alone.flagged[0]
        assert answer["predicted"] == ("unknown" if alone.flagged[0] else "3")
        assert "pictures" not in answer


def test_judge_takes_a_picture_in_any_form(served, digits, tmp_path):
    """A file, its bytes, a PIL image and an array have the same score, at another size too."""
    path, model = tmp_path / "three.png", served[0].model
    path.write_bytes(digits[0])
    image = Image.open(path)
    forms = (str(path), path, digits[0], image, np.asarray(image), np.asarray(image)[..., None])
    assert {float(model.judge(form).score[0]) for form in forms} == {float(model.score(model.read(path)).score[0])}
    large = image.resize((64, 64), Image.Resampling.NEAREST)
    assert model.judge(large).score[0] == model.judge(np.asarray(large)).score[0]
    turned = Image.open(path)
    turned.getexif()[0x0112] = 3
    assert picture_of(turned).pixels.tolist() == np.asarray(image)[::-1, ::-1, None].tolist()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (b"", "the picture cannot be read: empty, 0 bytes"),
        (b"GIF8", "the picture cannot be read: damaged, or a kind"),
        ("nowhere.png", "nowhere.png: cannot be opened"),
        (np.zeros((4, 4)), "no picture: float64 (4, 4); accepted are a path, the bytes"),
        (np.zeros((4, 4, 2), np.uint8), "no picture: uint8 (4, 4, 2); accepted are"),
        (7, "no picture: int; accepted are"),
    ],
    ids=["empty", "damaged", "missing", "floats", "two channels", "number"],
)
def test_judge_refuses_what_is_no_picture(served, given, words):
    """Anything else is one line that says what is accepted."""
    with pytest.raises(DataError) as caught:
        served[0].model.judge(given)
    assert words in str(caught.value)


def test_a_bad_file_spoils_no_other(served, digits):
    """A file that cannot be read is answered with why, and the files beside it with their verdicts."""
    first, bad, last = served[0].judge([digits[0], b"no image", digits[1]], pictures=False)
    assert isinstance(bad, DataError)
    assert str(bad).startswith("the picture cannot be read: ")
    assert [first, last] == served[0].judge(digits[:2], pictures=False)
    assert all(isinstance(one, DataError) for one in served[0].judge([b"", b"x"], pictures=False))


def test_pictures(served, digits):
    """The answer shows the image, the map over it and the nearest known image; a large one is at most 640 pixels."""
    (answer,) = served[0].judge(digits[:1], pictures=True)
    assert set(answer["pictures"]) == {"image", "heat_map", "nearest"}
    assert np.array_equal(opened(answer["pictures"]["image"]), Image.open(io.BytesIO(digits[0])))
    assert opened(answer["pictures"]["heat_map"]).size == (8, 8)
    nearest = served[0].model.judge(digits[0]).nearest
    assert np.array_equal(opened(answer["pictures"]["nearest"]), nearest[0, 0])
    out = io.BytesIO()
    Image.open(io.BytesIO(digits[0])).resize((1000, 500)).save(out, "jpeg", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0")
    (large,) = served[0].judge([out.getvalue()], pictures=True)
    picture = opened(large["pictures"]["image"])
    assert picture.size == (SIDE, SIDE // 2)
    assert not picture.getexif()


def test_words():
    """The verdict as a sentence, of one known class and of several."""
    one = {"p_value": 0.4, "flagged": False, "predicted": "good", "confidence": None}
    assert words(one, ["good"]) == "Looks like good. 40 % of known images score as high."
    flagged = one | {"p_value": 0.01, "flagged": True}
    assert words(flagged, ["good"]) == "Flagged: unlike good. Only 1 % of known images score as high."
    assert words(flagged, ["a", "b"]).startswith("Flagged: unlike every known class. ")
    assert words(one | {"confidence": 0.9}, ["good", "b"]) == "Looks like good, at 90 % among the known classes."


def test_made_images_are_those_of_generate(served):
    """Image i of a class and a seed has the bits of `generate`, and the zip holds all with their list."""
    both = served[1]
    made = both.make("8", seed=5, n=3)
    wanted = np.concatenate(list(generators(both.model)["8"].images(3, seed=5)))
    assert [np.asarray(Image.open(io.BytesIO(one))).tolist() for one in made] == wanted[:, 0].tolist()
    with zipfile.ZipFile(io.BytesIO(zipped("8", 5, made))) as archive:
        assert archive.namelist() == ["000000.png", "000001.png", "000002.png", "generated.csv"]
        assert archive.read("000001.png") == made[1]
        assert archive.read("generated.csv").decode().splitlines()[2] == "000001.png,5,1"


@pytest.mark.parametrize(
    ("name", "n", "said"),
    [
        ("8", MOST + 1, "65 images are asked for"),
        ("8", 0, "0 images"),
        ("9", 1, "makes no images of class 9; it makes 3, 8"),
    ],
)
def test_made_images_that_are_refused(served, name, n, said):
    """A class that the GAN does not make, no images and too many are each one line."""
    with pytest.raises(DataError, match=said):
        served[1].make(name, seed=0, n=n)


def test_facts(served):
    """The page knows what each model can do: without a threshold it does not judge, without a GAN it makes none."""
    three, both = (one.facts for one in served)
    assert (three["judges"], three["makes"], both["judges"], both["makes"]) == (True, [], False, ["3", "8"])
    assert three["least"] == 1 / (len(served[0].model.threshold.calibration) + 1)
    assert both["least"] is None
    with pytest.raises(DataError, match="three makes no images of class 4; it makes no images"):
        served[0].make("4", seed=0, n=1)
