"""Filling up: what is written is whole, marked, repeatable and honest, and DATA is not touched."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
import signal
import subprocess
import sys
from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.spatial.distance import pdist
from sklearn.datasets import load_digits
from tiny import call, train

from lookalike.base.errors import DataError, UsageError
from lookalike.data import read
from lookalike.detect.baselines import classifier
from lookalike.detect.model import Model
from lookalike.faces import api
from lookalike.game.batch import Batch
from lookalike.runs.used import used_images
from lookalike.use import balanced
from lookalike.use.augment import wanted
from lookalike.use.filled import NotWrittenError
from lookalike.use.filters import POOL, Filters
from lookalike.use.generate import generators

TINY = {"images": 256, "batch": 32, "width": 4, "z": 8, "lr": 0.02, "ema": 0.0, "size": "8,8", "threads": 1}
COUNTS = {"1": 30, "3": 24, "8": 14}
augment = partial(api.augment, anyway=True)  # a GAN that trains for a moment makes nearly one picture of each class


def digits():
    """Pixels (N, 8, 8) uint8 and labels of 30 ones, 24 threes and 14 eights."""
    data = load_digits()
    rows = np.concatenate([np.flatnonzero(data.target == int(name))[:n] for name, n in COUNTS.items()])
    return np.rint(data.images[rows] * (255 / 16)).astype(np.uint8), data.target[rows]


@pytest.fixture(autouse=True, scope="module")
def quick():
    """The classifier that recognises images trains for a moment."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(classifier, "STEPS", 20)
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The digits as class folders of PNGs."""
    root = tmp_path_factory.mktemp("data") / "digits"
    for i, (image, label) in enumerate(zip(*digits(), strict=True)):
        (root / str(label)).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(root / str(label) / f"{i:03d}.png")
    return root


@pytest.fixture(scope="module")
def filled(folder, tmp_path_factory):
    """The folder filled up, and what was said of it."""
    out = tmp_path_factory.mktemp("out") / "balanced"
    return out, augment(str(folder), out, settings=TINY)


def digest(root):
    """Every file below `root` and its bytes."""
    return {
        str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest() for p in root.rglob("*") if p.is_file()
    }


@pytest.mark.parametrize(
    ("to", "short"),
    [
        ("balance", {"3": 6, "8": 16}),
        ("26", {"3": 2, "8": 12}),
        ("8=20", {"8": 6}),
        ("8=20,1=31", {"8": 6, "1": 1}),
        ("a=b=3", {"a=b": 1}),
        ("x,y=5", {"x,y": 3}),
        ("8=20,x,y=5,3=21", {"8": 6, "x,y": 3}),
        ("e\u0301=4", {"\u00e9": 3}),
    ],
)
def test_what_is_wanted(to, short):
    """All as many as the largest, a number for all, or a number for each that is named, whatever its name holds."""
    others = {"a=b": 2} if "a=b" in to else {"x,y": 2} if "x,y" in to else {"\u00e9": 1} if "e\u0301" in to else {}
    assert wanted(to, COUNTS | others) == short


@pytest.mark.parametrize(
    ("to", "error", "said"),
    [
        ("5", UsageError, "no class has fewer images than that, the largest has 30"),
        ("some", UsageError, "balance, a number, or CLASS=NUMBER"),
        ("8=", UsageError, "balance, a number, or CLASS=NUMBER"),
        ("9=40", DataError, "no class 9; there are 1, 3, 8"),
        ("8=40,", UsageError, "balance, a number, or CLASS=NUMBER"),
        ("=3", UsageError, "balance, a number, or CLASS=NUMBER"),
    ],
)
def test_what_cannot_be_wanted(to, error, said):
    """A target that nobody is short of, no number, or a class that is not there is one line."""
    with pytest.raises(error, match=said):
        wanted(to, COUNTS)


def test_every_class_has_as_many_images_and_the_manifest_marks_the_generated(folder, filled):
    """30 images of each; the real ones have DATA's pixels, the generated ones are G's of their number and seed."""
    out, said = filled
    rows = list(csv.DictReader((out / balanced.MANIFEST).read_text().splitlines()))
    files = {str(p.relative_to(out)) for p in out.rglob("*.png")}
    assert {row["file"] for row in rows} == files and len(rows) == len(files) == 90
    assert {one.name: (one.real, len(one.pixels)) for one in said} == {"3": (24, 6), "8": (14, 16)}
    model = Model.load(out.with_name("balanced-run"))
    for row in rows:
        image = np.asarray(Image.open(out / row["file"]))
        if row["generated"] == "0":
            assert np.array_equal(image, np.asarray(Image.open(folder / row["source"])))
            assert row["seed"] == row["number"] == ""
        else:
            made = np.concatenate(list(generators(model)[row["class"]].images(int(row["number"]) + 1, seed=0)))
            assert np.array_equal(image, made[-1, 0]) and row["source"] == ""
    assert np.bincount(read(out).labels).tolist() == [30, 30, 30]


def test_the_folder_has_the_form_of_imagefolder(filled):
    """metadata.csv has the manifest's rows, with the columns file_name and label, and each file is there."""
    out, _ = filled
    manifest, metadata = (
        list(csv.DictReader((out / name).read_text().splitlines())) for name in (balanced.MANIFEST, "metadata.csv")
    )
    assert all((out / row["file_name"]).is_file() for row in metadata)
    assert [{"file": row.pop("file_name"), "class": row.pop("label"), **row} for row in metadata] == manifest


def test_data_is_not_touched_and_the_same_command_gives_the_same_bytes(folder, filled, tmp_path, monkeypatch):
    """Killed while it writes it leaves no folder; called again it ends in the bytes of an uninterrupted one."""
    before, (out, _) = digest(folder), filled
    again, count = tmp_path / "balanced", []
    honest = balanced.png

    def dies(picture):
        count.append(1)
        if len(count) > 40:
            raise KeyboardInterrupt
        return honest(picture)

    monkeypatch.setattr(balanced, "png", dies)
    with pytest.raises(KeyboardInterrupt):
        augment(str(folder), again, settings=TINY)
    assert not again.exists() and list(tmp_path.iterdir()) == [tmp_path / "balanced-run"]
    monkeypatch.setattr(balanced, "png", honest)
    augment(str(folder), again, settings=TINY)
    assert digest(again) == digest(out) and digest(folder) == before


def test_killed_while_it_writes_it_leaves_nothing_that_looks_whole(folder, filled, tmp_path):
    """After SIGKILL in the middle there is no folder of that name; the same command ends in the same bytes."""
    out, run = tmp_path / "b", filled[0].with_name("balanced-run")
    program = (
        "import itertools, os, signal, sys\n"
        "from lookalike.faces import api\n"
        "from lookalike.use import balanced\n"
        "from pathlib import Path\n"
        "honest, count = balanced.png, itertools.count()\n"
        "def png(picture):\n"
        "    if next(count) == 40: os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return honest(picture)\n"
        "balanced.png = png\n"
        "api.augment(sys.argv[1], Path(sys.argv[2]), run=Path(sys.argv[3]), to='8=17', anyway=True)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(folder), str(out), str(run)], timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL and not out.exists()
    augment(str(folder), out, run=run, to="8=17")
    augment(str(folder), tmp_path / "c", run=run, to="8=17")
    assert digest(out) == digest(tmp_path / "c") and not list(tmp_path.glob("*lookalike-part*"))


def test_an_npz_file_marks_the_generated(folder, filled, tmp_path):
    """Beside images, labels and classes stand generated and number; the page lies beside the file."""
    augment(str(folder), tmp_path / "b.npz", run=filled[0].with_name("balanced-run"), to="8=17")
    with np.load(tmp_path / "b.npz") as there:
        assert there["generated"].sum() == 3 and there["generated"][-3:].all()
        assert there["number"][there["generated"]].tolist() == [0, 1, 2] and (there["number"][:68] == -1).all()
        assert there["classes"][there["labels"][-3:]].tolist() == ["8"] * 3
    assert len(read(tmp_path / "b.npz")) == 71
    assert "3 generated images of 8" in (tmp_path / "b.html").read_text()


def test_official_test_images_stay_out(tmp_path, monkeypatch):
    """Of a source with a test part neither counts nor files hold its images."""
    from lookalike.data import arrays, named

    pixels, labels = digits()
    test = np.arange(len(labels)) % 6 == 0
    source = arrays.in_memory(pixels[..., None], np.searchsorted([1, 3, 8], labels), ("1", "3", "8"), test)
    monkeypatch.setitem(named.NAMED, "parted", lambda: source)
    said = augment("parted", tmp_path / "b.npz", settings=TINY)
    real = {name: int((~test & (labels == int(name))).sum()) for name in COUNTS}
    assert {one.name: one.real for one in said} == {name: real[name] for name in ("3", "8")}
    assert all(one.real + len(one.pixels) == real["1"] for one in said)
    with np.load(tmp_path / "b.npz") as there:
        assert (~there["generated"]).sum() == (~test).sum()


def test_the_filter_by_d_keeps_the_share_that_it_finds_most_real(folder, filled, tmp_path):
    """Kept are the first images whose realness reaches the quantile over the first images that are made."""
    run = filled[0].with_name("balanced-run")
    (one,) = augment(str(folder), tmp_path / "b.npz", run=run, to="8=34", filters=Filters(realness=0.25))
    maker = generators(Model.load(run))["8"]
    pool = np.concatenate(list(maker.images(POOL, seed=0)))
    x = torch.from_numpy(pool).float() / 127.5 - 1
    with torch.no_grad():
        real = maker.gan.frozen(maker.label)[1](Batch(x, torch.full((POOL,), maker.label), None, None)).realness.numpy()
    rows = np.flatnonzero(real >= np.quantile(real, 0.75))[:20]
    assert one.numbers.tolist() == rows.tolist() and np.array_equal(one.pixels, pool[rows])
    assert one.made == rows[-1] + 1 and one.rejected == {"D": one.made - 20}


def test_the_filter_by_a_d_of_pairs_shows_it_the_encoded_z(folder, tmp_path):
    """ALI's D judges an image with its z: of generated ones it is shown the encoder's."""
    (one,) = augment(
        str(folder), tmp_path / "b.npz", to="8=24", settings=TINY | {"method": "ali"}, filters=Filters(realness=0.5)
    )
    maker = generators(Model.load(tmp_path / "b-run"))["8"]
    pool = np.concatenate(list(maker.images(POOL, seed=0)))
    x, y = torch.from_numpy(pool).float() / 127.5 - 1, torch.full((POOL,), maker.label)
    with torch.no_grad():
        real = maker.gan.frozen(maker.label)[1](Batch(x, y, maker.gan.encode(x, y), None)).realness.numpy()
    assert one.numbers.tolist() == np.flatnonzero(real >= np.quantile(real, 0.5))[:10].tolist()


def test_filters_that_keep_nothing_are_one_line(folder, filled, tmp_path, monkeypatch):
    """Where no image passes, the error counts what was made, and nothing is written."""
    from lookalike.use import augment as module

    monkeypatch.setattr(module, "agrees", lambda *_: lambda made: np.zeros(len(made), bool))
    with pytest.raises(
        DataError, match=r"8: 0 of 50 images passed the filters, but 1 are wanted \(dropped by classifier 50\)"
    ):
        augment(
            str(folder),
            tmp_path / "b.npz",
            run=filled[0].with_name("balanced-run"),
            to="8=15",
            filters=Filters(agree=True),
        )
    assert not list(tmp_path.iterdir())


def test_images_that_are_copies_are_said_and_dropped(folder, filled, tmp_path, monkeypatch):
    """A generator that gives back a training image is found out: the page says so, and --drop-copies keeps none."""
    from lookalike.use.generate import Generator

    run = filled[0].with_name("balanced-run")
    images, parts = read(folder), used_images(run)
    rows = [i for i, key in enumerate(images.keys) if key in parts["train"] and images.labels[i] == 2]

    def parrot(self, n, *, seed, truncation=None):
        yield from (images.pixels[rows[:10]] for _ in range(-(-n // 10)))

    monkeypatch.setattr(Generator, "images", parrot)
    (one,) = augment(str(folder), tmp_path / "b.npz", run=run, to="8=44")
    assert one.memory.copies(one.closeness).all() and (one.closeness == 0).all()
    assert "G has memorised some of its training images" in (tmp_path / "b.html").read_text()
    with pytest.raises(DataError, match="dropped by copies"):
        augment(str(folder), tmp_path / "c.npz", run=run, to="8=44", filters=Filters(drop_copies=True))


def test_few_training_images_that_recognise_copies_are_said(folder, filled, tmp_path):
    """With --drop-copies and 14 training images a line says how many new images are dropped with the copies."""
    run, said = filled[0].with_name("balanced-run"), []
    augment(str(folder), tmp_path / "b.npz", run=run, to="8=15", filters=Filters(drop_copies=True), warn=said.append)
    assert said == [
        "8: copies are recognised by few training images (14); about 7 % of new images are dropped with them"
    ]


def test_all_images_train_unless_a_test_share_is_asked_for(folder, filled, tmp_path, capsys):
    """No image is held out; --test 0.25 holds a quarter of each class out, which do not train."""
    every = used_images(filled[0].with_name("balanced-run"))
    assert {name: len(keys) for name, keys in every.items()} == {
        "train": len(set(read(folder).keys)), "calibration": 0, "extra_fakes": 0, "test": 0,
    }  # fmt: skip
    given = ("--size", "8,8", "--images", "64", "--threads", "1", "--to", "3=26", "--anyway")
    code, _, err = call(capsys, "augment", folder, "-o", tmp_path / "b", *given, "--test", "0.25")
    assert code == 0, err
    parts = used_images(tmp_path / "b-run")
    assert (len(parts["train"]), len(parts["test"])) == (68 - 18, 8 + 6 + 4) and not parts["train"] & parts["test"]


def test_a_run_that_an_earlier_version_began_goes_on_as_it_was(folder, tmp_path):
    """OUT-run with a tenth held out: the same command without a share takes it as it is, and trains nothing anew."""
    augment(str(folder), tmp_path / "b.npz", to="8=15", settings=TINY | {"images": 64, "test": 0.1})
    before = digest(tmp_path / "b-run")
    augment(str(folder), tmp_path / "b.npz", to="8=15", settings=TINY | {"images": 64})
    assert digest(tmp_path / "b-run") == before and not (tmp_path / "b-run-2").exists()


def test_a_filter_does_not_praise_itself(folder, filled, tmp_path, monkeypatch):
    """With --agree the share that is recognised is that of the images before the classifier filtered them."""
    from lookalike.use import augment as module

    monkeypatch.setattr(module, "agrees", lambda *_: lambda made: np.arange(len(made)) % 4 == 3)
    run = filled[0].with_name("balanced-run")
    (one,) = augment(str(folder), tmp_path / "b.npz", run=run, to="8=24", filters=Filters(agree=True))
    assert (one.made, one.rejected, one.agreed) == (40, {"classifier": 30}, 0.25)


def test_real_images_that_change_their_size_are_said(folder, tmp_path):
    """A warning names the size that real images are written at, and theirs; there is none where they keep it."""
    said = []
    augment(str(folder), tmp_path / "b.npz", to="8=15", settings=TINY | {"size": "16,16"}, warn=said.append)
    assert [line for line in said if "are written at the GAN's 16 x 16 pixels" in line and "such as 8 x 8" in line]
    assert read(tmp_path / "b.npz").shape == (1, 16, 16)
    said.clear()
    augment(str(folder), tmp_path / "c.npz", to="8=16", run=tmp_path / "b-run", warn=said.append)
    assert len(said) == 1
    augment(str(folder), tmp_path / "d.npz", to="8=15", settings=TINY, warn=said.append)
    assert len(said) == 1


def test_an_empty_class_that_is_accepted_stays_accepted(folder, tmp_path):
    """With --allow-empty-class other classes are filled up, and the empty one has an empty folder."""
    data = tmp_path / "data"
    shutil.copytree(folder, data)
    (data / "9").mkdir()
    augment(str(data), tmp_path / "out", to="8=15", settings=TINY | {"images": 64, "allow_empty_class": True})
    assert len(list((tmp_path / "out" / "8").iterdir())) == 15 and not list((tmp_path / "out" / "9").iterdir())


def test_what_cannot_be_written_is_refused_before_training(folder, tmp_path, capsys):
    """Vectors into a folder, a class that names no folder, a file in the way, and the data itself."""
    np.savez(tmp_path / "v.npz", images=np.zeros((4, 5), np.float32), labels=np.arange(4) % 2, classes=["a", "b"])
    np.savez(tmp_path / "s.npz", images=np.zeros((4, 8, 8), np.uint8), labels=np.arange(4) % 2, classes=["a/b", "b"])
    with pytest.raises(UsageError, match=r"vectors cannot be written as PNG; give an .npz file"):
        augment(str(tmp_path / "v.npz"), tmp_path / "out")
    with pytest.raises(UsageError, match=r"class a/b cannot be the name of a folder"):
        augment(str(tmp_path / "s.npz"), tmp_path / "out")
    before = (tmp_path / "s.npz").read_bytes()
    with pytest.raises(UsageError, match="is the data file itself; write to another path"):
        augment(str(tmp_path / "s.npz"), tmp_path / "s.npz")
    (tmp_path / "file").touch()
    code, _, err = call(capsys, "augment", folder, "-o", tmp_path / "file")
    assert code == 5 and "a file is in the way" in err
    assert (tmp_path / "s.npz").read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {"v.npz", "s.npz", "file"}


def test_the_run_of_a_folder_with_a_dot_has_its_whole_name(folder, tmp_path):
    """bal.v1 and bal.v2 do not share a run."""
    augment(str(folder), tmp_path / "bal.v1", to="8=15", settings=TINY | {"images": 64})
    assert {path.name for path in tmp_path.iterdir()} == {"bal.v1", "bal.v1-run"}


def test_the_command(folder, filled, tmp_path, capsys):
    """It prints a row for each class that was short, names the report, and warns of what no classifier recognises."""
    run = filled[0].with_name("balanced-run")
    code, out, err = call(capsys, "augment", folder, "-o", tmp_path / "b", "--run", run, "--to", "8=17", "--anyway")
    assert code == 0 and "report: " in out and (tmp_path / "b" / "report.html").exists()
    (row,) = [line.split() for line in out.splitlines() if line.startswith("8 ")]
    assert row[:3] == ["8", "14", "3"]
    share = float(row[3].removesuffix("%"))
    assert ("takes only" in err) == (share < 70)


def said_at_the_end(err):
    """The lines of warnings and errors, without those of progress."""
    return [line for line in err.splitlines() if line.startswith(("warning: ", "error: "))]


@pytest.fixture
def one_picture(folder, filled, monkeypatch):
    """Flags for the run with a G that makes one picture of an 8 again and again, and good 3s, all recognised."""
    from lookalike.use import augment as module
    from lookalike.use.generate import Generator

    pixels, labels = digits()
    makes = {"3": pixels[labels == 3][:, None], "8": pixels[labels == 8][:1, None]}

    def images(self, n, *, seed, truncation=None):
        yield np.resize(makes[self.name], (n, 1, 8, 8))

    monkeypatch.setattr(Generator, "images", images)
    monkeypatch.setattr(module, "agrees", lambda *_: lambda made: np.ones(len(made), bool))
    return ("augment", folder, "--run", filled[0].with_name("balanced-run"), "--to", "3=40,8=40")


def test_one_picture_is_not_written_and_the_other_class_is(one_picture, tmp_path, capsys):
    """The collapsed class keeps its 14 real images alone, the other gets its 16; one line says why; exit code 3."""
    code, out, err = call(capsys, *one_picture, "-o", tmp_path / "b")
    (line,) = said_at_the_end(err)
    assert code == 3 and line == (
        "error: generated images not written: 8 (collapsed, recognised 100 %, variety 0 %); accepted are 30 % "
        "recognised or more, and 30 % to 200 % variety; add images of the class, show more images to the GAN "
        "(--images), or write them in any case (--anyway); the same command with either replaces this output"
    )
    rows = list(csv.DictReader((tmp_path / "b" / balanced.MANIFEST).read_text().splitlines()))
    files = {str(p.relative_to(tmp_path / "b")) for p in (tmp_path / "b").rglob("*.png")}
    assert {row["file"] for row in rows} == files
    assert [sum(file.startswith(name) for file in files) for name in ("1/", "3/real", "3/gen", "8/real", "8/gen")] == [
        *(30, 24, 16, 14, 0)
    ]
    table = {line.split()[0]: line.split()[1:] for line in out.splitlines() if line.startswith(("3 ", "8 "))}
    assert table["3"][:4] == ["24", "16", "100", "%"] and "collapsed" not in table["3"]
    assert table["8"] == ["14", "0", "100", "%", "0", "%,", "collapsed", "26"]
    page = (tmp_path / "b" / "report.html").read_text()
    assert (
        "Collapsed: 8." in page and "Not written: 8." in page and "0 %, collapsed" in page and "26, not written" in page
    )
    assert list(tmp_path.iterdir()) == [tmp_path / "b"]


def test_one_picture_is_written_anyway(one_picture, tmp_path, capsys):
    """With --anyway both classes are filled up, with exit code 0 and a warning."""
    code, out, err = call(capsys, *one_picture, "-o", tmp_path / "b", "--anyway")
    warning = "warning: 8: collapsed: two generated images differ by only 0 % of what two real ones do"
    assert code == 0 and said_at_the_end(err) == [warning]
    assert [line.split()[2] for line in out.splitlines() if line.startswith(("3 ", "8 "))] == ["16", "26"]
    assert np.bincount(read(tmp_path / "b").labels).tolist() == [30, 40, 40]


def test_noise_is_not_written_without_being_asked_for(one_picture, tmp_path, capsys, monkeypatch):
    """Above twice the real images' variety a class keeps its real images; --anyway writes it, and a line says so."""
    for share, code in ((2.0, 0), (2.5, 3)):
        monkeypatch.setattr("lookalike.use.augment.variety", lambda made, real, share=share: share)
        assert call(capsys, *one_picture, "-o", tmp_path / f"{share}")[0] == code
    assert np.bincount(read(tmp_path / "2.5").labels).tolist() == [30, 24, 14]
    assert "Noise: 3, 8." in (tmp_path / "2.5" / "report.html").read_text()
    code, _, err = call(capsys, *one_picture, "-o", tmp_path / "2.5", "--anyway")
    said = [line for line in err.splitlines() if "differ 2.5 times as much as two real ones, as noise does" in line]
    assert code == 0 and [line.split()[1].rstrip(":") for line in said] == ["3", "8"]


def test_after_a_refusal_the_same_command_with_anyway_writes_all(one_picture, tmp_path, capsys):
    """The folder that a refusal left is replaced as a whole, and bears no trace of the refusal."""
    assert call(capsys, *one_picture, "-o", tmp_path / "b")[0] == 3
    facts = json.loads((tmp_path / "b" / balanced.RECORD).read_text())
    assert facts["left out"] == ["8"]
    assert call(capsys, *one_picture, "-o", tmp_path / "b")[0] == 3  # the same command gives the same folder again
    assert json.loads((tmp_path / "b" / balanced.RECORD).read_text()) == facts
    assert call(capsys, *one_picture, "-o", tmp_path / "b", "--anyway")[0] == 0
    assert np.bincount(read(tmp_path / "b").labels).tolist() == [30, 40, 40]
    assert json.loads((tmp_path / "b" / balanced.RECORD).read_text())["left out"] == []
    assert list(tmp_path.iterdir()) == [tmp_path / "b"]


def test_the_same_command_after_the_end_leaves_all_as_it_is(one_picture, tmp_path, capsys):
    """A finished folder gives the same answer and no new byte; other settings or another folder's images refuse it."""
    first = call(capsys, *one_picture, "-o", tmp_path / "b", "--anyway")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "b").rglob("*")}
    assert call(capsys, *one_picture, "-o", tmp_path / "b", "--anyway")[:2] == first[:2] and first[0] == 0
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "b").rglob("*")} == before
    code, _, err = call(capsys, *one_picture, "-o", tmp_path / "b", "--anyway", "--drop-copies")
    assert code == 2 and "is not empty; give a new or empty folder" in err
    (tmp_path / "b" / "mine.png").write_bytes(b"mine")
    code, _, err = call(capsys, *one_picture, "-o", tmp_path / "b", "--anyway")
    assert code == 2 and "was changed since it was written" in err


def _more(out):
    (out / "8" / "mine.png").write_bytes(b"mine")


def _less(out):
    next((out / "3").glob("real-*")).unlink()


def _other(out):
    (out / "report.html").write_text("mine")


def _linked(out):
    (out / "mine").symlink_to(out / "8")


def _marked(out):
    (out / balanced.RECORD).write_text("{}")


@pytest.mark.parametrize("change", [_more, _less, _other, _linked, _marked])
def test_what_was_changed_after_a_refusal_is_not_replaced(change, one_picture, tmp_path, capsys):
    """A file more, a file less, another content, a link or another mark: one line, and every file stays."""
    assert call(capsys, *one_picture, "-o", tmp_path / "b")[0] == 3
    change(tmp_path / "b")
    before = digest(tmp_path / "b")
    code, out, err = call(capsys, *one_picture, "-o", tmp_path / "b", "--anyway")
    assert (code, out) == (2, "") and digest(tmp_path / "b") == before
    assert err == (
        f"error: {tmp_path / 'b'} was changed since it was written; move it away, or give another folder (-o)\n"
    )


def test_a_folder_that_is_changed_while_its_successor_is_made_stays(one_picture, tmp_path, capsys, monkeypatch):
    """What comes into the folder in the meantime is not lost."""
    assert call(capsys, *one_picture, "-o", tmp_path / "b")[0] == 3
    honest = balanced.png

    def png(picture):
        _more(tmp_path / "b")
        return honest(picture)

    monkeypatch.setattr(balanced, "png", png)
    code, _, err = call(capsys, *one_picture, "-o", tmp_path / "b", "--anyway")
    assert code == 2 and "is not empty; give a new or empty folder" in err
    assert (tmp_path / "b" / "8" / "mine.png").read_bytes() == b"mine"
    assert list(tmp_path.iterdir()) == [tmp_path / "b"]


def test_more_images_after_a_refusal_train_another_gan_beside_the_first(folder, tmp_path):
    """--images 128 after 64: OUT-run stays to the byte, OUT-run-2 is new, and the same command again finds it."""
    out, how = tmp_path / "b", TINY | {"images": 64, "method": "acgan"}
    with pytest.raises(NotWrittenError, match="the same command with either replaces this output"):
        api.augment(str(folder), out, to="8=30", settings=how)
    before = digest(tmp_path / "b-run")
    augment(str(folder), out, to="8=30", settings=how | {"images": 128})
    assert Model.load(tmp_path / "b-run-2").training["images"] == 128
    second = digest(tmp_path / "b-run-2")
    shutil.rmtree(out)
    augment(str(folder), out, to="8=30", settings=how | {"images": 128})
    assert digest(tmp_path / "b-run") == before and digest(tmp_path / "b-run-2") == second
    assert {path.name for path in tmp_path.iterdir()} == {"b", "b-run", "b-run-2"}


def test_a_run_that_is_not_finished_is_not_left_behind(folder, tmp_path):
    """Other settings than those of a training that was stopped are refused, as `train` does."""

    def stops(stage, done, of):
        if stage == "training" and done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        augment(str(folder), tmp_path / "b", to="8=15", settings=TINY, report=stops)
    with pytest.raises(UsageError, match=r"was begun with other settings or data: --images 256 -> 64"):
        augment(str(folder), tmp_path / "b", to="8=15", settings=TINY | {"images": 64})
    assert {path.name for path in tmp_path.iterdir()} == {"b-run"}


def test_json_has_both_figures_and_an_npz_file_lacks_what_is_not_written(one_picture, tmp_path, capsys):
    """Printed before the error: variety as a share, 0 generated images of the class that is not written."""
    code, out, _ = call(capsys, *one_picture, "-o", tmp_path / "b.npz", "--json")
    three, eight = json.loads(out)["classes"]
    assert code == 3 and 0.5 < three["variety"] < 1.5 and three["written"] and three["generated"] == 16
    assert (eight["variety"], eight["recognised"], eight["made"]) == (0.0, 1.0, 26)
    assert (eight["collapsed"], eight["written"], eight["generated"]) == (True, False, 0)
    with np.load(tmp_path / "b.npz") as there:
        assert there["classes"][there["labels"][there["generated"]]].tolist() == ["3"] * 16


def test_images_of_another_class_are_not_written(one_picture, tmp_path, capsys, monkeypatch):
    """3s of which a classifier recognises 3 of 16; nine images, which may be chance, are written with a warning."""
    from lookalike.use import augment as module

    monkeypatch.setattr(module, "agrees", lambda *_: lambda made: np.arange(len(made)) < 3)
    code, out, err = call(capsys, *one_picture[:-1], "3=40", "-o", tmp_path / "b")
    (line,) = said_at_the_end(err)
    assert code == 3 and line.startswith("error: generated images not written: 3 (recognised 18.8 %, variety ")
    assert "b: real images alone; report:" in out
    assert len(list((tmp_path / "b" / "3").iterdir())) == 24
    monkeypatch.setattr(module, "agrees", lambda *_: lambda made: np.zeros(len(made), bool))
    code, _, err = call(capsys, *one_picture[:-1], "3=33", "-o", tmp_path / "c")
    (line,) = said_at_the_end(err)
    assert code == 0 and "takes only 0 % of the generated ones" in line
    assert len(list((tmp_path / "c" / "3").iterdir())) == 33


def test_the_variety_is_that_of_the_features_of_the_classifier(folder, filled, tmp_path):
    """Mean distance of pairs of generated images over that of the class's training images, computed again here."""
    run = filled[0].with_name("balanced-run")
    (one,) = augment(str(folder), tmp_path / "b.npz", run=run, to="8=34")
    images, parts = read(folder, size=(8, 8), channels=1), used_images(run)
    trained = [i for i, key in enumerate(images.keys) if key in parts["train"]]
    net = classifier.CNN.fit(images.pixels[trained], images.labels[trained], 0).net
    eights = images.pixels[[i for i in trained if images.labels[i] == 2]]
    with torch.no_grad():
        made, real = (net.features(torch.from_numpy(x).float() / 127.5 - 1).numpy() for x in (one.pixels, eights))
    assert one.variety == pytest.approx(pdist(made).mean() / pdist(real).mean(), rel=1e-4)


def test_without_a_classifier_the_variety_is_of_values_and_it_is_said(tmp_path, capsys):
    """Vectors: nothing recognises them, which a warning says; they are judged by their values alone."""
    pixels, labels = digits()
    np.savez(tmp_path / "v.npz", images=pixels.reshape(-1, 64).astype(np.float32) / 255, labels=labels)
    how = {name: value for name, value in TINY.items() if name != "size"}
    (one,) = augment(str(tmp_path / "v.npz"), tmp_path / "b.npz", to="8=34", settings=how)
    assert one.agreed is None
    assert one.variety == pytest.approx(pdist(one.pixels).mean() / pdist(one.memory.training).mean(), rel=1e-4)
    command = ("augment", tmp_path / "v.npz", "-o", tmp_path / "c.npz", "--run", tmp_path / "b-run", "--anyway")
    code, _, err = call(capsys, *command, "--to", "8=15")
    assert code == 0 and "8: no classifier can recognise the images; it needs images, not vectors" in err
    assert "8: the variety cannot be measured; it needs two generated images" in err


def test_a_run_of_one_class_has_no_classifier(folder, tmp_path, capsys):
    """A classifier of one class would recognise everything: nothing is recognised, and --agree is refused."""
    call(capsys, *train(tmp_path / "run", "--known=8", "--calibration=0", data=folder))
    (one,) = augment(str(folder), tmp_path / "b.npz", to="8=16", run=tmp_path / "run")
    assert one.agreed is None and one.variety is not None
    with pytest.raises(DataError, match="a GAN of one class has no classifier, which needs two; leave out --agree"):
        augment(str(folder), tmp_path / "c.npz", to="8=16", run=tmp_path / "run", filters=Filters(agree=True))
    assert not (tmp_path / "c.npz").exists()


@pytest.mark.parametrize(
    ("more", "code", "said"),
    [
        (("--to", "nothing"), 2, "CLASS=NUMBER"),
        (("--method", "knn"), 2, "--method knn: accepted are auto-gan, cgan, acgan"),
        (("--method", "anogan"), 2, "--method anogan: did you mean acgan? see --help"),
        (("--run", "RUN", "--images", "10"), 2, "--run is trained already; leave out --images"),
        (("--run", "RUN", "--diff-augment"), 2, "--run is trained already; leave out --diff-augment"),
        (("--run", "nowhere"), 4, "is not a lookalike model"),
        (("--to", "9=40"), 3, "no class 9"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(more, code, said, folder, filled, tmp_path, capsys):
    """What cannot end well is refused before anything is trained or written."""
    run = str(filled[0].with_name("balanced-run"))
    more = [run if word == "RUN" else word for word in more]
    result = call(capsys, "augment", folder, "-o", tmp_path / "b", *more)
    assert result[0] == code and said in result[2] and result[2].count("\n") == 1
    assert not (tmp_path / "b").exists() and not (tmp_path / "b-run").exists()


def test_a_class_that_is_too_small_is_refused_with_the_number_needed(tmp_path):
    """Five eights: the line names the class, its images and how many are needed."""
    pixels, labels = digits()
    stay = np.concatenate([np.flatnonzero(labels != 8), np.flatnonzero(labels == 8)[:5]])
    np.savez(tmp_path / "d.npz", images=pixels[stay], labels=labels[stay])
    with pytest.raises(DataError, match="distinct training images: 8 5; each class to fill needs 10"):
        augment(str(tmp_path / "d.npz"), tmp_path / "out", settings=TINY)
    assert list(tmp_path.iterdir()) == [tmp_path / "d.npz"]


def test_a_classifier_of_one_class_is_refused_before_training(folder, tmp_path):
    """--agree where only one class has two images to train on: nothing is trained."""
    shutil.copytree(folder / "8", tmp_path / "data" / "8")
    how = {"to": "8=20", "settings": TINY, "filters": Filters(agree=True)}
    with pytest.raises(DataError, match="a GAN of one class has no classifier, which needs two; leave out --agree"):
        augment(str(tmp_path / "data"), tmp_path / "out", **how)
    assert list(tmp_path.iterdir()) == [tmp_path / "data"]


def test_a_full_folder_is_refused_before_training(folder, tmp_path):
    """Nothing is trained for a folder that cannot be written."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="is not empty"):
        augment(str(folder), tmp_path / "out", settings=TINY)
    assert not (tmp_path / "out-run").exists()


def test_photographs_are_filled_up_at_64_pixels(folder, tmp_path, capsys, monkeypatch):
    """Images have the GAN's 64 x 64; those that trained are known again, by --run and by measure."""
    from lookalike.use import augment as module

    monkeypatch.setattr(module, "judge", lambda *_: None)  # at this size the classifier would take its time
    large = tmp_path / "large"
    for path in folder.rglob("*.png"):
        (large / path.parent.name).mkdir(parents=True, exist_ok=True)
        with Image.open(path) as image:
            image.resize((100, 100)).save(large / path.parent.name / path.name)
    how, said = {name: value for name, value in TINY.items() if name != "size"}, []
    first = augment(str(large), tmp_path / "out", settings=how, note=said.append)
    assert said[:-1] == ["images of 100 x 100 pixels are read at 64 x 64"]
    assert said[-1].startswith("training takes about ")
    assert read(tmp_path / "out").shape == (1, 64, 64)  # of one size, or reading would refuse
    model, used = Model.load(tmp_path / "out-run"), used_images(tmp_path / "out-run")
    assert (model.size, model.key_size) == ((64, 64), (32, 32))
    keys = read(large, size=(32, 32)).keys
    assert used["train"] | used["test"] == set(keys) and len(first[0].memory.training) > 9
    again = augment(str(large), tmp_path / "again.npz", run=tmp_path / "out-run")
    assert [one.name for one in again] == [one.name for one in first]
    assert all((one.pixels == other.pixels).all() for one, other in zip(first, again, strict=True))
    code, _, err = call(capsys, "measure", tmp_path / "out-run", "--real", large, "-n", "40")
    assert code == 3 and f"held-out real images: {len(used['test'])};" in err
