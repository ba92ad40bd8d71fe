"""Addresses of the same screen with another question."""

from __future__ import annotations

import msgspec

from keepwall.server.queries import Query, quote_parameter


def address(query: Query, **changed: object) -> str:
    """Return the query part of the address of `query` with some parameters `changed`.

    What is empty or as it is by default is left out, so that addresses stay short.
    """
    asked = {**msgspec.to_builtins(query), **changed}
    plain = msgspec.to_builtins(type(query)()) if _has_defaults(query) else {}
    pairs = [
        f"{name}={quote_parameter(str(value))}"
        for name, value in asked.items()
        if value not in (None, "") and value != plain.get(name)
    ]
    return "?" + "&".join(pairs) if pairs else "?"


def _has_defaults(query: Query) -> bool:
    fields = msgspec.structs.fields(query)
    return not any(field.required for field in fields)
