"""Pickles: the opcodes are walked, nothing is built; what they would import is reported.

Opcodes and their arguments: ``pickletools`` of the standard library. Strings are followed through
the stack top and the memo as far as STACK_GLOBAL needs them.
"""

from __future__ import annotations

import pickletools
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

from keepwall.formats.modelfile.bytes_at import BytesAt, Cursor
from keepwall.vocabulary.errors import FormatError

DEFAULT_OPCODES = 2_000_000
UNKNOWN = "?"
"""Stands for an import whose name the pickle puts together while it runs."""
_MAXIMUM_IMPORTS = 200
_MAXIMUM_TEXT = 300
_MEMO_ENTRIES = 100_000

_OPCODES: Mapping[int, pickletools.OpcodeInfo] = {
    ord(each.code): each for each in pickletools.opcodes
}
_FIXED = {
    "uint1": 1,
    "uint2": 2,
    "int4": 4,
    "uint4": 4,
    "uint8": 8,
    "float8": 8,
}
_COUNTED = {
    "string1": "<B",
    "string4": "<i",
    "bytes1": "<B",
    "bytes4": "<I",
    "bytes8": "<Q",
    "bytearray8": "<Q",
    "unicodestring1": "<B",
    "unicodestring4": "<I",
    "unicodestring8": "<Q",
    "long1": "<B",
    "long4": "<i",
}
_LINES = {
    "decimalnl_short": 1,
    "decimalnl_long": 1,
    "floatnl": 1,
    "stringnl": 1,
    "stringnl_noescape": 1,
    "unicodestringnl": 1,
    "stringnl_noescape_pair": 2,
}
_TEXT_OPCODES = {
    "SHORT_BINUNICODE",
    "BINUNICODE",
    "BINUNICODE8",
    "UNICODE",
    "STRING",
    "BINSTRING",
    "SHORT_BINSTRING",
}
_CALLING = {"REDUCE", "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "BUILD"}


@dataclass(frozen=True, slots=True)
class Pickle:
    """What a pickle would do; `imports` are dotted, in order; `complete` is False if it is cut.

    `calls` says that it calls something while loading; `end` is the offset after its STOP.
    """

    protocol: int
    imports: tuple[str, ...]
    calls: bool
    complete: bool
    end: int


@dataclass(slots=True)
class _Machine:
    """The little that is remembered while walking."""

    texts: list[str] = field(default_factory=list)
    memo: dict[int, str] = field(default_factory=dict)
    memoized: int = 0
    numbered: bool = False
    imports: dict[str, None] = field(default_factory=dict)
    calls: bool = False
    protocol: int = 0

    def push(self, text: str) -> None:
        """Put a text on the stack."""
        self.texts = [*self.texts[-1:], text]

    def memoize(self, key: int | None) -> None:
        """Remember the stack top; where both kinds of keys are mixed, nothing is known."""
        if key is None:
            key = self.memoized
            self.memoized += 1
        else:
            self.numbered = True
        self.memo.pop(key, None)
        mixed = self.numbered and self.memoized
        if self.texts and not mixed and len(self.memo) < _MEMO_ENTRIES:
            self.memo[key] = self.texts[-1]
        elif mixed:
            self.memo.clear()

    def note(self, name: str) -> None:
        """Note an import; too many are as good as unknown ones."""
        self.imports.setdefault(name if len(self.imports) < _MAXIMUM_IMPORTS else UNKNOWN)


def read_pickle(source: BytesAt, offset: int = 0, *, opcodes: int = DEFAULT_OPCODES) -> Pickle:
    """Return what the pickle at `offset` would import and whether it calls.

    Raises:
        FormatError: the bytes at `offset` are not a pickle.
    """
    cursor = Cursor(source)
    cursor.offset = offset
    machine = _Machine()
    for count in range(opcodes):
        try:
            info = _OPCODES.get(cursor.read(1)[0])
            if info is None:
                if count < 3 and not machine.imports:  # noqa: PLR2004 - too little to be one
                    raise FormatError("not a pickle", place=f"byte {cursor.offset - 1}")
                return _result(machine, cursor, complete=False)
            argument = _argument(cursor, info)
        except EOFError as error:
            if not machine.imports and not machine.protocol:
                raise FormatError("not a pickle: it ends early") from error
            return _result(machine, cursor, complete=False)
        if info.name == "STOP":
            return _result(machine, cursor, complete=True)
        _step(machine, info.name, argument)
    return _result(machine, cursor, complete=False)


def read_pickles(source: BytesAt, offset: int = 0, *, maximum: int = 10) -> list[Pickle]:
    """Return the pickles that follow each other from `offset`; the first must be one.

    Raises:
        FormatError: the bytes at `offset` are not a pickle.
    """
    found = [read_pickle(source, offset)]
    while found[-1].complete and found[-1].end < source.size and len(found) < maximum:
        try:
            found.append(read_pickle(source, found[-1].end))
        except FormatError:
            break
    return found


def _result(machine: _Machine, cursor: Cursor, *, complete: bool) -> Pickle:
    imports = tuple(machine.imports)
    return Pickle(machine.protocol, imports, machine.calls, complete, cursor.offset)


def _argument(cursor: Cursor, info: pickletools.OpcodeInfo) -> str:
    """Return the argument of an opcode as text where it matters, and move past it."""
    if info.arg is None:
        return ""
    kind = info.arg.name
    if kind in _FIXED:
        return str(int.from_bytes(cursor.read(_FIXED[kind]), "little"))
    if kind in _COUNTED:
        form = _COUNTED[kind]
        (length,) = struct.unpack(form, cursor.read(struct.calcsize(form)))
        if length < 0:
            raise EOFError
        kept = min(length, _MAXIMUM_TEXT) if info.name in _TEXT_OPCODES else 0
        text = cursor.read(kept).decode("utf-8", "replace")
        cursor.skip(length - kept)
        return text
    lines = [cursor.line().decode("utf-8", "replace") for _ in range(_LINES.get(kind, 1))]
    return " ".join(line.strip().strip("'\"") for line in lines)


def _step(machine: _Machine, name: str, argument: str) -> None:
    """Follow strings to STACK_GLOBAL; note what is imported and called.

    Only two texts that were pushed right before STACK_GLOBAL name an import. Anything in between
    (POP, DUP, …) makes the name unknown, which counts as foreign.
    """
    if name in _TEXT_OPCODES:
        machine.push(argument)
    elif name in ("MEMOIZE", "BINPUT", "LONG_BINPUT", "PUT"):
        machine.memoize(None if name == "MEMOIZE" else _number(argument))
    elif name in ("BINGET", "LONG_BINGET", "GET"):
        machine.push(machine.memo.get(_number(argument), ""))
    else:
        texts, machine.texts = machine.texts, []
        if name == "PROTO":
            machine.protocol = max(_number(argument), 0)
        elif name in ("GLOBAL", "INST"):
            machine.note(argument.replace(" ", ".", 1))
        elif name == "STACK_GLOBAL":
            known = len(texts) > 1 and all(texts)
            # A name with dots reaches through its module for something else: a colon shows it.
            mark = ":" if known and "." in texts[-1] else "."
            machine.note(mark.join(texts[-2:]) if known else UNKNOWN)
        elif name.startswith("EXT"):
            machine.note(f"copyreg.extension.{argument}")
        machine.calls = machine.calls or name in _CALLING


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 12 else -1  # noqa: PLR2004 - a memo index
