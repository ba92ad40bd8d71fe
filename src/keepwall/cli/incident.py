"""``keepwall incident``: list, show, contain and release incidents."""

from __future__ import annotations

import asyncio
import textwrap
from typing import TYPE_CHECKING

import click

from keepwall.cli.output import color_wanted, emit, note, width
from keepwall.formats.plain_text import visible
from keepwall.vocabulary.errors import ConfigError
from keepwall.vocabulary.incident import ContainmentLevel, IncidentState

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from keepwall.foundation.store.store import Store
    from keepwall.vocabulary.event import Event
    from keepwall.vocabulary.incident import Containment, Incident
    from keepwall.workflows.operator import Order

_STORE = click.option("--store", metavar="URL", default="", help="Use this database.")
_STATES = click.Choice([state.value for state in IncidentState])
_MOST_EVENTS = 50


@click.group()
def incident() -> None:
    """List, show, contain and release incidents."""


@incident.command("list")
@click.option("--state", "wanted", type=_STATES, help="Only incidents in this state.")
@click.option(
    "--last", type=click.IntRange(1), default=100, show_default=True, help="At most these."
)
@click.option(
    "-f",
    "--format",
    "format_",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
)
@_STORE
def list_(*, wanted: str | None, last: int, format_: str, store: str) -> None:
    """List the incidents, the one opened last first."""
    from keepwall.foundation.state import StateDirectory
    from keepwall.workflows.published import open_existing

    found: list[Incident] = []
    if (opened := open_existing(StateDirectory.default(), store)) is not None:
        with opened:
            state = IncidentState(wanted) if wanted else None
            found = list(opened.incidents.list(state=state, limit=last))
    if format_ == "json":
        emit(_json(found))
    elif found:
        emit(f"{_table(found)}\n".encode("utf-8", "backslashreplace"))
    if not found:
        note(f"there is no incident{f' that is {wanted}' if wanted else ''}")


@incident.command()
@click.argument("id_", metavar="ID")
@_STORE
def show(*, id_: str, store: str) -> None:
    """Show the story of an incident, and what is next."""
    from keepwall.foundation.clock import SystemClock
    from keepwall.foundation.state import StateDirectory
    from keepwall.workflows.published import Published, installed_verifier, open_existing

    state = StateDirectory.default()
    opened = open_existing(state, store)
    if opened is None:
        raise _unknown(id_)
    with opened:
        found = opened.incidents.get(id_)
        if found is None:
            raise _unknown(id_)
        containment = None
        if opened.documents.get("containments", id_):
            published = Published(opened, installed_verifier(state), SystemClock())
            containment = published.containment(id_)
        lines = list(_story(found, containment, opened))
    emit("".join(f"{line}\n" for line in lines).encode("utf-8", "backslashreplace"))


@incident.command()
@click.argument("target", metavar="SUBJECT|ID")
@_STORE
def contain(*, target: str, store: str) -> None:
    """Contain a subject, or that of an incident.

    What runs is stopped by the control plane; what starts is born contained. Works without a
    control plane too, and says then what was not reached.
    """
    from keepwall.foundation.clock import SystemClock
    from keepwall.foundation.state import StateDirectory
    from keepwall.workflows.operator import at_work

    _require_installation(store)
    with at_work(StateDirectory.default(), SystemClock(), note, store=store) as operator:
        order = asyncio.run(operator.contain(target))
    _tell(order)
    subject = order.incident.subject
    if order.direct:
        note(f"no control plane ran: instances of {subject} that run now go on until they end")
    note(f"to lift it: keepwall incident release {order.incident.id}")


@incident.command()
@click.argument("id_", metavar="ID")
@_STORE
def release(*, id_: str, store: str) -> None:
    """Lift a containment; closed paths stay closed."""
    from keepwall.foundation.clock import SystemClock
    from keepwall.foundation.state import StateDirectory
    from keepwall.workflows.operator import at_work

    _require_installation(store)
    with at_work(StateDirectory.default(), SystemClock(), note, store=store) as operator:
        order = asyncio.run(operator.release(id_))
        others = [
            each.incident
            for each in operator.published.containments(order.incident.subject)
            if each.level is not ContainmentLevel.RELEASED and each.incident != id_
        ]
    _tell(order)
    if others:
        note(f"{order.incident.subject} stays contained by {', '.join(others)}")


command = incident


def _require_installation(store_url: str) -> None:
    """Refuse to make an installation just because somebody mistyped where it is.

    Raises:
        ConfigError: there is none.
    """
    from keepwall.foundation.state import StateDirectory
    from keepwall.workflows.published import store_url as url_of

    state = StateDirectory.default()
    if not state.root.is_dir() and url_of(state, store_url) == state.database_url:
        raise ConfigError(
            f"there is no installation in {state.root}",
            hint="keepwall up makes one; KEEPWALL_STATE names another place",
        )


def _tell(order: Order) -> None:
    found = order.incident
    emit(f"{visible(found.id)} {found.state.value} {visible(found.subject)}\n".encode())


def _unknown(id_: str) -> ConfigError:
    return ConfigError(
        f"there is no incident {id_}", hint="keepwall incident list shows the incidents"
    )


def _story(found: Incident, containment: Containment | None, store: Store) -> Iterable[str]:
    from keepwall.cli.table import BOLD, SEVERITY_STYLE, styled

    color = color_wanted()
    yield styled(f"{found.id}  {found.title}", BOLD, color=color)
    severity = styled(found.severity.value, SEVERITY_STYLE[found.severity], color=color)
    opened = f"opened {found.opened_at:%Y-%m-%d %H:%M:%S} UTC"
    yield f"{severity}, {found.surface.value}, {found.state.value}; {opened}"
    yield f"subject      {visible(found.subject)}"
    yield f"detected by  {visible(found.detection)}"
    yield f"containment  {_containment(containment)}"
    yield ""
    yield styled("Story (UTC)", BOLD, color=color)
    for entry in found.timeline:
        words = textwrap.wrap(visible(entry.text), max(width() - 23, 20), break_on_hyphens=False)
        yield f"  {entry.at:%Y-%m-%d %H:%M:%S}  {words[0] if words else ''}"
        yield from (f"{'':23}{line}" for line in words[1:])
    if found.events:
        yield ""
        yield styled("Events", BOLD, color=color)
        yield from _events(found.events, store)
    yield ""
    yield styled("Next", BOLD, color=color)
    yield from (f"  {line}" for line in _next(found, containment))


def _containment(found: Containment | None) -> str:
    if found is None:
        return "none was ordered"
    at = f"since {found.at:%Y-%m-%d %H:%M:%S} UTC"
    if found.level is ContainmentLevel.RELEASED:
        return f"released {at}"
    until = f", until {found.until:%Y-%m-%d %H:%M:%S} UTC" if found.until else ", until released"
    return f"{found.level.value} {at}{until}"


def _events(ids: Sequence[str], store: Store) -> Iterable[str]:
    for each in ids[-_MOST_EVENTS:]:
        event = store.events.get(each)
        yield f"  {visible(each)}  {_line(event) if event else 'no longer stored'}"
    if len(ids) > _MOST_EVENTS:
        yield f"  and {len(ids) - _MOST_EVENTS} earlier ones"


def _line(event: Event) -> str:
    times = f", {event.count} times" if event.count > 1 else ""
    return visible(f"{event.message} ({event.strength.value}{times})")


def _next(found: Incident, containment: Containment | None) -> Iterable[str]:
    contained = containment is not None and containment.level is not ContainmentLevel.RELEASED
    if found.state is IncidentState.OPEN and not contained:
        yield f"keepwall incident contain {found.id}   stop the subject on every plane"
    if contained:
        yield f"keepwall incident release {found.id}   when the cause is removed"
    for entry in found.timeline:
        if entry.kind == "narrowing" and "#" in entry.reference:
            uid, _, number = entry.reference.partition("@")
            if int(number or 0) > 1:
                before = f"{uid}@{int(number) - 1}"
                yield f"keepwall envelope diff '{before}' '{entry.reference}'   what was closed"
    if found.events:
        yield f"keepwall explain {visible(found.events[0])}   the first event"
    yield f"keepwall evidence export --about {found.id}   the proof, for anyone to verify"


def _json(found: list[Incident]) -> bytes:
    import msgspec

    return msgspec.json.format(msgspec.json.encode({"incidents": found}), indent=2) + b"\n"


def _table(found: list[Incident]) -> str:
    from keepwall.cli.table import RED, SEVERITY_STYLE, YELLOW, Cell, render_table

    styles = {IncidentState.OPEN: RED, IncidentState.CONTAINED: YELLOW, IncidentState.CLOSED: ""}
    rows = [
        (
            each.id,
            Cell(each.state.value, styles[each.state]),
            Cell(each.severity.value, SEVERITY_STYLE[each.severity]),
            each.opened_at.strftime("%Y-%m-%d %H:%M:%SZ"),
            Cell(each.subject, tail=True),
            str(len(each.events)),
            each.title,
        )
        for each in found
    ]
    return render_table(
        ("INCIDENT", "STATE", "SEVERITY", "OPENED", "SUBJECT", "EVENTS", "TITLE"),
        rows,
        width=width(),
        color=color_wanted(),
        shrink=((6, 12), (4, 16)),
    )
