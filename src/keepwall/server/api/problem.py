"""Errors as RFC 9457 problem documents."""

from __future__ import annotations

import msgspec
from starlette.responses import Response

MEDIA_TYPE = "application/problem+json"


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """What went wrong with one request; `hint` is an extension member that names the next step."""

    title: str
    status: int
    detail: str
    hint: str = ""
    instance: str = ""
    type: str = "about:blank"


def problem_response(problem: Problem) -> Response:
    """Return `problem` as a response with its own status."""
    return Response(msgspec.json.encode(problem), problem.status, media_type=MEDIA_TYPE)
