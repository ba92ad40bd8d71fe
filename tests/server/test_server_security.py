"""Other sites, other names, other origins: what a request must prove before it is answered."""

from __future__ import annotations

import logging

import pytest
from asgi_client import Client
from server_samples import HOSTILE, SUBJECT
from server_world import World

from keepwall.server.app import BODY_LIMIT
from keepwall.server.credentials import PASSWORD_SETTING
from keepwall.server.security import CONTENT_SECURITY_POLICY, host_name

CONTAIN = "/incidents/inc-1/contain"
API_CONTAIN = "/api/v1/incidents/inc-1/contain"


def csrf_of(world: World, client: Client) -> str:
    return world.app.state.services.sessions.get(client.cookies["keepwall"]).csrf


@pytest.mark.parametrize("path", [CONTAIN, API_CONTAIN])
async def test_a_form_of_another_site_contains_nothing(world: World, path: str) -> None:
    client = await world.signed_in()
    csrf = csrf_of(world, client)
    for origin in ("http://evil.example", "null", "http://127.0.0.1:9999", None):
        answer = await client.post(path, {"csrf": csrf}, origin=origin)
        assert answer.status == 403, origin
    assert world.planes.contained == {}


@pytest.mark.parametrize("path", [CONTAIN, API_CONTAIN])
async def test_without_the_token_of_the_session_nothing_is_contained(
    world: World, path: str
) -> None:
    client, other = await world.signed_in(), await world.signed_in()
    for fields in ({}, {"csrf": ""}, {"csrf": "x"}, {"csrf": csrf_of(world, other)}):
        assert (await client.post(path, fields)).status == 403
    assert (await client.post(path, **{"content-type": "text/plain"})).status == 403
    assert world.planes.contained == {}


async def test_the_token_counts_as_field_and_as_header(world: World) -> None:
    client = await world.signed_in()
    csrf = csrf_of(world, client)
    assert (await client.post(CONTAIN, {"csrf": csrf})).status == 303
    assert world.planes.contained == {"inc-1": SUBJECT}
    released = await client.post("/api/v1/incidents/inc-1/release", **{"x-csrf-token": csrf})
    assert released.status == 200
    assert released.json()["state"] == "open"
    assert world.planes.contained == {}


async def test_an_api_token_needs_no_csrf_and_opens_no_page(world: World) -> None:
    program = world.program()
    assert (await program.post(API_CONTAIN, origin=None)).status == 200
    assert (await program.get("/")).status == 401
    assert (await program.post(CONTAIN)).status == 401
    program.bearer = "kw_wrong"
    refused = await program.get("/api/v1/status")
    assert refused.status == 401
    assert refused.header("www-authenticate").startswith("Bearer")


async def test_a_wrong_bearer_is_not_saved_by_a_cookie(world: World) -> None:
    client = await world.signed_in()
    client.bearer = "kw_wrong"
    assert (await client.get("/api/v1/status")).status == 401


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8740",
        "127.0.0.1.evil.example",
        "127.0.0.1@evil.example",
        "",
        "[::1",
    ],
)
async def test_a_rebound_name_gets_nothing(world: World, host: str) -> None:
    client = await world.signed_in()
    client.host = host
    answer = await client.get("/")
    assert answer.status == 421
    assert "scorer" not in answer.text


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8740", "127.0.0.1", "[::1]:8740"])
async def test_loopback_names_are_ours(world: World, host: str) -> None:
    client = await world.signed_in()
    client.host = host
    assert (await client.get("/")).status == 200


def test_the_name_in_a_host_header() -> None:
    assert host_name("Keep.Example:443") == "keep.example"
    assert host_name("a b:99999") == ""
    assert host_name("a/b") == ""


@pytest.mark.parametrize("path", ["/", "/sign-in", "/healthz", "/nowhere", "/static/keepwall.js"])
async def test_every_answer_carries_the_headers(world: World, path: str) -> None:
    answer = await (await world.signed_in()).get(path)
    assert answer.header("content-security-policy") == CONTENT_SECURITY_POLICY
    assert answer.header("x-content-type-options") == "nosniff"
    assert answer.header("cross-origin-opener-policy") == "same-origin"
    assert answer.header("cross-origin-resource-policy") == "same-origin"
    expected = "no-cache" if path.startswith("/static/") else "no-store"
    assert answer.header("cache-control") == expected


async def test_no_page_needs_an_inline_script_or_style(world: World) -> None:
    client = await world.signed_in()
    for path in ("/", "/inventory", "/findings", "/events", "/incidents", "/incidents/inc-1"):
        text = (await client.get(path)).text
        assert "<style" not in text
        assert " style=" not in text
        assert text.count("<script") == text.count("<script src=") == 2
        assert "javascript:" not in text
        assert "hx-on" not in text


async def test_health_says_ok_and_nothing_else(world: World) -> None:
    probe = Client(world.app, host="10.1.2.3:8740")
    answer = await probe.get("/healthz")
    assert (answer.status, answer.body) == (200, b"ok\n")


async def test_a_large_body_is_refused(world: World) -> None:
    client = await world.signed_in()
    answer = await client.post(CONTAIN, {"csrf": "x" * (BODY_LIMIT + 1)})
    assert answer.status == 413
    assert (await client.post("/sign-in", {"password": "x" * (BODY_LIMIT + 1)})).status == 413


async def test_htmx_is_sent_to_the_sign_in_page_instead_of_swapping_it_in(world: World) -> None:
    answer = await world.browser().get(
        "/findings",
        **{"hx-request": "true", "hx-current-url": "http://127.0.0.1/findings?search=a"},
    )
    assert answer.status == 401
    assert answer.header("hx-redirect") == "/sign-in?next=/findings%3Fsearch%3Da"
    assert answer.body == b""


async def test_static_files_end_at_their_folder(world: World) -> None:
    client = world.browser()
    for path in ("/static/../app.py", "/static/%2e%2e/routes.py", "/static//etc/passwd"):
        assert (await client.get(path)).status == 404


async def test_a_defect_shows_nothing_of_itself(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise RuntimeError("a detail that is nobody's business")

    client = await world.signed_in()
    monkeypatch.setattr(world.store.inventory, "counts", broken)
    with pytest.raises(RuntimeError):  # the server logs it after the answer is out
        await client.get("/")
    answer = client.last
    assert answer is not None
    assert answer.status == 500
    assert "business" not in answer.text
    assert answer.header("content-security-policy") == CONTENT_SECURITY_POLICY


async def test_no_secret_reaches_the_log(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    client = await world.signed_in()
    await world.browser().post("/sign-in", {"password": "a-wrong-guess"})
    await world.program().get("/api/v1/status")
    secrets = (
        world.password,
        world.token,
        client.cookies["keepwall"],
        "a-wrong-guess",
        world.store.settings.get(PASSWORD_SETTING) or "-",
    )
    assert "sign-in from 127.0.0.1 failed" in caplog.text
    assert not any(secret in caplog.text for secret in secrets)


async def test_hostile_names_are_shown_and_act_on_nothing(world: World) -> None:
    client = await world.signed_in()
    for path in ("/", "/inventory", "/findings", "/inventory?search=onerror"):
        text = (await client.get(path)).text
        assert "<img src=x" not in text
        assert "&lt;img src=x onerror=alert(1)&gt;" in text
        assert not any(mark in text for mark in ("\x1b", "\u202e"))
        assert "\\x1b[2J" in text
        assert "\\u202egnp" in text
        assert "{{7*7}}" in text  # not 49: values are no templates
    assert HOSTILE[0] == "\x1b"
