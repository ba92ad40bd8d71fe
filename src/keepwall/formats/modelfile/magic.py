"""Model formats that a few bytes give away and that hold no code: name, and how each starts."""

from __future__ import annotations

import re
from collections.abc import Sequence

_UBJSON_LEARNER = re.compile(
    rb"\{(?:L.{7}\x07|l.{3}\x07|I\x00\x07|[iU]\x07)(?:learner|version)", re.DOTALL
)
_MSGPACK_MAP = re.compile(rb"[\x81-\x8f\xde\xdf].{0,4}[\xa1-\xbf\xd9]", re.DOTALL)
_PROGRAM = re.compile(rb"\x0a.{1,5}\x08\x00\x10", re.DOTALL)

_STARTS: Sequence[tuple[str, bytes]] = (
    ("catboost", b"CBM1"),
    ("ggml", b"lmgg"),
    ("ggml", b"tjgg"),
    ("ggml", b"fmgg"),
    ("mxnet", (0x112).to_bytes(8, "little")),
    ("lightgbm", b"tree\nversion=v"),
    ("lightgbm", b"tree\r\nversion=v"),
)
_BY_SUFFIX: Sequence[tuple[str, str, re.Pattern[bytes]]] = (
    ("tensorrt", ".engine", re.compile(rb"[pf]trt")),
    ("tensorrt", ".plan", re.compile(rb"[pf]trt")),
    ("tensorrt", ".trt", re.compile(rb"[pf]trt")),
    ("coreml", ".mlmodel", re.compile(rb"\x08[\x01-\x14](?:\x12|\x1a|[\xa2-\xfa])")),
    ("paddle", ".pdmodel", _PROGRAM),
    ("flax", ".msgpack", _MSGPACK_MAP),
    ("llamafile", ".llamafile", re.compile(rb"MZqFpD|\x7fELF")),
    ("xgboost", ".ubj", _UBJSON_LEARNER),
    ("xgboost", ".model", _UBJSON_LEARNER),
    ("xgboost", ".bin", _UBJSON_LEARNER),
)


def by_magic(head: bytes, suffix: str) -> str:
    """Return the format that starts with `head`, in a file with `suffix`; empty where none does."""
    for name, start in _STARTS:
        if head.startswith(start):
            return name
    for name, ending, pattern in _BY_SUFFIX:
        if suffix == ending and pattern.match(head):
            return name
    return ""
