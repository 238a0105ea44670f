"""Models on the Hugging Face hub (extra `hub`): pushed with a card; pulled where they are ours, and checked before.

Who asks is the hub's own matter: its login, `hf auth login`, or its variable HF_TOKEN. A token is never a flag.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from lookalike.base import checkpoint, files
from lookalike.base.checkpoint import CARD, WEIGHTS
from lookalike.base.errors import LookalikeError, ModelError, OutputError, UsageError, install, show
from lookalike.detect.model import Model
from lookalike.report import card
from lookalike.runs.folder import Run, read_run

if TYPE_CHECKING:
    from huggingface_hub import HfApi, ModelInfo

MOST = {CARD: files.JSON_LIMIT, WEIGHTS: 1 << 33, card.NAME: files.JSON_LIMIT}  # file -> bytes that are read at most
OF_THE_HUB = (".gitattributes",)  # what it writes itself
LOG_IN = "log in with 'hf auth login', or set HF_TOKEN"


@dataclass(frozen=True)
class Pushed:
    """A model on the hub: its whole name, its page, whether others see it, its commit and its licence."""

    name: str
    address: str
    private: bool
    commit: str
    licence: str


@dataclass(frozen=True)
class Pulled:
    """A model from the hub, the commit that it is of, and how many other files are there and were left out."""

    model: Model
    commit: str
    left_out: int


def push(run: Path | str, name: str, *, public: bool = False) -> Pushed:
    """Puts the model of a run on the hub, with a model card, in one commit.

    Only model.safetensors, model.json and README.md leave the machine, without paths of it. A licence that somebody
    filled in on the hub stays.

    Parameters
    ----------
    run : Path or str
        A run folder.
    name : str
        OWNER/NAME on the hub, or NAME for your own. It is made where it is not there.
    public : bool
        Whether everybody sees a model that is made now. One that is there stays as it is.

    Raises
    ------
    UsageError
        Without the extra or a login, and for a name that cannot be or that holds something else.
    ModelError
        For a run without a whole model.
    OutputError
        Where the hub does not take it.
    """
    run = files.at_home(run)
    model, record = Model.load(run), read_run(run)
    api = _api()
    with _said(name, OutputError), TemporaryDirectory(prefix="lookalike-push-") as folder:
        _refuse_stranger()
        whole = api.create_repo(name, private=not public, exist_ok=True).repo_id
        there = api.model_info(whole)
        licence = _licence(api, whole, there)
        _write(Path(folder), run, card.of_model(record, model, whole, licence))
        commit = _commit(api, Path(folder), whole, there, record)
    return Pushed(whole, f"{api.endpoint}/{whole}", bool(there.private), commit, licence)


def pull(name: str, out: Path | str, *, revision: str | None = None) -> Pulled:
    """Brings a model from the hub into a new folder, once it is known to be whole and of lookalike.

    Parameters
    ----------
    name : str
        OWNER/NAME on the hub.
    out : Path or str
        A new or empty folder. It is written whole or not at all.
    revision : str or None
        A branch, tag or commit; None means the newest.

    Raises
    ------
    UsageError
        Without the extra, for a name that cannot be, or a folder that is full.
    ModelError
        For what the hub does not have or give, and for anything but a whole model of lookalike.
    OutputError
        If the folder cannot be written.
    """
    api = _api()
    with files.atomic_folder(files.at_home(out)) as folder, _said(name, ModelError):
        there = api.model_info(name, revision=revision, files_metadata=True)
        sizes = {one.rfilename: one.size or 0 for one in there.siblings or ()}
        _refuse_foreign(name, sizes)
        for file in MOST.keys() & sizes.keys():
            files.write_new(folder / file, _read(api, name, file, there))
        try:
            model = Model.load(folder)
        except ModelError as error:
            raise ModelError(f"{show(name)} on the hub: {str(error).replace(f'{folder}/', '')}") from error
    return Pulled(model, str(there.sha), len(sizes.keys() - {*MOST, *OF_THE_HUB}))


def _api() -> HfApi:
    """The hub, as its package is set up by the user."""
    if find_spec("huggingface_hub") is None:
        raise UsageError(f"the hub needs the package huggingface_hub; {install('hub')}")
    from huggingface_hub import HfApi

    return HfApi(library_name="lookalike", library_version=version("lookalike"))


def _refuse_stranger() -> None:
    from huggingface_hub import get_token

    if get_token() is None:
        raise UsageError(f"nobody is logged in to the hub, and a push needs that; {LOG_IN}")


def _licence(api: HfApi, name: str, there: ModelInfo) -> str:
    """The licence that stands on the hub. Raises UsageError where something else than a model of ours is there."""
    names = {one.rfilename for one in there.siblings or ()}
    others = sorted(names - {*OF_THE_HUB, card.NAME})
    if others and CARD not in names:
        raise UsageError(f"{show(name)} on the hub holds other files, such as {show(others[0])}; give a new name")
    text = _read(api, name, card.NAME, there).decode("utf-8", "replace") if card.NAME in names else ""
    if not card.is_ours(text):
        raise UsageError(
            f"{card.NAME} of {show(name)} on the hub is no model card of lookalike, and is not replaced; remove it "
            "there, or give a new name"
        )
    return card.licence_of(text)


def _write(folder: Path, run: Path, text: str) -> None:
    """Writes the files that are pushed; those of the model are the run's bytes where they name no path."""
    tensors, facts = checkpoint.load_model(run)
    checkpoint.save_model(folder, tensors, {**facts, "settings": _without_paths(facts["settings"])})
    files.write_text(folder / card.NAME, text)


def _without_paths(value: Any) -> Any:
    """The settings of a detector, with an ONNX file of the user's by its name alone: a model knows it by its digest."""
    if isinstance(value, Mapping):
        name = {"backbone": Path(value["backbone"]).name} if isinstance(value.get("backbone"), str) else {}
        return {key: _without_paths(one) for key, one in value.items()} | name
    return [_without_paths(one) for one in value] if isinstance(value, list) else value


def _commit(api: HfApi, folder: Path, name: str, there: ModelInfo, record: Run) -> str:
    """Commits the folder on top of what was there; returns the commit, the old one where nothing has changed."""
    from huggingface_hub import CommitOperationAdd

    done = api.create_commit(
        name,
        [CommitOperationAdd(file, folder / file) for file in MOST],
        commit_message=f"{record.method} of lookalike {version('lookalike')}",
        parent_commit=there.sha,
    )
    return str(done.oid)


def _refuse_foreign(name: str, sizes: Mapping[str, int]) -> None:
    """Raises ModelError for files that are not those of a model, or too large."""
    if missing := {CARD, WEIGHTS} - sizes.keys():
        raise ModelError(
            f"{show(name)} on the hub is not a lookalike model: there is no {min(missing)}; give one that 'lookalike "
            "push' put there"
        )
    for file, most in MOST.items():
        if sizes.get(file, 0) > most:
            raise ModelError(
                f"{show(name)} on the hub: {file} has {sizes[file]:,} bytes, and at most {most:,} are read; give "
                "another model"
            )


def _read(api: HfApi, name: str, file: str, there: ModelInfo) -> bytes:
    """A file of this very commit, by the hub's own cache."""
    path = Path(api.hf_hub_download(name, file, revision=there.sha))
    return files.read_bytes(path, MOST[file])


@contextmanager
def _said(name: str, kind: type[LookalikeError]) -> Iterator[None]:
    """What the hub's package raises in the block becomes one line of ours, as `kind` where no other fits."""
    from huggingface_hub import errors

    what = f"{show(name)} on the hub"
    try:
        yield
    except LookalikeError:
        raise
    except errors.HFValidationError as error:
        raise UsageError(f"{show(name)} is no name on the hub; give OWNER/NAME, such as anna/coats") from error
    except errors.GatedRepoError as error:
        raise kind(f"{what} is open to those whom its owner lets in; ask on its page, and {LOG_IN}") from error
    except errors.RepositoryNotFoundError as error:
        raise kind(f"{what} is not there, or not for you; check the name, or {LOG_IN}") from error
    except errors.RevisionNotFoundError as error:
        raise UsageError(f"{what} has no such revision; give a branch, a tag or a commit (--revision)") from error
    except errors.OfflineModeIsEnabled as error:
        raise kind("the hub is not asked while HF_HUB_OFFLINE is set; unset it") from error
    except errors.HfHubHTTPError as error:
        status = error.response.status_code
        raise kind(f"{what}: the hub answers {status}{_reason(error.server_message)}; {_advice(status)}") from error
    except (errors.HTTPError, OSError, RuntimeError, ValueError) as error:
        raise kind(f"{what}: {_first(error)}; check the network and the disk, then try again") from error


def _advice(status: int) -> str:
    if status in (401, 403):
        return f"{LOG_IN}, with a token that may write"
    return "somebody else wrote there meanwhile; try again" if status == 412 else "try again later"


def _reason(message: str | None) -> str:
    return f" ({show(message.splitlines()[0])})" if message else ""


def _first(error: BaseException) -> str:
    """The first line of an error, or its kind."""
    return show((str(error).splitlines() or [""])[0].rstrip(".;") or type(error).__name__)
