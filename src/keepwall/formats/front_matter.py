"""Front matter: the YAML table between ``---`` lines with which instruction files begin."""

from __future__ import annotations

import re
from collections.abc import Mapping

from keepwall.formats.safe_yaml import YamlLimits, load_yaml
from keepwall.vocabulary.errors import FormatError

_LONGEST = 20_000
_LIMITS = YamlLimits(nodes=2_000, depth=10, documents=1)
_ITEM = re.compile(r"[^,()]{0,200}(?:\([^()]{0,500}\))?[^,()]{0,100}")


def front_matter(text: str) -> Mapping[str, object]:
    """Return the table at the head of `text`; empty where there is none or it is no YAML."""
    if not text.startswith("---"):
        return {}
    end = text.find("\n---", 3, _LONGEST)
    if end < 0:
        return {}
    try:
        documents = load_yaml(text[text.find("\n") + 1 : end].encode(), _LIMITS)
    except FormatError:
        return {}
    found = documents[0] if documents else None
    return found if isinstance(found, Mapping) else {}


def listed(value: object) -> list[str]:
    """Return the entries of a list, or of a text with commas: ``Read, Bash(git log:*)``."""
    if isinstance(value, list):
        return [each for each in value[:200] if isinstance(each, str)]
    if not isinstance(value, str):
        return []
    found = (match[0].strip() for match in _ITEM.finditer(value[:_LONGEST]))
    return [each for each in found if each][:200]
