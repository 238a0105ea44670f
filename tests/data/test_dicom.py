"""DICOM files: windows, rescaled values, inverted grey, colours, frames, and what is refused."""

from __future__ import annotations

import io

import numpy as np
import pytest

from lookalike.data import check, dicom, gate, read
from lookalike.data.source import Refused

VALUES = np.array([[0, 100, 200], [300, 400, 4000]], np.uint16)


def written(values, kind="MONOCHROME2", bits=None, **tags):
    """The bytes of a DICOM file with these values (H, W), (H, W, 3) or (N, H, W)."""
    pydicom = pytest.importorskip("pydicom")
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

    meta = FileMetaDataset()
    meta.TransferSyntaxUID, meta.MediaStorageSOPClassUID = ExplicitVRLittleEndian, SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    data = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    colour = values.shape[-1] == 3 and values.ndim == 3 and kind == "RGB"
    data.SamplesPerPixel, data.PhotometricInterpretation = (3 if colour else 1), kind
    if colour:
        data.PlanarConfiguration = 0
    frames = values.ndim == 3 and not colour
    if frames:
        data.NumberOfFrames = len(values)
    data.Rows, data.Columns = values.shape[1:] if frames else values.shape[:2]
    stored = 8 * values.dtype.itemsize
    data.BitsAllocated, data.BitsStored, data.HighBit = stored, bits or stored, (bits or stored) - 1
    data.PixelRepresentation = int(values.dtype.kind == "i")
    for name, value in tags.items():
        setattr(data, name, value)
    data.PixelData = values.tobytes() + b"\0" * (values.nbytes % 2)
    file = io.BytesIO()
    pydicom.dcmwrite(file, data, enforce_file_format=True)
    return file.getvalue()


@pytest.fixture
def raw(tmp_path):
    """The picture that the gate reads of these bytes."""

    def decode(content, name="x.dcm", **options):
        (tmp_path / name).write_bytes(content)
        return gate.decode(tmp_path / name, **options)

    return decode


def test_the_window_gives_black_and_white(raw):
    """Centre 200 and width 400 map 0 to black and 400 to white; values outside become these."""
    picture = raw(written(VALUES, WindowCenter=200, WindowWidth=400))
    assert picture.pixels[..., 0].tolist() == [[0, 64, 128], [191, 255, 255]]
    assert (picture.format, picture.frames, picture.renamed) == ("DICOM", False, False)


def test_the_first_of_several_windows_counts(raw):
    """A file may have several windows."""
    picture = raw(written(VALUES, WindowCenter=[200, 50], WindowWidth=[400, 10]))
    assert picture.pixels[..., 0].tolist() == [[0, 64, 128], [191, 255, 255]]


def test_values_are_rescaled_before_the_window(raw):
    """Hounsfield units: slope 1 and intercept -200."""
    picture = raw(written(VALUES, WindowCenter=0, WindowWidth=400, RescaleSlope=1, RescaleIntercept=-200))
    assert picture.pixels[..., 0].tolist() == [[0, 64, 128], [191, 255, 255]]


def test_a_value_range_counts_more_than_a_window(raw):
    """The user's range maps all values, and one outside is refused as of any image."""
    content = written(VALUES, WindowCenter=200, WindowWidth=400)
    assert raw(content, value_range=(0, 4000)).pixels[0, :, 0].tolist() == [0, 6, 13]
    with pytest.raises(Refused, match="values from 0 to 4000, where 0 to 400 is expected"):
        raw(content, value_range=(0, 400))


@pytest.mark.parametrize("options", [{}, {"value_range": (0, 400)}])
def test_inverted_grey_is_turned_round(options, raw):
    """MONOCHROME1 calls the least value white."""
    picture = raw(written(VALUES[:, :2], "MONOCHROME1", WindowCenter=200, WindowWidth=400), **options)
    assert picture.pixels[..., 0].tolist() == [[255, 191], [64, 0]]


def test_many_bits_without_a_window_need_a_range(raw):
    """Nobody knows what is black and white there; 8 bits say it themselves."""
    with pytest.raises(Refused, match=r"float values, here 0 to 4000, have no fixed black and white; .*--value-range"):
        raw(written(VALUES))
    assert raw(written((VALUES % 256).astype(np.uint8))).pixels[..., 0].tolist() == (VALUES % 256).tolist()


def test_colours_and_frames(raw, make):
    """RGB is read as it is; of several frames the first is used, and counted."""
    pixels = make.photo(6, 5)
    assert (raw(written(pixels, "RGB")).pixels == pixels).all()
    frames = np.stack([make.photo(6, 5, 1, seed=i) for i in range(3)])
    picture = raw(written(frames))
    assert (picture.pixels[..., 0] == frames[0]).all()
    assert picture.frames


def test_size_and_folder(folder, make):
    """The file is an image like others in a folder, whatever its suffix."""
    content = written(make.photo(12, 10, 1))
    root = folder({"a/x.dcm": content, "a/y.DICOM": content, "a/z.png": make.photo(12, 10, 1)})
    assert read(root).names == ("a/x.dcm", "a/y.DICOM", "a/z.png")
    assert gate.size(root / "a/x.dcm") == (12, 10)
    assert check(root).formats == {"DICOM": 2, "PNG": 1}


@pytest.mark.parametrize(
    "cut", [lambda b: b[:140], lambda b: b[:300], lambda b: b[:-30], lambda b: bytes(128) + b"DICM"]
)
def test_a_damaged_file_is_refused(cut, refused, make):
    """A cut file is refused like any other."""
    assert "damaged" in refused(cut(written(make.photo(12, 10, 1))), "bad.dcm")


def test_a_file_that_claims_too_many_pixels_is_refused(raw):
    """The header is checked before anything is decoded."""
    content = written(np.zeros((4, 4), np.uint8)).replace(
        b"\x28\x00\x10\x00US\x02\x00\x04\x00", b"\x28\x00\x10\x00US\x02\x00\xff\xff"
    )
    content = content.replace(b"\x28\x00\x11\x00US\x02\x00\x04\x00", b"\x28\x00\x11\x00US\x02\x00\xff\xff")
    with pytest.raises(Refused, match="too large: 65535 x 65535"):
        raw(content)


def test_without_pydicom_files_are_counted_with_what_to_do(folder, make, monkeypatch):
    """A line has their number and the extra."""
    monkeypatch.setattr(dicom, "reads_dicom", lambda: False)
    content = bytes(128) + b"DICM" + bytes(50)
    root = folder(
        {"a/x.png": make.photo(), **{f"b/{i}.dcm": content for i in range(20)}, "b/y.png": make.photo(seed=1)}
    )
    (what, count), *others = check(root).ignored_reasons().items()
    assert what.startswith(
        ".dcm files are not read: install the extra dicom (pip install '.[dicom]' in the folder with"
    )
    assert (count, others) == (20, [])


def test_without_pydicom_another_suffix_is_seen_through(monkeypatch, refused):
    """A DICOM file called .png is refused as what it is."""
    monkeypatch.setattr(dicom, "reads_dicom", lambda: False)
    assert "a DICOM file; install the extra dicom" in refused(bytes(128) + b"DICM" + bytes(50))


def test_a_file_without_an_image_says_so(tmp_path):
    """DICOM files that hold a report or a plan are no damaged images, and no internal name is printed."""
    pydicom = pytest.importorskip("pydicom")
    data = pydicom.dcmread(io.BytesIO(written(VALUES)))
    del data.Rows, data.Columns, data.PixelData
    data.save_as(tmp_path / "report.dcm")
    with pytest.raises(Refused, match="no image in it"):
        gate.decode(tmp_path / "report.dcm")
