"""`--help` in groups, and `describe` with the values of a method's own settings."""

from __future__ import annotations

import re

import pytest
from tiny import call

from lookalike.faces.commands import detect
from lookalike.methods import METHODS
from lookalike.runs.choices import filled, has, method_of
from lookalike.runs.groups import GROUPS, MOST_USED
from lookalike.runs.own_flags import OWN, own_settings
from lookalike.runs.settings import TrainSettings, flag, train_settings

KINDS = {  # how a help text begins -> whether a method, as `METHODS` has it, is meant
    "Methods with extra fakes": lambda m: any(not stream.made and not stream.real for stream, _ in m.d_sees),
    "Methods with a penalty on the slope of D": lambda m: m.penalty is not None,
    "Methods whose D can have the spread": lambda m: m.conditional and m.splitting is None and has(m.head, "spread"),
    "Methods whose G learns from a class loss": lambda m: any(
        loss.teaches_classes and loss.moves_g for loss in m.losses
    ),
    "Methods whose D classifies": lambda m: m.head.classifies,
    "Conditional methods": lambda m: m.conditional,
    "Conditional methods whose D classifies": lambda m: m.conditional and m.head.classifies,
}


def parameter(name):
    """What the command line knows of a setting."""
    (found,) = [meta for meta in TrainSettings.model_fields[name].metadata if type(meta).__name__ == "Parameter"]
    return found


def panels(said):
    """Title of each panel -> its text as one line."""
    parts = re.split(r"╭─ (.+?) ─+╮", said)[1:]
    lines = {title: re.sub(r"[│╰╯─]", " ", text) for title, text in zip(parts[::2], parts[1::2], strict=True)}
    return {title: " ".join(text.split()) for title, text in lines.items()}


@pytest.fixture(scope="module")
def made():
    """Each method as `train` makes it of two classes."""
    settings = {name: filled(train_settings(known=("a", "b"), method=name), (1, 32, 32), 2) for name in METHODS}
    return {name: method_of(given) for name, given in settings.items()}


@pytest.mark.parametrize("name", TrainSettings.model_fields)
def test_every_setting_has_a_group_and_a_help_text(name):
    """A sentence or two of at most 25 words each, with a full stop, in one group."""
    said = parameter(name)
    assert len(said.group) == 1 and said.group[0] in GROUPS
    sentences = re.split(r"(?<=[.]) (?=[A-Z'])", said.help)
    assert 1 <= len(sentences) <= 3 and said.help.endswith(".")
    assert all(len(sentence.split()) <= 25 for sentence in sentences), sentences
    assert "default" not in said.help.lower()  # which is shown once, by itself


def test_the_first_group_holds_what_most_people_use():
    """Ten flags or fewer, and among them those of the README's first example."""
    first = {name for name in TrainSettings.model_fields if MOST_USED in parameter(name).group} | {"out"}
    assert len(first) <= 10
    assert first >= {"known", "out", "method", "extra_fakes", "preset", "size", "seed", "false_alarms"}


@pytest.mark.parametrize("width", ["80", "120"])
def test_train_help_has_its_groups_in_order(width, capsys, monkeypatch):
    """The arguments, the most used flags, then the groups; a flag stands in its own group alone, at any width."""
    monkeypatch.setenv("COLUMNS", width)
    found = panels(call(capsys, "train", "--help")[1])
    assert list(found) == ["Arguments", *(group.name for group in GROUPS)]
    for name in TrainSettings.model_fields:
        (own,) = parameter(name).group
        shown = [title for title, text in found.items() if re.search(rf"(^|\] |\. |\* ){flag(name)} ", text)]
        assert own.name in shown and all(title == own.name for title in shown), (name, shown)
    for name in ("--out", "--config", "--debug", "--json"):
        assert sum(f"{name} " in text for text in found.values()) == 1
    text = " ".join(found.values())
    assert "None" not in text and "default: False" not in text and "default: the preset's" in text


@pytest.mark.parametrize("name", OWN)
def test_a_setting_of_some_methods_names_them(name):
    """Its help begins with a kind of method, or with names; -v1 and its like count with the name before them."""
    having = {method for method in METHODS if name in own_settings(METHODS[method])}
    begins = parameter(name).help.partition(":")[0]
    if begins in KINDS:
        assert having == {method for method, made in METHODS.items() if KINDS[begins](made)}
    else:
        assert set(begins.split(", ")) == {re.sub(r"-v\d$", "", method) for method in having}


@pytest.mark.parametrize("name", METHODS)
def test_describe_lists_its_own_settings_with_values(name, made, capsys):
    """Exactly those of `own_settings`, each with a value that `train` would take; and the score and the family."""
    said = call(capsys, "describe", name)[1]
    lines = dict(re.findall(r"^(\S.*?)  +(\S.*)$", said, re.MULTILINE))
    own = lines["its own settings"]
    flags = [] if own == "none" else [part.split(" ")[0] for part in own.split(", ")]
    assert [one.replace("--no-", "--") for one in flags] == [flag(setting) for setting in own_settings(made[name])]
    assert all(re.fullmatch(r"--(no-)?spread|(--\S+ \S+ ?)+", part) for part in own.split(", ") if own != "none")
    assert (lines["score"], lines["family"]) == (str(made[name].score), made[name].family)


def test_described_values_give_the_same_method(made):
    """The flags that `describe` prints, given to `train`, change nothing."""
    for name, method in made.items():
        own = detect._axes(name, "small")["its own settings"]
        given = {}
        for one, value in re.findall(r"--(\S+?)(?:,|$| ([^-,]\S*?)(?:,|$| (?=--)))", own if own != "none" else ""):
            setting = one.removeprefix("no-").replace("-", "_")
            if value == "CLASS":
                continue
            given[setting] = value or not one.startswith("no-")
            if setting == "split_at":
                given[setting] = tuple(re.findall(r"--split-at (\d+)", own))
        again = filled(train_settings(known=("a", "b"), method=name, **given), (1, 32, 32), 2)
        assert method_of(again) == method, name


def test_values_are_those_of_the_preset_or_the_method(capsys):
    """noisegan's noise, WGAN-GP's penalty, and splitting's points; mcgan needs a class."""
    said = {name: call(capsys, "describe", name)[1] for name in ("noisegan", "wgan-gp", "splitting", "mcgan", "acgan")}
    assert "--noise 0.3, --salt-pepper 0, --extra-fakes-share 1" in said["noisegan"]
    assert "--penalty 10" in said["wgan-gp"] and "--split-at 1874" in said["splitting"]
    assert "--extra-fakes CLASS" in said["mcgan"] and "--class-loss both" in said["acgan"]
    assert "--no-spread" in call(capsys, "describe", "acgan", "--preset", "paper")[1]
