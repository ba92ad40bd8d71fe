"""Who may pass: everything needs a session or the API token, unless it is listed as public."""

from __future__ import annotations

import hmac
from urllib.parse import parse_qs

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from keepwall.server.credentials import check_api_token
from keepwall.server.errors import refusal
from keepwall.server.security import HEALTH, STATIC, same_origin
from keepwall.server.services import Services

SIGN_IN = "/sign-in"
API = "/api/"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
CSRF_HEADER = "x-csrf-token"
CSRF_FIELD = "csrf"
_FORM = "application/x-www-form-urlencoded"
_FIELDS = 300
"""Fields of a form; a whole page of findings may be selected. The body is bounded before."""


class Gatekeeper:
    """Authenticates every request, and checks the origin and CSRF token of unsafe ones.

    A bearer token is accepted on the API only. A request that carries one needs no CSRF token,
    because no browser attaches it by itself.
    """

    def __init__(self, app: ASGIApp, services: Services) -> None:
        self._app = app
        self._services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass an admitted request on with `request.state.session` and `.token`; else refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        state = request.state
        state.token = request.cookies.get(self._services.cookie, "")
        state.session = None
        bearer = _bearer(request) if request.url.path.startswith(API) else ""
        if bearer:
            admitted = await run_in_threadpool(check_api_token, self._services.store, bearer)
            answer = None if admitted else self._unauthenticated(request)
        else:
            answer = self._check_session(request)
            if answer is None and request.method not in SAFE:
                body = await request.body()
                receive = _replayed(body, receive)
                answer = self._check_origin(request, body)
        await (answer or self._app)(scope, receive, send)

    def _check_session(self, request: Request) -> Response | None:
        public = _public(request)
        request.state.session = self._services.sessions.get(request.state.token, touch=not public)
        if request.state.session is None and not public:
            return self._unauthenticated(request)
        return None

    def _check_origin(self, request: Request, body: bytes) -> Response | None:
        if not same_origin(request.headers, secure=self._services.secure_cookies):
            return refusal(
                request, 403, "The request came from another origin.", "Open the console itself."
            )
        if _public(request):
            return None
        given, expected = _csrf(request, body), request.state.session.csrf
        if not hmac.compare_digest(given.encode(), expected.encode()):
            return refusal(
                request, 403, "The request carries no valid CSRF token.", "Reload the page."
            )
        return None

    def _unauthenticated(self, request: Request) -> Response:
        return refusal(
            request, 401, "You are not signed in.", "Sign in, or send an API token as bearer."
        )


def _public(request: Request) -> bool:
    path = request.url.path
    return path in (HEALTH, SIGN_IN) or path.startswith(STATIC)


def _bearer(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _csrf(request: Request, body: bytes) -> str:
    """Return the CSRF token of the request: its header, else the form field."""
    if header := request.headers.get(CSRF_HEADER):
        return header
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        return ""
    try:
        fields = parse_qs(body.decode("ascii"), max_num_fields=_FIELDS)
    except ValueError:
        return ""
    return fields.get(CSRF_FIELD, [""])[0]


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that first hands out the body, which the CSRF check has read already."""
    pending = [body]

    async def receive_again() -> Message:
        if pending:
            return {"type": "http.request", "body": pending.pop(), "more_body": False}
        return await receive()

    return receive_again
