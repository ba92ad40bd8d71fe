"""``keepwall explain``: what a rule, finding, event or incident means."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import click

from keepwall.cli.output import color_wanted, emit, width
from keepwall.formats.plain_text import visible
from keepwall.foundation.state import StateDirectory
from keepwall.vocabulary.decision import Effect
from keepwall.vocabulary.errors import ConfigError

if TYPE_CHECKING:
    from keepwall.foundation.store.store import Store
    from keepwall.rulebook.rule import Example, Rule
    from keepwall.vocabulary.asset import Asset
    from keepwall.vocabulary.event import Event
    from keepwall.vocabulary.finding import Finding
    from keepwall.vocabulary.incident import Incident

MAX_EXAMPLE_LINES = 12
MAX_PROSE = 100
_PROPOSE = "keepwall envelope propose"


@click.command()
@click.argument("id_", metavar="ID")
@click.option("--store", metavar="URL", help="Look in this database.")
def command(id_: str, *, store: str | None) -> None:
    """Say what ID means: a rule, a finding's fingerprint, an asset, event or incident."""
    from keepwall.rulebook.book import Rulebook

    if rule := Rulebook.load().find(id_.upper()):
        lines = _rule(rule)
    else:
        lines = _recorded(id_, store or "")
    emit("".join(f"{line}\n" for line in lines).encode("utf-8", "backslashreplace"))


def _recorded(id_: str, url: str) -> Iterable[str]:
    """Return what the store says of an id, else what the spool of this machine says."""
    from keepwall.foundation.spool import find
    from keepwall.workflows.published import open_existing

    state = StateDirectory.default()
    store = open_existing(state, url)
    if store is not None:
        with store:
            if found := _stored(id_, store):
                return found
    if event := find(state.spool, id_):
        return [*_event(event), *_prose("Where", "in the spool: no control plane has taken it in")]
    if store is None:
        raise ConfigError(
            f"{id_} is no rule, and nothing is stored on this machine",
            hint="keepwall rules lists the rules; keepwall scan --store URL records findings",
        )
    raise ConfigError(
        f"nothing is known as {id_}",
        hint="give the id of a rule, event or incident, or the whole fingerprint of a finding",
    )


def _stored(id_: str, store: Store) -> list[str]:
    if finding := store.findings.get(id_):
        return _finding(finding, store)
    if incident := store.incidents.get(id_):
        return _incident(incident)
    if asset := store.inventory.asset(id_):
        return _asset(asset, store)
    event = store.events.get(id_)
    return _event(event) if event else []


def _asset(asset: Asset, store: Store) -> list[str]:
    related = store.inventory.relations(asset.id)
    findings = store.findings.list(asset=asset.id)
    return [
        _title(f"{asset.name}  {asset.kind}"),
        f"{asset.surface}; owner {asset.owner or 'unknown'}; {asset.id}",
        *_prose("Where", "\n".join(str(each) for each in asset.locations)),
        *_prose("Known", "\n".join(f"{k}: {v}" for k, v in sorted(asset.attributes.items()))),
        *_prose("Related", "\n".join(f"{e.source} {e.kind} {e.target}" for e in related)),
        *_prose(
            "Findings", "\n".join(f"{f.severity} {f.rule} {f.title}" for f in findings) or "none"
        ),
    ]


def _title(text: str) -> str:
    from keepwall.cli.table import BOLD, styled

    return styled(text, BOLD, color=color_wanted())


def _prose(label: str, text: str) -> list[str]:
    """Return a labelled paragraph; line breaks that the author made are kept."""
    from keepwall.cli.table import fitted

    if not text.strip():
        return []
    room = min(width(), MAX_PROSE) - 2
    lines: list[str] = []
    for part in text.strip().splitlines():
        if part.startswith((" ", "\t")):  # code: cut, not wrapped
            lines.append(fitted(visible(part.expandtabs(4)), room))
        else:
            lines += textwrap.wrap(visible(part), room, break_on_hyphens=False) or [""]
    return ["", _title(label), *(f"  {line}".rstrip() for line in lines)]


def _mappings(mappings: Mapping[str, Sequence[str]]) -> list[str]:
    return _prose(
        "Maps to", "\n".join(f"{name}: {', '.join(ids)}" for name, ids in mappings.items())
    )


def _rule(rule: Rule) -> Iterable[str]:
    yield _title(f"{rule.id}  {rule.title}")
    yield f"{rule.severity}, {rule.surface}; {rule.place}"
    yield from _prose("Why", rule.why)
    yield from _prose("Fix", rule.fix)
    yield from _mappings(rule.mappings)
    for label, examples in (("Fails", rule.failing), ("Passes", rule.passing)):
        yield from _prose(f"{label}, for example", _example(examples[0]))


def _example(example: Example) -> str:
    """Return the first lines of an example, file by file or fact by fact."""
    lines = [
        line
        for path, content in example.files.items()
        for line in (f"{path}:", *(f"    {each}" for each in content.splitlines()))
    ]
    for fact in example.facts:
        values = ", ".join(f"{key}={value!r}" for key, value in fact.value.items())
        lines.append(f"{fact.kind} {values}")
    lines += [f"{each.kind} {each.name}" for each in example.assets]
    shown = lines[:MAX_EXAMPLE_LINES]
    return "\n".join([*shown, "…"] if len(lines) > len(shown) else shown)


def _finding(finding: Finding, store: Store) -> list[str]:
    seen = store.findings.seen(finding.fingerprint)
    when = ""
    if seen:
        when = f"; open since {seen.first:%Y-%m-%d %H:%M} UTC"
        if seen.until:
            when = f"; resolved {seen.until:%Y-%m-%d %H:%M} UTC"
    return [
        _title(finding.message or finding.title),
        f"{finding.severity}, {finding.surface}, rule {finding.rule}{when}",
        *_prose("Where", f"{visible(str(finding.location))}\nasset {visible(finding.asset)}"),
        *_prose("Why", finding.why),
        *_prose("Fix", finding.fix),
        *_mappings(finding.mappings),
    ]


def _event(event: Event) -> list[str]:
    times = f", {event.count} times" if event.count > 1 else ""
    answered = f"rule {event.rule} of " if event.rule else ""
    envelope = f"envelope {event.envelope}, generation {event.generation}" if event.envelope else ""
    process = event.process
    ran = f"{process.path} (pid {process.pid}, {process.user})\n{process.command_line}"
    return [
        _title(event.message or f"{event.activity} {event.target}"),
        f"{event.at:%Y-%m-%d %H:%M:%S} UTC on {visible(event.node)}{times}",
        *_prose("What", f"{event.subject} tried to {event.activity} {event.target}"),
        *_prose("Answer", f"{event.effect}: {event.strength} by {event.plane} ({event.tier})"),
        *_prose("Because of", f"{answered}{envelope}"),
        *(_prose("Process", ran) if process.pid else []),
        *_prose("Incident", event.incident),
        *(_prose("To allow it", _proposal(event)) if event.effect is Effect.DENY else []),
    ]


def _proposal(event: Event) -> str:
    """Return the next step for a refusal that was a mistake of the envelope."""
    if not event.envelope:
        return "no envelope refused it, so there is none to change"
    return f"with the file of the envelope {event.envelope}:\n{_PROPOSE} {event.id} --file FILE"


def _incident(incident: Incident) -> list[str]:
    story = [f"{each.at:%Y-%m-%d %H:%M:%S}  {each.text}" for each in incident.timeline]
    about = f"{incident.severity}, {incident.surface}, {incident.state}"
    return [
        _title(f"{incident.id}  {incident.title}"),
        f"{about}; opened {incident.opened_at:%Y-%m-%d %H:%M:%S} UTC",
        *_prose("Subject", incident.subject),
        *_prose("Detected by", incident.detection),
        *_prose("Story (UTC)", "\n".join(story)),
        *_prose("Events", "\n".join(incident.events)),
    ]
