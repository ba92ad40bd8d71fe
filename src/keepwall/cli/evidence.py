"""``keepwall evidence``: the proof that controls were exercised, for anyone to check."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from keepwall.cli.output import color_wanted, emit, note, width
from keepwall.formats.plain_text import visible
from keepwall.foundation.clock import SystemClock
from keepwall.foundation.state import StateDirectory
from keepwall.vocabulary.errors import ConfigError, ExitCode

if TYPE_CHECKING:
    from keepwall.foundation.ledger.log import LedgerLog
    from keepwall.prove.record import Recorded
    from keepwall.prove.verify import Verification

WRITER = "control"
"""The ledger that the control plane writes."""
ROOT_DIGITS = 64
FORMATS = click.Choice(["table", "json"])


@click.group()
def evidence() -> None:
    """Export and verify the evidence that controls were exercised."""


@evidence.command("list")
@click.option("--about", metavar="ID", default="", help="Only about this incident, envelope, run.")
@click.option(
    "--last", type=click.IntRange(1), default=50, show_default=True, help="At most these."
)
@click.option("-f", "--format", "format_", type=FORMATS, default="table", show_default=True)
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write to this file."
)
def list_(*, about: str, last: int, format_: str, output: Path | None) -> None:
    """List the evidence of this installation, newest last."""
    from keepwall.prove.bundle import concerns, read_evidence

    found = deque(
        ((index, each) for index, each in read_evidence(_ledger()) if concerns(each, about)), last
    )
    text = _list_json(found) if format_ == "json" else _list_table(found)
    if found or format_ == "json" or output:
        emit(f"{text}\n".encode(), output)
    if not found:
        note(f"there is no evidence about {about}" if about else "there is no evidence yet")


@evidence.command("export")
@click.option("--about", metavar="ID", default="", help="Only about this incident, envelope, run.")
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write to this file."
)
def export_(*, about: str, output: Path | None) -> None:
    """Write a bundle that proves itself: records, proofs, the signed head and its keys.

    Give the file away together with the fingerprint that is printed, by another way than the file:
    with both, anyone can verify it offline.
    """
    from keepwall.foundation.trust.trust import Trust
    from keepwall.prove.bundle import lines

    clock = SystemClock()
    trust = Trust.open(StateDirectory.default().trust, clock)
    written = list(lines(_ledger(), trust.signer("ledger"), clock.now(), about=about))
    emit(b"".join(written), output)
    note(f"{_counted(len(written) - 1)} exported; root fingerprint {trust.root_public.hex()}")


@evidence.command("verify")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--root", metavar="FINGERPRINT", help="The root to believe, 64 hex digits.")
@click.option("-f", "--format", "format_", type=FORMATS, default="table", show_default=True)
def verify_(*, file: Path, root: str | None, format_: str) -> ExitCode:
    """Verify a bundle offline.

    The root to believe comes from --root, else from the installation on this machine if it is the
    one that signed.

    Exit codes: 0 proven, 1 damaged or forged, 2 usage, 3 only consistent with itself, because
    there was no root to believe.
    """
    from keepwall.foundation.trust.installed import installed_revocations, installed_root
    from keepwall.prove.verify import claimed_root, verify

    here = StateDirectory.default().trust
    local = installed_root(here)
    pinned = _fingerprint(root) if root else None
    if pinned is None and local == claimed_root(file):
        pinned = local
    revocations = installed_revocations(here) if pinned and pinned == local else b""
    found = verify(file, pinned, revocations=revocations)
    text = _verdict_json(found) if format_ == "json" else _verdict_text(found)
    emit(f"{text}\n".encode())
    if found.problems:
        return ExitCode.FINDINGS
    return ExitCode.CLEAN if found.passed else ExitCode.INCOMPLETE


command = evidence


def _ledger() -> LedgerLog:
    from keepwall.foundation.ledger.log import LedgerLog
    from keepwall.foundation.trust.installed import installed_root
    from keepwall.foundation.trust.verify import Verifier

    state = StateDirectory.default()
    if (root := installed_root(state.trust)) is None:
        raise ConfigError(
            f"there is no installation in {state.root}",
            hint="keepwall up makes one; KEEPWALL_STATE names another place",
        )
    # without the revoked keys: after a theft the log must still open, and say what it holds
    return LedgerLog(state.ledger / WRITER, Verifier(root))


def _fingerprint(text: str) -> bytes:
    """Return the root key in a fingerprint; colons and spaces may divide it."""
    digits = text.lower().removeprefix("ed25519:").replace(":", "").replace(" ", "")
    try:
        root = bytes.fromhex(digits)
    except ValueError:
        root = b""
    if len(root) * 2 != ROOT_DIGITS:
        raise click.BadParameter(f"a fingerprint has {ROOT_DIGITS} hex digits", param_hint="--root")
    return root


def _counted(records: int) -> str:
    return f"{records} record{'' if records == 1 else 's'}"


def _local(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%SZ")


def _list_table(found: Iterable[tuple[int, Recorded]]) -> str:
    from keepwall.cli.table import CYAN, DIM, GREEN, RED, YELLOW, Cell, render_table

    styles = {"prevented": GREEN, "killed-late": YELLOW, "seen-only": CYAN, "blind": RED}
    rows = [
        (
            str(index),
            Cell(_local(each.evidence.at), DIM),
            each.evidence.control,
            each.evidence.about,
            each.evidence.outcome,
            Cell(each.evidence.strength.value, styles[each.evidence.strength.value]),
        )
        for index, each in found
    ]
    return render_table(
        ("RECORD", "AT", "CONTROL", "ABOUT", "OUTCOME", "STRENGTH"),
        rows,
        width=width(),
        color=color_wanted(),
        shrink=((4, 16), (3, 12), (2, 12)),
    )


def _list_json(found: Iterable[tuple[int, Recorded]]) -> str:
    rows = [{"index": index, **json.loads(each.encode())} for index, each in found]
    return json.dumps({"evidence": rows}, indent=2)


def _verdict_json(found: Verification) -> str:
    head = found.head
    return json.dumps(
        {
            "about": found.about,
            "head": head
            and {
                "at": head.at.isoformat(),
                "origin": head.origin,
                "root": head.root.hex(),
                "size": head.size,
            },
            "passed": found.passed,
            "problems": found.problems,
            "records": found.records,
            "root": found.root.hex(),
            "trustedRoot": found.trusted_root,
        },
        indent=2,
    )


def _verdict_text(found: Verification) -> str:
    from keepwall.cli.table import BOLD, GREEN, RED, YELLOW, styled
    from keepwall.prove.verify import UNPINNED

    color = color_wanted()
    if found.problems:
        verdict = styled("FAILED", f"{BOLD};{RED}", color=color)
        verdict += f"  {len(found.problems)} problem{'' if len(found.problems) == 1 else 's'}"
    elif found.passed:
        verdict = styled("PROVEN", f"{BOLD};{GREEN}", color=color)
        verdict += f"  {_counted(found.records)}, unchanged since they were recorded"
    else:
        verdict = f"{styled('NOT PROVEN', f'{BOLD};{YELLOW}', color=color)}  {UNPINNED}"
    lines = [verdict]
    if found.head:
        head = found.head
        about = f" about {visible(found.about)}" if found.about else ""
        ledger = f"of {head.size} in the ledger {visible(head.origin)}"
        lines += [
            f"  records   {found.records}{about} {ledger}",
            f"  signed    {_local(head.at)}, tree {head.root.hex()}",
            f"  root      {found.root.hex()}" + ("" if found.trusted_root else " (not pinned)"),
        ]
    lines += [
        f"  {styled('problem', RED, color=color)}   {visible(each)}" for each in found.problems
    ]
    if not found.problems and not found.passed:
        lines.append(
            "  Anyone can make a file that agrees with itself. Ask the one who exported it for"
        )
        lines.append(
            "  the root fingerprint, by another way than the file, and pass it with --root."
        )
    return "\n".join(lines)
