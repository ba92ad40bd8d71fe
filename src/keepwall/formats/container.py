"""A container as Compose and Kubernetes describe it, and safe ways to look into their documents."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from keepwall.formats.safe_yaml import YamlValue


@dataclass(frozen=True, slots=True)
class Container:
    """A container; None in `run_as_root` means that only its image decides.

    An environment value is None where it comes from elsewhere; `ports` are texts such as
    ``[address:][published:]target``, `mounts` such as ``source:target[:ro]``.
    """

    name: str
    image: str
    privileged: bool = False
    host_network: bool = False
    host_pid: bool = False
    run_as_root: bool | None = None
    read_only_root: bool = False
    limits: Mapping[str, str] = field(default_factory=dict)
    ports: tuple[str, ...] = ()
    environment: Mapping[str, str | None] = field(default_factory=dict)
    mounts: tuple[str, ...] = ()
    gpu: bool = False
    command: tuple[str, ...] = ()
    line: int = 0
    command_line: int = 0


def mapping(value: YamlValue) -> Mapping[str, YamlValue]:
    """Return `value` where it is a mapping, else an empty one."""
    return value if isinstance(value, dict) else {}


def sequence(value: YamlValue) -> list[YamlValue]:
    """Return `value` where it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def text_of(value: YamlValue) -> str:
    """Return a scalar as text (true and false in lower case); anything else as an empty text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else ""


def texts(values: Iterable[YamlValue]) -> list[str]:
    """Return the scalars among `values` as texts."""
    return [text for text in map(text_of, values) if text]


def strings(value: YamlValue) -> Iterator[str]:
    """Yield the scalars of a list as texts."""
    return (text_of(each) for each in sequence(value))


def environment_of(value: YamlValue) -> dict[str, str | None]:
    """Return variables given as ``{NAME: value}`` or ``[NAME=value]``; None where unset."""
    if isinstance(value, dict):
        return {name: None if each is None else text_of(each) for name, each in value.items()}
    found: dict[str, str | None] = {}
    for entry in strings(value):
        name, mark, text = entry.partition("=")
        found[name] = text if mark else None
    return found
