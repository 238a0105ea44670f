"""`push` and `pull`, by the real package of the hub against a stand-in of the hub on this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import huggingface_hub
import pytest
from clean_failure import assert_clean_failure, tree
from hub_served import TOKEN, hub_served
from huggingface_hub import constants
from tiny import call, two_runs

from lookalike.base import checkpoint
from lookalike.base.errors import ModelError
from lookalike.detect.model import Model
from lookalike.faces import hub as own

FILES = {".gitattributes", "README.md", "model.json", "model.safetensors"}
COAT = "anna/coat"
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content:DeprecationWarning")  # of the hub's package


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """An evaluated run of deepsvdd, and a GAN of two classes that only makes images."""
    return two_runs(tmp_path_factory.mktemp("runs"))


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A hub with nothing in it, where anna is logged in; the package's cache is the test's own."""
    with hub_served() as there:
        monkeypatch.setattr(constants, "ENDPOINT", there.address)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", there.address + "/{repo_id}/resolve/{revision}/{filename}"
        )
        monkeypatch.setattr(constants, "HF_URL_HOSTS", frozenset({"127.0.0.1"}))
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)  # it keeps a file in the user's home
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)  # the stand-in has no store of chunks
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        yield there
        huggingface_hub.close_session()


@pytest.fixture
def work(tmp_path):
    """A folder with nothing in it."""
    (tmp_path / "work").mkdir()
    return tmp_path / "work"


def test_a_model_goes_there_and_back(runs, hub, work, capsys):
    """Three files and no more are pushed, to the bit those of the run; what is pulled scores as the run does."""
    code, said, err = call(capsys, "push", runs / "svdd", COAT)
    assert (code, said) == (0, f"{hub.address}/{COAT}: the model and its card, for you alone\n")
    assert err == "fill in license in its README.md; a later push keeps it\n"
    there = hub.files(COAT)
    assert there.keys() == FILES and hub.private[COAT]
    assert all(there[name] == (runs / "svdd" / name).read_bytes() for name in ("model.json", "model.safetensors"))
    code, said, err = call(capsys, "pull", COAT, "-o", work / "back")
    assert (code, said, err) == (0, f"{work}/back: deepsvdd of 3, commit {hub.commits[COAT][-1][0][:11]}…\n", "")
    assert tree(work) == {f"back/{name}": data for name, data in there.items() if name != ".gitattributes"}
    for name, run in (("a", runs / "svdd"), ("b", work / "back")):
        assert call(capsys, "score", run, "digits", "-o", work / f"{name}.csv")[0] == 0
    assert (work / "a.csv").read_bytes() == (work / "b.csv").read_bytes()


def test_the_card_is_of_the_whole_model(runs, hub):
    """Its head has library, licence and figures; its text the classes, the commands and the threshold."""
    own.push(runs / "svdd", "coat")
    text = hub.files(COAT)["README.md"].decode()
    figures = json.loads(next((runs / "svdd/evaluations").glob("*.json")).read_text())
    assert {"library_name: lookalike", "license: unknown", '- "deepsvdd"'} <= set(text.splitlines())
    assert f"value: {figures['auc']['value']:.4f}" in text and "| 3 | known |" in text
    assert "lookalike pull anna/coat -o model\nlookalike score model IMAGES" in text and "generate" not in text
    assert f"Above {Model.load(runs / 'svdd').threshold.value} it is flagged" in text
    own.push(runs / "gan", "maker")
    text = hub.files("anna/maker")["README.md"].decode()
    assert "lookalike generate model -n 10 -o made" in text and "lookalike score" not in text


def test_a_pulled_gan_makes_the_same_images(runs, hub, work, capsys):
    """Images of a seed are those of the run itself."""
    own.push(runs / "gan", COAT)
    own.pull(COAT, work / "back")
    for name, run in (("a", runs / "gan"), ("b", work / "back")):
        assert call(capsys, "generate", run, "-n", 2, "-o", work / name)[0] == 0
    assert tree(work / "a") == tree(work / "b") and len(tree(work / "a")) == 5


def test_a_later_push_keeps_the_licence_and_is_one_commit_more(runs, hub, capsys):
    """What somebody filled in stays; the same push again changes nothing but the commit; --json says it all."""
    own.push(runs / "gan", COAT, public=True)
    assert not hub.private[COAT]
    filled = hub.files(COAT)["README.md"].replace(b"license: unknown", b"license: cc-by-4.0")
    hub.add(COAT, hub.files(COAT) | {"README.md": filled})
    code, said, err = call(capsys, "push", runs / "svdd", COAT, "--json")
    assert (code, err) == (0, "")
    assert json.loads(said) == {
        "name": COAT, "address": f"{hub.address}/{COAT}", "private": False, "commit": hub.commits[COAT][-1][0],
        "licence": "cc-by-4.0",
    }  # fmt: skip
    text = hub.files(COAT)["README.md"].decode()
    assert "license: cc-by-4.0" in text and "It is `cc-by-4.0`" in text and '- "deepsvdd"' in text


def test_public_does_not_open_what_is_private(runs, hub, capsys):
    """A model that is there keeps who sees it, and a line says so."""
    own.push(runs / "svdd", COAT)
    _, said, err = call(capsys, "push", runs / "svdd", COAT, "--public")
    assert said.endswith("for you alone\n") and hub.private[COAT]
    assert "it was there, and stays private" in err


def test_the_token_goes_to_the_hub_alone(runs, hub, work):
    """It stands in the header of each request to the hub; not where large files lie, in no address and in no file."""
    own.push(runs / "svdd", COAT)
    own.pull(COAT, work / "back")
    shown = {(path.split("/")[1], headers.get("authorization")) for _, path, headers in hub.asked}
    assert shown == {("api", f"Bearer {TOKEN}"), ("anna", f"Bearer {TOKEN}"), ("large", None)}
    assert not any(TOKEN in path for _, path, _ in hub.asked)
    assert not any(TOKEN.encode() in data for data in (*tree(work).values(), *hub.files(COAT).values()))


def test_a_path_of_the_users_network_stays_here(runs, tmp_path, monkeypatch):
    """A model on an ONNX file of the user's has the name of that file on the hub, without its folder."""
    tensors, facts = checkpoint.load_model(runs / "svdd")
    nested = {"members": [{"backbone": "/home/anna/secret/net.onnx", "sha256": "0" * 64}]}
    monkeypatch.setattr(checkpoint, "load_model", lambda folder: (tensors, facts | {"settings": nested}))
    own._write(tmp_path, runs / "svdd", "")
    written = tree(tmp_path)
    assert not any(b"secret" in data for data in written.values()) and written.keys() == FILES - {".gitattributes"}
    assert json.loads(written["model.json"])["settings"]["members"][0]["backbone"] == "net.onnx"


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"pytorch_model.bin": b"\x80\x04"}, "is not a lookalike model: there is no model.json; give one that"),
        ({"model.json": b"{}"}, "is not a lookalike model: there is no model.safetensors"),
        ({"model.json": b"{}", "model.safetensors": b"x"}, "on the hub: model.json is not a lookalike model"),
        ({"config.json": b"{}", "model.safetensors": b"x"}, "there is no model.json"),
    ],
)
def test_what_is_no_model_of_ours_is_refused(files, said, hub, work, capsys):
    """One line says what is wrong, and no folder is made."""
    hub.add(COAT, files)
    line = assert_clean_failure(capsys, ["pull", COAT, "-o", work / "new"], 4, said, kept=work)
    assert line.startswith(f"error: {COAT}") and "lookalike-part" not in line


@pytest.mark.parametrize("file", ["model.json", "model.safetensors"])
def test_a_changed_byte_is_refused(file, runs, hub, work, capsys):
    """A model whose file was changed on the hub is not taken, and no folder is made."""
    own.push(runs / "svdd", COAT)
    data = bytearray(hub.files(COAT)[file])
    data[-3] ^= 1
    hub.add(COAT, hub.files(COAT) | {file: bytes(data)})
    assert_clean_failure(capsys, ["pull", COAT, "-o", work / "new"], 4, COAT, file, kept=work)


def test_other_files_stay_there(runs, hub, work, capsys):
    """A file beside the model, such as one that can hold code, is not read, and a line counts it."""
    own.push(runs / "svdd", COAT)
    hub.add(COAT, hub.files(COAT) | {"run.py": b"boom", "data.pkl": b"\x80\x04"})
    _, _, err = call(capsys, "pull", COAT, "-o", work / "new")
    assert err == "other files there were left out: 2\n"
    assert {path.name for path in (work / "new").iterdir()} == FILES - {".gitattributes"}
    assert not [path for _, path, _ in hub.asked if path.endswith((".py", ".pkl"))]


def test_a_file_that_is_too_large_is_not_fetched(runs, hub, work, capsys):
    """A model.json of 2 GB is refused by its size."""
    own.push(runs / "svdd", COAT)
    hub.sizes["model.json"], hub.asked[:] = 2 << 30, []
    line = assert_clean_failure(
        capsys, ["pull", COAT, "-o", work / "new"], 4, "model.json has 2,147,483,648", kept=work
    )
    assert "at most 1,048,576 are read" in line
    assert not [path for _, path, _ in hub.asked if "resolve" in path]


def test_a_full_folder_is_refused_before_anything_is_asked(hub, work, capsys):
    """A folder with a file stays as it is, and the hub is not asked."""
    (work / "full").mkdir()
    (work / "full" / "mine").write_text("x")
    assert_clean_failure(capsys, ["pull", COAT, "-o", work / "full"], 2, "is not empty", kept=work)
    assert hub.asked == []


def test_a_revision_is_that_commit(runs, hub, work, capsys):
    """--revision takes an earlier commit; one that is not there is refused."""
    first = own.push(runs / "svdd", COAT).commit
    own.push(runs / "gan", COAT)
    assert own.pull(COAT, work / "old", revision=first).model.method["name"] == "deepsvdd"
    assert own.pull(COAT, work / "new").model.method["name"] == "acgan"
    argv = ["pull", COAT, "-o", work / "none", "--revision", "v9"]
    assert_clean_failure(capsys, argv, 2, "has no such revision", kept=work)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"pytorch_model.bin": b"x"}, "holds other files, such as pytorch_model.bin; give a new name"),
        ({"README.md": b"# Anna's own\n"}, "README.md of anna/coat on the hub is no model card"),
    ],
)
def test_a_push_overwrites_nothing_of_others(files, said, runs, hub, work, capsys):
    """A place with other files, or another README, stays as it is."""
    hub.add(COAT, files)
    assert_clean_failure(capsys, ["push", runs / "svdd", COAT], 2, said, kept=work)
    assert len(hub.commits[COAT]) == 1


def test_a_readme_with_a_head_alone_gives_the_licence(runs, hub):
    """A place that was made on the hub's page, with a licence chosen there, takes the card with it."""
    hub.add(COAT, {"README.md": b"---\nlicense: mit\n---\n"})
    assert own.push(runs / "svdd", COAT).licence == "mit"


def test_a_commit_meanwhile_is_not_written_over(runs, hub, work, monkeypatch, capsys):
    """Where somebody else commits between the look and the push, the push is refused."""
    own.push(runs / "svdd", COAT)
    write = own._write

    def slow(*given):
        hub.add(COAT, hub.files(COAT))
        write(*given)

    monkeypatch.setattr(own, "_write", slow)
    argv = ["push", runs / "gan", COAT]
    assert_clean_failure(capsys, argv, 5, "412", "somebody else wrote there meanwhile; try again", kept=work)
    assert len(hub.commits[COAT]) == 3


@pytest.mark.parametrize("command", ["push", "pull"])
@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("a b/c", 2, "is no name on the hub; give OWNER/NAME"),
        ("bob/coat", 4, "is not there, or not for you; check the name, or log in with 'hf auth login'"),
    ],
)
def test_names_that_cannot_be(command, name, code, said, runs, hub, work, capsys):
    """A name that the hub cannot have, or that is not there, ends in one line; so does another's namespace."""
    if (command, code) == ("push", 4):
        code, said = 5, "the hub answers 403 (You don't have the rights to create"
    argv = ["push", runs / "svdd", name] if command == "push" else ["pull", name, "-o", work / "new"]
    assert_clean_failure(capsys, argv, code, said, kept=work)


def test_without_a_login(runs, hub, work, monkeypatch, capsys):
    """A push says how to log in and asks nothing; a pull of a private model says that it may be private."""
    own.push(runs / "svdd", COAT)
    monkeypatch.delenv("HF_TOKEN")
    before = len(hub.asked)
    assert_clean_failure(capsys, ["push", runs / "svdd", COAT], 2, "hf auth login", "HF_TOKEN", kept=work)
    assert len(hub.asked) == before
    assert_clean_failure(capsys, ["pull", COAT, "-o", work / "new"], 4, "not there, or not for you", kept=work)


def test_a_hub_that_is_ill_or_gone(runs, hub, work, monkeypatch, capsys):
    """Its status is said, with what to do; so is that nobody answers, and that the package is told to stay offline."""
    hub.down = 418
    argv = ["pull", COAT, "-o", work / "new"]
    assert_clean_failure(capsys, argv, 4, "the hub answers 418 (the hub is ill); try again later", kept=work)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    assert_clean_failure(capsys, argv, 4, "check the network and the disk, then try again", kept=work)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    huggingface_hub.close_session()
    assert_clean_failure(capsys, argv, 4, "HF_HUB_OFFLINE is set", kept=work)


def test_without_the_extra(runs, work, monkeypatch, capsys):
    """Both commands say what to install."""
    monkeypatch.setattr(own, "find_spec", lambda name: None)
    for argv in (["push", runs / "svdd", COAT], ["pull", COAT, "-o", work / "new"]):
        assert_clean_failure(capsys, argv, 2, "huggingface_hub; pip install '.[hub]'", kept=work)


def test_an_unfinished_run_is_not_pushed(hub, work, capsys):
    """A folder without a model is refused before the hub is asked."""
    assert_clean_failure(capsys, ["push", work, COAT], ModelError.exit_code, "model.json", kept=work)
    assert hub.asked == []


def test_as_a_person_types_it(runs, hub, work):
    """With the package's own variables and in processes of their own, a push and a pull go through, without bars."""
    own_settings = {
        "HF_ENDPOINT": hub.address, "HF_TOKEN": TOKEN, "HF_HOME": str(work / "home"), "HF_HUB_DISABLE_XET": "1",
    }  # fmt: skip
    for argv in (["push", runs / "svdd", COAT], ["pull", COAT, "-o", work / "new"]):
        command = [sys.executable, "-m", "lookalike", *map(str, argv)]
        done = subprocess.run(
            command, check=True, env=os.environ | own_settings, capture_output=True, text=True, timeout=100
        )
        assert len(done.stdout.splitlines()) == 1 and "%" not in done.stderr
    assert Model.load(work / "new").method["name"] == "deepsvdd"
