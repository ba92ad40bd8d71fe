"""DSSE envelopes: signed bytes with their type (DSSE 1.0.2, ``protocol.md`` and ``envelope.md``).

Only the container: what is signed (`pae`) and how it is written. Keys and trust are elsewhere.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from keepwall.vocabulary.errors import FormatError
from keepwall.vocabulary.json_value import JsonValue

MAX_ENVELOPE = 4 * 1024 * 1024
"""Bytes of the largest envelope that is read."""
MAX_SIGNATURES = 16
"""How many signatures one envelope may carry."""


@dataclass(frozen=True, slots=True)
class Extension:
    """An unauthenticated note beside a signature; `kind` says how to read `ext`."""

    kind: str
    ext: Mapping[str, JsonValue]


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature; `keyid` and `extension` are hints that nothing authenticates."""

    sig: bytes
    keyid: str = ""
    extension: Extension | None = None


@dataclass(frozen=True, slots=True)
class SignedEnvelope:
    """A payload, its type and at least one signature."""

    payload_type: str
    payload: bytes
    signatures: tuple[Signature, ...] = field(default=())


def pae(payload_type: str, payload: bytes) -> bytes:
    """Return the pre-authentication encoding: the bytes that a signature covers."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def encode(envelope: SignedEnvelope) -> bytes:
    """Return the JSON envelope: ASCII, sorted keys, no spaces, standard base64."""
    signatures: list[dict[str, Any]] = []
    for each in envelope.signatures:
        written: dict[str, Any] = {"sig": base64.b64encode(each.sig).decode()}
        if each.keyid:
            written["keyid"] = each.keyid
        if each.extension:
            written["extension"] = {"ext": each.extension.ext, "kind": each.extension.kind}
        signatures.append(written)
    return json.dumps(
        {
            "payload": base64.b64encode(envelope.payload).decode(),
            "payloadType": envelope.payload_type,
            "signatures": signatures,
        },
        sort_keys=True,
        separators=(",", ":"),
        allow_nan=False,
    ).encode()


def decode(data: bytes) -> SignedEnvelope:
    """Return the envelope in `data`; fields that DSSE does not name are ignored, as it demands.

    Raises:
        FormatError: it is too large, not JSON, has a duplicate key, lacks a field, carries no or
            too many signatures, or its base64 is not the one canonical spelling of its bytes.
    """
    if len(data) > MAX_ENVELOPE:
        raise FormatError(f"an envelope of {len(data)} bytes is over the limit of {MAX_ENVELOPE}")
    document = _load(data)
    signatures = _get(document, "signatures", list, "")
    if not 0 < len(signatures) <= MAX_SIGNATURES:
        raise FormatError(f"{len(signatures)} signatures; 1 to {MAX_SIGNATURES} are accepted")
    return SignedEnvelope(
        payload_type=_text(_get(document, "payloadType", str, ""), "payloadType"),
        payload=_base64(_get(document, "payload", str, ""), "payload"),
        signatures=tuple(_signature(each, at) for at, each in enumerate(signatures)),
    )


def _load(data: bytes) -> Any:
    try:
        return json.loads(
            data.decode(), object_pairs_hook=_without_duplicates, parse_constant=_constant
        )
    except RecursionError as error:
        raise FormatError("an envelope that is nested too deeply") from error
    except ValueError as error:
        raise FormatError(f"not a JSON envelope ({error})") from error


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key appears twice")
    return found


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _get(document: Any, key: str, kind: type, place: str) -> Any:
    where = f"{place}.{key}" if place else key
    if not isinstance(document, dict):
        raise FormatError("not an object", place=place or "envelope")
    if not isinstance(value := document.get(key), kind):
        raise FormatError(f"missing, or not a {kind.__name__}", place=where)
    return value


def _signature(value: Any, at: int) -> Signature:
    place = f"signatures[{at}]"
    sig = _base64(_get(value, "sig", str, place), f"{place}.sig")
    keyid = _get({"keyid": "", **value}, "keyid", str, place)
    if "extension" not in value:
        return Signature(sig, keyid)
    place += ".extension"
    kind = _get(value["extension"], "kind", str, place)
    ext = _get(value["extension"], "ext", dict, place)
    return Signature(sig, keyid, Extension(kind, ext))


def _text(value: str, place: str) -> str:
    """Return `value` if it can be signed: JSON may smuggle half a surrogate pair past UTF-8."""
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise FormatError("not UTF-8 text", place=place) from error
    return value


def _base64(text: str, place: str) -> bytes:
    """Decode standard or URL-safe base64; each byte string has one spelling per alphabet."""
    alphabet = b"-_" if "-" in text or "_" in text else b"+/"
    try:
        value = base64.b64decode(text.encode("ascii"), altchars=alphabet, validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise FormatError("not base64", place=place) from error
    if base64.b64encode(value, altchars=alphabet).decode() != text:
        raise FormatError("not canonical base64", place=place)
    return value
