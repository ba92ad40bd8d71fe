"""The result of a scan as JSON: ``{assets, relations, findings, unread, scan}``."""

from __future__ import annotations

from keepwall.formats.json_text import encode_json
from keepwall.formats.schemas import decode_contract
from keepwall.vocabulary.errors import FormatError
from keepwall.vocabulary.scan import ScanResult


def encode_scan(result: ScanResult) -> bytes:
    """Return the document that ``keepwall scan --format json`` prints (schema ``scan-result``)."""
    return encode_json(result)


def decode_scan(data: bytes) -> ScanResult:
    """Return the result that `data` holds.

    Raises:
        FormatError: it is not JSON, or not the result of a scan; the message names the field.
    """
    try:
        return decode_contract(ScanResult, data)
    except FormatError as error:
        raise FormatError(
            error.message, hint="make one with keepwall scan --format json -o FILE"
        ) from error
