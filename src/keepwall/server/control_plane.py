"""The control plane of one machine: bus, store, ledger, loop and console, in one process."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import uvicorn

from keepwall.detect.detections import Detections
from keepwall.formats.ocsf import decode_batch
from keepwall.foundation import spool
from keepwall.foundation.bus.contract import Bus
from keepwall.foundation.bus.nats import NatsBus
from keepwall.foundation.bus.server import NatsServer
from keepwall.foundation.bus.snapshot import SnapshotDirectory
from keepwall.foundation.clock import Clock
from keepwall.foundation.ledger.ledger import Ledger
from keepwall.foundation.state import StateDirectory
from keepwall.foundation.store.store import Store
from keepwall.foundation.trust.files import private_directory, write_private
from keepwall.foundation.trust.trust import Trust
from keepwall.prove.record import EvidenceRecorder
from keepwall.server.app import create_app
from keepwall.server.credentials import new_api_token
from keepwall.server.live import LiveFeed
from keepwall.server.rescans import Rescans
from keepwall.vocabulary.errors import ConnectError, FormatError, KeepwallError
from keepwall.vocabulary.subjects import EVENT_SUBJECTS
from keepwall.workflows import connection
from keepwall.workflows.burn_the_path import BurnThePath
from keepwall.workflows.connection import Connection
from keepwall.workflows.documents import Documents
from keepwall.workflows.fence import node_name
from keepwall.workflows.triage import TriageOrder, triage

_log = logging.getLogger(__name__)
_LIFE = timedelta(days=30)
_SPOOL_SECONDS = 2.0
_HEAD_SECONDS = 10.0
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class Settings:
    """How a control plane is started; `targets` are scanned now, then `every` so many seconds."""

    state: StateDirectory
    host: str = "127.0.0.1"
    port: int = 8740
    store_url: str = ""
    targets: Sequence[str] = ()
    every: float = 60.0
    organisation: str = "keepwall"


class ControlPlane:
    """All parts of one running control plane; make it with `started`."""

    def __init__(
        self, settings: Settings, store: Store, burn: BurnThePath, bus: Bus, live: LiveFeed
    ) -> None:
        self.settings = settings
        self.store = store
        self.burn = burn
        self.live = live
        self._bus = bus

    async def contain(self, subject: str, incident: str) -> None:
        """Contain a subject; see `BurnThePath.contain`."""
        await self.burn.contain(subject, incident)

    async def release(self, incident: str) -> None:
        """Release an incident's subject; see `BurnThePath.release`."""
        await self.burn.release(incident)

    async def triage(self, order: TriageOrder, actor: str) -> None:
        """Record what `actor` decides about findings; see `keepwall.workflows.triage`."""
        await asyncio.to_thread(
            triage, self.store, self.burn.evidence, self.burn.clock, order, actor
        )
        self.live.publish("finding", 0, order.state.value)

    async def take_events(self) -> None:
        """Take events from the bus, for ever."""
        async with aclosing(self._bus.consume(EVENT_SUBJECTS, "control")) as messages:
            async for message in messages:
                try:
                    events = decode_batch(message.payload)
                except FormatError as error:
                    _log.error("a message of %s is not events: %s", message.subject, error)
                else:
                    await self.burn.take(events)
                await message.ack()

    async def take_spool(self) -> None:
        """Take in what runs left behind when no control plane listened, for ever."""
        await self.burn.answer_pending()
        while True:
            for path in spool.files(self.settings.state.spool):
                if spool.abandoned(path):
                    for events in spool.events(path):
                        await self.burn.take(events)
                    with suppress(OSError):
                        path.unlink()
            await asyncio.sleep(_SPOOL_SECONDS)

    async def rescan(self, tell: Callable[[str], None]) -> None:
        """Look at every target again and again, for ever; see `Rescans`."""
        settings = self.settings
        rescans = Rescans(
            store=self.store,
            targets=tuple(settings.targets),
            remember=settings.state.remembered,
            every=settings.every,
            changed=lambda target: self.live.publish("scan", 0, target),
            tell=tell,
        )
        await rescans.run()


@asynccontextmanager
async def started(settings: Settings, clock: Clock) -> AsyncIterator[ControlPlane]:
    """Start everything but the web server, and stop it in order at the end.

    Raises:
        ConfigError, ConnectError, IntegrityError: a part does not come up; says which and why.
    """
    state = settings.state.ensure()
    async with AsyncExitStack() as stack:
        trust = Trust.open_or_create(state.trust, settings.organisation, clock)
        ledger = stack.enter_context(
            Ledger(state.ledger / "control", trust.signer("ledger"), clock)
        )
        stack.callback(ledger.head)
        store = stack.enter_context(Store.open(settings.store_url or state.database_url))
        files = _certificates(trust, state)
        trust.signer(f"node/{node_name()}")  # with which runs on this node sign their status
        server = await NatsServer.start(
            state.bus, certificate=files["bus.crt"], key=files["bus.key"], ca=files["ca.crt"]
        )
        stack.push_async_callback(server.stop)
        bus = await NatsBus.connect(server.url, _tls(files, "control"), name="keepwall-control")
        stack.push_async_callback(bus.close)
        await bus.ensure_topology()
        documents = Documents(
            store, SnapshotDirectory(state.snapshots), lambda: trust.signer("control")
        )
        await documents.attach(bus)
        live = LiveFeed()
        stack.callback(live.close)
        burn = BurnThePath(
            store=store,
            documents=documents,
            detections=Detections.load(),
            evidence=EvidenceRecorder(ledger, clock),
            clock=clock,
            notify=live.publish,
        )
        link = _connection(server.url, files, trust, settings.store_url or state.database_url)
        connection.write(state, link)
        stack.callback(state.connection.unlink, missing_ok=True)
        plane = ControlPlane(settings, store, burn, bus, live)
        await _background(stack, plane.take_events(), plane.take_spool(), _heads(ledger))
        yield plane


class _WebServer(uvicorn.Server):
    """A web server that leaves signals to the control plane and lets go of live pages at once."""

    def __init__(self, config: uvicorn.Config, live: LiveFeed) -> None:
        super().__init__(config)
        self._live = live

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none: the whole control plane ends in order, not only its web server."""
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the live streams first; the server would wait for them."""
        self._live.close()
        await super().shutdown(sockets)


async def serve(
    plane: ControlPlane, clock: Clock, ready: Callable[[str], None], stop: asyncio.Event
) -> None:
    """Serve the console and the API until `stop` is set.

    Raises:
        ConnectError: the port is taken.
    """
    settings = plane.settings
    hosts = () if settings.host in _LOOPBACK else (settings.host,)
    app = create_app(plane.store, plane.live, actions=plane, hosts=hosts, clock=clock)
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=3,
        lifespan="off",
    )
    server = _WebServer(config, plane.live)
    with _bound(settings) as sock:
        _tell_api(plane, sock.getsockname()[1])
        ready(f"http://{settings.host}:{sock.getsockname()[1]}")
        serving = asyncio.create_task(server.serve(sockets=[sock]))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        server.should_exit = True
        await serving


def _tell_api(plane: ControlPlane, port: int) -> None:
    """Add where the API is, and a fresh token for it, to what processes of this user can read."""
    state, host = plane.settings.state, plane.settings.host
    host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)  # noqa: S104 - compared only
    host = f"[{host}]" if ":" in host else host
    if (link := connection.read(state)) is not None:
        token = new_api_token(plane.store)
        connection.write(state, replace(link, api=f"http://{host}:{port}", token=token))


def _bound(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    sock = socket.socket(family)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((settings.host, settings.port))
    except OSError as error:
        sock.close()
        raise ConnectError(
            f"port {settings.port} on {settings.host} is taken",
            hint="another keepwall up may be running; or choose with --port",
        ) from error
    return sock


async def _heads(ledger: Ledger) -> None:
    """Sign the head of the ledger now and then, so that little is ever unanchored."""
    while True:
        await asyncio.sleep(_HEAD_SECONDS)
        await asyncio.to_thread(ledger.head)


async def _background(stack: AsyncExitStack, *loops: object) -> None:
    for loop in loops:
        if not asyncio.iscoroutine(loop):
            continue
        task = asyncio.create_task(loop)
        task.add_done_callback(_said)
        stack.push_async_callback(_cancel, task)


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError, KeepwallError):
        await task


def _said(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()):
        _log.critical("a loop of the control plane ended: %s", error)


def _certificates(trust: Trust, state: StateDirectory) -> dict[str, Path]:
    """Issue what the bus, the control plane and this node show each other; short-lived."""
    directory = state.root / "certificates"
    private_directory(directory)
    issued = {
        "bus": trust.issue("bus", addresses=["127.0.0.1", "localhost"], server=True, valid=_LIFE),
        "control": trust.issue("control", valid=_LIFE),
        "node": trust.issue(f"node/{node_name()}", valid=_LIFE),
    }
    files = {"ca.crt": directory / "ca.crt"}
    write_private(files["ca.crt"], trust.ca_pem)
    for name, certificate in issued.items():
        files[f"{name}.crt"], files[f"{name}.key"] = (
            directory / f"{name}.crt",
            directory / f"{name}.key",
        )
        write_private(files[f"{name}.crt"], certificate.certificate_pem)
        write_private(files[f"{name}.key"], certificate.key_pem)
    return files


def _tls(files: dict[str, Path], name: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=files["ca.crt"])
    context.load_cert_chain(files[f"{name}.crt"], files[f"{name}.key"])
    return context


def _connection(url: str, files: dict[str, Path], trust: Trust, store: str) -> Connection:
    return Connection(
        url=url,
        certificate=str(files["node.crt"]),
        key=str(files["node.key"]),
        ca=str(files["ca.crt"]),
        node=node_name(),
        root=trust.root_public.hex(),
        process=os.getpid(),
        store=store,
    )
