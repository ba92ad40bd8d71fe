"""``keepwall rules``: show the rules, and test them against their own examples."""

from __future__ import annotations

from pathlib import Path

import click

from keepwall.cli.output import color_wanted, emit, note, width
from keepwall.vocabulary.errors import ExitCode


@click.group()
def rules() -> None:
    """Show the rules, and test them against their own examples."""


@rules.command("test")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[PATH]...")
def test_rules(paths: tuple[Path, ...]) -> int:
    """Test the rules in PATH (files or directories), or the built-in ones.

    Every failing example must raise its rule, and no passing example may. The exit code is 1 when
    a rule fails its own examples and 2 when a rule is broken.
    """
    from keepwall.rulebook.book import Rulebook
    from keepwall.workflows import rule_test

    book = Rulebook.read(paths) if paths else Rulebook.load()
    problems = [problem for rule in book.rules for problem in rule_test.test_rule(rule)]
    lines = [f"{each.place}: {each.rule}: {each.message}" for each in problems]
    emit("".join(f"{line}\n" for line in lines).encode("utf-8", "backslashreplace"))
    failed = len({problem.rule for problem in problems})
    note(f"{len(book)} rules tested, {failed} fail their own examples")
    return ExitCode.FINDINGS if problems else ExitCode.CLEAN


@rules.command("list")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[PATH]...")
@click.option("-f", "--format", "shape", type=click.Choice(["table", "json"]), default="table")
def list_rules(paths: tuple[Path, ...], shape: str) -> int:
    """List the built-in rules and those in PATH (files or directories)."""
    import json

    from keepwall.cli.table import SEVERITY_STYLE, Cell, render_table
    from keepwall.rulebook.book import Rulebook

    book = Rulebook.load(paths)
    if shape == "json":
        entries = [
            {
                "id": rule.id,
                "title": rule.title,
                "severity": rule.severity,
                "surface": rule.surface,
                "why": rule.why,
                "fix": rule.fix,
                "mappings": rule.mappings,
            }
            for rule in book.rules
        ]
        emit(f"{json.dumps(entries, indent=2)}\n".encode())
        return ExitCode.CLEAN
    rows = [
        (rule.id, rule.surface, Cell(rule.severity, SEVERITY_STYLE[rule.severity]), rule.title)
        for rule in book.rules
    ]
    headers = ("Rule", "Surface", "Severity", "Title")
    table = render_table(headers, rows, width=width(), color=color_wanted(), shrink=((3, 8),))
    emit(f"{table}\n".encode())
    return ExitCode.CLEAN


command = rules
