"""Python source: calls with imports and aliases resolved, and the functions that hold them.

The source is parsed, never run. Names are followed through imports, simple assignments,
annotations and ``with``, in the scope where they stand and in those around it.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Sequence

from keepwall.formats.source.model import Module
from keepwall.formats.source.names import ModuleReader
from keepwall.vocabulary.errors import FormatError

DEFAULT_SOURCE_BYTES = 1 << 20
_MAXIMUM_MARKS = 300_000
_DENSE = str.maketrans("", "", ",;\n()[]{}=+-*/%@<>|&^~.:")
_COOKIE = re.compile(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)", re.ASCII)
_ENCODINGS = re.compile(
    r"(?:utf-?8|us-ascii|ascii|latin-?1|iso-latin-1|iso-?8859-\d{1,2}|(?:cp|windows-)\d{3,4}|koi8-[ru]|"
    r"gb2312|gbk|gb18030|big5|shift-jis|euc-(?:jp|kr)|mac-roman)(?:-(?:unix|dos|mac|sig))?\Z"
)
"""Encodings in which ASCII means itself; others (UTF-7, unicode-escape) can hide code."""


def decode_source(data: bytes) -> str:
    """Return Python source as text by its byte order mark or coding line (PEP 263).

    Raises:
        FormatError: the bytes are not of that encoding, or it is one that can hide code.
    """
    if data.startswith(b"\xef\xbb\xbf"):
        data, encoding = data[3:], "utf-8"
    else:
        cookies = (_COOKIE.match(line) for line in data[:1000].split(b"\n", 2)[:2])
        name = next((each[1].decode("ascii") for each in cookies if each), "utf-8")
        encoding = re.sub(r"-(?:unix|dos|mac)$", "", name.lower().replace("_", "-"))
        if not _ENCODINGS.match(encoding):
            raise FormatError(f"source encoding {name[:40]} is not read")
    try:
        return data.decode(encoding)
    except LookupError as error:
        raise FormatError(f"source encoding {encoding} is not known") from error
    except UnicodeDecodeError as error:
        raise FormatError(f"not {encoding}: {error.reason} at byte {error.start}") from error


def parse_tree(text: str) -> ast.Module:
    """Return the syntax tree of `text`.

    Raises:
        FormatError: it is not Python 3, nests too deeply, or is so dense that its tree would take
            hundreds of megabytes; names the line.
    """
    if len(text) - len(text.translate(_DENSE)) > _MAXIMUM_MARKS:
        raise FormatError(f"more than {_MAXIMUM_MARKS} operators and lines")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except SyntaxError as error:
        raise FormatError(
            f"not Python 3: {error.msg}", place=f"line {error.lineno or 1}"
        ) from error
    except (RecursionError, MemoryError) as error:
        raise FormatError("nested too deeply to be parsed") from error
    except ValueError as error:
        raise FormatError(f"not Python 3: {error}") from error


def read_python(data: bytes, *, limit: int = DEFAULT_SOURCE_BYTES, package: str = "") -> Module:
    """Return what the module in `data` says.

    Raises:
        FormatError: it is larger than `limit` bytes, or cannot be decoded or parsed.
    """
    if len(data) > limit:
        raise FormatError(f"{len(data)} bytes of source, more than {limit}")
    return read_trees([(parse_tree(decode_source(data)), 0)], package=package)


def read_trees(trees: Sequence[tuple[ast.Module, int]], *, package: str = "") -> Module:
    """Return what `trees` say as one module, each with the offset that its lines have."""
    reader = ModuleReader(package=package)
    for tree, offset in trees:
        reader.read(tree, offset)
    return reader.finish()
