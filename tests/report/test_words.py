"""Figures as words."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lookalike.detect.auc import Interval, Rate, rate
from lookalike.methods import METHODS
from lookalike.methods.stored import to_json
from lookalike.report import words
from lookalike.report.pictures import POINTS, _thinned
from lookalike.runs.folder import Config, Evaluation, Figures, Metrics, Run, Scores, Training
from lookalike.runs.settings import train_settings


def figures(**changes: object) -> Figures:
    """The figures of the headline in the README, with changes."""
    values = {
        "known": ("Coat",), "unknown": ("Shirt",), "method": "vtgan", "n_known": 1000, "n_unknown": 1000,
        "auc": Interval(0.731, 0.709, 0.752, 0.95, 2000), "threshold": 3.5, "allowed": 0.05,
        "false_alarms": rate(48, 1000), "misses": rate(610, 1000),
    }  # fmt: skip
    return Figures.model_validate(values | changes)


def test_headline() -> None:
    """One sentence: classes, AUC with interval, what the threshold costs."""
    assert words.headline(figures()) == (
        "Coat known, Shirt unknown: AUC 0.73 [0.71, 0.75]; at the threshold 4.8 % false alarms and 61 % misses"
    )
    many = figures(known=tuple("abcdef"), unknown=("x" * 100,))
    assert words.pair(many) == f"a + b + c + d + 2 more known, {'x' * 79}… unknown"


def remarks(calibration: int = 1200, **changes: object) -> list[str]:
    """The remarks on changed figures, by what sets them apart."""
    scores = Scores(np.zeros(0), np.zeros(0), np.zeros(calibration), {})
    return [remark.partition(":")[0] for remark in words.remarks(Evaluation(figures(**changes), scores))]


def test_remarks() -> None:
    """Chance, inversion, an undefined AUC and a missing threshold are said; good figures pass in silence."""
    assert remarks() == []
    assert remarks(auc=Interval(0.51, 0.48, 0.54, 0.95, 9)) == ["The interval of the AUC contains 0.5"]
    assert remarks(auc=Interval(0.32, 0.3, 0.34, 0.95, 9)) == ["The AUC is below 0.5"]
    assert remarks(auc=Interval(None, None, None, 0.95, 9, "no unknown images")) == ["AUC is undefined"]
    assert remarks(threshold=None) == ["There is no threshold"]


def test_an_auc_that_says_little_gets_a_next_step() -> None:
    """By chance: the recommended method, or what helps it; a wide interval: more test images; inverted: the classes."""

    def said(low: float, value: float, high: float, method: str) -> str:
        (remark,) = words.remarks(Evaluation(figures(auc=Interval(value, low, high, 0.95, 9), method=method), None))
        return remark

    assert "Try --method auto and larger images (--size)" in said(0.48, 0.51, 0.54, "vtgan")
    assert "another network (--backbone)" in said(0.48, 0.51, 0.54, "auto")
    assert said(0.4, 0.7, 0.9, "auto").endswith("more images than these 1000 known and 1000 unknown ones.")
    assert "classes are not swapped" in said(0.2, 0.3, 0.4, "auto")


def made(method: str, *known: str) -> Run:
    """A run with every setting of `train`, as its record has them."""
    settings = train_settings(known=known, method=method)
    recorded = settings.model_dump(mode="json") | {"data_digest": "e9"}
    named = to_json(METHODS[method]) if method in METHODS else {"name": method}
    data = {"source": "x", "shape": [1, 8, 8], "train": 1, "calibration": 1}
    config = {"schema": 1, "classes": {"known": list(known)}, "data": data, "settings": recorded}
    return Run("r", Config.model_validate(config | {"method": named}), (), Training(Metrics({}), {}))


def test_settings_of_other_methods_are_left_out() -> None:
    """A report has the settings that its method uses, and what the record adds; all where the method is unknown."""
    auto = words.used(made("auto", "a"))
    assert {"data_digest", "backbone", "expect", "false_alarms", "seed"} <= set(auto)
    assert not {"weak_z", "lr", "batch", "search_steps", "scaling", "decides"} & set(auto)
    assert {"scaling", "decides"} <= set(words.used(made("auto", "a", "b")))
    assert {"weak_z", "lr"} <= set(words.used(made("vtgan", "a")))
    assert not {"weak_z", "backbone", "expect", "split_at"} & set(words.used(made("anogan", "a")))
    other = made("anogan", "a")
    strange = replace(other, config=other.config.model_copy(update={"method": {"name": "of-later"}}))
    assert words.used(strange) == other.config.settings


def test_false_alarms_are_remarked_beyond_chance_only() -> None:
    """The chance is that of test and calibration together: sqrt(.05 x .95 (1/1000 + 1/1200)) x 2.6 is 2.4 %."""
    remark = "There are more false alarms than the allowed 5 %, and more than chance explains"
    assert remarks(false_alarms=rate(74, 1000)) == []
    assert remarks(false_alarms=rate(75, 1000)) == [remark]
    assert remarks(false_alarms=rate(75, 1000), calibration=300) == []


def test_title_of_several_evaluations() -> None:
    """A run tested against several classes names each with its AUC."""
    data = {"source": "x", "shape": [1, 8, 8], "train": 1, "calibration": 1}
    config = Config.model_validate({"schema": 1, "classes": {"known": ["Coat"]}, "data": data})
    boot = figures(unknown=("Boot",), auc=Interval(0.9, 0.88, 0.92, 0.95, 9))
    tested = (Evaluation(boot, None), Evaluation(figures(), None))
    assert (
        words.title(Run("r", config, tested, Training(Metrics(), {})))
        == "Coat known: AUC 0.90 with Boot unknown, 0.73 with Shirt unknown"
    )
    assert words.title(Run("r", config, (), Training(Metrics(), {}))) == "Coat known: not evaluated yet"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 %"),
        (0.048, "4.8 %"),
        (0.0004, "0.04 %"),
        (0.0996, "10 %"),
        (0.614, "61.4 %"),
        (1, "100 %"),
        (None, "undefined"),
    ],
)
def test_percent(value: float | None, text: str) -> None:
    """One decimal below ten, none above."""
    assert words.percent(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0123, "0.012 s"), (2.34, "2.3 s"), (41.3, "41 s"), (200, "3 min 20 s"), (7260, "2 h 1 min"), (None, "–")],
)
def test_duration(seconds: float | None, text: str) -> None:
    """Seconds, minutes or hours, as they are read aloud."""
    assert words.duration(seconds) == text


def test_share_and_interval() -> None:
    """A rate of nothing and an AUC without interval say so."""
    assert words.share(rate(48, 1000)) == "4.8 % [3.6, 6.3]"
    assert words.share(Rate(None, None, None, 0, 0)) == "undefined"
    assert words.interval(Interval(0.5, None, None, 0.95, 0)) == "0.500"


def test_settings_are_flat() -> None:
    """Nested settings become dotted rows; lists are read out, nothing is a dash."""
    nested = {"search": {"steps": 200, "by": {}}, "sizes": [32, 32], "ema": None, "on": True, "deep": [{"a": 1}]}
    assert list(words.settings(nested)) == [
        ("search.steps", "200"), ("search.by", "–"), ("sizes", "32, 32"), ("ema", "–"), ("on", "true"),
        ("deep", '[{"a": 1}]'),
    ]  # fmt: skip


def test_curves_are_thinned_to_means() -> None:
    """A long curve becomes at most 300 means of equal runs; its mean stays; a short one is untouched."""
    values = [float(value) for value in range(1000)]
    thinned = _thinned(values)
    assert len(thinned) <= POINTS
    assert thinned[:2].tolist() == [1.5, 5.5]
    assert _thinned([3.0, 1.0]).tolist() == [3.0, 1.0]
