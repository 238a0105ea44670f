"""Which network a name stands for, and where a model finds again the one that it was trained on."""

from __future__ import annotations

import os

import pytest
from onnx_made import network, written

from lookalike.base import names
from lookalike.base.errors import ModelError
from lookalike.features import onnx_file
from lookalike.features.backbones import FOLDER, LITES, named, stored


def test_the_names_are_those_that_the_flag_takes():
    """One table for both; anything else is the path of a file."""
    assert tuple(LITES) == names.BACKBONES
    assert [named(name).name for name in LITES] == list(LITES)
    with pytest.raises(ModelError, match=r"lite9\.onnx cannot be read"):
        named("lite9.onnx")


def test_a_file_is_found_where_it_was(tmp_path, monkeypatch):
    """By its absolute path, from wherever the model is loaded, without a folder of files."""
    monkeypatch.delenv(FOLDER, raising=False)
    monkeypatch.chdir(tmp_path)
    net = named(str(written(tmp_path / "net.onnx").relative_to(tmp_path)))
    assert os.path.isabs(net.name)
    monkeypatch.chdir("/")
    assert stored(net.name, net.origin.sha256) is net


def test_a_file_is_found_by_its_content(tmp_path, monkeypatch):
    """On another machine the folder has it under any name; a file of other content is not taken for it."""
    net = named(str(written(tmp_path / "net.onnx")))
    (tmp_path / "nets").mkdir()
    monkeypatch.setenv(FOLDER, str(tmp_path / "nets"))
    written(tmp_path / "nets" / "a.onnx", network(strides=(2, 2)))
    (tmp_path / "net.onnx").rename(tmp_path / "nets" / "b.onnx")
    found = stored(net.name, net.origin.sha256)
    assert found.name == str(tmp_path / "nets" / "b.onnx") and found.origin.sha256 == net.origin.sha256
    written(tmp_path / "net.onnx", network(strides=(2, 2)))
    assert stored(net.name, net.origin.sha256).name == found.name


def test_a_missing_file_is_named(tmp_path, monkeypatch):
    """One line with its name, its hash, where it was and what to set."""
    net = named(str(written(tmp_path / "net.onnx")))
    (tmp_path / "net.onnx").unlink()
    line = rf"needs the network net\.onnx \(SHA-256 {net.origin.sha256}\), which is not at {tmp_path}.*set {FOLDER} to"
    for folder in (None, tmp_path, tmp_path / "nowhere"):
        monkeypatch.setenv(FOLDER, str(folder)) if folder else monkeypatch.delenv(FOLDER, raising=False)
        with pytest.raises(ModelError, match=line):
            stored(net.name, net.origin.sha256)


def test_a_forged_name_opens_nothing(tmp_path, monkeypatch):
    """Names of no network, of other files, of the wrong type, and other hashes are refused before a file is opened."""
    net = named(str(written(tmp_path / "net.onnx")))
    monkeypatch.setattr(onnx_file, "read_bytes", None)
    for name in ("lite9", "/etc/passwd", None, 3, ["lite0"], ""):
        with pytest.raises(ModelError, match=r"is none that this version can have; train again"):
            stored(name, net.origin.sha256)
    for sha256 in ("0", named("lite1").origin.sha256):
        with pytest.raises(ModelError, match="another lite0 than the published one; train again"):
            stored("lite0", sha256)
    with pytest.raises(ModelError, match="which is not at"):
        stored(net.name, "0" * 64)


def test_without_onnxruntime_one_line_says_what_to_install(tmp_path, monkeypatch):
    """A model's error, as it is the model that needs it."""
    net = named(str(written(tmp_path / "net.onnx")))
    monkeypatch.setattr(onnx_file, "find_spec", lambda name: None)
    with pytest.raises(ModelError, match="ONNX files need onnxruntime; pip install onnxruntime"):
        stored(net.name, net.origin.sha256)
