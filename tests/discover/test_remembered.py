"""What is remembered of unchanged files: the same result, and nothing that is stale."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from keepwall.discover.git_state import history_state
from keepwall.discover.limits import Limits
from keepwall.discover.remembered import Remembered, epoch, mark, settled
from keepwall.discover.tree import How, discover_tree

CODE = "import openai\nopenai.OpenAI().chat.completions.create(model='gpt-4o')\n"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    root.mkdir()
    for number in range(20):
        (root / f"m{number}.py").write_text(CODE)
    time.sleep(2.1)  # what changed within the grain of the clock is never remembered
    return root


def test_a_second_look_gives_the_same_and_reads_nothing(tree: Path, tmp_path: Path):
    how = How(memory=tmp_path / "memory/m.db")
    first = discover_tree(tree, how)
    assert first == discover_tree(tree)
    assert discover_tree(tree, how) == first


def test_what_changed_is_read_again_even_with_its_old_times(tree: Path, tmp_path: Path):
    how = How(memory=tmp_path / "m.db")
    first = discover_tree(tree, how)
    file = tree / "m3.py"
    before = file.stat()
    file.write_text(CODE.replace("gpt-4o", "gpt-4x"))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    second = discover_tree(tree, how)
    assert second != first
    assert second == discover_tree(tree)


def test_what_is_gone_is_forgotten_and_what_moved_is_read(tree: Path, tmp_path: Path):
    how = How(memory=tmp_path / "m.db")
    discover_tree(tree, how)
    (tree / "m1.py").unlink()
    (tree / "m2.py").rename(tree / "moved.py")
    assert discover_tree(tree, how) == discover_tree(tree)
    assert discover_tree(tree, how) == discover_tree(tree)


def test_a_damaged_memory_costs_only_time(tree: Path, tmp_path: Path):
    memory = tmp_path / "m.db"
    how = How(memory=memory)
    first = discover_tree(tree, how)
    memory.write_bytes(b"SQLite format 3\0" + os.urandom(5_000))
    assert discover_tree(tree, how) == first
    memory.unlink(missing_ok=True)
    memory.mkdir()
    assert discover_tree(tree, how) == first


def test_a_file_just_written_is_not_remembered(tmp_path: Path):
    file = tmp_path / "a.py"
    file.write_text(CODE)
    assert not settled(mark(file.stat()))
    discover_tree(tmp_path, How(memory=tmp_path / "m.db"))
    assert Remembered(tmp_path / "m.db", b"1").look("a.py", mark(file.stat())) is None


def test_another_epoch_knows_nothing(tmp_path: Path):
    state = mark(tmp_path.stat())
    old = state[:-8] + (1).to_bytes(8, "little")
    memory = Remembered(tmp_path / "m.db", b"1")
    memory.note("a.py", old, b"x")
    memory.save()
    assert Remembered(tmp_path / "m.db", b"1").look("a.py", old) == b"x"
    assert Remembered(tmp_path / "m.db", b"2").look("a.py", old) is None
    assert epoch(Limits(), "a") != epoch(Limits(), "b")
    assert epoch(Limits(files=1)) != epoch(Limits(files=2))


@pytest.mark.real
def test_a_history_is_read_again_only_when_it_grew(tmp_path: Path):
    root = tmp_path / "tree"
    root.mkdir()
    key = "AKIA" + "QYLPMN5HFIQR7XYA"
    git = ["git", "-C", str(root), "-c", "user.name=a", "-c", "user.email=a@b"]

    def commit(text: str) -> None:
        (root / "a.py").write_text(text)
        subprocess.run([*git, "add", "."], check=True)
        subprocess.run([*git, "commit", "--quiet", "-m", "x"], check=True)

    subprocess.run(["git", "init", "--quiet", str(root)], check=True)
    commit(f"aws_access_key_id = '{key}'\n")
    commit("nothing\n")
    assert not history_state(root)
    time.sleep(2.1)
    before = history_state(root)
    how = How(memory=tmp_path / "m.db")
    first = discover_tree(root, how)
    assert [each.value["where"] for each in first.facts if each.kind == "secret.present"] == [
        "history"
    ]
    assert discover_tree(root, how) == first
    assert history_state(root) == before
    commit("more\n")
    assert history_state(root) != before
