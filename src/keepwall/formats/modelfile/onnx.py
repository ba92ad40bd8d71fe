"""ONNX: the top level of the protocol buffer, and the operator domains that need foreign code.

onnx.proto: ModelProto {1 ir_version, 2 producer_name, 7 graph, 8 opset_import}.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from keepwall.formats.modelfile.bytes_at import BytesAt, Cursor
from keepwall.vocabulary.errors import FormatError

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_PRODUCER, _GRAPH, _OPSET = 2, 7, 8
_STANDARD = frozenset({"", "ai.onnx", "ai.onnx.ml", "ai.onnx.training", "com.microsoft"})
_MAXIMUM_FIELDS = 1_000


@dataclass(frozen=True, slots=True)
class Onnx:
    """Who produced it, and the operator domains that are not standard ones."""

    producer: str
    foreign_domains: tuple[str, ...]


def read_onnx(source: BytesAt) -> Onnx:
    """Return what the top level of the model says; the graph itself is skipped.

    Raises:
        FormatError: it is not an ONNX model.
    """
    producer, domains, graph = "", [], False
    for number, value in _fields(source):
        if number == _PRODUCER:
            producer = value.decode("utf-8", "replace")[:200]
        elif number == _GRAPH:
            graph = True
        elif number == _OPSET and value[:1] == b"\x0a" and len(value) > 1:
            domains.append(value[2 : 2 + value[1]].decode("utf-8", "replace"))
    if not graph:
        raise FormatError("not an ONNX model: it has no graph")
    foreign = dict.fromkeys(each for each in domains if each not in _STANDARD)
    return Onnx(producer, tuple(foreign))


def _fields(source: BytesAt) -> Iterator[tuple[int, bytes]]:
    """Yield the fields of the message; of long ones only the first bytes."""
    cursor = Cursor(source, window=4096)
    try:
        for _ in range(_MAXIMUM_FIELDS):
            if cursor.offset >= source.size:
                return
            tag = _varint(cursor)
            number, wire = tag >> 3, tag & 7
            value = b""
            if wire == _VARINT:
                _varint(cursor)
            elif wire in (_FIXED64, _FIXED32):
                cursor.skip(8 if wire == _FIXED64 else 4)
            elif wire == _BYTES:
                length = _varint(cursor)
                value = cursor.read(min(length, 1024))
                cursor.skip(length - len(value))
            else:
                raise FormatError("not an ONNX model", place=f"byte {cursor.offset}")
            yield number, value
    except EOFError as error:
        raise FormatError("not an ONNX model: it ends early") from error


def _varint(cursor: Cursor) -> int:
    value = 0
    for shift in range(0, 70, 7):
        byte = cursor.read(1)[0]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:  # noqa: PLR2004 - the continuation bit
            return value
    raise FormatError("not a protocol buffer", place=f"byte {cursor.offset}")
