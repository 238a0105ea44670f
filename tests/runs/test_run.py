"""Run folders: what stands in them, what resumes, what is refused, and what divergence leaves behind."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import json
import math
import os
import random
import shutil

import numpy as np
import pytest
import torch
from clean_failure import assert_clean_failure, tree
from PIL import Image
from tiny import call, settings, train

from lookalike.base import checkpoint, files, parts
from lookalike.base.errors import DivergedError
from lookalike.base.seeds import generator
from lookalike.data import read, split
from lookalike.detect.model import Model
from lookalike.game.gan import GAN
from lookalike.game.losses import Minimax
from lookalike.methods import METHODS
from lookalike.runs import plan as plans
from lookalike.runs import run as runs
from lookalike.runs.folder import training_seconds
from lookalike.runs.samples import classes_in_rows
from lookalike.runs.settings import train_settings

BASELINES = ("pca", "knn")


def finished(out, method="anogan", **changes):
    """A run in this process."""
    return runs.run("digits", train_settings(**settings(method, **changes)), out)


def rows(out):
    """The metrics, one mapping per line."""
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text("ascii").splitlines()]


def bits(out):
    """All that must not depend on when a run was stopped: everything but the clock."""
    kept = {name: data for name, data in tree(out).items() if not name.startswith(("checkpoints", "metrics"))}
    tensors, facts = checkpoint.read_tensors(max((out / "checkpoints").iterdir()))
    hashes = {name: hashlib.sha256(tensor.numpy().tobytes()).hexdigest() for name, tensor in tensors.items()}
    metrics = [{name: value for name, value in row.items() if name != "seconds"} for row in rows(out)]
    return kept, hashes, facts["step"], facts["images"], metrics


@pytest.fixture(scope="module", params=[*METHODS, *BASELINES])
def done(request, tmp_path_factory):
    """(method, folder) of a finished run of each method, begun by the command line."""
    from lookalike.faces.cli import main

    out = tmp_path_factory.mktemp("runs") / request.param
    with pytest.MonkeyPatch.context() as patch:
        argv = train(out, method=request.param)
        patch.setattr("sys.argv", ["lookalike", *argv])
        assert main(argv) == 0
    return request.param, out


# --- what a run folder holds


def test_the_folder_holds_these_files_and_no_others(done):
    """Each method leaves the same layout: two checkpoints and nine sample grids at most, and none for a baseline."""
    method, out = done
    always = {".lock", "config.json", "metrics.jsonl", "split.json", "model.json", "model.safetensors"}
    shown = ["000000000", "000000064", "000000128", "000000192", "000000256"]
    prefixes = [""] if method in BASELINES else ["", *(f"{twin.name}-" for twin in METHODS[method].twins)]
    trained = {f"samples/{prefix}{images}.png" for prefix in prefixes for images in shown}
    trained |= {f"checkpoints/{images}.safetensors" for images in shown[-2:]}
    if method in METHODS and METHODS[method].splitting:
        trained |= {f"subclasses.{kind}" for kind in ("csv", "json", "png")}
    assert set(tree(out)) == always | (set() if method in BASELINES else trained)


def test_config_records_everything_that_made_the_run(done):
    """config.json holds the command, resolved settings, open choices, classes, counts, versions and the machine."""
    method, out = done
    config = files.read_json(out / "config.json")
    given = config["settings"]
    extra_fakes = ["8"] if method == "mcgan" else []
    assert config["schema"] == 1
    assert config["command"].startswith(f"lookalike train digits -o {out} --known 3 --size 8,8 --width 4")
    assert {name: given[name] for name in ("known", "extra_fakes", "method", "size", "width", "z", "images")} == {
        "known": ["3"], "extra_fakes": extra_fakes, "method": method, "size": "8,8", "width": 4, "z": 8, "images": 256,
    }  # fmt: skip
    assert {name: given[name] for name in ("log_every", "sample_every", "save_every", "net", "search_steps")} == {
        "log_every": 64, "sample_every": 64, "save_every": 64, "net": _net(method), "search_steps": 5,
    }  # fmt: skip
    assert config["classes"] == {"known": ["3"], "extra_fakes": extra_fakes}
    images = read("digits", size=(8, 8))
    parts = split(images, test=0.2, calibration=0.2, seed=0)
    threes, eights = (images.labels == images.classes.index(name) for name in ("3", "8"))
    assert config["data"] == {
        "source": "digits",
        "shape": [1, 8, 8],
        "train": int(threes[parts.train].sum()),
        "calibration": int(threes[parts.calibration].sum()),
        "extra_fakes": int(eights[parts.train].sum()) if extra_fakes else 0,
        "skipped": 0,
    }
    packages = ("lookalike", "torch", "numpy", "pillow", "scikit-learn", "safetensors")
    assert {name: config["versions"][name] for name in packages} == {
        name: importlib.metadata.version(name) for name in packages
    }
    assert config["machine"]["threads"] == 1 and config["machine"]["device"] == "cpu"
    assert "at most 5 % false alarms expected" in config["open_choices"]["threshold"]
    if method not in BASELINES:
        said, score = config["open_choices"], METHODS[method].score
        assert said["score"] == str(score) and ("search" in said) == score.searches
        assert not score.searches or said["V(x)"].startswith("lambda 0.2, sum over pixels and features")
        assert ("encoder twin" in said) == (method == "f-anogan")
        assert config["open_choices"]["network"].startswith(f"{_net(method)}, width 4: ")
        assert config["method"]["latent"] == {"is": "Normal", "z_dim": 8}
    assert ("weak twin" in config["open_choices"]) == (method == "vtgan")


def _net(method):
    """The method's own network; that of the papers for baselines, which look at none."""
    return METHODS[method].net.name if method in METHODS else "anogan"


def test_metrics_are_finite_numbers_and_count_images(done):
    """Each line has step, images shown, seconds, losses, norms and accuracy, G's variety, and how E encodes."""
    method, out = done
    lines = rows(out)
    if method in BASELINES:
        assert [set(line) for line in lines] == [{"step", "images", "seconds"}]
        return
    named = METHODS[method]
    names = {"D.gradient_norm", "D.accuracy", "G.gradient_norm"} | ({"D.penalty"} if named.penalty else set())
    names |= {f"{player}.{loss.name}" for player in "DG" for loss in named.losses}
    names |= {f"weak/{name}" for name in names} if method == "vtgan" else set()
    early = {f"ali/{name}" for name in names - {"D.class", "G.class"}} if method.startswith("acgan-ali") else names
    late = {"encoder/E.reconstruction", "encoder/E.gradient_norm"}
    begins, ends = named.begins(4), named.ends(4)
    of_g = {"variety"}  # not before G trains
    of_e = {"encoding/own", "encoding/other", "encoding/deviation"}  # of f-anogan not before its encoder trains
    encodes, late = of_e if "ali" in method else set(), late | of_e
    whose = [encodes | (early if step < begins else of_g | (names if step < ends else late)) for step in range(4)]
    assert [(line["step"], line["images"]) for line in lines] == [(1, 64), (2, 128), (3, 192), (4, 256)]
    split = {"split.leaves", "split.left_whole"} if named.splitting else set()
    assert [set(line) - {"step", "images", "seconds"} - split for line in lines] == whose
    assert all(math.isfinite(value) for line in lines for value in line.values())
    assert all(0 <= line["D.accuracy"] <= 1 and line["D.gradient_norm"] > 0 for line in lines[begins:ends])
    seconds = [line["seconds"] for line in lines]
    assert seconds == sorted(seconds) and seconds[0] > 0
    assert training_seconds(out) == seconds[-1]


def test_split_lists_the_content_of_each_part(done):
    """split.json holds the keys of the images that `split` puts in each part, none of classes that were not read."""
    method, out = done
    images = read("digits", size=(8, 8))
    parts = split(images, test=0.2, calibration=0.2, seed=0)

    def keys(part, name):
        return [images.keys[i] for i in part if images.classes[images.labels[i]] == name]

    read_ones = ("3", "8") if method == "mcgan" else ("3",)
    tests = [images.keys[i] for i in parts.test if images.classes[images.labels[i]] in read_ones]
    assert files.read_json(out / "split.json") == {
        "train": keys(parts.train, "3"),
        "calibration": keys(parts.calibration, "3"),
        "extra_fakes": keys(parts.train, "8") if method == "mcgan" else [],
        "test": tests,
    }


def test_samples_come_from_the_same_z_all_along(done):
    """The last grid is what the final generator makes of 64 vectors drawn from (seed, "samples"), 8 x 8 with lines."""
    method, out = done
    if method in BASELINES:
        pytest.fail("a baseline made samples") if (out / "samples").exists() else None
        return
    gan = Model.load(out).detector.gan
    y = classes_in_rows(gan.classes) if gan.method.conditional else None
    made = gan.generate(gan.method.latent.draw(64, generator(0, "samples")), y)
    expected = ((made + 1) * 127.5).round().clamp(0, 255).byte().numpy()
    picture = np.asarray(Image.open(out / "samples" / "000000256.png"))
    assert picture.shape == (72, 72)
    for place in range(64):
        top, left = divmod(place, 8)
        assert (picture[9 * top : 9 * top + 8, 9 * left : 9 * left + 8] == expected[place, 0]).all()
    assert (picture[8::9] == 128).all() and (picture[:, 8::9] == 128).all()


def test_the_model_holds_the_last_weights_and_no_clock(done):
    """Model and last checkpoint have equal weights; neither model file holds a time, so equal runs make equal bytes."""
    method, out = done
    tensors, facts = checkpoint.load_model(out)
    assert facts["classes"]["known"] == ["3"] and facts["shape"] == [1, 8, 8]
    assert "seconds" not in (out / "model.json").read_text() and facts["training"]["data"] == "digits"
    counts, names = files.read_json(out / "config.json")["data"], ("train", "calibration", "extra_fakes")
    assert {name: facts["training"]["counts"][name] for name in names} == {name: counts[name] for name in names}
    if method in BASELINES:
        assert facts["kind"] == method
        return
    last, about = checkpoint.read_tensors(out / "checkpoints" / "000000256.safetensors")
    assert (about["step"], about["images"]) == (4, 256)
    weights = [name for name in tensors if name.startswith(("G.", "D."))]
    assert len(weights) > 10 and all(torch.equal(tensors[name], last[name]) for name in weights)
    assert any(name.startswith("weak/adam.G.") for name in last) == (method == "vtgan")


def test_the_threshold_comes_from_the_calibration_part_alone(done):
    """The stored calibration scores are the model's scores of the calibration images, and give the threshold."""
    _, out = done
    model, images = Model.load(out), read("digits", size=(8, 8))
    rows_ = [images.keys.index(key) for key in files.read_json(out / "split.json")["calibration"]]
    scores = np.sort(model.score(images.select(rows_)).score)
    assert np.array_equal(scores, model.threshold.calibration)
    assert model.threshold.value == scores[math.ceil((len(scores) + 1) * 0.95) - 1]


# --- the same command again


def test_E11_a_finished_run_is_left_alone(done, capsys):
    """The same command again exits with 0, takes no step and changes no byte."""
    method, out = done
    before, times = tree(out), {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()}
    code, said, err = call(capsys, *train(out, method=method))
    assert (code, err) == (0, "")
    assert said.startswith(f"{out}: {method} has learnt 3 from 117 images in ")
    assert tree(out) == before
    assert {path: path.stat().st_mtime_ns for path in times} == times


def test_the_same_command_elsewhere_ends_in_the_same_bits(done, tmp_path):
    """A second run of each method equals the first in every byte but the clock."""
    method, out = done
    finished(tmp_path / "again", method)
    if method in BASELINES:
        assert (tmp_path / "again" / "model.safetensors").read_bytes() == (out / "model.safetensors").read_bytes()
        return
    ours, theirs = bits(tmp_path / "again"), bits(out)
    ours[0].pop("config.json"), theirs[0].pop("config.json")  # holds the command
    assert ours == theirs


@pytest.mark.parametrize(
    ("flags", "shown"),
    [
        (["--lr", "0.001"], "--lr 0.0004 -> 0.001, --d-lr 0.0001 -> 0.00025"),
        (["--images", "320"], "--images 256 -> 320; give another folder (-o); a training cannot be made longer"),
        (["--seed", "1"], "seed 0 -> 1"),
        (["--known", "5"], "known ['3'] -> ['5']"),
        (["--method", "noisegan"], "method anogan -> noisegan"),
        (["--search-steps", "6"], "--search-steps 5 -> 6"),
    ],
)
def test_E9_other_settings_are_refused_with_the_difference(flags, shown, begun, capsys):
    """Another setting, class or seed in a begun folder exits with 2, says old and new value, and changes nothing."""
    assert_clean_failure(capsys, train(begun, *flags), 2, begun, shown, kept=begun)


def test_E9_other_data_is_refused(begun, capsys, tmp_path):
    """The same settings on other images exit with 2 and say that the data differ."""
    images = read("digits", size=(8, 8))
    turned = np.ascontiguousarray(images.pixels[:, 0, ::-1])
    np.savez(tmp_path / "turned.npz", images=turned, labels=images.labels, classes=np.array(images.classes))
    line = assert_clean_failure(
        capsys, train(begun, data=tmp_path / "turned.npz"), 2, "other settings or data: images:", "new ones", kept=begun
    )
    assert "lr" not in line


def unfinished(begun, out):
    """A copy of a run without its model."""
    shutil.copytree(begun, out)
    (out / "model.json").unlink()
    return out


def test_E10_another_thread_count_goes_on_and_says_so(begun, tmp_path, capsys):
    """--threads may change; one warning says from what to what. A finished run has its bits, and nothing is said."""
    code, _, err = call(capsys, *train(unfinished(begun, tmp_path / "run"), "--threads", "2"))
    assert code == 0
    assert err == "warning: the run will not have the bits of an uninterrupted one, as these changed: threads 1 -> 2\n"
    assert call(capsys, *train(begun, "--threads", "2"))[::2] == (0, "")


@pytest.mark.parametrize("package", ["lookalike", "torch", "numpy", "pillow", "scikit-learn"])
def test_a_run_that_another_version_goes_on_with_says_so(package, begun, tmp_path, capsys):
    """An unfinished run of another version of this or another package is finished with a warning, and records it."""
    out = unfinished(begun, tmp_path / "run")
    config = files.read_json(out / "config.json")
    now, config["versions"][package] = config["versions"][package], "0.0.9"
    files.write_json(out / "config.json", config)
    code, _, err = call(capsys, *train(out))
    change = f"{package} 0.0.9 -> {now}"
    assert (code, err.count("warning:"), change in err) == (0, 1, True)
    assert files.read_json(out / "config.json")["machine"]["resumed"] == [change]


def test_a_run_of_a_version_that_recorded_fewer_packages_goes_on(begun, tmp_path, capsys):
    """Where nothing is known of an earlier version, nothing is said."""
    out = unfinished(begun, tmp_path / "run")
    config = files.read_json(out / "config.json")
    del config["versions"]["pillow"]
    files.write_json(out / "config.json", config)
    assert call(capsys, *train(out))[::2] == (0, "")


def test_E10_what_a_resume_changed_is_recorded_once(tmp_path, capsys):
    """machine.resumed names the change, however often such a resume happens; a finished run keeps its record."""
    finished(tmp_path / "run")
    (tmp_path / "run" / "model.json").unlink()
    for threads in (2, 2, 1):
        assert call(capsys, *train(tmp_path / "run", "--threads", str(threads)))[0] == 0
        if threads == 2:
            (tmp_path / "run" / "model.json").unlink()
    assert files.read_json(tmp_path / "run" / "config.json")["machine"]["resumed"] == ["threads 1 -> 2"]
    recorded = (tmp_path / "run" / "config.json").read_bytes()
    assert call(capsys, *train(tmp_path / "run", "--threads", "3"))[0] == 0
    assert (tmp_path / "run" / "config.json").read_bytes() == recorded


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A finished run of anogan that no test changes."""
    out = tmp_path_factory.mktemp("begun") / "run"
    finished(out)
    return out


@pytest.mark.parametrize("name", ["notes.txt", "model.json", "photo.png.part.77", "samples/x.png"])
def test_F8_a_folder_of_someone_else_is_not_touched(name, tmp_path, capsys):
    """Foreign files, even ones that look like left-overs of ours, exit with 2 and stay, and no lock is put there."""
    out = tmp_path / "theirs"
    (out / name).parent.mkdir(parents=True)
    (out / name).write_text("theirs")
    assert_clean_failure(capsys, train(out), 2, f"{out} holds other files ({name.split('/')[0]})", kept=tmp_path)
    assert tree(out) == {name: b"theirs"}


@pytest.mark.parametrize("text", ["[]", '{"settings": 3}', '{"architectures": ["Bert"]}'])
def test_F8_a_config_of_another_program_is_refused(text, tmp_path, capsys):
    """A config.json that is not ours exits with 2, and its folder is not touched."""
    (tmp_path / "config.json").write_text(text)
    assert_clean_failure(capsys, train(tmp_path), 2, tmp_path, "config.json", kept=tmp_path)


def test_F11_a_folder_that_another_run_writes_is_refused(begun, capsys):
    """While a run holds the folder, another exits with 8 and changes nothing."""
    with files.lock(begun):
        assert_clean_failure(capsys, train(begun), 8, begun, "another run", kept=begun)


def test_F13_left_overs_of_a_killed_start_do_not_stop_the_next(tmp_path):
    """A run that died before its configuration was written is begun anew; its parts go, an older version's stay."""
    out = tmp_path / "run"
    out.mkdir()
    for name in ("config.json", "split.json", files.PROBE):
        os.close(parts.new_file(out / name)[1])
    old = ("config.json.part.4711", "split.json.part.4711", ".probe.part.4711")
    for name in (*old, "split.json", "bad_files.jsonl"):
        (out / name).write_text("cut sho")
    finished(out, "pca")
    assert not list(out.rglob("*lookalike-part*"))
    assert [(out / name).read_text() for name in old] == ["cut sho"] * 3
    assert files.read_json(out / "split.json")["train"]


# --- stopped, and what resumes


class Cut(Exception):  # noqa: N818
    """Stands for the moment at which a run dies in these tests."""


@pytest.mark.parametrize("method", ["anogan", "noisegan", "mcgan", "vtgan"])
def test_E1_a_run_cut_after_any_step_ends_in_the_same_bits(method, tmp_path):
    """Dying after random steps, in calibration too, and starting again, ends in all the same bytes but the clock's."""
    finished(tmp_path / "whole", method)
    random_, cuts = random.Random(method), []

    def report(stage, done, of):
        if stage != "reading" and (not cuts or random_.random() < 0.4):
            cuts.append(stage)
            raise Cut

    while not (tmp_path / "cut" / "model.json").exists():
        with contextlib.suppress(Cut):
            runs.run("digits", train_settings(**settings(method)), tmp_path / "cut", report=report)
    assert cuts
    assert bits(tmp_path / "cut") == bits(tmp_path / "whole")


def test_E1_a_kill_between_saving_and_removing_leaves_no_old_checkpoint(tmp_path):
    """Where the last checkpoint was written and an older one not yet removed, the next run ends with the same files."""
    out, given = tmp_path / "run", train_settings(**settings("anogan"))
    runs.run("digits", given, out)
    before = tree(out)
    kept = sorted((out / "checkpoints").iterdir())
    assert len(kept) == 2
    for name in ("000000001", "000000002"):
        (out / "checkpoints" / f"{name}.safetensors").write_bytes(kept[0].read_bytes())
    (out / "model.json").unlink()
    runs.run("digits", given, out)
    assert set(tree(out)) == set(before)
    assert all(tree(out)[name] == content for name, content in before.items() if "metrics" not in name)


def test_resuming_counts_the_seconds_before(tmp_path):
    """The seconds of a resumed run go on from those of its checkpoint."""

    def report(stage, done, of):
        if done == 128:
            raise Cut

    with pytest.raises(Cut):
        runs.run("digits", train_settings(**settings()), tmp_path, report=report)
    path = tmp_path / "checkpoints" / "000000128.safetensors"
    tensors, facts = checkpoint.read_tensors(path)
    checkpoint.write_tensors(path, tensors, {**facts, "seconds": 1000.0})
    finished(tmp_path)
    assert [row["seconds"] > 1000 for row in rows(tmp_path)] == [False, False, True, True]
    assert 1000 < training_seconds(tmp_path) < 1100


def test_E8_a_damaged_newest_checkpoint_is_skipped_with_a_warning(tmp_path):
    """The run goes on from the checkpoint before, says which it skipped, and ends in the same bits."""
    finished(tmp_path / "whole")
    said = []

    def report(stage, done, of):
        if done == 192:
            raise Cut

    with pytest.raises(Cut):
        runs.run("digits", train_settings(**settings()), tmp_path / "cut", report=report)
    newest = tmp_path / "cut" / "checkpoints" / "000000192.safetensors"
    damaged = bytearray(newest.read_bytes())
    damaged[-100] ^= 1
    newest.write_bytes(damaged)
    runs.run("digits", train_settings(**settings()), tmp_path / "cut", warn=said.append)
    assert len(said) == 1 and str(newest) in said[0] and said[0].startswith("skipped a damaged checkpoint")
    assert bits(tmp_path / "cut") == bits(tmp_path / "whole")


def test_a_metrics_line_cut_short_is_written_again(tmp_path):
    """What a kill left of the last line, and lines beyond the checkpoint, are dropped on resuming."""
    finished(tmp_path / "whole")

    def report(stage, done, of):
        if done == 128:
            raise Cut

    with pytest.raises(Cut):
        runs.run("digits", train_settings(**settings()), tmp_path / "cut", report=report)
    with (tmp_path / "cut" / "metrics.jsonl").open("a") as metrics:
        metrics.write('{"step": 3, "images": 192, "seconds": 1.0, "D.minimax": 7.0}\n{"step": 4, "im')
    finished(tmp_path / "cut")
    assert bits(tmp_path / "cut") == bits(tmp_path / "whole")


# --- divergence


def test_E14_divergence_names_loss_step_and_images(tmp_path, capsys):
    """A step size of 1e20 exits with 6; the line names the loss, the step, images of the batch, and what to do."""
    out = tmp_path / "run"
    line = assert_clean_failure(
        capsys, train(out, "--lr", "1e20"), 6, "step 1, 0 images shown", "minimax", "--lr", kept=out / "checkpoints"
    )
    plan = plans.make("digits", train_settings(**settings(lr=1e20)))
    first = plan.source().at("D", index=0).at(0, index=0).rows(len(plan.rows.train), 64)[:3]
    names = ", ".join(plan.images.names[plan.rows.train[row]] for row in first.tolist())
    assert f"among the images of that step: {names};" in line
    assert not (out / "model.json").exists()


@pytest.mark.parametrize("what", ["loss", "gradient"])
def test_E13_E16_nothing_is_updated_and_the_last_checkpoint_is_good(what, tmp_path, monkeypatch):
    """After NaN in step 3 the checkpoint of step 2 loads, and the run that goes on from it ends in the same bits."""
    finished(tmp_path / "whole")
    d, calls, seen = Minimax.d, [], []
    step = torch.optim.Adam.step

    def poisoned(self, judged):
        calls.append(1)
        if len(calls) < 3:
            return d(self, judged)
        loss = d(self, judged)
        return loss * math.nan if what == "loss" else loss + torch.sqrt(loss - loss.detach())  # 1 / 0 in backward

    def counted(self, *arguments, **keywords):
        seen.append(1)
        return step(self, *arguments, **keywords)

    with monkeypatch.context() as patch:
        patch.setattr(Minimax, "d", poisoned)
        patch.setattr(torch.optim.Adam, "step", counted)
        text = "loss D.minimax is nan" if what == "loss" else "gradient of D.minimax has norm (nan|inf)"
        with pytest.raises(DivergedError, match=f"step 3, 128 images shown: .*{text}"):
            finished(tmp_path / "run")
    assert len(seen) == 4  # D and G, twice
    tensors, facts = checkpoint.newest_checkpoint(tmp_path / "run" / "checkpoints", pytest.fail)
    assert (facts["step"], facts["images"]) == (2, 128)
    assert all(torch.isfinite(tensor).all() for tensor in tensors.values())
    method = plans.make("digits", train_settings(**settings())).recipe.method
    GAN(method, (1, 8, 8), ema=0.5).load(tensors, training=True)
    finished(tmp_path / "run")
    assert bits(tmp_path / "run") == bits(tmp_path / "whole")


@pytest.mark.parametrize("lr", ["1e-10", "0.01"])
def test_E18_slow_and_quick_training_is_not_called_divergence(lr, tmp_path, capsys):
    """A tiny or a large but finite step size ends well."""
    code, _, err = call(capsys, *train(tmp_path / "run", "--lr", lr))
    assert (code, err) == (0, "")


# --- data that can partly be read


@pytest.fixture
def folder(tmp_path):
    """Class folders with 40 images each of a and b, and one unreadable image in a."""
    random_ = np.random.default_rng(0)
    for name in ("a", "b"):
        (tmp_path / "data" / name).mkdir(parents=True)
        for i in range(40):
            pixels = random_.integers(0, 256, (8, 8), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "data" / name / f"{i:02d}.png")
    (tmp_path / "data" / "a" / "broken\n.png").write_bytes(b"no image")
    return tmp_path / "data"


def test_an_unreadable_image_stops_training_before_it_begins(folder, tmp_path, capsys):
    """By default exit 3, the file named, and no run folder."""
    argv = train(tmp_path / "run", data=folder)
    argv[argv.index("--known") + 1] = "a"
    assert_clean_failure(capsys, argv, 3, "broken\\n.png", "--on-bad skip", kept=tmp_path)
    assert not (tmp_path / "run").exists()


def test_skipped_images_are_counted_and_listed(folder, tmp_path, capsys):
    """--on-bad skip prints how many, records the count, and lists names and reasons in bad_files.jsonl."""
    argv = train(tmp_path / "run", "--on-bad", "skip", data=folder)
    argv[argv.index("--known") + 1] = "a"
    argv += ["--false-alarms", "0.2"]
    code, _, err = call(capsys, *argv)
    assert code == 0, err
    listed = tmp_path / "run" / "bad_files.jsonl"
    assert err == f"warning: images left out since they cannot be read: 1; {listed} lists them\n"
    (line,) = listed.read_text("ascii").splitlines()
    assert json.loads(line)["name"] == "a/broken\n.png"
    assert "format not allowed" in json.loads(line)["reason"]
    assert files.read_json(tmp_path / "run" / "config.json")["data"]["skipped"] == 1


# --- few and odd images


@pytest.mark.parametrize(("row", "each"), [("B5", 1), ("B8", 2), ("B8", 3)], ids=["B5-1", "B8-2", "B8-3"])
def test_B5_B8_classes_of_a_few_images_are_refused_with_the_number_needed(row, each, tmp_path, capsys):
    """With one, two or three images no threshold can be set; the line says how many held-out images it takes."""
    argv = few(tmp_path, each)
    assert_clean_failure(capsys, argv, 3, "images", kept=tmp_path)
    assert not (tmp_path / "run").exists()


def test_B6_fewer_images_than_a_batch_train(tmp_path, capsys):
    """Batches of 64 are filled from 26 training images by passing through them again; all losses are finite."""
    code, _, err = call(capsys, *few(tmp_path, 40))
    assert code == 0, err
    assert files.read_json(tmp_path / "run" / "config.json")["data"]["train"] < 64
    assert all(math.isfinite(value) for row in rows(tmp_path / "run") for value in row.values())


def few(tmp_path, each):
    """The command line of a training on so many images of each of two classes."""
    (tmp_path / "data").mkdir()
    random_ = np.random.default_rng(0)
    pixels = random_.integers(0, 256, (2 * each, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "data" / "few.npz", images=pixels, labels=np.repeat(["a", "b"], each))
    argv = train(tmp_path / "run", "--false-alarms", "0.2", data=tmp_path / "data" / "few.npz")
    argv[argv.index("--known") + 1] = "a"
    return argv


def test_A25_images_that_grow_much_are_said_when_training_and_scoring(folder, tmp_path, capsys):
    """8x8 images made 40x40 grow 5 times: one warning with their count, from train and from score; none at 8x8."""
    (folder / "a" / "broken\n.png").unlink()
    argv = train(tmp_path / "run", "--false-alarms", "0.2", "--size", "40,40", data=folder)
    argv[argv.index("--known") + 1] = "a"
    assert call(capsys, *argv)[2] == "warning: of the images, 40 grow more than 4 times at this size\n"
    said = call(capsys, "score", tmp_path / "run", folder / "b", "-o", tmp_path / "scores.csv")
    assert said[2] == "warning: of the images, 40 grow more than 4 times at this size\n"


# --- places and settings that are refused or idle


@pytest.mark.parametrize("where", ["", "run", "a/run"])
def test_F9_a_run_among_its_own_images_is_refused(where, folder, capsys):
    """-o equal to DATA or inside it exits with 2 before anything is written."""
    argv = train(folder / where, data=folder)
    argv[argv.index("--known") + 1] = "a"
    assert_clean_failure(capsys, argv, 2, "among the images", "write to another folder", kept=folder)


@pytest.mark.parametrize(
    ("method", "flags", "idle"),
    [
        ("vtgan", ["--noise", "0.2"], ["--noise"]),
        ("anogan", ["--weak-z", "9", "--extra-fakes-share", "0.5"], ["--extra-fakes-share", "--weak-z"]),
        ("anogan", ["--penalty", "5"], ["--penalty"]),
        ("sn-binary", ["--penalty", "0"], ["--penalty"]),
    ],
)
def test_a_flag_of_a_part_that_the_method_lacks_is_refused(method, flags, idle, tmp_path, capsys):
    """One line names the flags and the method's own ones, and nothing is trained."""
    code, _, err = call(capsys, *train(tmp_path / "run", *flags, method=method))
    assert code == 2 and not (tmp_path / "run").exists()
    assert err.startswith(f"error: {method} does not use {', '.join(idle)}; leave it out") and err.count("\n") == 1


@pytest.mark.parametrize(
    ("flags", "why", "able"),
    [
        (["--score", "encoder"], "images need an encoder, and there is no encoder", "f-anogan, ali"),
        (["--score", "classes"], "needs a head that classifies", "acgan, acgan-v1"),
        (["--loss", "relativistic"], "each real image is paired with a fake one", "auto-gan, anogan, f-anogan"),
    ],
)
def test_a_flag_that_does_not_go_with_the_method_names_methods_that_can(flags, why, able, tmp_path, capsys):
    """One line in the words of the command line; nothing in it is Python, and nothing is trained."""
    code, _, err = call(capsys, *train(tmp_path / "run", *flags, method="vtgan"))
    assert code == 2 and not (tmp_path / "run").exists() and err.count("\n") == 1
    assert err.startswith(f"error: vtgan cannot have {' '.join(flags)}: ") and "()" not in err
    assert why in err and f"methods that can: {able}" in err


@pytest.mark.parametrize(
    ("method", "flags", "idle"),
    [
        ("noisegan", ["--noise", "0.2", "--salt-pepper", "0.1", "--extra-fakes-share", "0.5"], []),
        ("knn", [], ["--batch", "--images", "--search-steps", "--width", "--z"]),
    ],
)
def test_settings_that_a_baseline_does_not_use_are_said(method, flags, idle, tmp_path, capsys):
    """A setting that a baseline passes over gets one warning; one that a method uses gets none."""
    code, _, err = call(capsys, *train(tmp_path / "run", *flags, method=method))
    assert code == 0
    assert err == "".join(f"warning: {method} does not use {flag}\n" for flag in idle)
