"""AI clients of the users of a host: the MCP servers they start, and what they do unasked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from keepwall.discover.host_data import host_data
from keepwall.discover.host_settings import load_settings, permissions_in, servers_in
from keepwall.discover.host_view import HostView, barrier, contents
from keepwall.discover.mcp_clients import observe_server
from keepwall.discover.reading import UnreadableError
from keepwall.discover.secret_facts import observe_secrets
from keepwall.discover.source import FileView, without_secrets
from keepwall.formats.plain_text import visible
from keepwall.vocabulary.asset import Asset, AssetKind, Location, Relation, RelationKind
from keepwall.vocabulary.errors import FormatError
from keepwall.vocabulary.fact import Fact, Unread
from keepwall.vocabulary.json_value import JsonValue
from keepwall.vocabulary.scan import Observation
from keepwall.vocabulary.surface import Surface


def observe_clients(view: HostView) -> Iterator[Observation]:
    """Yield the MCP servers and permissions in the settings of clients below every home."""
    for home in view.users.homes:
        if view.late:
            yield Unread(view.shown(home), "clients: there was no time left")
            return
        for entry in host_data("host_clients")["file"]:
            yield from _client(home, entry, view)


def _client(home: Path, entry: Mapping[str, Any], view: HostView) -> Iterator[Observation]:
    path = home / entry["path"]
    shown = view.shown(path)
    try:
        data = contents(path, view.context.limits.bytes_per_file)
        if data is None:
            return
        document = load_settings(data, entry["format"])
    except (UnreadableError, FormatError) as error:
        yield Unread(view.shown(barrier(path, view.root)), str(error))
        return
    file = FileView(shown, data)
    agent = _agent(home, entry["client"], shown, view)
    seen = [*_servers(document, entry, file, agent, view)]
    seen += _permissions(document, entry, file, agent)
    if seen:
        yield agent
        yield Relation(view.host.id, RelationKind.USES, agent.id)
        yield from seen
    for match in file.secrets:
        holder = file.holder(match.line, view.host)
        yield from observe_secrets([match], "configuration", file, holder)


def _agent(home: Path, client: str, shown: str, view: HostView) -> Asset:
    owner = visible(view.users.owners.get(home, home.name))
    return Asset(
        AssetKind.AGENT,
        f"{view.shown(home)}#{client}",
        f"{client} of {owner}",
        Surface.AGENT,
        (Location(shown),),
        owner,
        attributes={"client": client, "host": view.host.name},
    )


def _servers(
    document: object, entry: Mapping[str, Any], file: FileView, agent: Asset, view: HostView
) -> Iterator[Observation]:
    for server in servers_in(document, entry.get("servers", []), file.data):
        yield from observe_server(server, entry["client"], file, view.context, agent)


def _permissions(
    document: object, entry: Mapping[str, Any], file: FileView, agent: Asset
) -> Iterator[Observation]:
    found = permissions_in(document, entry)
    if found is not None:
        value: dict[str, JsonValue] = {
            "client": entry["client"],
            "allow": [visible(without_secrets(each)) for each in found["allow"]],
            "deny": [visible(without_secrets(each)) for each in found["deny"]],
            "mode": visible(found["mode"]),
            "file": file.path,
        }
        yield Fact("agent.permission", agent.id, value, file.path)
