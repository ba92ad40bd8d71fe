"""How much of a target is read."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one discovery; what lies beyond is named as unread.

    `digest_bytes` bounds the content of one model file that is hashed for its identity; larger
    ones are identified by their size and both ends. `seconds` is wall time.
    """

    files: int = 200_000
    bytes_per_file: int = 16 << 20
    source_bytes: int = 1 << 20
    secret_bytes: int = 16 << 20
    total_bytes: int = 4 << 30
    digest_bytes: int = 512 << 20
    depth: int = 60
    seconds: float = 900.0
    nesting: int = 64
    nodes: int = 200_000
    facts_per_file: int = 5_000
