"""Compose files: services as container specifications."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from keepwall.formats.container import (
    Container,
    environment_of,
    mapping,
    strings,
    text_of,
    texts,
)
from keepwall.formats.dockerfile import shell_words
from keepwall.formats.safe_yaml import YamlMap, YamlValue


@dataclass(frozen=True, slots=True)
class Service:
    """A service with its container; `build` is the folder that its image is built from."""

    name: str
    container: Container
    build: str
    line: int


def is_compose(documents: list[YamlValue]) -> bool:
    """Return whether `documents` look like a Compose file."""
    return any(
        isinstance(each, YamlMap) and isinstance(each.get("services"), YamlMap)
        for each in documents
    )


def read_compose(documents: list[YamlValue]) -> Iterator[Service]:
    """Yield the services of a Compose file."""
    for document in documents:
        services = mapping(mapping(document).get("services"))
        for name, value in services.items():
            if isinstance(value, YamlMap):
                build = value.get("build")
                folder = (
                    text_of(mapping(build).get("context")) if isinstance(build, dict) else build
                )
                line = services.line_of(name) if isinstance(services, YamlMap) else 0
                yield Service(name, _container(name, value), text_of(folder), line)


def _container(name: str, value: YamlMap) -> Container:
    reserved = mapping(mapping(value.get("deploy")).get("resources"))
    limits = {key: text_of(each) for key, each in mapping(reserved.get("limits")).items()}
    for key, short in (("mem_limit", "memory"), ("cpus", "cpus"), ("pids_limit", "pids")):
        if key in value:
            limits.setdefault(short, text_of(value[key]))
    user = text_of(value.get("user")) if value.get("user") is not None else ""
    devices = mapping(reserved.get("reservations")).get("devices")
    return Container(
        name=name,
        image=text_of(value.get("image")),
        privileged=value.get("privileged") is True,
        host_network=value.get("network_mode") == "host",
        host_pid=value.get("pid") == "host",
        run_as_root=user.split(":")[0] in ("0", "root") if user else None,
        read_only_root=value.get("read_only") is True,
        limits=limits,
        ports=tuple(_port(each) for each in _items(value.get("ports"))),
        environment=environment_of(value.get("environment")),
        mounts=tuple(_mount(each) for each in _items(value.get("volumes"))),
        gpu=bool(devices) or value.get("runtime") == "nvidia" or bool(value.get("gpus")),
        command=(*_words(value.get("entrypoint")), *_words(value.get("command"))),
        line=value.line_of("image"),
        command_line=value.line_of("command" if "command" in value else "entrypoint"),
    )


def _items(value: YamlValue) -> list[YamlValue]:
    return value if isinstance(value, list) else []


def _words(value: YamlValue) -> tuple[str, ...]:
    return tuple(shell_words(value)) if isinstance(value, str) else tuple(strings(value))


def _port(value: YamlValue) -> str:
    """Return a published port as ``[address:][published:]target``."""
    if isinstance(value, dict):
        keys = ("host_ip", "published", "target")
        return ":".join(text_of(value[key]) for key in keys if value.get(key) is not None)
    return text_of(value)


def _mount(value: YamlValue) -> str:
    """Return a mount as ``source:target[:ro]``."""
    if isinstance(value, dict):
        parts = texts(value.get(key) for key in ("source", "target"))
        return ":".join([*parts, "ro"] if value.get("read_only") is True else parts)
    return text_of(value)
