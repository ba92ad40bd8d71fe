"""Credentials in the history of a repository, also of one that is hostile or damaged."""

from __future__ import annotations

import hashlib
import os
import subprocess
import zlib
from pathlib import Path

import pytest

from keepwall.content.examples import example
from keepwall.discover.git_history import HistoryLimits, discover_history
from keepwall.vocabulary.asset import Asset, AssetKind
from keepwall.vocabulary.fact import Fact, Unread
from keepwall.vocabulary.scan import Observation
from keepwall.vocabulary.surface import Surface

PROJECT = Asset(AssetKind.PROJECT, "claims", "claims", Surface.PIPELINE)
TOKEN = example("gsk_%mixed(52)%")
OTHER = example("sk-lf-%uuid(1)%")


class Repository:
    """Writes loose objects as git does, without git."""

    def __init__(self, root: Path) -> None:
        self.git = root / ".git"
        (self.git / "objects/pack").mkdir(parents=True)
        self.time = 1_700_000_000

    def put(self, kind: str, data: bytes) -> str:
        plain = f"{kind} {len(data)}".encode() + b"\0" + data
        name = hashlib.sha1(plain, usedforsecurity=False).hexdigest()
        path = self.git / "objects" / name[:2] / name[2:]
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(zlib.compress(plain))
        return name

    def tree(self, files: dict[str, bytes]) -> str:
        entries = b"".join(
            b"100644 " + name.encode() + b"\0" + bytes.fromhex(self.put("blob", data))
            for name, data in sorted(files.items())
        )
        return self.put("tree", entries)

    def commit(self, files: dict[str, bytes], message: str = "change") -> str:
        self.time += 60
        text = f"tree {self.tree(files)}\ncommitter A <a@b> {self.time} +0000\n\n{message}\n"
        name = self.put("commit", text.encode())
        (self.git / "HEAD").write_text("ref: refs/heads/main\n")
        (self.git / "refs/heads").mkdir(parents=True, exist_ok=True)
        (self.git / "refs/heads/main").write_text(name + "\n")
        return name


def history(root: Path, limits: HistoryLimits | None = None) -> list[Observation]:
    return list(discover_history(root, PROJECT, limits or HistoryLimits()))


def facts(seen: list[Observation]) -> list[tuple[str, str, int]]:
    found = [each for each in seen if isinstance(each, Fact)]
    assert all(each.value["where"] == "history" and each.asset == PROJECT.id for each in found)
    return [(str(each.value["detector"]), each.path, each.line) for each in found]


def unread(seen: list[Observation]) -> list[str]:
    return [f"{each.path}: {each.reason}" for each in seen if isinstance(each, Unread)]


def test_a_credential_that_was_removed_is_found_where_it_came_in(tmp_path: Path):
    repository = Repository(tmp_path)
    repository.commit({"a.py": b"x = 1\n"})
    first = repository.commit({"a.py": f"x = 1\nkey = '{TOKEN}'\n".encode()})
    repository.commit({"a.py": f"x = 2\nkey = '{TOKEN}'\n".encode()})
    repository.commit({"a.py": b"x = 2\n"})
    seen = history(tmp_path)
    assert facts(seen) == [("groq", f"{first[:12]}:a.py", 2)]
    assert unread(seen) == []
    assert TOKEN not in repr(seen)


def test_what_the_checked_out_tree_still_holds_is_left_to_the_scan_of_files(tmp_path: Path):
    repository = Repository(tmp_path)
    repository.commit({"a.py": f"key = '{TOKEN}'\n".encode()})
    repository.commit({"b.py": f"\n\nkey = '{TOKEN}'\n".encode()})
    assert facts(history(tmp_path)) == []


def test_other_branches_dangling_blobs_and_messages_count(tmp_path: Path):
    repository = Repository(tmp_path)
    side = repository.commit({"side.env": f"LANGFUSE={OTHER}".encode()})
    dangling = repository.put("blob", f"token = {TOKEN}".encode())
    said = repository.commit({"a.py": b""}, "use " + example("%base62-crc32(ghp_)%"))
    assert sorted(facts(history(tmp_path))) == sorted(
        [
            ("langfuse", f"{side[:12]}:side.env", 1),
            ("groq", dangling[:12], 1),
            ("github-token", said[:12], 4),
        ]
    )


def test_packed_references_name_what_is_checked_out(tmp_path: Path):
    repository = Repository(tmp_path)
    name = repository.commit({"a.py": f"key = '{TOKEN}'\n".encode()})
    (repository.git / "refs/heads/main").unlink()
    (repository.git / "packed-refs").write_text(f"# pack-refs\n{name} refs/heads/main\n")
    assert facts(history(tmp_path)) == []


def test_a_test_folder_is_said_at_the_credential(tmp_path: Path):
    repository = Repository(tmp_path)
    blob = repository.put("blob", TOKEN.encode())
    inner = repository.put("tree", b"100644 a.py\0" + bytes.fromhex(blob))
    outer = repository.put("tree", b"40000 tests\0" + bytes.fromhex(inner))
    repository.put("commit", f"tree {outer}\ncommitter A <a@b> 1 +0000\n\n".encode())
    (secret,) = [each for each in history(tmp_path) if isinstance(each, Asset)]
    assert secret.attributes["context"] == "test"


def test_damaged_and_missing_objects_are_named_and_the_rest_is_read(tmp_path: Path):
    repository = Repository(tmp_path)
    repository.commit({"a.py": TOKEN.encode(), "b.py": b"lost"})
    broken = repository.put("blob", b"broken")
    repository.commit({"c.py": b"broken"})
    path = repository.git / "objects" / broken[:2] / broken[2:]
    path.write_bytes(path.read_bytes()[:-3])
    lost = repository.put("blob", b"lost")
    (repository.git / "objects" / lost[:2] / lost[2:]).unlink()
    seen = history(tmp_path)
    assert [kind for kind, _, _ in facts(seen)] == ["groq"]
    assert any(broken[2:] in each and "damaged" in each for each in unread(seen))
    assert any("1 objects are not here" in each for each in unread(seen))


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        (HistoryLimits(objects=2), "over the 2 objects"),
        (HistoryLimits(object_bytes=10), "more than the 10 that are read"),
        (HistoryLimits(total_bytes=10), "are not read: over 60 s or 10 bytes"),
        (HistoryLimits(seconds=-1), "are not read: over -1 s"),
    ],
)
def test_each_limit_is_said(tmp_path: Path, limits: HistoryLimits, said: str):
    repository = Repository(tmp_path)
    for number in range(4):
        repository.commit({"a.py": f"value = {number} of the file\n".encode()})
    assert any(said in each for each in unread(history(tmp_path, limits)))


def test_a_tree_that_holds_itself_and_names_that_escape_end(tmp_path: Path):
    repository = Repository(tmp_path)
    blob = bytes.fromhex(repository.put("blob", TOKEN.encode()))
    tree = repository.put("tree", b"100644 ../../etc/a.py\0" + blob)
    path = repository.git / "objects" / tree[:2] / tree[2:]
    data = b"40000 loop\0" + bytes.fromhex(tree) + b"100644 \x1b[31m\xff.py\0" + blob
    path.write_bytes(zlib.compress(f"tree {len(data)}".encode() + b"\0" + data))
    repository.put("commit", f"tree {tree}\ncommitter A <a@b> 1 +0000\n\n".encode())
    assert len(facts(history(tmp_path))) == 1


def test_links_and_alternates_are_not_followed(tmp_path: Path):
    outside = tmp_path / "outside"
    elsewhere = Repository(outside)
    elsewhere.commit({"a.py": b""})
    elsewhere.put("blob", TOKEN.encode())
    assert facts(history(outside))
    linked = tmp_path / "linked"
    linked.mkdir()
    (linked / ".git").symlink_to(outside / ".git")
    assert "its history is not read" in unread(history(linked))[0]
    inner = tmp_path / "inner"
    (inner / ".git").mkdir(parents=True)
    (inner / ".git/objects").symlink_to(outside / ".git/objects")
    assert facts(history(inner)) == []
    assert unread(history(inner))
    borrowing = Repository(tmp_path / "borrowing")
    (borrowing.git / "objects/info").mkdir()
    (borrowing.git / "objects/info/alternates").write_text(f"{outside}/.git/objects\n")
    seen = history(tmp_path / "borrowing")
    assert facts(seen) == []
    assert "objects of another repository" in unread(seen)[0]


def test_a_worktree_file_and_no_repository(tmp_path: Path):
    assert history(tmp_path) == []
    (tmp_path / ".git").write_text("gitdir: /etc\n")
    assert "its history is not read" in unread(history(tmp_path))[0]


@pytest.mark.parametrize("name", ["pack-a.idx", "pack-b.idx"])
def test_a_damaged_pack_is_named(tmp_path: Path, name: str):
    repository = Repository(tmp_path)
    (repository.git / "objects/pack" / name).write_bytes(b"\xfftOc\0\0\0\2" + bytes(2_000))
    if name == "pack-b.idx":
        (repository.git / "objects/pack/pack-b.pack").write_bytes(b"JUNK" + bytes(100))
    assert any(name in each for each in unread(history(tmp_path)))


@pytest.mark.real
def test_packs_with_deltas_that_git_wrote_are_read(tmp_path: Path):
    def git(*words: str) -> str:
        environment = os.environ | {"HOME": str(tmp_path), "GIT_CONFIG_NOSYSTEM": "1"}
        names = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main"]
        done = subprocess.run(
            ["git", *names, *words], cwd=tmp_path, env=environment, check=True, capture_output=True
        )
        return done.stdout.decode().strip()

    git("init", "-q")
    body = [f"line {number} of a file that grows\n" for number in range(400)]
    leaks = {}
    for number in range(30):
        body[number * 13 % 400] = f"changed {number}\n"
        leak = number == 11
        text = "".join(body) + (f"key = '{TOKEN}'\n" if leak else "")
        (tmp_path / "a.py").write_text(text)
        git("add", "a.py")
        git("commit", "-q", "-m", f"step {number}")
        if leak:
            leaks["groq"] = git("rev-parse", "HEAD")
    git("repack", "-q", "-a", "-d", "-f", "--depth=50", "--window=50")
    assert not list((tmp_path / ".git/objects").glob("[0-9a-f][0-9a-f]/*"))
    marker = tmp_path / "ran"
    (tmp_path / ".git/config").write_text(f"[core]\n\tfsmonitor = touch {marker}\n")
    seen = history(tmp_path)
    assert facts(seen) == [("groq", f"{leaks['groq'][:12]}:a.py", 401)]
    assert unread(seen) == []
    assert not marker.exists()
    (pack,) = (tmp_path / ".git/objects/pack").glob("*.pack")
    pack.chmod(0o644)
    data = bytearray(pack.read_bytes())
    for at in range(40, len(data) - 40, 97):
        data[at] ^= 0xFF
    pack.write_bytes(data)
    assert unread(history(tmp_path))
