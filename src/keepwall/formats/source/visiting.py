"""Walk a syntax tree fast: the children of a node, and the name that each is given to."""

from __future__ import annotations

import ast

from keepwall.formats.source.fallbacks import parameter_defaults

Visit = tuple[ast.AST, str, str]
"""A node, the variable that it is assigned to as it is, and the dotted name it is given to."""

_MAXIMUM_KEY = 120
_NO_TREES = frozenset(
    {"ctx", "op", "ops", "id", "attr", "name", "asname", "names", "level", "module", "kind"}
    | {"arg", "conversion", "simple", "is_async", "type_comment", "rest", "kwd_attrs", "lineno"}
)
LEAVES = frozenset({ast.Name, ast.Pass, ast.Break, ast.Continue, ast.Global, ast.Nonlocal})
KEEPS_KEY = frozenset(
    {ast.List, ast.Tuple, ast.Set, ast.BoolOp, ast.IfExp, ast.BinOp, ast.Starred, ast.Return}
)
"""What these hold is given to the same name as they are."""

FUNCTIONS = frozenset({ast.FunctionDef, ast.AsyncFunctionDef})
VISITED = FUNCTIONS | frozenset(
    {ast.ClassDef, ast.Call, ast.Assign, ast.AnnAssign, ast.Expr, ast.Dict, ast.JoinedStr}
    | {ast.Subscript, ast.Import, ast.ImportFrom, ast.NamedExpr, ast.While, ast.withitem}
    | {ast.AugAssign, ast.For, ast.AsyncFor, ast.comprehension, ast.Await}
)
"""What says something itself; of other nodes only the children are visited."""

_FIELDS = {
    kind: tuple(name for name in kind._fields if name not in _NO_TREES)
    for kind in vars(ast).values()
    if isinstance(kind, type) and issubclass(kind, ast.AST)
}
_OF_TEXTS = frozenset(
    {"replace", "split", "rsplit", "startswith", "endswith", "removeprefix", "removesuffix"}
    | {"find", "index", "count", "partition", "rpartition", "isinstance", "match", "search"}
    | {"compile", "print", "debug", "info", "warning", "error", "exception", "append_text"}
)
_ERRORS = ("Error", "Exception", "Warning")
_FIRST_COUNTS = frozenset({"Field", "field", "Form", "Query", "Option", "from_template", "dedent"})
_BY_NAME = frozenset({"get", "getenv", "setdefault", "pop", "get_config", "config", "env"})
_NAMED_DEFAULTS = frozenset({"default", "default_value", "value", "fallback"})


def children(node: ast.AST) -> list[ast.AST]:
    """Return the trees below `node` in their order, without plain names."""
    found: list[ast.AST] = []
    for name in _FIELDS[type(node)]:
        child = getattr(node, name, None)
        if child is None:
            continue
        if type(child) is list:
            found += [each for each in child if type(each) not in LEAVES and each is not None]
        elif type(child) not in LEAVES and isinstance(child, ast.AST):
            found.append(child)
    return found


def outside(node: ast.FunctionDef | ast.AsyncFunctionDef) -> list[Visit]:
    """Return what of a function is evaluated where it stands: decorators and defaults."""
    found: list[Visit] = [(each, "", "") for each in node.decorator_list]
    found += [(value, "", name) for name, value in parameter_defaults(node.args)]
    return found[::-1]


def argument_keys(node: ast.Call, function: str, key: str) -> list[Visit]:
    """Return the children of a call, each with the name that it is given to.

    Positional arguments belong to what the call is given to, ``get("MODEL", "x")`` gives x to
    MODEL, ``add_argument("--model", default="x")`` to model, and keywords give to their name.
    What errors and messages hold is given to nothing.
    """
    last = function.rpartition(".")[2].lstrip(":") if function else _attribute(node)
    silent = last in _OF_TEXTS or last.endswith(_ERRORS)
    named = _constant(node.args[0]).lstrip("-").replace("-", "_") if node.args else ""
    named = named if named.isidentifier() else ""
    found: list[Visit] = []
    if type(node.func) not in LEAVES:
        found.append((node.func, "", key if isinstance(node.func, ast.Attribute) else ""))
    for index, each in enumerate(node.args):
        if type(each) not in LEAVES:
            inner = "" if silent else _positional(node, last, index, named, key)
            found.append((each, "", inner))
    for keyword in node.keywords:
        if type(keyword.value) not in LEAVES:
            name = keyword.arg or ""
            if name in _NAMED_DEFAULTS:
                name = _option(node) or named or key
            elif name == "default_factory":
                name = key
            found.append((keyword.value, "", "" if silent else name))
    return found[::-1]


def _positional(node: ast.Call, last: str, index: int, named: str, key: str) -> str:
    """Return the name that the positional argument at `index` is given to."""
    if last == "getattr":
        return _constant(node.args[1]) if index > 1 else ""
    if index == 0 and named:
        more = last in _BY_NAME or len(node.args) > 1 or node.keywords
        return "" if more and last not in _FIRST_COUNTS else key
    return named if index == 1 and last in _BY_NAME else key


def _option(node: ast.Call) -> str:
    """Return the long option among the positional arguments, as a name."""
    options = [each for each in map(_constant, node.args[:4]) if each.startswith("--")]
    return options[0].lstrip("-").replace("-", "_") if options else ""


def dict_keys(node: ast.Dict, key: str) -> list[Visit]:
    """Return the values of a table, each given to its key below the name of the table."""
    found: list[Visit] = []
    for name, value in zip(node.keys, node.values, strict=False):
        if name is not None and type(name) is not ast.Constant and type(name) not in LEAVES:
            found.append((name, "", ""))
        if type(value) not in LEAVES:
            inner = _constant(name) if name is not None else ""
            found.append((value, "", f"{key}.{inner}"[-_MAXIMUM_KEY:] if key else inner))
    return found[::-1]


def subscript_key(node: ast.expr) -> str:
    """Return ``name`` of the target ``table["name"]``, else an empty text."""
    return _constant(node.slice) if isinstance(node, ast.Subscript) else ""


def _constant(node: ast.expr | None) -> str:
    value = node.value if isinstance(node, ast.Constant) else ""
    return value[:_MAXIMUM_KEY] if isinstance(value, str) else ""


def _attribute(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else ""
