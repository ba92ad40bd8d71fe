"""Databases for the tests: a file each for SQLite, a private PostgreSQL cluster for the session."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import psycopg
import pytest

from keepwall.foundation.store.store import Store

_START_SECONDS = 30
_LOCALE = ("--encoding=UTF8", "--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en-US")
_OPTIONS = ("-c", "listen_addresses=", "-c", "fsync=off", "-c", "timezone=Asia/Kathmandu")


@dataclass(frozen=True)
class Cluster:
    """A PostgreSQL server that listens on a Unix socket in `folder` alone."""

    folder: Path
    names: Iterator[int]

    def url(self, database: str) -> str:
        return f"postgresql+psycopg://keepwall@/{database}?host={self.folder}"

    def run(self, statement: str) -> None:
        with psycopg.connect(
            f"host={self.folder} user=keepwall dbname=postgres", autocommit=True
        ) as connection:
            connection.execute(statement)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Start a server for this session; nothing may depend on its odd locale and time zone."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        pytest.skip("PostgreSQL is not installed (Debian: apt install postgresql)")
    programs = found[-1].parent
    folder = Path(tempfile.mkdtemp(prefix="kw-pg-"))
    # PostgreSQL refuses to run as root.
    account = {"user": "postgres", "group": "postgres", "extra_groups": []}
    run_as = account if os.geteuid() == 0 else {}
    if run_as:
        shutil.chown(folder, "postgres", "postgres")
    data = folder / "data"
    subprocess.run(
        [programs / "initdb", "-D", data, "-U", "keepwall", "--auth=trust", "--no-sync", *_LOCALE],
        check=True,
        capture_output=True,
        cwd=folder,
        **run_as,
    )
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [programs / "postgres", "-D", data, "-k", folder, *_OPTIONS],
            stdout=log,
            stderr=log,
            cwd=folder,
            **run_as,
        )
    try:
        result = Cluster(folder, count())
        ends = time.monotonic() + _START_SECONDS
        while True:
            try:
                result.run("SELECT 1")
                break
            except psycopg.OperationalError:
                if time.monotonic() > ends or server.poll() is not None:
                    pytest.fail((folder / "log").read_text())
                time.sleep(0.05)
        yield result
    finally:
        server.send_signal(signal.SIGINT)  # "fast" shutdown: do not wait for clients
        server.wait(_START_SECONDS)
        shutil.rmtree(folder)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.real)])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database, on each engine."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'keepwall.db'}"
        return
    cluster: Cluster = request.getfixturevalue("cluster")
    name = f"store_{next(cluster.names)}"
    cluster.run(f"CREATE DATABASE {name}")
    yield cluster.url(name)
    cluster.run(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """An open, empty store, on each engine."""
    with Store.open(store_url) as opened:
        yield opened
