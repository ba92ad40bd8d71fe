"""safetensors: an eight-byte length, a JSON header, and nothing but numbers after it."""

from __future__ import annotations

from dataclasses import dataclass

from keepwall.formats.modelfile.bytes_at import BytesAt
from keepwall.formats.safe_json import load_json
from keepwall.vocabulary.errors import FormatError

_MAXIMUM_HEADER = 100_000_000
"""The limit that the reference implementation sets."""


@dataclass(frozen=True, slots=True)
class Safetensors:
    """The number of tensors, and the free text that the header carries."""

    tensors: int
    metadata: dict[str, str]


def looks_like_safetensors(head: bytes, size: int) -> bool:
    """Return whether `head` starts with a plausible length and a JSON object."""
    length = int.from_bytes(head[:8], "little")
    return head[8:9] == b"{" and 1 < length <= min(size - 8, _MAXIMUM_HEADER)


def read_safetensors(source: BytesAt, *, limit: int = 16 << 20) -> Safetensors:
    """Return what the header says.

    Raises:
        FormatError: the header is damaged, larger than `limit`, or points outside of the file.
    """
    length = int.from_bytes(source.read_at(0, 8), "little")
    if length > limit:
        raise FormatError(f"a safetensors header of {length} bytes is not read")
    header = load_json(source.read_at(8, length))
    if not isinstance(header, dict):
        raise FormatError("the safetensors header is not an object")
    metadata = header.pop("__metadata__", {})
    body = source.size - 8 - length
    for name, tensor in header.items():
        offsets = tensor.get("data_offsets") if isinstance(tensor, dict) else None
        if not _inside(offsets, body):
            raise FormatError("a tensor lies outside of the file", place=name[:100])
    texts = metadata.items() if isinstance(metadata, dict) else ()
    return Safetensors(len(header), {str(key): str(value)[:500] for key, value in texts})


def _inside(offsets: object, body: int) -> bool:
    """Return whether `offsets` are a start and an end within `body` bytes."""
    return (
        isinstance(offsets, list)
        and len(offsets) == 2  # noqa: PLR2004 - start and end
        and all(isinstance(each, int) for each in offsets)
        and 0 <= offsets[0] <= offsets[1] <= body
    )
