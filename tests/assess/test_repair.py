"""Mechanical fixes as edits of a text."""

from __future__ import annotations

import time

import pytest

from keepwall.assess.repair import MOST_LINES, Edit, chosen, edit_for, edited, statement
from keepwall.rulebook import Rulebook
from keepwall.rulebook.repair import Repair

BOOK = Rulebook.load()


def repairs(rule_id: str) -> tuple[Repair, ...]:
    rule = BOOK.find(rule_id)
    assert rule is not None
    assert rule.repairs
    return rule.repairs


def mended(rule_id: str, path: str, content: str, line: int = 1, **locked: str) -> str | None:
    edit = edit_for(content, path, line, repairs(rule_id), locked)
    return edited(content, [edit]) if edit else None


@pytest.mark.parametrize(
    ("rule", "path", "before", "after"),
    [
        ("KW-REG-001", "a.py", "torch.load(p, weights_only = False)", "weights_only = True)"),
        ("KW-REG-001", "a.py", "torch.load(\n  p,\n  weights_only=False,\n)", "=True,\n)"),
        ("KW-REG-002", "a.py", "x = torch.load(p)", "x = torch.load(p, weights_only=True)"),
        ("KW-REG-002", "a.py", "torch.load(p, )", None),
        ("KW-REG-002", "a.py", "torch.load(f(p))", None),
        ("KW-REG-002", "a.py", "torch.load(\n    p\n)", None),
        ("KW-REG-008", "a.py", "load_model(p, safe_mode=False)", "safe_mode=True)"),
        ("KW-REG-018", "a.py", "M.from_pretrained(n, use_safetensors=False)", "=True)"),
        ("KW-DAT-003", "a.py", "np.load(p, allow_pickle=True)", "np.load(p)"),
        ("KW-DAT-003", "a.py", "np.load(p,\n    allow_pickle=True,\n)", "np.load(p,\n)"),
        ("KW-DAT-013", "a.py", "yaml.load(text)", "yaml.safe_load(text)"),
        ("KW-DAT-013", "a.py", "yaml.unsafe_load_all(text)", "yaml.safe_load_all(text)"),
        ("KW-INF-005", "a.py", "httpx.Client(verify=False)", "httpx.Client()"),
        ("KW-INF-005", "a.py", "httpx.Client(verify=False, timeout=3)", "Client(timeout=3)"),
        ("KW-INF-005", "a.py", "requests.post(u, verify=False, json={})", "post(u, json={})"),
        ("KW-INF-008", "a.py", "demo.launch(share=True)", "demo.launch(share=False)"),
        ("KW-NOT-004", "c.py", "c.ServerApp.ip = '0.0.0.0'", "c.ServerApp.ip = '127.0.0.1'"),
        ("KW-NOT-004", "c.py", 'c.NotebookApp.ip=""', 'c.NotebookApp.ip="127.0.0.1"'),
        ("KW-NOT-004", "Dockerfile", "c.ServerApp.ip = '0.0.0.0'", None),
        ("KW-REG-001", "a.ipynb", "torch.load(p, weights_only=False)", None),
        ("KW-REG-001", "a.py", "f(weights_only=False); g(weights_only=False)", None),
    ],
)
def test_an_exact_edit_or_none(rule: str, path: str, before: str, after: str | None):
    found = mended(rule, path, before)
    assert (found is None) if after is None else (found is not None and found.endswith(after))


def test_a_repair_of_the_whole_file_needs_no_line():
    before = "name: x\non: push\njobs:\n  a: {}\n"
    assert mended("KW-PIP-014", "x.yml", before, 2) == (
        "name: x\non: push\npermissions:\n  contents: read\n\njobs:\n  a: {}\n"
    )
    windows = before.replace("\n", "\r\n")
    found = mended("KW-PIP-014", "x.yml", windows, 2)
    assert found is not None
    assert found.count("\n") == found.count("\r\n")


def test_a_package_takes_the_version_that_is_locked():
    before = '{"x": {"command": "npx", "args": ["-y", "@acme/files", "/srv"]}}'
    edit = edit_for(before, ".mcp.json", 1, repairs("KW-AGE-001"), {"@acme/files": "1.4.2"})
    assert edit is not None
    assert edit.text == '"@acme/files@1.4.2"'
    both = {"@acme/files": "1.4.2", "npx": "10.2.2"}
    assert edit_for(before, ".mcp.json", 1, repairs("KW-AGE-001"), both) is None
    hostile = {"@acme/files": '1", "--eval=x'}
    assert edit_for(before, ".mcp.json", 1, repairs("KW-AGE-001"), hostile) is None
    assert edit_for(before, ".mcp.json", 1, repairs("KW-AGE-001"), {}) is None


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (1, "a = f(\n  1,\n)\n"),
        (4, "b = 2\n"),
        (5, "c = 3"),
        (0, ""),
        (6, ""),
    ],
)
def test_a_statement_ends_where_its_brackets_are_closed(line: int, text: str):
    content = "a = f(\n  1,\n)\nb = 2\nc = 3"
    start, end = statement(content, line)
    assert content[start:end] == text


def test_a_statement_is_never_longer_than_its_bound():
    content = "f(\n" * 1_000
    start, end = statement(content, 1)
    assert content[start:end].count("\n") == MOST_LINES


def test_of_edits_that_overlap_the_first_counts():
    edits = [Edit(4, 8, "B"), Edit(0, 5, "A"), Edit(8, 9, "C"), Edit(0, 5, "A")]
    assert edited("0123456789", chosen(edits)) == "A567C9"


def test_hostile_text_does_not_stall_a_repair():
    started = time.process_time()
    for rule in BOOK.rules:
        for unit in (
            "torch.load(",
            " ",
            ",",
            "verify",
            '"a/',
            "yaml.load(a",
            "\n",
            "c.ServerApp.ip =",
        ):
            content = unit * (200_000 // len(unit))
            edit_for(content, "a.py", 1, rule.repairs, {})
            edit_for(content, "a.yml", 1, rule.repairs, {})
            edit_for(content, "a.json", 1, rule.repairs, {})
    assert time.process_time() - started < 20
