"""The evidence bundle: one file that proves itself, a line of canonical JSON for each record.

The first line holds the root's public key, the signed head and the signed selection; key statements
travel inside the signatures. Every further line is one record with its inclusion proof. Lines, so
that damage is named by record, and so that any tool can read the evidence.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from keepwall.foundation.ledger.head import SignedHead
from keepwall.foundation.ledger.log import LedgerLog
from keepwall.foundation.trust import canonical
from keepwall.foundation.trust.files import write_private
from keepwall.foundation.trust.signer import Signer
from keepwall.prove.record import Recorded
from keepwall.prove.selection import SELECTION_TYPE, Selection, ranges_of
from keepwall.vocabulary.errors import ConfigError, FormatError, IntegrityError

FORMAT = "keepwall-evidence-bundle/1"
MAX_HEADER_LINE = 4 * 1024 * 1024
MAX_RECORD_LINE = 2 * 1024 * 1024


def read_evidence(ledger: LedgerLog) -> Iterator[tuple[int, Recorded]]:
    """Yield index and evidence of every record.

    Raises:
        IntegrityError: a record is damaged or is no evidence; the message names it.
    """
    for index, record in ledger.records():
        try:
            yield index, Recorded.decode(record)
        except FormatError as error:
            raise IntegrityError(f"record {index} is not evidence: {error.message}") from error


def concerns(recorded: Recorded, about: str) -> bool:
    """Say whether evidence belongs in a bundle about `about` (empty for everything)."""
    return not about or about in (recorded.evidence.about, recorded.evidence.id)


def lines(ledger: LedgerLog, signer: Signer, at: datetime, *, about: str = "") -> Iterator[bytes]:
    """Yield the lines of a bundle, each with its line feed.

    `signer` signs as ``ledger``; `at` is now. With `about`, only evidence about that incident,
    envelope or run, or the one piece of evidence with that id.

    Raises:
        ConfigError: there is nothing to export, or too much scattered for one bundle.
        IntegrityError: a record is damaged; the message names it.
    """
    ledger.sync()
    chosen = [index for index, found in read_evidence(ledger) if concerns(found, about)]
    if not chosen:
        what = f"about {about!r}" if about else "in the ledger"
        raise ConfigError(f"there is no evidence {what}", hint="keepwall evidence list")
    size = ledger.size
    head = SignedHead.sign(signer, ledger.origin, size, ledger.root(size), at)
    digest = hashlib.sha256(head.envelope).hexdigest()
    selection = Selection(about, digest, ranges_of(chosen))
    header = {
        "format": FORMAT,
        "head": canonical.decode(head.envelope),
        "root": signer.root_public.hex(),
        "selection": canonical.decode(signer.sign(SELECTION_TYPE, selection.encode())),
    }
    if len(first := canonical.encode(header)) >= MAX_HEADER_LINE:
        raise ConfigError("too many scattered records for one bundle", hint="export everything")
    yield first + b"\n"
    for index in chosen:
        line = {
            "index": index,
            "proof": [each.hex() for each in ledger.inclusion(index, size)],
            "record": canonical.decode(ledger.record(index)),
        }
        yield canonical.encode(line) + b"\n"


def export(ledger: LedgerLog, signer: Signer, path: Path, at: datetime, *, about: str = "") -> int:
    """Write a bundle to `path` in one step, readable only by its owner; return its records.

    Raises:
        ConfigError, IntegrityError: as `lines`.
        ConnectError: the file cannot be written.
    """
    written = list(lines(ledger, signer, at, about=about))
    write_private(path, b"".join(written))
    return len(written) - 1
