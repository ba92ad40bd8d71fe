"""A console with something in it, served for real, and a browser that looks at it."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from keepwall.foundation.store.store import Store
from keepwall.server.app import create_app
from keepwall.server.credentials import new_password
from keepwall.server.live import LiveFeed
from keepwall.vocabulary.event import Event

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests" / "server"))

from server_samples import Planes, fill  # noqa: E402 - it lives beside the unit tests

SHOTS = ROOT / "build" / "screenshots"
CHROMIUM = os.environ.get("KEEPWALL_TEST_CHROMIUM", "/usr/bin/chromium")
ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WIDE = {"width": 1360, "height": 900}
NARROW = {"width": 390, "height": 844}


@dataclass
class Served:
    """A running console."""

    store: Store
    live: LiveFeed
    planes: Planes
    password: str
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def happen(self, event: Event) -> None:
        """Store and publish an event, as the control plane does."""
        self.store.events.append([event])
        self.live.publish("event", self.store.events.list(limit=1)[0].sequence, event)


class Console:
    """A console whose server can be stopped and started again on the same port."""

    def __init__(self, store: Store) -> None:
        self.live = LiveFeed()
        planes = Planes(store, self.live)
        self.app = create_app(store, self.live, actions=planes)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.served = Served(store, self.live, planes, new_password(store), port)
        self._server: uvicorn.Server | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        config = uvicorn.Config(
            self.app, host="127.0.0.1", port=self.served.port, log_level="warning", lifespan="off"
        )
        self._server = uvicorn.Server(config)
        self._server.capture_signals = nullcontext  # type: ignore[method-assign] - pytest keeps them
        self._task = asyncio.create_task(self._server.serve())
        while not self._server.started:  # noqa: ASYNC110 - uvicorn sets a flag and no event
            await asyncio.sleep(0.01)

    async def stop(self) -> None:
        if self._server and self._task:
            self._server.should_exit = True
            self.live.close()
            await self._task


@asynccontextmanager
async def console(folder: Path, *, filled: bool = True) -> AsyncIterator[Console]:
    with Store.open(f"sqlite:///{folder / 'keepwall.db'}") as store:
        if filled:
            fill(store)
        running = Console(store)
        await running.start()
        try:
            yield running
        finally:
            await running.stop()


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=list(ARGUMENTS), headless=True
        )
        try:
            yield browser
        finally:
            await browser.close()


class Watched:
    """A page, with everything that its browser complained about."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        page.on("console", lambda message: self._keep(message.type, message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _keep(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.complaints.append(text)


async def sign_in(context: BrowserContext, served: Served, path: str = "/") -> Watched:
    """Return a page at `path`, after typing the password as a person does."""
    page = await context.new_page()
    await page.goto(f"{served.url}/sign-in?next={path}")
    await page.get_by_label("Password").fill(served.password)
    await page.get_by_role("button", name="Sign in").click()
    await page.wait_for_url(f"{served.url}{path}")
    return Watched(page)
