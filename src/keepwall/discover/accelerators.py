"""GPUs that workloads ask for: facts, assets and who asks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from keepwall.discover.source import TreeContext, asset
from keepwall.vocabulary.asset import Asset, AssetKind, Location, Relation, RelationKind
from keepwall.vocabulary.fact import Fact
from keepwall.vocabulary.json_value import JsonValue
from keepwall.vocabulary.scan import Observation
from keepwall.vocabulary.surface import Surface

_VENDORS: Mapping[str, str] = {
    "nvidia.com": "nvidia",
    "amd.com": "amd",
    "gpu.intel.com": "intel",
    "habana.ai": "intel",
    "aws.amazon.com": "aws",
    "google.com": "google",
}
_DEVICES = ("gpu", "mig-", "tpu", "gaudi", "neuron", "i915", "xe")


def requested(limits: Mapping[str, str]) -> dict[str, str]:
    """Return how many devices of which vendor the limits of a container ask for."""
    found: dict[str, str] = {}
    for name, count in limits.items():
        domain, _, device = name.partition("/")
        vendor = _VENDORS.get(domain)
        if vendor and device.startswith(_DEVICES) and count not in ("", "0"):
            found[vendor] = count
    return found


def observe_accelerators(
    devices: Mapping[str, str], holder: Asset, place: Location, source: str, context: TreeContext
) -> Iterator[Observation]:
    """Yield the GPUs (vendor to count) that `holder` asks for."""
    for vendor, count in devices.items():
        found = asset(
            context,
            AssetKind.ACCELERATOR,
            f"{place.path}#{holder.name}",
            f"{vendor} GPU of {holder.name}",
            Surface.INFERENCE,
            (place,),
            {"vendor": vendor, "count": count},
        )
        yield found
        yield Relation(holder.id, RelationKind.USES, found.id)
        value: dict[str, JsonValue] = {
            "vendor": vendor,
            "count": int(count) if count.isdecimal() and len(count) < 9 else count,  # noqa: PLR2004 - a number of devices
            "workload": holder.name,
            "source": source,
        }
        yield Fact("accelerator.requested", holder.id, value, place.path, place.line)
