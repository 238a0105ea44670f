"""Generated images: each has its own seed, company changes nothing, and what is written can be read as data."""

from __future__ import annotations

import csv
import json
import threading
from collections import Counter

import numpy as np
import pytest
import torch
from clean_failure import assert_clean_failure, tree
from PIL import Image
from tiny import call, settings

from lookalike.base import files
from lookalike.base.errors import DataError, OutputError, UsageError
from lookalike.base.seeds import generator
from lookalike.data import read
from lookalike.data.part import Part
from lookalike.detect.model import Model
from lookalike.runs import run as runs
from lookalike.runs.samples import grid
from lookalike.runs.settings import train_settings
from lookalike.use import generate
from lookalike.use.generate import BLOCK, generators, write


def trained(out, method="acgan", **changes):
    """A run of digits 8 and 3, in this order; steps are so large that its images are not grey."""
    values = settings(method, extra_fakes=(), known=("8", "3"), batch=32, lr=0.02, ema=0.0) | changes
    return runs.run("digits", train_settings(**values), out)


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """The folder and the model of one GAN of both digits."""
    out = tmp_path_factory.mktemp("run") / "acgan"
    return out, trained(out)


def test_an_image_is_gs_of_its_own_z(both):
    """Image i of "3" is G's of class 1 for the z drawn from (seed, "generate", "3", i), as uint8."""
    _, model = both
    one = generators(model)["3"]
    (made,) = one.images(5, seed=7)
    z = torch.cat([one.gan.method.latent.draw(1, generator(7, "generate", "3", i)) for i in range(5)])
    wanted = ((one.gan.generate(z, torch.full((5,), 1)) + 1) * 127.5).round().clamp(0, 255).byte().numpy()
    assert made.dtype == np.uint8 and np.abs(made.astype(int) - wanted).max() <= 1  # folded norms round elsewhere
    assert len({image.tobytes() for image in made}) == 5


def test_more_images_begin_with_the_same_ones(both):
    """However many are asked for, across blocks too, image i keeps its bits; another seed or class has others."""
    _, model = both
    one = generators(model)["8"]
    few, many = (np.concatenate(list(one.images(n, seed=1))) for n in (3, BLOCK + 3))
    assert len(many) == BLOCK + 3 and np.array_equal(few, many[:3])
    tail = np.concatenate(list(one.images(BLOCK + 2, seed=1)))
    assert np.array_equal(tail, many[: BLOCK + 2])
    assert not np.array_equal(few, next(one.images(3, seed=2)))
    assert not np.array_equal(few, next(generators(model)["3"].images(3, seed=1)))


@pytest.mark.parametrize("latent", ["normal", "uniform"])
def test_truncation_keeps_z_within(latent, both, tmp_path):
    """No entry of z lies beyond the truncation, and without one some do."""
    model = both[1] if latent == "normal" else trained(tmp_path / "run", latent=latent)
    one = generators(model)["3"]
    free, cut = (torch.cat([one.z(i, 0, t) for i in range(200)]).abs().max() for t in (None, 0.5))
    assert cut <= 0.5 < free


def test_a_folder_of_pngs_is_data_with_a_list(both, tmp_path):
    """A folder per class; the pixels are the generator's, and generated.csv says what each was made from."""
    _, model = both
    write(model, tmp_path / "out", {"3": 4, "8": 2}, seed=5)
    images = read(tmp_path / "out")
    assert images.classes == ("3", "8") and np.bincount(images.labels).tolist() == [4, 2]
    assert np.array_equal(images.of("3").pixels, next(generators(model)["3"].images(4, seed=5)))
    with (tmp_path / "out" / "generated.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert rows[0] == {"file": "3/000000.png", "class": "3", "seed": "5", "number": "0", "truncation": ""}
    assert len(rows) == 6
    assert all((tmp_path / "out" / row["file"]).is_file() for row in rows)


def test_the_list_holds_names_with_commas_and_quotes(tmp_path):
    """generated.csv is read back by csv as it was meant, whatever the class is called."""
    name = 'red "dry", é'
    one = generate.Generator(name, None, None)
    block = generate.Block(name, one, 0, np.zeros((2, 1, 4, 4), np.uint8))
    generate._folder(tmp_path / "out", {name: one}, (), 5, 0.5, iter([block]))
    with (tmp_path / "out" / "generated.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[1:] == [[f"{name}/00000{i}.png", name, "5", str(i), "0.5"] for i in range(2)]


def test_an_npz_file_is_data(both, tmp_path):
    """Images, labels and class names as `lookalike` reads them, in the order of the classes asked for."""
    _, model = both
    write(model, tmp_path / "made.npz", {"8": 3, "3": 2}, seed=5)
    images = read(tmp_path / "made.npz")
    assert images.classes == ("8", "3") and images.labels.tolist() == [0, 0, 0, 1, 1]
    assert np.array_equal(images.of("8").pixels, next(generators(model)["8"].images(3, seed=5)))
    with np.load(tmp_path / "made.npz") as kept:
        assert kept["number"].tolist() == [0, 1, 2, 0, 1] and (kept["seed"], kept["truncation"]) == (5, np.inf)


def blocks_of(end=None):
    """Four blocks of two images in the class a; then the error `end`, if any."""
    one = generate.Generator("a", None, None)
    for start in range(0, 8, 2):
        yield generate.Block("a", one, start, np.full((2, 1, 4, 4), start, np.uint8))
    if end:
        raise end


def write_blocks(out, blocks):
    """Write the blocks of the class a."""
    generate._folder(out, {"a": generate.Generator("a", None, None)}, (), 0, None, blocks)


def test_one_block_is_written_while_the_next_is_made(tmp_path, monkeypatch):
    """The first image waits until the second block is asked for, and all are written and listed in their order."""
    asked, wrote = threading.Event(), files.write_new

    def blocks():
        for i, block in enumerate(blocks_of()):
            if i:
                asked.set()
            yield block

    def write_new(path, data):
        assert asked.wait(20), "nothing was made while the first image was written"
        wrote(path, data)

    monkeypatch.setattr(files, "write_new", write_new)
    write_blocks(tmp_path / "out", blocks())
    rows = (tmp_path / "out" / "generated.csv").read_text().splitlines()[1:]
    assert [row.split(",")[0] for row in rows] == [f"a/{i:06d}.png" for i in range(8)]
    assert read(tmp_path / "out").pixels[:, 0, 0, 0].tolist() == [0, 0, 2, 2, 4, 4, 6, 6]


def test_an_error_of_the_writer_ends_the_making(tmp_path, monkeypatch):
    """It is raised as it was, before all blocks are made; nothing is left behind."""
    made = []

    def write_new(path, data):
        raise OutputError("no space")

    monkeypatch.setattr(files, "write_new", write_new)
    with pytest.raises(OutputError, match=r"^no space$"):
        write_blocks(tmp_path / "out", (made.append(i) or block for i, block in enumerate(blocks_of())))
    assert len(made) <= generate.WAITING + 1 and not list(tmp_path.iterdir())


@pytest.mark.parametrize("end", [KeyboardInterrupt(), DataError("a")], ids=lambda end: type(end).__name__)
def test_an_end_of_the_making_leaves_nothing(tmp_path, end):
    """Ctrl-C or an error while an image is made: what had been written is removed."""
    with pytest.raises(type(end)):
        write_blocks(tmp_path / "out", blocks_of(end=end))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("of", [1, 2, 3])
def test_parts_together_are_one_process(of, both, tmp_path, capsys):
    """Their lists, one after the other, have the rows of one process, and their images the same bytes."""
    n = BLOCK + 5
    write(both[1], tmp_path / "whole", {"8": n, "3": 7}, seed=5)
    rows, images, made = [], {}, Counter()
    for i in range(1, of + 1):
        made += Counter(write(both[1], tmp_path / f"{i}", {"8": n, "3": 7}, seed=5, part=Part(i, of)))
        lines = (tmp_path / f"{i}" / "generated.csv").read_text().splitlines()
        rows += lines[1:]
        images |= {path: data for path, data in tree(tmp_path / f"{i}").items() if path != "generated.csv"}
        assert len(lines) == 1 + len(list((tmp_path / f"{i}").rglob("*.png")))
    assert made == {"8": n, "3": 7}
    assert rows == (tmp_path / "whole" / "generated.csv").read_text().splitlines()[1:]
    images["generated.csv"] = (tmp_path / "whole" / "generated.csv").read_bytes()
    assert images == tree(tmp_path / "whole")


def test_a_part_says_what_it_has(both, tmp_path, capsys):
    """The second of three parts of four images of two classes ends the first class and begins the second."""
    argv = ["generate", both[0], "-o", tmp_path / "2", "-n", 4, "--part", "2/3"]
    assert call(capsys, *argv)[:2] == (0, f"{tmp_path / '2'}: 1 to 2 images of 8, 3\n")
    assert sorted(tree(tmp_path / "2")) == ["3/000000.png", "8/000002.png", "8/000003.png", "generated.csv"]


def test_parts_of_an_npz_file(both, tmp_path):
    """Images, numbers and names of classes of three parts are those of one file."""
    counts, keys = {"8": 4, "3": 3}, ("images", "number")
    write(both[1], tmp_path / "whole.npz", counts, seed=5)
    parts = [tmp_path / f"{i}.npz" for i in (1, 2, 3)]
    for i, path in enumerate(parts, 1):
        write(both[1], path, counts, seed=5, part=Part(i, 3))
    with np.load(tmp_path / "whole.npz") as whole:
        loaded = [dict(np.load(path)) for path in parts]
        assert all(np.array_equal(np.concatenate([one[key] for one in loaded]), whole[key]) for key in keys)
        names = np.concatenate([one["classes"][one["labels"]] for one in loaded])
        assert names.tolist() == whole["classes"][whole["labels"]].tolist()


def test_a_gan_per_class_makes_its_own(tmp_path):
    """Of mcgan's two GANs each makes the images of its class."""
    model = trained(tmp_path / "run", "mcgan")
    able = generators(model)
    assert able["8"].gan is model.detector.members["8"].gan is not able["3"].gan
    write(model, tmp_path / "out", {"8": 2, "3": 2})
    assert read(tmp_path / "out").classes == ("3", "8")
    with pytest.raises(UsageError, match=r"^only a conditional GAN of image classes"):
        generate.between(model, "8", "3")


def test_a_gan_of_a_single_class(tmp_path):
    """One known class, as the input of G or not, makes images under its name."""
    for method in ("anogan", "cgan"):
        model = trained(tmp_path / method, method, known=("3",))
        assert list(generators(model)) == ["3"]
        assert next(generators(model)["3"].images(2, seed=0)).shape == (2, 1, 8, 8)


def test_the_way_between_two_classes_begins_and_ends_at_each(both, tmp_path):
    """The first column shows the first class's images, the last the second's; half way lies neither."""
    _, model = both
    (tmp_path / "way.png").write_bytes(generate.between(model, "8", "3", seed=2, steps=3, rows=2))
    shown = np.asarray(Image.open(tmp_path / "way.png"))
    able, z = generators(model), torch.cat([generators(model)["8"].z(i, 2) for i in range(2)])
    first, last = (able[name].gan.frozen(able[name].label)[0](z) for name in ("8", "3"))
    for column, images in ((0, first), (2, last)):
        expected = grid(images, 1)[..., 0]
        assert np.abs(shown[:, 9 * column : 9 * column + 9].astype(int) - expected).max() <= 1
    assert shown.shape == (18, 27)


def test_the_picture_has_a_row_for_each_class(both, tmp_path):
    """Eight images of each known class, the first that write makes."""
    _, model = both
    (tmp_path / "grid.png").write_bytes(generate.picture(model, seed=3))
    shown, made = np.asarray(Image.open(tmp_path / "grid.png")), next(generators(model)["3"].images(8, seed=3))
    assert shown.shape == (18, 72)
    assert np.abs(shown[9:17, 9:17].astype(int) - made[1, 0]).max() <= 1


def test_the_command(both, tmp_path, capsys):
    """It writes what the library writes, and says where; --json says the same for programs."""
    run, model = both
    code, said, err = call(capsys, "generate", run, "--class", "3,8", "-n", "3", "--seed", 4, "-o", tmp_path / "out")
    assert (code, said) == (0, f"{tmp_path / 'out'}: 3 images of 3, 8\n"), err
    assert np.array_equal(read(tmp_path / "out").of("8").pixels, next(generators(model)["8"].images(3, seed=4)))
    argv = ["generate", run, "-n", 2, "-o", tmp_path / "o.npz", "--grid", tmp_path / "g.png", "--between", "3", "8"]
    code, said, _ = call(capsys, *argv, "--json")
    assert json.loads(said) == {
        "out": str(tmp_path / "o.npz"), "images": {"8": 2, "3": 2}, "grid": str(tmp_path / "g.png"),
    }  # fmt: skip
    assert (tmp_path / "g.png").read_bytes() == generate.between(model, "3", "8")
    argv[4:6] = ["-o", tmp_path / "p.npz", "--truncation", "0.3"]
    assert call(capsys, *argv)[0] == 0
    assert (tmp_path / "g.png").read_bytes() == generate.between(model, "3", "8", truncation=0.3)


BAD = {
    "class": (["--class", "4"], 3, "no class '4'; there are '8', '3'"),
    "number": (["-n", "0"], 2, '"0" for -n'),
    "truncation": (["--truncation", "0"], 2, "--truncation"),
    "part 0": (["--part", "0/3"], 2, "--part is 0/3; give I/N"),
    "part beyond": (["--part", "4/3"], 2, "--part is 4/3; give I/N"),
    "no part": (["--part", "x"], 2, "--part is x; give I/N"),
    "empty parts": (["-n", "1", "--part", "1/3"], 3, "there are 2 images for 3 parts; give at most 2 parts (--part)"),
    "between without a place": (["--between", "3", "8"], 2, "name one (--grid)"),
    "grid nowhere": (["--grid", "OUT-none/g.png"], 2, "its folder does not exist"),
    "between nothing": (["--between", "3", "4", "--grid", "OUT.png"], 3, "has no class 4"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_and_leaves_nothing(case, both, tmp_path, capsys):
    """What cannot be made is refused in one line, and no file or folder appears."""
    flags, code, words = BAD[case]
    flags = [str(tmp_path / flag) if flag.startswith("OUT") else flag for flag in flags]
    assert_clean_failure(
        capsys, ["generate", str(both[0]), "-o", str(tmp_path / "out"), *flags], code, words, kept=tmp_path
    )


def test_what_makes_no_images_is_refused(both, tmp_path, capsys):
    """A baseline has no G; a folder that holds something stays as it is; vectors cannot be written as PNG."""
    model = trained(tmp_path / "knn", "knn")
    with pytest.raises(UsageError, match=r"^the model is knn, which generates no images; train with --method auto-gan"):
        write(model, tmp_path / "out", {"3": 1})
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("x")
    with pytest.raises(UsageError, match="not empty"):
        write(both[1], tmp_path / "full", {"3": 1})
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["mine"]
    with pytest.raises(DataError, match=r"^the model has no class 5; it has 8, 3"):
        write(both[1], tmp_path / "out", {"5": 1})
    rows = np.random.default_rng(0).standard_normal((60, 5)).astype(np.float32).clip(-1, 1)
    np.savez(tmp_path / "v.npz", images=rows, labels=np.repeat(["8", "3"], 30))
    values = settings("acgan", extra_fakes=(), known=("8", "3"), batch=32, false_alarms=0.4)
    vectors = runs.run(str(tmp_path / "v.npz"), train_settings(**{**values, "size": None}), tmp_path / "v")
    with pytest.raises(UsageError, match="cannot be written as PNG"):
        write(vectors, tmp_path / "out", {"3": 1})
    write(vectors, tmp_path / "made.npz", {"3": 4})
    with np.load(tmp_path / "made.npz") as made:
        assert made["images"].shape == (4, 5) and made["images"].dtype == np.float32


def test_a_loaded_model_makes_the_same_images(both):
    """From the folder alone the bits are those of the model that was trained."""
    out, model = both
    first, again = (next(generators(m)["3"].images(4, seed=0)) for m in (model, Model.load(out)))
    assert np.array_equal(first, again)


def test_a_killed_generation_leaves_nothing(both, tmp_path, monkeypatch):
    """Where writing stops half way the folder is absent."""
    written = []

    def failing(path, data, real=generate.files.write_new):
        written.append(path)
        if len(written) == 3:
            raise KeyboardInterrupt
        real(path, data)

    monkeypatch.setattr(generate.files, "write_new", failing)
    with pytest.raises(KeyboardInterrupt):
        write(both[1], tmp_path / "out", {"3": 5})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("method", "known"), [("acgan", ("8", "3")), ("anogan", ("3",))])
def test_without_held_out_images_a_gan_makes_images_and_scores_none(method, known, tmp_path, capsys):
    """--calibration 0 searches nothing: the same weights make the same images, scores are refused in one line."""
    model = trained(tmp_path / "run", method, known=known, calibration=0.0)
    loaded = Model.load(tmp_path / "run")
    assert model.threshold is None and loaded.threshold is None
    for name in known:
        mine, again = (np.concatenate(list(generators(m)[name].images(3, seed=0))) for m in (model, loaded))
        assert np.array_equal(mine, again)
    code, _, err = call(capsys, "score", tmp_path / "run", "digits", "-o", tmp_path / "s.csv")
    assert code == 2 and "only makes images" in err and not (tmp_path / "s.csv").exists()
    code, _, err = call(capsys, "evaluate", tmp_path / "run", "digits")
    assert code == 2 and "only makes images" in err


@pytest.mark.parametrize(("method", "known"), [("anogan", ("3", "8")), ("rotation", ("3",))])
def test_what_must_score_needs_held_out_images(method, known, tmp_path):
    """A baseline that learns slowly, or a GAN per class, without held-out images is refused before it trains."""
    with pytest.raises(UsageError, match=r"--calibration 0: .* needs held-out images"):
        trained(tmp_path / "run", method, known=known, calibration=0.0)
    assert not (tmp_path / "run" / "config.json").exists()


@pytest.fixture(scope="module")
def nameless(tmp_path_factory):
    """The folder of a GAN of both digits whose G has no class, and that of a classifier of them."""
    out = tmp_path_factory.mktemp("nameless")
    trained(out / "mode", "k-plus-one")
    runs.run("digits", train_settings(known=("8", "3"), method="cnn", size="8,8", images=256, threads=1), out / "cnn")
    return out / "mode", out / "cnn"


def test_images_without_a_class_are_sorted_by_what_a_classifier_sees(nameless, tmp_path, capsys):
    """Each stands below the class that the judge says, in a folder and in an .npz file; the images stay the same."""
    run, judge = nameless
    flags = ("-n", "12", "--seed", "3", "-o")
    code, out, err = call(capsys, "generate", run, "--sorted-by", judge, *flags, tmp_path / "made")
    assert code == 0 and "12 images of any" in out, err
    (pixels,) = generators(Model.load(run))["any"].images(12, seed=3)
    names = [("8", "3")[k] for k in Model.load(judge).score(pixels).classes.argmax(1)]
    rows = list(csv.DictReader((tmp_path / "made" / "generated.csv").read_text().splitlines()))
    assert [(row["file"], row["class"]) for row in rows] == [(f"{n}/{i:06d}.png", n) for i, n in enumerate(names)]
    assert np.array_equal(np.asarray(Image.open(tmp_path / "made" / rows[5]["file"])), pixels[5, 0])
    assert {path.name for path in (tmp_path / "made").iterdir()} == {*names, "generated.csv"}
    assert call(capsys, "generate", run, "--sorted-by", judge, *flags, tmp_path / "made.npz")[0] == 0
    with np.load(tmp_path / "made.npz") as arrays:
        assert [arrays["classes"][label] for label in arrays["labels"]] == names


def test_what_cannot_be_sorted_is_one_line(both, nameless, tmp_path, capsys):
    """Images that have classes, a judge of one class, and one of images of another size; nothing is written."""
    (acgan, _), (run, judge) = both, nameless
    small = {"method": "knn", "threads": 1}
    runs.run("digits", train_settings(known=("8",), size="8,8", **small), tmp_path / "one")
    runs.run("digits", train_settings(known=("8", "3"), size="4,4", **small), tmp_path / "tiny")
    for own, by, said in (
        (acgan, judge, "the model's images are of 8, 3 already; leave out --sorted-by"),
        (run, tmp_path / "one", "--sorted-by: its model knows one class; name a run of several known classes"),
        (
            run,
            tmp_path / "tiny",
            "--sorted-by: its model takes images of shape (1, 4, 4), and this one makes (1, 8, 8)",
        ),
    ):
        code, _, err = call(capsys, "generate", own, "--sorted-by", by, "-n", "2", "-o", tmp_path / "made")
        assert code == 2 and said in err and err.count("\n") == 1
        assert not (tmp_path / "made").exists()
