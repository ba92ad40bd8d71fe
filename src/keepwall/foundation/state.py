"""The state directory: everything that one installation keeps on this machine."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from keepwall.vocabulary.errors import ConfigError


@dataclass(frozen=True, slots=True)
class StateDirectory:
    """Names of the places below one directory; nothing is created until `ensure` is called."""

    root: Path

    @classmethod
    def default(cls, environment: Mapping[str, str] | None = None) -> StateDirectory:
        """Return `KEEPWALL_STATE`, else the XDG state directory of this user.

        Root gets ``/var/lib/keepwall``.
        """
        env = os.environ if environment is None else environment
        if chosen := env.get("KEEPWALL_STATE"):
            return cls(Path(chosen).absolute())
        if sys.platform == "linux" and os.geteuid() == 0:
            return cls(Path("/var/lib/keepwall"))
        base = env.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
        return cls(Path(base) / "keepwall")

    def ensure(self) -> StateDirectory:
        """Create the directory, private to this user, and return it.

        Raises:
            ConfigError: it cannot be created or written.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise ConfigError(
                f"the state directory {self.root} cannot be made: {error.strerror}",
                hint="set KEEPWALL_STATE to a directory that you may write",
            ) from error
        return self

    @property
    def trust(self) -> Path:
        """Keys and certificates."""
        return self.root / "trust"

    @property
    def ledger(self) -> Path:
        """The Merkle logs, one folder per writer."""
        return self.root / "ledger"

    @property
    def database_url(self) -> str:
        """The default store: SQLite in this directory."""
        return f"sqlite:///{self.root / 'keepwall.db'}"

    @property
    def bus(self) -> Path:
        """Data of the NATS server that `keepwall up` starts."""
        return self.root / "bus"

    @property
    def spool(self) -> Path:
        """Events that have not reached the control plane yet."""
        return self.root / "spool"

    @property
    def remembered(self) -> Path:
        """What scans saw of files that have not changed since; may be deleted at any time."""
        return self.root / "remembered"

    @property
    def snapshots(self) -> Path:
        """Signed key-value documents as last seen, for when the control plane is dead."""
        return self.root / "snapshots"

    @property
    def connection(self) -> Path:
        """How to reach the running control plane: written by `keepwall up`, removed at its end."""
        return self.root / "connection.json"
