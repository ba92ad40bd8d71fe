"""Jupyter notebooks: code cells as one module, and what the outputs hold."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import msgspec

from keepwall.formats.safe_json import load_json
from keepwall.formats.source.model import Module
from keepwall.formats.source.python import parse_tree, read_trees
from keepwall.vocabulary.errors import FormatError

_MAGIC = re.compile(r"^(\s*)(?:[!%?]|[\w.]+\?\s*$)(.*)$")
_ASSIGNED_MAGIC = re.compile(r"^(\s*[\w, ]+=\s*)[!%]")
_INSTALL = re.compile(r"^\s*[!%]\s*(?:python3?\s+-m\s+)?(?:uv\s+)?pip3?\s+install\s+(.*)$")
_MAXIMUM_OUTPUT = 1 << 20


@dataclass(frozen=True, slots=True)
class Output:
    """An output that is stored in the notebook; `text` is cut at 1 MiB, `size` is not."""

    cell: int
    mime: str
    size: int
    text: str


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell; `line` is where its source starts in the file, 0 where that is not known."""

    index: int
    code: bool
    source: str
    line: int
    by_line: bool


@dataclass(frozen=True, slots=True)
class Notebook:
    """What a notebook says; `unread` are the cells that could not be parsed, with the reason."""

    language: str
    cells: tuple[Cell, ...]
    outputs: tuple[Output, ...]
    module: Module
    installs: tuple[tuple[str, int], ...]
    unread: tuple[tuple[int, str], ...]


def read_notebook(data: bytes) -> Notebook:
    """Return the notebook in `data` (nbformat 3 or 4).

    Raises:
        FormatError: it is not JSON, or not a notebook.
    """
    document = load_json(data)
    if not isinstance(document, dict):
        raise FormatError("not a notebook")
    raw_cells = document.get("cells")
    if not isinstance(raw_cells, list):
        sheets = document.get("worksheets")
        first = sheets[0] if isinstance(sheets, list) and sheets else None
        raw_cells = first.get("cells") if isinstance(first, dict) else None
    if not isinstance(raw_cells, list):
        raise FormatError("not a notebook: it has no cells")
    raw = [each for each in raw_cells if isinstance(each, dict)]
    cells = tuple(_cells(raw, data))
    language = _language(document)
    trees: list[tuple[ast.Module, int]] = []
    unread: list[tuple[int, str]] = []
    for cell in cells:
        if cell.code and language == "python":
            try:
                trees.append((parse_tree(_without_magic(cell.source)), max(cell.line - 1, 0)))
            except FormatError as error:
                unread.append((cell.index, error.message))
    outputs = tuple(each for index, cell in enumerate(raw) for each in _outputs(index, cell))
    installs = tuple(each for cell in cells if cell.code for each in _installs(cell))
    return Notebook(language, cells, outputs, read_trees(trees), installs, tuple(unread))


def _language(document: Mapping[str, object]) -> str:
    metadata = document.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    for key, name in (("kernelspec", "language"), ("language_info", "name")):
        value = metadata.get(key)
        if isinstance(value, dict) and isinstance(value.get(name), str):
            return str(value[name]).lower()
    return "python"


def _cells(raw: list[dict[str, object]], data: bytes) -> Iterator[Cell]:
    position = 0
    line = 1
    for index, cell in enumerate(raw):
        source = cell.get("source", cell.get("input", ""))
        text = _joined(source)
        start = 0
        first = next((each for each in text.split("\n", 3)[:3] if each.strip()), "")
        if first:
            needle = msgspec.json.encode(first)[1:-1]
            found = data.find(needle, position)
            if found >= 0:
                line += data.count(b"\n", position, found)
                position = found
                before = text.split(first, 1)[0].count("\n") if isinstance(source, list) else 0
                start = max(line - before, 1)
        code = cell.get("cell_type") == "code"
        yield Cell(index, code, text, start, isinstance(source, list))


def _joined(value: object) -> str:
    if isinstance(value, list):
        return "".join(each for each in value if isinstance(each, str))
    return value if isinstance(value, str) else ""


def _without_magic(source: str) -> str:
    """Return the source of a cell with what only IPython understands made harmless."""
    if source.lstrip().startswith("%%"):
        first = source.lstrip().split(None, 1)[0]
        head, _, body = source.partition("\n")
        if first not in ("%%time", "%%timeit", "%%capture"):
            return ""
        source = f"# {head}\n{body}"
    lines = []
    continued = False
    for line in source.split("\n"):
        if continued or _MAGIC.match(line):
            indent = line[: len(line) - len(line.lstrip())]
            lines.append("" if continued else f"{indent}pass")
            continued = line.rstrip().endswith("\\")
        else:
            match = _ASSIGNED_MAGIC.match(line)
            lines.append(f"{match[1]}None" if match else line)
    return "\n".join(lines)


def _installs(cell: Cell) -> Iterator[tuple[str, int]]:
    """Yield the requirements that ``%pip install`` lines name, with their lines."""
    for number, line in enumerate(cell.source.split("\n")):
        match = _INSTALL.match(line)
        skip = False
        for raw in match[1].split()[:50] if match else ():
            word = raw.strip("\"'")
            if skip or word.startswith(("-", ">", "&", "|", ".", "/")) or "://" in word:
                skip = word in ("-r", "-c", "-i", "--index-url", "--extra-index-url", "-f")
            else:
                yield word, (cell.line + number if cell.by_line else cell.line)


def _outputs(index: int, cell: Mapping[str, object]) -> Iterator[Output]:
    outputs = cell.get("outputs")
    for output in outputs if isinstance(outputs, list) else ():
        if not isinstance(output, dict):
            continue
        parts = output.get("data")
        if isinstance(parts, dict):
            for mime, value in parts.items():
                text = _joined(value) or (
                    "" if isinstance(value, str | list) else str(value)[:_MAXIMUM_OUTPUT]
                )
                yield Output(index, mime, len(text), text[:_MAXIMUM_OUTPUT])
        elif output.get("output_type") in ("error", "pyerr"):
            text = _joined(output.get("traceback"))
            yield Output(index, "application/vnd.jupyter.error", len(text), text[:_MAXIMUM_OUTPUT])
        else:
            text = _joined(output.get("text"))
            yield Output(index, "text/plain", len(text), text[:_MAXIMUM_OUTPUT])
