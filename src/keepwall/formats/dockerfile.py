"""Dockerfiles: instructions with their stages, continuation lines and heredocs joined."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import msgspec

_DIRECTIVE = re.compile(r"#\s*escape\s*=\s*(\S)")
_INSTRUCTION = re.compile(r"\s*([A-Za-z]+)\s+(.*)", re.DOTALL)
_HEREDOC = re.compile(r"<<-?\s*[\"']?([A-Za-z_][A-Za-z0-9_]*)[\"']?")
_VARIABLE = re.compile(r"\$(?:\{(\w{1,100})(?::?[-+]([^}]{0,200}))?\}|(\w{1,100}))")
_MAXIMUM_VALUE = 8_000


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction; `stage` is the number of its FROM (from 0), or its name where it has one."""

    instruction: str
    value: str
    stage: str
    line: int
    end_line: int


@dataclass(frozen=True, slots=True)
class ImageReference:
    """An image reference taken apart; `floating` means that its content may change."""

    reference: str
    tag: str
    digest: str

    @property
    def floating(self) -> bool:
        """Return whether the reference is the latest one, or has neither tag nor digest."""
        return not self.digest and self.tag in ("", "latest")


def parse_image(reference: str) -> ImageReference:
    """Return `reference` (``registry/name:tag@digest``) taken apart."""
    name, _, digest = reference.partition("@")
    last = name.rpartition("/")[2]
    return ImageReference(reference, last.partition(":")[2], digest)


def read_dockerfile(text: str) -> Iterator[Instruction]:
    """Yield the instructions of a Dockerfile in their order; unknown lines are left out."""
    lines = text.splitlines()
    head = _DIRECTIVE.match(lines[0].strip()) if lines else None
    escape = head[1] if head else "\\"
    stage, stages, index = "", 0, 0
    while index < len(lines):
        start = index
        value, index = _logical_line(lines, index, escape)
        match = _INSTRUCTION.match(value)
        if match is None:
            continue
        name, rest = match[1].upper(), match[2].strip()
        if name == "FROM":
            alias = re.search(r"\sAS\s+(\S+)\s*$", rest, re.IGNORECASE)
            stage = alias[1] if alias else str(stages)
            stages += 1
        yield Instruction(name, rest[:_MAXIMUM_VALUE], stage, start + 1, index)


def _logical_line(lines: list[str], index: int, escape: str) -> tuple[str, int]:
    """Return the instruction that starts at `index`, and the index after it."""
    parts: list[str] = []
    while index < len(lines):
        line = lines[index]
        index += 1
        stripped = line.strip()
        if stripped.startswith("#") or (parts and not stripped):
            if not parts:
                return "", index
            continue
        if stripped.endswith(escape):
            parts.append(stripped[:-1])
            continue
        parts.append(stripped)
        break
    value = " ".join(parts)
    for marker in _HEREDOC.findall(value)[:5]:
        while index < len(lines):
            line = lines[index]
            index += 1
            if line.strip() == marker:
                break
            value += "\n" + line
    return value, index


def command_words(value: str) -> list[str]:
    """Return the words of a CMD, ENTRYPOINT or RUN, in exec (JSON) or shell form."""
    if value.startswith("["):
        try:
            words = msgspec.json.decode(value, type=list[str])
        except (msgspec.DecodeError, RecursionError):
            words = []
        if words:
            return words
    return shell_words(value)


def shell_words(value: str) -> list[str]:
    """Return the words of a shell command line; where quotes do not close, split at spaces."""
    try:
        return shlex.split(value, comments=True)
    except ValueError:
        return value.split()


def environment_pairs(value: str) -> dict[str, str]:
    """Return the variables of an ENV or ARG instruction, in both of its forms."""
    words = shell_words(value)
    if words and "=" not in words[0]:
        name, _, rest = value.partition(" ")
        return {name: rest.strip().strip("\"'")}
    return dict(word.partition("=")[::2] for word in words if "=" in word)


def substitute(value: str, variables: Mapping[str, str]) -> str:
    """Return `value` with ``$NAME`` and ``${NAME:-default}`` replaced where they are known."""

    def replaced(match: re.Match[str]) -> str:
        name = match[1] or match[3]
        known = variables.get(name, "")
        return known or match[2] or match[0]

    return _VARIABLE.sub(replaced, value)
