"""What was published: the signed generations of envelopes in the store, each checked when read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec

from keepwall.formats.envelope.parse import parse
from keepwall.foundation.bus.signed import document_name, unseal
from keepwall.foundation.clock import Clock
from keepwall.foundation.state import StateDirectory
from keepwall.foundation.store.documents import Past
from keepwall.foundation.store.store import Store
from keepwall.foundation.trust.installed import installed_revocations, installed_root
from keepwall.foundation.trust.verify import Verifier
from keepwall.vocabulary.envelope import Envelope, EnvelopeGeneration
from keepwall.vocabulary.errors import ConfigError, IntegrityError
from keepwall.vocabulary.incident import Containment
from keepwall.vocabulary.subjects import narrowing_of
from keepwall.workflows import connection

_BUCKET = "envelopes"


def store_url(state: StateDirectory, chosen: str = "") -> str:
    """Return the URL of the store in use: the chosen one, the control plane's, the default."""
    link = connection.read(state)
    return chosen or (link.store if link else "") or state.database_url


def open_existing(state: StateDirectory, chosen: str = "") -> Store | None:
    """Return the open store of this installation, or None where none was ever made."""
    url = store_url(state, chosen)
    if url.startswith("sqlite:///") and not Path(url.removeprefix("sqlite:///")).is_file():
        return None
    return Store.open(url)


def installed_verifier(state: StateDirectory) -> Verifier:
    """Return the verifier of this installation's documents.

    Raises:
        ConfigError: there is no installation here.
    """
    if (root := installed_root(state.trust)) is None:
        raise ConfigError(
            f"there are no installation keys in {state.trust}",
            hint="keepwall up makes them; KEEPWALL_STATE names another place",
        )
    return Verifier(root, revocations=installed_revocations(state.trust))


@dataclass(frozen=True, slots=True)
class Generation:
    """One published generation; `at` is when it was stored, None where nobody noted it."""

    document: EnvelopeGeneration
    at: datetime | None

    @property
    def name(self) -> str:
        """``NAME@GENERATION``."""
        return f"{self.document.uid}@{self.document.generation}"

    @property
    def envelope(self) -> Envelope:
        """The envelope in it."""
        return parse(self.document.spec.encode(), self.name)


class Published:
    """Reads what was published; nothing that this installation did not sign passes."""

    def __init__(self, store: Store, verifier: Verifier, clock: Clock) -> None:
        self._store = store
        self._verifier = verifier
        self._clock = clock

    def latest(self) -> Sequence[Generation]:
        """Return the newest generation of every envelope, by name.

        Raises:
            IntegrityError: one of them is not what was signed.
        """
        uids = [uid for uid, _, _ in self._store.documents.list(_BUCKET)]
        found = [self.newest(uid) for uid in uids]
        return [each for each in found if each is not None]

    def newest(self, uid: str) -> Generation | None:
        """Return the newest generation of one envelope, or None.

        Raises:
            IntegrityError: it is not what was signed.
        """
        past = self._store.documents.history(_BUCKET, uid)
        return self._checked(uid, past[0]) if past else None

    def narrowing(self, name: str) -> Generation | None:
        """Return what incidents have closed for the envelope `name`, or None.

        Raises:
            IntegrityError: it is not what was signed.
        """
        return self.newest(narrowing_of(name))

    def numbers(self, uid: str) -> Sequence[int]:
        """Return the numbers of the generations that are kept, the newest first."""
        return [each.generation for each in self._store.documents.history(_BUCKET, uid)]

    def generation(self, uid: str, number: int) -> Generation:
        """Return one generation of one envelope.

        Raises:
            ConfigError: there is no such envelope, or that generation is not kept.
            IntegrityError: it is not what was signed.
        """
        past = self._store.documents.history(_BUCKET, uid)
        if not past:
            raise ConfigError(
                f"no envelope was published as {uid}", hint="keepwall envelope list shows them"
            )
        for each in past:
            if each.generation == number:
                return self._checked(uid, each)
        kept = ", ".join(str(each.generation) for each in past)
        raise ConfigError(f"{uid} has no generation {number}", hint=f"kept are {kept}")

    def containment(self, incident: str) -> Containment | None:
        """Return the latest order about an incident's subject, or None.

        Raises:
            IntegrityError: it is not what was signed.
        """
        stored = self._store.documents.get("containments", incident)
        if stored is None:
            return None
        return self._containment(incident, stored[1])

    def containments(self, subject: str) -> Sequence[Containment]:
        """Return the latest order of every incident about `subject`.

        Raises:
            IntegrityError: one is not what was signed.
        """
        found = [
            self._containment(key, envelope)
            for key, _, envelope in self._store.documents.list("containments")
        ]
        return [each for each in found if each.subject == subject]

    def _containment(self, key: str, envelope: bytes) -> Containment:
        name = document_name(key)
        document = unseal(self._verifier, "containments", name, envelope, self._clock.now())
        return msgspec.convert(document.body, Containment)

    def _checked(self, uid: str, past: Past) -> Generation:
        name = document_name(uid)
        document = unseal(self._verifier, _BUCKET, name, past.body, self._clock.now())
        if document.generation != past.generation:
            raise IntegrityError(
                f"{uid}@{past.generation} in the store is generation {document.generation}"
            )
        return Generation(msgspec.convert(document.body, EnvelopeGeneration), past.at)
