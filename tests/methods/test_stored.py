"""Methods as JSON: every method and cross comes back equal; a file cannot name anything else."""

from __future__ import annotations

import builtins
import importlib
import json
from dataclasses import fields

import pytest

from lookalike.base.errors import ModelError
from lookalike.game.latents import BalancedLabels, LabelsAsInData, Normal, Uniform
from lookalike.game.losses import Hinge, Minimax
from lookalike.game.method import Method, Twin
from lookalike.game.needs import Need
from lookalike.game.nets.anogan import Anogan
from lookalike.game.nets.dcgan import Dcgan
from lookalike.game.nets.mlp import Mlp
from lookalike.game.optimiser import Adam
from lookalike.game.splitting import Splitting
from lookalike.game.streams import Generated, Real
from lookalike.methods import METHODS, PARTS, stored
from lookalike.methods.mcgan import OtherClasses
from lookalike.methods.vtgan import FromTwin, Noised, Weakened

CHANGES = {
    "nothing": {},
    "net": {"net": Anogan(width=16, layers=1, stride=8, g_pool=2, pool=4)},
    "dcgan": {"net": Dcgan(width=8, levels=2)},
    "dcgan levels": {"net": Dcgan(width=8)},
    "mlp": {"net": Mlp(width=32, layers=1)},
    "latent": {"latent": Uniform(7)},
    "losses": {"losses": (Hinge(), Minimax(saturating=True))},
    "optimiser": {"optimiser": Adam(1e-3, 0.0, 0.9)},
    "D's optimiser": {"d_optimiser": Adam(1e-4, 0.0)},
    "d_steps": {"d_steps": 5},
    "labels": {"labels": LabelsAsInData()},
    "balanced labels": {"labels": BalancedLabels()},
    "from scratch": {"start": None},
    "streams": {"d_sees": ((Real(), 1), (Generated(), 0.25), (OtherClasses(), 0.5), (Noised(0.1, 0.2), 2))},
    "twins": {
        "d_sees": ((Real(), 1), (Generated(), 1), (FromTwin("faint"), 0.5)),
        "twins": (Twin("faint", Weakened(33)), Twin("other", Weakened())),
    },
}


def changed(method, change):
    """The method with other values on an axis; one that learns classes keeps its class loss and labelled streams."""
    values = dict(CHANGES[change])
    if "losses" in values:
        paired = any(Need.REAL_IN_G in loss.needs for loss in method.losses)  # which G's step is made for
        values["losses"] = (*values["losses"], *method.losses[0 if paired else 1 :])
    if Need.LABELS in method.head.needs or method.start:
        values.pop("d_sees", None)
    if method.start or not all(twin.beside for twin in method.twins):
        values |= {"twins": (*method.twins, *values["twins"])} if "twins" in values else {}
    if method.splitting and "twins" in values:
        values["splitting"] = None  # the twins would keep the old classes
    if change.startswith("dcgan"):
        values["penalty"] = None  # its D has batch norm
    return method.but(**values)


def test_splits_come_back():
    """Points, share and way of splitting return from JSON; points that fall are refused there too."""
    method = METHODS["splitting"].but(splitting=Splitting((5, 9), 0.2, "feature"))
    given = json.loads(json.dumps(stored.to_json(method)))
    assert stored.from_json(given) == method
    given["splitting"]["at"] = [9, 5]
    with pytest.raises(ModelError, match="rising"):
        stored.from_json(given)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("change", CHANGES)
def test_round_trip(name, change):
    """Every method with any axis changed comes back equal from its JSON text."""
    method = changed(METHODS[name], change)
    text = json.dumps(stored.to_json(method), allow_nan=False)
    assert stored.from_json(json.loads(text)) == method


@pytest.mark.parametrize("name", METHODS)
def test_only_changes_are_stored(name):
    """A named method is its name; a changed one its name and what differs."""
    assert stored.to_json(METHODS[name]) == {"name": name}
    other = METHODS[name].but(latent=Uniform(7), d_steps=2)
    assert stored.to_json(other) == {"name": name, "latent": {"is": "Uniform", "z_dim": 7}, "d_steps": 2}


def test_parts_are_all_there_are():
    """Every value that the named methods have on an axis can be stored and read."""
    known = {part.__name__ for part in PARTS.values()}
    assert set(PARTS) == known
    assert {"Real", "Generated", "OtherClasses", "Noised", "FromTwin", "Weakened", "Twin", "Binary"} <= known


def test_a_twin_of_an_earlier_version_trains_before_or_beside():
    """A file that does not say when a twin trains after was written before twins could; it is read as none."""
    method = METHODS["vtgan"].but(twins=(Twin("weak", Weakened(33)),))
    given = json.loads(json.dumps(stored.to_json(method)))
    del given["twins"][0]["after"]
    assert stored.from_json(given) == method


def test_real_images_of_an_earlier_version_are_as_stored():
    """A file that does not say whether they lie between grey levels was written before they could."""
    method = METHODS["wgan-gp"].but(d_sees=((Real(), 1.0), (Generated(), 0.5)))
    given = json.loads(json.dumps(stored.to_json(method)))
    assert given["d_sees"][0][0].pop("dequantised") is False
    assert stored.from_json(given) == method


def test_a_weak_twin_of_an_earlier_version_has_its_networks_layers():
    """A file that does not say the weak twin's layers was written before they could be set; others are kept."""
    method = METHODS["vtgan"].but(twins=(Twin("weak", Weakened(33)),))
    given = json.loads(json.dumps(stored.to_json(method)))
    assert given["twins"][0]["method"] == {
        "is": "Weakened", "z_dim": 33, "layers": None, "stride": None, "g_pool": None, "pool": None,
    }  # fmt: skip
    given["twins"][0]["method"] = {"is": "Weakened", "z_dim": 33}
    assert stored.from_json(given) == method
    changed = METHODS["vtgan"].but(twins=(Twin("weak", Weakened(33, 2, 8, 4, 2)),))
    assert stored.from_json(json.loads(json.dumps(stored.to_json(changed)))) == changed


NORMAL = {"is": "Normal", "z_dim": 8}
REFUSED = {
    "no object": ([], "names the method"),
    "null": (None, "names the method"),
    "no name": ({}, "names the method None"),
    "unknown name": (
        {"name": "biggan"},
        "names the method biggan; this version has: auto-gan, anogan, noisegan, mcgan, vtgan",
    ),
    "list as name": ({"name": []}, "names the method"),
    "object as name": ({"name": {"is": "Real"}}, "names the method"),
    "unknown axis": ({"name": "anogan", "wings": 2}, "a method axis wings that this version does not have"),
    "unknown part": ({"name": "anogan", "net": {"is": "Popen"}}, "names the part Popen"),
    "part by path": ({"name": "anogan", "net": {"is": "os.system"}}, "names the part os.system"),
    "axis as part": ({"name": "anogan", "net": {"is": "Method"}}, "names the part Method"),
    "no part name": ({"name": "anogan", "net": {"width": 3}}, "names the part None"),
    "list as part": ({"name": "anogan", "net": {"is": ["Mlp"]}}, "names the part"),
    "unknown field": ({"name": "anogan", "latent": NORMAL | {"evil": 1}}, "gives Normal the fields"),
    "missing field": ({"name": "anogan", "latent": {"is": "Normal"}}, "gives Normal the fields"),
    "class attribute": ({"name": "anogan", "losses": [{"is": "Hinge", "name": "x"}]}, "gives Hinge the fields"),
    "text for number": (
        {"name": "anogan", "latent": {"is": "Normal", "z_dim": "8"}},
        "gives Normal a value of the wrong kind",
    ),
    "truth for number": (
        {"name": "anogan", "latent": {"is": "Normal", "z_dim": True}},
        "gives Normal a value of the wrong kind",
    ),
    "number for truth": (
        {"name": "anogan", "losses": [{"is": "Minimax", "saturating": 1}]},
        "Minimax a value of the wrong kind",
    ),
    "number for text": (
        {"name": "vtgan", "d_sees": [[{"is": "FromTwin", "twin": 1}, 1]]},
        "FromTwin a value of the wrong kind",
    ),
    "text as axis": ({"name": "anogan", "d_steps": "three"}, "the file's method cannot be built"),
    "number as streams": ({"name": "anogan", "d_sees": 5}, "the file's method cannot be built"),
    "number as stream": ({"name": "anogan", "d_sees": [[5, 1]]}, "the file's method cannot be built"),
    "text as share": (
        {"name": "anogan", "d_sees": [[{"is": "Real"}, "x"], [{"is": "Generated"}, 1]]},
        "cannot be built",
    ),
    "latent as stream": ({"name": "anogan", "d_sees": [[NORMAL, 1]]}, "the file's method cannot be built"),
    "number as loss": ({"name": "anogan", "losses": [5]}, "the file's method cannot be built"),
    "refused by itself": ({"name": "anogan", "d_steps": 0}, "d_steps must be at least 1"),
    "no twin": ({"name": "vtgan", "twins": []}, "a stream needs the twin weak; add it to twins"),
}


@pytest.mark.parametrize(("value", "reason"), REFUSED.values(), ids=REFUSED)
def test_refused(value, reason):
    """What is no method of ours is refused in one line that names what was found."""
    with pytest.raises(ModelError) as error:
        stored.from_json(value)
    assert reason in str(error.value)
    assert str(error.value).isprintable()


def test_names_are_shown_safely():
    """A name from a file is shown with its control characters escaped and cut to a line."""
    with pytest.raises(ModelError) as error:
        stored.from_json({"name": "\x1b[31m\n" + "x" * 5000})
    assert str(error.value).isprintable()
    assert len(str(error.value)) < 600


def test_nothing_is_imported_or_called_by_name(monkeypatch):
    """Reading any of these values imports nothing and evaluates nothing."""

    def forbidden(*given, **named):
        raise AssertionError(f"called with {given}")

    values = [value for value, _ in REFUSED.values()]
    values += [stored.to_json(changed(m, change)) for m in METHODS.values() for change in CHANGES]
    with monkeypatch.context() as patch:
        patch.setattr(importlib, "import_module", forbidden)
        for call in ("eval", "exec", "compile", "__import__"):
            patch.setattr(builtins, call, forbidden)
        for value in values:
            try:
                stored.from_json(value)
            except ModelError:
                continue


def test_every_axis_can_be_stored():
    """Each axis of a method, changed or not, is JSON: no function or class hides on one."""
    for method in METHODS.values():
        for field in fields(Method):
            json.dumps(stored._encoded(getattr(method, field.name)), allow_nan=False)
    assert stored._encoded(Normal(3)) == {"is": "Normal", "z_dim": 3}
