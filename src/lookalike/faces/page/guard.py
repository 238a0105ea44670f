"""Who may ask the page what: its own address alone, with a token where others could reach it, and in small requests."""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import Sequence
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LARGEST = 32 << 20  # bytes of a request
PATIENCE = 30.0  # seconds in which a request must have come
COOKIE = "lookalike-token"
HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}


class Json(JSONResponse):
    """JSON in ASCII, so that a name that is no Unicode is sent too, as escapes."""

    def render(self, content: Any) -> bytes:
        """Return the bytes."""
        return json.dumps(content, allow_nan=False).encode("ascii")


class RefusedError(Exception):
    """A request that is not answered: the status, and a sentence."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status


class Guard:
    """Refuses requests from elsewhere, and gives every answer the page's headers.

    Parameters
    ----------
    app : ASGIApp
        What answers the others.
    hosts : sequence of str
        Without a token: names and ports by which the page is asked for, such as 127.0.0.1:8000. Another one may be a
        foreign page whose name was made to lead here (DNS rebinding); it would lack the token.
    token : str or None
        What a request must hold: in the query, in a cookie, or after "Bearer" in its head.
    """

    def __init__(self, app: ASGIApp, hosts: Sequence[str], token: str | None) -> None:
        self.app, self.hosts, self.token = app, frozenset(hosts), token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        fresh = False

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if fresh:
                    headers.append("set-cookie", f"{COOKIE}={self.token}; HttpOnly; SameSite=Strict; Path=/")
            await send(message)

        try:
            fresh = self._admitted(Headers(scope=scope), scope["query_string"])
        except RefusedError as error:
            await refused(error)(scope, receive, marked)
            return
        await self.app(scope, receive, marked)

    def _admitted(self, headers: Headers, query: bytes) -> bool:
        """Return whether the token came in the query; raises RefusedError for who may not ask."""
        host = headers.get("host", "").lower()
        if self.token is None and host not in self.hosts:
            raise RefusedError(421, "this page has another address; use the one that the command printed")
        origin = headers.get("origin")
        if origin is not None and origin.lower().partition("://")[2] not in ({host} if self.token else self.hosts):
            raise RefusedError(403, "another site may not ask this page")
        if self.token is None:
            return False
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        except CookieError:
            cookie = None
        asked = parse_qs(query.decode("latin-1")).get("token", [""])[0]
        given = (asked, cookie.value if cookie else "", headers.get("authorization", "").removeprefix("Bearer "))
        right = [hmac.compare_digest(one.encode("utf-8", "replace"), self.token.encode()) for one in given]
        if not any(right):
            raise RefusedError(401, "the token is missing or wrong; open the address that the command printed")
        return right[0]


def refused(error: RefusedError) -> Json:
    """Return the answer to a request that is refused."""
    return Json({"error": str(error)}, error.status)


async def body(request: Request) -> bytes:
    """Return the body of a request. Raises RefusedError where it is too large or takes too long."""
    too_large = RefusedError(413, f"more than {LARGEST >> 20} MB; send a smaller file")
    declared = request.headers.get("content-length", "0")
    if not declared.isdecimal() or len(declared) > 15 or int(declared) > LARGEST:
        raise too_large
    parts, size = [], 0
    try:
        async with asyncio.timeout(PATIENCE):
            async for part in request.stream():
                parts.append(part)
                size += len(part)
                if size > LARGEST:
                    raise too_large
    except TimeoutError:
        raise RefusedError(408, f"the request took longer than {PATIENCE:g} s; send it again") from None
    except ClientDisconnect:
        raise RefusedError(400, "the request broke off") from None
    return b"".join(parts)
