"""``scan --fix``: what is mended, what is left alone, and that nothing else is touched."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from keepwall.foundation.config import load_config
from keepwall.rulebook import Rule, Rulebook
from keepwall.rulebook.loader import rule_from
from keepwall.rulebook.source import parse
from keepwall.vocabulary.asset import Location
from keepwall.vocabulary.finding import Finding
from keepwall.workflows.fix import Fixes, apply_fixes, plan_fixes
from keepwall.workflows.scan import scan

BOOK = Rulebook.load()
FLAWED = "import torch\nmodel = torch.load('m.pt', weights_only=False)\n"
MENDED = FLAWED.replace("False", "True")
MECHANICAL = [rule for rule in BOOK.rules if rule.repairs]


def findings(root: Path) -> tuple[Finding, ...]:
    return scan(str(root), config=load_config(directory=root.parent)).findings


def planned(root: Path) -> Fixes:
    return plan_fixes(root, findings(root), BOOK)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    (root / "app").mkdir(parents=True)
    (root / "app" / "load.py").write_text(FLAWED)
    return root


def reasons(fixes: Fixes) -> dict[str, str]:
    return {each.path: each.reason for each in fixes.refused}


@pytest.mark.parametrize("rule", MECHANICAL, ids=lambda rule: rule.id)
def test_a_rule_that_can_be_mended_mends_one_of_its_examples(tmp_path: Path, rule: Rule):
    gone = 0
    for number, example in enumerate(each for each in rule.failing if each.files):
        root = tmp_path / str(number)
        for name, text in example.files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        (root / "package-lock.json").write_text(LOCK)
        raised = [each for each in findings(root) if each.rule == rule.id]
        apply_fixes(plan_fixes(root, raised, BOOK))
        gone += all(each.rule != rule.id for each in findings(root))
    assert gone


LOCK = """{"name": "x", "lockfileVersion": 3, "packages": {"": {"name": "x"},
"node_modules/@acme/server-files": {"version": "1.4.2",
"resolved": "https://registry.npmjs.org/@acme/server-files/-/server-files-1.4.2.tgz",
"integrity": "sha512-AAAA"}}}"""


def test_a_plan_writes_nothing_and_names_the_change(tree: Path):
    (fix,) = planned(tree).fixes
    assert (tree / "app" / "load.py").read_text() == FLAWED
    assert fix.path == "app/load.py"
    assert fix.after.decode() == MENDED
    assert "\n-model = torch.load('m.pt', weights_only=False)\n" in fix.diff
    assert [each.rule for each in fix.findings] == ["KW-REG-001"]


def test_a_file_is_mended_once_and_keeps_its_mode(tree: Path):
    path = tree / "app" / "load.py"
    path.chmod(0o751)
    assert len(apply_fixes(planned(tree)).fixes) == 1
    assert path.read_text() == MENDED
    assert stat.S_IMODE(path.stat().st_mode) == 0o751
    assert [each.name for each in path.parent.iterdir()] == ["load.py"]
    assert planned(tree).fixes == ()


def test_a_single_file_is_mended_too(tree: Path):
    path = tree / "app" / "load.py"
    apply_fixes(plan_fixes(path, findings(path), BOOK))
    assert path.read_text() == MENDED


def test_what_changed_since_the_scan_is_left_alone(tree: Path):
    path = tree / "app" / "load.py"
    raised = findings(tree)
    path.write_text("import torch\nmodel = dict(weights_only=False)\n")
    plan = plan_fixes(tree, raised, BOOK)
    assert reasons(plan) == {"app/load.py": "it is not as it was scanned"}
    path.write_text(FLAWED)
    plan = plan_fixes(tree, raised, BOOK)
    path.write_text(FLAWED + "# a note\n")
    assert reasons(apply_fixes(plan)) == {"app/load.py": "it has changed since it was scanned"}
    assert path.read_text() == FLAWED + "# a note\n"


@pytest.mark.parametrize("at", ["file", "folder"])
def test_no_link_is_followed(tree: Path, at: str):
    plan, raised = planned(tree), findings(tree)
    outside = tree.parent / "outside"
    (tree / "app").rename(outside)
    if at == "folder":
        (tree / "app").symlink_to(outside)
    else:
        (tree / "app").mkdir()
        (tree / "app" / "load.py").symlink_to(outside / "load.py")
    for result in (apply_fixes(plan), plan_fixes(tree, raised, BOOK)):
        assert result.fixes == ()
        assert "became a link" in reasons(result)["app/load.py"]
    assert (outside / "load.py").read_text() == FLAWED


def test_a_second_name_of_the_file_is_respected(tree: Path):
    os.link(tree / "app" / "load.py", tree.parent / "other.py")
    assert "second name" in reasons(apply_fixes(planned(tree)))["app/load.py"]
    assert (tree.parent / "other.py").read_text() == FLAWED


def test_a_path_out_of_the_tree_is_refused(tree: Path):
    (finding,) = (each for each in findings(tree) if each.rule == "KW-REG-001")
    (tree.parent / "load.py").write_text(FLAWED)
    for path in ("../load.py", str(tree.parent / "load.py"), "app/../../load.py"):
        moved = replace(finding, location=Location(path, 2))
        assert reasons(plan_fixes(tree, [moved], BOOK)) == {path: "it does not lie in the tree"}
    assert (tree.parent / "load.py").read_text() == FLAWED


def test_what_is_no_text_is_left_alone(tree: Path):
    (tree / "app" / "load.py").write_bytes(
        b"# coding: latin-1\nimport torch\nm = torch.load('caf\xe9', weights_only=False)\n"
    )
    assert reasons(planned(tree)) == {"app/load.py": "it is not UTF-8 text"}


@pytest.mark.parametrize(
    ("instead", "reason"),
    [
        ("weights_only=True)", "the mended file could not be read"),
        ("weights_only=False , mmap=False", "the mended file would still fail the rule"),
        (
            "weights_only=True); exec(m); n = torch.load(n, weights_only=True",
            "the mended file would fail another rule",
        ),
    ],
)
def test_a_repair_that_does_no_good_is_not_made(tree: Path, instead: str, reason: str):
    rule = BOOK.find("KW-REG-001")
    assert rule is not None
    text = Path(rule.place.rpartition(":")[0]).read_text()
    start = text.index("    with: ")
    end = text.index("\n", start)
    broken = rule_from(parse(f"{text[:start]}    with: '{instead}'{text[end:]}", "r.yaml"))
    others = [each for each in BOOK.rules if each.id != rule.id]
    plan = plan_fixes(tree, findings(tree), Rulebook((*others, broken)))
    assert reasons(plan) == {"app/load.py": reason}
    assert plan.fixes == ()


def test_a_folder_that_may_not_be_written_is_named(tree: Path, monkeypatch: pytest.MonkeyPatch):
    plan = planned(tree)

    def refused(*_arguments: object, **_named: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", refused)
    result = apply_fixes(plan)
    assert reasons(result) == {"app/load.py": "it cannot be written: No space left on device"}
    monkeypatch.undo()
    assert (tree / "app" / "load.py").read_text() == FLAWED
    assert [each.name for each in (tree / "app").iterdir()] == ["load.py"]


def test_two_locked_versions_are_no_version(tree: Path):
    (tree / ".mcp.json").write_text(
        '{"mcpServers": {"files": {"command": "npx", "args": ["-y", "@acme/server-files"]}}}'
    )
    (tree / "package-lock.json").write_text(LOCK)
    assert {each.path for each in planned(tree).fixes} == {"app/load.py", ".mcp.json"}
    second = LOCK.replace(
        '"node_modules/@acme',
        '"node_modules/b/node_modules/@acme/server-files":'
        ' {"version": "2.0.0", "resolved": "https://registry.npmjs.org/b.tgz",'
        ' "integrity": "sha512-BBBB"},\n"node_modules/@acme',
    )
    (tree / "package-lock.json").write_text(second)
    assert {each.path for each in planned(tree).fixes} == {"app/load.py"}
