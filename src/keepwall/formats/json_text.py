"""JSON as it leaves the program: UTF-8 that every parser accepts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from keepwall.formats.plain_text import well_formed


def encode_json(value: object, *, pretty: bool = True) -> bytes:
    """Return `value` (dataclasses, mappings, sequences, scalars) as JSON with a final newline.

    Strings that are not valid Unicode, such as file names in another encoding, are written with
    their odd bytes spelled out (`well_formed`) instead of failing the whole document.
    """
    try:
        data = msgspec.json.encode(value, enc_hook=_builtin, order="deterministic")
    except UnicodeEncodeError:
        tree = _well_formed_tree(msgspec.to_builtins(value, enc_hook=_builtin))
        data = msgspec.json.encode(tree, order="deterministic")
    return (msgspec.json.format(data, indent=2) if pretty else data) + b"\n"


def _builtin(value: object) -> object:
    """Return a read-only view or another mapping or sequence as what it stands for."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Sequence):
        return list(value)
    raise TypeError(f"{type(value).__name__} has no place in JSON")


def _well_formed_tree(value: object) -> object:
    if isinstance(value, str):
        return well_formed(value)
    if isinstance(value, Mapping):
        return {well_formed(str(key)): _well_formed_tree(each) for key, each in value.items()}
    if isinstance(value, Sequence):
        return [_well_formed_tree(each) for each in value]
    return value
