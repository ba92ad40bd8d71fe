"""The OpenAPI 3.1 document, generated from the route table and the types that travel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from keepwall import __version__
from keepwall.server.api.operation import Operation
from keepwall.server.api.problem import MEDIA_TYPE, Problem
from keepwall.server.security import HEALTH

_REF = "#/components/schemas/{name}"
_ERRORS: Mapping[str, str] = {
    "400": "A parameter cannot be used",
    "401": "Neither a session nor a valid API token",
    "403": "From another origin, or without a valid CSRF token",
    "404": "No such thing",
    "503": "Something that is needed does not answer",
}

_HEALTH: Mapping[str, Any] = {
    "operationId": "health",
    "summary": "Say that the server answers, and nothing else.",
    "security": [],
    "responses": {
        "200": {
            "description": "The text ok",
            "content": {"text/plain": {"schema": {"type": "string"}}},
        }
    },
}


def document(operations: Sequence[Operation], prefix: str) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of `operations` served below `prefix`."""
    answers = [operation.answer for operation in operations]
    with_body = [operation for operation in operations if operation.body is not None]
    schemas, components = msgspec.json.schema_components(
        [*answers, *(operation.body for operation in with_body), Problem], ref_template=_REF
    )
    bodies = {
        operation.path: schema
        for operation, schema in zip(with_body, schemas[len(answers) :], strict=False)
    }
    paths: dict[str, dict[str, Mapping[str, Any]]] = {}
    for operation, schema in zip(operations, schemas, strict=False):
        described = _describe(operation, schema)
        if operation.body is not None:
            described["requestBody"] = {
                "required": True,
                "content": {"application/json": {"schema": bodies[operation.path]}},
            }
        paths.setdefault(prefix + operation.path, {})[operation.method.lower()] = described
    paths[HEALTH] = {"get": _HEALTH}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Keepwall",
            "version": __version__,
            "summary": "Inventory, findings, events and incidents of one installation",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "session": {"type": "apiKey", "in": "cookie", "name": "keepwall"},
                "token": {"type": "http", "scheme": "bearer"},
            },
        },
        "security": [{"session": []}, {"token": []}],
    }


def _describe(operation: Operation, schema: Mapping[str, Any]) -> dict[str, Any]:
    unsafe = operation.method != "GET"
    parameters = _parameters(operation)
    if unsafe:
        parameters.append(
            {
                "name": "X-CSRF-Token",
                "in": "header",
                "required": False,
                "description": "The CSRF token of the session; not needed with an API token",
                "schema": {"type": "string"},
            }
        )
    errors = {
        status: {
            "description": text,
            "content": {MEDIA_TYPE: {"schema": {"$ref": _REF.format(name="Problem")}}},
        }
        for status, text in _ERRORS.items()
        if (status != "403" or unsafe) and (status != "404" or operation.names_one)
    }
    return {
        "operationId": operation.handler.__name__,
        "summary": (operation.handler.__doc__ or "").partition("\n")[0],
        "parameters": parameters,
        "responses": {
            "200": {
                "description": "The answer",
                "content": {"application/json": {"schema": schema}},
            },
            **errors,
        },
    }


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    """Return the parameters in path and query, from the struct that also checks them."""
    found: list[dict[str, Any]] = []
    if "{id}" in operation.path:
        found.append({"name": "id", "in": "path", "required": True, "schema": {"type": "string"}})
    _, components = msgspec.json.schema_components([operation.query], ref_template=_REF)
    own = components[operation.query.__name__]
    for name, schema in own["properties"].items():
        found.append(
            {
                "name": name,
                "in": "query",
                "required": name in own.get("required", ()),
                "description": schema.get("description", name),
                "schema": _inlined(schema, components),
            }
        )
    return found


def _inlined(schema: Any, components: Mapping[str, Any]) -> Any:
    """Return `schema` with references into `components` replaced by what they name."""
    if isinstance(schema, dict):
        if "$ref" in schema:
            return _inlined(components[schema["$ref"].rpartition("/")[2]], components)
        return {name: _inlined(value, components) for name, value in schema.items()}
    if isinstance(schema, list):
        return [_inlined(each, components) for each in schema]
    return schema
