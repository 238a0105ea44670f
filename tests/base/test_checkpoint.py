"""Models and checkpoints as files: what is read back, and what is refused (rows D, E1, E2 and E8, and goal G-2)."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import pickle
import random
import shutil
import signal
import struct
import sys
import tarfile
import time
import tracemalloc
import zipfile
from pathlib import Path

import joblib
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from lookalike.base import checkpoint, files
from lookalike.base.checkpoint import (
    load_model,
    match,
    newest_checkpoint,
    read_tensors,
    save_checkpoint,
    save_model,
    write_tensors,
)
from lookalike.base.errors import ModelError, OutputError

GOLDEN = Path(__file__).parents[1] / "golden"
FACTS = {
    "kind": "gan",
    "method": {"name": "anogan"},
    "shape": [1, 8, 8],
    "classes": {"known": ["Coat"], "extra_fakes": []},
    "threshold": 0.5,
    "training": {"images": 100},
    "settings": {},
}
DANGEROUS = ("pickle.find_class", "os.system", "os.exec", "os.fork", "os.posix_spawn", "subprocess.", "socket.", "exec")
WATCHED = {"on": False, "events": []}


def _watch(event, _arguments):
    if WATCHED["on"] and event.startswith(DANGEROUS):
        WATCHED["events"].append(event)


sys.addaudithook(_watch)  # stays: hooks cannot be removed


@pytest.fixture(autouse=True, scope="module")
def warm():
    """Everything a good file needs is imported, so that a bad one may import nothing."""
    load_model(GOLDEN / "model_v1")


def tensors():
    """A tiny model."""
    return {"G.weight": torch.arange(6.0).reshape(2, 3) / 7, "D.bias": torch.tensor([-1.0, 2.0])}


@pytest.fixture
def model(tmp_path):
    """A folder with a tiny model."""
    save_model(tmp_path, tensors(), FACTS)
    return tmp_path


def refused(read, path, seconds=10.0, megabytes=300):
    """The one line with which `read(path)` refuses: code 4, quick, small, and the file runs and imports nothing."""
    modules, start = set(sys.modules), time.process_time()
    with pytest.raises(ModelError):
        read(path)
    taken = time.process_time() - start
    tracemalloc.start()
    WATCHED.update(on=True, events=[])
    try:
        with pytest.raises(ModelError) as caught:
            read(path)
    finally:
        WATCHED["on"] = False
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert WATCHED["events"] == []
    assert set(sys.modules) == modules
    assert taken < seconds
    assert peak < megabytes * 1e6
    message = str(caught.value)
    assert caught.value.exit_code == 4
    assert message.isprintable()
    return message


def sealed(header, body=b""):
    """A file with this header, and a digest that is right where the header has the place for one."""
    data = bytearray(struct.pack("<Q", len(header)) + header + body)
    if header.startswith(checkpoint._PREFIX):
        data[checkpoint._DIGEST] = b"0" * 64
        data[checkpoint._DIGEST] = hashlib.sha256(data).hexdigest().encode()
    return bytes(data)


def forged(entries, body=b"", facts="{}", schema="1"):
    """A file as ours, digest included, with these tensor entries (JSON text)."""
    card = f'{{"sha256":"{"0" * 64}","schema":{schema},"facts":{facts}}}'
    header = f'{{"__metadata__":{{"lookalike":{json.dumps(card)}}}{"," if entries else ""}{entries}}}'
    return sealed(header.encode(), body)


def entry(name="w", dtype='"F32"', shape="[2]", offsets="[0,8]"):
    """One tensor's entry in a header."""
    return f'{json.dumps(name)}:{{"dtype":{dtype},"shape":{shape},"data_offsets":{offsets}}}'


def given_file(folder, data, name="model.safetensors"):
    """A file with these bytes."""
    (folder / name).write_bytes(data)
    return folder / name


# --- what is written is read back ---------------------------------------------------------------------------------


def test_round_trip_is_exact(tmp_path):
    """Every dtype, shape and bit pattern comes back, from views and shared storage too, with the facts."""
    base = torch.randn(4, 3, generator=torch.Generator().manual_seed(1))
    wanted = {
        "a/b.0-x": base,
        "shared": base,
        "transposed": base.T,
        "strided": base[::2, 1:],
        "double": base.double() / 3,
        "count": torch.tensor(-(2**62)),
        "bytes": torch.arange(256, dtype=torch.uint8),
        "mask": torch.tensor([True, False]),
        "nothing": torch.zeros(0, 4),
        "odd": torch.tensor([float("nan"), -0.0, float("inf"), 1e-45]),
        "grad": base.clone().requires_grad_(),
    }
    facts = {"list": [1, 0.1, None, True], "name": 'bad\udcff <b>"\\\n', "nested": {"ü": {}}}
    digest = write_tensors(tmp_path / "a.safetensors", wanted, facts)
    got, got_facts = read_tensors(tmp_path / "a.safetensors", sha256=digest)
    assert digest == hashlib.sha256((tmp_path / "a.safetensors").read_bytes()).hexdigest()
    assert got_facts == facts
    assert list(got) == sorted(wanted)
    for name, tensor in wanted.items():
        assert got[name].dtype == tensor.dtype
        assert got[name].shape == tensor.shape
        assert got[name].numpy().tobytes() == tensor.detach().contiguous().numpy().tobytes()


def test_the_same_tensors_give_the_same_bytes(tmp_path):
    """A file depends on its content only, not on the order of the names or on hashing."""
    digests = {write_tensors(tmp_path / "a", dict(list(tensors().items())[::step]), FACTS) for step in (1, -1) * 4}
    assert len(digests) == 1


def test_other_programs_can_read_it(model):
    """A weights file of ours is a plain safetensors file."""
    from safetensors import safe_open

    with safe_open(model / "model.safetensors", "pt") as file:
        assert torch.equal(file.get_tensor("D.bias"), torch.tensor([-1.0, 2.0]))


def test_what_could_not_be_read_is_not_written(tmp_path):
    """Another dtype, an unsafe name, too many tensors or facts are refused before anything is written."""
    path = tmp_path / "a.safetensors"
    many = {f"t{i}": torch.zeros(1) for i in range(8193)}
    for bad, facts, reason in [
        ({"h": torch.zeros(2, dtype=torch.bfloat16)}, {}, "tensor 'h' has dtype BF16, expected one of F16, F32, F64"),
        ({"../x": torch.zeros(2)}, {}, r"tensor '\.\./x' has a name"),
        (many, {}, "it has 8193 tensors, at most 8192"),
        ({}, {"text": "x" * (1 << 20)}, "at most 1048576 are read"),
    ]:
        with pytest.raises(ModelError, match=reason):
            write_tensors(path, bad, facts)
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_tensors(path, {}, {"loss": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_model_round_trip(model):
    """A model folder gives its tensors and facts back, and holds two files."""
    got, facts = load_model(model)
    assert facts == FACTS
    match(got, tensors(), "model")
    assert torch.equal(got["G.weight"], tensors()["G.weight"])
    assert sorted(path.name for path in model.iterdir()) == ["model.json", "model.safetensors"]


def test_model_weights_are_written_before_the_json(tmp_path, monkeypatch):
    """A model.json that can be seen always has its weights."""
    seen, replace = [], os.replace
    monkeypatch.setattr(os, "replace", lambda old, new: (seen.append(Path(new).name), replace(old, new)))
    save_model(tmp_path, tensors(), FACTS)
    assert seen == ["model.safetensors", "model.json"]


# --- D: files that must be refused ----------------------------------------------------------------------------------


class Evil:
    """Runs a command when it is unpickled."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch {self.marker}",)


def payloads(marker):
    """Six files that run code in a careless reader."""
    evil, files_ = Evil(marker), {}
    pickled = pickle.dumps(evil)
    for row, legacy in (("D1-zip.pt", False), ("D3-legacy.pt", True)):
        buffer = io.BytesIO()
        torch.save(evil, buffer, _use_new_zipfile_serialization=not legacy)
        files_[row] = buffer.getvalue()
    files_["D2-raw.pkl"] = pickled
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        information = tarfile.TarInfo("storages")
        information.size = len(pickled)
        tar.addfile(information, io.BytesIO(pickled))
    files_["D3-legacy.tar"] = buffer.getvalue()
    buffer = io.BytesIO()
    joblib.dump(evil, buffer)
    files_["D4-joblib"] = buffer.getvalue()
    buffer = io.BytesIO()
    np.save(buffer, np.array([evil], dtype=object), allow_pickle=True)
    files_["D5-object.npy"] = buffer.getvalue()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("model/data.pkl", pickled)
        archive.writestr("model/code/__torch__.py", f"import os\nos.system('touch {marker}')\n")
        archive.writestr("model/version", "3\n")
    files_["D6-script.pt"] = buffer.getvalue()
    return files_


@pytest.mark.parametrize("force", ["", "1"], ids=["", "forced"])
@pytest.mark.parametrize("row", sorted(payloads("x")))
def test_D1_to_D6_nothing_is_unpickled(model, monkeypatch, row, force):
    """A pickle in any wrapping, under any name, is refused and not run, whatever the environment says."""
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", force)
    marker = model / "marker"
    data = payloads(marker)[row]
    message = refused(read_tensors, given_file(model, data, row))
    assert "is not a lookalike model or checkpoint" in message
    assert row in message
    assert "model.safetensors is not a lookalike" in refused(load_model, given_file(model, data).parent)
    given_file(model, sealed(checkpoint._PREFIX + data))
    assert "is not a lookalike" in refused(load_model, model)
    assert "model.json is not a lookalike" in refused(load_model, given_file(model, data, "model.json").parent)
    assert not marker.exists()


def test_the_watch_sees_a_pickle(tmp_path):
    """The audit hook of these tests does notice code that runs from a file."""
    WATCHED.update(on=True, events=[])
    pickle.loads(pickle.dumps(Evil(tmp_path / "marker")))
    WATCHED["on"] = False
    assert (tmp_path / "marker").exists()
    assert {"pickle.find_class", "os.system"} <= set(WATCHED["events"])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"G.weight = 1\n" * 50,
        '{"a": "ü"}'.encode(),
        random.Random(0).randbytes(5000),
        struct.pack("<Q", 200) + random.Random(1).randbytes(5000),
    ],
    ids=["D7", "D8-short", "D8-text", "D8-json", "D9", "D9-plausible"],
)
def test_D7_to_D9_empty_text_and_noise(model, data):
    """Nothing, text and noise are refused as weights and as model.json."""
    assert "is not a lookalike model" in refused(load_model, given_file(model, data).parent)
    assert "model.json is not a lookalike" in refused(load_model, given_file(model, data, "model.json").parent)


@pytest.mark.parametrize("name", ["model.safetensors", "model.json"])
def test_D10_truncated_at_every_64th(model, name):
    """A file cut at any 64th of its length is refused."""
    data = (model / name).read_bytes()
    for part in range(64):
        given_file(model, data[: len(data) * part // 64], name)
        assert f"{name} is not a lookalike model" in refused(load_model, model)


def test_D11_trailing_bytes(model):
    """Bytes after the last tensor or after the JSON are refused."""
    weights = (model / "model.safetensors").read_bytes()
    given_file(model, weights + b"\0")
    assert "1 bytes follow the last tensor" in refused(load_model, model)
    given_file(model, weights)
    card = (model / "model.json").read_bytes()
    for tail, reason in ((b"\n", "was damaged or changed"), (b"{}", "not JSON"), (b"\0", "not JSON")):
        given_file(model, card + tail, "model.json")
        assert reason in refused(load_model, model)


@pytest.mark.parametrize("length", [2**63, 2**64 - 1, 99_000_000, 0, 7])
def test_D12_impossible_header_lengths(tmp_path, length):
    """A header longer than the file, or too short, is refused without reserving it."""
    path = given_file(tmp_path, struct.pack("<Q", length) + b"{}" * 500)
    assert f"its header cannot be {length} bytes long" in refused(read_tensors, path, 0.5, 50)


def test_D12_a_header_that_is_there_but_too_long(tmp_path):
    """A header of 99 MB that the file does hold is refused without reading it."""
    path = given_file(tmp_path, struct.pack("<Q", 99_000_000))
    os.truncate(path, 100_000_000)
    assert "its header cannot be 99000000 bytes long" in refused(read_tensors, path, 0.5, 1)


PREFIX = checkpoint._PREFIX + b"0" * 64


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (b"x" * 500, "lookalike did not write it"),
        (b"[" * 200_000, "lookalike did not write it"),
        (b'{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}' + b" " * 50, "lookalike did not write it"),
        (PREFIX, "it is not JSON"),
        (PREFIX + b'\\"}"},"w":' + b"[" * 200_000, "nested deeper"),
        (PREFIX + b'\\"}"},"w":' + b'{"a":' * 100_000, "nested deeper"),
        (PREFIX + b'\\"}"},"w":"\xff"}', "is not UTF-8"),
        (PREFIX + b'\\"}"}} x', "it is not JSON"),
        (PREFIX + b'\\"}"}}', "the field 'schema' is None"),
        (PREFIX + b'\\"' + b"[" * 200_000 + b'"}}', "it is not JSON"),
        (PREFIX + b'\\",\\"a\\":' + b"[" * 200_000 + b'"}}', "nested deeper"),
        (PREFIX + b'\\"}","b":"c"}}', "its metadata is more than lookalike's"),
        (PREFIX + b'\\",\\"schema\\":1,\\"facts\\":\\"\\"}"}}', "fields of a wrong type"),
        (PREFIX + b'\\",\\"schema\\":1,\\"facts\\":{},\\"x\\":1}"}}', "other fields than sha256, schema and facts"),
        (PREFIX + b'\\",\\"schema\\":1,\\"facts\\":{\\"a\\":NaN}}"}}', "NaN is not a finite number"),
        (PREFIX + b'\\",\\"schema\\":1,\\"facts\\":{\\"a\\":\\"\\ud800\\"}}"}}', "is not UTF-8"),
    ],
)
def test_D13_headers_that_are_not_ours(tmp_path, header, reason):
    """A header that is not our JSON, however deep, is refused quickly."""
    assert reason in refused(read_tensors, given_file(tmp_path, sealed(header)), 0.5, 50)


@pytest.mark.parametrize(
    "data",
    [
        forged(entry() + "," + entry(), bytes(8)),
        forged('"w":{"dtype":"F32","dtype":"U8","shape":[8],"data_offsets":[0,8]}', bytes(8)),
        forged(entry(), bytes(8), facts='{"a":1,"a":2}'),
        forged('"__metadata__":{},' + entry(), bytes(8)),
        forged(",".join([entry()] + [entry(f"w{i}", offsets="[8,8]", shape="[0]") for i in range(9000)] + [entry()])),
    ],
)
def test_D14_duplicate_keys(tmp_path, data):
    """A key that stands twice, at any level, is refused."""
    assert "stands twice" in refused(read_tensors, given_file(tmp_path, data), 0.5, 50)


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        ("[1099511627776,1099511627776]", "expected at most 8 sides"),
        ("[1048576,1048576]", "too large"),
        ("[1048575,1048575]", "expected [0, "),
        ("[0,1048576,1048576]", "too large"),
        ("[4294967296,4294967296,0]", "too large"),
        ("[18446744073709551616]", "expected at most 8 sides"),
        ("[-2]", "expected at most 8 sides"),
        ("[2.0]", "expected at most 8 sides"),
        ("[true,true]", "expected at most 8 sides"),
        ('"2"', "expected at most 8 sides"),
        ("[1,1,1,1,1,1,1,1,2]", "expected at most 8 sides"),
        ("[" + "1," * 100_000 + "2]", "expected at most 8 sides"),
        ("[3]", "expected [0, 12]"),
    ],
)
def test_D15_shapes(tmp_path, shape, reason):
    """A shape that overflows, is no list of counts, or does not fit its bytes is refused."""
    data = forged(entry("a", offsets="[0,8]") + "," + entry("b", shape=shape, offsets="[8,16]"), bytes(16))
    message = refused(read_tensors, given_file(tmp_path, data), 0.5, 50)
    assert "tensor 'b' " in message
    assert reason.replace("[0, 12]", "[8, 20]").replace("[0, ", "[8, ") in message


@pytest.mark.parametrize(
    ("first", "second", "size"),
    [
        ("[0,8]", "[4,12]", 12),
        ("[0,8]", "[0,8]", 8),
        ("[0,8]", "[12,20]", 20),
        ("[0,8]", "[8,12]", 16),
        ("[0,8]", "[-8,0]", 16),
        ("[0,8]", "[16,8]", 16),
        ("[0,8]", "[8]", 16),
        ("[0,8]", "[8,16,16]", 16),
        ("[0,8]", "[8.0,16.0]", 16),
        ("[0,8]", "[8,16]", 12),
        ("[0,8]", "[8,18446744073709551624]", 16),
        ("[0,8]", "null", 16),
    ],
)
def test_D16_offsets(tmp_path, first, second, size):
    """Tensors that overlap, leave gaps, run backwards or past the end are refused, naming the first."""
    data = forged(entry("a", offsets=first) + "," + entry("b", offsets=second), bytes(size))
    assert "tensor 'b' " in refused(read_tensors, given_file(tmp_path, data), 0.5, 50)


def test_D16_minus_zero(tmp_path):
    """A number that our check takes and safetensors refuses still ends in one line."""
    data = forged(entry(offsets="[-0,8]"), bytes(8))
    assert "is not a lookalike" in refused(read_tensors, given_file(tmp_path, data))


@pytest.mark.parametrize("dtype", ['"BF16"', '"F8_E4M3"', '"I32"', '"C64"', '"f32"', "null", "4", '["F32"]'])
def test_dtypes_that_we_do_not_write(tmp_path, dtype):
    """Only the five dtypes that we write are read."""
    message = refused(read_tensors, given_file(tmp_path, forged(entry(dtype=dtype), bytes(8))))
    assert "tensor 'w' has dtype " in message
    assert "expected one of F16, F32, F64, I64, U8, BOOL" in message


@pytest.mark.parametrize(("count", "reason"), [(300_000, "bytes long"), (9000, "it has 9000 tensors, at most 8192")])
def test_D17_too_many_tensors(tmp_path, count, reason):
    """300,000 empty tensors, and 9,000 whose header is short enough, are refused quickly."""
    data = forged(",".join(entry(f"t{i}", shape="[0]", offsets="[0,0]") for i in range(count)))
    assert reason in refused(read_tensors, given_file(tmp_path, data), 0.5, 50)


@pytest.mark.parametrize(
    "name", ["../../etc/x", "a/../b", "/etc/x", "..", "", "a b", "a\\b", "a\nb", "ü", "\x1b[31m", "x" * 201, "<b>"]
)
def test_D18_unsafe_tensor_names(tmp_path, name):
    """A tensor's name that could be a path out, or more than plain text, is refused and shown escaped."""
    message = refused(read_tensors, given_file(tmp_path, forged(entry(name), bytes(8))), 0.5, 50)
    assert "has a name that is not made of letters, digits and _.-/" in message


@pytest.mark.parametrize("name", ["model.safetensors", "model.json"])
def test_D19_every_byte_flipped(model, name):
    """Whichever byte of a model changes, by one bit or by all, the model is refused."""
    data = (model / name).read_bytes()
    for position in range(len(data)):
        for mask in (0xFF, 1 << position % 8):
            given_file(model, data[:position] + bytes([data[position] ^ mask]) + data[position + 1 :], name)
            with pytest.raises(ModelError) as caught:
                load_model(model)
            assert str(caught.value).isprintable()
    given_file(model, data, name)
    assert load_model(model)[1] == FACTS


def test_D19_other_white_space(model):
    """Even white space that leaves the same JSON is refused, and so are other spellings of the same facts."""
    card = (model / "model.json").read_text()
    for other in (card.replace("\n", " "), json.dumps(json.loads(card)), card.replace("0.5", "0.50"), card[:-1]):
        given_file(model, other.encode(), "model.json")
        assert "was damaged or changed since it was written" in refused(load_model, model)


def test_D19_files_of_two_models(model, tmp_path_factory):
    """The weights of one model under the facts of another are refused."""
    other = tmp_path_factory.mktemp("other")
    save_model(other, {"D.bias": torch.zeros(2)}, FACTS)
    shutil.copy(other / "model.safetensors", model)
    assert "it is not the file that its model.json was written for" in refused(load_model, model)


def test_D19_edited_threshold(model):
    """A threshold that was edited by hand is refused."""
    card = (model / "model.json").read_text()
    given_file(model, card.replace("0.5", "0.9").encode(), "model.json")
    assert "model.json is not a lookalike" in refused(load_model, model)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"G.weight": torch.full((2, 3), float("nan"))}, "tensor 'G.weight' holds NaN or infinity"),
        ({"D.bias": torch.tensor([1.0, float("-inf")])}, "tensor 'D.bias' holds NaN or infinity"),
        ({"D.bias": torch.tensor([1, 2])}, "tensor 'D.bias' has dtype torch.int64, expected torch.float32"),
        ({"D.bias": torch.ones(2).double()}, "tensor 'D.bias' has dtype torch.float64, expected torch.float32"),
        ({"D.bias": torch.ones(3)}, "tensor 'D.bias' has shape (3,), expected (2,)"),
        ({"D.bias": torch.tensor(1.0)}, "tensor 'D.bias' has shape (), expected (2,)"),
        ({"D.bias": None}, "tensor 'D.bias' is missing"),
        ({"E.bias": torch.ones(2)}, "tensor 'E.bias' is not part of the network"),
        ({"G.weight": None, "D.bias": None, "conv.weight": torch.ones(2)}, "tensor 'G.weight' is missing"),
        ({"G.weight": torch.ones(5), "D.bias": torch.ones(3)}, "tensor 'G.weight' has shape (5,), expected (2, 3)"),
    ],
    ids=["D20-nan", "D20-inf", "D21-i64", "D21-f64", "D22", "D22-scalar", "D23-missing", "D23-extra", "D24", "first"],
)
def test_D20_to_D24_weights_of_another_network(tmp_path, change, reason):
    """Weights that a network cannot take are refused, naming the first tensor, its state and what was expected."""
    given = {name: tensor for name, tensor in {**tensors(), **change}.items() if tensor is not None}
    write_tensors(tmp_path / "a.safetensors", given, {})
    got = read_tensors(tmp_path / "a.safetensors")[0]
    assert f"a.safetensors is not a lookalike model or checkpoint: {reason};" in refused(
        lambda path: match(got, tensors(), path), "a.safetensors"
    )


def golden_tensors():
    """What was written into the golden files of schema 1."""
    return {
        "G.0.weight": torch.arange(-6, 6, dtype=torch.float32).reshape(2, 3, 2, 1) / 7,
        "D.bias": torch.tensor([1e-45, -0.0, 3.4028235e38]),
        "Adam.step": torch.tensor(12800),
        "rng": torch.arange(0, 256, 51, dtype=torch.uint8),
        "scores": torch.tensor([0.1, 0.2], dtype=torch.float64),
        "mask": torch.tensor([True, False, True]),
        "none": torch.zeros(0, 4),
    }


def test_D25_golden_model_of_schema_1():
    """A model of schema 1 is read with exactly the values it was written with, forever."""
    got, facts = load_model(GOLDEN / "model_v1")
    match(got, golden_tensors(), "golden")
    for name, tensor in golden_tensors().items():
        assert got[name].numpy().tobytes() == tensor.numpy().tobytes()
    assert facts == {
        "kind": "gan",
        "method": {"name": "anogan"},
        "shape": [1, 8, 8],
        "classes": {"known": ["Coat", "Müller <b>", "bad\udcff"], "against": []},  # as schema 1 called extra fakes
        "threshold": 0.1,
        "training": {"images": 12800, "seconds": 1.5},
        "settings": {"lam": 0.2, "size": [8, 8], "open": None},
    }


def test_D25_golden_checkpoint_of_schema_1():
    """A checkpoint of schema 1 is read with exactly the values it was written with, forever."""
    got, facts = newest_checkpoint(GOLDEN / "checkpoints_v1", pytest.fail)
    match(got, golden_tensors(), "golden")
    assert torch.equal(got["G.0.weight"], golden_tensors()["G.0.weight"])
    assert facts == {"step": 100}


def test_D26_newer_schema(model):
    """A model or checkpoint of a newer schema says so, whatever else changed, and asks for an update."""
    path = given_file(model, forged("", schema="2"), "new.safetensors")
    assert refused(read_tensors, path).endswith(
        "new.safetensors was made by a newer lookalike (schema 2, this one reads 1); update lookalike"
    )
    card = {**json.loads((model / "model.json").read_text()), "schema": 7, "fancy": 1}
    files.write_json(model / "model.json", card)
    assert "model.json was made by a newer lookalike (schema 7, this one reads 1)" in refused(load_model, model)


@pytest.mark.parametrize("schema", ["0", "-1", "true", "1.0", '"1"', "null", "[1]"])
def test_D25_schemas_that_never_were(tmp_path, schema):
    """A schema that is no number of a version is refused."""
    message = refused(read_tensors, given_file(tmp_path, forged("", schema=schema)))
    assert "the field 'schema' is " in message
    assert "expected 1" in message


def published(folder, **changes):
    """A model folder, whole and with right digests, whose facts are changed; None removes a field."""
    facts = {name: value for name, value in {**FACTS, **changes}.items() if value is not ...}
    digest = write_tensors(folder / "model.safetensors", tensors(), facts)
    files.write_json(folder / "model.json", checkpoint._card(facts, digest))
    return folder


def test_D27_unknown_and_missing_fields(tmp_path):
    """A field that this version does not know is refused, and one that it needs is missed by name."""
    assert load_model(published(tmp_path))[1] == FACTS
    assert "the field 'code' is unknown; there are schema, sha256, kind" in refused(
        load_model, published(tmp_path, code="os.system")
    )
    for name in FACTS:
        assert f"the field '{name}' is missing" in refused(load_model, published(tmp_path, **{name: ...}))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("kind", 1),
        ("kind", "x" * 101),
        ("method", "anogan"),
        ("method", ["anogan"]),
        ("shape", [1, 0, 8]),
        ("shape", [1, 8, 8, 8]),
        ("shape", []),
        ("shape", [8.0]),
        ("shape", "8"),
        ("classes", "Coat"),
        ("classes", ["Coat"]),
        ("classes", {"known": "Coat"}),
        ("classes", {"known": [1]}),
        ("classes", {"known": [["Coat"]]}),
        ("classes", {"known": [""]}),
        ("classes", {"known": ["Coat", "Coat"]}),
        ("classes", {"known": ["x" * 256]}),
        ("classes", {"known": ["Coat"], "extra_fakes": [str(i) for i in range(10_001)]}),
        ("classes", None),
        ("threshold", "0.5"),
        ("threshold", True),
        ("threshold", [0.5]),
        ("training", []),
        ("settings", "<script>"),
    ],
)
def test_D28_facts_of_a_wrong_type(tmp_path, field, value):
    """A fact of a wrong type or without bounds is refused, though every digest is right."""
    message = refused(load_model, published(tmp_path, **{field: value}))
    assert f"model.json is not a lookalike model or checkpoint: the field '{field}' cannot be " in message


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("method", {"name": "vtgan", "z_dim": 50}),
        ("shape", [64]),
        ("classes", {"known": ["<script>alert(1)</script>"], "extra_fakes": ["Shirt"]}),
        ("threshold", None),
        ("threshold", -3),
    ],
)
def test_D28_facts_that_are_fine(tmp_path, field, value):
    """Text is data: markup in a class name is read as it stands."""
    assert load_model(published(tmp_path, **{field: value}))[1][field] == value


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e400"])
def test_D28_threshold_that_is_not_finite(model, number):
    """A threshold that is not a finite number is refused in both files."""
    card = (model / "model.json").read_text()
    given_file(model, card.replace("0.5", number).encode(), "model.json")
    assert f"{number} is not a finite number" in refused(load_model, model)
    path = given_file(model, forged("", facts=f'{{"threshold":{number}}}'))
    assert f"{number} is not a finite number" in refused(read_tensors, path)


def test_D28_ten_megabytes_of_text(model):
    """Text of 10 MB in either file is refused without reading it all."""
    given_file(model, json.dumps({**FACTS, "kind": "x" * 10_000_000}).encode(), "model.json")
    assert "model.json cannot be read: it is larger than 1048576 bytes" in refused(load_model, model, 0.5, 50)
    path = given_file(model, forged("", facts=json.dumps({"kind": "x" * 10_000_000})))
    assert "bytes long" in refused(read_tensors, path, 0.5, 50)


def test_a_plain_safetensors_file_is_not_ours(tmp_path):
    """Another program's safetensors file is refused as such."""
    save_file(tensors(), tmp_path / "a.safetensors", {"format": "pt", "lookalike": "1"})
    assert "lookalike did not write it" in refused(read_tensors, tmp_path / "a.safetensors")


def test_folders_without_a_model(tmp_path):
    """A missing folder, a file, an empty folder and unfinished training each say what to do."""
    for path in (tmp_path, tmp_path / "missing", given_file(tmp_path, b"x", "file")):
        assert "is not a lookalike model: there is no model.json in it; give the folder" in refused(load_model, path)
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    save_checkpoint(tmp_path / "run" / "checkpoints", 100, tensors(), {})
    assert refused(load_model, tmp_path / "run").endswith("run is not finished: run the same train command again")
    (tmp_path / "begun").mkdir()
    (tmp_path / "begun" / "config.json").write_text("{}")
    assert "is not finished" in refused(load_model, tmp_path / "begun")


def test_a_model_without_weights(model):
    """A model.json alone is refused, naming the missing file."""
    (model / "model.safetensors").unlink()
    assert "model.safetensors is lost; use another copy or train again" in refused(load_model, model)


def test_pipes_and_folders_are_not_read(tmp_path):
    """A pipe or folder in the place of a file is refused at once."""
    os.mkfifo(tmp_path / "model.json")
    assert "not a regular file" in refused(load_model, tmp_path)
    assert "not a regular file" in refused(read_tensors, tmp_path)


VICTIM = (GOLDEN / "checkpoints_v1" / "000012800.safetensors").read_bytes()
CHANGES = st.lists(
    st.tuples(
        st.integers(0, len(VICTIM)),
        st.integers(0, 6),
        st.one_of(
            st.binary(max_size=8),
            st.sampled_from(
                [b"-0", b"1e3", b'"', b"{", b"}", b"[", b",", b"\\", b"null", b"F64", b"BOOL", b"../", b"99"]
            ),
        ),
    ),
    min_size=1,
    max_size=4,
)


def mutated(changes):
    """The golden checkpoint with some bytes replaced, removed or put in."""
    data = bytearray(VICTIM)
    for position, length, new in changes:
        data[position : position + length] = new
    return bytes(data)


@settings(max_examples=300, derandomize=True, deadline=None)
@given(changes=CHANGES)
def test_mutations_are_refused(tmp_path_factory, changes):
    """Whatever bytes change, a file is refused by a ModelError unless it is the same file."""
    data = mutated(changes)
    path = given_file(tmp_path_factory.getbasetemp(), data, "mutated")
    if data == VICTIM:
        read_tensors(path)
    else:
        assert "is not a lookalike" in refused(read_tensors, path, 2)


def outcome(path):
    """The line of refusal, or an empty one and the tensors."""
    try:
        return "", read_tensors(path)[0]
    except ModelError as error:
        return str(error), {}


@settings(max_examples=300, derandomize=True, deadline=None)
@given(changes=CHANGES)
def test_mutations_under_a_right_digest(tmp_path_factory, changes):
    """A changed file whose digest is right is refused by a ModelError, or is a well-formed file of ours."""
    data = mutated(changes)
    length = int.from_bytes(VICTIM[:8], "little") + len(data) - len(VICTIM)
    path = given_file(tmp_path_factory.getbasetemp(), sealed(data[8 : 8 + length], data[8 + length :]), "resealed")
    refusal, got = outcome(path)
    assert refusal.isprintable()
    assert refusal or sum(tensor.nbytes for tensor in got.values()) == len(data) - 8 - length


# --- checkpoints ----------------------------------------------------------------------------------------------------


def save_step(folder, step):
    """A checkpoint whose every number is its step."""
    weights = {"G.weight": torch.full((64, 64), float(step)), "step": torch.tensor(step)}
    return save_checkpoint(folder, step, weights, {"images": step})


def test_checkpoints_are_kept_by_number(tmp_path):
    """The two newest stay, whatever the clock says, and other files are left alone."""
    (tmp_path / "notes.safetensors").write_bytes(b"mine")
    for step in (900, 12_800, 25_600, 1_000_000_000):
        path = save_step(tmp_path, step)
        os.utime(path, (2e9 - step, 2e9 - step))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "000025600.safetensors",
        "1000000000.safetensors",
        "notes.safetensors",
    ]
    got, facts = newest_checkpoint(tmp_path, pytest.fail)
    assert facts == {"images": 1_000_000_000}
    assert got["step"].item() == 1_000_000_000


def test_no_checkpoint(tmp_path):
    """An empty or missing folder has none, which is no error."""
    assert newest_checkpoint(tmp_path, pytest.fail) is None
    assert newest_checkpoint(tmp_path / "missing", pytest.fail) is None


def test_E1_a_half_written_checkpoint_does_not_count(tmp_path):
    """A temporary file of a killed save is no checkpoint."""
    save_step(tmp_path, 100)
    (tmp_path / "000000200.safetensors.part.7").write_bytes(b"half")
    assert newest_checkpoint(tmp_path, pytest.fail)[1] == {"images": 100}


def test_E8_a_damaged_newest_checkpoint_is_skipped(tmp_path):
    """The one before is used, and the warning names the damaged one in one line."""
    save_step(tmp_path, 100)
    path = save_step(tmp_path, 200)
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)
    warnings = []
    got, facts = newest_checkpoint(tmp_path, warnings.append)
    assert facts == {"images": 100}
    assert got["G.weight"].unique().tolist() == [100.0]
    assert len(warnings) == 1
    assert warnings[0].isprintable()
    assert warnings[0].startswith("skipped a damaged checkpoint: ")
    assert "000000200.safetensors is not a lookalike" in warnings[0]
    save_step(tmp_path, 150)
    assert [path.name[:9] for path in sorted(tmp_path.iterdir())] == ["000000100", "000000150"]


def test_E8_all_checkpoints_damaged(tmp_path):
    """When none can be read nothing is started from scratch behind the user's back."""
    for step in (100, 200):
        save_step(tmp_path, step).write_bytes(b"")
    warnings = []
    message = refused(lambda folder: newest_checkpoint(folder, warnings.append), tmp_path)
    assert "has only damaged checkpoints; delete it to train from the start" in message
    assert [line.split(".safetensors")[0][-9:] for line in warnings] == ["000000200", "000000100"] * 2


@pytest.mark.parametrize("call", ["open", "fdopen", "fsync", "replace", "fstat"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EACCES])
def test_E2_F1_a_failed_save_keeps_the_old_checkpoints(tmp_path, monkeypatch, call, number):
    """Whichever system call of a save fails, the earlier checkpoints are untouched and nothing is left behind."""
    save_step(tmp_path, 100)
    save_step(tmp_path, 200)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def fail(*_arguments):
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(os, call, fail)
        with pytest.raises(OutputError) as caught:
            save_step(tmp_path, 300)
    assert caught.value.exit_code == 5
    assert ("need " in str(caught.value)) == (number == errno.ENOSPC)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def save_until_killed(folder, step, pipe):
    """The child of the kill test: save, then acknowledge, without end."""
    while True:
        step += 1
        save_step(folder, step)
        os.write(pipe, struct.pack("<Q", step))


def killed_saver(folder, step, delay):
    """The last step that a saver acknowledged; it starts after `step` and is killed `delay` seconds after its first."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            save_until_killed(folder, step, writer)
        finally:
            os._exit(1)
    os.close(writer)
    with os.fdopen(reader, "rb") as acknowledged:
        first = acknowledged.read(8)
        time.sleep(delay)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        steps = first + acknowledged.read()
    return struct.unpack("<Q", steps[-8:])[0]


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_E1_forty_kills_of_a_save_lose_nothing(tmp_path):
    """Of 40 savers killed at a random moment none leaves an unreadable checkpoint or loses an acknowledged one."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    moments, step = random.Random(7), 0
    try:
        for _ in range(40):
            told = killed_saver(tmp_path, step, moments.uniform(0, 0.02))
            got, facts = newest_checkpoint(tmp_path, pytest.fail)
            assert facts["images"] in (told, told + 1)
            assert got["G.weight"].unique().tolist() == [float(facts["images"])]
            for path in tmp_path.glob("*.safetensors"):
                read_tensors(path)
            step = facts["images"]
    finally:
        torch.set_num_threads(threads)
    assert step >= 40
    with files.lock(tmp_path):
        assert not list(tmp_path.glob("*lookalike-part*"))
