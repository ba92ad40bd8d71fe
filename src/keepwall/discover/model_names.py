"""Tell names of models from other texts: by the name itself, and by what the name is given to."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from keepwall.formats.snake_case import snake_case

_SHAPE = re.compile(r"(?:@[\w-]+/)?[A-Za-z][\w.:/@+-]{1,119}\Z")
_REPOSITORY = re.compile(r"[A-Za-z\d][\w.-]{1,60}/[A-Za-z\d][\w.-]{1,95}\Z")
_IDS = frozenset({"id", "value", "slug", "name"})
_TELLING = re.compile(r"[A-Za-z][\w.:/@]*[-\d]|\d[\w.]*[A-Za-z]")
_FILES = re.compile(
    r"(?i)\.(?:gguf|bin|pth?|onnx|py|json|ya?ml|toml|txt|md|csv|safetensors|pkl|joblib|h5|keras|tflite|png|html?)\Z"
)


@dataclass(frozen=True, slots=True)
class ModelName:
    """A model: who serves it, and what it is called there."""

    provider: str
    name: str


@dataclass(frozen=True, slots=True)
class ModelNames:
    """Everything that is known about names of models."""

    providers: tuple[tuple[str, re.Pattern[str]], ...]
    distinct: re.Pattern[str]
    prefixes: Mapping[str, str]
    keys: re.Pattern[str]
    other_keys: re.Pattern[str]
    hub_keys: re.Pattern[str]
    organisations: frozenset[str]
    open_weights: Mapping[str, re.Pattern[str]]
    roles: tuple[tuple[str, re.Pattern[str]], ...]
    placeholder: re.Pattern[str]
    commands: Mapping[str, Sequence[str]]

    def commanded(self, programs: Iterable[str], argv: Sequence[str]) -> Iterator[ModelName]:
        """Yield the models that a command line names; `programs` are names of what it starts."""
        rule = next(filter(None, map(self.commands.get, programs)), None)
        if rule is None:
            return
        provider, *marks = rule
        for word, following in zip(argv, [*argv[1:], ""], strict=True):
            option, equals, value = word.partition("=")
            if option not in marks:
                continue
            value = value if equals else following
            if value.startswith(("-", "/", ".", "$")):
                continue
            if provider == "huggingface":
                found = ModelName(provider, value) if _REPOSITORY.match(value) else None
            else:
                found = self.recognise(value, "model", provider)
            if found is not None:
                yield found

    def holds_model(self, key: str) -> bool:
        """Return whether something called `key`, dotted, holds the name of a model.

        A table called after models (``MODELS.fast``) does so below each of its keys.
        """
        *tables, last = (snake_case(each) for each in key.split(".")[-3:])
        if self.other_keys.fullmatch(last):
            return False
        return self.keys.fullmatch(last) is not None or any(
            self.keys.fullmatch(each) and not self.other_keys.fullmatch(each) for each in tables
        )

    def is_route(self, key: str, text: str) -> bool:
        """Return whether an id is a model as gateways call it, such as ``anthropic/claude-…``."""
        prefix, _, rest = text.partition("/")
        known = prefix in self.prefixes and self.distinct.fullmatch(rest) is not None
        return known and snake_case(key.rpartition(".")[2]) in _IDS

    def recognise(self, text: str, key: str = "", provider: str = "") -> ModelName | None:
        """Return the model that `text` names where it is given to `key`; None where it names none.

        `provider` is who serves it where the surroundings say so.
        """
        if not _SHAPE.match(text) or self.placeholder.fullmatch(text) or _FILES.search(text):
            return None
        for mark in ("/", ":"):
            prefix, found, rest = text.partition(mark)
            if found and prefix in self.prefixes and len(rest) > 1:
                return self._prefixed(self.prefixes[prefix], rest.lstrip("/"), text)
        if named := self.by_name(text):
            return named
        if _REPOSITORY.match(text):
            last = snake_case(key.rpartition(".")[2])
            hinted = _TELLING.search(text) and self.hub_keys.fullmatch(last)
            if hinted or text.partition("/")[0] in self.organisations:
                return ModelName("huggingface", text)
        return ModelName(provider, text) if provider and "/" not in text else None

    def by_name(self, text: str) -> ModelName | None:
        """Return the model where its whole name says who serves it."""
        if not self.distinct.fullmatch(text):
            return None
        provider = next(each for each, pattern in self.providers if pattern.fullmatch(text))
        if provider == "sentence-transformers":
            return ModelName("huggingface", f"sentence-transformers/{text}")
        return ModelName(provider, text)

    def _prefixed(self, provider: str, rest: str, text: str) -> ModelName | None:
        weights = self.open_weights.get(provider)
        if weights is not None and "/" in text and weights.match(rest):
            return ModelName("huggingface", text)
        telling = provider == "ollama" or _TELLING.search(rest)
        if self.placeholder.fullmatch(rest) or not telling:
            return None
        return ModelName(provider, rest)

    def role(self, *hints: str) -> str:
        """Return what a model is for, by its name and what stands around it; empty if unsaid."""
        text = " ".join(each.lower() for each in hints if each)
        return next((role for role, pattern in self.roles if pattern.search(text)), "")


def build_names(data: Mapping[str, Any], prefixes: Mapping[str, str]) -> ModelNames:
    """Return what ``models.toml`` says; `prefixes` are routes such as ``openai/``."""
    names, keys = data["names"], data["keys"]
    return ModelNames(
        providers=tuple((each, re.compile(pattern)) for each, pattern in names.items()),
        distinct=re.compile("|".join(f"(?:{pattern})" for pattern in names.values())),
        prefixes=prefixes,
        keys=re.compile(keys["model"]),
        other_keys=re.compile(keys["not"]),
        hub_keys=re.compile(keys["hub"]),
        organisations=frozenset(data["hub"]["organisations"]),
        open_weights={name: re.compile(each) for name, each in data["hub"]["open"].items()},
        roles=tuple((role, re.compile(pattern)) for role, pattern in data["roles"].items()),
        placeholder=re.compile(data["names_of_nothing"]["placeholder"]),
        commands=data["commands"],
    )
