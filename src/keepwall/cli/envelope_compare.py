"""``keepwall envelope diff``: what changes between two envelopes, or for what was recorded."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from keepwall.cli.output import color_wanted, emit, note, width
from keepwall.vocabulary.errors import ConfigError, ExitCode

if TYPE_CHECKING:
    from keepwall.decide.comparison import Comparison
    from keepwall.vocabulary.envelope import Envelope
    from keepwall.workflows.judge import Blocked

_PUBLISHED = re.compile(r"(?P<uid>[a-z0-9-]{1,63}(#narrowed)?)@(?P<number>[0-9]{1,18})\Z")
_MOST_EVENTS = 100_000


@click.command()
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="[NEW]", required=False)
@click.option(
    "--against-events", is_flag=True, help="Show which recorded events OLD would have blocked."
)
@click.option("--store", metavar="URL", default="", help="Read from this database.")
def diff(*, old: str, new: str | None, against_events: bool, store: str) -> ExitCode:
    """Say what NEW allows that OLD does not, and back.

    OLD and NEW are files, or NAME@GENERATION of what was published. With --against-events there is
    no NEW: the recorded events of the subject are judged anew.

    Exit codes: 0 the same (or nothing blocked), 1 they differ (or something is blocked).
    """
    if against_events:
        if new is not None:
            raise click.UsageError("--against-events takes one envelope, not two")
        return _against(_envelope(old, store), store)
    if new is None:
        raise click.UsageError("name two envelopes, or say --against-events")
    from keepwall.decide.comparison import compare

    found = compare(_envelope(old, store), _envelope(new, store))
    if found.changes:
        emit(f"{rendered(found)}\n".encode("utf-8", "backslashreplace"))
    note(f"{new} is {found.direction.value}{'' if not found.changes else f' than {old}'}")
    return ExitCode.FINDINGS if found.changes else ExitCode.CLEAN


def rendered(found: Comparison) -> str:
    """Return the changes section by section, each line safe for a terminal."""
    from keepwall.cli.table import BOLD, GREEN, RED, YELLOW, styled

    styles = {"+": GREEN, "-": RED, "±": YELLOW, "~": ""}
    color = color_wanted()
    lines: list[str] = []
    section = ""
    for change in found.changes:
        if change.section != section:
            section = change.section
            lines.append(styled(section, BOLD, color=color))
        lines.append("  " + styled(str(change), styles[change.sign.value], color=color))
    return "\n".join(lines)


def _envelope(text: str, store_url: str) -> Envelope:
    """Return the envelope in a file, or one that was published."""
    from keepwall.cli.run import read_envelope

    published = _PUBLISHED.match(text)
    if Path(text).exists() or published is None:
        if not Path(text).exists():
            raise ConfigError(
                f"there is no file {text}",
                hint="name a file, or NAME@GENERATION of what was published",
            )
        return read_envelope(Path(text))
    from keepwall.foundation.clock import SystemClock
    from keepwall.foundation.state import StateDirectory
    from keepwall.workflows.published import Published, installed_verifier, open_existing

    state = StateDirectory.default()
    if (store := open_existing(state, store_url)) is None:
        raise ConfigError(
            f"there is no file {text}, and nothing was published on this machine",
            hint="keepwall envelope apply FILE publishes an envelope",
        )
    with store:
        found = Published(store, installed_verifier(state), SystemClock())
        return found.generation(published["uid"], int(published["number"])).envelope


def _against(envelope: Envelope, store_url: str) -> ExitCode:
    from keepwall.foundation.state import StateDirectory
    from keepwall.workflows.judge import blocked
    from keepwall.workflows.published import open_existing
    from keepwall.workflows.recorded import recorded

    state = StateDirectory.default()
    subjects = (envelope.subject_name, f"run:{envelope.name}")
    store = open_existing(state, store_url)
    try:
        events = list(recorded(store, state, subjects, _MOST_EVENTS))
    finally:
        if store is not None:
            store.close()
    found = blocked(envelope, events)
    if found:
        emit(f"{_table(found)}\n".encode("utf-8", "backslashreplace"))
    judged = len({event.id for event in events})
    times = sum(each.times for each in found)
    note(
        f"of {judged} recorded events of {envelope.subject_name}, "
        f"{len(found)} kinds of attempt ({times} times) would have been blocked"
    )
    note("only refusals and watched actions are recorded; mode: observe records all the rest")
    return ExitCode.FINDINGS if found else ExitCode.CLEAN


def _table(found: list[Blocked]) -> str:
    from keepwall.cli.table import Cell, render_table

    rows = [
        (
            each.event.activity.value,
            Cell(each.event.target, tail=True),
            Cell(each.rule, tail=True),
            str(each.times),
            each.event.id,
        )
        for each in found
    ]
    return render_table(
        ("ACTIVITY", "TARGET", "REFUSED BY", "TIMES", "LAST EVENT"),
        rows,
        width=width(),
        color=color_wanted(),
        shrink=((1, 20), (2, 20)),
    )
