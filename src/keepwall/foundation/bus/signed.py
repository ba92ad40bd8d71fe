"""Documents in key-value buckets: DSSE envelopes that cannot be replayed elsewhere or rolled back.

The signed payload names its own bucket, key and generation. So a document that was moved to
another key, taken from another bucket or brought back from last week does not pass, although its
signature is good. A deletion is a signed document too (`body` None): one that only disappears from
the bus changes nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Protocol

import msgspec

from keepwall.foundation.bus.contract import MAX_VALUE, Bus, check_bucket
from keepwall.foundation.clock import Clock
from keepwall.vocabulary.errors import FormatError, IntegrityError
from keepwall.vocabulary.json_value import JsonValue
from keepwall.vocabulary.subjects import kv_key

_LONGEST_NAME = 200
_KEPT = 80


class Signer(Protocol):
    """Who signs documents."""

    def sign(self, payload_type: str, payload: bytes) -> bytes:
        """Return a DSSE envelope (JSON) over `payload`."""
        ...


class Verifier(Protocol):
    """Who checks the signatures of documents."""

    def verify(self, envelope: bytes, *, payload_type: str, role: str, at: datetime) -> bytes:
        """Return the payload of a DSSE envelope.

        Raises:
            IntegrityError: no key that has `role` at the time `at` signed this type of payload.
        """
        ...


@dataclass(frozen=True, slots=True)
class Document:
    """A document whose signature holds; `body` None means that it was withdrawn."""

    bucket: str
    key: str
    generation: int
    body: Mapping[str, JsonValue] | None
    envelope: bytes


@dataclass(frozen=True, slots=True)
class Refusal:
    """A document that does not count, and why; `key` is as it stands on the bus or the disk."""

    bucket: str
    key: str
    reason: str


class _Payload(msgspec.Struct, forbid_unknown_fields=True):
    bucket: str
    key: Annotated[str, msgspec.Meta(min_length=1, max_length=1_024)]
    generation: Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]
    body: dict[str, Any] | None


def document_name(key: str) -> str:
    """Return the name of a document on the bus and on disk, at most 200 characters of ASCII.

    It is `subjects.kv_key`, or for a long key its beginning, ``=-`` (which `kv_key` never writes)
    and its SHA-256.
    """
    escaped = kv_key(key)
    if len(escaped) <= _LONGEST_NAME:
        return escaped
    return f"{escaped[:_KEPT]}=-{hashlib.sha256(escaped.encode()).hexdigest()}"


def signing_role(bucket: str, name: str) -> str:
    """Return the role that must sign the document `name` of `bucket`.

    A node signs its own status (``<node>/<plane>``) and nothing else; the rest is the control
    plane's.
    """
    return f"node/{name.partition('=2F')[0]}" if bucket == "status" else "control"


def payload_type(bucket: str) -> str:
    """Return the DSSE payload type of the documents of `bucket`."""
    return f"application/vnd.keepwall.{bucket}+json"


def seal(
    signer: Signer,
    bucket: str,
    key: str,
    generation: int,
    body: Mapping[str, JsonValue] | None,
) -> bytes:
    """Return a signed document; `generation` is from 1 and must be higher than the one before.

    Raises:
        FormatError: the generation is not from 1, or the document is larger than a key may hold.
    """
    check_bucket(bucket)
    if generation < 1:
        raise FormatError("a generation is 1 or more", place=f"{bucket}/{key}")
    payload = _Payload(bucket, key, generation, None if body is None else dict(body))
    envelope = signer.sign(payload_type(bucket), msgspec.json.encode(payload))
    if len(envelope) > MAX_VALUE:
        raise FormatError(
            f"a document of {len(envelope)} bytes is over {MAX_VALUE}", place=f"{bucket}/{key}"
        )
    return envelope


def unseal(verifier: Verifier, bucket: str, name: str, envelope: bytes, at: datetime) -> Document:
    """Return the document in `envelope`, which was found in `bucket` as `name`.

    Raises:
        IntegrityError: the signature does not hold, or the document belongs elsewhere.
    """
    place = f"{bucket}/{name}"
    if len(envelope) > MAX_VALUE:
        raise IntegrityError(f"{place} is larger than a document may be")
    payload = verifier.verify(
        envelope, payload_type=payload_type(bucket), role=signing_role(bucket, name), at=at
    )
    try:
        document = msgspec.json.decode(payload, type=_Payload)
        found = document_name(document.key)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise IntegrityError(f"{place} is signed but not a document: {error}") from error
    if document.bucket != bucket or found != name:
        raise IntegrityError(f"{place} holds the document of {document.bucket}/{found}")
    return Document(bucket, document.key, document.generation, document.body, envelope)


class Generations:
    """The highest generation seen of each document of one bucket, which only rises."""

    def __init__(self, seen: Mapping[str, int] | None = None) -> None:
        self._seen: dict[str, int] = dict(seen or {})
        self._envelopes: dict[str, bytes] = {}

    def admit(self, document: Document) -> bool:
        """Take the document into account and return whether it is new here.

        Raises:
            IntegrityError: a higher generation was seen, or another content of the same one.
        """
        name = f"{document.bucket}/{document.key}"
        highest = self._seen.get(document.key, 0)
        if document.generation < highest:
            raise IntegrityError(
                f"{name} is generation {document.generation}, but {highest} was seen: rolled back"
            )
        known = self._envelopes.get(document.key)
        if document.generation == highest and known not in (None, document.envelope):
            raise IntegrityError(f"{name} has two contents of generation {highest}")
        self._seen[document.key] = document.generation
        self._envelopes[document.key] = document.envelope
        return known != document.envelope

    def known(self) -> Mapping[str, int]:
        """Return the highest generation by key."""
        return dict(self._seen)


class SignedDocuments:
    """Signed documents on a bus: write as one who signs, read as one who checks."""

    def __init__(self, bus: Bus, clock: Clock) -> None:
        self._bus = bus
        self._clock = clock

    async def put(
        self,
        signer: Signer,
        bucket: str,
        key: str,
        *,
        generation: int,
        body: Mapping[str, JsonValue] | None,
    ) -> Document:
        """Sign and store a document, and return it; `body` None withdraws it.

        Raises:
            FormatError: it cannot be stored.
            ConnectError: the bus did not take it.
        """
        envelope = seal(signer, bucket, key, generation, body)
        await self._bus.put(bucket, document_name(key), envelope)
        return Document(bucket, key, generation, body, envelope)

    async def get(self, verifier: Verifier, bucket: str, key: str) -> Document | None:
        """Return the present document of `key`, or None when there is none on the bus.

        Raises:
            IntegrityError: what is there is not that document.
            ConnectError: the bus did not answer.
        """
        entry = await self._bus.get(bucket, document_name(key))
        if entry is None or entry.value is None:
            return None
        return unseal(verifier, bucket, entry.key, entry.value, self._clock.now())

    async def watch(
        self, verifier: Verifier, bucket: str, *, seen: Mapping[str, int] | None = None
    ) -> AsyncGenerator[Document | Refusal | None, None]:
        """Yield the documents of `bucket`, then one None ("caught up"), then changes.

        A document that fails is a `Refusal` and changes nothing, as does an unsigned deletion.
        `seen` is the highest generation known by key, such as of `SnapshotDirectory`.
        """
        generations = Generations(seen)
        async with aclosing(self._bus.watch(bucket)) as entries:
            async for entry in entries:
                if entry is None:
                    yield None
                elif entry.value is None:
                    yield Refusal(bucket, entry.key, "was deleted without a signature")
                else:
                    try:
                        document = unseal(
                            verifier, bucket, entry.key, entry.value, self._clock.now()
                        )
                        fresh = generations.admit(document)
                    except IntegrityError as error:
                        yield Refusal(bucket, entry.key, error.message)
                        continue
                    if fresh:
                        yield document
