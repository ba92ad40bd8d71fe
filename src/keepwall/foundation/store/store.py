"""The store: one door to the state of an installation."""

from __future__ import annotations

from contextlib import ExitStack
from types import TracebackType
from typing import Self

from keepwall.foundation.store.asset_search import AssetSearch
from keepwall.foundation.store.changes import Changes
from keepwall.foundation.store.database import Database, connect
from keepwall.foundation.store.documents import Documents
from keepwall.foundation.store.events import Events
from keepwall.foundation.store.finding_search import FindingSearch
from keepwall.foundation.store.findings import Findings
from keepwall.foundation.store.graph import GraphSearch
from keepwall.foundation.store.incidents import Incidents
from keepwall.foundation.store.inventory import InventoryTable
from keepwall.foundation.store.migrate import bring_to_head
from keepwall.foundation.store.scans import Scans
from keepwall.foundation.store.settings import Settings
from keepwall.foundation.store.triage import TriageTable
from keepwall.foundation.store.views import Views


class Store:
    """The state of one installation; safe to call from several threads and several processes.

    Every change is one transaction: a process that dies, or a disk that fills up, leaves all of
    it or nothing. Everything here raises only errors of the KeepwallError family:
    `ConnectError` for a database that is out of reach, busy or full, `IntegrityError` for a
    damaged one, `ConfigError` for one that may not be used.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.scans = Scans(database)
        self.inventory = InventoryTable(database)
        self.asset_search = AssetSearch(database)
        self.graph = GraphSearch(database)
        self.findings = Findings(database)
        self.finding_search = FindingSearch(database)
        self.triage = TriageTable(database)
        self.changes = Changes(database)
        self.views = Views(database)
        self.events = Events(database)
        self.incidents = Incidents(database)
        self.documents = Documents(database)
        self.settings = Settings(database)

    @classmethod
    def open(cls, url: str) -> Store:
        """Return the store at `url`, brought to the schema of this program.

        `url` is ``sqlite:///path`` (the file is created, mode 0600) or
        ``postgresql+psycopg://user@host/database``.

        Raises:
            ConfigError: the URL or the file is wrong, or a newer program wrote it.
            ConnectError: the server is out of reach, or refuses the account.
            IntegrityError: the file is damaged or no database.
        """
        database = connect(url)
        with ExitStack() as undo:
            undo.callback(database.close)
            bring_to_head(database)
            undo.pop_all()
        return cls(database)

    def close(self) -> None:
        """Close every connection."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
