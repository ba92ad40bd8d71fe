"""Graphs of TensorFlow and layers of Keras: what of them runs code or reaches for files."""

from __future__ import annotations

import re

from keepwall.formats.modelfile.bytes_at import BytesAt
from keepwall.formats.modelfile.windows import found_in

LIMIT = 256 << 20
"""Bytes of one file that are searched; what lies beyond is named as unread."""

_OPERATORS = (
    "PyFunc",
    "PyFuncStateless",
    "EagerPyFunc",
    "ReadFile",
    "WriteFile",
    "MatchingFiles",
    "DebugIdentityV3",
)
# NodeDef.op is field 2, a text: its tag, its length, then the name (graph.proto, node_def.proto).
_NODE = re.compile(
    b"|".join(
        b"\\x12" + re.escape(bytes([len(each)])) + b"(?:%s)" % each.encode() for each in _OPERATORS
    )
)
_LAMBDA = re.compile(rb'"class_name"\s{0,20}:\s{0,20}"(?:Lambda|TFOpLambda)"')
_MODULE = re.compile(
    rb'"module"\s{0,20}:\s{0,20}"((?:os|posix|nt|subprocess|sys|shutil|importlib|runpy|socket|pty|pickle'
    rb'|ctypes|code|platform|webbrowser|multiprocessing|urllib|requests|http)(?:\.[\w.]{0,100})?)"'
)


def dangerous_operators(source: BytesAt) -> list[str]:
    """Return the operators of a graph that run Python or touch files, by name."""
    found = dict.fromkeys(found_in(source, _NODE, LIMIT))
    return [each[2:].decode("ascii", "replace") for each in found]


def keras_reason(source: BytesAt) -> str:
    """Return why loading a Keras configuration may run code; empty where nothing in it does."""
    if next(found_in(source, _LAMBDA, LIMIT), None) is not None:
        return "a Lambda layer holds Python code"
    module = next(found_in(source, _MODULE, LIMIT), None)
    return f"a layer is taken from the module {module.decode()}" if module else ""


def cut(source: BytesAt) -> str:
    """Return what of a file was not searched; empty where all of it was."""
    return "" if source.size <= LIMIT else f"only the first {LIMIT} bytes were searched"
