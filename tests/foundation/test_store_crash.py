"""A killed writer and a full disk leave all of a change, or nothing of it."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import Engine, event, text
from store_samples import incident
from store_writer import SIZE, write

from keepwall.foundation.store.database import connect
from keepwall.foundation.store.store import Store
from keepwall.vocabulary.errors import ConnectError

HERE = Path(__file__).parent
ROUNDS = 10


def start(program: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, HERE / program, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def kill(process: subprocess.Popen[str]) -> list[str]:
    """Kill -9, and return the lines that the process had printed."""
    process.kill()
    return process.communicate(timeout=30)[0].splitlines()


def generations(store: Store) -> tuple[int, int, int, int]:
    """Return the newest generation in events, scan, incident and document; each must be whole."""
    count = store.events.count()
    assert count % SIZE == 0
    seen = store.inventory.assets(limit=10_000)
    assert len({asset.name.split("/")[0] for asset in seen}) <= 1
    assert len(seen) in (0, SIZE)
    failed = store.findings.list(limit=10_000)
    assert len({finding.rule.split("/")[0] for finding in failed}) <= 1
    assert len(failed) in (0, SIZE)
    story = store.incidents.get("i-1")
    assert story is None or [entry.text for entry in story.timeline] == list(story.events)
    document = store.documents.get("envelopes", "claims")
    assert document is None or document[1] == bytes(str(document[0]), "ascii") * 999
    return (
        count // SIZE - 1,
        int(seen[0].name.split("/")[0]) if seen else -1,
        len(story.events) - 1 if story else -1,
        document[0] if document else -1,
    )


def test_a_writer_killed_again_and_again_leaves_a_consistent_store(store_url: str) -> None:
    chance = random.Random(740)  # noqa: S311 - moments, not secrets
    committed = -1
    with Store.open(store_url) as store:
        for _ in range(ROUNDS):
            writer = start("store_writer.py", store_url, str(committed + 1))
            assert writer.stdout is not None
            first = writer.stdout.readline()
            ends = time.monotonic() + chance.uniform(0, 0.4)
            while time.monotonic() < ends:
                generations(store)  # another process reads all the while
            told = int((kill(writer) or [first])[-1])
            reached = generations(store)
            assert told <= min(reached), "what was acknowledged is there"
            assert max(reached) <= told + 1
            committed = told
            repair = told + 1  # finish the generation that was cut, as a restarted sensor does
            write_again(store, repair, reached)
            committed = repair
    if store_url.startswith("sqlite"):
        with sqlite3.connect(store_url.removeprefix("sqlite:///")) as raw:
            assert raw.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert raw.execute("PRAGMA foreign_key_check").fetchall() == []
        raw.close()
    assert committed > ROUNDS


def write_again(store: Store, generation: int, reached: tuple[int, int, int, int]) -> None:
    """Deliver a generation a second time: all but the story is idempotent."""
    if reached[2] < generation:
        write(store, generation)
    else:
        store.documents.put(
            "envelopes", "claims", generation, bytes(str(generation), "ascii") * 999
        )
    assert generations(store) == (generation,) * 4


def test_a_migration_that_is_killed_is_made_up_for(tmp_path: Path) -> None:
    chance = random.Random(8)  # noqa: S311 - moments, not secrets
    for number in range(ROUNDS):
        url = f"sqlite:///{tmp_path / f'{number}.db'}"
        opener = start("store_opener.py", url)
        assert opener.stdout is not None
        assert opener.stdin is not None
        assert opener.stdout.readline() == "ready\n"
        opener.stdin.write("go\n")
        opener.stdin.flush()
        time.sleep(chance.uniform(0.05, 0.25))
        kill(opener)
        with Store.open(url) as store:
            store.settings.set("works", "yes")
            assert store.settings.get("works") == "yes"


def test_a_file_that_may_not_grow_refuses_the_whole_change(tmp_path: Path) -> None:
    def cap(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute("PRAGMA max_page_count=150")

    path = tmp_path / "keepwall.db"
    Store.open(f"sqlite:///{path}").close()
    event.listen(Engine, "connect", cap)
    try:
        with Store.open(f"sqlite:///{path}") as store:
            store.incidents.open(incident("i-1"))
            with pytest.raises(ConnectError, match="full; nothing of this change") as caught:
                fill(store)
            assert "free some space" in caught.value.hint
            last = min(generations(store))
            assert last >= 0
    finally:
        event.remove(Engine, "connect", cap)
    with Store.open(f"sqlite:///{path}") as store:
        assert min(generations(store)) == last
        store.settings.set("works", "again")


def fill(store: Store) -> None:
    for generation in range(10_000):
        write(store, generation)


@pytest.mark.real
def test_a_full_disk_refuses_the_whole_change(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    inside = (
        f'mount -t tmpfs -o size=1m none "{disk}" && "$@"; '
        f'cp -a "{disk}"/. "{tmp_path}/after/" 2>/dev/null || true'
    )
    (tmp_path / "after").mkdir()
    unshare = ["unshare", "--mount"] + ([] if os.geteuid() == 0 else ["--map-root-user"])
    missing = shutil.which("unshare") is None
    if missing or subprocess.run([*unshare, "true"], check=False).returncode:
        pytest.skip("no mount namespace for a small disk")
    writer = [sys.executable, HERE / "store_writer.py", f"sqlite:///{disk / 'keepwall.db'}", "0"]
    done = subprocess.run(
        [*unshare, "sh", "-c", inside, "sh", *writer],
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
    )
    *told, refused = done.stdout.splitlines()
    assert refused.startswith("ConnectError")
    assert "is full; nothing of this change was stored" in refused
    assert told
    with Store.open(f"sqlite:///{tmp_path / 'after' / 'keepwall.db'}") as store:
        reached = generations(store)
        assert int(told[-1]) <= min(reached)
        write_again(store, int(told[-1]) + 1, reached)


@pytest.mark.real
def test_a_server_without_space_refuses_the_whole_change(request: pytest.FixtureRequest) -> None:
    cluster = request.getfixturevalue("cluster")
    cluster.run("CREATE DATABASE full_disk")
    url = cluster.url("full_disk")
    with Store.open(url) as store:
        store.incidents.open(incident("i-1"))
        write(store, 0)
        database = connect(url)
        with database.write("test") as connection:  # the server itself says so at the 70th event
            connection.execute(
                text(
                    "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                    "IF (SELECT count(*) FROM events) >= 70 THEN RAISE EXCEPTION 'secret-value' "
                    "USING ERRCODE = '53100'; END IF; RETURN NEW; END $$"
                )
            )
            connection.execute(
                text(
                    "CREATE TRIGGER full_disk BEFORE INSERT ON events FOR EACH ROW "
                    "EXECUTE FUNCTION full_disk()"
                )
            )
        database.close()
        with pytest.raises(ConnectError, match="is full; nothing of this change") as caught:
            write(store, 1)
        assert "secret-value" not in str(caught.value)
        assert generations(store) == (0, 0, 0, 0)
    cluster.run("DROP DATABASE full_disk WITH (FORCE)")
