"""Where the user's cache folder is."""

from __future__ import annotations

from pathlib import Path

import pytest

from lookalike.base.cache import folder
from lookalike.base.errors import UsageError


@pytest.mark.parametrize(
    ("system", "given", "found"),
    [
        ("linux", "/tmp/x", "/tmp/x/lookalike"),
        ("darwin", "/tmp/x", "/tmp/x/lookalike"),
        ("linux", "", "/home/ada/.cache/lookalike"),
        ("darwin", "", "/home/ada/Library/Caches/lookalike"),
    ],
)
def test_the_folder_is_where_the_system_keeps_caches(system, given, found, monkeypatch):
    """Below $XDG_CACHE_HOME where that is set, else below the home folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", given)
    monkeypatch.setenv("HOME", "/home/ada")
    monkeypatch.setattr("sys.platform", system)
    assert folder() == Path(found)


def test_without_a_home_there_is_none(monkeypatch):
    """Where neither a cache folder nor a home is known."""

    def homeless(path):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "expanduser", homeless)
    assert folder() is None


def test_the_switch_takes_off_alone(monkeypatch):
    """`off` means no folder, nothing means one, and another value is refused."""
    monkeypatch.setenv("LOOKALIKE_CACHE", "")
    assert folder() is not None
    monkeypatch.setenv("LOOKALIKE_CACHE", "off")
    assert folder() is None
    monkeypatch.setenv("LOOKALIKE_CACHE", "no")
    with pytest.raises(UsageError, match="LOOKALIKE_CACHE is 'no', and only 'off' is accepted"):
        folder()
