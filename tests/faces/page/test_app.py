"""The page's addresses: who may ask, what is answered, and that every refusal is a status with a sentence."""

from __future__ import annotations

import io
import json
import zipfile

import pytest
from starlette.testclient import TestClient

from lookalike.faces.page import app, guard
from lookalike.faces.page.app import application
from lookalike.faces.page.batches import Batches, BusyError
from lookalike.faces.page.openapi import document

HERE = "127.0.0.1:8000"


@pytest.fixture(scope="module")
def client(served):
    """A client of the page of both models."""
    with TestClient(application(served, [HERE, "localhost:8000"]), base_url=f"http://{HERE}") as one:
        yield one


def test_the_page_and_its_files(client):
    """The page names its two files, and all three come with a policy that forbids any other place."""
    start = client.get("/")
    assert start.status_code == 200
    for path in ("/page.css", "/page.js"):
        assert path in start.text
        assert client.get(path).status_code == 200
    policy = start.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;")
    assert "unsafe" not in policy
    assert not {" on" + event for event in ("click", "load", "error")} & set(start.text.split("="))
    assert start.headers["cache-control"] == "no-store"


def test_verdicts(client, served, digits):
    """POST /score answers with what the model says of the bytes that were sent; the first model is the usual one."""
    for file in digits:
        (wanted,) = served[0].judge([file], pictures=False)
        answer = client.post("/score", params={"model": "three", "pictures": "false"}, content=file)
        assert (answer.status_code, answer.json()) == (200, dict(wanted))
    assert set(client.post("/score", content=digits[0]).json()["pictures"]) == {"image", "heat_map", "nearest"}


def test_generated_images(client, served):
    """POST /generate gives data URLs, a zip archive, or one picture of the way to another class."""
    asked = {"model": "both", "class": "3", "n": 2, "seed": 4}
    images = client.post("/generate", json=asked).json()["images"]
    assert len(images) == 2
    archive = client.post("/generate", json=asked | {"form": "zip"})
    assert archive.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(archive.content)) as opened:
        assert [opened.read(name) for name in opened.namelist()[:2]] == served[1].make("3", seed=4, n=2)
    (way,) = client.post("/generate", json=asked | {"to": "8"}).json()["images"]
    assert way.startswith("data:image/png;base64,")
    assert way not in images


REFUSED = {
    "no image": ("POST", "/score", b"no image", 422, "the picture cannot be read"),
    "nothing": ("POST", "/score", b"", 422, "empty, 0 bytes"),
    "a model without a threshold": ("POST", "/score?model=both", b"", 422, "only makes images"),
    "no such model": ("POST", "/score?model=thre", b"", 404, "no model thre; did you mean three?"),
    "another word": ("POST", "/score?pictures=yes", b"", 422, "true and false are accepted"),
    "no JSON": ("POST", "/generate", b"{", 422, "the request is no JSON"),
    "deep JSON": ("POST", "/generate", b"[" * 100_000, 422, "the request is no JSON"),
    "no object": ("POST", "/generate", b"[]", 422, "no JSON object"),
    "no class": ("POST", "/generate", b'{"model": "both"}', 422, "class must be"),
    "a model without a GAN": ("POST", "/generate", b'{"class": "3"}', 422, "makes no images"),
    "seed as text": ("POST", "/generate", b'{"class": "3", "seed": "1"}', 422, "seed must be a whole number"),
    "seed below 0": ("POST", "/generate", b'{"class": "3", "seed": -1}', 422, "seed must be a whole number"),
    "true as number": ("POST", "/generate", b'{"class": "3", "n": true}', 422, "n must be a whole number"),
    "too many": ("POST", "/generate", b'{"model": "both", "class": "3", "n": 65}', 422, "from 1 to 64"),
    "another form": ("POST", "/generate", b'{"class": "3", "form": "tar"}', 422, "form must be json or zip"),
    "model as number": ("POST", "/generate", b'{"model": 3, "class": "3"}', 404, "no model 3"),
    "wrong method": ("DELETE", "/score", b"", 405, "Method Not Allowed"),
    "trace": ("TRACE", "/", b"", 405, "Method Not Allowed"),
    "own method": ("X", "/models", b"", 405, "Method Not Allowed"),
    "another address": ("GET", "/nothing", b"", 404, "Not Found"),
    "H12 dots": ("GET", "/..%2f..%2fetc/passwd", b"", 404, "Not Found"),
    "H12 twice": ("GET", "/%252e%252e/page.js", b"", 404, "Not Found"),
    "H12 NUL": ("GET", "/page.js%00", b"", 404, "Not Found"),
    "H12 backslash": ("GET", "/..\\page.js", b"", 404, "Not Found"),
    "H12 model": ("GET", "/report?model=../three", b"", 404, "no model ../three"),
}


@pytest.mark.parametrize(("method", "path", "content", "status", "words"), REFUSED.values(), ids=REFUSED)
def test_H12_refusals_are_a_sentence(client, runs, method, path, content, status, words):
    """Each has its status and says why, and none names a path of this machine."""
    answer = client.request(method, path, content=content)
    assert answer.status_code == status
    assert words in answer.json()["error"]
    assert str(runs[0].parent) not in answer.text


def test_H11_other_hosts_and_sites_are_refused(client):
    """A foreign Host is told 421 and a foreign Origin 403; the page's own addresses are answered."""
    assert client.get("/health", headers={"host": "evil.example"}).status_code == 421
    assert client.get("/health", headers={"host": f"{HERE}.evil.example"}).status_code == 421
    assert client.get("/health", headers={"host": "LOCALHOST:8000"}).status_code == 200
    for origin in ("http://evil.example", "null", "http://127.0.0.1:9000"):
        assert client.post("/score", headers={"origin": origin}, content=b"x").status_code == 403
    assert client.get("/health", headers={"origin": f"http://{HERE}"}).status_code == 200


def test_H11_with_a_token(served):
    """Nothing is answered without the token; from the page's address it becomes a cookie that scripts cannot read."""
    with TestClient(application(served, [HERE], "secret"), base_url=f"http://{HERE}") as one:
        for asked in ({}, {"params": {"token": "wrong"}}, {"headers": {"authorization": "Bearer wrong"}}):
            assert one.get("/health", **asked).status_code == 401
        assert one.get("/health", headers={"authorization": "Bearer secret"}).status_code == 200
        assert one.get("/health").status_code == 401
        first = one.get("/", params={"token": "secret"})
        assert "HttpOnly; SameSite=Strict" in first.headers["set-cookie"]
        assert one.get("/page.js").status_code == 200
        elsewhere = {"host": "192.168.1.5:8000", "authorization": "Bearer secret"}
        assert one.get("/health", headers=elsewhere).status_code == 200  # by any of the machine's addresses
        assert one.get("/health", headers={**elsewhere, "origin": "http://192.168.1.5:8000"}).status_code == 200
        assert one.get("/health", headers={**elsewhere, "origin": "http://evil.example"}).status_code == 403


def test_H13_large_and_slow_requests(client, monkeypatch):
    """A request that is too large, or says so, is refused; so is one that takes too long."""
    monkeypatch.setattr(guard, "LARGEST", 1000)
    assert client.post("/score", content=b"x" * 1001).status_code == 413
    assert client.post("/score", content=(b"x" * 400 for _ in range(3))).status_code == 413
    assert client.post("/score", headers={"content-length": str(1 << 30)}, content=b"x").status_code == 413
    monkeypatch.setattr(guard, "PATIENCE", 0.0)
    assert client.post("/score", content=b"x").status_code in (408, 422)


def test_too_many_images_wait(served, digits, monkeypatch):
    """Where the queue is full the answer is 429, with when to send it again."""

    def full(queue, item):
        raise BusyError

    monkeypatch.setattr(Batches, "answer", full)
    with TestClient(application(served, [HERE]), base_url=f"http://{HERE}") as one:
        answer = one.post("/score", content=digits[0])
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")


def test_images_that_wait_have_a_limit_of_memory(served, digits, monkeypatch):
    """A request whose body would take more than is left is told to come again, and what it held is free afterwards."""
    monkeypatch.setattr(app, "MOST_HELD", len(digits[0]))
    with TestClient(application(served, [HERE]), base_url=f"http://{HERE}") as one:
        assert one.post("/score", content=digits[0]).status_code == 200
        assert one.post("/score", content=digits[0] + b"x").status_code == 429
        assert one.post("/score", content=iter([digits[0]])).status_code == 429  # it does not say how much it is
        assert one.post("/score", content=digits[0]).status_code == 200


def test_metrics_count(served, digits):
    """Requests are counted by address and status, and images that had a verdict."""
    with TestClient(application(served, [HERE]), base_url=f"http://{HERE}") as one:
        for content in (digits[0], digits[1], b"no image"):
            one.post("/score", content=content)
        lines = one.get("/metrics").text.splitlines()
    assert 'lookalike_requests_total{path="/score",code="200"} 2' in lines
    assert 'lookalike_requests_total{path="/score",code="422"} 1' in lines
    assert "lookalike_images_total 2" in lines
    assert "lookalike_images_waiting 0" in lines


def test_a_bug_tells_nothing(served, monkeypatch):
    """An error of ours is a status 500 without its text."""
    monkeypatch.setattr(type(served[0]), "judge", lambda *given, **more: 1 / 0)
    with TestClient(application(served, [HERE]), base_url=f"http://{HERE}", raise_server_exceptions=False) as one:
        answer = one.post("/score", content=b"x")
    assert answer.status_code == 500
    assert answer.json() == {"error": "this is a bug in lookalike; the command's terminal says more"}


def test_the_report(client):
    """The run's report comes under its own policy, which lets it run nothing."""
    answer = client.get("/report", params={"model": "three"})
    assert answer.status_code == 200
    assert "<title>" in answer.text
    assert "script-src" not in answer.headers["content-security-policy"]
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_the_openapi_document_names_every_address(client, served):
    """It has each address and method that the page answers, and the statuses that were seen above."""
    said = client.get("/openapi.json").json()
    assert said == json.loads(json.dumps(document([one.name for one in served])))
    routes = {(route.path, (route.methods - {"HEAD"}).pop().lower()) for route in client.app.routes}
    assert {(path, method) for path, item in said["paths"].items() for method in item} == routes
    assert {"200", "404", "413", "422", "429"} <= set(said["paths"]["/score"]["post"]["responses"])
    model = client.get("/models").json()[0]
    schema = said["paths"]["/models"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    assert set(model) == set(schema["items"]["properties"])
