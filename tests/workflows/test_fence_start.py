"""What the start of a fenced command imports: each of these costs every start 5 to 100 ms."""

from __future__ import annotations

import subprocess
import sys

import pytest

from keepwall.foundation.clock import SystemClock
from keepwall.foundation.state import StateDirectory
from keepwall.vocabulary.decision import Plane
from keepwall.vocabulary.envelope import Envelope
from keepwall.workflows import connection
from keepwall.workflows.standing_orders import standing_orders

LATE = ("asyncio", "cryptography", "msgspec", "sqlalchemy", "nats", "rich", "ssl", "json")


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
