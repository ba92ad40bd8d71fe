from __future__ import annotations

from dataclasses import dataclass

from asgi_client import Client
from server_samples import MovableClock, Planes
from starlette.applications import Starlette

from keepwall.foundation.store.store import Store
from keepwall.server.app import create_app
from keepwall.server.credentials import new_api_token, new_password
from keepwall.server.live import LiveFeed


@dataclass
class World:
    """One installation with its console."""

    store: Store
    live: LiveFeed
    planes: Planes
    clock: MovableClock
    app: Starlette
    password: str
    token: str

    def browser(self) -> Client:
        return Client(self.app)

    def program(self) -> Client:
        return Client(self.app, bearer=self.token)

    async def signed_in(self) -> Client:
        client = self.browser()
        answer = await client.post("/sign-in", {"password": self.password})
        assert answer.status == 303
        return client


def make_world(store: Store, **options: bool) -> World:
    live, clock = LiveFeed(buffer=4, watchers=3), MovableClock()
    planes = Planes(store, live, clock)
    app = create_app(store, live, actions=planes, clock=clock, **options)
    return World(store, live, planes, clock, app, new_password(store), new_api_token(store))
