"""Instruction texts in code: prompts as assets, and what is odd about each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from keepwall.discover.source import FileView, TreeContext, asset
from keepwall.formats.snake_case import snake_case
from keepwall.formats.source.model import Module
from keepwall.vocabulary.asset import Asset, AssetKind, Relation, RelationKind
from keepwall.vocabulary.fact import Fact
from keepwall.vocabulary.json_value import JsonValue
from keepwall.vocabulary.scan import Observation
from keepwall.vocabulary.surface import Surface

SHORTEST = 80
"""Shorter instruction texts are facts, and no assets of their own."""

_PROMPT = re.compile(
    r"(?:.*_)?(?:prompts?|instructions?|system_?(?:message|instructions?)|persona|backstory)"
    r"(?:_(?:template|text|str|string|prefix|suffix|default|base|v\d+|[a-z]{2}))*|prompt_\w+|system"
)
_TEMPLATE = re.compile(r".*(?:template|content|message)s?")
_INSTRUCTS = re.compile(
    r"(?i)\b(?:you are (?:an?|the)\b|your (?:task|job|goal|role) is"
    r"|you (?:must|should|will be given)|answer the (?:question|user)|given the following"
    r"|respond (?:with|in|only)|as an (?:ai|expert)|(?:analyze|summari[sz]e|evaluate|extract"
    r"|generate|classify|rewrite|translate) (?:the|this|these|a|an)\b)"
)
_SURE = re.compile(r"system|instruction|persona|backstory|llm_prompt|prompt_template")
_NOT = re.compile(
    r".*(?:description|help|tooltip|placeholder|label|error)\Z|.*(?:install|setup|usage|build)_.*"
)


@dataclass(frozen=True, slots=True)
class Prompt:
    """An instruction text with the name that tells it from others of its file."""

    name: str
    text: str
    role: str
    line: int
    size: int
    scope: str


def find_prompts(module: Module, context: TreeContext) -> Iterator[Prompt]:
    """Yield the instruction texts of a module, each place once."""
    seen: set[int] = set()
    told: set[str] = set()
    for message in module.messages:
        seen.add(message.line)
        text = str(message.value)
        told.add(text)
        yield Prompt(message.target, text, message.target, message.line, len(text), "")
    for call in module.calls:
        if context.catalogue.imported(call.function) is None:
            continue
        for name in _arguments(call.function):
            value = call.arguments.get(name)
            if isinstance(value, str) and value and call.line not in seen:
                seen.add(call.line)
                told.add(value)
                label = ".".join(filter(None, (call.target or call.scope, "system")))
                yield Prompt(label, value, "system", call.line, len(value), call.scope)
    for each in module.templates:
        key = snake_case(each.key.rpartition(".")[2])
        if each.line in seen or each.text in told:
            continue
        if _is_prompt(each.key, key, each.text):
            seen.add(each.line)
            role = "system" if "system" in key else "template"
            yield Prompt(each.key, each.text, role, each.line, each.size, each.scope)


def _is_prompt(written: str, key: str, text: str) -> bool:
    """Return whether a text that is given to `key` instructs a model.

    A prompt may also be what a person is asked; only constants and system prompts need no proof.
    """
    if _NOT.fullmatch(key):
        return False
    if _PROMPT.fullmatch(key) and (written.isupper() or _SURE.search(key)):
        return True
    maybe = _PROMPT.fullmatch(key) or _TEMPLATE.fullmatch(key)
    return maybe is not None and _INSTRUCTS.search(text) is not None


def _arguments(function: str) -> tuple[str, ...]:
    if function.endswith(".SystemMessage"):
        return ("content", "0")
    return ("instructions", "system_prompt", "system_message", "system", "backstory")


def observe_prompts(
    module: Module, view: FileView, context: TreeContext, holder: Asset
) -> Iterator[Observation]:
    """Yield the prompts of a module, which `holder` uses."""
    names: dict[str, int] = {}
    for prompt in find_prompts(module, context):
        name = ".".join(filter(None, (prompt.scope, prompt.name)))[-100:]
        names[name] = names.get(name, 0) + 1
        name += f"-{names[name]}" if names[name] > 1 else ""
        yield from observe_prompt(prompt, name, view, context, holder)


def observe_prompt(
    prompt: Prompt, name: str, view: FileView, context: TreeContext, holder: Asset
) -> Iterator[Observation]:
    """Yield an instruction text; one of some length is an asset."""
    yield prompt_fact(prompt.text, prompt.role, view, context, holder, prompt.line, prompt.size)
    if prompt.size < SHORTEST:
        return
    key = f"{view.path}#{name}" if name else view.path
    shown = name or view.path.rpartition("/")[2]
    found = asset(
        context,
        AssetKind.PROMPT,
        key,
        shown,
        Surface.AGENT,
        view.at(prompt.line),
        {"role": prompt.role},
    )
    yield found
    yield Relation(holder.id, RelationKind.USES, found.id)


def prompt_fact(
    text: str,
    role: str,
    view: FileView,
    context: TreeContext,
    holder: Asset,
    line: int,
    size: int = 0,
) -> Fact:
    """Return the fact about an instruction text: its length and what is odd about it."""
    scanned = text[:200_000]
    markers = [name for name, each in context.catalogue.markers.items() if each.search(scanned)]
    value: dict[str, JsonValue] = {"role": role, "length": size or len(text), "markers": markers}
    return Fact("prompt.text", holder.id, value, view.path, line)
