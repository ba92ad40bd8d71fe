"""What the start of a fenced command imports: each of these costs every start 5 to 100 ms."""

from __future__ import annotations

import subprocess
import sys

import pytest

from keepwall.foundation.bus.signed import Document, seal
from keepwall.foundation.bus.snapshot import SnapshotDirectory
from keepwall.foundation.clock import SystemClock
from keepwall.foundation.state import StateDirectory
from keepwall.foundation.trust.trust import Trust
from keepwall.vocabulary.decision import Plane
from keepwall.vocabulary.envelope import Envelope, FileSection, PathRule
from keepwall.vocabulary.errors import IntegrityError
from keepwall.workflows import connection
from keepwall.workflows.standing_orders import standing_orders

LATE = (
    *("asyncio", "cryptography", "msgspec", "sqlalchemy", "nats", "rich", "ssl", "json"),
    *("difflib", "tempfile", "importlib.resources", "zipfile", "tomllib"),
)
SPEC = """apiVersion: keepwall.dev/v1
kind: Envelope
metadata: {name: app}
spec:
  planes: [runtime]
  file: {read: [/srv/narrow]}
"""
WIDE = Envelope(
    "app", (Plane.RUNTIME,), file=FileSection(read=(PathRule("/srv/narrow"), PathRule("/srv/b")))
)


def narrowed(state: StateDirectory) -> Trust:
    """Leave a signed narrowing of `app` in a state directory."""
    trust = Trust.open_or_create(state.trust, "Test", SystemClock())
    body = {"uid": "app#narrowed", "generation": 3, "spec": SPEC, "reason": "i-1"}
    signed = seal(trust.signer("control"), "envelopes", "app#narrowed", 3, body)
    document = Document("envelopes", "app#narrowed", 3, body, signed)
    SnapshotDirectory(state.snapshots).write(document)
    return trust


def test_the_start_of_a_fenced_command_imports_nothing_that_it_may_not_need():
    program = (
        "import sys\n"
        "from keepwall.cli import main, run\n"
        "from keepwall.workflows import fence\n"
        "from keepwall.formats.envelope import parse\n"
        f"print(*sorted(set({LATE!r}) & set(sys.modules)))\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert found.stdout.split() == []


def test_without_documents_the_given_envelope_holds_alone(tmp_path):
    envelope = Envelope("alone", (Plane.RUNTIME,))
    orders = standing_orders(envelope, StateDirectory(tmp_path), SystemClock())
    assert (orders.envelope, orders.generation, orders.containment) == (envelope, 0, None)


def test_an_empty_snapshot_directory_changes_nothing(tmp_path):
    state = StateDirectory(tmp_path)
    state.snapshots.mkdir()
    envelope = Envelope("alone", (Plane.RUNTIME,))
    orders = standing_orders(envelope, state, SystemClock())
    assert (orders.envelope, orders.generation, orders.containment) == (envelope, 0, None)


@pytest.mark.parametrize("text", [None, b"", b"{", b'{"url": 1}'])
def test_no_connection_is_read_from_what_is_not_one(tmp_path, text):
    state = StateDirectory(tmp_path)
    if text is not None:
        state.connection.write_bytes(text)
    assert connection.read(state) is None


def test_a_signed_narrowing_on_disk_binds_and_imports_no_signing_side(tmp_path):
    state = StateDirectory(tmp_path)
    narrowed(state)
    orders = standing_orders(WIDE, state, SystemClock())
    assert orders.generation == 3
    assert [rule.path for rule in orders.envelope.file.read] == ["/srv/narrow"]
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from keepwall.foundation.clock import SystemClock\n"
        "from keepwall.foundation.state import StateDirectory\n"
        "from keepwall.vocabulary.envelope import Envelope\n"
        "from keepwall.workflows.signed_orders import signed_orders\n"
        "state = StateDirectory(Path(sys.argv[1]))\n"
        "print(signed_orders(Envelope('app', ()), state, SystemClock())[1])\n"
        "late = {'asyncio', 'cryptography.x509', 'keepwall.foundation.trust.trust', 'sqlalchemy'}\n"
        "print(*sorted(late & set(sys.modules)))\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], check=True, capture_output=True, text=True
    )
    assert found.stdout.splitlines() == ["3", ""]


def test_an_order_of_a_revoked_key_refuses_the_start(tmp_path):
    state = StateDirectory(tmp_path)
    trust = narrowed(state)
    trust.revoke(trust.signer("control").key_id)
    with pytest.raises(IntegrityError, match="is revoked"):
        standing_orders(WIDE, state, SystemClock())


@pytest.mark.parametrize("name", ["about.json", "revocations.json"])
def test_damaged_keys_refuse_the_start(tmp_path, name):
    state = StateDirectory(tmp_path)
    narrowed(state)
    (state.trust / name).write_text("{")
    (state.trust / name).chmod(0o600)
    with pytest.raises(IntegrityError):
        standing_orders(WIDE, state, SystemClock())


def test_orders_without_the_root_key_refuse_the_start(tmp_path):
    state = StateDirectory(tmp_path)
    narrowed(state)
    (state.trust / "root.key").unlink()
    with pytest.raises(IntegrityError, match="root key to check them is gone"):
        standing_orders(WIDE, state, SystemClock())
