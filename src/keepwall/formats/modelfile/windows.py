"""Search large files for byte patterns in windows, so that memory stays small."""

from __future__ import annotations

import re
from collections.abc import Iterator

from keepwall.formats.modelfile.bytes_at import BytesAt

WINDOW = 1 << 20
_OVERLAP = 512


def found_in(source: BytesAt, pattern: re.Pattern[bytes], limit: int) -> Iterator[bytes]:
    """Yield what `pattern` matches in the first `limit` bytes; matches are at most 512 bytes."""
    offset = 0
    while offset < min(source.size, limit):
        data = source.read_at(offset, WINDOW + _OVERLAP)
        if not data:
            return
        for match in pattern.finditer(data):
            if match.start() < WINDOW:
                yield match[match.lastindex or 0]
        offset += WINDOW
