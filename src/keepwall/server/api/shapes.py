"""Shapes of answers that are not words of the vocabulary, and how answers are encoded."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Generic, TypeVar

import msgspec

from keepwall.vocabulary.scan import ScanInfo
from keepwall.vocabulary.surface import Severity, Surface

T = TypeVar("T")


class Page(msgspec.Struct, Generic[T], frozen=True):
    """Some items; `next` is the address of the following page, or null at the end."""

    items: list[T]
    next: str | None = None


class FacetValue(msgspec.Struct, frozen=True):
    """A value of a facet, and how many assets have it."""

    value: str
    count: int


class Facet(msgspec.Struct, frozen=True):
    """One way to divide the assets, its most frequent values first."""

    name: str
    values: list[FacetValue]


class Status(msgspec.Struct, frozen=True):
    """What this installation holds."""

    version: str
    at: datetime
    assets: Mapping[Surface, int]
    findings: Mapping[Severity, int]
    events: int
    last_scan: ScanInfo | None


def encode(value: object) -> bytes:
    """Return `value` as JSON.

    Names of files need not be Unicode and arrive with lone surrogates, which UTF-8 cannot carry;
    these travel as JSON escapes (RFC 8259, section 8.2).
    """
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        return json.dumps(msgspec.to_builtins(value), separators=(",", ":")).encode()
