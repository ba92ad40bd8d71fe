"""Credentials in the environments of processes: names and kinds, never values."""

from __future__ import annotations

from pathlib import Path

from keepwall.content.examples import example
from keepwall.discover.host_processes import HostProcesses, Process
from keepwall.discover.process_environments import observe_environments
from keepwall.vocabulary.asset import Asset, AssetKind
from keepwall.vocabulary.fact import Fact, Unread
from keepwall.vocabulary.surface import Surface

HOST = Asset(AssetKind.HOST, "node", "node", Surface.INFERENCE)
TOKEN = example("gsk_%mixed(52)%")


def process(pid: int, program: str = "/usr/bin/python3", *, visible: bool = True) -> Process:
    return Process(pid, (program, "serve.py"), 1000, program, "", frozenset(), visible)


def give(proc: Path, pid: int, data: bytes) -> None:
    (proc / str(pid)).mkdir(parents=True)
    (proc / str(pid) / "environ").write_bytes(data)


def observe(proc: Path, *processes: Process):
    return list(observe_environments(HostProcesses(processes, ()), proc, HOST))


def test_a_credential_is_named_by_its_variable_once_for_each_program(tmp_path: Path):
    data = b"HOME=/root\0GROQ_API_KEY=%b\0PASSWORD=\0=odd\0alone\0" % TOKEN.encode()
    give(tmp_path, 7, data)
    give(tmp_path, 8, data)
    give(tmp_path, 9, data)
    seen = observe(tmp_path, process(7), process(8), process(9, "/usr/bin/vllm"))
    found = [each for each in seen if isinstance(each, Fact)]
    assert [(each.asset, each.path) for each in found] == [
        ("process:node//usr/bin/python3", f"{tmp_path}/7/environ"),
        ("process:node//usr/bin/vllm", f"{tmp_path}/9/environ"),
    ]
    assert {each.value["masked"] for each in found} == {"in $GROQ_API_KEY"}
    assert {each.value["where"] for each in found} == {"process"}
    assert not [each for each in seen if isinstance(each, Unread)]
    assert TOKEN[:8] not in repr(seen)


def test_a_name_alone_makes_a_random_value_a_credential(tmp_path: Path):
    give(tmp_path, 7, b"CLAIMS_API_KEY=" + example("%mixed(40)%").encode())
    give(tmp_path, 8, b"CLAIMS_ID=" + example("%mixed(40)%").encode())
    found = [each for each in observe(tmp_path, process(7), process(8)) if isinstance(each, Fact)]
    assert [each.value["detector"] for each in found] == ["generic-key"]


def test_environments_that_may_not_be_read_are_counted_and_named(tmp_path: Path):
    (tmp_path / "7").mkdir()
    (tmp_path / "7/environ").mkdir()  # cannot be opened as a file, by root neither
    (tmp_path / "8").mkdir()
    (tmp_path / "8/environ").symlink_to("/etc/passwd")
    (unread,) = observe(tmp_path, process(7), process(8, "/usr/bin/x", visible=False), process(9))
    assert isinstance(unread, Unread)
    assert "the environments of 2 processes" in unread.reason
    assert "python3, x" in unread.reason


def test_a_name_with_escapes_and_an_endless_environment_are_bounded(tmp_path: Path):
    name = b"\x1b[31m\xff" + b"N" * 500 + b"_API_KEY"
    give(tmp_path, 7, name + b"=" + TOKEN.encode() + b"\0" + b"A=b\0" * 600_000)
    seen = observe(tmp_path, process(7))
    (fact,) = [each for each in seen if isinstance(each, Fact)]
    assert len(str(fact.value["masked"])) < 120
    assert [each.path for each in seen if isinstance(each, Unread)] == [f"{tmp_path}/7/environ"]
