"""Fills the message of a rule from a fact, for a person and safe to print."""

from __future__ import annotations

import json
from collections.abc import Mapping

from keepwall.content.secrets import mask_secrets
from keepwall.rulebook.condition import Missing
from keepwall.rulebook.loader import PLACEHOLDER
from keepwall.rulebook.match import field_of
from keepwall.vocabulary.json_value import JsonValue

MAX_VALUE = 120
MAX_READ = 8_192


def render(template: str, value: Mapping[str, JsonValue]) -> str:
    """Return `template` with its placeholders filled.

    Values are cut to `MAX_VALUE` characters, lose what is not printable (terminal escapes), and
    credentials in them are masked.
    """
    return PLACEHOLDER.sub(lambda found: _shown(value, found[1]), template)


def evidence(template: str, value: Mapping[str, JsonValue]) -> str:
    """Return the values that `template` names, apart from its wording: what a fingerprint needs."""
    return " | ".join(_shown(value, name) for name in PLACEHOLDER.findall(template))


def _shown(value: Mapping[str, JsonValue], name: str) -> str:
    entry = field_of(value, name)
    if isinstance(entry, Missing) or entry is None:
        return "?"
    if isinstance(entry, (list, tuple)) and all(isinstance(part, str) for part in entry):
        text = " ".join(entry)
    else:
        text = entry if isinstance(entry, str) else json.dumps(entry, sort_keys=True)
    text = mask_secrets(text[:MAX_READ])
    text = "".join(character if character.isprintable() else " " for character in text)
    return text if len(text) <= MAX_VALUE else f"{text[: MAX_VALUE - 1]}…"
