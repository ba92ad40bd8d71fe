"""Evidence bundles: export, offline verification, and every single byte changed."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepwall.foundation.ledger.ledger import Ledger
from keepwall.foundation.ledger.log import LedgerLog
from keepwall.foundation.trust import canonical
from keepwall.foundation.trust.trust import Trust
from keepwall.prove import verify as verify_module
from keepwall.prove.bundle import MAX_HEADER_LINE, MAX_RECORD_LINE, export, lines
from keepwall.prove.record import EvidenceRecorder, Recorded
from keepwall.prove.selection import SELECTION_TYPE, Selection, ranges_of
from keepwall.prove.verify import claimed_root, verify
from keepwall.vocabulary.decision import Strength
from keepwall.vocabulary.errors import ConfigError, FormatError, IntegrityError
from keepwall.vocabulary.evidence import Evidence

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


class StillClock:
    def now(self):
        return AT


def evidence(number, about):
    return Evidence(
        id=f"ev-{number}",
        control="containment",
        about=about,
        at=AT - timedelta(minutes=number),
        outcome="refused",
        strength=Strength.PREVENTED,
        detail={"path": f"/models/{number}", "bytes": number, "name": "caf\u00e9 \udcff"},
    )


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """A trust and a ledger of seven records about two incidents, over several segments."""
    root = tmp_path_factory.mktemp("house")
    trust = Trust.create(root / "trust", "acme", StillClock())
    with Ledger(root / "control", trust.signer("ledger"), StillClock(), bits=1) as ledger:
        recorder = EvidenceRecorder(ledger, StillClock())
        for number in range(7):
            about = "inc-1" if number % 3 else "inc-2"
            assert recorder.record(evidence(number, about)) == number
    return trust, LedgerLog(root / "control", trust.verifier())


def exported(house, path, about=""):
    trust, ledger = house
    export(ledger, trust.signer("ledger"), path, AT, about=about)
    return path


@pytest.mark.parametrize(("about", "count"), [("", 7), ("inc-1", 4), ("inc-2", 3), ("ev-5", 1)])
def test_a_bundle_proves_itself_offline(house, tmp_path, about, count):
    path = exported(house, tmp_path / "bundle", about)
    trust, ledger = house
    found = verify(path, trust.root_public)
    assert found.problems == ()
    assert found.passed
    assert (found.records, found.about, found.root) == (count, about, trust.root_public)
    assert (found.head.size, found.head.root) == (7, ledger.root())
    assert claimed_root(path) == trust.root_public
    for line in path.read_text().splitlines()[1:]:
        assert about in ("", json.loads(line)["record"]["about"], json.loads(line)["record"]["id"])


def test_without_a_root_it_is_only_self_consistent(house, tmp_path):
    found = verify(exported(house, tmp_path / "bundle"), None)
    assert (found.problems, found.trusted_root, found.passed) == ((), False, False)


def test_another_root_is_a_problem(house, tmp_path):
    found = verify(exported(house, tmp_path / "bundle"), bytes(31) + b"\x01")
    assert not found.passed
    assert "not under the expected one" in found.problems[0]


@pytest.mark.parametrize(("about", "flip"), [("", 0x01), ("", 0x80), ("inc-2", 0x20)])
def test_any_one_changed_byte_is_found_and_its_record_named(house, tmp_path, about, flip):
    path = exported(house, tmp_path / "bundle", about)
    original = path.read_bytes()
    indexes = list(range(7)) if not about else [0, 3, 6]
    place = -1
    for at in range(len(original)):
        bad = bytearray(original)
        bad[at] ^= flip
        path.write_bytes(bad)
        found = verify(path, None)
        assert found.problems, f"byte {at} changed, and nobody saw it"
        expected = "header" if place < 0 else f"record {indexes[place]} "
        assert found.problems[0].startswith(expected), (at, found.problems)
        if original[at] == ord("\n"):
            place += 1
    assert place == len(indexes)


def test_a_cut_or_extended_file_is_found(house, tmp_path):
    path = exported(house, tmp_path / "bundle")
    whole = path.read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        assert verify(path, None).problems, f"cut to {size} bytes"
    path.write_bytes(whole + b"\n")
    assert "behind the last record, from line 9" in verify(path, None).problems[0]


def test_records_swapped_removed_or_doubled_are_named(house, tmp_path):
    path = exported(house, tmp_path / "bundle")
    head, *records = path.read_bytes().splitlines(keepends=True)
    for changed, says in [
        ([records[1], records[0], *records[2:]], "record 0 (line 2): another record"),
        ([records[0], *records[2:]], "record 1 (line 3): another record"),
        ([records[0], *records], "record 1 (line 3): another record"),
        (records[:-1], "record 6 and all after it are missing"),
    ]:
        path.write_bytes(head + b"".join(changed))
        assert verify(path, None).problems[0].startswith(says)


def resigned(house, path, **changes):
    """Export with another selection, signed as the exporter himself would sign it."""
    trust, _ = house
    exported(house, path)
    head, *records = path.read_bytes().splitlines(keepends=True)
    document = json.loads(head)
    signer = trust.signer("ledger")
    present = Selection.decode(
        trust.verifier().verify(
            canonical.encode(document["selection"]),
            payload_type=SELECTION_TYPE,
            role="ledger",
            at=AT,
        )
    )
    fields = {"about": present.about, "head": present.head, "ranges": present.ranges, **changes}
    signed = signer.sign(SELECTION_TYPE, Selection(**fields).encode())
    document["selection"] = canonical.decode(signed)
    path.write_bytes(canonical.encode(document) + b"\n" + b"".join(records))
    return verify(path, trust.root_public).problems


def test_a_selection_that_does_not_fit_is_refused(house, tmp_path):
    path = tmp_path / "bundle"
    assert resigned(house, path) == ()
    assert "leaves records out" in resigned(house, path, ranges=((0, 5),))[0]
    assert "another head" in resigned(house, path, head="00" * 32)[0]
    assert "not about 'inc-1'" in resigned(house, path, about="inc-1")[0]
    assert "not in order" in resigned(house, path, about="", ranges=((3, 6), (0, 2)))[0]


def test_revoked_ledger_keys_are_not_believed(house, tmp_path):
    trust, _ = house
    path = exported(house, tmp_path / "bundle")
    copy = Trust.restore(
        tmp_path / "copy", trust.backup("a long passphrase"), "a long passphrase", StillClock()
    )
    copy.revoke(trust.signer("ledger").key_id)
    found = verify(path, trust.root_public, revocations=copy.revocations())
    assert "revoked" in found.problems[0]


def test_hostile_files_cost_little_and_raise_nothing(house, tmp_path):
    path = exported(house, tmp_path / "bundle")
    head = path.read_bytes().splitlines(keepends=True)[0]
    for data in [
        b"",
        b"\n",
        b"{}\n",
        b"[" * 200_000 + b"\n",
        b"9" * 10_000 + b"\n",
        b"\xff\n",
        b"x" * (MAX_HEADER_LINE + 10),
        head + b"[" * 200_000 + b"\n",
        head + b"x" * (MAX_RECORD_LINE + 10) + b"\n",
        head + b'{"index":0,"proof":["00"],"record":null}\n',
        head + b'{"index":false,"proof":[],"record":{}}\n',
        head + b"\n" * 100,
    ]:
        path.write_bytes(data)
        assert verify(path, None).problems
        assert isinstance(claimed_root(path), bytes)
    with pytest.raises(ConfigError, match="cannot be read"):
        verify(tmp_path / "nowhere", None)


def test_problems_are_bounded(tmp_path):
    trust = Trust.create(tmp_path / "trust", "acme", StillClock())
    with Ledger(tmp_path / "control", trust.signer("ledger"), StillClock()) as ledger:
        ledger.append([Recorded(evidence(at, "x"), AT).encode() for at in range(200)])
        head, *_ = lines(ledger, trust.signer("ledger"), AT)
    (tmp_path / "bundle").write_bytes(head + b"{}\n" * 200)
    problems = verify(tmp_path / "bundle", None).problems
    assert len(problems) == verify_module.MAX_PROBLEMS + 1
    assert "not listed" in problems[-1]


def test_nothing_to_export_and_foreign_records(house, tmp_path):
    with pytest.raises(ConfigError, match="no evidence about 'inc-9'"):
        exported(house, tmp_path / "bundle", "inc-9")
    trust, _ = house
    with Ledger(tmp_path / "control", trust.signer("ledger"), StillClock()) as ledger:
        ledger.append([b"not evidence"])
        with pytest.raises(IntegrityError, match="record 0 is not evidence"):
            export(ledger, trust.signer("ledger"), tmp_path / "bundle", AT)
    assert not (tmp_path / "bundle").exists()


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.text(),
    st.sampled_from(Strength),
    st.datetimes(timezones=st.just(UTC)),
    st.dictionaries(st.text(), json_values, max_size=4),
)
def test_evidence_round_trips(text, strength, at, detail):
    recorded = Recorded(Evidence(text, text, text, at, text, strength, detail), AT)
    assert Recorded.decode(recorded.encode()) == recorded
    assert Recorded.decode(recorded.encode()).encode() == recorded.encode()


def test_evidence_that_cannot_be_written_is_refused():
    naive = Evidence("a", "b", "c", datetime(2026, 1, 1), "d", Strength.BLIND)  # noqa: DTZ001 - the point
    for bad in (naive, Evidence("a", "b", "c", AT, "d", Strength.BLIND, {"x": float("nan")})):
        with pytest.raises(FormatError):
            Recorded(bad, AT).encode()


@given(st.sets(st.integers(0, 200)))
def test_ranges_hold_exactly_the_indexes(indexes):
    chosen = Selection("x", "00" * 32, ranges_of(sorted(indexes)))
    assert list(chosen.indexes) == sorted(indexes)
    assert chosen.count == len(indexes)
    assert Selection.decode(chosen.encode()) == chosen
