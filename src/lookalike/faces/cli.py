"""The command line: parse, call, print. Errors are one line on standard error, with the exit code of their kind."""

from __future__ import annotations

import os
import sys
import traceback
from contextlib import suppress
from functools import partial
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Group, Parameter
from cyclopts.completion.detect import ShellDetectionError, detect_shell
from cyclopts.config import Dict

from lookalike.base import files
from lookalike.base.errors import LookalikeError, UsageError, memory_guard, show
from lookalike.base.interrupts import OF_SIGNAL, Stopped, handlers_kept, ignore, stop_on_signals
from lookalike.faces import console
from lookalike.faces.messages import FLAG, fitting, verdict
from lookalike.runs.groups import RUN

CONFIG_LIMIT = 1 << 20  # bytes
HELP = ("--help", "-h", "--version")
HIGHEST = 2  # number of the last standard stream

COMMANDS = {
    "check": "List the classes, counts, sizes, unreadable files and duplicates of DATA, before any training.",
    "train": "Train a detector of what is not of a known class.",
    "score": "Score images with a trained run, and flag those that are not like the known class.",
    "evaluate": "Measure a run on test images of its known classes and of unknown ones.",
    "generate": "Make images of the classes that a run has learnt.",
    "subclasses": "Find the sub-class of each image, by a run that split its classes.",
    "measure": "Measure how good and how varied generated images are.",
    "augment": "Fill up the classes of DATA that have few images with generated ones.",
    "report": "Write one HTML page about one or several runs.",
    "page": "Open a page on this machine: drop images on it, and each gets its verdict.",
    "export": "Write a network of a run as an ONNX file, with a model card.",
    "push": "Put the model of a run on the Hugging Face hub, with a model card.",
    "pull": "Bring a model from the Hugging Face hub into a new folder.",
    "pairs": "Find which classes of DATA look alike.",
    "table": "Run a table of a paper, and write our figures beside the printed ones.",
    "bench": "Measure on your images which method is best, or whether augment helps.",
    "demo": "Train and compare methods on digits and on photographs, in about 3 minutes.",
    "methods": "List the methods with their papers.",
    "describe": "Say what a method does, and the values of its settings, on one screen.",
    "cite": "Print the BibTeX of a method's paper.",
}
MORE = {
    "check": "Each image is decoded once. The exit code is 3 where one cannot be read, unless --on-bad skip allows it.",
    "train": "The same command again resumes a run. The preset and the method give the values of flags that you "
    "leave out; 'lookalike describe METHOD' shows them. A conditional method gives G the class as an input.",
    "score": "The file has a line for each image: score, p-value, flag, and the parts of the score.",
    "subclasses": "The file has a line for each image: its sub-class, the class of which that is a part, and D's "
    "probability of the sub-class. The run needs no threshold.",
    "measure": "The features are those of a small classifier of the real images, where they have two classes or more. "
    "It is trained once, and stays in your cache folder. Figures compare between data sets only with the features of "
    "another network (--features). Beside each figure stands the one that real test images reach. From FID to mean "
    "distance, that is one half of them against the other half, and for FID samples of as many as the generated "
    "images where there are enough; the other figures take all of them. With few images FID is too large: a line "
    "gives it at equal numbers, and 'FID, no bias' and KID do not depend on them. '+-' is a standard error, or a "
    "deviation where the line says so.",
    "augment": "One GAN learns all classes and makes the images that are missing. They are written with the real ones, "
    "at one size. manifest.csv marks the generated ones, and report.html says whether G copied training images. Where "
    "those of a class are nearly all the same, noise, or of other classes, they are left out, with exit code 3. DATA "
    "stays as it is. The same command again resumes.",
    "export": "Images go in as pixels from 0 to 255, and come out from -1 to 1; the number of images is free. Scores "
    "that search or compare stay in torch. README.md beside the file is a model card as Hugging Face has it: classes, "
    "counts, threshold and figures.",
    "push": "One commit holds model.safetensors, model.json and README.md, and nothing else; they name no path of this "
    "machine. The model is for you alone, unless --public. A model can show its training images again, so ask who owns "
    "them. Log in before with 'hf auth login', or set HF_TOKEN.",
    "pull": "Only the files of a model are read. They cannot hold code, and are checked before the folder is there. "
    "score, generate and page take it; evaluate, export and report want the run folder itself. A private model needs "
    "'hf auth login', or HF_TOKEN.",
    "pairs": "A small network learns to bring images of one class together. Then the classes of the near neighbours of "
    "test images are counted. Fashion-MNIST takes about a minute and a half.",
    "table": "It takes hours on a laptop: begin with one row and one seed. The same command again resumes.",
}  # on the command's own page


def _default(value: object) -> str | None:
    """A default as --help shows it: nothing where nothing is chosen or a switch is off."""
    if value is None or value is False or value == ():
        return None
    return "yes" if value is True else str(value)


app = App(
    name="lookalike",
    help="Find images that only look like a known class, and make images of classes that have few.",
    version_flags=["--version"],
    default_parameter=Parameter(show_default=_default),
    group_parameters=Group.create_default_parameters("Flags"),
    result_action="return_value",
)
app.suppress_keyboard_interrupt = app.meta.suppress_keyboard_interrupt = False  # main ends with our one line
BENCHES = {
    "detect": "Which detector is best on your images? Each class in turn is the unknown one.",
    "augment": "Does it help a classifier of your images to fill up classes that have few?",
}
MODULES = {
    **dict.fromkeys(("pairs", "table"), "compare"),
    **dict.fromkeys(("generate", "augment"), "make"),
    "measure": "measure",
    "page": "page",
    "export": "export",
    **dict.fromkeys(("push", "pull"), "hub"),
    "subclasses": "split",
}  # others: detect
for _name, _help in COMMANDS.items():
    if _name != "bench":
        _page = "\n\n".join(filter(None, (_help, MORE.get(_name))))
        app.command(f"lookalike.faces.commands.{MODULES.get(_name, 'detect')}:{_name}", name=_name, help=_page)
app.command(bench := App(name="bench", help=COMMANDS["bench"], version_flags=[]))
for _name, _help in BENCHES.items():
    bench.command(f"lookalike.faces.commands.compare:bench_{_name}", name=_name, help=_help)


@app.command(name="--install-completion", version_flags=[])
def _completion(
    *,
    shell: Annotated[
        Literal["bash", "zsh", "fish", "powershell"] | None, Parameter(help="Which shell. Without it: this one.")
    ] = None,
) -> None:
    """Let the shell complete commands and flags."""
    try:
        shell = shell or detect_shell()
    except ShellDetectionError as error:
        raise UsageError("this shell is not known; name it with --shell bash, zsh, fish or powershell") from error
    console.say(f"written: {show(app.install_completion(shell=shell))}; open a new terminal to use it")


@app.meta.default
def _meta(
    *tokens: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
    config: Annotated[
        Path | None, Parameter(help="A TOML file with settings, which are named as the flags. Flags win.", group=RUN)
    ] = None,
    debug: Annotated[bool, Parameter(help="An error also prints its traceback.", group=RUN, negative=())] = False,
) -> None:
    """Runs one command."""
    app.config = (_toml(config.expanduser()),) if config else ()
    try:
        app([_at_home(token) for token in tokens], exit_on_error=False, print_error=False)
    finally:
        app.config = ()


def _toml(path: Path) -> Dict:
    """Settings of the file; refuses one that is missing, too large, no TOML, or has tables."""
    import tomllib

    try:
        text = files.read_bytes(path, CONFIG_LIMIT)
    except LookalikeError as error:
        raise UsageError(f"{error}; give a TOML file with settings") from error
    try:
        values = tomllib.loads(text.decode("utf-8-sig"))  # some editors begin a file with a byte order mark
    except (ValueError, RecursionError) as error:
        raise UsageError(
            f"{show(path)} cannot be read as TOML: {show(error)}; give a file with lines such as lr = 0.0002"
        ) from error
    if table := next((key for key, value in values.items() if isinstance(value, dict)), None):
        raise UsageError(f"{show(path)}: [{show(table, 60)}] is a table; give all settings at the top, without tables")
    pairs = {key: ",".join(map(str, value)) for key, value in values.items() if _is_pair(value)}
    paths = {key: _at_home(value) for key, value in values.items() if isinstance(value, str)}
    return Dict(values | pairs | paths, source=show(path), use_commands_as_keys=False)


def _at_home(token: str) -> str:
    """A token with the home folder for ~/, where no shell put it: in --out=~/run, and in a file of settings."""
    flag, sign, value = token.partition("=") if token.startswith("-") else ("", "", token)
    return flag + sign + (str(Path(value).expanduser()) if value.startswith("~/") else value)


def _is_pair(value: object) -> bool:
    """Whether a setting is [H, W] or [LOW, HIGH], which a flag gives as one text."""
    return isinstance(value, list) and len(value) == 2 and all(isinstance(number, int | float) for number in value)


def main(argv: list[str] | None = None) -> int:
    """Runs the command line and returns its exit code.

    0 success; 1 a bug of ours; 2 usage; 3 data; 4 model file; 5 output; 6 diverged; 7 out of memory; 8 locked; 129,
    130 and 143 stopped by SIGHUP, Ctrl-C and SIGTERM.
    """
    with handlers_kept():
        return _run(sys.argv[1:] if argv is None else argv)


def _run(tokens: list[str]) -> int:
    """As `main`. After an error signals have no effect any more, so that another one prints no traceback."""
    try:
        _open_streams()
        _escape(sys.stdout)
        with memory_guard(), console.fitted(partial(_fitting, tokens=tokens)):
            app.meta(tokens, exit_on_error=False, print_error=False)
        sys.stdout.flush()
    except BrokenPipeError:
        # the reader of our output left, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except SystemExit:
        return 0  # Rich leaves so when that happens
    except (Exception, KeyboardInterrupt, Stopped) as error:
        return _failed(error, tokens)
    return 0


def _failed(error: BaseException, tokens: list[str]) -> int:
    """Prints the one line of an error, and returns its exit code."""
    ignore()
    message, code = verdict(error, tokens)
    with suppress(OSError):  # after SIGHUP there may be no terminal
        if "--debug" in tokens:
            traceback.print_exception(error)
        if not getattr(error, "said", False):  # by another process of torchrun
            print(f"error: {_fitting(message, tokens)}", file=sys.stderr)
    return code


def _fitting(message: str, tokens: list[str]) -> str:
    """A message as the command of these tokens says it: without advice that names flags which it lacks."""
    _, apps, _ = app.parse_commands(tokens) if FLAG.search(message) else ((), (app,), ())
    if apps[-1].default_command is None:  # no command was named
        return message
    arguments = (one for part in (app.meta, apps[-1]) for one in part.assemble_argument_collection())
    return fitting(message, {*HELP, *(name for one in arguments for name in one.names)})


def _open_streams() -> None:
    """Opens standard streams that are closed, as daemons have them, so that no output file takes their numbers."""
    if None not in (sys.stdin, sys.stdout, sys.stderr):
        return
    while (opened := os.open(os.devnull, os.O_RDWR)) <= HIGHEST:
        os.set_inheritable(opened, True)  # workers have them too
    null = os.fdopen(opened, "r+", encoding="utf-8")
    sys.stdin, sys.stdout, sys.stderr = sys.stdin or null, sys.stdout or null, sys.stderr or null


def _escape(stream: object) -> None:
    """Lets a stream write what its encoding lacks as escapes, such as an accent on a terminal of plain ASCII."""
    if isinstance(stream, TextIOWrapper) and stream.errors == "strict":
        stream.reconfigure(errors="backslashreplace")


def entry() -> None:
    """The console script."""
    stop_on_signals()
    try:
        code = _run(sys.argv[1:])
    except (KeyboardInterrupt, Stopped) as error:  # one more, before the line of the first
        code = _failed(error, sys.argv[1:])
    ignore()
    if code > OF_SIGNAL:
        with suppress(OSError):
            sys.stderr.flush()
        os._exit(code)  # at once: unloading torch takes seconds where cores are few
    sys.exit(code)
