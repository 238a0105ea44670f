"""What Python users give, and what they keep: names as texts or numbers, pictures, paths with ~, their own process."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import warnings

import numpy as np
import pytest
import torch
from PIL import Image

import lookalike
from lookalike.base.errors import DataError, UsageError
from lookalike.data import Images
from lookalike.faces.estimators import LookalikeDetector, OpenSetClassifier
from lookalike.faces.oversampler import GANOverSampler
from lookalike.runs import settings as settings_of_runs
from lookalike.runs.settings import train_settings
from lookalike.use.generate import generators

QUICK = {"images": 64, "width": 4, "z": 8, "size": (8, 8), "search_steps": 3, "false_alarms": 0.3, "threads": 3}


def stripes(k, n=40, side=8, seed=0):
    """(n, side, side) uint8, stripes of width k + 2 with noise."""
    clean = 40 + 120 * (np.mgrid[:side, :side][1] // (k + 2) % 2)
    return (clean + np.random.default_rng([seed, k]).normal(0, 8, (n, side, side))).clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Class folders a, b, c and 3 with 40 images of 8 x 8 each."""
    root = tmp_path_factory.mktemp("classes")
    for k, name in enumerate(["a", "b", "c", "3"]):
        (root / name).mkdir()
        for i, pixels in enumerate(stripes(k)):
            Image.fromarray(pixels).save(root / name / f"{i:03d}.png")
    return root


# --- names of classes and words


@pytest.mark.parametrize(
    ("given", "known"),
    [
        ("a", ("a",)),
        (["a", "b"], ("a", "b")),
        (("b", "a"), ("b", "a")),
        ({"b", "a"}, ("a", "b")),
        (3, ("3",)),
        ((3, "a"), ("3", "a")),
        (np.int64(3), ("3",)),
        (np.array(["a", "b"]), ("a", "b")),
        ((name for name in "ab"), ("a", "b")),
    ],
    ids=["text", "list", "tuple", "set", "number", "mixed", "numpy number", "array", "generator"],
)
@pytest.mark.parametrize("name", ["known", "extra_fakes", "unlabelled"])
def test_names_of_classes_in_any_form(name, given, known):
    """One text or number is one name; lists, sets, arrays and generators are several."""
    if not isinstance(given, (str, int, list, tuple, set, np.ndarray, np.integer)):
        given = iter(known)
    assert getattr(train_settings(**{"known": "x"} | {name: given}), name) == known


@pytest.mark.parametrize("given", [True, None, 1.5, {"a": 1}, [["a"]], [None], b"a"], ids=repr)
def test_what_is_no_name_is_refused(given):
    """Anything else is one line that names the setting."""
    with pytest.raises(UsageError, match="--known") as caught:
        train_settings(known=given)
    assert "\n" not in str(caught.value)


def test_numbers_of_numpy_and_paths_are_settings(tmp_path):
    """numpy's numbers are Python's, one number is several where several are meant, and a path is its text."""
    given = {"seed": np.int64(4), "false_alarms": np.float64(0.1), "split_at": np.int32(300), "group": tmp_path}
    settings = train_settings(known="a", **given)
    assert (settings.seed, settings.false_alarms, settings.split_at) == (4, 0.1, (300,))
    assert settings.group == str(tmp_path)


@pytest.mark.parametrize(
    ("given", "near"),
    [
        ({"false_alarm": 0.3}, "false_alarms"),
        ({"Method": "knn"}, "method"),
        ({"extra-fakes": "b"}, "extra_fakes"),
        ({"valuerange": (0, 1)}, "value_range"),
        ({"metod": "knn"}, "method"),
        ({"image": 5}, "images"),
        ({"method": "kNN"}, "knn"),
        ({"method": "Auto"}, "auto"),
        ({"method": "k_plus_one"}, "k-plus-one"),
        ({"method": "isolation forest"}, None),
        ({"aspect": "croped"}, "crop"),
        ({"preset": "Paper"}, "paper"),
        ({"on_bad": "skipp"}, "skip"),
        ({"qqq": 1}, None),
    ],
    ids=repr,
)
def test_unknown_words_are_refused_with_the_nearest(given, near):
    """A misspelt setting or word is one line, with the one that is meant where one is close."""
    with pytest.raises(UsageError) as caught:
        train_settings(**{"known": "a"} | given)
    (word,) = given if "setting" in str(caught.value) else given.values()
    assert str(word) in str(caught.value) and "\n" not in str(caught.value)
    assert (f"did you mean {near}?" in str(caught.value)) if near else ("did you mean" not in str(caught.value))
    assert len(str(caught.value)) < 500 or near is None


@pytest.mark.parametrize("method", ["kNN", "Knn", "KNN"])
@pytest.mark.parametrize("estimator", [LookalikeDetector, OpenSetClassifier])
def test_estimators_say_the_nearest_word_too(estimator, method):
    """As `fit` does, for a method and for settings."""
    x, y = np.concatenate([stripes(0), stripes(1)]), np.repeat([0, 1], 40)
    with pytest.raises(UsageError, match=r"did you mean knn\?"):
        estimator(method).fit(x, y)
    with pytest.raises(UsageError, match=r"did you mean threads\?"):
        estimator(settings={"thread": 1}).fit(x, y)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"size": 8}, "the size is 8; give"),
        ({"size": "8,8"}, "the size is '8,8'; give"),
        ({"size": (8,)}, "give"),
        ({"size": (8.5, 8)}, "give"),
        ({"value_range": 255}, "the value range is 255; give"),
        ({"value_range": (0, "white")}, "give"),
        ({"channels": 2}, "accepted are None, 1, 3"),
        ({"channels": "grey"}, "accepted are None, 1, 3"),
        ({"on_bad": "Skip"}, "did you mean skip?"),
        ({"aspect": "padded"}, "did you mean pad?"),
    ],
    ids=repr,
)
def test_read_refuses_what_it_cannot_mean(how, said, folder):
    """A wrong argument of `read` is one line, never taken for another."""
    with pytest.raises(UsageError) as caught:
        lookalike.read(folder, **how)
    assert said in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("size", [[8, 4], (8, 4), np.array([8, 4]), (np.int64(8), 4)], ids=repr)
def test_read_takes_two_numbers_in_any_sequence(size, folder):
    """A list or an array of two numbers is a size, and the images have it."""
    assert lookalike.read(folder, size=size).shape == (1, 8, 4)


@pytest.mark.parametrize(
    ("classes", "n"), [("a", 40), (["a", "3"], 80), (3, 40), ({"a"}, 40), ("a,b", 80), ((), 160), (np.int64(3), 40)]
)
def test_read_takes_one_class_or_several(classes, n, folder):
    """A text is one class and not its letters, and a number is the class of that name; `of` and `without` as well."""
    images = lookalike.read(folder, classes=classes)
    assert len(images) == n
    if n in (40, 80) and classes != "a,b":
        one = (classes,) if isinstance(classes, (str, int, np.integer)) else classes
        assert len(lookalike.read(folder).of(*one)) == n
        assert len(lookalike.read(folder).without(classes)) == 160 - n


@pytest.mark.parametrize(
    ("unknown", "n"), [("b", 40), (3, 40), (["b", 3], 80), ({"b"}, 40), (np.int64(3), 40), ((), 120)]
)
def test_evaluate_takes_one_class_or_several(unknown, n, folder, tmp_path):
    """The unknown class is a text or a number, or several are a list."""
    lookalike.fit(folder, known="a", method="knn", out=tmp_path / "run", threads=1, false_alarms=0.3)
    assert lookalike.evaluate(tmp_path / "run", folder, unknown=unknown)["n_unknown"] == n


@pytest.mark.parametrize("data", [np.zeros((4, 8, 8), np.uint8), [1, 2], None, 5, b"bytes"], ids=repr)
def test_data_that_is_no_path_is_one_line(data, tmp_path):
    """Arrays and other objects in the place of a folder say what is taken."""
    for call in (lookalike.read, lambda data: lookalike.fit(data, known="a", out=tmp_path / "run")):
        with pytest.raises(UsageError, match="give a folder, a file, a data set's name"):
            call(data)
    assert not (tmp_path / "run").exists()


# --- samples of the estimators


def pictures(mode, k=0):
    """Pictures of this mode."""
    return [Image.fromarray(x).convert(mode) for x in stripes(k)]


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "1", "LA", "CMYK", "YCbCr", "I;16"])
def test_a_list_of_pictures_is_read_as_their_files_are(mode, tmp_path):
    """Palettes, transparency and other modes become grey or colour, and scores are those of the arrays."""
    given = pictures(mode) if mode != "I;16" else [Image.fromarray(x.astype(np.uint16) << 8) for x in stripes(0)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        detector = LookalikeDetector(random_state=0, false_alarms=0.2).fit(given)
    assert detector.shape_ == (8, 8, 3 if mode in ("RGB", "RGBA", "CMYK", "YCbCr") else 1)
    colour = detector.shape_[2] == 3
    same = [np.asarray(one.convert("RGB" if colour else "L")) for one in given] if mode != "I;16" else stripes(0)
    assert np.array_equal(detector.score_samples(given), detector.score_samples(np.stack(same)))


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        (lambda: stripes(0)[:, None], DataError, r"channels-first: give numpy.moveaxis\(X, 1, -1\)"),
        (lambda: stripes(0)[:, None].repeat(3, 1), DataError, "channels-first"),
        (lambda: Image.fromarray(stripes(0)[0]), UsageError, r"one picture; give a list"),
        (
            lambda: [Image.new("L", (8, 8)), Image.new("L", (9, 8))],
            DataError,
            "different sizes, such as 8 x 8 and 8 x 9",
        ),
        (lambda: [Image.new("F", (8, 8))] * 3, DataError, "no fixed black and white"),
        (lambda: "images", UsageError, r"lookalike.read\('images'\)"),
        (lambda: ["a.png", "b.png"], UsageError, r"holds text such as a.png; .* lookalike.read\(FOLDER\)"),
    ],
)
def test_samples_that_cannot_be_meant_say_what_to_give(given, error, said):
    """One line for each, from every estimator."""
    for estimator in (LookalikeDetector(), OpenSetClassifier(), GANOverSampler()):
        fit = estimator.fit_resample if isinstance(estimator, GANOverSampler) else estimator.fit
        with pytest.raises(error, match=said) as caught:
            fit(given(), [0, 1] * 20)
        assert "\n" not in str(caught.value)


def test_one_image_alone_says_how_to_give_it():
    """An image in the place of several is refused with X[None]."""
    detector = LookalikeDetector(random_state=0, false_alarms=0.2).fit(stripes(0))
    with pytest.raises(DataError, match=r"give one image as X\[None\]"):
        detector.predict(stripes(0)[0])
    colour = LookalikeDetector(random_state=0, false_alarms=0.2).fit(np.stack([stripes(0)] * 3, -1))
    with pytest.raises(DataError, match=r"give one image as X\[None\]"):
        colour.predict(np.stack([stripes(0)[0]] * 3, -1))


def test_images_are_samples(folder):
    """What `read` gives is taken as it is, grey or colour, with the scores of its arrays; so are vectors."""
    images = lookalike.read(folder, classes="a")
    detector = LookalikeDetector(random_state=0, false_alarms=0.2).fit(images)
    assert np.array_equal(detector.score_samples(images), detector.score_samples(stripes(0)))
    both = lookalike.read(folder, classes=("a", "b"))
    classifier = OpenSetClassifier(random_state=0, false_alarms=0.3).fit(both, both.labels)
    assert (classifier.predict(both) == both.labels).mean() > 0.9
    vectors = np.random.default_rng(0).uniform(-1, 1, (40, 5)).astype(np.float32)
    in_memory = Images(vectors, np.zeros(40, np.int64), ("a",), tuple(map(str, range(40))))
    assert LookalikeDetector(false_alarms=0.2).fit(in_memory).n_features_in_ == 5


OWN = {
    "seed": 5, "false_alarms": 0.3, "method": "pca", "calibration": 0.5, "known": ("a",), "group": "x",
}  # fmt: skip


@pytest.mark.parametrize("name", OWN)
@pytest.mark.parametrize("estimator", [LookalikeDetector, OpenSetClassifier])
def test_settings_never_lose_to_a_parameter_in_silence(name, estimator):
    """A setting that the estimator gives itself is refused with the parameter that it is."""
    x, y = np.concatenate([stripes(0), stripes(1)]), np.repeat([0, 1], 40)
    with pytest.raises(UsageError, match=f"settings: {name} .*; leave it out of settings"):
        estimator(settings={name: OWN[name]}).fit(x, y)
    estimator(random_state=0, false_alarms=0.3, settings={"preset": "small", "group": None}).fit(x, y)


@pytest.mark.parametrize("name", ["seed", "method", "calibration", "test", "known"])
def test_the_samplers_settings_are_refused_alike(name):
    """So are those that the sampler gives itself."""
    with pytest.raises(UsageError, match=f"settings: {name} .*; leave it out of settings"):
        GANOverSampler(settings={name: 1}).fit_resample(np.zeros((6, 2)), [0, 0, 0, 0, 1, 1])


SCALES = {
    "uint8, asked in 0 to 1": (lambda x: x, lambda x: x / 255, True),
    "0 to 1, asked in uint8": (lambda x: x / 255, lambda x: x, True),
    "0 to 16, asked in 0 to 1": (lambda x: x / 255 * 16, lambda x: x / 255, True),
    "16 bits, asked in 8": (lambda x: x.astype(np.uint16) * 256, lambda x: x.astype(np.uint16), True),
    "vectors, asked in 0 to 1": (lambda x: x.reshape(40, -1), lambda x: x.reshape(40, -1) / 255, True),
    "the same scale": (lambda x: x, lambda x: x.astype(np.float64), False),
    "darker": (lambda x: x, lambda x: x * 0.3, False),
    "black, in uint8": (lambda x: x, lambda x: x * 0, False),
    "one odd image": (lambda x: x / 255, lambda x: np.concatenate([x / 255, x[:1]]), False),
    "few odd vectors": (lambda x: x.reshape(40, -1), lambda x: x[:3].reshape(3, -1) * 1000.0, False),
}


@pytest.mark.parametrize("case", SCALES)
def test_another_scale_than_fits_is_said(case):
    """Samples whose values are on quite another scale than those of `fit` warn; odd samples do not."""
    fitted, asked, warns = SCALES[case]
    detector = LookalikeDetector(random_state=0, false_alarms=0.2).fit(fitted(stripes(0)))
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        detector.predict(asked(stripes(0)))
    assert [("give X on that of fit" in str(one.message)) for one in said] == [True] * warns


def test_labels_are_named_in_errors():
    """A class that is too small is named by its label, not by its place."""
    x = np.concatenate([stripes(0), stripes(1)[:2]])
    for small in (2, -1, 30, "rare", True):
        many = {2: 1, -1: 0, 30: 7, "rare": "usual", True: False}[small]
        with pytest.raises(DataError, match=f"known class label {small}: 1 to train on"):
            OpenSetClassifier(random_state=0, false_alarms=0.3).fit(x, np.array([many] * 40 + [small] * 2))


# --- samplers that learnt too little


def test_a_sampler_that_learns_from_few_samples_says_so():
    """Fewer distinct samples than `augment` accepts are said, also where copies make them many; enough are not."""
    x, y = np.concatenate([stripes(0), stripes(1)]), np.repeat([0, 1], 40)
    tiny = {"images": 64, "width": 4, "z": 8}
    for rows, n in (([40, 41], 2), ([40] * 12, 1), (range(40, 49), 9), (range(40, 50), None)):
        kept = [*range(40), *rows]
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            GANOverSampler(random_state=0, settings=tiny).fit_resample(x[kept], y[kept])
        few = [str(one.message) for one in said if "to learn from" in str(one.message)]
        assert len(few) == (n is not None)
        assert all(f"label 1: the GAN had {n} distinct samples" in line for line in few)


@pytest.mark.parametrize("collapsed", [True, False])
def test_a_sampler_that_collapsed_says_so(collapsed, monkeypatch):
    """Samples that are nearly all the same warn after a training of some length; various ones do not."""
    x, y = np.concatenate([stripes(0), stripes(1)[:12]]), np.repeat([0, 1], [40, 12])
    made = stripes(1, n=28, seed=1)[:, None] if not collapsed else np.full((28, 1, 8, 8), 90, np.uint8)
    monkeypatch.setattr("lookalike.use.generate.Generator.images", lambda *_, **__: iter([made]))
    monkeypatch.setattr("lookalike.faces.oversampler.LEARNT", 1)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        GANOverSampler(random_state=0, settings={"images": 64, "width": 4, "z": 8}).fit_resample(x, y)
    assert [("nearly all alike (collapse)" in str(one.message)) for one in said] == [True] * collapsed


# --- the process of the caller


def state():
    """What a call must leave as it was."""
    return {
        "threads": torch.get_num_threads(),
        "torch's random state": torch.get_rng_state().tolist(),
        "default dtype": torch.get_default_dtype(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "gradients": torch.is_grad_enabled(),
        "numpy's random state": np.random.get_state()[1].tolist(),  # noqa: NPY002 - the global one is asked
        "numpy's errors": np.geterr(),
        "Python's random state": random.getstate(),
        "environment": dict(os.environ),
        "filters of warnings": list(warnings.filters),
        "signals": [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)],
        "folder": os.getcwd(),
    }


def refused(folder, out):
    """A call that ends in an error, after the threads were set."""
    with pytest.raises(DataError, match="no class 'nothing'"):
        lookalike.fit(folder, known="nothing", method="knn", out=out, threads=3)


CALLS = {
    "fit a GAN": lambda folder, out: lookalike.fit(folder, known="a", method="anogan", out=out, **QUICK),
    "fit knn": lambda folder, out: lookalike.fit(folder, known="a", method="knn", out=out, threads=3, false_alarms=0.3),
    "evaluate": lambda folder, out: lookalike.evaluate(
        (lookalike.fit(folder, known="a", method="knn", out=out, threads=3, false_alarms=0.3), out)[1], folder
    ),
    "augment": lambda folder, out: lookalike.augment(
        str(folder), out, to={"3": 42}, settings={"images": 64, "size": "8,8", "threads": 3}, anyway=True
    ),
    "the detector": lambda folder, out: LookalikeDetector(settings={"threads": 3}).fit(stripes(0)).predict(stripes(1)),
    "the sampler": lambda folder, out: GANOverSampler(settings={"images": 64, "width": 4, "z": 8, "threads": 3})
    .fit_resample(np.concatenate([stripes(0), stripes(1)[:12]]), np.repeat([0, 1], [40, 12])),
    "an error": refused,
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_call_leaves_the_process_as_it_was(name, folder, tmp_path):
    """Threads, random states, environment, signals and the like are those from before, also after an error."""
    before = state()
    CALLS[name](folder, tmp_path / "out")
    after = state()
    assert {key: after[key] for key in before if after[key] != before[key]} == {}


@contextlib.contextmanager
def in_double():
    """New tensors are float64."""
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


AROUND = {
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "inference mode": torch.inference_mode,
    "no gradients": torch.no_grad,
    "double": in_double,
}


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_what_a_caller_set_in_torch_changes_no_bit(around, folder, tmp_path):
    """Training, loading, scoring and generating within autocast, inference mode or float64 give the usual bits."""
    quick = {"known": "a", "method": "anogan", **QUICK}
    model = lookalike.fit(folder, out=tmp_path / "usual", **quick)
    pixels = model.read(folder).pixels[:8]

    def bits(one):
        made = next(generators(one)["a"].images(3, seed=0))
        return one.score(pixels).score.tobytes(), np.asarray(made).tobytes()

    with AROUND[around]():
        inside = [lookalike.fit(folder, out=tmp_path / "inside", **quick), lookalike.Model.load(tmp_path / "usual")]
        found = [bits(one) for one in (model, *inside)]
    assert found == [bits(model)] * 3


def test_a_tilde_is_the_home_folder_in_python(folder, tmp_path, monkeypatch):
    """`fit`, `Model.load`, `evaluate` and the estimators take ~; no folder of that name is made."""
    (tmp_path / "here").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path / "here")
    lookalike.fit(folder, known="a", method="knn", out="~/run", threads=1, false_alarms=0.3)
    assert lookalike.Model.load("~/run").classes["known"] == ("a",)
    assert lookalike.evaluate("~/run", folder)["n_unknown"] == 120
    LookalikeDetector(run_folder="~/own", random_state=0, false_alarms=0.2).fit(stripes(0))
    assert (tmp_path / "own" / "model.json").exists()
    assert list((tmp_path / "here").iterdir()) == []


@pytest.mark.parametrize("form", ["--out=~/run", "-o=~/run", "-o ~/run", "--out ~/run", "toml"])
def test_a_tilde_is_the_home_folder_on_the_command_line(form, folder, tmp_path, monkeypatch):
    """Where no shell put the home folder, the command does, in flags and in a file of settings."""
    from lookalike.faces.cli import main

    (tmp_path / "here").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path / "here")
    (tmp_path / "c.toml").write_text('out = "~/run"\n')
    given = ["--config", "~/c.toml"] if form == "toml" else form.split()
    flags = ["--known", "a", "--method", "knn", "--false-alarms", "0.3", "--threads", "1"]
    assert main(["train", str(folder), *flags, *given]) == 0
    assert (tmp_path / "run" / "model.json").exists() and list((tmp_path / "here").iterdir()) == []


def test_many_words_are_listed_only_where_none_is_near():
    """A long list helps nobody who has mistyped one letter."""
    assert len(settings_of_runs.names.METHODS) > settings_of_runs.MANY
    with pytest.raises(UsageError, match="--method knm: did you mean knn"):
        train_settings(known="a", method="knm")
    with pytest.raises(UsageError, match=r"accepted are auto-gan, .*cnn-knn"):
        train_settings(known="a", method="zzz")
