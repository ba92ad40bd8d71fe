"""Accelerators of a host: what the PCI bus and the device files show, and who may open them."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from keepwall.discover.host_users import read_small
from keepwall.discover.host_view import HostView, entries
from keepwall.formats.plain_text import visible
from keepwall.vocabulary.asset import Asset, AssetKind, Location, Relation, RelationKind
from keepwall.vocabulary.fact import Fact
from keepwall.vocabulary.json_value import JsonValue
from keepwall.vocabulary.scan import Observation
from keepwall.vocabulary.surface import Surface

_CLASSES = ("0x0300", "0x0302", "0x0380", "0x1200")  # VGA, 3D, other display, processing
_VENDORS: Mapping[str, str] = {
    "0x10de": "nvidia",
    "0x1002": "amd",
    "0x8086": "intel",
    "0x1da3": "habana",
    "0x1ae0": "google",
    "0x1d0f": "aws",
}
_NODES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"dev/nvidia\d+"), "nvidia"),
    (re.compile(r"dev/neuron\d+"), "aws"),
    (re.compile(r"dev/accel/accel\d+"), "habana"),
    (re.compile(r"dev/dxg"), "windows subsystem"),
)
_MODEL = re.compile(r"^Model:\s*(.{1,80}?)\s*$", re.MULTILINE)
_MINOR = re.compile(r"^Device Minor:\s*(\d{1,4})", re.MULTILINE)
_MOST = 256


@dataclass(frozen=True, slots=True)
class Accelerator:
    """An accelerator, and the device files through which programs use it."""

    asset: Asset
    fact: Fact
    devices: frozenset[str]


def accelerators(view: HostView) -> list[Accelerator]:
    """Return the accelerators of the host, in the order of their addresses."""
    found: list[Accelerator] = []
    known: set[str] = set()
    bus = view.root / "sys/bus/pci/devices"
    for entry in entries(bus, 4_096)[0]:
        folder = bus / entry.name
        vendor = _VENDORS.get(read_small(folder / "vendor").strip())
        if vendor and read_small(folder / "class").strip().startswith(_CLASSES):
            devices, model = _details(folder, vendor, view)
            known |= devices
            found.append(_accelerator(view, vendor, entry.name, model, len(found), devices))
    for place, vendor in _loose(view):
        if place not in known and len(found) < _MOST:
            name = place.removeprefix("/dev/")
            found.append(_accelerator(view, vendor, name, "", len(found), frozenset({place})))
    return found


def observe_accelerators(view: HostView, found: list[Accelerator]) -> Iterator[Observation]:
    """Yield the accelerators, which the host uses."""
    for each in found:
        yield each.asset
        yield Relation(view.host.id, RelationKind.USES, each.asset.id)
        yield each.fact


def _details(folder: Path, vendor: str, view: HostView) -> tuple[frozenset[str], str]:
    """Return the device files and the model of a device on the bus."""
    drawn = [each.name for each in entries(folder / "drm", 64)[0]]
    devices = {f"/dev/dri/{name}" for name in drawn if name.startswith("renderD")}
    about = read_small(view.proc / "driver/nvidia/gpus" / folder.name / "information")
    model, minor = _MODEL.search(about), _MINOR.search(about)
    if minor:
        devices.add(f"/dev/nvidia{minor[1]}")
    if vendor == "amd":
        devices.add("/dev/kfd")
    number = read_small(folder / "device").strip()
    return frozenset(devices), visible(model[1]) if model else number


def _loose(view: HostView) -> Iterator[tuple[str, str]]:
    """Yield device files that stand for an accelerator each, as containers and boards have them."""
    for folder in ("dev", "dev/accel"):
        for entry in entries(view.root / folder, 10_000)[0]:
            path = f"{folder}/{entry.name}"
            for pattern, vendor in _NODES:
                if pattern.fullmatch(path):
                    yield f"/{path}", vendor


def _accelerator(  # the parts of one device
    view: HostView, vendor: str, address: str, model: str, index: int, devices: frozenset[str]
) -> Accelerator:
    driver = ""
    bus = view.root / "sys/bus/pci/devices" / address / "driver"
    if bus.is_symlink():
        driver = visible(bus.readlink().name)
    place = next(iter(sorted(devices)), f"/sys/bus/pci/devices/{address}")
    readable = _readable(view, devices)
    asset = Asset(
        AssetKind.ACCELERATOR,
        f"{view.host.key}/{address}",
        f"{vendor} {model}".strip(),
        Surface.INFERENCE,
        (Location(place),),
        attributes={"vendor": vendor, "address": address, **({"driver": driver} if driver else {})},
    )
    value: dict[str, JsonValue] = {
        "vendor": vendor,
        "model": model,
        "index": index,
        "driver": driver,
        "readable": readable,
    }
    return Accelerator(asset, Fact("accelerator.present", asset.id, value, place), devices)


def _readable(view: HostView, devices: frozenset[str]) -> str:
    """Return who may open the device files: everyone, a group, an owner, or nobody."""
    found: list[str] = []
    for device in sorted(devices):
        try:
            status = (view.root / device.lstrip("/")).stat()
        except OSError:
            continue
        if status.st_mode & stat.S_IROTH:
            return "everyone"
        if status.st_mode & stat.S_IRGRP:
            found.append(f"group {view.users.group(status.st_gid)}")
        elif status.st_mode & stat.S_IRUSR:
            found.append(f"owner {view.users.name(status.st_uid)}")
    return ", ".join(dict.fromkeys(found)) or "nobody: it has no device file"
