"""The result of a scan as JSON."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from keepwall.formats.scan_json import decode_scan, encode_scan
from keepwall.vocabulary.errors import FormatError
from keepwall.vocabulary.fact import Unread

GOLDEN = Path(__file__).parents[1] / "golden" / "contracts" / "scan-result.json"


def test_round_trip() -> None:
    result = decode_scan(GOLDEN.read_bytes())
    assert result.scan.files == 42
    assert decode_scan(encode_scan(result)) == result
    assert list(json.loads(encode_scan(result))) == [
        "assets",
        "relations",
        "findings",
        "unread",
        "scan",
    ]


def test_a_file_name_that_is_no_text_does_not_fail_the_document() -> None:
    result = decode_scan(GOLDEN.read_bytes())
    odd = replace(result, unread=(Unread(os.fsdecode(b"m\xf6del.bin"), "no UTF-8 name"),))
    assert decode_scan(encode_scan(odd)).unread[0].path == "m\\udcf6del.bin"


def test_what_is_no_scan_names_the_place() -> None:
    document = json.loads(GOLDEN.read_bytes())
    document["findings"][1]["severity"] = "terrible"
    with pytest.raises(FormatError, match=r"findings\[1\]\.severity") as caught:
        decode_scan(json.dumps(document).encode())
    assert "keepwall scan --format json" in caught.value.hint
