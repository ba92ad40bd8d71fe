"""Parses the rules inside the sections of an envelope."""

from __future__ import annotations

import ipaddress
import posixpath
import re

from keepwall.formats.envelope.reader import Reader, kind
from keepwall.formats.safe_yaml import YamlMap
from keepwall.vocabulary.decision import Effect
from keepwall.vocabulary.envelope import (
    AddressRule,
    DataSection,
    FileSection,
    ModelRule,
    NetworkSection,
    PathRule,
    ProcessSection,
    ToolRule,
)
from keepwall.vocabulary.errors import ConfigError

_HOST = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63}){0,20}\.?\Z")
_LONGEST_PATH = 4095
_HIGHEST_PORT = 65535


def process(reader: Reader) -> ProcessSection:
    """Return the process section."""
    return ProcessSection(
        allow=_paths(reader, "allow"),
        capabilities=reader.texts("capabilities"),
        default=reader.word("default", Effect, Effect.DENY),
    )


def file(reader: Reader) -> FileSection:
    """Return the file section."""
    return FileSection(
        read=_paths(reader, "read"),
        write=_paths(reader, "write"),
        deny=_paths(reader, "deny"),
        default=reader.word("default", Effect, Effect.DENY),
    )


def network(reader: Reader) -> NetworkSection:
    """Return the network section."""
    return NetworkSection(
        egress=_addresses(reader, "egress", "to"),
        ingress=_addresses(reader, "ingress", "from"),
        listen=tuple(_listen(reader, item, line) for item, line in reader.items("listen")),
        default=reader.word("default", Effect, Effect.DENY),
    )


def models(reader: Reader) -> tuple[ModelRule, ...]:
    """Return the models section."""
    rules = []
    for item, line in reader.items("models"):
        each = Reader.of(reader.origin, "a model", item, line, ("name", "tokensPerMinute"))
        rate = each.value.get("tokensPerMinute", 0)
        if not isinstance(rate, int) or isinstance(rate, bool) or rate < 0:
            raise each.error("tokensPerMinute", "tokensPerMinute must be a number from 0")
        rules.append(ModelRule(each.text("name"), rate, line))
    return tuple(rules)


def tools(reader: Reader) -> tuple[ToolRule, ...]:
    """Return the tools section."""
    rules = []
    for item, line in reader.items("tools"):
        each = Reader.of(reader.origin, "a tool", item, line, ("server", "tool", "when"))
        rules.append(ToolRule(each.text("server"), each.text("tool"), each.text("when", ""), line))
    return tuple(rules)


def data(reader: Reader) -> DataSection:
    """Return the data section."""
    from keepwall.vocabulary.label import Level  # noqa: PLC0415 - few envelopes have this section

    levels = tuple(str(level) for level in Level)
    for key in ("read", "egress"):
        for item, line in reader.items(key):
            if item not in levels:
                raise ConfigError(
                    f"data.{key} knows {', '.join(levels)}, not {item!r}",
                    place=f"{reader.origin}:{line}",
                )
    return DataSection(reader.texts("read"), reader.texts("egress"), reader.texts("mask"))


def _paths(reader: Reader, key: str) -> tuple[PathRule, ...]:
    return tuple(_path(reader, key, item, line) for item, line in reader.items(key))


def _path(reader: Reader, key: str, item: object, line: int) -> PathRule:
    place = f"{reader.origin}:{line}"
    if isinstance(item, str):
        return PathRule(_checked(item, place), line=line)
    if not isinstance(item, YamlMap):
        raise ConfigError(f"{reader.name}.{key} holds {kind(item)}, not a path", place=place)
    each = Reader.of(reader.origin, "a path rule", item, line, ("path", "action", "from", "owner"))
    owner = each.value.get("owner", False)
    if not isinstance(owner, bool):
        raise each.error("owner", "owner must be true or false")
    source = each.text("from", "")
    return PathRule(
        _checked(each.text("path"), place),
        each.word("action", Effect, Effect.ALLOW),
        _checked(source, place) if source else "",
        owner,
        line,
    )


def _checked(path: str, place: str) -> str:
    """Refuse what could be read in two ways: relative, unnormalised, other globs, over-long."""
    top = path.removesuffix("/**")
    if not path.startswith("/"):
        raise ConfigError(
            f"{path!r} is not absolute",
            place=place,
            hint="write the path from / on; ~ is not known",
        )
    if any(sign in top for sign in "*?[]\0"):
        raise ConfigError(
            f"{path!r} holds a pattern", place=place, hint="a path is literal or ends in /**"
        )
    # POSIX lets two leading slashes mean something else, so normpath keeps them.
    normal = "/" + posixpath.normpath(top).lstrip("/")
    if top and normal != top:
        raise ConfigError(f"{path!r} is not normalised", place=place, hint=normal)
    if len(path.encode("utf-8", "surrogateescape")) > _LONGEST_PATH:
        raise ConfigError(f"a path over {_LONGEST_PATH} bytes matches nothing", place=place)
    return path


def _addresses(reader: Reader, key: str, peer_key: str) -> tuple[AddressRule, ...]:
    rules = []
    for item, line in reader.items(key):
        each = Reader.of(
            reader.origin, f"{reader.name}.{key}", item, line, (peer_key, "ports", "action")
        )
        ports = []
        for port, port_line in each.items("ports"):
            ports.append(_port(port, f"{reader.origin}:{port_line}"))
        peer = _peer(each.text(peer_key), f"{reader.origin}:{line}")
        rules.append(
            AddressRule(peer, tuple(ports), each.word("action", Effect, Effect.ALLOW), line)
        )
    return tuple(rules)


def _peer(text: str, place: str) -> str:
    if text == "*":
        return text
    try:
        return str(ipaddress.ip_network(text)) if "/" in text else str(ipaddress.ip_address(text))
    except ValueError as error:
        if "/" in text or ":" in text or re.fullmatch(r"[0-9.]+", text):
            raise ConfigError(f"{text!r} is no address or network: {error}", place=place) from error
    if not _HOST.match(text):
        raise ConfigError(f"{text!r} is no address, network or host name", place=place)
    return text.lower()


def _port(value: object, place: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _HIGHEST_PORT:
        raise ConfigError(f"{value!r} is no port (0 to {_HIGHEST_PORT})", place=place)
    return value


def _listen(reader: Reader, item: object, line: int) -> AddressRule:
    """Read ``ADDRESS:PORT``, ``[V6]:PORT`` or ``ADDRESS:*``; port 0 asks for an ephemeral one."""
    place = f"{reader.origin}:{line}"
    if not isinstance(item, str) or ":" not in item:
        raise ConfigError(
            "network.listen holds ADDRESS:PORT, for example 127.0.0.1:8080", place=place
        )
    host, _, port = item.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if port == "*":
        return AddressRule(_peer(host, place), (), line=line)
    if not port.isascii() or not port.isdigit():
        raise ConfigError(f"{port!r} is no port", place=place)
    return AddressRule(_peer(host, place), (_port(int(port), place),), line=line)
