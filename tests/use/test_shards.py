"""Images in folders, .tar shards and Parquet files, scored by a cluster: the rows are those of one process."""

from __future__ import annotations

import io
import json
import tarfile

import numpy as np
import pytest
from clean_failure import assert_clean_failure, tree
from PIL import Image
from started_cluster import started
from tiny import call

from lookalike.data import read
from lookalike.detect.model import Model
from lookalike.faces.api import fit
from lookalike.runs.samples import png
from lookalike.use import scorefile, shards

pytest.importorskip("ray")
pa = pytest.importorskip("pyarrow")
from pyarrow import parquet  # noqa: E402, after the package is known to be there

pytestmark = [pytest.mark.timeout(300), pytest.mark.filterwarnings("ignore")]  # Ray's own are not ours to mend
EACH = 24  # images of a class


@pytest.fixture(scope="module")
def address():
    """The address of a cluster of two machines."""
    found = started()
    yield found.address
    found.shutdown()


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """A folder with two classes of images of several sizes, one of them below a hidden folder."""
    folder, digits = tmp_path_factory.mktemp("images") / "d", read("digits")
    for name in ("3", "8"):
        rows = np.flatnonzero(digits.labels == digits.classes.index(name))[:EACH]
        (folder / name).mkdir(parents=True)
        for i, row in enumerate(rows):
            side = 8 + i % 3
            picture = Image.fromarray(digits.pixels[row, 0]).resize((side, side))
            (folder / name / f"{i:03d}.png").write_bytes(png(np.array(picture)[..., None]))
    (folder / ".hidden").mkdir()
    (folder / ".hidden/x.png").write_bytes(b"no image")
    (folder / "readme.txt").write_text("no image")
    return folder


@pytest.fixture(scope="module")
def run(images, tmp_path_factory):
    """A run of two known classes."""
    out = tmp_path_factory.mktemp("run") / "run"
    fit("digits", known=("3", "8"), method="knn", size="8,8", calibration=0.2, out=out)
    return out


@pytest.fixture(scope="module")
def alone(run, images, tmp_path_factory):
    """The sorted rows of one process."""
    out = tmp_path_factory.mktemp("alone") / "scores.jsonl"
    scorefile.write(Model.load(run), images, out)
    return by_name(json.loads(line) for line in out.read_text().splitlines())


def by_name(rows):
    """Rows in the order of their names."""
    return sorted(rows, key=lambda row: row["name"])


def files_of(images):
    """Name, class and bytes of each image."""
    return [(f"{path.parent.name}/{path.name}", path.parent.name, path.read_bytes()) for path in images.glob("?/*.png")]


def as_tar(images, folder):
    """Three shards in WebDataset's form, with keys that say nothing of the class."""
    for shard in range(3):
        with tarfile.open(folder / f"{shard}.tar", "w") as archive:
            for name, its_class, data in files_of(images)[shard::3]:
                for suffix, content in ((".png", data), (".cls", its_class.encode()), (".json", b"{}")):
                    info = tarfile.TarInfo(name.removesuffix(".png").replace("/", "-") + suffix)
                    info.size = len(content)
                    archive.addfile(info, io.BytesIO(content))
    return lambda name: name.replace("/", "-")


def as_parquet(images, folder):
    """Two files: one with a column of bytes, one as Hugging Face writes them."""
    names, classes, data = map(list, zip(*files_of(images), strict=True))
    plain = pa.table({"image": data[::2], "name": names[::2], "label": classes[::2]})
    parquet.write_table(plain, folder / "a.parquet", row_group_size=7)
    held = [{"bytes": one, "path": name} for one, name in zip(data[1::2], names[1::2], strict=True)]
    parquet.write_table(pa.table({"label": classes[1::2], "image": held}), folder / "b.parquet")
    return lambda name: name


@pytest.mark.parametrize("form", [None, as_tar, as_parquet], ids=["folder", "tar", "parquet"])
def test_rows_of_a_cluster_are_those_of_one_process(form, run, images, alone, address, tmp_path):
    """Names, classes, scores, p-values, flags and parts, in bits, whatever the images lie in."""
    (tmp_path / "data").mkdir()
    named = form(images, tmp_path / "data") if form else lambda name: name
    data = f"file://{tmp_path / 'data' if form else images}"
    found = shards.write(Model.load(run), data, tmp_path / "scores.parquet", address=address)
    rows = by_name(parquet.read_table(tmp_path / "scores.parquet").to_pylist())
    assert found == {"images": 2 * EACH, "flagged": sum(row["flagged"] for row in alone), "skipped": 0}
    assert len(alone) == 2 * EACH and rows == [row | {"name": named(row["name"])} for row in alone]


def test_unreadable_images_stop_the_command_or_are_listed(run, images, address, tmp_path, capsys):
    """As with one process: the first one is named, and with --on-bad skip all are, beside the file of the others."""
    (tmp_path / "data").mkdir()
    for i, path in enumerate(sorted(images.glob("3/*.png"))):
        (tmp_path / "data" / path.name).write_bytes(path.read_bytes() if i else b"no image")
    argv = ["score", run, tmp_path / "data", "-o", tmp_path / "s.parquet", "--cluster", address]
    code, out, err = call(capsys, *argv)
    assert code == 3 and out == "" and "error: 000.png: " in err and not (tmp_path / "s.parquet").exists()
    assert "Traceback" not in err and "ray" not in err.lower()
    code, out, _ = call(capsys, *argv, "--on-bad", "skip")
    assert code == 0 and f"{EACH - 1} images" in out and "1 unreadable ones left out" in out
    assert parquet.read_table(tmp_path / "s.parquet").num_rows == EACH - 1
    listed = (tmp_path / "s.parquet.bad_files.jsonl").read_text().splitlines()
    assert [json.loads(line)["name"] for line in listed] == ["000.png"]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.tar", b"no archive" * 100, "a.tar is no sound .tar file"),
        ("a.parquet", b"no table", "a.parquet is not Parquet"),
        ("a.txt", b"no image", "holds no images; give images, .tar shards or Parquet files"),
    ],
    ids=["tar", "parquet", "nothing"],
)
def test_files_that_hold_no_images_are_one_line(name, content, said, run, address, tmp_path, capsys):
    """The file is named, and nothing is written."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / name).write_bytes(content)
    argv = ["score", run, tmp_path / "data", "-o", tmp_path / "s.parquet", "--cluster", address]
    code, _, err = call(capsys, *argv)
    assert code == 3 and said in err and "Traceback" not in err
    assert set(tree(tmp_path)) == {f"data/{name}"}


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["-o", "s.csv"], "a cluster writes scores to a .parquet file, not s.csv"),
        (["-o", "s.parquet", "--part", "1/2"], "with --cluster score takes no --part"),
        (["-o", "s.parquet", "--device", "cuda:1"], "with --cluster --device is cpu or cuda"),
    ],
    ids=["suffix", "part", "device"],
)
def test_flags_that_do_not_fit_are_one_line(more, said, run, images, tmp_path, capsys, monkeypatch):
    """Before a cluster is joined."""
    monkeypatch.chdir(tmp_path)
    assert_clean_failure(capsys, ["score", str(run), str(images), "--cluster", "auto", *more], 2, said, kept=tmp_path)


def test_an_address_that_cannot_be_opened_is_one_line(run, address, tmp_path):
    """An unknown protocol is named, with what to do."""
    with pytest.raises(shards.UsageError, match=r"nowhere://a cannot be opened: .*; check the address"):
        shards.write(Model.load(run), "nowhere://a", tmp_path / "s.parquet", address=address)
    assert tree(tmp_path) == {}
