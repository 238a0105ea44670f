"""The errors that a user can meet, one class per exit code, and how messages print untrusted names.

A message is one line that says what was given, what is accepted and what to do.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class LookalikeError(ValueError):
    """Base of every error that a user can cause or mend. `exit_code` is that of the command line."""

    exit_code = 2


class UsageError(LookalikeError):
    """A setting, flag or configuration that cannot be used (exit code 2)."""


class DataError(LookalikeError):
    """Images or labels that cannot be used (exit code 3)."""

    exit_code = 3


class ModelError(LookalikeError):
    """A model or checkpoint file that cannot be trusted or read (exit code 4)."""

    exit_code = 4


class DamagedError(ModelError):
    """A model's file that is lost, or is not what was written (exit code 4); the training can make it again."""


class OutputError(LookalikeError):
    """An output that cannot be written: no space, no permission, not a folder (exit code 5)."""

    exit_code = 5


class DivergedError(LookalikeError):
    """Training with a loss or a gradient that is not finite, or a huge loss (exit code 6)."""

    exit_code = 6
    step = 0  # the number of the step, from 0


class ResourceError(LookalikeError):
    """Out of memory or another resource (exit code 7)."""

    exit_code = 7


class LostError(LookalikeError):
    """A process that trains with others and cannot reach them any more (exit code 7)."""

    exit_code = 7


class LockedError(LookalikeError):
    """An output folder that another process is writing to (exit code 8)."""

    exit_code = 8


SCARCE = ("could not create a primitive", "could not create a memory object")  # what oneDNN says without memory


@contextmanager
def memory_guard() -> Iterator[None]:
    """Raises ResourceError within the block for every error that means too little memory."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        text = str(error)
        if isinstance(error, MemoryError) or "alloc" in text or "out of memory" in text or text in SCARCE:
            raise ResourceError(
                "out of memory; try smaller images (--size), a smaller batch (--batch, --search-batch) or narrower "
                "networks (--width)"
            ) from error
        raise


def install(extra: str) -> str:
    """How an extra is installed: from the source, as no index has the package yet."""
    return f"pip install '.[{extra}]' in the folder with lookalike's source"


def did_you_mean(given: object, words: Iterable[str]) -> str:
    """A question with the word that is closest, whatever its case and dashes; nothing where none is close."""
    plain = {_plain(word): word for word in words}
    near = difflib.get_close_matches(_plain(str(given)), plain, n=1, cutoff=0.65)
    return f" did you mean {show(plain[near[0]], 60)}?" if near else ""


def _plain(word: str) -> str:
    return word.casefold().replace("_", "-").replace(" ", "-")


def listed(names: Iterable[str]) -> str:
    """Names of classes as one printable line, separated by commas. A name with a comma is quoted."""
    return show(", ".join(f"'{name}'" if "," in name else name for name in names))


def some(names: Iterable[str], most: int = 20) -> str:
    """The first names of classes, quoted, as one printable line; "no classes" where there are none."""
    there = list(names)
    return ", ".join(f"'{show(name, 40)}'" for name in there[:most]) + (", …" if there[most:] else "") or "no classes"


def show(name: object, limit: int = 200) -> str:
    """`name` (a file, class or other untrusted text) as one printable line, at most `limit` characters.

    Control characters, escape sequences, line separators and undecodable bytes become backslash escapes.
    """
    text = str(name)[: limit + 1]  # escaping a long text is slow, and the rest is cut anyway
    escaped = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
    return escaped if len(escaped) <= limit else escaped[: limit - 1] + "…"
