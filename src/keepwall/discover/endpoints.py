"""Addresses of AI that settings name: which endpoint a project or its workloads call.

An address counts where its host is known to serve AI, or where the name of the setting or the path
says that a model is behind it. Placeholders and pages of documentation are none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from keepwall.discover.settings_files import LARGEST, SETTINGS_FILES
from keepwall.discover.source import FileView, Source, TreeContext, asset, uses, without_secrets
from keepwall.formats.settings_text import read_settings
from keepwall.formats.snake_case import snake_case
from keepwall.formats.source.model import Module
from keepwall.vocabulary.asset import Asset, AssetKind, Location
from keepwall.vocabulary.scan import Observation
from keepwall.vocabulary.surface import Surface

_ADDRESS = re.compile(r"(?:https?|grpcs?|wss?)://[^\s\"'<>${}]{3,300}\Z")
_KEY = re.compile(
    r"(?:.*[_.-])?(?:base_?urls?|api_?base(?:_?urls?)?|base_?api_?urls?|api_?urls?|endpoints?|hosts?|"
    r"(?:server|service|inference|model|llm|chat|embeddings?|completions?|openai|ollama|vllm|llama)_?ur[li]s?)\Z"
)
_OF_AI = re.compile(
    r"(?:^|[_.-])(?:open_?ai|azure_?openai|ollama|vllm|llama|llm|tgi|tei|embed\w*|rerank\w*|"
    r"litellm|anthropic|claude|gemini|mistral|bedrock|sagemaker|hugging_?face|hf|inference|"
    r"triton|lm_?studio|localai|local_?ai|whisper|transcri\w+|tts|stt)(?=$|[_.-])|openai"
)
_PATH = re.compile(
    r"/(?:openai/)?v1(?:/(?:chat/)?(?:completions|embeddings|models|messages))?/?\Z|"
    r"/api/(?:generate|chat|embeddings)\Z|/openai(?:/|\Z)|/v2/models/"
)
_VARIABLE = frozenset({"os.getenv", "os.environ.get", "decouple.config", "environs.Env.str"})
_VERSIONED = re.compile(r"/(?:api/)?v\d\w*(?:/|\Z)|/api(?:/|\Z)")
_NOT_KEY = re.compile(
    r"(?:docs?|documentation|homepage|website|repository|issues|readme|privacy|terms|logo|image|"
    r"avatar|icon|signup|console|dashboard|keys?|redirect|callback|origin|cors|schema|proxy|\$id)"
    r"(?:_?ur[li]s?)?\Z|tokens?_?ur[li]"
)
_NOWHERE = re.compile(
    r"(?i)(?:^|[.-])(?:example|examples|invalid|yourdomain|yourcompany|domain|hostname|placeholder)"
    r"(?:$|[.-])|your[-_]|my[-_]|[-_]here\b|xxx|changeme|^test\.|\.\.\."
)


def _observe(view: FileView, context: TreeContext) -> Iterator[Observation]:
    if len(view.data) > LARGEST or b"://" not in view.data or b"\0" in view.data[:8_000]:
        return
    seen: set[str] = set()
    for each in read_settings(view.name, view.text):
        url = each.value.strip().rstrip(",;")
        if "://" not in url or url in seen or not _is_endpoint(each.key, url, context):
            continue
        seen.add(url)
        setting = each.key.rpartition(".")[2][:100]
        about = {"evidence": "configuration", "setting": setting}
        yield from _endpoint(url, about, view.at(each.line), context, context.project)


def observe_code_endpoints(
    module: Module, view: FileView, context: TreeContext, holder: Asset
) -> Iterator[Observation]:
    """Yield the addresses of AI that code writes out, as settings do or because it calls them."""
    seen: set[str] = set()
    for key, value, line in _written(module):
        url = value.strip()
        if "://" in url and url not in seen and _is_in_code(key, url, context):
            seen.add(url)
            yield from _endpoint(url, {"evidence": "code"}, view.at(line), context, holder)


def _written(module: Module) -> Iterator[tuple[str, str, int]]:
    """Yield texts with what they are given to; the default of a variable is given to that."""
    for text in module.texts:
        yield text.key, text.value, text.line
    for call in module.calls:
        name, default = call.arguments.get("0"), call.arguments.get("1")
        if call.function in _VARIABLE and isinstance(name, str) and isinstance(default, str):
            yield name, default, call.line


def _endpoint(
    url: str,
    about: Mapping[str, str],
    place: tuple[Location, ...],
    context: TreeContext,
    holder: Asset,
) -> Iterator[Observation]:
    shown = without_secrets(url).partition("?")[0]
    found = asset(context, AssetKind.ENDPOINT, shown, shown, Surface.INFERENCE, place, about)
    yield found
    yield uses(holder, found)


def _is_in_code(written: str, url: str, context: TreeContext) -> bool:
    """Return whether a literal is an address of AI, by its name or as a host known for its API."""
    if _is_endpoint(written, url, context):
        return True
    if not _ADDRESS.match(url) or not any(context.catalogue.services.addressed(url)):
        return False
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").lower()
    except ValueError:
        return False
    last = snake_case(written.rpartition(".")[2])
    if _NOT_KEY.search(last) or _NOWHERE.search(host):
        return False
    return _PATH.search(parts.path) is not None or (
        host.startswith(("api.", "api-")) and _VERSIONED.match(parts.path) is not None
    )


def _is_endpoint(written: str, url: str, context: TreeContext) -> bool:
    """Return whether the setting `written` holds, in `url`, the address of AI."""
    if not _ADDRESS.match(url):
        return False
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        return False
    last = snake_case(written.rpartition(".")[2])
    if not host or _NOWHERE.search(host) or _NOT_KEY.search(last) or not _KEY.match(last):
        return False
    known = any(context.catalogue.services.addressed(url))
    program, surface = context.catalogue.ports.get(port or 0, ("", Surface.PIPELINE))
    served = bool(program) and surface is Surface.INFERENCE
    told = _OF_AI.search(snake_case(written)) is not None
    return (
        (known and told)
        or (told and (served or _is_api(parts.path, host)))
        or (served and _PATH.search(parts.path) is not None)
    )


def _is_api(path: str, host: str) -> bool:
    """Return whether a path, or a bare address of the own network, is one of an API of models."""
    inside = "." not in host or host.endswith((".internal", ".local", ".svc")) or host[0].isdigit()
    return _PATH.search(path) is not None or (inside and path in ("", "/"))


ENDPOINTS = Source("endpoints", SETTINGS_FILES.wants, _observe)
