"""What the documents say: links that lead somewhere, commands that exist, proofs that are there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from keepwall.cli.main import cli
from keepwall.rulebook.book import Rulebook

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted(
    {*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "benchmarks/labels/README.md"}
)
_LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
_CODE = re.compile(r"^    (keepwall [^\n]*)$|`(keepwall [^`\n]+)`", re.MULTILINE)
_PROOF = re.compile(r"`((?:\.venv/bin/python -m )?pytest[^`]*)`")


def names(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("document", DOCUMENTS, ids=names)
def test_links_lead_to_files_that_are_there(document: Path):
    for target in _LINK.findall(document.read_text("utf-8")):
        if "://" not in target and not target.startswith("mailto:"):
            assert (document.parent / target).exists(), target


@pytest.mark.parametrize("document", DOCUMENTS, ids=names)
def test_commands_are_ones_that_keepwall_has(document: Path):
    for block, inline in _CODE.findall(document.read_text("utf-8")):
        line = re.split(r"\s{2,}", block or inline)[0]
        words = shlex.split(re.sub(r"[…]|\.\.\.", "", line))[1:]
        for word in words[:1]:
            for verb in word.split("|"):
                assert_command(cli, [verb, *words[1:]], line)


def assert_command(group: click.Command, words: list[str], line: str) -> None:
    """Follow the words through groups of commands, then look at the options."""
    if isinstance(group, click.Group):
        if not words or words[0].startswith("-"):
            return
        for verb in words[0].split("|"):
            inner = group.get_command(click.Context(group), verb)
            assert inner is not None, f"{line}: no command {verb}"
            assert_command(inner, words[1:], line)
        return
    known = {each for option in group.params for each in (*option.opts, *option.secondary_opts)}
    for word in words:
        if word == "--":
            return
        if word.startswith("-") and word != "-":
            assert word.partition("=")[0] in {*known, "--help"}, f"{line}: no option {word}"


def test_proofs_of_the_status_are_tests_that_are_there():
    found = _PROOF.findall((ROOT / "docs/status.md").read_text("utf-8"))
    assert len(found) > 30
    for proof in found:
        for word in proof.split():
            if word.startswith("tests"):
                assert (ROOT / word).exists(), proof


def test_the_status_has_a_row_for_each_state_it_names():
    text = (ROOT / "docs/status.md").read_text("utf-8")
    states = re.findall(r"^\|[^|]+\| (\w+) \|", text, re.MULTILINE)
    rows = [each for each in states if each != "state"]
    assert set(rows) <= {"absent", "thin", "deep", "measured", "missed"}
    assert len(rows) > 50


def test_the_readme_counts_rules_right():
    text = (ROOT / "README.md").read_text("utf-8")
    (said,) = set(re.findall(r"(\d+) rules", text))
    assert int(said) == len(Rulebook.load().rules)
