"""Training jobs and pipelines of machine learning that Python code defines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from keepwall.discover.code_references import called_model, dataset_asset
from keepwall.discover.hosted_models import model_asset
from keepwall.discover.service_index import Service
from keepwall.discover.services import service_asset
from keepwall.discover.source import FileView, TreeContext, asset
from keepwall.formats.source.model import Call, Module
from keepwall.vocabulary.asset import Asset, AssetKind, Location, Relation, RelationKind
from keepwall.vocabulary.scan import Observation
from keepwall.vocabulary.surface import Surface

_PUSHES = (".push_to_hub", ".upload_file", ".upload_folder", ".create_repo")


def observe_training(
    module: Module, view: FileView, context: TreeContext, holder: Asset
) -> Iterator[Observation]:
    """Yield the training jobs of a module: what they train on and from, where the result goes."""
    jobs: dict[str, tuple[str, int]] = {}
    for call in module.calls:
        if framework := _trains(call, module, context.catalogue.calls["training"]):
            name = call.scope or view.path.rpartition("/")[2].partition(".")[0]
            jobs.setdefault(name, (framework, call.line))
    if not jobs:
        return
    around = list(_surroundings(module, view, context))
    for name, (framework, line) in jobs.items():
        job = asset(
            context,
            AssetKind.TRAINING_JOB,
            f"{view.path}#{name}",
            name,
            Surface.PIPELINE,
            view.at(line),
            {"framework": framework},
        )
        yield job
        yield Relation(holder.id, RelationKind.USES, job.id)
        for kind, other in around:
            yield other
            yield Relation(job.id, kind, other.id)


def _trains(call: Call, module: Module, known: Mapping[str, Any]) -> str:
    """Return the framework with which a call trains a model, or an empty text."""
    function = call.function
    if framework := known["functions"].get(function):
        return str(framework)
    if function == ":loss.backward" and _optimises(module):
        return "torch"
    if not function.endswith(tuple(known["ends"])) or any(
        each in function for each in known["not"]
    ):
        return ""
    head = function.partition(".")[0] + "."
    if framework := _prefixed(function, known["prefixes"]):
        return framework
    if head in known["persisted"] and _stores(module, known["stores"]):
        return str(known["persisted"][head])
    return ""


def _prefixed(function: str, table: Mapping[str, str]) -> str:
    return next((name for prefix, name in table.items() if function.startswith(prefix)), "")


def _optimises(module: Module) -> bool:
    return any(call.function.startswith("torch.optim.") for call in module.calls)


def _stores(module: Module, names: list[str]) -> bool:
    starts = tuple(each for each in names if not each.startswith("."))
    ends = tuple(each for each in names if each.startswith("."))
    return any(
        call.function.startswith(starts) or call.function.endswith(ends) for call in module.calls
    )


def _surroundings(
    module: Module, view: FileView, context: TreeContext
) -> Iterator[tuple[RelationKind, Asset]]:
    """Yield the data sets, base models and registries that the module of a job names."""
    for call in module.calls:
        place = Location(view.path, call.line)
        data = dataset_asset(call, view, context)
        if data is not None:
            yield RelationKind.TRAINED_ON, data
        found = called_model(call, context.catalogue)
        if found is not None and found.model.provider not in ("", "local"):
            yield RelationKind.BUILT_FROM, model_asset(found.model, "", place, context)
        if call.function.endswith(_PUSHES) or call.arguments.get("push_to_hub") is True:
            hub = Service(AssetKind.MODEL_REGISTRY, "huggingface")
            yield RelationKind.USES, service_asset(hub, place, context)
        if isinstance(call.arguments.get("registered_model_name"), str):
            registry = Service(AssetKind.MODEL_REGISTRY, "mlflow")
            yield RelationKind.USES, service_asset(registry, place, context)


def observe_pipelines(
    module: Module, view: FileView, context: TreeContext, holder: Asset
) -> Iterator[Observation]:
    """Yield the pipelines that calls, decorators and classes of a module define."""
    engines = context.catalogue.calls["pipelines"]
    found: dict[str, tuple[str, int]] = {}
    for call in module.calls:
        if engine := engines.get(call.function):
            given = call.arguments.get("dag_id") or call.arguments.get("name")
            given = given or call.arguments.get("0")
            name = given if isinstance(given, str) and given else call.target or call.scope
            found.setdefault(name or "pipeline", (engine, call.line))
    for function in module.functions:
        for decorator in function.decorators:
            if engine := engines.get(decorator.function):
                given = decorator.arguments.get("name") or decorator.arguments.get("dag_id")
                name = given if isinstance(given, str) and given else function.name
                found.pop(name, None)
                found[name] = (engine, function.line)
    for each in module.classes:
        if engine := next(filter(None, map(engines.get, each.bases)), ""):
            found.setdefault(each.name, (engine, each.line))
    decorated = {line for _, line in found.values()}
    for name, (engine, line) in found.items():
        if name == "pipeline" and len(decorated) > 1:
            continue  # the call of a decorator, whose function is there by its name
        pipeline = asset(
            context,
            AssetKind.PIPELINE,
            f"{view.path}#{name}",
            name,
            Surface.PIPELINE,
            view.at(line),
            {"engine": engine},
        )
        yield pipeline
        yield Relation(holder.id, RelationKind.USES, pipeline.id)
