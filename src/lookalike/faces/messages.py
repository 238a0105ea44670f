"""Errors as the command line says them: one line, with the exit code, and no flag that the command lacks."""

from __future__ import annotations

import errno
import re
from collections.abc import Collection, Sequence
from itertools import pairwise

from cyclopts import CycloptsError, MissingArgumentError, UnknownOptionError, UnusedCliTokensError

from lookalike.base.errors import LookalikeError, OutputError, ResourceError, UsageError, did_you_mean, show
from lookalike.base.interrupts import Stopped

FLAG = re.compile(r"(?<![\w-])(?:--[a-z]+(?:-[a-z]+)*|-[a-z](?![\w-]))")
QUOTED = re.compile(r"(?<!\w)'[^']*'")  # a name, or a whole command with flags of its own
BRACKET = re.compile(r" \([^()]*\)")
ADVICE = re.compile(r"(; |, or )")
NUL = ("embedded null byte", "embedded null character")  # what Python says of it
SURROGATE = "surrogates not allowed"
NO_MORE_FILES = (errno.EMFILE, errno.ENFILE)


def fitting(message: str, flags: Collection[str]) -> str:
    """`message` without advice that names a flag which is none of `flags`, those of the command.

    Advice is what follows a semicolon or ", or", and what stands in brackets. What the message begins with is what was
    given, and stays.
    """
    first, *rest = ADVICE.split(BRACKET.sub(lambda found: "" if _strange(found[0], flags) else found[0], message))
    advice = zip(rest[::2], rest[1::2], strict=True)
    return first + "".join(joint + text for joint, text in advice if not _strange(text, flags))


def _strange(text: str, flags: Collection[str]) -> set[str]:
    """The flags in a text that are none of `flags`."""
    return set(FLAG.findall(QUOTED.sub("", text))) - set(flags)


def verdict(error: BaseException, tokens: Sequence[str]) -> tuple[str, int]:
    """What is said of an error of the command line `tokens`, and the exit code."""
    if isinstance(error, KeyboardInterrupt):
        return "stopped by Ctrl-C", 130
    if isinstance(error, LookalikeError | Stopped):
        return str(error), error.exit_code
    if isinstance(error, CycloptsError):
        return _sentence(error, tokens), UsageError.exit_code
    if isinstance(error, OSError) and error.errno is not None:
        return _of_system(error)
    if isinstance(error, UnicodeEncodeError) and error.reason == SURROGATE:
        return (
            f"{show(error.object)} holds half a character, which no file has in its name; give another",
            UsageError.exit_code,
        )
    if isinstance(error, ValueError) and str(error) in NUL:
        return "a name holds the character NUL, which no file has in its name; give another", UsageError.exit_code
    return f"{show(repr(error), 500)}: this is a bug in lookalike; please report it with the output of --debug", 1


def _of_system(error: OSError) -> tuple[str, int]:
    """What is said of an error of the system that no file of ours foresaw, and the exit code."""
    if error.errno in NO_MORE_FILES:
        return (
            "too many files are open; allow more with 'ulimit -n 4096', or use fewer --workers",
            ResourceError.exit_code,
        )
    if error.errno == errno.ENOSPC and error.filename is None:
        return "standard output cannot be written: no space is left", OutputError.exit_code
    where = "a file" if error.filename is None else show(error.filename)
    code = UsageError.exit_code if error.errno == errno.ENAMETOOLONG else OutputError.exit_code
    return f"{where} cannot be used: {error.strerror}; check its name, its permissions and the disk", code


def _sentence(error: CycloptsError, tokens: Sequence[str]) -> str:
    """What Cyclopts or pydantic say, as one line."""
    cause: BaseException | None = error.__cause__
    if cause is not None and hasattr(cause, "errors"):
        from lookalike.runs.settings import sentence

        return sentence(cause)
    if isinstance(error, UnknownOptionError) and error.token.source != "cli":
        key = (error.token.keyword or "").strip("[]")
        flags = [flag.removeprefix("--") for argument in error.argument_collection for flag in argument.names]
        return f"{error.token.source}: no setting is called {show(key, 60)};{did_you_mean(key, flags)} see --help"
    if isinstance(error, UnusedCliTokensError) and error.unused_tokens:
        first, *more = error.unused_tokens
        others = f" and {len(more):,} more" if more else ""
        return f"{show(first, 60)}{others}: not expected here; give one folder in place of many files, and see --help"
    if isinstance(error, MissingArgumentError) and (dashed := _dashed(tokens)):
        return f"{' '.join(dashed)}: a value that begins with a dash is written {'='.join(dashed)}"
    return " ".join(str(error).split()).removesuffix(", ...").rstrip(".") + "; see --help"


def _dashed(tokens: Sequence[str]) -> tuple[str, str] | None:
    """The first flag that is followed by something with one dash, and that; None where there is none."""
    for flag, value in pairwise(tokens):
        if flag.startswith("--") and "=" not in flag and value.startswith("-") and not value.startswith("--"):
            return show(flag), show(value)
    return None
