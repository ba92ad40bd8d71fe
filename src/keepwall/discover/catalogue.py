"""What is known of AI libraries, providers, programs and calls: the data files, loaded."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from keepwall.discover.model_names import ModelNames, build_names
from keepwall.discover.service_index import ServiceIndex, build_index
from keepwall.vocabulary.surface import Surface


@dataclass(frozen=True, slots=True)
class Library:
    """A library of AI, as a package index knows it."""

    ecosystem: str
    name: str
    surface: Surface

    @property
    def purl(self) -> str:
        """The package URL without version: the same library is one asset, whatever its version."""
        name = self.name.replace("@", "%40", 1) if self.ecosystem == "npm" else self.name
        return f"pkg:{self.ecosystem}/{name}"


@dataclass(frozen=True, slots=True)
class Program:
    """A program that serves or uses AI."""

    name: str
    surface: Surface
    role: str
    ambiguous: bool


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Everything in ``discover/data``, indexed for lookup."""

    libraries: Mapping[tuple[str, str], Library]
    modules: Mapping[str, Library]
    calls: Mapping[str, Any]
    providers: Mapping[str, Any]
    programs: Mapping[str, Program]
    entrypoints: Mapping[str, tuple[str, ...]]
    ports: Mapping[int, tuple[str, Surface]]
    files: Mapping[str, Any]
    harmless: frozenset[str]
    dangerous: frozenset[str]
    markers: Mapping[str, re.Pattern[str]]
    capabilities: Mapping[str, frozenset[str]]
    services: ServiceIndex
    models: ModelNames
    model_prefixes: Mapping[str, tuple[tuple[str, str], ...]]
    script: Mapping[str, Any]
    """What is known of JavaScript alone."""

    def library(self, ecosystem: str, name: str) -> Library | None:
        """Return the library that a package index calls `name`."""
        return self.libraries.get(("pypi" if ecosystem == "conda" else ecosystem, name))

    def imported(self, dotted: str) -> Library | None:
        """Return the library that a dotted import or function belongs to."""
        parts = dotted.split(".", 3)
        for count in range(min(len(parts), 3), 0, -1):
            if found := self.modules.get(".".join(parts[:count])):
                return found
        return None

    def program(self, argv: Sequence[str]) -> Program | None:
        """Return the known program that `argv` starts, through interpreters and launchers."""
        for name in started_names(argv):
            if found := self.programs.get(name):
                return found
        return None


_LAUNCHERS = frozenset(
    {
        "sudo",
        "env",
        "exec",
        "nohup",
        "tini",
        "dumb-init",
        "uv",
        "uvx",
        "poetry",
        "pipenv",
        "run",
        "time",
        "--",
    }
    | {
        "conda",
        "mamba",
        "micromamba",
        "accelerate",
        "torchrun",
        "xvfb-run",
        "gosu",
        "nice",
        "setsid",
        "npx",
    }
)
_SHELLS = frozenset({"sh", "bash", "zsh", "dash", "ash"})
_INTERPRETER = re.compile(r"(?:python|pypy)[\d.]*(?:\.exe)?$")


def started_names(argv: Sequence[str]) -> list[str]:
    """Return the base names of what `argv` really starts, most specific last.

    ``python -m vllm.entrypoints.openai.api_server`` starts that module, ``sh -c "exec ollama
    serve"`` starts ollama, ``uv run jupyter lab`` starts jupyter.
    """
    words = list(argv[:40])
    for _ in range(6):
        while words and (
            words[0] in _LAUNCHERS or re.match(r"\w+=", words[0]) or words[0].startswith("-")
        ):
            words.pop(0)
        if not words:
            return []
        name = words[0].replace("\\", "/").rpartition("/")[2]
        if name in _SHELLS and "-c" in words[1:4]:
            words = words[words.index("-c") + 1 :]
            words = words[0].split()[:40] if words else []
        elif name in _LAUNCHERS:
            words = words[1:]
        elif _INTERPRETER.match(name):
            return _interpreted(words[1:])
        else:
            return [name.removesuffix(".exe")]
    return []


def _interpreted(words: list[str]) -> list[str]:
    """Return what an interpreter runs: a module and its top package, or a script."""
    for index, word in enumerate(words):
        if word == "-m":
            module = words[index + 1] if index + 1 < len(words) else ""
            return [module, module.split(".", 1)[0]]
        if word in ("-c", "-"):
            return []
        if not word.startswith("-"):
            return [word.replace("\\", "/").rpartition("/")[2]]
    return []


@cache
def catalogue() -> Catalogue:
    """Return the built-in catalogue; it is immutable, so it is loaded once."""
    libraries = {
        (ecosystem, name): Library(ecosystem, name, Surface(entry[0]))
        for ecosystem, table in _toml("libraries").items()
        for name, entry in table.items()
    }
    modules = {
        module: libraries["pypi", name]
        for name, entry in sorted(_toml("libraries")["pypi"].items(), reverse=True)
        for module in entry[1:]
    }
    modules |= {f"npm:{name}": each for (home, name), each in libraries.items() if home == "npm"}
    programs = _toml("programs")
    script = _toml("javascript")
    calls = _merged(_toml("calls"), script["calls"])
    providers = _merged(_toml("providers"), script["providers"])
    files = _toml("files")
    ambiguous = frozenset(programs["ambiguous"]["names"])
    return Catalogue(
        libraries=libraries,
        modules=modules,
        calls=calls,
        providers=providers,
        script=script,
        programs={
            name: Program(name, Surface(entry[0]), entry[1], name in ambiguous)
            for name, entry in programs["programs"].items()
        },
        entrypoints={name: tuple(words) for name, words in programs["entrypoints"].items()},
        ports={int(port): (each[0], Surface(each[1])) for port, each in programs["ports"].items()},
        files=files,
        harmless=frozenset(
            line for line in _text("harmless.txt").splitlines() if line and line[0] != "#"
        ),
        dangerous=frozenset(calls["dangerous"]),
        markers={name: re.compile(each) for name, each in files["prompt_markers"].items()},
        capabilities={name: frozenset(each) for name, each in calls["capabilities"].items()},
        services=build_index(_merged(_toml("services"), script["services"])),
        model_prefixes=_by_head(providers["models"]),
        models=build_names(_toml("models"), providers["prefixes"]),
    )


def _merged(first: Mapping[str, Any], second: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return both tables as one: tables within are joined, lists put behind one another."""
    joined = dict(first)
    for name, value in second.items():
        known = joined.get(name)
        if isinstance(value, dict):
            joined[name] = _merged(known or {}, value)
        else:
            joined[name] = [*(known or ()), *value] if isinstance(value, list) else value
    return joined


def _by_head(table: Mapping[str, str]) -> Mapping[str, tuple[tuple[str, str], ...]]:
    """Return prefixes with what they stand for, by their first part, the longest first.

    Below the empty text are those that end within a part.
    """
    found: dict[str, list[tuple[str, str]]] = {}
    for prefix, value in sorted(table.items(), key=lambda pair: -len(pair[0])):
        head, dot, _ = prefix.partition(".")
        found.setdefault(head if dot else "", []).append((prefix, value))
    return {head: tuple(pairs) for head, pairs in found.items()}


def listed(dotted: str, names: frozenset[str]) -> bool:
    """Return whether `dotted`, or a prefix of it that ends in a dot, is among `names`."""
    if dotted in names:
        return True
    at = dotted.find(".")
    while at >= 0:
        if dotted[: at + 1] in names:
            return True
        at = dotted.find(".", at + 1)
    return False


@cache
def _toml(name: str) -> Mapping[str, Any]:
    return tomllib.loads(_text(f"{name}.toml"))


def _text(name: str) -> str:
    return resources.files("keepwall.discover").joinpath("data", name).read_text("utf-8")
