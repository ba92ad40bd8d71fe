"""Reads detection rules, and refuses every rule that is not complete, evaluable and proven.

The one module that brings in pySigma: importing it takes a tenth of a second.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib.resources.abc import Traversable
from typing import Final

from keepwall.detect.condition import compile_condition
from keepwall.detect.detection import DetectionRule
from keepwall.detect.examples import read_examples
from keepwall.detect.fields import Category, field_table
from keepwall.formats.sigma import MAX_BYTES, SigmaDocument, read_sigma
from keepwall.rulebook.frameworks import FRAMEWORKS, controls
from keepwall.rulebook.source import MAX_RULE_BYTES
from keepwall.vocabulary.errors import RuleError
from keepwall.vocabulary.surface import Surface

EXAMPLES: Final = ".examples.yaml"
_RESPONSES: Final = ("contain", "alert")
_MAX_FILES: Final = 2_000
_MAX_DEPTH: Final = 8
_TECHNIQUE = re.compile(r"T\d{4}(\.\d{3})?")


def rules_below(root: Traversable, folder: Traversable | None = None) -> Iterator[DetectionRule]:
    """Yield the rule in the file `root`, or every one below it, in the order of names.

    `folder` is where the examples of a single file lie.

    Raises:
        RuleError: the place does not exist, holds too much, or a rule in it is wrong.
    """
    if root.is_dir():
        for count, (file, beside) in enumerate(_files(root, 0)):
            if count >= _MAX_FILES:
                raise RuleError(f"more than {_MAX_FILES} rule files", place=str(root))
            yield read_rule(file, beside)
    elif root.is_file() and folder is not None:
        yield read_rule(root, folder)
    else:
        raise RuleError("there is no such file or directory", place=str(root))


def _files(folder: Traversable, depth: int) -> Iterator[tuple[Traversable, Traversable]]:
    if depth > _MAX_DEPTH:
        raise RuleError("folders are nested too deeply", place=str(folder))
    for entry in sorted(folder.iterdir(), key=lambda each: each.name):
        if entry.is_dir():
            yield from _files(entry, depth + 1)
        elif entry.name.endswith((".yml", ".yaml")) and not entry.name.endswith(EXAMPLES):
            yield entry, folder


def read_rule(file: Traversable, folder: Traversable) -> DetectionRule:
    """Return the rule in `file`, proven by the examples beside it in `folder`.

    Raises:
        RuleError: the rule or its examples are wrong, or an example does not hold; with
            ``path:line``.
    """
    name = file.name.rpartition(".")[0]
    document = read_sigma(_bytes(file, MAX_BYTES), str(file))
    category = _category(document)
    surface, contain = _answer(document)
    beside = folder.joinpath(name + EXAMPLES)
    if not beside.is_file():
        raise document.error(
            f"a rule needs examples: {name}{EXAMPLES} is missing",
            hint="write `matching:` and `not_matching:`, each with at least one event",
        )
    try:
        text = _bytes(beside, MAX_RULE_BYTES).decode("utf-8")
    except UnicodeDecodeError as error:
        raise RuleError("not UTF-8 text", place=f"{beside}:1") from error
    matching, others = read_examples(text, str(beside), category)
    rule = DetectionRule(
        id=str(document.id),
        name=name,
        title=document.title,
        description=document.description,
        severity=document.level,
        surface=surface,
        contain=contain,
        mappings=_mappings(document),
        category=category,
        condition=compile_condition(document, category.fields),
        matching=matching,
        not_matching=others,
        place=f"{document.origin}:{document.lines['id']}",
    )
    _prove(rule)
    return rule


def _bytes(file: Traversable, most: int) -> bytes:
    if not file.is_file():  # a pipe would keep us waiting for ever
        raise RuleError("not a file", place=f"{file}:1")
    try:
        with file.open("rb") as stream:
            return stream.read(most + 1)
    except OSError as error:
        raise RuleError(f"cannot be read: {error.strerror}", place=f"{file}:1") from error


def _category(document: SigmaDocument) -> Category:
    table = field_table()
    if document.product and document.product not in table.products:
        raise document.error(
            f"the product is not one of {', '.join(table.products)}", at="logsource"
        )
    if document.category not in table.categories:
        raise document.error(
            f"the category is not one of {', '.join(table.categories)}", at="logsource"
        )
    return table.categories[document.category]


def _answer(document: SigmaDocument) -> tuple[Surface, bool]:
    wanted = dict(document.attributes)
    surface, response = wanted.pop("surface", None), wanted.pop("response", None)
    if surface not in tuple(Surface) or response not in _RESPONSES or wanted:
        raise document.error(
            "`keepwall` says the surface and the response, and nothing else",
            at="keepwall",
            hint=f"surface: {', '.join(Surface)}; response: {', '.join(_RESPONSES)}",
        )
    return Surface(str(surface)), response == "contain"


def _mappings(document: SigmaDocument) -> Mapping[str, tuple[str, ...]]:
    """Return the tags that are ids of a framework; ATT&CK's tactics have no id in Sigma."""
    found: dict[str, list[str]] = {}
    for tag in document.tags:
        framework, _, rest = tag.partition(".")
        control = rest.upper()
        if framework in FRAMEWORKS and control not in controls(framework):
            raise document.error(f"{control} is not in {FRAMEWORKS[framework]}", at="tags")
        if framework in FRAMEWORKS or (framework == "attack" and _TECHNIQUE.fullmatch(control)):
            found.setdefault(framework, []).append(control)
    return {framework: tuple(ids) for framework, ids in found.items()}


def _prove(rule: DetectionRule) -> None:
    for example in rule.matching:
        if not rule.matches(example.event):
            raise RuleError(f"{rule.name} does not match this example", place=example.place)
    for example in rule.not_matching:
        if rule.matches(example.event):
            raise RuleError(f"{rule.name} matches this example, and must not", place=example.place)
