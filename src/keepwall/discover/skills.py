"""Skills, commands and sub-agents: instruction files whose front matter grants tools."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Generator, Iterator, Mapping

from keepwall.discover.agent_settings import permission_value
from keepwall.discover.code_prompts import SHORTEST, prompt_fact
from keepwall.discover.hosted_models import hosted_model
from keepwall.discover.source import FileView, Source, TreeContext, asset, uses
from keepwall.formats.front_matter import front_matter, listed
from keepwall.formats.line_index import LineIndex
from keepwall.vocabulary.asset import Asset, AssetKind, Relation, RelationKind
from keepwall.vocabulary.fact import Fact
from keepwall.vocabulary.scan import Observation
from keepwall.vocabulary.surface import Surface

_AGENTS = re.compile(
    r"(?:^|/)(?:\.claude|\.opencode|\.cursor|\.github|\.gemini|\.kiro|\.factory|\.qwen)/"
    r"(?:agents?|droids)/(?:[^/]+/)*[^/]+\.md\Z"
)
_COMMANDS = re.compile(
    r"(?:^|/)(?:\.claude|\.opencode|\.cursor|\.factory|\.qwen|\.codex)/(?:commands?|prompts)/"
    r"(?:[^/]+/)*[^/]+\.md\Z"
)
_PLUGIN = re.compile(r"(?:^|/)(agents|commands)/[^/]+\.md\Z")
_SCRIPTS = (".sh", ".bash", ".py", ".js", ".ts", ".mjs", ".ps1", ".rb")
_MOST_SCRIPTS = 40
_SCRIPT_BYTES = 256 << 10
_SERVER_TOOL = re.compile(r"mcp__([\w-]{1,100}?)__([\w-]{1,100})\Z")
_NOT_AGENTS = ("readme.md", "agents.md", "claude.md")


def _role(path: str, context: TreeContext) -> str:
    """Return what an instruction file is for: skill, agent, command, or empty for none of them."""
    name = posixpath.basename(path)
    if name == "SKILL.md":
        return "skill"
    if not name.endswith(".md") or name.lower() in _NOT_AGENTS:
        return ""
    if _AGENTS.search(path):
        return "agent"
    if _COMMANDS.search(path):
        return "command"
    if found := _PLUGIN.search(path):
        above = posixpath.dirname(posixpath.dirname(path))
        if "plugin.json" in context.near.files(posixpath.join(above, ".claude-plugin")):
            return found[1].removesuffix("s")
    return ""


def _wants(path: str, _context: TreeContext) -> bool:
    return path.endswith("/SKILL.md") or path == "SKILL.md" or _maybe(path)


def _maybe(path: str) -> bool:
    found = _AGENTS.search(path) or _COMMANDS.search(path) or _PLUGIN.search(path)
    return found is not None


def _observe(view: FileView, context: TreeContext) -> Iterator[Observation]:
    role = _role(view.path, context)
    if not role:
        return
    about = front_matter(view.text)
    written = about.get("name")
    stem = posixpath.basename(view.path).partition(".")[0]
    folder = posixpath.basename(posixpath.dirname(view.path))
    name = str(written)[:100] if isinstance(written, str) else folder if role == "skill" else stem
    tools = listed(about.get("allowed-tools") or about.get("tools"))
    holder = context.project
    if role == "agent":
        holder = yield from _agent(name, about, tools, view, context)
    holder = yield from _prompt(role, name, tools, holder, view, context)
    for tool in tools:
        if found := _SERVER_TOOL.match(tool):
            key = f"{found[1]}/{found[2]}"
            known = asset(context, AssetKind.TOOL, key, found[2], Surface.AGENT, view.at())
            yield known
            yield Relation(holder.id, RelationKind.USES, known.id)
    if role != "agent" and tools:  # what a sub-agent lists is all that it has, and may still ask
        line = LineIndex(view.text).at("allowed-tools")
        value = permission_value(role, tools, [], view.path)
        yield Fact("agent.permission", holder.id, value, view.path, line)
    if role == "skill":
        yield from _scripts(holder, view, context)


def _agent(
    name: str, about: Mapping[str, object], tools: list[str], view: FileView, context: TreeContext
) -> Generator[Observation, None, Asset]:
    """Yield a sub-agent with its model, and return it."""
    model = about.get("model")
    attributes = {"framework": "client", "tools": ", ".join(tools)[:500]}
    if isinstance(model, str):
        attributes["model"] = model[:100]
    found = asset(
        context,
        AssetKind.AGENT,
        f"{view.path}#{name}",
        name,
        Surface.AGENT,
        view.at(),
        {key: value for key, value in attributes.items() if value},
    )
    yield found
    yield uses(context.project, found)
    known = context.catalogue.models.recognise(model, "model") if isinstance(model, str) else None
    if known is not None:
        yield from hosted_model(known, "chat", found, view.at()[0], context)
    return found


def _prompt(
    role: str, name: str, tools: list[str], holder: Asset, view: FileView, context: TreeContext
) -> Generator[Observation, None, Asset]:
    """Yield the instructions, and return who has the tools: the agent, else the prompt."""
    yield prompt_fact(view.text, role, view, context, holder, 0)
    if len(view.text) < SHORTEST:
        return holder
    attributes = {"role": role} | ({"tools": ", ".join(tools)[:500]} if tools else {})
    found = asset(context, AssetKind.PROMPT, view.path, name, Surface.AGENT, view.at(), attributes)
    yield found
    yield Relation(holder.id, RelationKind.USES, found.id)
    return holder if holder.kind is AssetKind.AGENT else found


def _scripts(holder: Asset, view: FileView, context: TreeContext) -> Iterator[Observation]:
    """Yield what is odd about the scripts that a skill brings along."""
    folder = posixpath.dirname(view.path)
    looked = 0
    for inner in ("", "scripts", "bin", "tools"):
        place = posixpath.join(folder, inner) if inner else folder
        for name in context.near.files(place):
            if not name.endswith(_SCRIPTS) or looked >= _MOST_SCRIPTS:
                continue
            looked += 1
            path = posixpath.join(place, name)
            data = context.near.read(path, _SCRIPT_BYTES)
            if data is None:
                continue
            fact = prompt_fact(
                data.decode("utf-8", "replace"),
                "skill-script",
                FileView(path, data),
                context,
                holder,
                0,
            )
            if fact.value["markers"]:
                yield fact


SKILLS = Source("skills", _wants, _observe)
