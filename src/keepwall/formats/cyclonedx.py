"""CycloneDX 1.6: the inventory as an ML-BOM (https://cyclonedx.org/docs/1.6/json/)."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.model import HashAlgorithm, HashType, Property, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.component_evidence import ComponentEvidence, Occurrence
from cyclonedx.model.dependency import Dependency
from cyclonedx.model.service import Service
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from keepwall.formats.plain_text import visible
from keepwall.formats.sarif import relative_uri
from keepwall.vocabulary.asset import Asset, AssetKind
from keepwall.vocabulary.scan import ScanResult

COMPONENTS: Mapping[AssetKind, ComponentType] = {
    AssetKind.PROJECT: ComponentType.APPLICATION,
    AssetKind.HOST: ComponentType.DEVICE,
    AssetKind.LIBRARY: ComponentType.LIBRARY,
    AssetKind.MODEL_FILE: ComponentType.MACHINE_LEARNING_MODEL,
    AssetKind.HOSTED_MODEL: ComponentType.MACHINE_LEARNING_MODEL,
    AssetKind.DATASET: ComponentType.DATA,
    AssetKind.NOTEBOOK: ComponentType.FILE,
    AssetKind.AGENT: ComponentType.APPLICATION,
    AssetKind.IMAGE: ComponentType.CONTAINER,
    AssetKind.WORKLOAD: ComponentType.APPLICATION,
    AssetKind.PROCESS: ComponentType.APPLICATION,
    AssetKind.PROMPT: ComponentType.DATA,
}
"""What an asset is in the BOM."""

SERVICES = frozenset(
    {
        AssetKind.ENDPOINT,
        AssetKind.MCP_SERVER,
        AssetKind.PROVIDER,
        AssetKind.INFERENCE_SERVER,
        AssetKind.VECTOR_STORE,
        AssetKind.FEATURE_STORE,
        AssetKind.MODEL_REGISTRY,
        AssetKind.EXPERIMENT_TRACKER,
        AssetKind.GUARDRAIL,
    }
)
"""Assets that are services. Kinds in neither table are no part of a bill of materials."""

MAX_OCCURRENCES = 50
_SHA256 = "sha256:"


def encode_cyclonedx(result: ScanResult) -> bytes:
    """Return the inventory of `result` as CycloneDX JSON.

    The serial number follows from the id of the scan, so the same scan gives the same document.
    Secrets and other kinds that are no materials are left out, and so are relations to them.
    """
    bom = Bom(serial_number=uuid5(NAMESPACE_URL, f"https://keepwall.dev/scan/{result.scan.id}"))
    bom.metadata.timestamp = result.scan.finished_at
    bom.metadata.tools.components.add(
        Component(name="keepwall", version=result.scan.version, type=ComponentType.APPLICATION)
    )
    assets = sorted(result.assets, key=lambda each: each.id)
    root = next((each for each in assets if each.kind in (AssetKind.PROJECT, AssetKind.HOST)), None)
    for asset in assets:
        if asset is root:
            bom.metadata.component = _component(asset)
        elif asset.kind in COMPONENTS:
            bom.components.add(_component(asset))
        elif asset.kind in SERVICES:
            bom.services.add(_service(asset))
    _relate(bom, result, assets, root)
    text: str = JsonV1Dot6(bom).output_as_string(indent=2)
    return text.encode() + b"\n"


def _relate(bom: Bom, result: ScanResult, assets: list[Asset], root: Asset | None) -> None:
    """Add the dependencies; what nothing else depends on hangs below the root."""
    listed = {
        each.id: _reference(each)
        for each in assets
        if each.kind in COMPONENTS or each.kind in SERVICES
    }
    edges: dict[str, set[str]] = {identity: set() for identity in listed}
    for edge in result.relations:
        if edge.source in listed and edge.target in listed and edge.source != edge.target:
            edges[edge.source].add(edge.target)
    if root:
        below = {target for targets in edges.values() for target in targets}
        edges[root.id] |= listed.keys() - below - {root.id}
    references = {
        each.bom_ref.value: each.bom_ref
        for each in (
            *bom.components,
            *bom.services,
            *([bom.metadata.component] if bom.metadata.component else []),
        )
    }
    for source, targets in edges.items():
        bom.dependencies.add(
            Dependency(
                references[listed[source]],
                [Dependency(references[listed[target]]) for target in sorted(targets)],
            )
        )


def _reference(asset: Asset) -> str:
    return visible(asset.id)


def _properties(asset: Asset) -> list[Property]:
    values = {
        "keepwall:kind": asset.kind,
        "keepwall:surface": asset.surface,
        "keepwall:owner": asset.owner,
        "keepwall:zone": asset.zone,
        **{f"keepwall:attribute:{key}": value for key, value in asset.attributes.items()},
    }
    return [
        Property(name=visible(key), value=visible(value)) for key, value in values.items() if value
    ]


def _component(asset: Asset) -> Component:
    purl = _purl(asset.key) if asset.kind is AssetKind.LIBRARY else None
    provider, _, _ = asset.key.rpartition("/")
    digest = asset.key.removeprefix(_SHA256) if asset.key.startswith(_SHA256) else ""
    return Component(
        name=visible(asset.name) or _reference(asset),
        type=COMPONENTS[asset.kind],
        bom_ref=_reference(asset),
        group=visible(provider) if asset.kind is AssetKind.HOSTED_MODEL and provider else None,
        version=(purl.version if purl else asset.attributes.get("version")) or None,
        purl=purl,
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest)] if _is_hex(digest) else None,
        evidence=_evidence(asset),
        properties=_properties(asset),
    )


def _evidence(asset: Asset) -> ComponentEvidence | None:
    places = [
        Occurrence(
            # without a reference the library cannot order them: no document comes twice
            bom_ref=f"{_reference(asset)}@{number:02}",
            location=visible(each.path),
            line=each.line or None,
        )
        for number, each in enumerate(asset.locations[:MAX_OCCURRENCES], 1)
    ]
    return ComponentEvidence(occurrences=places) if places else None


def _service(asset: Asset) -> Service:
    return Service(
        name=visible(asset.name) or _reference(asset),
        bom_ref=_reference(asset),
        endpoints=[XsUri(_uri(asset.key))] if "://" in asset.key else None,
        properties=_properties(asset),
    )


def _uri(address: str) -> str:
    """Return `address` with everything that a URI may not hold percent-encoded."""
    scheme, _, rest = address.partition("://")
    return f"{scheme}://{relative_uri(rest).replace('%3A', ':')}"


def _is_hex(digest: str) -> bool:
    return len(digest) == 64 and all(each in "0123456789abcdef" for each in digest)  # noqa: PLR2004 - hex digits of SHA-256


def _purl(key: str) -> PackageURL | None:
    try:
        return PackageURL.from_string(key)
    except ValueError:
        return None
