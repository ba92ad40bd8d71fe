"""What every handler works with; one value per application, no global state."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request

from keepwall.foundation.clock import Clock
from keepwall.foundation.store.store import Store
from keepwall.server.actions import Actions
from keepwall.server.console.rendering import Pages
from keepwall.server.limiter import SignInLimiter
from keepwall.server.live import LiveFeed
from keepwall.server.session import Sessions


@dataclass(frozen=True, slots=True)
class Services:
    """The parts of one application."""

    store: Store
    live: LiveFeed
    actions: Actions
    clock: Clock
    sessions: Sessions
    limiter: SignInLimiter
    pages: Pages
    secure_cookies: bool = False

    @property
    def cookie(self) -> str:
        """The session cookie; its prefix makes browsers insist on HTTPS and on this host alone."""
        return "__Host-keepwall" if self.secure_cookies else "keepwall"


def asker(request: Request) -> str:
    """Return who asks: there is one account, and the token for programs."""
    return "api" if request.state.session is None else "console"


def services_of(request: Request) -> Services:
    """Return the services of the application that answers `request`."""
    services = request.app.state.services
    if not isinstance(services, Services):
        raise TypeError("the application was not made by create_app")
    return services
