"""Events, findings and incidents as OCSF 1.5 records (https://schema.ocsf.io/1.5.0).

An `Event` survives ``decode(encode(event))`` with two exceptions, both deliberate: `at` keeps
milliseconds (OCSF `timestamp_t`), and characters that are not valid Unicode (file names are bytes
on Linux) come back escaped. What OCSF has no word for travels in ``unmapped.keepwall``.
"""

from __future__ import annotations

from keepwall.formats.ocsf.batch import (
    MAX_BATCH_BYTES,
    MAX_BATCH_EVENTS,
    decode_batch,
    encode_batch,
)
from keepwall.formats.ocsf.findings import encode_finding, encode_incident
from keepwall.formats.ocsf.reader import decode
from keepwall.formats.ocsf.terms import ACTIVITY_IDS, OCSF_VERSION, SEVERITY_IDS
from keepwall.formats.ocsf.writer import encode

__all__ = [
    "ACTIVITY_IDS",
    "MAX_BATCH_BYTES",
    "MAX_BATCH_EVENTS",
    "OCSF_VERSION",
    "SEVERITY_IDS",
    "decode",
    "decode_batch",
    "encode",
    "encode_batch",
    "encode_finding",
    "encode_incident",
]
