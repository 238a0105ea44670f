"""How a model reads images that are not its own: as its training did, and what is said where that loses something."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from PIL import Image

import lookalike
from lookalike.base.errors import DataError, UsageError
from lookalike.faces.cli import main


def made(root, *, classes=("a", "b"), n=40, scale=8, dtype=np.uint16, side=8):
    """Class folders of noisy stripes, 16-bit PNGs by default."""
    random = np.random.default_rng(0)
    for name in classes:
        (root / name).mkdir(parents=True)
        for i in range(n):
            pixels = 60 + 100 * (np.mgrid[:side, :side][1] // 2 % 2) + random.integers(0, 30, (side, side))
            Image.fromarray((pixels * scale).astype(dtype)).save(root / name / f"{i:03d}.png")
    return root


BITS = "ignore:of the images, .* have (16 bits|transparency)"  # said of images that are such


def knn(data, out, **more):
    """A quick model of class a."""
    return lookalike.fit(data, known="a", method="knn", out=out, threads=1, false_alarms=0.2, **more)


@pytest.mark.filterwarnings(BITS)
@pytest.mark.parametrize("given", [(0, 2040), (0, 1519), (100, 4095)])
def test_a_model_reads_as_its_training_did(given, tmp_path):
    """`model.read` has the scores of the command; images read at another value range are refused with it."""
    data = made(tmp_path / "d")
    model = knn(data, tmp_path / "run", value_range=given)
    said = model.score(model.read(data))
    assert main(["score", str(tmp_path / "run"), str(data), "-o", str(tmp_path / "s.jsonl")]) == 0
    lines = [json.loads(line) for line in (tmp_path / "s.jsonl").read_text().splitlines()]
    assert [line["score"] for line in lines] == said.score.tolist()
    assert said.flagged.mean() < 0.5
    for other in (None, (0, 4096)):
        images = lookalike.read(data, size=model.size, value_range=other)
        for forgotten in (model.score, lambda images: lookalike.evaluate(tmp_path / "run", images)):
            with pytest.raises(DataError, match=r"read with value_range=.*; read them with model.read\(\.\.\.\)"):
                forgotten(images)
    images = lookalike.read(data, size=model.size, value_range=list(given))
    assert model.score(images).score.tolist() == said.score.tolist()


@pytest.mark.filterwarnings(BITS)
def test_a_model_of_images_in_memory_keeps_their_value_range(tmp_path):
    """What `read` was given stands in the model of its images; settings that they cannot take any more are refused."""
    data = made(tmp_path / "d")
    images = lookalike.read(data, value_range=(0, 2040))
    model = knn(images, tmp_path / "run")
    assert model.value_range == (0, 2040)
    assert np.array_equal(model.score(model.read(data)).score, model.score(images).score)
    with pytest.raises(UsageError, match=r"--value-range 0,9: .*read them with value_range=\(0,9\)"):
        knn(images, tmp_path / "other", value_range=(0, 9))
    colour = dataclasses.replace(images, pixels=images.pixels.repeat(3, 1))
    with pytest.raises(UsageError, match=r"--grey: .* read them with channels=1"):
        knn(colour, tmp_path / "other", grey=True)
    assert knn(images, tmp_path / "run", value_range=(0, 2040)).value_range == (0, 2040)


@pytest.mark.parametrize("how", [{"aspect": "squash"}, {}])
def test_images_of_another_aspect_are_refused(how, tmp_path):
    """A model of cropped images does not score squashed ones; `model.read` crops."""
    data = made(tmp_path / "d", scale=1, dtype=np.uint8)
    model = knn(data, tmp_path / "run", aspect="crop", size="8,4")
    with pytest.raises(DataError, match=r"aspect squash, .* crop; read them with model.read"):
        model.score(lookalike.read(data, size=(8, 4), **how))
    assert model.score(model.read(data)).flagged.mean() < 0.5


@pytest.mark.parametrize("shape", [(3, 8, 8), (1, 4, 8), (3, 4, 8)])
def test_advice_on_another_shape_is_to_read_as_the_model(shape, tmp_path):
    """Wrong colours and sizes have one cure, and it works."""
    data = made(tmp_path / "d", scale=1, dtype=np.uint8)
    model = knn(data, tmp_path / "run")
    with pytest.raises(DataError, match=r"read them with model.read\(\.\.\.\)"):
        model.score(lookalike.read(data, size=shape[1:], channels=shape[0]))
    assert len(model.score(model.read(data, classes="b")).score) == 40


RED = {
    "RGB PNG": ("RGB", "png"), "palette": ("P", "png"), "JPEG": ("RGB", "jpg"), "CMYK JPEG": ("CMYK", "jpg"),
    "RGBA": ("RGBA", "png"), "WebP": ("RGB", "webp"),
}  # fmt: skip


@pytest.mark.filterwarnings(BITS)
@pytest.mark.parametrize("case", [*RED, "array"])
def test_colours_that_a_grey_model_cannot_see_are_said(case, tmp_path, capsys):
    """score, evaluate and `model.read` count the images whose colours are lost; grey ones stored in colour are none."""
    data = made(tmp_path / "d", scale=1, dtype=np.uint8)
    knn(data, tmp_path / "run")
    red = np.array(Image.open(data / "a" / "000.png").convert("RGB"))
    red[2:6, 2:6] = (220, 40, 40)
    (tmp_path / "q" / "new").mkdir(parents=True)
    if case == "array":
        np.savez(tmp_path / "q.npz", images=[red] * 3 + [red[..., 1:2].repeat(3, 2)], labels=["new"] * 4)
        asked = tmp_path / "q.npz"
    else:
        mode, suffix = RED[case]
        for i in range(3):
            Image.fromarray(red).convert(mode).save(tmp_path / "q" / "new" / f"{i}.{suffix}")
        Image.open(data / "a" / "001.png").convert("RGB").save(tmp_path / "q" / "new" / "grey.png")
        asked = tmp_path / "q"
    line = "of the images, 3 have colour and become grey, as the model has learnt grey images alone"
    for argv in (["score", tmp_path / "run", asked, "-o", tmp_path / "s.csv"], ["evaluate", tmp_path / "run", asked]):
        capsys.readouterr()
        assert main(list(map(str, argv))) == 0
        assert f"warning: {line}\n" in capsys.readouterr().err
    with pytest.warns(UserWarning, match=line):
        lookalike.Model.load(tmp_path / "run").read(asked)


def test_a_model_that_was_to_be_grey_is_silent(tmp_path, capsys):
    """With --grey the user has chosen; nothing is said of colours, in training or after."""
    data = made(tmp_path / "d", scale=1, dtype=np.uint8)
    for path in data.rglob("*.png"):
        grey = np.asarray(Image.open(path))
        Image.fromarray(np.stack([grey, grey // 2, grey], -1)).save(path)
    run = ["train", str(data), "--known", "a", "--method", "knn", "--grey", "--false-alarms", ".2", "-o"]
    assert main([*run, str(tmp_path / "run"), "--threads", "1"]) == 0
    assert main(["score", str(tmp_path / "run"), str(data), "-o", str(tmp_path / "s.csv")]) == 0
    assert "colour" not in capsys.readouterr().err
    model = knn(lookalike.read(data, channels=1), tmp_path / "memory")
    model.read(data)  # warnings are errors here


@pytest.mark.parametrize("sizes", [[(48, 16), (16, 48), (32, 32)], [(64, 16), (16, 64)], [(40, 8), (16, 16)]])
def test_images_whose_aspect_changes_much_are_said(sizes, tmp_path, capsys):
    """check (with a size), train and score count images that are squashed more than twice; cropped ones are none."""
    for k, name in enumerate("ab"):
        (tmp_path / "d" / name).mkdir(parents=True)
        for i in range(30):
            pixels = np.random.default_rng([k, i]).integers(0, 255, sizes[i % len(sizes)]).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "d" / name / f"{i}.png")
    at = (32, 8)
    n = 2 * sum(
        max(h * at[1], w * at[0]) > 2 * min(h * at[1], w * at[0]) for h, w in (sizes[i % len(sizes)] for i in range(30))
    )
    assert n
    line = "change their aspect more than 2 times at this size; 'train --aspect crop' or pad keeps it"
    data, size = str(tmp_path / "d"), ["--size", "32,8"]
    assert main(["check", data, *size]) == 0
    assert f"{n} {line}" in capsys.readouterr().out
    run = ["train", data, "--known", "a", "--method", "knn", "--threads", "1", "--false-alarms", ".2", *size, "-o"]
    assert main([*run, str(tmp_path / "run")]) == 0
    assert f"warning: of the images, {n // 2} {line}" in capsys.readouterr().err
    assert main(["score", str(tmp_path / "run"), data, "-o", str(tmp_path / "s.csv")]) == 0
    assert f"warning: of the images, {n} {line}" in capsys.readouterr().err
    assert main([*run, str(tmp_path / "cropped"), "--aspect", "crop"]) == 0
    assert "change their aspect" not in capsys.readouterr().err


@pytest.mark.filterwarnings(BITS)
@pytest.mark.parametrize("scale", [1, 2])
def test_queries_on_another_scale_are_said(scale, tmp_path, capsys):
    """16-bit images that fill little of the training's range warn, without a flag that score does not have."""
    data = made(tmp_path / "d")
    knn(data, tmp_path / "run", value_range=(0, 2047))
    capsys.readouterr()
    asked = made(tmp_path / "q", scale=scale, n=3)
    assert main(["score", str(tmp_path / "run"), str(asked), "-o", str(tmp_path / "s.csv")]) == 0
    (line,) = capsys.readouterr().err.strip().splitlines()[-1:]
    assert "of 256 grey levels; the training read values from 0 to 2047: give images on that scale" in line
    assert "--value-range" not in line


@pytest.mark.filterwarnings(BITS)
@pytest.mark.parametrize("more", [1.01, 2, 20])
def test_values_outside_the_trainings_range_say_who_takes_one(more, tmp_path, capsys):
    """score has no --value-range: the line says that it takes that of train, and how to go on without the image."""
    data = made(tmp_path / "d")
    knn(data, tmp_path / "run", value_range=(0, 2040))
    (tmp_path / "q").mkdir()
    Image.fromarray(np.full((8, 8), int(2040 * more), np.uint16)).save(tmp_path / "q" / "hot.png")
    capsys.readouterr()
    assert main(["score", str(tmp_path / "run"), str(tmp_path / "q"), "-o", str(tmp_path / "s.csv")]) == 3
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert "where 0 to 2040 is expected" in line and "hot.png" in line
    assert "(score and evaluate take that of train)" in line and "--on-bad skip" in line
    assert not (tmp_path / "s.csv").exists()
