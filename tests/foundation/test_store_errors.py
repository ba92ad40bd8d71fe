from __future__ import annotations

import stat
import subprocess
import sys
import threading
import traceback
from pathlib import Path

import pytest
from store_samples import event

from keepwall.foundation.store import database as database_module
from keepwall.foundation.store import sqlite as sqlite_module
from keepwall.foundation.store.database import connect
from keepwall.foundation.store.store import Store
from keepwall.vocabulary.errors import ConfigError, ConnectError, IntegrityError, KeepwallError

PASSWORD = "hunter2-swordfish"  # noqa: S105 - what must not be seen


@pytest.mark.parametrize(
    "url",
    [
        "",
        "keepwall.db",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file:x.db?uri=true",
        "sqlite:////tmp/x.db?mode=ro",
        f"mysql://user:{PASSWORD}@host/db",
        f"postgresql+asyncpg://user:{PASSWORD}@host/db",
        f"postgresql+psycopg://user:{PASSWORD}@host:no-port/db",
    ],
)
def test_a_url_of_another_kind_is_refused_with_a_hint(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Store.open(url)
    assert "sqlite:///" in caught.value.hint
    assert PASSWORD not in whole(caught.value)


@pytest.mark.real
@pytest.mark.parametrize(
    "url",
    [
        f"postgresql+psycopg://user:{PASSWORD}@/db?host=/nowhere",
        f"postgresql+psycopg://user@/db?host=/nowhere&password={PASSWORD}",
        f"postgresql+psycopg://user:{PASSWORD}@/db?host=/nowhere&nonsense=1",
        f"postgresql+psycopg://user:{PASSWORD}@/db?host=/nowhere&port=x",
        f"postgresql+psycopg://user:{PASSWORD}@/db?host=/nowhere/{PASSWORD}",
    ],
)
def test_an_unreachable_server_is_named_without_its_password(url: str) -> None:
    with pytest.raises(KeepwallError) as caught:
        Store.open(url)
    assert "/db" in caught.value.message
    assert caught.value.hint
    assert PASSWORD not in whole(caught.value)


@pytest.mark.real
def test_a_missing_database_is_named(request: pytest.FixtureRequest) -> None:
    cluster = request.getfixturevalue("cluster")
    with pytest.raises(ConnectError, match='"missing" does not exist') as caught:
        Store.open(cluster.url("missing"))
    assert "name" in caught.value.hint


def test_an_at_sign_in_a_password_is_not_taken_for_the_host() -> None:
    with pytest.raises(ConfigError) as caught:
        Store.open(f"postgresql+psycopg://user:p@{PASSWORD}@db.example/keepwall")
    assert "%40" in caught.value.hint
    assert PASSWORD not in whole(caught.value)


def whole(error: BaseException) -> str:
    """Everything that a log could show of an error."""
    return "".join(traceback.format_exception(error))


def test_the_file_and_its_logs_are_private(tmp_path: Path) -> None:
    with Store.open(f"sqlite:///{tmp_path / 'keepwall.db'}") as store:
        store.settings.set("a", "b")
        modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in tmp_path.iterdir()}
    assert modes == dict.fromkeys(("keepwall.db", "keepwall.db-wal", "keepwall.db-shm"), 0o600)


def test_a_file_that_others_may_read_is_made_private(tmp_path: Path) -> None:
    path = tmp_path / "keepwall.db"
    Store.open(f"sqlite:///{path}").close()
    path.chmod(0o644)
    Store.open(f"sqlite:///{path}").close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be made: No such file"):
        Store.open(f"sqlite:///{tmp_path / 'no' / 'keepwall.db'}")


def test_a_folder_in_its_place_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "keepwall.db"
    path.mkdir(mode=0o755)
    with pytest.raises(ConfigError, match="may not be opened"):
        Store.open(f"sqlite:///{path}")
    assert stat.S_IMODE(path.stat().st_mode) == 0o755


def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "keepwall.db"
    path.write_bytes(b"dear diary " * 1000)
    path.chmod(0o644)
    with pytest.raises(IntegrityError, match="no database"):
        Store.open(f"sqlite:///{path}")
    assert path.read_bytes() == b"dear diary " * 1000
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_damage_inside_the_file_is_said(tmp_path: Path) -> None:
    path = tmp_path / "keepwall.db"
    with Store.open(f"sqlite:///{path}") as store:
        store.events.append([event(n) for n in range(2000)])
    whole_file = bytearray(path.read_bytes())
    middle = len(whole_file) // 8192 * 4096
    whole_file[middle : middle + 64 * 4096] = b"\xff" * (64 * 4096)
    path.write_bytes(whole_file)
    with Store.open(f"sqlite:///{path}") as store, pytest.raises(IntegrityError):
        store.events.list(limit=2000)


def test_a_writer_does_not_wait_forever(store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_module, "BUSY_SECONDS", 1)
    monkeypatch.setattr(database_module, "BUSY_SECONDS", 1)
    with Store.open(store_url) as store:
        other = connect(store_url)
        with other.write("settings"):
            with pytest.raises(ConnectError, match="held by another") as caught:
                store.settings.set("a", "b")
            assert store.settings.get("a") is None, "a reader does not wait for a writer"
        other.close()
        assert caught.value.hint == "try again"
        store.settings.set("a", "b")


def test_many_threads_share_one_store(store: Store) -> None:
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for turn in range(10):
                base = (number * 10 + turn) * 5
                assert store.events.append([event(base + n) for n in range(5)]) == 5
                assert store.events.count() % 5 == 0
        except BaseException as error:  # noqa: BLE001 - carried to the test's own thread
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert store.events.count() == 600


def test_naming_the_package_loads_no_database_library() -> None:
    code = "import sys, keepwall.foundation.store; print('sqlalchemy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
