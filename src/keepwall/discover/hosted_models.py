"""The asset of a model that others host, with its provider, wherever it was named."""

from __future__ import annotations

from collections.abc import Iterator

from keepwall.discover.model_names import ModelName
from keepwall.discover.services import service_asset
from keepwall.discover.source import TreeContext, asset, without_secrets
from keepwall.vocabulary.asset import Asset, AssetKind, Location, Relation, RelationKind
from keepwall.vocabulary.scan import Observation
from keepwall.vocabulary.surface import Surface


def hosted_model(
    model: ModelName,
    role: str,
    holder: Asset | str,
    place: Location,
    context: TreeContext,
    *,
    kind: RelationKind = RelationKind.USES,
    revision: str = "",
) -> Iterator[Observation]:
    """Yield a model that `holder` (an asset or its id) uses or serves, and who hosts the model."""
    found = model_asset(model, role, place, context, revision)
    yield found
    yield Relation(holder if isinstance(holder, str) else holder.id, kind, found.id)
    service = context.catalogue.services.names.get(model.provider)
    if service is not None:
        provider = service_asset(service, place, context)
        yield provider
        yield Relation(found.id, RelationKind.USES, provider.id)


def model_asset(
    model: ModelName, role: str, place: Location, context: TreeContext, revision: str = ""
) -> Asset:
    """Return the asset of a hosted model."""
    surface = Surface.REGISTRY if model.provider == "huggingface" else Surface.INFERENCE
    attributes = {"provider": model.provider}
    if role:
        attributes["role"] = role
    if revision:
        attributes["revision"] = revision
    name = without_secrets(model.name)
    key = f"{model.provider}/{name}"
    return asset(context, AssetKind.HOSTED_MODEL, key, name, surface, (place,), attributes)
