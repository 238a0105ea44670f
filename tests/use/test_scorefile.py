"""Score files: their lines are the model's verdicts, names survive, and they are complete or absent."""

from __future__ import annotations

import csv
import io
import json
import os

import numpy as np
import pytest
from clean_failure import assert_clean_failure, tree
from PIL import Image
from tiny import call, settings

from lookalike.base.errors import DataError
from lookalike.data import Images, read, stream
from lookalike.data.part import Part
from lookalike.detect.model import Model
from lookalike.runs import run as runs
from lookalike.runs.settings import train_settings
from lookalike.use import scorefile

ODD = [
    "plain.png", "comma, and;semicolon.png", 'quo"te.png', "new\nline.png", "car\rriage.png", "tab\tbed.png",
    "=1+1.png", "+1.png", "-1.png", "@SUM(A1).png", " space.png", "ünïcödé-\u202e-🦉.png", "esc\x1b[31m.png",
]  # fmt: skip
BROKEN = os.fsdecode(b"bad\xff.png")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run of anogan."""
    out = tmp_path_factory.mktemp("run") / "run"
    runs.run("digits", train_settings(**settings()), out)
    return out


@pytest.fixture(scope="module")
def model(run):
    """Its model."""
    return Model.load(run)


@pytest.fixture
def folder(tmp_path):
    """A flat folder of digits under odd names."""
    (tmp_path / "images").mkdir()
    pixels = read("digits", size=(8, 8)).pixels[:, 0]
    for i, name in enumerate([*ODD, BROKEN]):
        Image.fromarray(pixels[i]).save(tmp_path / "images" / "x.png")
        os.replace(tmp_path / "images" / "x.png", os.path.join(tmp_path / "images", name))
    return tmp_path / "images"


def lines(path):
    """The file's rows: mappings of text (csv) or of values (jsonl)."""
    data = path.read_bytes()
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in data.decode("ascii").splitlines()]
    return list(csv.DictReader(io.StringIO(data.decode("utf-8", "surrogateescape"), newline="")))


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_each_line_is_the_models_verdict(suffix, run, model, tmp_path):
    """Name, class, score, p-value, flag and parts of 520 images, in order, over a block's border, to the last bit."""
    images = read("digits", size=(8, 8)).select(np.arange(520))
    np.savez(tmp_path / "some.npz", images=images.pixels[:, 0], labels=np.array(images.classes)[images.labels])
    counts = scorefile.write(model, tmp_path / "some.npz", tmp_path / f"scores{suffix}")
    said, rows = model.score(images), lines(tmp_path / f"scores{suffix}")
    assert counts == {"images": 520, "flagged": int(said.flagged.sum()), "skipped": 0, "odd": {}}
    assert list(rows[0]) == ["name", "class", "score", "p_value", "flagged", "R", "L_D", "realness", "converged"]
    assert [row["name"] for row in rows] == [f"{i:05d}" for i in range(520)]
    assert [row["class"] for row in rows] == [images.classes[label] for label in images.labels]
    assert [float(row["score"]) for row in rows] == said.score.tolist()
    assert [float(row["p_value"]) for row in rows] == said.p_value.tolist()
    assert [row["flagged"] in (True, "1") for row in rows] == said.flagged.tolist()
    assert {row["flagged"] for row in rows} <= ({"0", "1"} if suffix == ".csv" else {False, True})
    for part, values in said.parts.items():
        assert [float(row[part]) for row in rows] == values.tolist()


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_of_several_classes_each_line_says_which(suffix, tmp_path):
    """After the flag: the most likely class, or unknown where flagged, its probability, and each class's score."""
    how = train_settings(**settings("knn", known=("3", "5")))
    model = runs.run("digits", how, tmp_path / "run")
    images = read("digits", size=(8, 8)).select(np.arange(520))
    np.savez(tmp_path / "some.npz", images=images.pixels[:, 0], labels=np.array(images.classes)[images.labels])
    scorefile.write(model, tmp_path / "some.npz", tmp_path / f"scores{suffix}")
    said, rows = model.score(images), lines(tmp_path / f"scores{suffix}")
    columns = ["name", "class", "score", "p_value", "flagged", "predicted", "confidence", "as 3", "as 5"]
    assert list(rows[0]) == columns
    likely = [("3", "5")[k] for k in said.classes.argmax(1)]
    assert [row["predicted"] for row in rows] == [
        "unknown" if flagged else name for flagged, name in zip(said.flagged, likely, strict=True)
    ]
    assert {row["predicted"] for row in rows} == {"3", "5", "unknown"}
    assert [float(row["confidence"]) for row in rows] == said.classes.max(1).tolist()
    assert [float(row["score"]) for row in rows] == said.score.tolist()
    for i, name in enumerate("35"):
        assert [float(row[f"as {name}"]) for row in rows] == said.parts[f"as {name}"].tolist()
        mine = [row for row, k in zip(rows, said.classes.argmax(1), strict=True) if k == i]
        assert mine and all(row["score"] == row[f"as {name}"] for row in mine)


def test_H7_a_predicted_class_is_written_as_the_class_is(tmp_path):
    """Odd class names stand alike under class and predicted; one that a spreadsheet would run is harmless in both."""
    odd = ("=1+1", 'line\nbreak, and "quotes" ' + "x" * 200)
    digits = read("digits", size=(8, 8))
    chosen = np.isin(digits.labels, [3, 5])
    images = Images(
        digits.pixels[chosen], (digits.labels[chosen] == 5).astype(np.int64), odd, np.array(digits.names)[chosen]
    )
    model = runs.run(images, train_settings(**settings("knn", known=odd)), tmp_path / "run")
    np.savez(tmp_path / "x.npz", images=images.pixels[:, 0], labels=np.array(odd)[images.labels])
    for suffix, first in ((".csv", "'=1+1"), (".jsonl", "=1+1")):
        scorefile.write(model, tmp_path / "x.npz", tmp_path / f"scores{suffix}")
        rows = lines(tmp_path / f"scores{suffix}")
        assert {row["class"] for row in rows} == {first, odd[1]}
        assert {row["predicted"] for row in rows} == {first, odd[1], "unknown"}
        assert np.mean([row["class"] == row["predicted"] for row in rows]) > 0.8


def test_scores_do_not_depend_on_the_company(model, tmp_path):
    """An image alone in a file of its own gets the same line as among others."""
    pixels = read("digits", size=(8, 8)).pixels[:5, 0]
    (tmp_path / "all").mkdir()
    for i in range(5):
        Image.fromarray(pixels[i]).save(tmp_path / "all" / f"{i}.png")
    scorefile.write(model, tmp_path / "all", tmp_path / "all.jsonl")
    scorefile.write(model, tmp_path / "all" / "3.png", tmp_path / "one.jsonl")
    assert lines(tmp_path / "one.jsonl") == [lines(tmp_path / "all.jsonl")[3]]


def test_B18_to_B22_names_survive_in_jsonl(model, folder, tmp_path):
    """Commas, newlines, escapes, formulas and bytes that are no UTF-8 come back as they were, in ASCII."""
    scorefile.write(model, folder, tmp_path / "scores.jsonl")
    assert {row["name"] for row in lines(tmp_path / "scores.jsonl")} == {*ODD, BROKEN}
    assert [row["name"] for row in lines(tmp_path / "scores.jsonl")] == sorted([*ODD, BROKEN], key=os.fsencode)


def test_H7_names_survive_in_csv_and_formulas_are_harmless(model, folder, tmp_path):
    """One row per image with its name; a name that a spreadsheet would run begins with ./, which is the same file."""
    scorefile.write(model, folder, tmp_path / "scores.csv")
    names = [row["name"] for row in lines(tmp_path / "scores.csv")]
    assert sorted(os.path.normpath(name) for name in names) == sorted([*ODD, BROKEN])
    assert {name for name in names if name.startswith("./")} == {
        "./=1+1.png", "./+1.png", "./-1.png", "./@SUM(A1).png",
    }  # fmt: skip
    assert not any(name[0] in "=+-@\t\r" for name in names)
    assert all((folder / name).exists() for name in names)


def test_labels_of_class_folders_stand_in_the_class_column(model, tmp_path):
    """Sub-folders give the class, unlabelled images an empty one; a class like a formula is harmless too."""
    for name in ("=cmd", "b"):
        (tmp_path / "data" / name).mkdir(parents=True)
        Image.new("L", (8, 8)).save(tmp_path / "data" / name / "0.png")
    scorefile.write(model, tmp_path / "data", tmp_path / "s.csv")
    assert [(row["name"], row["class"]) for row in lines(tmp_path / "s.csv")] == [
        ("./=cmd/0.png", "'=cmd"),
        ("b/0.png", "b"),
    ]
    scorefile.write(model, tmp_path / "data" / "b", tmp_path / "flat.csv")
    assert [(row["name"], row["class"]) for row in lines(tmp_path / "flat.csv")] == [("0.png", "")]


def test_nearest_writes_what_the_search_found(run, model, folder, tmp_path, capsys):
    """Each line names a PNG whose pixels are the verdict's nearest image."""
    out, near = tmp_path / "s.jsonl", tmp_path / "near"
    assert call(capsys, "score", run, folder, "-o", out, "--nearest", near)[0] == 0
    (block,) = stream(folder, size=(8, 8), channels=1)
    said, rows = model.score(block), lines(out)
    assert [row["nearest"] for row in rows] == [f"{i:06d}.png" for i in range(14)]
    assert set(tree(near)) == {row["nearest"] for row in rows}
    for row, nearest in zip(rows, said.nearest, strict=True):
        assert np.array_equal(np.asarray(Image.open(near / row["nearest"])), nearest[0])


@pytest.mark.parametrize("there", ["stranger.txt", ".hidden"])
def test_nearest_takes_no_folder_that_holds_something(there, run, folder, tmp_path, capsys):
    """--nearest on a folder with any file exits with 2 before anything is scored, and the file stays."""
    (tmp_path / "near").mkdir()
    (tmp_path / "near" / there).write_text("precious")
    argv = ["score", str(run), str(folder), "-o", str(tmp_path / "s.csv"), "--nearest", str(tmp_path / "near")]
    assert_clean_failure(capsys, argv, 2, "near is not empty; give a new or empty folder", kept=tmp_path)


@pytest.mark.parametrize(("out", "near"), [("near/s.csv", "near"), ("near/in/s.csv", "near"), ("s.csv", "s.csv")])
def test_scores_do_not_lie_among_the_nearest_images(out, near, run, folder, tmp_path, capsys):
    """-o inside the folder of --nearest, or of its name, exits with 2."""
    argv = ["score", str(run), str(folder), "-o", str(tmp_path / out), "--nearest", str(tmp_path / near)]
    assert_clean_failure(capsys, argv, 2, "lies in the folder of the pictures", kept=tmp_path)


def test_an_empty_folder_of_nearest_images_is_filled(model, folder, tmp_path):
    """An empty folder is as good as a new one; when the score file is there, so are all its pictures."""
    (tmp_path / "near").mkdir()
    scorefile.write(model, folder, tmp_path / "s.jsonl", nearest=tmp_path / "near")
    assert set(tree(tmp_path / "near")) == {f"{i:06d}.png" for i in range(14)}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["images", "near", "s.jsonl"]


@pytest.mark.parametrize("bad", ["an image", "the score file"])
def test_F18_a_failure_leaves_no_nearest_images(bad, run, folder, tmp_path, capsys, monkeypatch):
    """Neither pictures nor a temporary folder stay where an image cannot be read, or the score file not be written."""
    monkeypatch.setattr(scorefile, "BLOCK", 4)
    out = tmp_path / ("s.csv" if bad == "an image" else "no/s.csv")
    if bad == "an image":
        (folder / "zz.png").write_bytes(b"no image")
    argv = ["score", str(run), str(folder), "-o", str(out), "--nearest", str(tmp_path / "near")]
    assert_clean_failure(capsys, argv, 3 if bad == "an image" else 5, kept=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["images"]


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_F18_a_bad_file_leaves_no_score_file(suffix, run, folder, tmp_path, capsys):
    """An unreadable image among good ones: exit 3, the file named, and an earlier score file as it was."""
    (folder / "zz.png").write_bytes(b"no image")
    out = tmp_path / f"scores{suffix}"
    argv = ["score", str(run), str(folder), "-o", str(out)]
    assert_clean_failure(capsys, argv, 3, "zz.png", "--on-bad skip", kept=tmp_path)
    assert not out.exists()
    out.write_text("earlier")
    assert_clean_failure(capsys, argv, 3, "zz.png", kept=tmp_path)
    assert out.read_text() == "earlier"


def test_F18_a_failure_in_a_later_block_leaves_no_score_file(model, tmp_path, monkeypatch):
    """When the second block fails, what the first wrote is gone."""
    work, calls = Model.score, []

    def failing(self, images, **how):
        calls.append(len(images))
        if len(calls) == 2:
            raise OSError("gone")
        return work(self, images, **how)

    monkeypatch.setattr(Model, "score", failing)
    monkeypatch.setattr(scorefile, "BLOCK", 4)
    pixels = read("digits", size=(8, 8)).pixels[:10, 0]
    np.savez(tmp_path / "x.npz", images=pixels)
    with pytest.raises(Exception, match="gone"):
        scorefile.write(model, tmp_path / "x.npz", tmp_path / "s.csv")
    assert calls == [4, 4]
    assert set(tree(tmp_path)) == {"x.npz"}


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
@pytest.mark.parametrize("of", [1, 3, 14])
def test_parts_together_are_one_process(of, suffix, run, model, folder, tmp_path, capsys):
    """Their lines, one part after the other, are those of one process, with the names of the nearest images."""
    scorefile.write(model, folder, tmp_path / f"whole{suffix}", nearest=tmp_path / "near")
    whole, rows, images = lines(tmp_path / f"whole{suffix}"), [], {}
    for i in range(1, of + 1):
        out, near = tmp_path / f"{i}{suffix}", tmp_path / f"near-{i}"
        code, said, _ = call(
            capsys, "score", run, folder, "-o", out, "--nearest", near, "--part", f"{i}/{of}", "--json"
        )
        assert code == 0 and json.loads(said)["images"] == len(lines(out))
        rows += lines(out)
        images |= tree(near)
    assert len(whole) == 14 and rows == whole and images == tree(tmp_path / "near")


def test_a_part_opens_its_own_files_alone(model, folder, tmp_path):
    """A broken file of another part does not end this one, and is not counted."""
    first, last = (sorted(folder.iterdir())[i] for i in (0, -1))
    last.write_bytes(b"broken")
    counts = scorefile.write(model, folder, tmp_path / "scores.csv", part=Part(1, 2))
    assert (counts["images"], counts["skipped"]) == (7, 0)
    assert lines(tmp_path / "scores.csv")[0]["name"].endswith(first.name)
    with pytest.raises(DataError, match="repair or remove it"):
        scorefile.write(model, folder, tmp_path / "scores.csv", part=Part(2, 2))


@pytest.mark.parametrize(("part", "code", "words"), [
    ("0/3", 2, "--part is 0/3; give I/N with I from 1 to N"),
    ("4/3", 2, "--part is 4/3; give I/N with I from 1 to N"),
    ("x", 2, "--part is x; give I/N with I from 1 to N"),
    ("1/15", 3, "there are 14 images for 15 parts; give at most 14 parts (--part)"),
])  # fmt: skip
def test_what_is_no_part_is_refused(part, code, words, run, folder, tmp_path, capsys):
    """In one line, and nothing is written."""
    out = str(tmp_path / "scores.csv")
    assert_clean_failure(
        capsys, ["score", str(run), str(folder), "-o", out, "--part", part], code, words, kept=tmp_path
    )


def test_skipped_images_are_counted(run, folder, tmp_path, capsys):
    """--on-bad skip leaves bad images out (up to 5 %) and prints how many."""
    for i in range(8):
        Image.new("L", (8, 8), i).save(folder / f"more{i}.png")
    (folder / "zz.png").write_bytes(b"no image")
    out = tmp_path / "s.csv"
    code, said, err = call(capsys, "score", run, folder, "-o", out, "--on-bad", "skip")
    assert (code, err) == (0, "")
    flagged = sum(row["flagged"] == "1" for row in lines(out))
    assert said == f"{out}: 22 images, {flagged} flagged, 1 unreadable ones left out\n"
    code, said, _ = call(capsys, "score", run, folder, "-o", out, "--on-bad", "skip", "--json")
    assert json.loads(said) == {"out": str(out), "images": 22, "flagged": flagged, "skipped": 1, "odd": {}}


def test_skipped_images_are_listed(model, folder, tmp_path, monkeypatch):
    """Names and reasons of what was skipped, in any block, stand beside the scores, in ASCII."""
    for i in range(26):
        Image.new("L", (8, 8), i).save(folder / f"more{i:02d}.png")
    bad = [os.fsdecode(b"0bad\xff.png"), "zz.png"]
    for name in bad:
        (folder / name).write_bytes(b"no image")
    monkeypatch.setattr(scorefile, "BLOCK", 7)
    counts = scorefile.write(model, folder, tmp_path / "s.csv", on_bad="skip")
    listed = lines(tmp_path / "s.csv.bad_files.jsonl")
    assert counts["skipped"] == 2
    assert [row["name"] for row in listed] == bad
    assert all(set(row) == {"name", "reason"} and row["reason"] for row in listed)


def test_nothing_skipped_no_list(model, folder, tmp_path):
    """Without unreadable images there is no list, and that of an earlier score file goes."""
    stale = tmp_path / "s.csv.bad_files.jsonl"
    stale.write_text('{"name": "x", "reason": "y"}\n')
    scorefile.write(model, folder, tmp_path / "s.csv", on_bad="skip")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["images", "s.csv"]


def test_too_many_bad_images_fail_even_when_skipping(run, folder, tmp_path, capsys):
    """More than 5 % unreadable: exit 3 and no score file."""
    for i in range(3):
        (folder / f"zz{i}.png").write_bytes(b"no image")
    argv = ["score", str(run), str(folder), "-o", str(tmp_path / "s.csv"), "--on-bad", "skip"]
    assert_clean_failure(capsys, argv, 3, "3 of 17 images", kept=tmp_path)


@pytest.mark.parametrize("name", ["scores.txt", "scores", "scores.csv.gz"])
def test_another_suffix_is_refused(name, run, folder, tmp_path, capsys):
    """Only .csv and .jsonl are written; the line says so."""
    argv = ["score", str(run), str(folder), "-o", str(tmp_path / name)]
    assert_clean_failure(capsys, argv, 2, name, ".csv or .jsonl", kept=tmp_path)


def test_F4_a_missing_parent_folder_is_named(run, folder, tmp_path, capsys):
    """-o in a folder that does not exist exits with 5 before anything is scored."""
    argv = ["score", str(run), str(folder), "-o", str(tmp_path / "no" / "s.csv")]
    assert_clean_failure(capsys, argv, 5, "no/s.csv", "folder does not exist", kept=tmp_path)


def test_vectors_are_refused_by_a_model_of_images(run, tmp_path, capsys):
    """Exit 3: what the file holds, and what the model needs."""
    np.savez(tmp_path / "v.npz", images=np.zeros((4, 5), np.float32))
    argv = ["score", str(run), str(tmp_path / "v.npz"), "-o", str(tmp_path / "s.csv")]
    assert_clean_failure(capsys, argv, 3, "vectors", kept=tmp_path)


def test_larger_images_are_brought_to_the_models_size(model, tmp_path):
    """A 40x20 colour photo is scored at 8x8 grey, as `read` makes it."""
    random = np.random.default_rng(0)
    (tmp_path / "a").mkdir()
    Image.fromarray(random.integers(0, 256, (40, 20, 3), dtype=np.uint8)).save(tmp_path / "a" / "x.png")
    scorefile.write(model, tmp_path / "a", tmp_path / "s.jsonl")
    images = read(tmp_path, size=(8, 8), channels=1)
    assert lines(tmp_path / "s.jsonl")[0]["score"] == model.score(images).score[0]


def test_writing_twice_gives_equal_bytes(model, folder, tmp_path):
    """The same images and model, the same file."""
    for name in ("a.csv", "b.csv"):
        scorefile.write(model, folder, tmp_path / name)
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    assert not [path for path in tmp_path.iterdir() if "lookalike-part" in path.name]


@pytest.mark.parametrize("more", [[], ["--nearest"]])
def test_F9_scores_among_the_images_are_refused(more, run, folder, tmp_path, capsys):
    """What would be read as data next time is not written there: exit 2, nothing made."""
    out = tmp_path if more else folder
    argv = ["score", run, folder, "-o", out / "scores.csv", *more, *([folder / "nearest"] if more else [])]
    assert_clean_failure(capsys, argv, 2, "among the images", kept=tmp_path)
