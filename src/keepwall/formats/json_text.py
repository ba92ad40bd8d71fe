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
        data = msgspec.json.encode(value, order="deterministic")
    except UnicodeEncodeError:
        tree = _well_formed_tree(msgspec.to_builtins(value))
        data = msgspec.json.encode(tree, order="deterministic")
    return (msgspec.json.format(data, indent=2) if pretty else data) + b"\n"


def _well_formed_tree(value: object) -> object:
    if isinstance(value, str):
        return well_formed(value)
    if isinstance(value, Mapping):
        return {well_formed(str(key)): _well_formed_tree(each) for key, each in value.items()}
    if isinstance(value, Sequence):
        return [_well_formed_tree(each) for each in value]
    return value
