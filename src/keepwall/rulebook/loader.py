"""Reads rule files, and refuses every rule that is not complete and true to the vocabulary."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib.resources.abc import Traversable

from keepwall.rulebook.examples import examples
from keepwall.rulebook.frameworks import FRAMEWORKS, controls
from keepwall.rulebook.match import Clause, clauses, known_field
from keepwall.rulebook.repair import repairs
from keepwall.rulebook.rule import Rule
from keepwall.rulebook.source import MAX_RULE_BYTES, Marked, parse
from keepwall.vocabulary.errors import RuleError
from keepwall.vocabulary.surface import Severity, Surface

PLACEHOLDER = re.compile(r"\{([A-Za-z0-9_.]{1,80})\}")
_ID = re.compile(r"[A-Z]{2,8}-([A-Z]{3})-\d{3}")
_REQUIRED = frozenset(
    {"id", "title", "severity", "surface", "why", "fix", "message", "match", "examples"}
)
_KEYS = _REQUIRED | {"mappings", "repair"}
_MAX_FILES = 5_000
_MAX_DEPTH = 8


def rules_below(root: Traversable) -> Iterator[Rule]:
    """Yield the rules in the file `root`, or in every ``*.yaml`` below it in the order of names.

    Raises:
        RuleError: the place does not exist, holds too much, or a rule in it is wrong.
    """
    if root.is_file():
        yield read_rule(root)
        return
    if not root.is_dir():
        raise RuleError("there is no such file or directory", place=str(root))
    for count, file in enumerate(_files(root, 0)):
        if count >= _MAX_FILES:
            raise RuleError(f"more than {_MAX_FILES} rule files", place=str(root))
        yield read_rule(file)


def _files(folder: Traversable, depth: int) -> Iterator[Traversable]:
    if depth > _MAX_DEPTH:
        raise RuleError("folders are nested too deeply", place=str(folder))
    for entry in sorted(folder.iterdir(), key=lambda each: each.name):
        if entry.is_dir():
            yield from _files(entry, depth + 1)
        elif entry.name.endswith((".yaml", ".yml")):
            yield entry


def read_rule(file: Traversable) -> Rule:
    """Return the rule in `file`; raises RuleError with its ``path:line``."""
    try:
        with file.open("rb") as stream:
            data = stream.read(MAX_RULE_BYTES + 1)
        text = data.decode("utf-8")
    except OSError as error:
        raise RuleError(f"cannot be read: {error.strerror}", place=f"{file}:1") from error
    except UnicodeDecodeError as error:
        raise RuleError("not UTF-8 text", place=f"{file}:1") from error
    return rule_from(parse(text, str(file)))


def rule_from(node: Marked) -> Rule:
    """Return the rule that `node` writes down.

    Raises:
        RuleError: a key is unknown or missing, or a value is not in the vocabulary.
    """
    node.keys_within(_KEYS, _REQUIRED)
    entries = node.mapping()
    surface = Surface(_one_of(entries["surface"], tuple(Surface)))
    match = clauses(entries["match"])
    entries["examples"].keys_within(
        frozenset({"failing", "passing"}), frozenset({"failing", "passing"})
    )
    proof = entries["examples"].mapping()
    return Rule(
        id=_id(entries["id"], surface),
        title=entries["title"].text().strip(),
        severity=Severity(_one_of(entries["severity"], tuple(Severity))),
        surface=surface,
        why=entries["why"].text().strip(),
        fix=entries["fix"].text().rstrip(),
        message=_message(entries["message"], match),
        mappings=_mappings(entries["mappings"]) if "mappings" in entries else {},
        match=match,
        failing=examples(proof["failing"]),
        passing=examples(proof["passing"]),
        place=f"{node.origin}:{entries['id'].line}",
        repairs=repairs(entries["repair"]) if "repair" in entries else (),
    )


def _one_of(node: Marked, names: tuple[str, ...]) -> str:
    if node.value not in names:
        raise node.error(f"{node.value!r} is not one of {', '.join(names)}")
    return node.text()


def _id(node: Marked, surface: Surface) -> str:
    found = _ID.fullmatch(node.text())
    if not found:
        raise node.error("an id looks like KW-NOT-001", hint="prefix, surface, number")
    if found[1] != surface[:3].upper():
        raise node.error(f"the id of a rule of this surface holds -{surface[:3].upper()}-")
    return node.text()


def _message(node: Marked, match: tuple[Clause, ...]) -> str:
    text = node.text().strip()
    for name in PLACEHOLDER.findall(text):
        if not any(known_field(clause.fact, name) for clause in match):
            raise node.error(f"nothing that this rule looks for has a field {name!r}")
    if any(brace in PLACEHOLDER.sub("", text) for brace in "{}"):
        raise node.error("a brace in the message belongs to no placeholder")
    return text


def _mappings(node: Marked) -> Mapping[str, tuple[str, ...]]:
    node.keys_within(frozenset(FRAMEWORKS))
    for framework, entry in node.mapping().items():
        known = controls(framework)
        for control in entry.items():
            if control.text() not in known:
                raise control.error(f"{control.text()} is not in {FRAMEWORKS[framework]}")
    return {
        framework: tuple(control.text() for control in entry.items())
        for framework, entry in node.mapping().items()
    }
