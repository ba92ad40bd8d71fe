"""``[[registrations]]`` of a configuration file: how a running thing is recognised."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from keepwall.formats.spiffe import checked_spiffe_id
from keepwall.vocabulary.errors import ConfigError, FormatError
from keepwall.vocabulary.identity import Registration

SELECTORS: Mapping[str, str] = {
    "unix:user": "name of the user that it runs as",
    "unix:uid": "number of the user that it runs as",
    "unix:group": "name of the group that it runs as",
    "unix:program": "absolute path of the program that is started, links followed",
    "keepwall:envelope": "name of the envelope that it is started in",
    "keepwall:node": "name of this machine in events",
}
"""Every selector that something here can be recognised by, with what its value is."""
FIELDS = ("spiffe", "selectors", "owner")
_MOST = 1_000
_LONGEST = 1_024


def registrations(entries: object, place: Callable[[int], str]) -> tuple[Registration, ...]:
    """Return the registrations in `entries` of a TOML file; `place` says where number n stands.

    Raises:
        ConfigError: an entry is wrong; names the file and the entry.
    """
    if not isinstance(entries, list) or not all(isinstance(each, dict) for each in entries):
        raise ConfigError(
            "registrations are tables", place=place(0), hint="start with [[registrations]]"
        )
    if len(entries) > _MOST:
        raise ConfigError(f"more than {_MOST} registrations", place=place(_MOST))
    found: list[Registration] = []
    for number, entry in enumerate(entries):
        one = _registration(entry, f"{place(number)}: registration {number + 1}")
        if one in found:
            raise ConfigError(
                f"says the same as registration {found.index(one) + 1}",
                place=f"{place(number)}: registration {number + 1}",
            )
        found.append(one)
    return tuple(found)


def _registration(entry: Mapping[str, Any], place: str) -> Registration:
    if unknown := sorted(set(entry) - set(FIELDS)):
        raise ConfigError(
            f"there is no field {unknown[0]!r}", place=place, hint=f"fields: {', '.join(FIELDS)}"
        )
    for name in FIELDS:
        if not entry.get(name):
            raise ConfigError(f"{name} is missing or empty", place=place)
    selectors = entry["selectors"]
    if not isinstance(selectors, dict):
        raise ConfigError(
            "selectors are a table", place=place, hint='selectors = {"unix:user" = "ml"}'
        )
    spiffe = _text(entry["spiffe"], "spiffe", place)
    try:
        checked_spiffe_id(spiffe)
    except FormatError as error:
        raise ConfigError(f"spiffe: {error.message}", place=place, hint=error.hint) from error
    if spiffe.count("/") == 2:  # noqa: PLR2004 - the two of spiffe://
        raise ConfigError(
            f"{spiffe} is a trust domain, not something that runs", place=place, hint="add a path"
        )
    owner = _text(entry["owner"], "owner", place)
    return Registration(spiffe, _selectors(selectors, place), owner)


def _selectors(given: Mapping[str, Any], place: str) -> Mapping[str, str]:
    for name, value in given.items():
        if name not in SELECTORS:
            raise ConfigError(
                f"there is no selector {name[:80]!r}",
                place=place,
                hint=f"known: {', '.join(SELECTORS)}",
            )
        if not _text(value, name, place).startswith("/") and name == "unix:program":
            raise ConfigError(f"{name} must be an absolute path", place=place)
    return dict(given)


def _text(value: object, name: str, place: str) -> str:
    """Return `value`, which must be a line of text that shows as what it is."""
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise ConfigError(f"{name} must be text in quotes, on one line", place=place)
    if len(value) > _LONGEST and name != "spiffe":
        raise ConfigError(f"{name} has more than {_LONGEST} characters", place=place)
    return value


def recognised(
    known: Sequence[Registration], seen: Mapping[str, str]
) -> tuple[Registration | None, str]:
    """Return the one registration that fits what was `seen`, or None, and why it is none.

    Raises:
        ConfigError: registrations of different identities fit, so nobody knows who it is.
    """
    fitting = [each for each in known if each.recognises(seen)]
    identities = sorted({each.spiffe for each in fitting})
    if len(identities) > 1:
        raise ConfigError(
            f"two registrations fit: {identities[0]} and {identities[1]}",
            hint="give one of them another selector; seen: " + _listed(seen),
        )
    return (fitting[0], "") if fitting else (None, "no registration fits " + _listed(seen))


def _listed(seen: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in sorted(seen.items()))
