"""Figures and settings as the words of the report."""

from __future__ import annotations

import json
import math
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lookalike.base import words
from lookalike.base.errors import ModelError, show
from lookalike.base.names import CROSSED
from lookalike.detect.auc import Interval, Rate
from lookalike.detect.baselines import BASELINES, CLASSIFIERS
from lookalike.methods.stored import from_json
from lookalike.runs.folder import Evaluation, Figures, Metrics, Run
from lookalike.runs.own_flags import idle_settings
from lookalike.runs.watch import findings

HEADING = 80  # characters of a name in a heading


def classes(names: Sequence[str]) -> str:
    """Return class names for a heading; the settings show all of them."""
    return " + ".join(show(name, HEADING) for name in names[:4]) + (f" + {len(names) - 4} more" if names[4:] else "")


def pair(figures: Figures) -> str:
    """Return the known and the unknown classes."""
    return f"{classes(figures.known)} known, {classes(figures.unknown)} unknown"


def headline(figures: Figures) -> str:
    """Return the evaluation in one sentence."""
    words = f"{pair(figures)}: AUC {interval(figures.auc, 2)}"
    if figures.false_alarms.rate is None and figures.misses.rate is None:
        return words
    alarms, misses = percent(figures.false_alarms.rate), percent(figures.misses.rate)
    return f"{words}; at the threshold {alarms} false alarms and {misses} misses"


def title(run: Run) -> str:
    """Return the run in one sentence."""
    known, figures = classes(run.config.classes.known), [one.figures for one in run.evaluations]
    if not figures:
        return f"images of {known}" if only_makes(run) else f"{known} known: not evaluated yet"
    if len(figures) == 1:
        return headline(figures[0])
    values = [area(one.auc.value, 2) for one in figures]
    by_unknown = ", ".join(
        f"{value} with {classes(one.unknown)} unknown" for value, one in zip(values[:4], figures, strict=False)
    )
    return f"{known} known: AUC {by_unknown}" + (f", and {len(figures) - 4} more" if figures[4:] else "")


def remarks(evaluation: Evaluation) -> Iterator[str]:
    """Yield sentences on what these figures mean and what they do not."""
    figures, auc = evaluation.figures, evaluation.figures.auc
    if auc.value is None:
        yield f"AUC is undefined: {auc.reason or 'no reason was recorded'}."
    elif auc.low is not None and auc.high is not None:
        if auc.low <= 0.5 <= auc.high:
            yield (
                "The interval of the AUC contains 0.5: on these images the score is no better than chance. "
                f"{_next(figures)}"
            )
        elif auc.high < 0.5:
            yield (
                "The AUC is below 0.5: unknown images have lower scores than known ones. Check that the classes are "
                "not swapped, and that no unknown image is among the known ones; 'lookalike check' lists the classes."
            )
    if figures.threshold is None:
        yield "There is no threshold: the calibration part is too small for the allowed rate of false alarms."
    elif _too_many(evaluation):
        yield (
            f"There are more false alarms than the allowed {number(100 * figures.allowed)} %, and more than chance"
            " explains: the known test images differ from those that set the threshold."
        )


def _next(figures: Figures) -> str:
    """Return what to try where the AUC says little or nothing."""
    if figures.auc.value is not None and figures.auc.value >= 0.6:
        return f"Test it on more images than these {figures.n_known} known and {figures.n_unknown} unknown ones."
    if figures.method == "auto":
        return (
            "Look at the misses: if you do not see what makes them unknown either, take larger images (--size). If you "
            "do, train on more known images, or try another network (--backbone)."
        )
    return "Try --method auto and larger images (--size); 'lookalike bench' finds the method that suits the images."


def watched(metrics: Metrics) -> Iterator[str]:
    """Yield sentences on what went wrong in a training, by its last figures."""
    for finding in findings(metrics):
        text = str(finding)
        yield f"{text[0].upper()}{text[1:]}."


def interval(figure: Interval, digits: int = 3) -> str:
    """Return a value with its interval, such as 0.73 [0.71, 0.75]."""
    if figure.low is None or figure.high is None:
        return area(figure.value, digits)
    return f"{area(figure.value, digits)} [{figure.low:.{digits}f}, {figure.high:.{digits}f}]"


def area(value: float | None, digits: int = 3) -> str:
    """Return an AUC with this many decimals."""
    return "undefined" if value is None else f"{value:.{digits}f}"


def share(figure: Rate) -> str:
    """Return a rate with its interval, in percent."""
    if figure.rate is None or figure.low is None or figure.high is None:
        return "undefined"
    return f"{percent(figure.rate)} [{words.points(figure.low)}, {words.points(figure.high)}]"


def percent(value: float | None) -> str:
    """Return a share in percent, with one decimal."""
    return "undefined" if value is None else words.percent(value)


def number(value: float | None) -> str:
    """Return a figure with four digits."""
    return "–" if value is None else f"{value:.4g}"


def duration(seconds: float | None) -> str:
    """Return seconds as a duration in seconds, minutes or hours."""
    if seconds is None:
        return "–"
    if seconds < 60:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def settings(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield nested settings as rows of dotted names and values."""
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from settings(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", _setting(value)


def used(run: Run) -> Mapping[str, Any]:
    """Return the settings of a run without those of other methods; all where the method is not of this version."""
    name, settings = run.method, run.config.settings
    try:
        method = None if name in (*BASELINES, *CLASSIFIERS) else from_json(run.config.method)
    except ModelError:
        return settings
    idle = idle_settings(name, method, len(run.config.classes.known))
    return {setting: value for setting, value in settings.items() if setting not in idle}


def command(run: Run) -> str:
    """Return the recorded command with the program's name only, and without folders of the user's machine."""
    try:
        program, *rest = shlex.split(run.config.command)
    except ValueError:  # no command was recorded, or another program wrote it
        return "(run from Python, by lookalike.fit)"
    shared = [re.sub(r"(^|=)(?:[A-Za-z]:[\\/]|[/~]).*[\\/]", r"\1PATH-TO/", token) for token in rest]
    return shlex.join([re.split(r"[\\/]", program)[-1], *shared])


def source(run: Run) -> str:
    """Return the last component of the path or name of the data."""
    return re.split(r"[\\/]", run.config.data.source.rstrip("\\/"))[-1]


def only_makes(run: Run) -> bool:
    """Return whether no images were held out: the run generates images but has no threshold and no scores."""
    return run.config.settings.get("calibration") == 0 and not crosses(run)


def crosses(run: Run) -> bool:
    """Return whether the images that trained set the threshold too, each scored by what the others teach."""
    settings = run.config.settings
    return settings.get("calibration") == 0 and settings.get("method") in CROSSED


def evaluate(run: Run) -> str:
    """Return the command that evaluates `run`, to be typed beside its folder; the path of the data is left out."""
    return f"lookalike evaluate {shlex.quote(run.name)} {_data(run)} --unknown CLASS"


def measure(run: Run) -> str:
    """Return the command that measures the images that `run` generates."""
    values = run.config.settings.get("value_range")
    reading = f" --value-range={shlex.quote(str(values))}" if values else ""
    return f"lookalike measure {shlex.quote(run.name)} --real {_data(run)}{reading}"


def _data(run: Run) -> str:
    return ("PATH-TO/" if re.search(r"[\\/]", run.config.data.source) else "") + shlex.quote(source(run))


def _too_many(evaluation: Evaluation) -> bool:
    """Return whether false alarms exceed the allowed rate by 2.6 standard errors of test and calibration together."""
    alarms, allowed = evaluation.figures.false_alarms, evaluation.figures.allowed
    calibration = 0 if evaluation.scores is None else len(evaluation.scores.calibration)
    if alarms.rate is None or not calibration:
        return False
    # Both the test images and the calibration images vary: their variances p (1 - p) / n add up.
    return alarms.rate - allowed > 2.6 * math.sqrt(allowed * (1 - allowed) * (1 / alarms.of + 1 / calibration))


def _setting(value: Any) -> str:
    if value is None or value in ([], {}, ()):
        return "–"
    if isinstance(value, list | tuple) and all(isinstance(part, str | int | float) for part in value):
        return ", ".join(map(_setting, value))
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
