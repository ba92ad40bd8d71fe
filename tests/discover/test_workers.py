"""Workers: the same answers as one process gives, and one hostile file ends nothing."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from keepwall.discover.limits import Limits
from keepwall.discover.tree import How, discover_tree
from keepwall.discover.workers import Task, Workers
from keepwall.rulebook.interest import Asked
from keepwall.vocabulary.fact import Unread

pytestmark = pytest.mark.real


def everything() -> Asked:
    """Return what asks about each call, and falls over two of them."""

    def asked(value: object) -> bool:
        if "die" in str(value):
            os.kill(os.getpid(), signal.SIGKILL)
        if "sleep" in str(value):
            time.sleep(60)
        return True

    return asked


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for number in range(300):
        folder = tmp_path / f"part{number % 7}"
        folder.mkdir(exist_ok=True)
        code = f"import openai\nopenai.OpenAI(base_url='http://h{number}/')\n"
        (folder / f"m{number}.py").write_text(code)
    return tmp_path


def test_several_processes_see_what_one_sees(tree: Path):
    alone = discover_tree(tree)
    assert discover_tree(tree, How(processes=2)) == alone
    assert len(alone.facts) > 300


def test_a_file_that_ends_its_reader_is_named_and_all_others_are_read(tree: Path):
    alone = discover_tree(tree)
    (tree / "part3/zz.py").write_text("import openai\nopenai.OpenAI('die')\n")
    found = discover_tree(tree, How(processes=2, asked=everything))
    assert found.unread == (Unread("part3/zz.py", "ended the process that read it"),)
    assert found.assets == alone.assets
    assert {each.path for each in found.facts} == {each.path for each in alone.facts}


def test_a_file_that_takes_forever_is_named(tmp_path: Path):
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.py").write_text(
            f"import openai\nopenai.OpenAI('{'sleep' if name == 'b' else ''}')\n"
        )
    workers = Workers(Task(str(tmp_path), Limits(), everything), 1, seconds_per_file=3)
    try:
        answers = {
            number: whole
            for number, _, whole in workers.answer(iter([[(0, "a.py"), (1, "b.py"), (2, "c.py")]]))
        }
    finally:
        workers.close()
    assert answers == {0: True, 1: False, 2: True}


def test_a_folder_that_became_a_link_is_not_followed(tmp_path: Path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real/a.py").write_text("import openai\n")
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "sub").symlink_to(tmp_path / "real")
    workers = Workers(Task(str(tree), Limits()), 1)
    try:
        answers = list(workers.answer(iter([[(0, "sub/a.py")]])))
    finally:
        workers.close()
    ((_, data, whole),) = answers
    assert not whole
    assert b"openai" not in data
