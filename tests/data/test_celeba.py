"""CelebA's aligned faces: which class each is of, what is cut away, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from official import celeba_files

from lookalike.base.errors import DataError
from lookalike.data import celeba, named, read

FACES = [(0, 0, 89), (0, 1, 89), (1, 0, 83), (1, 1, 95), (1, 1, 82), (0, 0, 96), (0, 1, 120)]
LABELS = [0, 1, 2, 3, 4, 4, 4]


@pytest.mark.parametrize("official_folders", [False, True])
def test_faces_are_sorted_into_five_classes(official_folders, tmp_path):
    """From the front by gender and mouth; rotated where the nose is outside .35 to .65 of the way between the eyes."""
    pixels = celeba_files(tmp_path / "faces", FACES, official_folders=official_folders)
    images = read(tmp_path / "faces")
    assert images.classes == ("female-closed", "female-open", "male-closed", "male-open", "rotated")
    assert images.labels.tolist() == LABELS
    assert images.names == tuple(f"img_align_celeba/{i:06d}.jpg" for i in range(1, 8))
    assert images.test.tolist() == [False, False, True, False, False, True, False]
    assert images.pixels.shape == (7, 3, 108, 84)
    assert np.abs(images.pixels.astype(int) - pixels[:, :, 69:177, 47:131]).max() <= 4


def test_the_background_is_cut_away_as_in_the_authors_code():
    """Eyes at 111 and mouth at 153 give the unit 42: 42 above the eyes, 42 below the nose, and 42 on either side."""
    face = dict(zip(celeba.WHERE, (69, 109, 109, 113, 89, 135, 152, 154), strict=True))
    assert celeba._box(face) == (slice(69, 177), slice(47, 131))
    assert celeba._box(face | {"nose_x": 30, "nose_y": 200}) == (slice(69, 218), slice(0, 72))  # within the picture
    assert celeba._box(face | {"lefteye_y": 300, "righteye_y": 300}) == (slice(217, 218), slice(88, 90))


def test_what_is_cut_is_what_is_scaled(tmp_path):
    """The rows above the face, which are bright, are gone at 64 px too; faces may have sizes of their own."""
    celeba_files(tmp_path, FACES)
    list_file = tmp_path / "list_landmarks_align_celeba.txt"
    list_file.write_text(list_file.read_text().replace(" 72 152 108 154", " 72 142 108 144", 1))
    source = celeba.read_folder(tmp_path)
    assert list(source.sizes()) == [(88, 64), *[(108, 84)] * 6]
    assert [picture.pixels.shape[:2] for picture in source.pictures()] == list(source.sizes())
    images = read(tmp_path, size=(64, 64))
    assert images.pixels.shape == (7, 3, 64, 64)
    assert images.pixels[0].max() < 100


def test_the_band_is_the_authors():
    """Both ends of the band are in front; eyes that are not apart make a rotated face."""
    told = {"Male": 1.0, "Mouth_Slightly_Open": -1.0}
    face = {"lefteye_x": 0.0, "righteye_x": 100.0}
    found = [celeba._class(told, face | {"nose_x": nose}) for nose in (34.0, 35.0, 50.0, 65.0, 66.0)]
    assert found == [4, 2, 2, 2, 4]
    assert celeba._class(told, {"lefteye_x": 5.0, "righteye_x": 5.0, "nose_x": 5.0}) == 4


def test_the_name_finds_the_folder(tmp_path, monkeypatch, clean):
    """LOOKALIKE_DATA/celeba, or LOOKALIKE_DATA itself, else the message says what to get; no list, no test part."""
    monkeypatch.setenv(named.FOLDER_VARIABLE, str(tmp_path))
    with pytest.raises(DataError) as caught:
        read("celeba")
    clean(caught.value, "'celeba'", "img_align_celeba", named.FOLDER_VARIABLE, str(tmp_path))
    celeba_files(tmp_path / "celeba", FACES)
    assert read("celeba").labels.tolist() == LABELS
    (tmp_path / "celeba" / "list_eval_partition.txt").unlink()
    monkeypatch.setenv(named.FOLDER_VARIABLE, str(tmp_path / "celeba"))
    assert read("celeba").test is None


BROKEN = {
    "list_attr_celeba.txt": [
        (lambda old: old.replace("Male", "Female"), "has no column Male"),
        (lambda old: "\n".join(old.split("\n")[:-2]) + "\n", "6 rows, but its first line says 7"),
        (lambda old: old.replace("000003.jpg -1  1", "000003.jpg -1  x"), "damaged in line 5"),
        (lambda old: old.replace("000002.jpg", "../../secret.jpg"), "../../secret.jpg"),
    ],
    "list_landmarks_align_celeba.txt": [
        (lambda old: old.replace("000004.jpg", "000009.jpg"), "only one of them names 000004.jpg"),
        (lambda old: "", "has no column lefteye_x"),
    ],
    "list_eval_partition.txt": [(lambda old: old.replace("000007.jpg 0\n", ""), "it does not name 000007.jpg")],
}
CASES = [(name, change, words) for name, cases in BROKEN.items() for change, words in cases]


@pytest.mark.parametrize(("name", "change", "words"), CASES, ids=[words for _, _, words in CASES])
def test_a_damaged_list_is_named(name, change, words, tmp_path, clean):
    """Columns, rows or numbers that are not the official ones: one line with the file and what is wrong."""
    celeba_files(tmp_path, FACES)
    old = (tmp_path / name).read_text()
    assert change(old) != old
    (tmp_path / name).write_text(change(old))
    with pytest.raises(DataError) as caught:
        read(tmp_path)
    clean(caught.value, name, words)


def test_a_missing_or_small_image_is_named(tmp_path, clean):
    """A listed face that is not there, or is no aligned one, is refused by its name."""
    from PIL import Image

    celeba_files(tmp_path, FACES)
    Image.new("RGB", (64, 64)).save(tmp_path / "img_align_celeba" / "000005.jpg")
    with pytest.raises(DataError) as caught:
        read(tmp_path)
    clean(caught.value, "000005.jpg", "not 218 x 178")
    (tmp_path / "img_align_celeba" / "000002.jpg").unlink()
    with pytest.raises(DataError) as caught:
        read(tmp_path)
    clean(caught.value, "000002.jpg")


@pytest.mark.parametrize("name", ["img_align_celeba", "list_attr_celeba.txt", "list_landmarks_align_celeba.txt"])
def test_each_part_is_needed(name, tmp_path, clean):
    """Without the images or one of the lists the message names it."""
    celeba_files(tmp_path / "faces", FACES)
    (tmp_path / "faces" / name).rename(tmp_path / "away")
    with pytest.raises(DataError) as caught:
        read(tmp_path / "faces")
    clean(caught.value, name, "is missing")
