"""Who may come in, from where, and what a browser may do with what it gets."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import FormData, Headers, MutableHeaders, UploadFile
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CSRF_FIELD, CSRF_HEADER = "csrf", "x-owcl-csrf"
LARGEST_BODY = 2_000_000
"""Bytes of a form."""
LARGEST_UPLOAD = 64_000_000
"""Bytes of all images of an upload."""
UPLOAD_PATH = "/upload"
LOGIN_PATH = "/login"
OPEN_TO_ALL = "/static/"
HEADERS = {
    "content-security-policy": (
        "default-src 'none'; img-src 'self' data:; style-src 'self'; script-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}


def _secret() -> str:
    return secrets.token_urlsafe(32)


def short_key(text: str) -> str:
    """Return a few letters by which the names of cookies are told apart: browsers send them to every port."""
    return hashlib.sha256(os.fsencode(text)).hexdigest()[:8]


@dataclass(frozen=True)
class Door:
    """What opens the page, drawn afresh at every start.

    Args:
        hosts: names, with ports, under which it may be asked for; any other is a page that had its own name
            rebound to this machine.
        password: opens it too, where there is one.
        secure: cookies go over TLS alone.
    """

    hosts: frozenset[str]
    password: str | None = None
    secure: bool = False
    token: str = field(default_factory=_secret)
    """In the address that is opened first."""
    session: str = field(default_factory=_secret)
    """In the cookie that the token is changed for."""
    csrf: str = field(default_factory=_secret)
    """In every form."""

    @property
    def session_cookie(self) -> str:
        """The name of the cookie; other pages on this machine have others."""
        return f"owcl_session_{short_key(' '.join(sorted(self.hosts)))}"

    def admits(self, cookies: str) -> bool:
        """Say whether a `Cookie` header holds the session."""
        try:
            found = SimpleCookie(cookies).get(self.session_cookie)
        except CookieError:
            return False
        return found is not None and _same(found.value, self.session)

    def cookie(self, name: str, value: str, lasting: bool = False) -> str:
        """Return a `Set-Cookie` header that no script reads and no other site sends."""
        parts = [f"{name}={value}", "Path=/", "HttpOnly", "SameSite=Strict"]
        return "; ".join(parts + ["Secure"] * self.secure + ["Max-Age=31536000"] * lasting)


class Guard:
    """ASGI middleware: nothing behind it is reached without the right host, size and session.

    Args:
        app: the page.
        door: what opens it.
    """

    def __init__(self, app: ASGIApp, door: Door) -> None:
        self.app = app
        self.door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = self._refusal(scope, headers)
        limit = LARGEST_UPLOAD if scope["path"] == UPLOAD_PATH else LARGEST_BODY
        answer: ASGIApp = self.app if refusal is None else refusal
        await answer(scope, _bounded(receive, limit), _with_headers(send))

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        if headers.get("host", "").lower() not in self.door.hosts:
            return _refuse(421, "This name is not one of this page's. Open the address that owcl printed.")
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc.lower() not in self.door.hosts:
            return _refuse(403, "Another site sent this. Nothing was changed.")
        if _length(headers) > (LARGEST_UPLOAD if scope["path"] == UPLOAD_PATH else LARGEST_BODY):
            return _refuse(413, "Too large. Send less at a time.")
        if scope["path"].startswith(OPEN_TO_ALL) or self.door.admits(headers.get("cookie", "")):
            return None
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        if scope["method"] == "GET" and _same(given, self.door.token):
            welcome = RedirectResponse(scope["path"], 303)
            welcome.headers.append(
                "set-cookie", self.door.cookie(self.door.session_cookie, self.door.session)
            )
            return welcome
        if self.door.password is not None:
            return None if scope["path"] == LOGIN_PATH else RedirectResponse(LOGIN_PATH, 303)
        return _refuse(401, "Open the whole address that owcl review printed, with its token.")


def guarded(
    door: Door, change: Callable[[Request, FormData], Awaitable[Response]]
) -> Callable[[Request], Awaitable[Response]]:
    """Return a route that changes something: it answers only to forms that this page itself has made."""

    async def answered(request: Request) -> Response:
        async with request.form(max_files=50, max_fields=50, max_part_size=LARGEST_BODY) as form:
            given = request.headers.get(CSRF_HEADER) or form.get(CSRF_FIELD) or ""
            if isinstance(given, UploadFile) or not _same(given, door.csrf):
                return _refuse(403, "This form is from before owcl review was started. Reload the page.")
            return await change(request, form)

    return answered


def right_password(door: Door, given: str) -> bool:
    """Say whether a password opens the door, in a time that does not depend on how wrong it is."""
    return door.password is not None and _same(given, door.password)


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), wanted.encode())


def _length(headers: Mapping[str, str]) -> int:
    given = headers.get("content-length", "0")
    return int(given) if given.isascii() and given.isdigit() and len(given) < 19 else LARGEST_UPLOAD + 1


def _bounded(receive: Receive, limit: int) -> Receive:
    """Cut off a body that is longer than it said it would be, by saying that the browser has gone."""
    received = 0

    async def bounded() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        return {"type": "http.disconnect"} if received > limit else message

    return bounded


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in {**HEADERS, "cache-control": "no-store"}.items():
                headers.setdefault(name, value)
        await send(message)

    return sending


def _refuse(status: int, reason: str) -> Response:
    return PlainTextResponse(reason + "\n", status)


def loopback_hosts(port: int) -> frozenset[str]:
    """Return the names under which a browser on this machine asks for the page."""
    return hosts_with_port(("127.0.0.1", "localhost", "[::1]"), port)


def hosts_with_port(names: Iterable[str], port: int) -> frozenset[str]:
    """Return host names as the `Host` header spells them; ports that go without saying are left out."""
    bare = {name.lower() for name in names} if port in (80, 443) else set()
    return frozenset(bare | {f"{name.lower()}:{port}" for name in names})
