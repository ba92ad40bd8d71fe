"""What single nodes of a syntax tree say: names, arguments, loops that never end."""

from __future__ import annotations

import ast
from collections.abc import Iterator

SCOPES = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda


def endless(loop: ast.While) -> bool:
    """Return whether `loop` asks no question and holds nothing that leaves it."""
    if not (isinstance(loop.test, ast.Constant) and loop.test.value):
        return False
    waiting: list[ast.AST] = list(loop.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Break | ast.Return | ast.Raise | ast.Yield | ast.YieldFrom):
            return False
        if not isinstance(node, SCOPES):
            waiting += ast.iter_child_nodes(node)
    return True


def given_arguments(node: ast.Call) -> Iterator[tuple[str, ast.expr]]:
    """Yield the arguments: positional ones by number, keywords by name; ``**`` is left out."""
    for index, value in enumerate(node.args):
        if not isinstance(value, ast.Starred):
            yield str(index), value
    for keyword in node.keywords:
        if keyword.arg is not None:
            yield keyword.arg, keyword.value


def plain_name(node: ast.expr) -> str:
    """Return a target such as ``name`` or ``c.ServerApp.token``, else an empty text."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name) or len(parts) > 5:  # noqa: PLR2004 - deeper is no setting
        return ""
    return ".".join((node.id, *reversed(parts)))


def local_name(node: ast.expr) -> str:
    """Return the name of something defined in this module, marked with a leading colon."""
    while isinstance(node, ast.Call):
        node = node.func
    name = plain_name(node)
    return f":{name}" if name else ""


def absolute_name(dotted: str, package: str) -> str:
    """Return a relative name in the package that its module lies in, where that is known."""
    level = len(dotted) - len(dotted.lstrip("."))
    if not level or not package:
        return dotted
    parts = package.split(".")
    return ".".join([*parts[: len(parts) - level + 1], dotted[level:]])
