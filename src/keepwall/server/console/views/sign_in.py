"""Signing in and out."""

from __future__ import annotations

import logging

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from keepwall.server.credentials import check_password
from keepwall.server.queries import local_path
from keepwall.server.services import Services, services_of
from keepwall.server.session import LIFETIME

_log = logging.getLogger(__name__)


def sign_in_form(request: Request) -> Response:
    """Return the form, or go on for someone who is signed in."""
    back = local_path(request.query_params.get("next", ""))
    if request.state.session is not None:
        return RedirectResponse(back, 303)
    return services_of(request).pages.render(request, "sign_in.html", {"next": back, "error": ""})


async def sign_in(request: Request) -> Response:
    """Check the password and start a new session, whatever session the browser brought."""
    services = services_of(request)
    form = await request.form(max_files=0, max_fields=10)
    password, back = form.get("password"), local_path(str(form.get("next", "")))
    address = request.client.host if request.client else "unknown"
    if wait := services.limiter.attempt(address):
        context = {"next": back, "error": f"Too many tries. Try again in {wait} s."}
        response = services.pages.render(request, "sign_in.html", context, status=429)
        response.headers["retry-after"] = str(wait)
        return response
    if not await run_in_threadpool(check_password, services.store, str(password or "")):
        _log.warning("sign-in from %s failed", address)
        context = {"next": back, "error": "That is not the password."}
        return services.pages.render(request, "sign_in.html", context, status=401)
    services.limiter.succeeded(address)
    services.sessions.end(request.state.token)
    token, _ = services.sessions.start()
    _log.info("sign-in from %s", address)
    answer = RedirectResponse(back, 303)
    answer.set_cookie(
        services.cookie,
        token,
        max_age=int(LIFETIME.total_seconds()),
        path="/",
        secure=services.secure_cookies,
        httponly=True,
        samesite="strict",
    )
    return answer


async def sign_out(request: Request) -> Response:
    """Revoke the session here, and take the cookie back."""
    services: Services = services_of(request)
    services.sessions.end(request.state.token)
    response = RedirectResponse("/sign-in", 303)
    response.delete_cookie(
        services.cookie, path="/", secure=services.secure_cookies, httponly=True, samesite="strict"
    )
    response.headers["clear-site-data"] = '"cache"'
    return response
