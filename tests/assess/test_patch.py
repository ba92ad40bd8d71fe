"""Unified diffs, read back by the tool that people apply them with."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from keepwall.assess.patch import unified_diff
from keepwall.assess.repair import Edit, chosen, edited

TEXT = st.text(st.sampled_from("ab\n"), max_size=120)


def applied(content: str, diff: str) -> str:
    """Apply a diff of one file; every line of context must be as it says."""
    old = content.splitlines(keepends=True)
    new: list[str] = []
    at = 0
    lines = diff.splitlines(keepends=True)[2:]
    for line, following in zip(lines, [*lines[1:], ""], strict=False):
        mark, text = line[0], line[1:]
        text = text.removesuffix("\n") if following.startswith("\\") else text
        if mark == "@":
            first, count = line.split()[1][1:].split(",")
            start = int(first) - (int(count) > 0)
            new += old[at:start]
            at = start
        elif mark in " -":
            assert old[at] == text
            new += [text] if mark == " " else []
            at += 1
        elif mark == "+":
            new.append(text)
    return "".join(new + old[at:])


@settings(max_examples=400)
@given(TEXT, st.lists(st.tuples(st.integers(0, 130), st.integers(0, 9), TEXT), max_size=5))
@example("\n", [(0, 0, "")])
@example("a\n\n", [(2, 0, "")])
def test_a_diff_says_what_the_edits_do(content: str, spans: list[tuple[int, int, str]]):
    edits = chosen(
        Edit(start, min(start + size, len(content)), text)
        for start, size, text in spans
        if start < len(content)
    )
    diff = unified_diff("a.py", content, edits)
    assert applied(content, diff) == edited(content, edits)


@pytest.mark.real
@pytest.mark.parametrize("end", ["\n", ""])
def test_git_applies_it(tmp_path: Path, end: str):
    content = "\n".join(f"line {number}" for number in range(40)) + end
    spots = (content.index("line 2\n"), content.index("line 20"), content.index("line 39"))
    edits = [Edit(at, at + 4, "LINE") for at in spots]
    (tmp_path / "a.txt").write_text(content)
    diff = unified_diff("a.txt", content, edits)
    subprocess.run(
        ["git", "apply", "--verbose", "-"],
        cwd=tmp_path,
        input=diff.encode(),
        check=True,
        capture_output=True,
    )
    assert (tmp_path / "a.txt").read_text() == edited(content, edits)
    assert diff.count("\n@@ ") == 3
