"""The page's addresses: the page itself, verdicts, generated images, the reports, health and metrics."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import lru_cache, partial
from importlib.metadata import version
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from lookalike.base.errors import LookalikeError, did_you_mean, listed, show
from lookalike.base.strict import parse_json
from lookalike.faces.page.batches import Batches, BusyError
from lookalike.faces.page.guard import LARGEST, Guard, Json, RefusedError, body, refused
from lookalike.faces.page.openapi import document
from lookalike.faces.page.served import Answer, Served, data_url, zipped

REPORT = {
    "content-security-policy": "default-src 'none'; img-src data:; style-src 'unsafe-inline'; frame-ancestors 'self'"
}
MOST_HELD = 256 << 20  # bytes of all images that wait
SEED = 2**31  # seeds are below it
Handler = Callable[[Request], Awaitable[Response]]


def application(models: Sequence[Served], hosts: Sequence[str], token: str | None = None) -> Starlette:
    """Return the page of these models, which is asked for by the addresses `hosts`; `token` is as for `Guard`."""
    page = Page({one.name: one for one in models})
    addresses: dict[tuple[str, str], Handler] = {
        ("GET", "/"): page.start,
        ("GET", "/page.css"): partial(_file, "page.css", "text/css"),
        ("GET", "/page.js"): partial(_file, "page.js", "text/javascript"),
        ("GET", "/models"): page.models,
        ("POST", "/score"): page.score,
        ("POST", "/generate"): page.generate,
        ("GET", "/report"): page.report,
        ("GET", "/health"): page.health,
        ("GET", "/metrics"): page.metrics,
        ("GET", "/openapi.json"): page.openapi,
    }
    return Starlette(
        routes=[
            Route(path, page.counted(path, handler), methods=[method]) for (method, path), handler in addresses.items()
        ],
        middleware=[Middleware(Guard, hosts=hosts, token=token)],
        exception_handlers={HTTPException: _other, Exception: _bug},
        lifespan=page.lifespan,
    )


class Page:
    """The models, their queues, and what was counted."""

    def __init__(self, served: Mapping[str, Served]) -> None:
        self.served = served
        self.requests: Counter[tuple[str, int]] = Counter()
        self.images, self.seconds, self.held = 0, 0.0, 0
        self.free = asyncio.Semaphore(1)
        self.queues: dict[tuple[str, bool], Batches[bytes, Answer | LookalikeError]] = {
            (name, pictures): Batches(partial(one.judge, pictures=pictures), self.free)
            for name, one in served.items()
            for pictures in (True, False)
        }
        self.page_of = lru_cache(maxsize=len(served))(lambda name: served[name].report())

    @asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncIterator[None]:
        """Run the queues as long as the page is served."""
        tasks = [asyncio.create_task(queue.run()) for queue in self.queues.values()]
        yield
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    def counted(self, path: str, handler: Handler) -> Handler:
        """Return the handler, whose answers are counted, and whose refusals are answers."""

        async def answered(request: Request) -> Response:
            try:
                response = await handler(request)
            except RefusedError as error:
                response = refused(error)
            except BusyError:
                response = Json({"error": "too many images wait; send it again"}, 429, {"retry-after": "1"})
            except LookalikeError as error:
                response = Json({"error": str(error)}, 422)
            self.requests[path, response.status_code] += 1
            return response

        return answered

    async def start(self, request: Request) -> Response:
        """Answer with the page."""
        page = _page([one.facts for one in self.served.values()])
        return HTMLResponse(page.encode("utf-8", "backslashreplace"))

    async def models(self, request: Request) -> Response:
        """Answer with what each model is."""
        return Json([one.facts for one in self.served.values()])

    async def score(self, request: Request) -> Response:
        """Answer with the verdict of one image."""
        one, pictures = self._named(request.query_params.get("model")), request.query_params.get("pictures", "true")
        if pictures not in ("true", "false"):
            raise RefusedError(422, f"pictures is {show(pictures, 60)}; true and false are accepted")
        if not one.judges:
            raise RefusedError(422, f"{show(one.name)} only makes images; take a run with a threshold")
        with self._room(request):
            file, begun = await body(request), time.perf_counter()
            said = await self.queues[one.name, pictures == "true"].answer(file)
        if isinstance(said, LookalikeError):
            raise said
        self.images, self.seconds = self.images + 1, self.seconds + time.perf_counter() - begun
        return Json(said)

    @contextmanager
    def _room(self, request: Request) -> Iterator[None]:
        """Hold memory for the body of a request; raises BusyError where bodies that wait have taken it."""
        declared = request.headers.get("content-length", "")
        needed = min(int(declared), LARGEST) if declared.isdecimal() and len(declared) < 16 else LARGEST
        if self.held + needed > MOST_HELD:
            raise BusyError
        self.held += needed
        try:
            yield
        finally:
            self.held -= needed

    async def generate(self, request: Request) -> Response:
        """Answer with images of a class as data URLs, as one zip archive, or with the way to another class."""
        asked = _object(await body(request))
        one = self._named(asked.get("model"))
        name, seed, n = asked.get("class"), asked.get("seed", 0), asked.get("n", 16)
        to, form = asked.get("to"), asked.get("form", "json")
        wrong = [
            text
            for good, text in (
                (isinstance(name, str), "class must be the name of a class"),
                (type(seed) is int and 0 <= seed < SEED, f"seed must be a whole number from 0 to {SEED - 1}"),
                (type(n) is int, "n must be a whole number"),
                (to is None or isinstance(to, str), "to must be the name of a class"),
                (form in ("json", "zip"), "form must be json or zip"),
            )
            if not good
        ]
        if wrong:
            raise RefusedError(422, wrong[0])
        async with self.free:
            if to is not None:
                picture = await asyncio.to_thread(one.way, str(name), to, seed=seed)
                return Json({"images": [data_url(picture)]})
            images = await asyncio.to_thread(one.make, str(name), seed=seed, n=n)
        if form == "zip":
            head = {"content-disposition": 'attachment; filename="images.zip"'}
            return Response(zipped(str(name), seed, images), media_type="application/zip", headers=head)
        return Json({"images": [data_url(image) for image in images]})

    async def report(self, request: Request) -> Response:
        """Answer with a run's report."""
        one = self._named(request.query_params.get("model"))
        async with self.free:
            return HTMLResponse(await asyncio.to_thread(self.page_of, one.name), headers=REPORT)

    async def health(self, request: Request) -> Response:
        """Answer that the page lives."""
        return Json({"status": "ok", "version": version("lookalike")})

    async def metrics(self, request: Request) -> Response:
        """Answer with counts in the text form of Prometheus."""
        lines = ["# TYPE lookalike_requests_total counter"]
        lines += [
            f'lookalike_requests_total{{path="{path}",code="{code}"}} {count}'
            for (path, code), count in sorted(self.requests.items())
        ]
        waiting = sum(queue.waiting.qsize() for queue in self.queues.values())
        for kind, name, value in (
            ("counter", "lookalike_images_total", self.images),
            ("counter", "lookalike_image_seconds_total", round(self.seconds, 3)),
            ("gauge", "lookalike_images_waiting", waiting),
        ):
            lines += [f"# TYPE {name} {kind}", f"{name} {value}"]
        return PlainTextResponse("\n".join(lines) + "\n", media_type="text/plain; version=0.0.4")

    async def openapi(self, request: Request) -> Response:
        """Answer with the OpenAPI document."""
        return Json(document(list(self.served)))

    def _named(self, name: Any) -> Served:
        """Return the model of this name, or the first one for None; raises RefusedError where there is none."""
        if name is None:
            return next(iter(self.served.values()))
        if not isinstance(name, str) or name not in self.served:
            near = did_you_mean(name, self.served)
            raise RefusedError(404, f"no model {show(name, 60)};{near} there are {listed(self.served)}")
        return self.served[name]


def _object(text: bytes) -> Mapping[str, Any]:
    """Return the JSON object in a request's body; raises RefusedError for anything else."""
    try:
        found = parse_json(text)
    except ValueError:
        raise RefusedError(422, 'the request is no JSON; send an object such as {"class": "a"}') from None
    if not isinstance(found, dict):
        raise RefusedError(422, 'the request is no JSON object; send one such as {"class": "a"}')
    return found


async def _file(name: str, kind: str, request: Request) -> Response:
    return Response(files(__package__).joinpath(name).read_bytes(), media_type=kind)


def _page(models: Sequence[Answer]) -> str:
    loader = PackageLoader("lookalike.faces.page", "")
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return environment.get_template("page.html.jinja").render(models=models, version=version("lookalike"))


async def _other(request: Request, error: Exception) -> Response:
    """Answer to an address or a method that does not exist."""
    assert isinstance(error, HTTPException)
    return Json({"error": error.detail}, error.status_code, dict(error.headers or {}))


async def _bug(request: Request, error: Exception) -> Response:
    """Answer to an error of ours, without what it says: it may name paths of this machine."""
    return Json({"error": "this is a bug in lookalike; the command's terminal says more"}, 500)
