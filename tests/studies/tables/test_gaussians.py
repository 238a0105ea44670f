"""Ten Gaussians on a circle: their closed forms, and the table of what each method is nearer to."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from PIL import Image
from scipy.stats import multivariate_normal, ttest_rel
from tiny import call

from lookalike.base import files
from lookalike.base.errors import UsageError
from lookalike.game.losses import AuxiliaryClass, Minimax, Mode
from lookalike.studies.study import Study
from lookalike.studies.tables import circle
from lookalike.studies.tables.circle_trial import SIZES, CircleTrial, Size, method_of
from lookalike.studies.tables.gaussians import TABLE
from lookalike.studies.tables.table import run


def test_densities_are_scipys():
    """Class k is a Gaussian at angle 36 k degrees and radius 2, deviations .25 outward and .5 along the circle."""
    points = np.random.default_rng(0).uniform(-3, 3, (20, 2))
    found = circle.densities(points)
    for k in range(10):
        angle = 2 * np.pi * k / 10
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        covariance = turn @ np.diag([0.25**2, 0.5**2]) @ turn.T
        wanted = multivariate_normal(2 * turn[:, 0], covariance).pdf(points)
        assert found[k] == pytest.approx(wanted, rel=1e-9)


def test_targets_are_the_average_and_the_maximum():
    """Each sums to one; cell by cell they are the means of the classes' average and of their largest density."""
    real, mode = circle.targets().values()
    assert real.sum() == pytest.approx(1) and mode.sum() == pytest.approx(1)
    step = 8 / 40
    for i, j in ((20, 30), (5, 5), (29, 21)):
        inside = (np.arange(8) + 0.5) / 8 * step
        x, y = np.meshgrid(-4 + i * step + inside, -4 + j * step + inside, indexing="ij")
        each = circle.densities(np.stack([x.ravel(), y.ravel()], 1))
        assert real[i, j] == pytest.approx(each.mean() * step**2, rel=0.01)
        assert mode[i, j] / mode[20, 30] == pytest.approx(
            each.max(0).mean() / circle.densities(_cell(20, 30)).max(0).mean(), rel=1e-6
        )


def _cell(i, j):
    inside = (np.arange(8) + 0.5) / 8 * 0.2
    return np.stack(np.meshgrid(-4 + i * 0.2 + inside, -4 + j * 0.2 + inside, indexing="ij"), -1).reshape(-1, 2)


def test_real_points_are_near_the_real_target():
    """A histogram of drawn points is as far from the average as sampling makes it, and farther from the maximum."""
    points, labels = circle.draw(20_000, seed=1)
    assert points.shape == (200_000, 2) and np.bincount(labels).tolist() == [20_000] * 10
    share, outside = circle.histogram(points.astype(np.float64))
    targets = circle.targets()
    assert outside < 0.001
    assert circle.divergence(share, targets["real"]) < 0.004  # about cells / 2n
    apart = circle.divergence(targets["real"], targets["mode"])
    assert circle.divergence(share, targets["mode"]) == pytest.approx(apart, abs=0.004) and apart > 0.01


def test_divergence_by_hand():
    """sum p log(p / q), cells without a point left out."""
    share, target = np.array([[0.5, 0.5], [0.0, 0.0]]), np.array([[0.25, 0.5], [0.2, 0.05]])
    assert circle.divergence(share, target) == pytest.approx(0.5 * np.log(2))


def test_points_outside_the_square_are_counted():
    """Of four points one lies outside: the other three make up the histogram."""
    share, outside = circle.histogram(np.array([[0.0, 0.0], [3.9, -3.9], [0.01, 0.01], [9.0, 0.0]]))
    assert outside == 0.25 and share.sum() == pytest.approx(1) and share[20, 20] == pytest.approx(2 / 3)


def test_the_methods_play_their_own_losses():
    """Each is its method's game on vectors: minimax, the class loss of real points, and mode's own."""
    found = {name: method_of(name, 8).losses for name in ("sn-binary", "k-plus-one", "mode")}
    sorts = AuxiliaryClass(on_fake=False, g_weight=0.0)
    assert found == {
        "sn-binary": (Minimax(),),
        "k-plus-one": (Minimax(), sorts),
        "mode": (Minimax(), sorts, Mode()),
    }


@pytest.fixture
def measured(monkeypatch):
    """Each training is nearer to its own target by .01, .02, .03; seed 2 of mode to the other one."""

    def perform(trial, runs, command=""):
        gap = 0.01 * (trial.seed + 1) * (-1 if (trial.method, trial.seed) == ("mode", 2) else 1)
        near, far = ("mode", "real") if trial.method == "mode" else ("real", "mode")
        values = {f"kl_to_{near}": 0.1, f"kl_to_{far}": 0.1 + gap, "outside": 0.25, "seconds": 7.0}
        files.make_folder(trial.folder(runs))
        files.write_json(trial.file(runs), values | {"histogram": circle.targets()[near].tolist()})

    monkeypatch.setattr(CircleTrial, "perform", perform)


def table(tmp_path, **changes):
    """All methods with three seeds."""
    study = Study(tmp_path / "runs", command="lookalike table g", **changes)
    return run(TABLE, study, tmp_path / "out")


def test_figures_and_verdicts(tmp_path, here, measured):
    """Means over seeds; of each method how many seeds are nearer to its own target, by scipy's paired interval."""
    lines = {(line["method"], line["metric"]): line for line in table(tmp_path)}
    assert len(lines) == 9 and lines["k-plus-one", "kl_to_mode"]["mean"] == pytest.approx(0.12)
    assert lines["mode", "outside"]["mean"] == 0.25
    assert lines["k-plus-one", "kl_to_mode"]["sd"] == pytest.approx(0.01)
    assert lines["mode", "kl_to_mode"]["seconds"] == 7.0
    text = (tmp_path / "out" / "kplus1-2020-gaussians-small.md").read_text()
    gap = ttest_rel([0.11, 0.12, 0.13], [0.1] * 3).confidence_interval()
    assert (
        f"- k-plus-one is nearer to real than to mode in 3 of 3 seeds, by +0.0200 [{gap.low:+.4f}, {gap.high:+.4f}]"
        in text
    )
    assert "- mode is nearer to mode than to real in 2 of 3 seeds, by +0.0000" in text
    with (tmp_path / "out" / "kplus1-2020-gaussians-small.csv").open(newline="") as file:
        assert [row["metric"] for row in csv.DictReader(file)] == ["kl_to_real", "kl_to_mode", "outside"] * 3
    every = (tmp_path / "out" / "kplus1-2020-gaussians-small-seeds.csv").read_text().splitlines()
    assert len(every) == 1 + 36 and "gaussians,mode,2,kl_to_real,0.0700" in every
    with Image.open(tmp_path / "out" / "kplus1-2020-gaussians-small.png") as picture:
        assert picture.width > 4 * picture.height  # two targets, three methods
    with Image.open(tmp_path / "out" / "kplus1-2020-gaussians-small-seeds.png") as picture:
        assert picture.height > picture.width  # three seeds' rows of three methods


def test_a_training_learns_the_circle(tmp_path, monkeypatch):
    """A short one leaves its figures, which are those of its histogram; it is not done again."""
    monkeypatch.setitem(SIZES, "small", Size(32, 500, 12_800))
    trial = CircleTrial("gaussians", "k-plus-one", 0)
    trial.perform(tmp_path)
    found = trial.figures(tmp_path)
    share = np.array(found["histogram"])
    assert share.sum() == pytest.approx(1)
    for name, target in circle.targets().items():
        assert found[f"kl_to_{name}"] == pytest.approx(circle.divergence(share, target))
    assert found["kl_to_real"] < 12
    before = trial.file(tmp_path).stat().st_mtime_ns
    monkeypatch.setattr(CircleTrial, "measure", lambda *_: pytest.fail("done again"))
    run(TABLE, Study(tmp_path, seeds=1, methods=("k-plus-one",)), tmp_path / "out")
    assert trial.file(tmp_path).stat().st_mtime_ns == before


def test_what_is_not_there_is_refused(tmp_path, capsys):
    """Another row or method: one line that says which there are."""
    with pytest.raises(UsageError, match="has no method acgan; there are sn-binary, k-plus-one, mode"):
        table(tmp_path, methods=("acgan",))
    code, _, err = call(capsys, "table", "kplus1-2020/gaussians", "--rows", "cifar-10", "-o", tmp_path / "o")
    assert code == 2 and "has no row cifar-10; there are gaussians" in err
