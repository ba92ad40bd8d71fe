"""The spool of one run: what is on disk after a crash, a full disk or a second reader."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from keepwall.foundation import spool
from keepwall.foundation.spool import Spool, abandoned, events, files, find
from keepwall.vocabulary.decision import Effect, Plane, Strength, Tier
from keepwall.vocabulary.errors import ConfigError
from keepwall.vocabulary.event import Activity, Event, EventClass


def event(number: int, target: str = "/a") -> Event:
    return Event(
        id=f"node:boot:{number}",
        event_class=EventClass.FILE,
        activity=Activity.READ,
        at=datetime(2026, 1, 1, tzinfo=UTC),
        node="node",
        subject="run:a",
        target=target,
        effect=Effect.DENY,
        plane=Plane.RUNTIME,
        tier=Tier.LANDLOCK,
        strength=Strength.PREVENTED,
        message="reading /a is not in this envelope",
    )


def read(path: Path) -> list[str]:
    return [each.id for batch in events(path) for each in batch]


def test_what_was_emitted_is_read_back_and_found(tmp_path: Path):
    made = Spool(tmp_path / "spool", "one")
    for number in range(1200):
        made.emit(event(number))
    made.close()
    assert made.lost == 0
    assert len(read(made.path)) == 1200
    assert find(tmp_path / "spool", "node:boot:777") == event(777)
    assert find(tmp_path / "spool", "node:boot:x") is None
    assert find(tmp_path / "nothing", "node:boot:1") is None
    assert made.path.stat().st_mode & 0o777 == 0o600
    assert made.path.parent.stat().st_mode & 0o777 == 0o700


def test_an_empty_spool_leaves_nothing(tmp_path: Path):
    made = Spool(tmp_path, "empty")
    made.close()
    assert files(tmp_path) == []


def test_a_line_cut_by_a_crash_is_passed_over(tmp_path: Path):
    made = Spool(tmp_path, "cut")
    made.emit(event(1))
    made.emit(event(2))
    made.close()
    whole = made.path.read_bytes()
    for length in range(len(whole) // 2, len(whole)):
        made.path.write_bytes(whole[:length])
        assert read(made.path) == ["node:boot:1"]
    made.path.write_bytes(b"damaged\n" + whole)
    assert read(made.path) == ["node:boot:1", "node:boot:2"]


def test_who_still_writes_is_not_abandoned(tmp_path: Path):
    made = Spool(tmp_path, "held")
    made.emit(event(1))
    assert not abandoned(made.path)
    with pytest.raises(ConfigError):
        Spool(tmp_path, "held")
    made.close()
    assert abandoned(made.path)
    assert not abandoned(tmp_path / "nothing")


def test_a_link_in_its_place_is_not_followed(tmp_path: Path):
    (tmp_path / "target").write_text("keep")
    (tmp_path / "planted.ocsf.jsonl").symlink_to(tmp_path / "target")
    with pytest.raises(ConfigError, match="cannot be written"):
        Spool(tmp_path, "planted")
    assert (tmp_path / "target").read_text() == "keep"


def test_what_does_not_fit_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(spool, "_MOST_BYTES", 4000)
    made = Spool(tmp_path, "small")
    for number in range(50):
        made.emit(event(number))
    made.close()
    assert made.lost > 0
    assert made.lost + len(read(made.path)) == 50


def test_a_full_disk_costs_only_what_did_not_fit(tmp_path: Path):
    """Writes are cut in the middle of a line, then there is room again."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    old = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    made = Spool(tmp_path, "full")
    try:
        made.emit(event(1))
        size = made.path.stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + size // 2, before[1]))
        made.emit(event(2))
        made.emit(event(3))
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        made.emit(event(4))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, old)
        made.close()
    assert made.lost == 2
    assert read(made.path) == ["node:boot:1", "node:boot:4"]


def test_a_path_that_is_no_text_is_kept(tmp_path: Path):
    made = Spool(tmp_path, "odd")
    made.emit(event(1, os.fsdecode(b"/tmp/\xff\n\x1b")))
    made.close()
    found = find(tmp_path, "node:boot:1")
    assert found is not None
    assert "\n" in found.target


@pytest.mark.real
def test_what_was_emitted_survives_kill_9(tmp_path: Path):
    code = (
        f"import os, sys; sys.path[:0] = {[*sys.path, str(Path(__file__).parent)]!r}\n"
        "from test_spool import *\n"
        f"made = Spool(Path({str(tmp_path)!r}), 'killed')\n"
        "for number in range(300): made.emit(event(number)); print(number, flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=60
    )
    assert result.returncode == -9, result.stderr
    path = files(tmp_path)[0]
    assert abandoned(path)
    assert len(read(path)) == 300
