"""Which classes look alike: the loss and the draws by hand, the counts, the ranking, the files and the refusals."""

from __future__ import annotations

import csv
import inspect
import io
import json
import math
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from clean_failure import assert_clean_failure
from PIL import Image
from tiny import call

from lookalike.base.errors import DataError, UsageError
from lookalike.data import Images, read
from lookalike.data.named import FASHION, TEN
from lookalike.faces.commands import compare as studies
from lookalike.use.confusion import draw as picture
from lookalike.use.embedding import Embedding, contrast, draw, learn
from lookalike.use.pairs import Choices, Found, find, neighbour_classes, papers_pairs

QUICK = Choices(steps=20)


def images(classes, each, *, seed=0, shape=(1, 8, 8)):
    """Random images, each class around a pattern of its own."""
    random = np.random.default_rng(seed)
    means = random.integers(40, 216, (classes, 1, *shape))
    pixels = (means + random.integers(-30, 31, (classes, each, *shape))).reshape(-1, *shape).astype(np.uint8)
    labels = np.repeat(np.arange(classes), each)
    return Images(pixels, labels, tuple(f"c{i}" for i in range(classes)), tuple(map(str, range(len(labels)))))


def saved(path, pixels, labels):
    """The path of an .npz with these arrays."""
    np.savez(path, images=pixels, labels=labels)
    return str(path)


# --- the embedding


def test_contrast_by_hand():
    """Cosines 1, 0 and 0.6, 0.8 at temperature 0.5: the mean of two cross-entropies with the diagonal as labels."""
    anchors = torch.tensor([[1.0, 0.0], [0.6, 0.8]])
    positives = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    first = -math.log(math.exp(2) / (math.exp(2) + math.exp(0)))
    second = -math.log(math.exp(1.6) / (math.exp(1.2) + math.exp(1.6)))
    assert contrast(anchors, positives, 0.5).item() == pytest.approx((first + second) / 2)


def test_a_draw_is_two_images_of_each_class():
    """Anchor and positive are members of their class, differ where the class has two, and all pairs come up."""
    members = [np.array([7]), np.array([2, 9]), np.array([1, 3, 5])]
    seen = [set(), set(), set()]
    for step in range(200):
        for k, two in enumerate(zip(*draw(members, 0, step), strict=True)):
            seen[k].add(tuple(int(i) for i in two))
    assert seen[0] == {(7, 7)} and seen[1] == {(2, 9), (9, 2)}
    assert seen[2] == {(a, b) for a in (1, 3, 5) for b in (1, 3, 5) if a != b}


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 32, 20), (1, 1, 32)])
def test_points_have_length_one(shape):
    """Any height and width, grey or RGB, becomes points of length 1 with the asked dimensions."""
    points = Embedding(shape[0], 5)(torch.rand(4, *shape) * 2 - 1)
    assert points.shape == (4, 5)
    torch.testing.assert_close(points.norm(dim=1), torch.ones(4))


def test_learning_brings_classes_together():
    """On easy classes the loss of fresh pairs falls below half of what it was at the start."""
    data = images(4, 20)
    members = [np.flatnonzero(data.labels == k) for k in range(4)]

    def loss(net):
        rows = np.concatenate(draw(members, 1, 0))
        points = net(torch.from_numpy(data.pixels[rows] / 127.5 - 1).float())
        return contrast(points[:4], points[4:], 0.2).item()

    before, after = (loss(learn(data.pixels, data.labels, steps=steps)) for steps in (0, 60))
    assert after < before / 2


# --- the read-out


def test_neighbours_by_hand():
    """Six points on a circle, two neighbours each: the counts are those of the nearest angles, never of the point."""
    angles = torch.tensor([0.0, 0.10, 0.25, 1.0, 1.15, 2.0])
    points = torch.stack([angles.cos(), angles.sin()], dim=1)
    labels = np.array([0, 0, 1, 1, 2, 2])
    # neighbours: 0 -> 1, 2; 1 -> 0, 2; 2 -> 1, 0; 3 -> 4, 2; 4 -> 3, 5; 5 -> 4, 3
    expected = [[50, 50, 0], [50, 25, 25], [0, 50, 50]]
    np.testing.assert_allclose(neighbour_classes(points, labels, Choices(neighbours=2, examples=None)), expected)


def test_no_image_is_its_own_neighbour_even_among_copies():
    """Of two copies each sees the other: with one image per class and a copy in the other class, all is confusion."""
    points = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    confusion = neighbour_classes(points, np.array([0, 1, 2, 3]), Choices(neighbours=1))
    expected = np.zeros((4, 4))
    expected[[0, 1, 2, 3], [1, 0, 3, 2]] = 100
    np.testing.assert_array_equal(confusion, expected)


def test_neighbours_equal_scikit_learns():
    """With all examples, the counts are those of scikit-learn's neighbours by cosine distance."""
    from sklearn.neighbors import NearestNeighbors

    points = torch.nn.functional.normalize(torch.randn(300, 6, generator=torch.Generator().manual_seed(0)))
    labels = np.arange(300) % 5
    nearest = NearestNeighbors(n_neighbors=10, metric="cosine").fit(points.numpy()).kneighbors(return_distance=False)
    expected = [[100 * np.mean(labels[nearest[labels == i]] == j) for j in range(5)] for i in range(5)]
    np.testing.assert_allclose(neighbour_classes(points, labels, Choices(examples=None)), expected)


@pytest.mark.parametrize("examples", [10, 3, 25, None])
def test_rows_sum_to_a_hundred(examples):
    """Rows are per cent for any number of examples; for ten they are the papers' counts, whole numbers."""
    confusion = find(images(3, 60), replace(QUICK, examples=examples, test=0.5)).confusion
    np.testing.assert_allclose(confusion.sum(axis=1), 100)
    if examples == 10:
        np.testing.assert_array_equal(confusion, np.rint(confusion))


def test_identical_classes_are_the_first_pair():
    """Two classes with the same images lead the ranking, and no other pair comes near."""
    data = images(5, 40)
    data.pixels[data.labels == 3] = data.pixels[data.labels == 1]
    first, second, *_ = find(data, replace(QUICK, steps=60, test=0.5)).ranked()
    assert (first.first, first.second) == ("c1", "c3")
    assert first.alike > 80 > 2 * second.alike


def test_the_same_seed_gives_the_same_bits():
    """Two runs agree to the bit; another seed draws and learns otherwise."""
    data = read("digits")
    first, again, other = (find(data, replace(QUICK, seed=seed)).confusion for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_ranking_and_the_papers_marks():
    """Pairs are ranked by C[i, j] + C[j, i], equal ones in the order of classes; the papers' are marked."""
    confusion = np.eye(10) * 90
    confusion[8, 3], confusion[3, 8], confusion[4, 9], confusion[0, 1] = 4, 3, 9, 7
    ranked = Found("mnist-5k", tuple("0123456789"), confusion, Choices()).ranked()
    told = [(pair.first, pair.second, pair.alike, pair.papers) for pair in ranked]
    assert told[:4] == [("4", "9", 9, True), ("0", "1", 7, False), ("3", "8", 7, True), ("0", "2", 0, False)]
    assert (ranked[2].ahead, ranked[2].back) == (3, 4)
    assert len(ranked) == 45 and sum(pair.papers for pair in ranked) == 3


def test_only_the_papers_data_is_marked():
    """Fashion-MNIST is known by its class names, MNIST by its name too: any data may call its classes 0 to 9."""
    assert papers_pairs("x", FASHION) == (("Sandal", "Ankle boot"), ("Coat", "Shirt"), ("Coat", "Pullover"))
    assert papers_pairs("MNIST", TEN) == (("8", "3"), ("9", "4"), ("9", "7"))
    assert papers_pairs("digits", TEN) == papers_pairs("mnist", FASHION[:9]) == papers_pairs("mnist", TEN[:9]) == ()


def test_official_test_images_are_the_unseen_ones():
    """What trains is the official train part: other test pixels leave the embedding as it was, and are counted."""
    data = read("digits")
    data = replace(data, test=np.arange(len(data)) % 2 == 1)
    changed = replace(data, pixels=np.where(data.test[:, None, None, None], 255 - data.pixels, data.pixels))
    learnt = []
    for some in (data, changed):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(
                "lookalike.use.pairs.learn", lambda *given, **more: learnt.append(learn(*given, **more)) or learnt[-1]
            )
            assert find(some, QUICK).confusion.shape == (10, 10)
    first, second = (net.state_dict() for net in learnt)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not np.array_equal(find(data, QUICK).confusion, find(changed, QUICK).confusion)


# --- what is left out, and what is refused


def test_a_class_with_too_few_images_is_left_out():
    """A class with one image is named in a warning and in no pair; the others are ranked."""
    data, told = images(4, 12), []
    found = find(data.select(np.flatnonzero((data.labels != 2) | (np.arange(48) == 24))), QUICK, warn=told.append)
    assert found.classes == ("c0", "c1", "c3") and len(found.ranked()) == 3
    assert "left out" in told[0] and told[0].endswith(": c2")
    assert "only 2 held-out images" in told[1] and "--neighbours" in told[1]


def test_a_hundred_classes():
    """A hundred classes of 20 images are ranked; the picture keeps the most alike and a size that can be seen."""
    found = find(images(100, 20), replace(QUICK, steps=5))
    assert found.confusion.shape == (100, 100) and len(found.ranked()) == 4950
    np.testing.assert_allclose(found.confusion.sum(axis=1), 100)
    with Image.open(io.BytesIO(picture(found.confusion, found.classes, found.classes))) as drawn:
        assert max(drawn.size) < 2200


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"temperature": 0}, "temperature is 0; give a value from 0.01 to 100"),
        ({"temperature": math.nan}, "temperature is nan"),
        ({"dimensions": 0}, "dimensions is 0"),
        ({"steps": 0}, "steps is 0"),
        ({"neighbours": 0}, "neighbours is 0"),
        ({"examples": -1}, "examples is -1"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_choices_out_of_range_are_refused(changes, words):
    """One line with the value and what is accepted."""
    with pytest.raises(UsageError, match=words):
        Choices(**changes)


def test_vectors_and_one_class_in_memory_are_refused():
    """Both are errors of the data, in one line."""
    data = images(2, 12)
    with pytest.raises(DataError, match="vectors"):
        find(replace(data, pixels=data.pixels.reshape(24, -1).astype(np.float32)), QUICK)
    with pytest.raises(DataError, match="held-out ones: 1; a pair needs two"):
        find(data.of("c0"), QUICK)


def refusals(tmp_path):
    """Arguments after `pairs`, the exit code, and words of the line."""
    pixels, labels = images(2, 12).pixels[:, 0], np.repeat(["a", "b"], 12)
    good = saved(tmp_path / "good.npz", pixels, labels)
    vectors = saved(tmp_path / "vectors.npz", pixels.reshape(24, -1).astype(np.float32) / 255, labels)
    deep = saved(tmp_path / "deep.npz", pixels.astype(np.int32), labels)
    folder = tmp_path / "folder"
    for name in ("a", "b"):
        (folder / name).mkdir(parents=True)
        for i in range(4):
            Image.fromarray(pixels[i]).save(folder / name / f"{i}.png")
    (folder / "b" / "bad.png").write_bytes(b"no image")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("mine")
    return {
        "vectors": ([vectors], 3, ["vectors"]),
        "one class": ([saved(tmp_path / "one.npz", pixels, ["a"] * 24)], 3, ["held-out ones: 1", "two"]),
        "two images": ([saved(tmp_path / "two.npz", pixels[:2], ["a", "b"])], 3, ["held-out ones: 0"]),
        "nothing held out": ([good, "--test", "0"], 3, ["held-out ones: 0"]),
        "not there": (["nowhere"], 3, ["nowhere"]),
        "unreadable": ([str(folder)], 3, ["bad.png", "--on-bad skip"]),
        "no range": ([deep], 3, ["--value-range"]),
        "inside": ([str(folder), "-o", str(folder / "out")], 2, ["among the images"]),
        "steps": ([good, "--steps", "0"], 2, ["steps is 0"]),
        "test": ([good, "--test", "1"], 2, ["test share is 1"]),
        "examples": ([good, "--examples", "some"], 2, ["some", "--examples"]),
        "full": ([good, "-o", str(tmp_path / "full")], 2, ["not empty"]),
        "a file": ([good, "-o", str(tmp_path / "full" / "mine")], 5, ["mine"]),
    }


REFUSED = (
    *(
        "vectors",
        "one class",
        "two images",
        "nothing held out",
        "not there",
        "unreadable",
        "no range",
        "inside",
        "steps",
    ),
    *("test", "examples", "full", "a file"),
)


@pytest.mark.parametrize("case", REFUSED)
def test_refused_by_the_command(case, tmp_path, capsys):
    """One line, the exit code of its kind, and nothing written."""
    argv, code, words = refusals(tmp_path)[case]
    assert_clean_failure(capsys, ["pairs", *argv], code, *words, kept=tmp_path)
    assert not (tmp_path / "folder" / "out").exists()


# --- files and the command


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """The command's folder for a data set with a hostile class name, and its arguments."""
    folder = tmp_path_factory.mktemp("pairs")
    labels = np.repeat(["a", 'b,"$x^2$"', "_c\x1b[31m\n", "d\u6f22"], 30)
    return folder / "out" / "pairs", [
        "pairs",
        saved(folder / "x.npz", images(4, 30).pixels[:, 0], labels),
        "--steps",
        "20",
    ]


def test_files_agree_with_what_is_printed(ran, capsys):
    """--json is pairs.json; pairs.csv has the same pairs with names escaped; the picture is a PNG; nothing else."""
    out, argv = ran
    code, said, _ = call(capsys, *argv, "-o", out, "--json")
    assert code == 0
    found = json.loads(said)
    assert found == json.loads((out / "pairs.json").read_text())
    assert sorted(path.name for path in out.iterdir()) == ["confusion.png", "pairs.csv", "pairs.json"]
    rows = list(csv.DictReader((out / "pairs.csv").read_text("utf-8").splitlines()))
    assert len(rows) == len(found["pairs"]) == 6
    escaped = {"_c\x1b[31m\n": "_c\\x1b[31m\\n"}
    for line, pair in zip(rows, found["pairs"], strict=True):
        assert line == {name: escaped.get(value, str(value)) for name, value in pair.items()}
    matrix, at = np.array(found["confusion"]), found["classes"].index
    for pair in found["pairs"]:
        i, j = at(pair["first"]), at(pair["second"])
        assert (pair["ahead"], pair["back"], pair["alike"]) == (matrix[i, j], matrix[j, i], matrix[i, j] + matrix[j, i])
    assert found["choices"] == asdict(Choices(steps=20))
    with Image.open(out / "confusion.png") as drawn:
        assert drawn.format == "PNG" and min(drawn.size) > 400


def test_the_same_command_gives_the_same_files(ran, tmp_path, capsys):
    """CSV, JSON and picture repeat to the bit."""
    _, argv = ran
    for name in ("one", "two"):
        assert call(capsys, *argv, "-o", tmp_path / name)[0] == 0
    for name in ("confusion.png", "pairs.csv", "pairs.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_text_for_people(capsys):
    """The ten first pairs of digits' 45 with their numbers, then what the number means."""
    argv = ["pairs", "digits", "--steps", "20", "--examples", "all"]
    found = json.loads(call(capsys, *argv, "--json")[1])
    _, said, err = call(capsys, *argv)
    head, *lines, last = said.splitlines()
    assert call(capsys, *argv[:-2])[1] == said
    assert call(capsys, *argv[:-1], "10")[1].splitlines()[-1].endswith("--examples all takes every test image")
    assert head.split() == ["rank", "class", "looks", "like", "alike", "there", "back"] and len(lines) == 10
    for line, pair in zip(lines, found["pairs"], strict=False):
        numbers = [f"{pair[name]:.1f}" for name in ("alike", "ahead", "back")]
        assert line.split() == [str(pair["rank"]), pair["first"], pair["second"], *numbers]
    assert last.startswith("alike: ") and err == "training: 20 steps\n"


def test_unreadable_images_can_be_skipped(tmp_path, capsys):
    """--on-bad skip leaves them out and says so."""
    argv, _, _ = refusals(tmp_path)["unreadable"]
    code, _, err = call(capsys, "pairs", *argv, "--steps", "2", "--on-bad", "skip", "--max-bad", "0.5")
    assert code == 0 and "images left out because they cannot be read: 1, first b/bad.png" in err


def test_the_flags_defaults_are_the_librarys():
    """Each choice is a flag of the same name and default; the flag's all is the library's None."""
    flags = inspect.signature(studies.pairs).parameters
    assert {name: flags[name].default for name in asdict(Choices())} == asdict(Choices()) | {"examples": "all"}


def test_the_picture_shows_numbers_and_frames():
    """A value below half a per cent is blank, the papers' pairs are framed: the bytes tell, and not the order."""
    confusion = np.array([[90.0, 9.6, 0.4], [5.0, 95.0, 0.0], [0.0, 0.0, 100.0]])
    plain = picture(confusion, "abc", "abc")
    assert plain == picture(confusion, "abc", "cba")
    assert plain != picture(confusion, "abc", "abc", [("b", "a")])
    orange = np.array([0xD0, 0x60, 0x3A])
    framed = np.asarray(Image.open(io.BytesIO(picture(confusion, "abc", "abc", [("b", "a")]))).convert("RGB"))
    assert (framed == orange).all(axis=2).sum() > 500
