"""Turns what a run used into a least-privilege envelope that a person can read."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache

from keepwall.content.sensitive_paths import is_sensitive
from keepwall.decide.paths import PathSet
from keepwall.enforce.runtime import tables
from keepwall.enforce.runtime.compile import baseline
from keepwall.enforce.runtime.learn import Used
from keepwall.enforce.runtime.policy import Use
from keepwall.vocabulary.decision import Plane, Strength
from keepwall.vocabulary.envelope import (
    AddressRule,
    Envelope,
    FileSection,
    NetworkSection,
    PathRule,
    ProcessSection,
)

_EPHEMERAL = 32_768
"""Ports from here on are handed out, not chosen (ip_local_port_range)."""
_TOGETHER = 4
"""From this many files in one directory on, the directory is what was meant."""
TEMPORARY = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108 - named to be recognised, not used
_CACHE = "/__pycache__/"
_LIBRARY = re.compile(r".*/(?:(?:site|dist)-packages|lib/python3\.\d+)/")
_BROAD = frozenset({"/", "/home", "/root", "/etc", "/usr", "/var", "/dev", "/proc", "/sys", "/run"})


@dataclass(frozen=True, slots=True)
class Draft:
    """A learned envelope, and what was left out of it on purpose, in lines for a person."""

    envelope: Envelope
    left_out: tuple[str, ...]


def draft(used: Used, name: str, home: str) -> Draft:
    """Return the envelope of what was `used`.

    Places of credentials never become normal by being used; what no tier here can express
    (datagrams) is left out; both are said in `left_out`.
    """
    left_out = sorted(
        {
            f"{verb} {path}: a place of credentials"
            for verb, paths in (
                ("reading", used.files[Use.READ]),
                ("writing", used.files[Use.WRITE]),
                ("starting", used.files[Use.EXECUTE]),
                ("listing", used.listed),
            )
            for path in paths
            if is_sensitive(path)
        }
    )
    left_out += sorted(
        f"{path!a}: an envelope cannot say this name" for path in _paths(used) if not _sayable(path)
    )
    used = replace(
        used,
        files={use: set(filter(_sayable, paths)) for use, paths in used.files.items()},
        changed=set(filter(_sayable, used.changed)),
        listed=set(filter(_sayable, used.listed)),
    )
    if compiled := {_cache(path) for path in used.files[Use.WRITE] if _of_library(path)}:
        left_out.append(
            f"writing {len(compiled)} bytecode caches of installed packages, such as "
            f"{min(compiled)}: who writes there changes code; Python works without"
        )
    if used.datagrams:
        left_out.append("UDP (for example DNS): cannot be held to addresses here")
    if used.overflow:
        left_out.append(f"{used.overflow} paths beyond the number that is remembered")
    return Draft(
        Envelope(
            name=name,
            planes=(Plane.RUNTIME, Plane.NETWORK),
            minimum_strength=Strength.KILLED_LATE,
            process=ProcessSection(
                allow=_literal(path for path in used.files[Use.EXECUTE] if not is_sensitive(path))
            ),
            file=_files(used, home),
            network=NetworkSection(
                egress=_addresses(used.reached - used.offered), listen=_listens(used.offered)
            ),
        ),
        tuple(left_out),
    )


def _paths(used: Used) -> set[str]:
    return used.listed.union(*used.files.values())


def _sayable(path: str) -> bool:
    """Return whether a path can stand in an envelope: text, and no sign of a pattern."""
    return path.isprintable() and not set("*?[]") & set(path)


@cache
def _tops() -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(f"({top})(?=/|$)") for (top,) in tables.rows("generalise.tsv"))


def _top(path: str) -> str:
    """Return the tree that a path belongs to by its nature, or an empty string."""
    for pattern in _tops():
        if found := pattern.match(path):
            return found[1]
    return ""


def is_system_tree(rule: str) -> bool:
    """Return whether a rule is a tree by its nature: libraries, not somebody's own directory."""
    return rule.removesuffix("/**") == _top(rule)


def _literal(paths: Iterable[str]) -> tuple[PathRule, ...]:
    return tuple(PathRule(path) for path in sorted(paths))


def _files(used: Used, home: str) -> FileSection:
    written = _writes(used, home)
    read = [path for path in used.files[Use.READ] if not is_sensitive(path)]
    trees = {top for path in read if (top := _top(path))}
    rest = [path for path in read if not _top(path)]
    crowded = Counter(os.path.dirname(path) for path in rest)
    trees |= {
        directory
        for directory, count in crowded.items()
        if count >= _TOGETHER and _may_widen(directory, home)
    }
    rules = {f"{tree}/**" for tree in trees}
    rules |= {rule for rule in written if rule.endswith("/**")}
    known = PathSet.of(PathRule(rule) for rule in _outermost(rules))
    own = PathSet.of(PathRule(path) for use, path in baseline() if use is Use.READ)
    rules |= {
        path
        for path in [*rest, *used.listed]
        if not known.match(path) and not own.match(path) and not is_sensitive(path)
    }
    return FileSection(
        read=tuple(PathRule(rule) for rule in _outermost(rules)),
        write=tuple(PathRule(rule) for rule in written),
    )


def _writes(used: Used, home: str) -> Sequence[str]:
    """Return the rules for writing: directories where files come and go, else the files."""
    rules: set[str] = set()
    needed = PathSet.of(PathRule(path) for use, path in baseline() if use is Use.WRITE)
    for path in used.files[Use.WRITE]:
        if is_sensitive(path) or needed.match(path) or _of_library(path):
            continue
        if cache := _cache(path):  # it stays where learning made it, so its directory stays closed
            rules.add(f"{cache}/**")
            continue
        temporary = next((top for top in TEMPORARY if path.startswith(top + "/")), "")
        parent = os.path.dirname(path)
        if temporary and path.count("/") == temporary.count("/") + 1:
            rules.add(f"{temporary}/**")  # a random name directly in a temporary directory
        elif path in used.changed and _may_widen(parent, home):
            rules.add(f"{parent}/**")
        else:
            rules.add(path)
    return _outermost(rules)


def _cache(path: str) -> str:
    """Return the directory of compiled Python that holds `path` or is it, or an empty string."""
    before, mark, _ = f"{path}/".partition(_CACHE)
    return before + mark.rstrip("/") if mark else ""


def _of_library(path: str) -> bool:
    """Return whether `path` is compiled code of an installed package or of Python itself."""
    return bool(_LIBRARY.match(path)) and _CACHE in f"{path}/"


def _may_widen(directory: str, home: str) -> bool:
    return directory not in _BROAD and directory != home and not is_sensitive(directory + "/x")


def _outermost(rules: Iterable[str]) -> Sequence[str]:
    """Return the rules that no other rule covers, sorted."""
    found: list[str] = []
    trees: list[PathRule] = []
    for rule in sorted(rules, key=lambda each: (each.removesuffix("/**"), each[-1] != "*")):
        if not PathSet.of(trees, str).match(rule.removesuffix("/**") or "/"):
            found.append(rule)
            if rule.endswith("/**"):
                trees.append(PathRule(rule))
    return found


def _addresses(seen: Iterable[tuple[str, int]]) -> tuple[AddressRule, ...]:
    """Return one rule per address with its ports."""
    ports: dict[str, set[int]] = {}
    for address, port in seen:
        ports.setdefault(address, set()).add(port)
    return tuple(AddressRule(address, tuple(sorted(ports[address]))) for address in sorted(ports))


def _listens(seen: Iterable[tuple[str, int]]) -> tuple[AddressRule, ...]:
    """Return where it listened; ports that the system or a library picked anew are any port."""
    found = {(address, 0 if port == 0 or port >= _EPHEMERAL else port) for address, port in seen}
    any_port = {address for address, port in found if port == 0}
    return tuple(
        AddressRule(address, () if address in any_port else (port,))
        for address, port in sorted(found)
        if port == 0 or address not in any_port
    )
