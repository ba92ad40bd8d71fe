"""Units of systemd that start programs of AI; read as files, systemd is not asked."""

from __future__ import annotations

import os
import posixpath
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from keepwall.content.secrets import find_secrets
from keepwall.discover.catalogue import Catalogue
from keepwall.discover.containers import command_fact, observe_image
from keepwall.discover.host_roles import Role, shown_name, started_role
from keepwall.discover.host_view import HostView, contents, entries
from keepwall.discover.reading import UnreadableError
from keepwall.discover.secret_facts import observe_secrets
from keepwall.discover.source import FileView
from keepwall.vocabulary.asset import Asset, AssetKind, Location, Relation, RelationKind
from keepwall.vocabulary.fact import Fact, Unread
from keepwall.vocabulary.json_value import JsonValue
from keepwall.vocabulary.scan import Observation

_SYSTEM = (
    "etc/systemd/system",
    "run/systemd/system",
    "usr/local/lib/systemd/system",
    "usr/lib/systemd/system",
    "lib/systemd/system",
)
_OF_USERS = ("etc/systemd/user", "usr/lib/systemd/user")
_OF_HOMES = (".config/systemd/user", ".local/share/systemd/user")
_UNIT_BYTES = 256 << 10
_MOST = 5_000
_HARDENING = frozenset(
    {"DynamicUser", "NoNewPrivileges", "ProtectSystem", "ProtectHome", "PrivateTmp"}
    | {
        "PrivateDevices",
        "PrivateUsers",
        "PrivateNetwork",
        "ProtectKernelTunables",
        "SystemCallFilter",
    }
    | {"CapabilityBoundingSet", "RestrictAddressFamilies", "IPAddressDeny", "ReadOnlyPaths"}
    | {"InaccessiblePaths", "RestrictNamespaces", "MemoryDenyWriteExecute", "DeviceAllow"}
)
_OFF = frozenset({"no", "false", "0", "off", ""})
_RUNTIMES = frozenset({"docker", "podman", "nerdctl"})


@dataclass(slots=True)
class Unit:
    """The settings of ``[Service]`` in a unit and its drop-ins, in order, with their lines."""

    name: str
    settings: dict[str, list[str]] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)

    def last(self, key: str) -> str:
        """Return the value of a setting that is set last."""
        return (self.settings.get(key) or [""])[-1]


def read_unit(name: str, texts: list[str]) -> Unit:
    """Return a unit; an empty assignment takes back earlier ones: systemd.unit(5)."""
    unit = Unit(name)
    for text in texts:
        section = ""
        continued, begun = "", 0
        for number, raw in enumerate(text.splitlines()[:_MOST], 1):
            line = f"{continued}{raw.strip()}" if continued else raw.strip()
            begun = begun or number
            if not line or line[0] in "#;":
                continued, begun = "", 0
            elif line.endswith("\\"):
                continued = f"{line[:-1]} "[:_UNIT_BYTES]
            else:
                section = _take(unit, section, line, begun)
                continued, begun = "", 0
    return unit


def _take(unit: Unit, section: str, line: str, number: int) -> str:
    if line.startswith("["):
        return line.strip("[]")
    key, mark, value = line.partition("=")
    if mark and section in ("Service", "Container"):
        key, value = key.strip(), value.strip()
        unit.settings.setdefault(key, [])
        unit.settings[key] = [*unit.settings[key], value] if value else []
        unit.lines.setdefault(key, number)
    return section


def observe_units(view: HostView) -> Iterator[Observation]:
    """Yield the units that start AI, of the system and of every user."""
    seen: set[tuple[int, int]] = set()
    folders = [view.root / each for each in (*_SYSTEM, *_OF_USERS)]
    folders += [home / each for home in view.users.homes for each in _OF_HOMES]
    for folder in folders:
        try:
            status = folder.stat()
        except OSError:
            continue  # no such folder here
        if (status.st_dev, status.st_ino) in seen:
            continue
        seen.add((status.st_dev, status.st_ino))
        yield from _units(folder, view)


def _units(folder: Path, view: HostView) -> Iterator[Observation]:
    found, why = entries(folder, _MOST)
    if why:
        yield Unread(view.shown(folder), why)
    wanted = _enabled(folder)
    for entry in found:
        if not entry.name.endswith(".service") or _alias(entry) or view.late:
            continue
        path = Path(entry.path)
        try:
            texts = [contents(path, _UNIT_BYTES) or b""]
            parts = entries(Path(f"{path}.d"), 100)[0]
            texts += [
                contents(Path(part.path), _UNIT_BYTES) or b""
                for part in parts
                if part.name.endswith(".conf")
            ]
        except UnreadableError as error:
            yield Unread(view.shown(path), str(error))
            continue
        unit = read_unit(entry.name, [each.decode("utf-8", "replace") for each in texts])
        yield from _unit(unit, path, texts[0], view, enabled=entry.name in wanted)


def _alias(entry: os.DirEntry[str]) -> bool:
    """Return whether a unit is another name of one that is read elsewhere, or masked."""
    if not entry.is_symlink():
        return False
    place, name = os.path.split(os.path.realpath(entry.path))
    return name != entry.name or place.endswith(("/systemd/system", "/systemd/user"))


def _enabled(folder: Path) -> set[str]:
    """Return the units that others of the same folder want."""
    groups = [
        each for each in entries(folder, _MOST)[0] if each.name.endswith((".wants", ".requires"))
    ]
    return {each.name for group in groups for each in entries(Path(group.path), _MOST)[0]}


def _unit(
    unit: Unit, path: Path, data: bytes, view: HostView, *, enabled: bool
) -> Iterator[Observation]:
    commands = [command_line(each.lstrip("@-:+!|")) for each in unit.settings.get("ExecStart", ())]
    started = [
        (argv, role, image)
        for argv in commands
        if (found := command_role(argv, view.context.catalogue)) is not None
        for role, image in [found]
    ]
    if not started:
        return
    shown = view.shown(path)
    place = Location(shown, unit.lines.get("ExecStart", 0))
    name = shown_name(unit.name)
    argv, role, image = started[0]
    surface = role.surface
    holder = Asset(
        AssetKind.WORKLOAD,
        f"{view.host.key}/{name}",
        name,
        surface,
        (place,),
        attributes={"unit": name, "host": view.host.name},
    )
    yield holder
    yield Relation(view.host.id, RelationKind.USES, holder.id)
    hardening = sorted(
        key for key in _HARDENING if unit.last(key).lower() not in _OFF or _emptied(unit, key)
    )
    value: dict[str, JsonValue] = {
        "unit": name,
        "program": role.name,
        "user": shown_name(_user(unit, path, view)),
        "enabled": enabled,
        "hardening": list(hardening),
    }
    yield Fact("unit.installed", holder.id, value, shown, place.line)
    environment = _environment(unit)
    yield command_fact(argv, environment, "host", holder, place)
    if image:
        yield from observe_image(image, holder, place, view.context)
    file = FileView(shown, data)
    yield from observe_secrets(find_secrets(file.text), "configuration", file, holder)


def _emptied(unit: Unit, key: str) -> bool:
    return key == "CapabilityBoundingSet" and unit.settings.get(key) == []


def _user(unit: Unit, path: Path, view: HostView) -> str:
    """Return as whom a unit runs: what it says, the owner of the home it lies in, or root."""
    if unit.last("DynamicUser").lower() in ("yes", "true", "1", "on"):
        return unit.last("User") or "dynamic"
    for home, owner in view.users.owners.items():
        if home in path.parents:
            return owner
    of_users = any(part == "user" for part in path.parts)
    return unit.last("User") or ("each user" if of_users else "root")


def _environment(unit: Unit) -> Mapping[str, str | None]:
    pairs = (word for line in unit.settings.get("Environment", ()) for word in command_line(line))
    parts = (word.partition("=") for word in pairs)
    return {name: value for name, mark, value in parts if mark}


def command_line(text: str) -> list[str]:
    """Return the words of a command line, as a shell splits them."""
    try:
        return shlex.split(text[:32_000])[:500]
    except ValueError:
        return text[:32_000].split()[:500]


def command_role(argv: list[str], catalogue: Catalogue) -> tuple[Role, str] | None:
    """Return what a command line starts for AI, and the image where it runs a container of it."""
    if not argv:
        return None
    role = started_role(argv, catalogue)
    if role is not None and not role.ambiguous:
        return role, ""
    if posixpath.basename(argv[0]) in _RUNTIMES and "run" in argv[1:4]:
        for word in argv[1:]:
            for service in catalogue.services.contained(word) if "/" in word or ":" in word else ():
                program = catalogue.programs.get(service.name)
                if program is not None:
                    return Role(service.name, program.name, program.surface, program.role), word
    return None
