"""`keepwall range`: attack an installation as an attacker would, and see what holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from keepwall.cli.output import color_wanted, emit, note, width
from keepwall.vocabulary.errors import ExitCode

if TYPE_CHECKING:
    from keepwall.range.report import Report, Step

FORMATS = click.Choice(["table", "json"])


@click.group(name="range")
def command() -> None:
    """Attack an installation as an attacker would, and see what holds.

    Everything happens in a new directory with a canary and a receiver on loopback.
    """


@command.command("list")
def list_() -> None:
    """List the scenarios."""
    from keepwall.cli.table import Cell, render_table
    from keepwall.range.catalogue import scenarios

    rows = [[Cell(each.name), Cell(each.surface), Cell(each.summary)] for each in scenarios()]
    headers = ("SCENARIO", "SURFACE", "WHAT HAPPENS")
    emit(render_table(headers, rows, width=width(), color=color_wanted()).encode())


@command.command("run")
@click.argument("name")
@click.option("-f", "--format", "format_", type=FORMATS, default="table", show_default=True)
@click.option(
    "--evidence", type=click.Path(dir_okay=False, path_type=Path), help="Keep the evidence here."
)
def run(name: str, *, format_: str, evidence: Path | None) -> int:
    """Run the scenario NAME; exit 0 when everything held, 1 when not."""
    import msgspec

    from keepwall.range.catalogue import find

    scenario = find(name)
    note(f"{scenario.name}: {scenario.summary}")
    tell = _say if format_ == "table" else _quiet
    report = scenario.run(tell, str(evidence.absolute()) if evidence else "")
    if format_ == "json":
        emit(msgspec.json.format(msgspec.json.encode(report)) + b"\n")
    else:
        emit(_conclusion(report).encode())
    return ExitCode.CLEAN if report.held else ExitCode.FINDINGS


def _say(step: Step) -> None:
    from keepwall.formats.plain_text import visible

    mark = "ok  " if step.held else "FAIL"
    line = f"{mark} {step.name}: {step.happened} ({step.seconds:.1f} s)"
    if not step.held:
        line += f"\n     expected: {step.expected}"
    emit(f"{visible(line) if step.held else line}\n".encode("utf-8", "backslashreplace"))


def _quiet(step: Step) -> None:
    del step


def _conclusion(report: Report) -> str:
    held = sum(step.held for step in report.steps)
    verdict = "held" if report.held else "did not hold"
    kept = f"\nevidence: {report.evidence}" if report.evidence else ""
    return f"{report.scenario} {verdict}: {held} of {len(report.steps)} steps{kept}\n"
