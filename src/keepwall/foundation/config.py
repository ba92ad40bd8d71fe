"""Settings: flag > environment (``KEEPWALL_*``) > file, each with where it came from.

The file is the one that ``--config`` names, else ``keepwall.toml`` or ``[tool.keepwall]`` of the
current directory. Where that directory is (inside) a target, its file has no say unless it was
named: a target's own configuration never loosens a gate (`Config.untrusted` is what was left out).
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

from keepwall.foundation.registrations import registrations
from keepwall.vocabulary.errors import ConfigError
from keepwall.vocabulary.finding import Finding
from keepwall.vocabulary.identity import Registration
from keepwall.vocabulary.surface import Severity

NAMES = ("keepwall.toml", "pyproject.toml")
DEFAULTS: Mapping[str, str] = {"fail-on": Severity.HIGH, "format": "table", "store": ""}
CHOICES: Mapping[str, tuple[str, ...]] = {
    "fail-on": tuple(each.value for each in Severity),
    "format": ("table", "json", "sarif", "cyclonedx", "ocsf", "junit"),
}
_KEYS = (*DEFAULTS, "ignore", "registrations")
IGNORE_FIELDS = ("rule", "fingerprint", "path", "reason", "owner", "expires")
MAX_BYTES = 1 << 20
_TOML_LINE = re.compile(r"\(at line (\d+)")


@dataclass(frozen=True, slots=True)
class Setting:
    """A value, and where it came from."""

    value: str
    origin: str


@dataclass(frozen=True, slots=True)
class Ignore:
    """A finding that someone answers for, until a day; `rule` or `fingerprint` says which."""

    reason: str
    owner: str
    expires: date
    place: str
    rule: str = ""
    fingerprint: str = ""
    path: str = ""

    def covers(self, finding: Finding) -> bool:
        """Return whether `finding` is what this entry is about."""
        if self.fingerprint and self.fingerprint != finding.fingerprint:
            return False
        if self.rule and self.rule != finding.rule:
            return False
        return not self.path or self.path == finding.location.path


@dataclass(frozen=True, slots=True)
class Config:
    """Every setting, the ignores and registrations that count, and a file that was left out."""

    settings: Mapping[str, Setting]
    ignores: tuple[Ignore, ...] = ()
    registrations: tuple[Registration, ...] = ()
    file: str = ""
    untrusted: str = ""

    @property
    def fail_on(self) -> Severity:
        """The severity from which findings fail a scan."""
        return Severity(self.settings["fail-on"].value)

    @property
    def format(self) -> str:
        """The format in which a scan is printed."""
        return self.settings["format"].value

    @property
    def store(self) -> str:
        """The database URL that was asked for, or an empty string for the default store."""
        return self.settings["store"].value


@dataclass(frozen=True, slots=True)
class _Document:
    """The Keepwall part of one configuration file."""

    name: str
    text: str
    values: Mapping[str, Any] = field(default_factory=dict)

    def place(self, pattern: str, ordinal: int = 0) -> str:
        """Return ``path:line`` of the `ordinal`-th line that starts with `pattern`, or the path."""
        starts = re.compile(r"\s*" + pattern)
        lines = [n for n, line in enumerate(self.text.splitlines(), 1) if starts.match(line)]
        return f"{self.name}:{lines[ordinal]}" if ordinal < len(lines) else self.name


def load_config(
    flags: Mapping[str, str | None] | None = None,
    *,
    file: Path | None = None,
    targets: Sequence[Path] = (),
    directory: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Config:
    """Return the settings that hold in `directory` (the current one) for a scan of `targets`.

    Args:
        flags: what the command line said, by setting name; None for what it left out.
        file: the configuration file that was named (``--config`` or ``KEEPWALL_CONFIG``).
        targets: the paths to be scanned; a file that is found inside one of them is left out.
        directory: where to look for a file.
        environment: the environment variables.

    Raises:
        ConfigError: a file cannot be read, or an entry is wrong; names ``path:line`` where known.
    """
    env = os.environ if environment is None else environment
    named = file or (Path(env["KEEPWALL_CONFIG"]) if env.get("KEEPWALL_CONFIG") else None)
    folder = Path() if directory is None else directory
    untrusted = ""
    if named:
        document = _read(named)
    elif any(folder.resolve().is_relative_to(target.resolve()) for target in targets):
        document, untrusted = None, _left_out(folder)
    else:
        document = _found(folder)
    settings: dict[str, Setting] = {}
    for key, default in DEFAULTS.items():
        variable = f"KEEPWALL_{key.upper().replace('-', '_')}"
        if flags and (given := flags.get(key)) is not None:
            settings[key] = _checked(key, given, f"--{key}")
        elif variable in env:
            settings[key] = _checked(key, env[variable], variable)
        elif document and key in document.values:
            settings[key] = _checked(key, document.values[key], document.place(rf"{key}\s*="))
        else:
            settings[key] = Setting(default, "default")
    return Config(
        settings=settings,
        ignores=_ignores(document) if document else (),
        registrations=_registrations(document) if document else (),
        file=document.name if document else "",
        untrusted=untrusted,
    )


def _found(directory: Path) -> _Document | None:
    """Return the file of `directory` that speaks to Keepwall, if there is one."""
    for name in NAMES:
        path = directory / name
        if path.is_file() and (document := _read(path, required=False)):
            return document
    return None


def _left_out(directory: Path) -> str:
    """Return the name of the file of `directory` that has no say; it may be broken or hostile."""
    try:
        document = _found(directory)
    except ConfigError as error:
        return error.place
    return document.name if document else ""


def _read(path: Path, *, required: bool = True) -> _Document | None:
    try:
        with path.open("rb") as source:
            data = source.read(MAX_BYTES + 1)
        text = data.decode("utf-8")
        if len(data) > MAX_BYTES:
            raise ConfigError("the configuration is larger than 1 MiB", place=str(path))
        whole = tomllib.loads(text)
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", place=str(path)) from error
    except UnicodeDecodeError as error:
        raise ConfigError("this is not UTF-8 text", place=str(path)) from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        found = _TOML_LINE.search(str(error))
        line = int(found[1]) if found else len(text.splitlines())  # "at end of document"
        place = f"{path}:{line}"
        raise ConfigError(f"this is not TOML: {error}", place=place) from error
    if path.name == "pyproject.toml":
        tool = whole.get("tool")
        values = tool.get("keepwall") if isinstance(tool, dict) else None
        if values is None and not required:
            return None
        whole = values if values is not None else {}
    document = _Document(str(path), text, whole if isinstance(whole, dict) else {})
    for key in document.values:
        if key not in _KEYS:
            close = difflib.get_close_matches(key, _KEYS, n=1)
            raise ConfigError(
                f"there is no setting {key!r}",
                place=document.place(rf"\[*(tool\.keepwall\.)?\"?{re.escape(key)}"),
                hint=f"did you mean {close[0]!r}?" if close else "keepwall config show lists them",
            )
    return document


def _checked(key: str, value: object, origin: str) -> Setting:
    if not isinstance(value, str):
        raise ConfigError(f"{key} must be text in quotes", place=origin)
    allowed = CHOICES.get(key)
    if allowed and value not in allowed:
        raise ConfigError(
            f"{key} cannot be {value!r}", place=origin, hint=f"one of {', '.join(allowed)}"
        )
    return Setting(value, origin)


def _registrations(document: _Document) -> tuple[Registration, ...]:
    header = r"(\[\[(tool\.keepwall\.)?registrations\]\]|registrations\s*=)"
    entries = document.values.get("registrations", [])
    return registrations(entries, lambda number: document.place(header, number))


def _ignores(document: _Document) -> tuple[Ignore, ...]:
    entries = document.values.get("ignore", [])
    if not isinstance(entries, list) or not all(isinstance(each, dict) for each in entries):
        raise ConfigError(
            "ignore entries are tables",
            place=document.place("ignore"),
            hint="start with [[ignore]]",
        )
    return tuple(
        _ignore(each, document.place(r"\[\[(tool\.keepwall\.)?ignore\]\]", number))
        for number, each in enumerate(entries)
    )


def _ignore(entry: Mapping[str, Any], place: str) -> Ignore:
    if unknown := sorted(set(entry) - set(IGNORE_FIELDS)):
        raise ConfigError(
            f"an ignore entry has no field {unknown[0]!r}",
            place=place,
            hint=f"fields: {', '.join(IGNORE_FIELDS)}",
        )
    if not entry.get("rule") and not entry.get("fingerprint"):
        raise ConfigError("an ignore entry needs a rule or a fingerprint", place=place)
    for name in ("reason", "owner", "expires"):
        if not entry.get(name):
            raise ConfigError(f"an ignore entry needs {name}", place=place)
    for name in set(entry) - {"expires"}:
        if not isinstance(entry[name], str):
            raise ConfigError(f"{name} must be text in quotes", place=place)
    texts = {name: value.strip() for name, value in entry.items() if name != "expires"}
    return Ignore(expires=_day(entry["expires"], place), place=place, **texts)


def _day(value: object, place: str) -> date:
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        raise ConfigError(
            "expires must be a day", place=place, hint="for example expires = 2027-01-31"
        ) from None
