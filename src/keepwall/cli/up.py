"""`keepwall up`: the control plane and its console."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from keepwall.foundation.clock import Clock
    from keepwall.server.control_plane import Settings


@click.command(name="up")
@click.argument("targets", nargs=-1)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address of the console.")
@click.option("--port", default=8740, show_default=True, help="Port of the console.")
@click.option("--store", default="", metavar="URL", help="PostgreSQL instead of SQLite.")
@click.option(
    "--every",
    default=60.0,
    show_default=True,
    type=click.FloatRange(1, 240),
    metavar="SECONDS",
    help="How often TARGETS are looked at again; unchanged files are not read twice.",
)
@click.option("--keep-password", is_flag=True, help="Keep the password of an earlier start.")
def command(
    targets: tuple[str, ...],
    host: str,
    port: int,
    store: str,
    *,
    every: float,
    keep_password: bool,
) -> None:
    """Start the control plane and its console; scan TARGETS now and whenever they change."""
    import asyncio

    from keepwall.foundation.clock import SystemClock
    from keepwall.foundation.state import StateDirectory
    from keepwall.server.control_plane import Settings

    settings = Settings(
        StateDirectory.default(),
        host=host,
        port=port,
        store_url=store,
        targets=targets,
        every=every,
    )
    asyncio.run(_serve(settings, SystemClock(), keep_password=keep_password))


async def _serve(settings: Settings, clock: Clock, *, keep_password: bool) -> None:
    import asyncio
    import signal

    from keepwall.server.control_plane import serve, started
    from keepwall.server.credentials import PASSWORD_SETTING, new_password

    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with started(settings, clock) as plane:
        rescan = asyncio.create_task(plane.rescan(_say))

        def ready(address: str) -> None:
            print(f"Console:  {address}", flush=True)
            if keep_password and plane.store.settings.get(PASSWORD_SETTING):
                print("Password: as before", flush=True)
            else:
                print(f"Password: {new_password(plane.store)}", flush=True)
            _say("Ctrl-C ends it; what is enforced stays enforced")

        try:
            await serve(plane, clock, ready, stop)
        finally:
            rescan.cancel()


def _say(line: str) -> None:
    print(f"keepwall: {line}", file=sys.stderr, flush=True)
