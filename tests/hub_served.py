"""The Hugging Face hub for tests: as much of its HTTP interface as a push and a pull ask, on a port of this machine."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

TOKEN = "hf_of_anna"
OWNER = "anna"


class Hub:
    """What the hub holds: of each name whether it is private, and its commits, the newest last."""

    def __init__(self):
        self.private: dict[str, bool] = {}
        self.commits: dict[str, list[tuple[str, dict[str, bytes]]]] = {}
        self.stored: dict[str, bytes] = {}  # large files by SHA-256
        self.asked: list[tuple[str, str, dict[str, str]]] = []  # method, path and headers of every request
        self.down = 0  # a status that every request gets
        self.sizes: dict[str, int] = {}  # a file's size that it claims
        self.address = self.elsewhere = ""  # large files have another host

    def add(self, name, files, *, private=False):
        """Commit these files in place of all others."""
        self.private.setdefault(name, private)
        commits = self.commits.setdefault(name, [])
        commits.append((hashlib.sha1(f"{name}{len(commits)}".encode()).hexdigest(), files))
        return commits[-1][0]

    def files(self, name):
        """The files of the newest commit."""
        return self.commits[name][-1][1]

    def at(self, name, revision):
        """(commit, files) of a revision; None where there is none."""
        if revision == "main":
            return self.commits[name][-1]
        return next((one for one in self.commits[name] if one[0] == revision), None)


class Answer(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    hub: Hub

    def log_message(self, *_):
        """Say nothing."""

    def reply(self, status=200, body=None, **headers):
        """Send a status with JSON or bytes; of HEAD, the head alone."""
        data = body if isinstance(body, bytes) else json.dumps(body or {}).encode()
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(data))} | headers).items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def do_GET(self):
        """Answer any request."""
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = urlsplit(self.path).path
        self.hub.asked.append((self.command, path, dict(self.headers)))
        if self.hub.down:
            return self.reply(self.hub.down, {"error": "the hub is ill"})
        mine = self.headers.get("Authorization") == f"Bearer {TOKEN}"
        match [self.command, *path.strip("/").split("/")]:
            case ["POST", "api", "repos", "create"] if mine:
                return self.create(json.loads(self.body))
            case ["POST", "api", "repos", "create"]:
                return self.reply(401, {"error": "Invalid username or password."})
            case ["POST", "api", "validate-yaml"]:
                return self.reply(body={"errors": [], "warnings": []})
            case ["PUT", "large", oid]:
                self.hub.stored[oid] = self.body
                return self.reply()
            case [_, "large", oid]:
                return self.reply(body=self.hub.stored[oid])
            case [_, "api", "models", owner, name, *rest]:
                return self.of(f"{owner}/{name}", mine, rest)
            case [_, owner, name, *rest]:
                return self.of(f"{owner}/{name.removesuffix('.git')}", mine, rest)
        return self.reply(404, {"error": "nothing here"})

    do_POST = do_PUT = do_HEAD = do_GET

    def create(self, asked):
        """Make a place, which is the user's own where no owner is named."""
        name = f"{asked.get('organization') or OWNER}/{asked['name']}"
        known = {"url": f"{self.hub.address}/{name}", "name": name}
        if name in self.hub.private:
            return self.reply(409, known | {"error": "You already created this model repo"})
        if not name.startswith(f"{OWNER}/"):
            return self.reply(403, {"error": "You don't have the rights to create a model under this namespace"})
        private = asked.get("visibility") == "private" or bool(asked.get("private"))
        self.hub.add(name, {".gitattributes": b"*.safetensors filter=lfs\n"}, private=private)
        return self.reply(body=known)

    def of(self, name, mine, rest):
        """Answer about one place."""
        if name not in self.hub.private or (self.hub.private[name] and not mine):
            return self.reply(404 if mine else 401, {"error": "Repository not found"}, X_Error_Code="RepoNotFound")
        if rest[:1] in (["preupload"], ["commit"], ["info"]) and not mine:
            return self.reply(403, {"error": "You need write access"})
        match rest:
            case [] | ["revision", _]:
                return self.info(name, *rest[1:])
            case ["preupload", _]:
                return self.reply(body={"files": [self.mode(one["path"]) for one in json.loads(self.body)["files"]]})
            case ["info", "lfs", "objects", "batch"]:
                return self.batch(json.loads(self.body)["objects"])
            case ["commit", _]:
                return self.commit(name, [json.loads(line) for line in self.body.splitlines()])
            case ["resolve", revision, file]:
                return self.resolve(name, revision, file)
        return self.reply(404, {"error": "nothing here"})

    def mode(self, path):
        """How a file is to be sent."""
        large = path.endswith(".safetensors")
        return {"path": path, "uploadMode": "lfs" if large else "regular", "shouldIgnore": False}

    def info(self, name, revision="main"):
        """Name, commit, files and sizes."""
        found = self.hub.at(name, revision)
        if found is None:
            return self.reply(404, {"error": "Invalid rev id"}, X_Error_Code="RevisionNotFound")
        files = [{"rfilename": f, "size": self.hub.sizes.get(f, len(data))} for f, data in found[1].items()]
        return self.reply(
            body={"id": name, "sha": found[0], "private": self.hub.private[name], "siblings": files, "tags": []}
        )

    def batch(self, objects):
        """Where large files go."""
        made = [{**one, "actions": {"upload": {"href": f"{self.hub.elsewhere}/large/{one['oid']}"}}} for one in objects]
        return self.reply(body={"transfer": "basic", "objects": made})

    def commit(self, name, lines):
        """Add the files of a commit to those of the commit before."""
        commit, files = self.hub.commits[name][-1]
        if lines[0]["value"].get("parentCommit", commit) != commit:
            return self.reply(412, {"error": "A commit has happened since"})
        added = {}
        for line in lines[1:]:
            value = line["value"]
            large = line["key"] == "lfsFile"
            added[value["path"]] = self.hub.stored[value["oid"]] if large else base64.b64decode(value["content"])
        made = self.hub.add(name, files | added)
        return self.reply(body={"commitUrl": f"{self.hub.address}/{name}/commit/{made}", "commitOid": made})

    def resolve(self, name, revision, file):
        """One file; a large one lies elsewhere."""
        commit, files = self.hub.at(name, revision) or ("", {})
        if file not in files:
            return self.reply(404, {"error": "Entry not found"}, X_Error_Code="EntryNotFound", X_Repo_Commit=commit)
        data = files[file]
        tag = f'"{hashlib.sha256(data).hexdigest()}"'
        if file.endswith(".safetensors"):
            self.hub.stored[tag.strip('"')] = data
            place = {"Location": f"{self.hub.elsewhere}/large/{tag[1:-1]}", "X_Linked_Etag": tag}
            return self.reply(302, b"", X_Repo_Commit=commit, X_Linked_Size=str(len(data)), **place)
        return self.reply(body=data, ETag=tag, X_Repo_Commit=commit)


@contextmanager
def hub_served():
    """A hub with nothing in it, at its `address` while the block lasts."""
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Own", (Answer,), {"hub": hub}))
    server.daemon_threads = True
    hub.address = f"http://127.0.0.1:{server.server_address[1]}"
    hub.elsewhere = hub.address.replace("127.0.0.1", "localhost")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
