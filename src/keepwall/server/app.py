"""The application: REST API and console behind one gatekeeper."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from keepwall.foundation.clock import Clock, SystemClock
from keepwall.foundation.store.store import Store
from keepwall.server.actions import Actions
from keepwall.server.api.routes import api_routes
from keepwall.server.console.rendering import Pages
from keepwall.server.console.routes import console_routes
from keepwall.server.errors import http_error, keepwall_error, unexpected_error
from keepwall.server.gatekeeper import Gatekeeper
from keepwall.server.limiter import SignInLimiter
from keepwall.server.live import LiveFeed
from keepwall.server.security import HEALTH, HostCheck, SecurityHeaders
from keepwall.server.services import Services
from keepwall.server.session import Sessions
from keepwall.vocabulary.errors import KeepwallError

BODY_LIMIT = 64 * 1024
"""Bytes of a request; nothing that is sent here is larger than a form."""


def create_app(
    store: Store,
    live: LiveFeed,
    *,
    actions: Actions,
    secure_cookies: bool = False,
    hosts: Sequence[str] = (),
    clock: Clock | None = None,
) -> Starlette:
    """Return the ASGI application.

    It answers to loopback names and to `hosts` (names without port). `secure_cookies` belongs to
    HTTPS: the cookie is then sent over nothing else. Call `live.close()` when shutting down, or a
    server waits for the open streams.
    """
    clock = clock or SystemClock()
    services = Services(
        store=store,
        live=live,
        actions=actions,
        clock=clock,
        sessions=Sessions(clock),
        limiter=SignInLimiter(clock),
        pages=Pages(),
        secure_cookies=secure_cookies,
    )
    app = Starlette(
        routes=[Route(HEALTH, health), *api_routes(), *console_routes()],
        middleware=[
            Middleware(SecurityHeaders),
            Middleware(HostCheck, hosts),
            Middleware(RequestBodyLimitMiddleware, BODY_LIMIT),
            Middleware(Gatekeeper, services),
        ],
        exception_handlers={
            HTTPException: http_error,
            KeepwallError: keepwall_error,
            Exception: unexpected_error,
        },
    )
    app.state.services = services
    # A path with another slash is another path: no redirects that repeat a request elsewhere.
    app.router.redirect_slashes = False
    return app


async def health(_request: Request) -> PlainTextResponse:
    """Say that the server answers, and nothing else."""
    return PlainTextResponse("ok\n")
