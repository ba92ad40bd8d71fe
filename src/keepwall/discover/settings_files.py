"""Settings in YAML, JSON, TOML, INI and ``.env`` files: models and services of AI that they name.

A file of more than `LARGEST` bytes is data and no settings; it is left to the other sources.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from keepwall.discover.code_models import observe_texts
from keepwall.discover.service_index import Service
from keepwall.discover.services import service_used
from keepwall.discover.source import FileView, Source, TreeContext
from keepwall.formats.settings_text import Setting, read_settings
from keepwall.formats.source.model import Text
from keepwall.vocabulary.asset import Location
from keepwall.vocabulary.scan import Observation

LARGEST = 256 << 10
_MOST_MODELS = 40
"""A gateway may route to many models; a file with more than this tells what exists."""

_ENDINGS = (
    ".yaml",
    ".yml",
    ".json",
    ".jsonc",
    ".toml",
    ".ini",
    ".cfg",
    ".conf",
    ".properties",
    ".env",
)
_HINT = re.compile(rb"(?i)model|llm|embed|api[_-]?key|://|_url|_host|_token")
_NOT = frozenset(
    {"package.json", "package-lock.json", "tsconfig.json", "composer.lock", "pnpm-lock.yaml"}
    | {"tokenizer.json", "tokenizer_config.json", "vocab.json", "special_tokens_map.json"}
    | {"model.safetensors.index.json", "pyproject.toml", "setup.cfg", "manifest.json"}
)
_NOT_FOLDERS = re.compile(
    r"(?:^|/)(?:cassettes|locales?|i18n|translations|snapshots|__snapshots__|schemas?)/"
)
_NOT_NAMES = re.compile(r"(?:lock|schema|openapi|swagger|prices?|pricing|costs?|context_window)")
_REFERENCE = re.compile(r"[$<{%]")


def _wants(path: str, _context: TreeContext) -> bool:
    name = posixpath.basename(path).lower()
    return (
        (name.endswith(_ENDINGS) or name.startswith(".env"))
        and name not in _NOT
        and _NOT_NAMES.search(name) is None
        and _NOT_FOLDERS.search(path) is None
    )


def _observe(view: FileView, context: TreeContext) -> Iterator[Observation]:
    if len(view.data) > LARGEST or b"\0" in view.data[:8_000] or not _HINT.search(view.data):
        return
    settings = list(read_settings(view.name, view.text))
    seen: dict[Service, tuple[str, int]] = {}
    for service, via, line in _services(settings, context):
        seen.setdefault(service, (via, line))
    for service, (via, line) in seen.items():
        place = Location(view.path, line)
        yield from service_used(service, via, context.project, place, context)
    texts = list(_texts(settings))
    project = context.project
    yield from observe_texts(texts, frozenset(), view, context, project, most=_MOST_MODELS)


def _services(settings: list[Setting], context: TreeContext) -> Iterator[tuple[Service, str, int]]:
    index = context.catalogue.services
    for each in settings:
        last = each.key.rpartition(".")[2]
        if last.isupper():
            for service in index.configured(last):
                yield service, "environment", each.line
        if "://" in each.value:
            for service in index.addressed(each.value):
                yield service, "url", each.line


def _texts(settings: list[Setting]) -> Iterator[Text]:
    """Yield what may name models; entries of a list of models count by their own keys."""
    for each in settings:
        if each.value and not _REFERENCE.search(each.value) and " " not in each.value:
            yield Text(each.value, each.key, each.line)


SETTINGS_FILES = Source("settings", _wants, _observe)
