"""Reads one mapping of an envelope strictly: every error names ``path:line``."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

from keepwall.formats.safe_yaml import YamlList, YamlMap
from keepwall.vocabulary.errors import ConfigError

Word = TypeVar("Word", bound=Enum)


@dataclass(frozen=True, slots=True)
class Reader:
    """One mapping, where it stands, and the words it may hold."""

    origin: str
    name: str
    value: YamlMap

    @classmethod
    def of(
        cls, origin: str, name: str, value: object, line: int, allowed: tuple[str, ...]
    ) -> Reader:
        """Return a reader of `value`; refuses what is no mapping, unknown and repeated keys."""
        if not isinstance(value, YamlMap):
            raise ConfigError(
                f"{name} must be a mapping, not {kind(value)}", place=f"{origin}:{line}"
            )
        reader = cls(origin, name, value)
        for key, again in value.repeated:
            raise ConfigError(f"{key!r} stands twice in {name}", place=f"{origin}:{again}")
        for key in value:
            if key not in allowed:
                raise reader.error(
                    key, f"{key!r} is not a word of {name}", hint="known: " + ", ".join(allowed)
                )
        return reader

    def error(self, key: str, message: str, *, hint: str = "") -> ConfigError:
        """Return the error to raise about `key`."""
        return ConfigError(message, hint=hint, place=f"{self.origin}:{self.value.line_of(key)}")

    def line(self, key: str) -> int:
        """Return the line of `key`."""
        return self.value.line_of(key)

    def text(self, key: str, default: str | None = None) -> str:
        """Return a string; required when there is no default."""
        found = self.value.get(key)
        if key not in self.value and default is not None:
            return default
        if not isinstance(found, str) or not found:
            raise self.error(key, f"{self.name}.{key} must be text, not {kind(found)}")
        return found

    def word(self, key: str, words: type[Word], default: Word) -> Word:
        """Return a member of `words`."""
        if key not in self.value:
            return default
        found = self.value[key]
        for each in words:
            if each.value == found:
                return each
        raise self.error(
            key,
            f"{self.name}.{key} must be one of {', '.join(str(each.value) for each in words)}",
        )

    def items(self, key: str) -> list[tuple[object, int]]:
        """Return the items of a list with their lines; empty when the key is missing."""
        found = self.value.get(key)
        if key not in self.value:
            return []
        if not isinstance(found, YamlList):
            raise self.error(key, f"{self.name}.{key} must be a list, not {kind(found)}")
        return list(zip(found, found.lines, strict=True))

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of strings."""
        found = []
        for item, line in self.items(key):
            if not isinstance(item, str):
                raise ConfigError(
                    f"{self.name}.{key} holds {kind(item)}, not text", place=f"{self.origin}:{line}"
                )
            found.append(item)
        return tuple(found)

    def mapping(self, key: str) -> dict[str, str]:
        """Return a mapping of strings; empty when the key is missing."""
        found = self.value.get(key, YamlMap())
        if not isinstance(found, YamlMap) or not all(isinstance(v, str) for v in found.values()):
            raise self.error(key, f"{self.name}.{key} must map text to text")
        return {name: str(value) for name, value in found.items()}


def kind(value: object) -> str:
    """Return what a YAML value is, in words for a person."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "a truth value"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "text"
    return "a mapping" if isinstance(value, dict) else "a list"
