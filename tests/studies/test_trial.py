"""A trial: its folder, its figures with the version that made them, and cells of several trials."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np

from lookalike.base import files
from lookalike.studies.detect.trial import DetectorTrial
from lookalike.studies.trial import Cell, FiguresTrial, name_of


@dataclass(frozen=True)
class Counted(FiguresTrial):
    """Measures how often it was done."""

    def folder(self, runs):
        """A folder for each seed."""
        return runs / self.method / str(self.seed)

    def measure(self, folder, command):
        """A line in a file, and how many there are."""
        with (folder / "times").open("a") as file:
            file.write("x")
        return {"times": len((folder / "times").read_text()), "command": command}


def test_other_data_of_the_same_name_and_changed_data_have_other_folders(tmp_path):
    """Two files x.npz, and one before and after it changed, never share a training; the same file does."""
    first, second = str(tmp_path / "x.npz"), tmp_path / "other" / "x.npz"
    np.savez(first, images=np.zeros((9, 8, 8), np.uint8), labels=np.repeat("a", 9))
    second.parent.mkdir()
    second.write_bytes(Path(first).read_bytes())
    name_of.cache_clear()
    folders = [DetectorTrial(str(data), "pca", 0, known=("3",)).folder(Path("runs")) for data in (first, second, first)]
    assert folders[0] == folders[2] != folders[1]
    assert folders[0].parts[2].startswith("x.npz-")
    content = bytearray(Path(first).read_bytes())
    content[-1] ^= 1  # of the same size
    Path(first).write_bytes(content)
    name_of.cache_clear()
    assert DetectorTrial(first, "pca", 0, known=("3",)).folder(Path("runs")) != folders[0]


def test_a_folder_that_was_only_looked_at_keeps_its_trainings(tmp_path):
    """Other times, and files that systems put there, change no name; an image that is new, gone or renamed does."""
    (tmp_path / "a").mkdir()
    for i in range(3):
        (tmp_path / "a" / f"{i}.png").write_bytes(bytes([i]))

    def name():
        name_of.cache_clear()
        return name_of(str(tmp_path))

    before = name()
    os.utime(tmp_path / "a" / "0.png", ns=(1, 1))
    for hidden in (".DS_Store", "a/.DS_Store", "a/Thumbs.db", "a/._0.png"):
        (tmp_path / hidden).write_bytes(b"x")
    (tmp_path / "a" / ".hidden").mkdir()
    (tmp_path / "a" / ".hidden" / "9.png").write_bytes(b"9")
    assert name() == before
    (tmp_path / "a" / "2.png").rename(tmp_path / "a" / "3.png")
    renamed = name()
    (tmp_path / "a" / "4.png").write_bytes(b"4")
    assert len({before, renamed, name()}) == 3


def test_a_name_that_is_made_safe_stays_its_own():
    """Names that differ in replaced, cut or stripped letters differ as file names, and none leads elsewhere."""
    names = ["a b", "a-b", "a/b", "a\nb", "..", ".", "", "-", "../x", "x", "x" * 90, "x" * 91, "Ünder", "\udcff"]
    made = [files.safe_name(name) for name in names]
    assert len(set(made)) == len(names)
    assert all("/" not in name and name not in ("", ".", "..") and len(name) < 100 for name in made)
    assert files.safe_name("Coat_1,2=x.y-z") == "Coat_1,2=x.y-z"


def test_figures_are_stored_once_with_the_version(tmp_path):
    """A second call measures nothing; the file says which version made it, and an older file need not."""
    one = Counted("digits", "knn", 0)
    assert not one.is_done(tmp_path)
    for _ in range(2):
        one.perform(tmp_path, "the command")
    assert one.is_done(tmp_path) and one.figures(tmp_path) == {
        "version": version("lookalike"), "times": 1, "command": "the command",
    }  # fmt: skip
    assert one.made_by(tmp_path) == version("lookalike")
    files.write_json(one.file(tmp_path), {"times": 1})
    assert one.made_by(tmp_path) is None


def test_a_cell_is_done_where_all_its_trials_are(tmp_path):
    """One of two is not enough."""
    cell = Cell("row", "knn", 0, (Counted("digits", "knn", 0), Counted("digits", "knn", 1)))
    cell.trials[0].perform(tmp_path)
    assert not cell.is_done(tmp_path) and cell.key == ("row", "knn", 0)
    cell.trials[1].perform(tmp_path)
    assert cell.is_done(tmp_path)


def test_a_trial_says_what_it_is():
    """Method, data and seed; of a path the last part alone."""
    assert str(Counted("/home/me/my\x1b images", "knn", 3)) == "knn on my\\x1b images, seed 3"
