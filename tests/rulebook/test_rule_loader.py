from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rule_texts import RULE, spoiled

from keepwall.rulebook import Rulebook
from keepwall.rulebook.loader import rule_from
from keepwall.rulebook.source import MAX_RULE_BYTES, parse
from keepwall.vocabulary.errors import ExitCode, RuleError
from keepwall.vocabulary.surface import Severity, Surface


def test_a_rule_is_read_as_it_was_written():
    rule = rule_from(parse(RULE, "r.yaml"))
    assert (rule.id, rule.severity, rule.surface) == ("KW-REG-900", Severity.HIGH, Surface.REGISTRY)
    assert rule.mappings == {"owasp_llm": ("LLM03:2025",), "atlas": ("AML.T0010.003",)}
    assert rule.failing[0].facts[0].value == {"function": "torch.load"}
    assert rule.place == "r.yaml:1"


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("why: Because.", "why: Because.\nauthor: me", 6, "unknown key 'author'"),
        ("  passing:\n", "  other:\n", 19, "unknown key 'other'"),
        (RULE[RULE.index("  passing:") :], "", 15, "passing missing"),
        ("fact: code.call", "fact: code.cal", 12, "unknown fact kind"),
        ("kind: code.call, asset", "kind: code.cal, asset", 18, "unknown fact kind"),
        ("    function: torch", "    functoin: torch", 14, "no field 'functoin'"),
        ("{arguments.mode}", "{argument.mode}", 7, "field 'argument.mode'"),
        ("{arguments.mode}", "{arguments mode}", 7, "belongs to no placeholder"),
        ("AML.T0010.003", "AML.T9999", 10, "AML.T9999 is not in MITRE ATLAS"),
        ("AML.T0010.003", "AML.TA0002", 10, "AML.TA0002 is not in MITRE ATLAS"),
        ("owasp_llm: [LLM03:2025]", "owasp_llm: [ASI01:2026]", 9, "ASI01:2026 is not in OWASP"),
        ("  owasp_llm:", "  owasp:", 9, "unknown key 'owasp'"),
        ("severity: high", "severity: awful", 3, "'awful' is not one of"),
        ("surface: registry", "surface: data", 1, "holds -DAT-"),
        ("id: KW-REG-900", "id: REG-9", 1, "an id looks like"),
        ("    function: torch.load", "    function: {maches: x}", 14, "unknown key 'maches'"),
        ("    function: torch.load", "    function: {matches: '(x'}", 14, "not a regular expr"),
        ("    function: torch.load", f"    function: {{matches: {'x' * 999}}}", 14, "at most"),
        ("    function: torch.load", "    function: {greater_than: a}", 14, "needs a number"),
        ("  where:\n    function: torch.load", "  where: {}", 13, "where block is empty"),
        ("  fact: code.call\n", "", 11, "either a fact or an asset"),
        ("  fact: code.call\n", "  fact: code.call\n  asset_kind: [modle]\n", 13, "asset kind"),
        ("title: Loads", "title: &a Loads", 0, ""),
        ("title: Loads carelessly", "title: one\ntitle: two", 3, "there twice"),
        ("why: Because.", "why: ' '", 5, "a text is expected"),
    ],
)
def test_a_wrong_rule_is_refused_at_its_line(old: str, new: str, line: int, message: str):
    text = spoiled(old, new)
    if not line:  # an anchor alone is harmless
        assert rule_from(parse(text, "r.yaml")).title == "Loads carelessly"
        return
    with pytest.raises(RuleError) as caught:
        rule_from(parse(text, "r.yaml"))
    assert caught.value.place == f"r.yaml:{line}"
    assert message in caught.value.message
    assert caught.value.exit_code == ExitCode.USAGE


@pytest.mark.parametrize("path", ["/etc/passwd", "../up", "a/../../b", ""])
def test_an_example_file_stays_inside_its_directory(path: str):
    text = spoiled(
        RULE[RULE.index("    - facts:") : RULE.index("  passing:")],
        f'    - files: {{"{path}": text}}\n',
    )
    with pytest.raises(RuleError, match="not a relative path"):
        rule_from(parse(text, "r.yaml"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "- a",
        "id: [",
        "\x00",
        "a: &x [1]\nb: [*x, *x]",
        "[" * 100_000,
        "{a: " * 5_000,
        "x" * (MAX_RULE_BYTES + 1),
        "? [a]\n: b",
        "--- a\n--- b",
    ],
    ids=range(10),
)
def test_what_is_no_rule_is_refused_with_a_place(text: str):
    with pytest.raises(RuleError) as caught:
        rule_from(parse(text, "r.yaml"))
    assert caught.value.place.startswith("r.yaml:")


@given(st.text(alphabet=st.characters(codec="utf-8")))
def test_any_text_is_a_rule_or_a_rule_error(text: str):
    with pytest.raises(RuleError):
        rule_from(parse(text, "r.yaml"))


def test_users_rules_join_the_built_in_ones_in_the_order_of_ids(tmp_path: Path):
    folder = tmp_path / "rules" / "registry"
    folder.mkdir(parents=True)
    (folder / "careless.yaml").write_text(RULE)
    (folder / "notes.txt").write_text("not a rule")
    book = Rulebook.load([tmp_path / "rules"])
    assert len(book) == len(Rulebook.load()) + 1
    assert [rule.id for rule in book.rules] == sorted(rule.id for rule in book.rules)
    found = book.find("KW-REG-900")
    assert found is not None
    assert found.place == f"{folder / 'careless.yaml'}:1"


def test_an_id_that_is_there_twice_is_refused(tmp_path: Path):
    (tmp_path / "a.yaml").write_text(RULE)
    (tmp_path / "b.yaml").write_text(RULE)
    with pytest.raises(RuleError, match=r"b\.yaml:1: the id KW-REG-900 is taken by .*a\.yaml:1"):
        Rulebook.read([tmp_path])


def test_a_place_without_rules_is_refused(tmp_path: Path):
    with pytest.raises(RuleError, match="no such file"):
        Rulebook.read([tmp_path / "absent"])
    (tmp_path / "latin.yaml").write_bytes(b"title: caf\xe9")
    with pytest.raises(RuleError, match="not UTF-8"):
        Rulebook.read([tmp_path / "latin.yaml"])
