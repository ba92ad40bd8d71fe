"""``keepwall envelope apply``, ``list`` and ``rollback``: signed generations of envelopes."""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from keepwall.cli.output import color_wanted, emit, note, width
from keepwall.vocabulary.errors import ConfigError, ExitCode

if TYPE_CHECKING:
    from keepwall.vocabulary.envelope import Envelope
    from keepwall.workflows.operator import Operator
    from keepwall.workflows.published import Generation

_FILE = click.Path(dir_okay=False, path_type=Path)
_STORE = click.option("--store", metavar="URL", default="", help="Use this database.")


@click.command()
@click.argument("file", type=_FILE)
@click.option("--accept-weaker", multiple=True, metavar="RULE", help="Accept a rule by its name.")
@click.option("--reason", default="", metavar="TEXT", help="Why, for those who read the list.")
@click.option("--dry-run", is_flag=True, help="Show what would change; publish nothing.")
@_STORE
def apply(
    *, file: Path, accept_weaker: tuple[str, ...], reason: str, dry_run: bool, store: str
) -> ExitCode:
    """Publish FILE as the next signed generation.

    Refused whole if a rule is weaker on this machine than the envelope asks for. From then on it
    binds beside the file that a run names: allows intersect, denies unite.
    """
    from keepwall.cli.envelope import compiled, refused
    from keepwall.formats.envelope.parse import parse
    from keepwall.foundation.clock import SystemClock
    from keepwall.foundation.state import StateDirectory
    from keepwall.workflows.operator import at_work

    try:
        text = file.read_bytes()
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}") from error
    envelope = parse(text, str(file))
    if refused(compiled(envelope), accept_weaker):
        return ExitCode.FINDINGS
    state = StateDirectory.default()
    if dry_run:
        before = _before(envelope.name, store)
        number = before.document.generation + 1 if before else 1
        _say_changes(before.envelope if before else None, envelope)
        note(f"dry run: {envelope.name} would be generation {number}")
        return ExitCode.CLEAN
    with at_work(state, SystemClock(), note, store=store) as operator:
        spec = text.decode()
        before = operator.published.newest(envelope.name)
        if before and before.document.spec == spec:
            note("nothing changed")
            return _told(envelope.name, before.document.generation)
        _say_changes(before.envelope if before else None, envelope)
        document = asyncio.run(
            operator.publish(envelope.name, spec, reason or f"applied from {file.name}")
        )
        if narrowed := operator.published.narrowing(envelope.name):
            note(f"{narrowed.name} ({narrowed.document.reason}) goes on closing its paths")
    return _told(envelope.name, document.generation)


@click.command("list")
@click.option(
    "-f",
    "--format",
    "format_",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
)
@_STORE
def list_(*, format_: str, store: str) -> None:
    """List the published envelopes."""
    from keepwall.foundation.clock import SystemClock
    from keepwall.foundation.state import StateDirectory
    from keepwall.workflows.published import Published, installed_verifier, open_existing

    state = StateDirectory.default()
    found: list[Generation] = []
    if (opened := open_existing(state, store)) is not None:
        with opened:
            published = Published(opened, installed_verifier(state), SystemClock())
            found = list(published.latest())
    if format_ == "json":
        emit(f"{_json(found)}\n".encode())
    elif found:
        emit(f"{_table(found)}\n".encode("utf-8", "backslashreplace"))
    if not found:
        note("no envelope was published yet; keepwall envelope apply FILE publishes one")


@click.command()
@click.argument("name")
@click.option("--to", type=click.IntRange(0), metavar="GENERATION", help="Default: the one before.")
@click.option(
    "--narrowing", is_flag=True, help="Roll back what incidents have closed: re-opens those paths."
)
@click.option("--yes", is_flag=True, help="Do not ask before paths are re-opened.")
@_STORE
def rollback(*, name: str, to: int | None, narrowing: bool, yes: bool, store: str) -> ExitCode:
    """Publish an earlier generation of NAME anew.

    What incidents have closed stays closed, unless --narrowing is given: then only that is rolled
    back (--to 0 re-opens all of it), and NAME itself stays.
    """
    from keepwall.formats.envelope.parse import parse
    from keepwall.foundation.clock import SystemClock
    from keepwall.foundation.state import StateDirectory
    from keepwall.vocabulary.subjects import narrowing_of
    from keepwall.workflows.operator import at_work
    from keepwall.workflows.published import open_existing

    state = StateDirectory.default()
    if (there := open_existing(state, store)) is None:
        raise ConfigError(
            "nothing was published on this machine", hint="keepwall envelope list shows what was"
        )
    there.close()
    uid = narrowing_of(name) if narrowing else name
    with at_work(state, SystemClock(), note, store=store) as operator:
        newest = operator.published.newest(uid)
        if newest is None:
            raise ConfigError(
                f"no envelope was published as {uid}", hint="keepwall envelope list shows them"
            )
        number = to if to is not None else _one_before(operator, newest)
        spec = operator.earlier(uid, number)
        if spec == newest.document.spec:
            note("nothing changed")
            return _told(uid, newest.document.generation)
        _say_changes(newest.envelope, parse(spec.encode(), f"{uid}@{number}"))
        if narrowing:
            _confirm_reopening(uid, yes=yes)
        document = asyncio.run(operator.roll_back(uid, number))
    return _told(uid, document.generation)


def _one_before(operator: Operator, newest: Generation) -> int:
    """Return the generation before the newest one; 0 where a narrowing began."""
    uid, number = newest.document.uid, newest.document.generation
    earlier = operator.published.numbers(uid)
    if len(earlier) > 1:
        return earlier[1]
    if "#" in uid:
        return 0
    raise ConfigError(
        f"{uid} has no generation before {number}",
        hint="there is nothing to roll back to; apply another file instead",
    )


def _confirm_reopening(uid: str, *, yes: bool) -> None:
    """Say what is about to happen and have it confirmed.

    Raises:
        ConfigError: there is nobody to ask.
        click.Abort: the answer was no.
    """
    note(f"this re-opens paths that incidents have closed ({uid}): the same attack works again")
    if yes:
        return
    if not sys.stdin.isatty():
        raise ConfigError("nobody can be asked here", hint="say --yes if it is meant")
    click.confirm("Re-open them?", abort=True, err=True)


def _before(name: str, store_url: str) -> Generation | None:
    """Return the newest generation of an envelope without making anything that is not there."""
    from keepwall.foundation.clock import SystemClock
    from keepwall.foundation.state import StateDirectory
    from keepwall.workflows.published import Published, installed_verifier, open_existing

    state = StateDirectory.default()
    if (store := open_existing(state, store_url)) is None:
        return None
    with store:
        if not store.documents.get("envelopes", name):
            return None
        return Published(store, installed_verifier(state), SystemClock()).newest(name)


def _say_changes(before: Envelope | None, after: Envelope) -> None:
    from keepwall.cli.envelope_compare import rendered
    from keepwall.decide.comparison import compare

    if before is None:
        note(f"{after.name} was not published before")
        return
    found = compare(before, after)
    if found.changes:
        print(rendered(found), file=sys.stderr)
    note(f"it is {found.direction.value}{' than before' if found.changes else ' as before'}")


def _told(uid: str, generation: int) -> ExitCode:
    emit(f"{uid} generation {generation}\n".encode())
    return ExitCode.CLEAN


def _moment(at: datetime | None) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%SZ") if at else ""


def _table(found: list[Generation]) -> str:
    from keepwall.cli.table import render_table

    rows = [
        (
            each.document.uid,
            str(each.document.generation),
            _moment(each.at) or "unknown",
            each.document.reason,
        )
        for each in found
    ]
    return render_table(
        ("NAME", "GENERATION", "AT", "REASON"), rows, width=width(), color=color_wanted()
    )


def _json(found: list[Generation]) -> str:
    rows = [
        {
            "at": each.at.isoformat() if each.at else None,
            "generation": each.document.generation,
            "name": each.document.uid,
            "reason": each.document.reason,
        }
        for each in found
    ]
    return json.dumps({"envelopes": rows}, indent=2)
