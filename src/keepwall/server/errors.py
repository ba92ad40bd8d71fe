"""How refusals and errors look: RFC 9457 problems on the API, pages in the console."""

from __future__ import annotations

import logging
from http import HTTPStatus
from urllib.parse import quote, urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from keepwall.server.api.problem import Problem, problem_response
from keepwall.server.queries import BadQueryError, NotFoundError
from keepwall.server.security import HEADERS
from keepwall.server.services import services_of
from keepwall.vocabulary.errors import ConnectError, KeepwallError
from keepwall.workflows.triage import TriageError, UnknownFindingError

_log = logging.getLogger(__name__)


def refusal(request: Request, status: int, detail: str, hint: str = "") -> Response:
    """Return the answer that tells a program (problem) or a person (page) why there is no other.

    A page with status 401 is the sign-in form; htmx, which must not put it into a part of a page,
    is told to go there instead.
    """
    if request.url.path.startswith("/api/"):
        title = HTTPStatus(status).phrase
        response = problem_response(Problem(title, status, detail, hint, request.url.path))
        if status == HTTPStatus.UNAUTHORIZED:
            response.headers["www-authenticate"] = 'Bearer realm="keepwall"'
        return response
    pages = services_of(request).pages
    if status != HTTPStatus.UNAUTHORIZED:
        context = {"status": status, "detail": detail, "hint": hint}
        return pages.render(request, "error.html", context, status=status)
    if request.headers.get("hx-request") == "true":
        current = urlsplit(request.headers.get("hx-current-url", ""))
        back = quote(f"{current.path}?{current.query}" if current.query else current.path or "/")
        return Response(status_code=status, headers={"hx-redirect": f"/sign-in?next={back}"})
    back = request.url.path if request.method == "GET" else "/"
    if request.method == "GET" and request.url.query:
        back += f"?{request.url.query}"
    return pages.render(request, "sign_in.html", {"next": back, "error": ""}, status=status)


async def http_error(request: Request, error: Exception) -> Response:
    """Answer what the router refuses: unknown paths and methods, oversized bodies."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    detail = {
        404: "There is nothing at this address.",
        405: "This address does not take that method.",
    }.get(status, HTTPStatus(status).phrase)
    response = refusal(request, status, detail)
    if isinstance(error, HTTPException) and error.headers:
        response.headers.update(error.headers)
    return response


async def keepwall_error(request: Request, error: Exception) -> Response:
    """Answer an error of ours: its line for a person and its hint are fit to be shown."""
    if not isinstance(error, KeepwallError):
        return await unexpected_error(request, error)
    if isinstance(error, (NotFoundError, UnknownFindingError)):
        status = 404
    elif isinstance(error, (BadQueryError, TriageError)):
        status = 400
    elif isinstance(error, ConnectError):
        status = 503
    else:
        status = 500
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        _log.error("%s %s: %s", request.method, request.url.path, error.message)
    return refusal(request, status, error.message, error.hint)


async def unexpected_error(request: Request, error: Exception) -> Response:
    """Answer a defect without showing any of it; the server logs the exception itself."""
    _log.error("%s %s failed: %s", request.method, request.url.path, type(error).__name__)
    response = refusal(
        request, 500, "Something went wrong here.", "The log of the control plane says more."
    )
    # This answer is made outside of the middleware that adds them.
    response.headers.update(HEADERS)
    return response
