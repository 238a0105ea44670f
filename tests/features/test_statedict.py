"""Published weights are read as torch reads them, and nothing that lies in such a file runs."""

from __future__ import annotations

import io
import pickle
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from lookalike.base.errors import ModelError
from lookalike.features import faces, statedict
from lookalike.features.efficientnet import LITE0, LITE1, LITE2
from lookalike.features.nets.mtcnn import proposal


def stored(value: object, *, zipped: bool) -> bytes:
    """A file of torch's."""
    buffer = io.BytesIO()
    torch.save(value, buffer, _use_new_zipfile_serialization=zipped)
    return buffer.getvalue()


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    """Names in order, dtypes and bits."""
    return list(one) == list(other) and all(torch.equal(one[k], other[k]) for k in other)


def weights_of_lites() -> list[Path]:
    """The files of those that are installed."""
    packages = {lite: find_spec(lite.package.replace("-", "_")) for lite in (LITE0, LITE1, LITE2)}
    return [Path(spec.origin).parent / "models" / lite.file for lite, spec in packages.items() if spec]


@pytest.mark.parametrize(
    "path",
    [
        *weights_of_lites(),
        *(Path(find_spec(faces.PACKAGE).origin).parent / "data" / name for name, _, _ in faces.FILES),
    ],
    ids=lambda path: path.name,
)
def test_published_weights_are_those_that_torch_reads(path):
    """Every tensor of each file that we read equals torch's own reading, to the bit."""
    assert same(statedict.tensors(path.read_bytes()), torch.load(path, weights_only=True))


@pytest.mark.parametrize("zipped", [True, False])
def test_both_formats_of_torch(zipped):
    """Layers, whole numbers, a transposed tensor, a part of one and two of one storage come back as they were."""
    tensors = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4)).state_dict()
    tensors["turned"] = torch.arange(6.0).reshape(2, 3).T
    tensors["part"] = torch.arange(10.0)[3:5]
    tensors["again"] = tensors["0.bias"]
    assert same(statedict.tensors(stored(tensors, zipped=zipped)), tensors)


class Payload:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("zipped", [True, False])
def test_nothing_in_a_file_runs(tmp_path, zipped):
    """A file that would run something is refused and runs nothing."""
    marker = tmp_path / "marker"
    with pytest.raises(ModelError, match="are not a dict of tensors"):
        statedict.tensors(stored({"weight": Payload(marker)}, zipped=zipped))
    assert not marker.exists()


@pytest.mark.parametrize("cut", [0, 10, 200, -10])
def test_damaged_files_are_refused(cut):
    """Empty, cut, or another archive: one error, whatever is missing."""
    data = stored(torch.nn.Linear(3, 2).state_dict(), zipped=False)
    with pytest.raises(ModelError, match="are not a dict of tensors"):
        statedict.tensors(data[:cut])
    other = io.BytesIO()
    zipfile.ZipFile(other, "w").close()
    with pytest.raises(ModelError, match="are not a dict of tensors"):
        statedict.tensors(other.getvalue())
    for value in ({"epoch": 3}, [1, 2]):
        with pytest.raises(ModelError, match="are not a dict of tensors"):
            statedict.tensors(stored(value, zipped=True))
    with pytest.raises(ModelError, match="are not a dict of tensors"):
        statedict.tensors(pickle.dumps([1, 2], protocol=2))


def test_another_file_is_named(tmp_path):
    """A file with another SHA-256 is not read at all."""
    (tmp_path / "weights.pth").write_bytes(b"something else")
    with pytest.raises(ModelError, match=r"weights.pth is not the published file \(its SHA-256 is not 12345678"):
        statedict.read(tmp_path / "weights.pth", 100, "12345678")


def test_networks_are_filled_by_name_or_in_order():
    """The same names in another order find their places; other names are taken in order; other shapes are refused."""
    net, like = proposal(), proposal().state_dict()
    statedict.fill(net, dict(reversed(like.items())))
    assert same(net.state_dict(), like)
    statedict.fill(net, {str(i): value + 1 for i, value in enumerate(like.values())})
    assert all(torch.equal(net.state_dict()[name], value + 1) for name, value in like.items())
    with pytest.raises(ModelError, match="other shapes than the published network; download them again"):
        statedict.fill(net, dict(list(like.items())[:-1]))
