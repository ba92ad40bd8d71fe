"""Instruction files for models and agents, told by their place, their name and their shape."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from keepwall.discover.code_prompts import Prompt, observe_prompt
from keepwall.discover.path_context import path_context
from keepwall.discover.source import FileView, Source, TreeContext
from keepwall.vocabulary.scan import Observation

_FOLDERS = frozenset({"prompts", "prompt_templates", "prompt-templates", "system_prompts"})
_TEXTS = (".md", ".txt", ".jinja", ".jinja2", ".j2", ".tmpl", ".hbs", ".xml", ".prompt", ".liquid")
_STRUCTURED = (".yaml", ".yml", ".json", ".toml")
_NOT = ("readme", "license", "changelog", "_", ".", "package", "tsconfig", "requirements")
_RULES = (".md", ".mdc", ".txt", ".toml")
_PROMPTFOO = ("promptfooconfig.yaml", "promptfooconfig.yml", "promptfooconfig.json")
_MESSAGES = re.compile(
    r"[\"']?\brole[\"']?\s*:\s*[\"']?(?:system|user|assistant|developer|human|ai)\b"
)
_TEMPLATE = re.compile(
    r"(?im)^[\s\"'-]*(?:system|user|prompt|template|instructions?|messages|few_?shots?|examples)[\w-]*[\"']?\s*:"
)


def _wants(path: str, context: TreeContext) -> bool:
    return _role(path, context) != ""


def _role(path: str, context: TreeContext) -> str:
    """Return what the texts of a file are for, by its path alone; empty where it holds none."""
    name = posixpath.basename(path).lower()
    files = context.catalogue.files
    if name in files["prompt_names"]:
        return "system" if "system" in name else "instructions"
    if any(f"/{each}" in f"/{path}" for each in files["instruction_folders"]):
        return "instructions" if name.endswith(_RULES) and not name.startswith("readme") else ""
    if name.endswith(tuple(files["prompt_suffixes"])):
        return "instructions" if name.endswith((".mdc", ".instructions.md")) else "template"
    if name in _PROMPTFOO:
        return "evaluation"
    if name == "conventions.md":
        beside = context.near.files(posixpath.dirname(path))
        return "instructions" if ".aider.conf.yml" in beside else ""
    folder = posixpath.basename(posixpath.dirname(path)).lower()
    inside = folder in _FOLDERS and not name.startswith(_NOT)
    told = re.fullmatch(files["prompt_stem"], name.partition(".")[0]) is not None
    if path_context(path) == "docs" or not (inside or told):
        return ""
    if name.endswith(_TEXTS):
        return "system" if "system" in name else "template"
    shots = re.search(r"few_?-?shots?|examples?", name)
    return ("few-shot" if shots else "template") if name.endswith(_STRUCTURED) else ""


def _observe(view: FileView, context: TreeContext) -> Iterator[Observation]:
    role = _role(view.path, context)
    if view.name.endswith(_STRUCTURED) and role != "evaluation" and not _is_of_prompts(view):
        return
    prompt = Prompt("", view.text, role, 0, len(view.text), "")
    yield from observe_prompt(prompt, "", view, context, context.project)


def _is_of_prompts(view: FileView) -> bool:
    """Return whether a structured text holds messages or a template."""
    head = view.text[:50_000]
    return _MESSAGES.search(head) is not None or _TEMPLATE.search(head) is not None


PROMPTS = Source("prompt", _wants, _observe)
