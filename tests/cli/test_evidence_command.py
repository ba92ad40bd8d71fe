"""`keepwall evidence` as a user runs it: its output, its exit codes, its hostile input."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from keepwall.foundation.clock import SystemClock
from keepwall.foundation.ledger.ledger import Ledger
from keepwall.foundation.state import StateDirectory
from keepwall.foundation.trust.trust import Trust
from keepwall.prove.record import EvidenceRecorder
from keepwall.vocabulary.decision import Strength
from keepwall.vocabulary.evidence import Evidence


@pytest.fixture
def state(tmp_path):
    found = StateDirectory(tmp_path / "state")
    trust = Trust.create(found.trust, "acme", SystemClock())
    with Ledger(found.ledger / "control", trust.signer("ledger"), SystemClock()) as ledger:
        recorder = EvidenceRecorder(ledger, SystemClock())
        for number, about in enumerate(["inc-1", "inc-2", "inc-1"]):
            at = datetime(2026, 3, 1, 12, number, tzinfo=UTC)
            outcome = "refused \x1b[2J connect"
            recorder.record(
                Evidence(f"ev-{number}", "network", about, at, outcome, Strength.PREVENTED)
            )
    return found


def keepwall(state, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "keepwall", "evidence", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={"KEEPWALL_STATE": str(state.root), "PATH": "/usr/bin"},
    )


def test_list_shows_the_evidence_and_cannot_be_steered_by_it(state):
    done = keepwall(state, "list")
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["RECORD", "0", "1", "2"]
    assert "\x1b" not in done.stdout
    found = json.loads(keepwall(state, "list", "--about", "inc-1", "-f", "json").stdout)
    assert [each["index"] for each in found["evidence"]] == [0, 2]
    assert [line.split()[0] for line in keepwall(state, "list", "--last", 1).stdout.splitlines()][
        1:
    ] == ["2"]


def test_export_then_verify_here_and_elsewhere(state, tmp_path):
    bundle = tmp_path / "bundle.jsonl"
    done = keepwall(state, "export", "-o", bundle, "--about", "inc-1")
    assert done.returncode == 0, done.stderr
    fingerprint = done.stderr.split()[-1]
    assert keepwall(state, "verify", bundle).returncode == 0
    elsewhere = StateDirectory(tmp_path / "elsewhere")
    unpinned = keepwall(elsewhere, "verify", bundle)
    assert unpinned.returncode == 3
    assert "self-consistent, root not pinned" in unpinned.stdout
    pinned = keepwall(elsewhere, "verify", bundle, "--root", fingerprint, "-f", "json")
    assert pinned.returncode == 0
    found = json.loads(pinned.stdout)
    assert (found["passed"], found["records"], found["head"]["size"]) == (True, 2, 3)
    wrong = keepwall(state, "verify", bundle, "--root", "00" * 32)
    assert wrong.returncode == 1
    assert "not under the expected one" in wrong.stdout
    assert keepwall(state, "verify", bundle, "--root", "12").returncode == 2
    assert keepwall(state, "verify", tmp_path / "nowhere").returncode == 2
    bundle.write_bytes(bundle.read_bytes().replace(b"ev-2", b"ev-3"))
    damaged = keepwall(state, "verify", bundle)
    assert damaged.returncode == 1
    assert "record 2 (line 3)" in damaged.stdout


def test_a_revoked_ledger_key_no_longer_proves_anything_here(state, tmp_path):
    bundle = tmp_path / "bundle.jsonl"
    assert keepwall(state, "export", "-o", bundle).returncode == 0
    trust = Trust.open(state.trust, SystemClock())
    trust.revoke(trust.signer("ledger").key_id)
    done = keepwall(state, "verify", bundle)
    assert done.returncode == 1
    assert "revoked" in done.stdout
    assert keepwall(state, "export", "-o", bundle).returncode == 0
    assert keepwall(state, "verify", bundle).returncode == 0


def test_the_bundle_goes_to_standard_output_alone(state, tmp_path):
    done = keepwall(state, "export")
    (tmp_path / "bundle").write_text(done.stdout)
    assert keepwall(state, "verify", tmp_path / "bundle").returncode == 0


def test_nothing_there(state, tmp_path):
    empty = StateDirectory(tmp_path / "empty")
    for arguments in (["list"], ["export"]):
        done = keepwall(empty, *arguments)
        assert done.returncode == 2
        assert "keepwall up" in done.stderr
    done = keepwall(state, "export", "--about", "inc-9")
    assert (done.returncode, done.stdout) == (2, "")
    assert "no evidence about 'inc-9'" in done.stderr
