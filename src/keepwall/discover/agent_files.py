"""Agents and pipelines that YAML files define: CrewAI's agents, DVC's stages, MLflow's projects."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from keepwall.discover.code_prompts import Prompt, observe_prompt
from keepwall.discover.hosted_models import hosted_model
from keepwall.discover.source import FileView, Source, TreeContext, asset, uses
from keepwall.formats.safe_yaml import YamlLimits, YamlMap, YamlValue, load_yaml
from keepwall.vocabulary.asset import Asset, AssetKind, Location, Relation, RelationKind
from keepwall.vocabulary.scan import Observation
from keepwall.vocabulary.surface import Surface

_AGENTS = ("agents.yaml", "agents.yml")
_PIPELINES = {"dvc.yaml": "dvc", "mlproject": "mlflow"}
_PARTS = ("role", "goal", "backstory")


def _wants(path: str, _context: TreeContext) -> bool:
    name = posixpath.basename(path).lower()
    return name in _AGENTS or name in _PIPELINES


def _observe(view: FileView, context: TreeContext) -> Iterator[Observation]:
    limits = YamlLimits(nodes=context.limits.nodes, depth=context.limits.nesting)
    documents = load_yaml(view.data, limits)
    if view.name in _PIPELINES:
        yield from _pipeline(view, context, _PIPELINES[view.name])
        return
    for document in documents:
        table = document if isinstance(document, YamlMap) else YamlMap()
        for name, entry in table.items():
            parts = _texts(entry)
            if sum(each in parts for each in _PARTS) > 1:
                yield from _agent(name, parts, table.line_of(name), view, context)


def _texts(entry: YamlValue) -> dict[str, str]:
    found = entry.items() if isinstance(entry, YamlMap) else ()
    return {key: value for key, value in found if isinstance(value, str)}


def _agent(
    name: str, parts: dict[str, str], line: int, view: FileView, context: TreeContext
) -> Iterator[Observation]:
    agent = asset(
        context,
        AssetKind.AGENT,
        f"{view.path}#{name}",
        name,
        Surface.AGENT,
        view.at(line),
        {"framework": "crewai"},
    )
    yield agent
    yield uses(context.project, agent)
    text = "\n".join(parts[each] for each in _PARTS if each in parts)
    prompt = Prompt(name, text, "system", line, len(text), "")
    yield from observe_prompt(prompt, name, view, context, agent)
    model = context.catalogue.models.recognise(parts.get("llm", ""), "llm")
    if model is not None:
        yield from hosted_model(model, "chat", agent, Location(view.path, line), context)


def _pipeline(view: FileView, context: TreeContext, engine: str) -> Iterator[Observation]:
    found: Asset = asset(
        context,
        AssetKind.PIPELINE,
        f"{view.path}#{engine}",
        engine,
        Surface.PIPELINE,
        view.at(),
        {"engine": engine},
    )
    yield found
    yield Relation(context.project.id, RelationKind.USES, found.id)


AGENT_FILES = Source("agent-files", _wants, _observe)
