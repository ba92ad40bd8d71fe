"""``keepwall envelope``: check, compile, compare, publish and propose envelopes."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from keepwall.cli.envelope_compare import diff
from keepwall.cli.envelope_propose import propose
from keepwall.cli.envelope_publish import apply, list_, rollback
from keepwall.cli.output import color_wanted, emit, note, width
from keepwall.formats.plain_text import visible
from keepwall.vocabulary.errors import ConfigError, ExitCode

if TYPE_CHECKING:
    from keepwall.decide.compilation import Compilation
    from keepwall.vocabulary.envelope import Envelope

FORMATS = click.Choice(["table", "json"])
_FILE = click.Path(dir_okay=False, path_type=Path)


@click.group()
def envelope() -> None:
    """Check, compare, compile, apply and roll back envelopes."""


@envelope.command()
@click.argument("files", nargs=-1, required=True, type=_FILE, metavar="FILE...")
def check(*, files: tuple[Path, ...]) -> ExitCode:
    """Say whether FILEs are valid, and what is odd.

    Rules that match nothing now, and allows that a deny covers whole, are told on standard error
    and do not change the exit code.
    """
    from keepwall.cli.run import read_envelope
    from keepwall.workflows.advice import advice

    code = ExitCode.CLEAN
    for file in files:
        try:
            found = read_envelope(file)
        except ConfigError as error:
            _complain(error.message, error.hint)
            code = ExitCode.USAGE
            continue
        for each in advice(found):
            note(f"{file}:{each.line}: warning: {each.text}")
        emit(f"{visible(str(file))}: ok, envelope {found.name}\n".encode())
    return code


@envelope.command("compile")
@click.argument("file", type=_FILE)
@click.option("--accept-weaker", multiple=True, metavar="RULE", help="Accept a rule by its name.")
@click.option("-f", "--format", "format_", type=FORMATS, default="table", show_default=True)
def compile_(*, file: Path, accept_weaker: tuple[str, ...], format_: str) -> ExitCode:
    """Show how each rule would be carried on this machine.

    Exit codes: 0 it would apply, 1 a rule is weaker than the envelope asks for, 2 not valid.
    """
    from keepwall.cli.run import read_envelope

    return _show(compiled(read_envelope(file)), accept_weaker, format_)


@envelope.command(context_settings={"ignore_unknown_options": True})
@click.argument("file", type=_FILE)
@click.option("--name", default="", help="Name of the envelope (default: the file's name).")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- CMD...")
@click.pass_context
def learn(ctx: click.Context, *, file: Path, name: str, command: tuple[str, ...]) -> int:
    """Run CMD unrestricted; write what it used to FILE.

    The same as keepwall run --learn FILE -- CMD.
    """
    from keepwall.cli.run import command as run

    code = ctx.invoke(
        run, envelope=None, learn=file, name=name, accept_weaker=(), dry_run=False, command=command
    )
    return int(code)


for _each in (diff, apply, list_, rollback, propose):
    envelope.add_command(_each)
command = envelope


def compiled(envelope: Envelope) -> Compilation:
    """Return what the planes of this machine would make of an envelope."""
    from keepwall.decide.compilation import Compilation
    from keepwall.enforce.runtime import probe
    from keepwall.enforce.runtime.compile import plan

    return Compilation(envelope, plan(envelope, probe.support()).outcomes)


def show_compiled(path: Path, accepted: Sequence[str]) -> int:
    """Show what ``keepwall run --envelope`` would do, orders of the control plane included.

    Returns 0 if it would start, 1 if not: a rule is too weak, or the subject is contained.

    Raises:
        ConfigError: the file is no envelope.
        IntegrityError: the orders on this machine's disk do not hold.
    """
    from keepwall.cli.run import read_envelope
    from keepwall.foundation.clock import SystemClock
    from keepwall.foundation.state import StateDirectory
    from keepwall.workflows.standing_orders import standing_orders

    orders = standing_orders(read_envelope(path), StateDirectory.default(), SystemClock())
    if orders.generation:
        note(f"with the published orders, generation {orders.generation}")
    code = _show(compiled(orders.envelope), accepted, "table")
    if orders.containment is None:
        return code
    incident = orders.containment.incident
    _complain(
        f"{orders.containment.subject} is contained by incident {incident}, so it would not start",
        f"keepwall incident show {incident}",
    )
    return ExitCode.FINDINGS


def refused(found: Compilation, accepted: Sequence[str]) -> bool:
    """Say which rules are too weak to apply an envelope; return whether there are any."""
    known = {outcome.rule for outcome in found.outcomes}
    for rule in accepted:
        if rule not in known:
            note(f"--accept-weaker {rule}: the envelope has no such rule")
    short = found.weaker(accepted)
    for each in short:
        _complain(f"{each.rule} is {each.strength}: {each.why}")
    if short:
        _complain(
            f"refused whole: the envelope asks for {found.envelope.minimum_strength}",
            "accept by name: " + " ".join(f"--accept-weaker '{each.rule}'" for each in short[:5]),
        )
    return bool(short)


def _show(found: Compilation, accepted: Sequence[str], format_: str) -> ExitCode:
    text = _json(found, accepted) if format_ == "json" else _table(found)
    emit(f"{text}\n".encode("utf-8", "backslashreplace"))
    counts = Counter(outcome.strength for outcome in found.outcomes)
    said = ", ".join(f"{counts[each]} {each}" for each in sorted(counts, key=lambda one: -one.rank))
    note(f"{len(found.outcomes)} rules: {said}")
    if refused(found, accepted):
        return ExitCode.FINDINGS
    note("it would apply")
    return ExitCode.CLEAN


def _table(found: Compilation) -> str:
    from keepwall.cli.table import CYAN, DIM, GREEN, RED, YELLOW, Cell, render_table

    styles = {"prevented": GREEN, "killed-late": YELLOW, "seen-only": CYAN, "blind": RED}
    rows = [
        (
            Cell(each.rule, tail=True),
            each.plane.value,
            each.tier.value,
            Cell(each.strength.value, styles[each.strength.value]),
            Cell(each.why, DIM),
        )
        for each in found.outcomes
    ]
    return render_table(
        ("RULE", "PLANE", "TIER", "STRENGTH", "WHY"),
        rows,
        width=width(),
        color=color_wanted(),
        shrink=((4, 24), (0, 24)),
    )


def _json(found: Compilation, accepted: Sequence[str]) -> str:
    return json.dumps(
        {
            "applies": not found.weaker(accepted),
            "envelope": found.envelope.name,
            "minimumStrength": found.envelope.minimum_strength.value,
            "rules": [
                {
                    "accepted": each.rule in accepted,
                    "plane": each.plane.value,
                    "rule": each.rule,
                    "strength": each.strength.value,
                    "tier": each.tier.value,
                    "why": each.why,
                }
                for each in found.outcomes
            ],
        },
        indent=2,
    )


def _complain(message: str, hint: str = "") -> None:
    print(f"keepwall: {visible(message)}", file=sys.stderr)
    if hint:
        print(f"hint: {visible(hint)}", file=sys.stderr)
