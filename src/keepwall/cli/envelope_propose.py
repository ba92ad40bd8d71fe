"""``keepwall envelope propose``: from a refused event to the smallest rule that would allow it."""

from __future__ import annotations

import difflib
from pathlib import Path

import click

from keepwall.cli.output import color_wanted, emit, note
from keepwall.formats.plain_text import visible
from keepwall.vocabulary.errors import ConfigError, ExitCode


@click.command()
@click.argument("event_id", metavar="EVENT_ID")
@click.option(
    "--file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The envelope file that the event was refused by.",
)
@click.option("--write", is_flag=True, help="Change the file; otherwise only show the change.")
@click.option("--store", metavar="URL", default="", help="Look in this database.")
def propose(*, event_id: str, file: Path | None, write: bool, store: str) -> ExitCode:
    """Show the smallest change that allows EVENT_ID.

    Places of credentials, paths that an incident has closed, and what no rule can hold are never
    proposed: the answer says why.

    Exit codes: 0 proposed (or allowed already), 1 not proposed, 2 usage.
    """
    from keepwall.foundation.clock import SystemClock
    from keepwall.foundation.state import StateDirectory
    from keepwall.workflows.propose import Refusal, binding
    from keepwall.workflows.propose import propose as proposal_for
    from keepwall.workflows.published import open_existing
    from keepwall.workflows.recorded import find

    state = StateDirectory.default()
    opened = open_existing(state, store)
    try:
        event = find(event_id, opened, state)
    finally:
        if opened is not None:
            opened.close()
    if event is None:
        raise ConfigError(
            f"no event is known as {event_id}",
            hint="keepwall run prints the ids of what it refuses; --store names another database",
        )
    if file is None:
        raise ConfigError(
            f"name the file of the envelope {event.envelope or '(none)'}",
            hint=f"keepwall envelope propose {event_id} --file FILE",
        )
    try:
        text = file.read_bytes()
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}") from error
    published = binding(state, SystemClock(), event.envelope)
    found = proposal_for(event, text, str(file), published)
    if isinstance(found, Refusal):
        note(f"{'nothing to propose' if found.settled else 'not proposed'}: {found.reason}")
        return ExitCode.CLEAN if found.settled else ExitCode.FINDINGS
    emit(_diff(text, found.text, str(file)).encode("utf-8", "backslashreplace"))
    for caution in found.cautions:
        note(f"careful: {caution}")
    if found.rewritten:
        note(f"the file is rendered anew: its comments and layout {_tense(write=write)} lost")
    if write:
        emit(found.text.encode("utf-8", "surrogateescape"), file)
        note(f"{file} allows {found.rule}; next: keepwall envelope check {file}")
    else:
        note("nothing was changed; --write changes the file")
    return ExitCode.CLEAN


def _tense(*, write: bool) -> str:
    return "are" if write else "would be"


def _diff(before: bytes, after: str, name: str) -> str:
    """Return a unified diff, each line safe for a terminal."""
    from keepwall.cli.table import CYAN, GREEN, RED, styled

    color = color_wanted()
    styles = {"+": GREEN, "-": RED, "@": CYAN}
    lines = difflib.unified_diff(
        before.decode("utf-8", "backslashreplace").splitlines(),
        after.splitlines(),
        fromfile=name,
        tofile=name,
        lineterm="",
    )
    return "".join(
        f"{styled(line, styles.get(line[:1], ''), color=color)}\n" for line in map(visible, lines)
    )
