from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text
from store_samples import asset, result

from keepwall.foundation.store.asset_search import AssetFilter
from keepwall.foundation.store.database import connect
from keepwall.foundation.store.migrate import bring_to_head, scripts
from keepwall.foundation.store.schema import HEAD, METADATA
from keepwall.foundation.store.store import Store
from keepwall.vocabulary.errors import ConfigError

PACKAGE = Path(__file__).parents[2] / "src" / "keepwall" / "foundation" / "store"
OPENER = Path(__file__).parent / "store_opener.py"


def test_head_is_the_newest_migration_and_there_is_one() -> None:
    assert scripts().get_heads() == [HEAD]


def test_migrations_lie_in_packages_so_that_a_wheel_carries_them() -> None:
    for script in scripts().walk_revisions():
        folder = Path(script.path).parent
        assert folder.is_relative_to(PACKAGE)
        assert (folder / "__init__.py").is_file()


def test_the_migrations_lead_to_the_schema_of_the_program(store_url: str) -> None:
    Store.open(store_url).close()
    database = connect(store_url)
    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, METADATA) == []
    database.close()


def test_a_newer_schema_is_refused_and_left_alone(store_url: str) -> None:
    Store.open(store_url).close()
    database = connect(store_url)
    with database.write("test") as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ConfigError, match="schema 9999, which is newer") as caught:
        Store.open(store_url)
    assert "upgrade Keepwall" in caught.value.hint
    with database.read() as connection:
        version = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    assert version == "9999"
    database.close()


def test_a_migration_that_fails_leaves_nothing(store_url: str) -> None:
    database = connect(store_url)
    with database.write("test") as connection:
        connection.execute(text("CREATE TABLE settings (other INTEGER)"))  # in the way of the last
    with pytest.raises(Exception, match="nothing of this change was stored"):
        bring_to_head(database)
    with database.read() as connection:
        assert inspect(connection).get_table_names() == ["settings"]
    database.close()


def test_threads_may_open_one_new_database_at_once(store_url: str) -> None:
    with ThreadPoolExecutor(6) as pool:
        stores = list(pool.map(Store.open, [store_url] * 6))
    for number, store in enumerate(stores):
        store.settings.set(str(number), "here")
    assert [stores[0].settings.get(str(n)) for n in range(6)] == ["here"] * 6
    for store in stores:
        store.close()


def test_processes_may_open_one_new_database_at_once(store_url: str) -> None:
    openers = [
        subprocess.Popen(
            [sys.executable, OPENER, store_url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for _ in range(4)
    ]
    for opener in openers:
        assert opener.stdout is not None
        assert opener.stdout.readline() == "ready\n"
    for opener in openers:
        assert opener.stdin is not None
        opener.stdin.write("go\n")
        opener.stdin.flush()
    assert [opener.communicate(timeout=60)[0] for opener in openers] == ["opened\n"] * 4


def as_the_first_schema_left_it(url: str) -> None:
    database = connect(url)
    with database.write("test") as connection:
        for table in ("document_history", "triage", "triage_steps", "changes", "views"):
            connection.execute(text(f"DROP TABLE {table}"))
        for table, column in (
            ("assets", "owner"),
            ("assets", "zone"),
            ("assets", "context"),
            ("findings", "exposure"),
        ):
            connection.execute(text(f"ALTER TABLE {table} DROP COLUMN {column}"))
        connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    database.close()


def test_assets_of_the_first_schema_get_their_facets(store_url: str) -> None:
    odd = asset("a", "a.py", owner="Zo\udcff\0", context="test")
    plain = asset("b", "b.py")
    with Store.open(store_url) as store:
        store.scans.record(result("repo", assets=(odd, plain)))
        expected = store.asset_search.facets(AssetFilter())
    as_the_first_schema_left_it(store_url)
    with Store.open(store_url) as store:
        assert store.asset_search.facets(AssetFilter()) == expected
        assert expected["owner"] == [("(none)", 1), ("Zo\\udcff\\x00", 1)]
        assert store.asset_search.find(AssetFilter(context="test"))[0].asset == odd


def test_documents_of_the_first_schema_begin_their_history(store_url: str) -> None:
    with Store.open(store_url) as store:
        store.documents.put("envelopes", "claims", 3, b"three")
    as_the_first_schema_left_it(store_url)
    with Store.open(store_url) as store:
        past = store.documents.history("envelopes", "claims")
        assert [(each.generation, each.at, each.body) for each in past] == [(3, None, b"three")]
        store.documents.put("envelopes", "claims", 4, b"four")
        assert [each.body for each in store.documents.history("envelopes", "claims")] == [
            b"four",
            b"three",
        ]
