"""Signing in: what lets a browser in, and what does not."""

from __future__ import annotations

from datetime import timedelta

import pytest
from server_world import World, make_world

from keepwall.server.console.views.sign_in import local_path
from keepwall.server.credentials import (
    PASSWORD_SETTING,
    TOKEN_SETTING,
    check_api_token,
    check_password,
    new_api_token,
    new_password,
)
from keepwall.server.limiter import SignInLimiter
from keepwall.server.session import IDLE, LIFETIME, Sessions

PAGES = ("/", "/inventory", "/findings", "/events", "/incidents", "/live/events", "/nowhere")


@pytest.mark.parametrize("path", PAGES)
async def test_nothing_is_shown_without_a_session(world: World, path: str) -> None:
    answer = await world.browser().get(path)
    assert answer.status == 401
    assert 'name="password"' in answer.text
    assert "scorer.pkl" not in answer.text


async def test_the_password_opens_the_console_and_its_loss_closes_it(world: World) -> None:
    client = await world.signed_in()
    assert (await client.get("/")).status == 200
    new_password(world.store)
    again = await world.browser().post("/sign-in", {"password": world.password})
    assert again.status == 401


async def test_the_cookie_is_out_of_reach_for_scripts_and_other_sites(world: World) -> None:
    answer = await world.browser().post("/sign-in", {"password": world.password})
    cookie = answer.header("set-cookie").lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "secure" not in cookie


async def test_over_https_the_cookie_is_bound_to_host_and_scheme(world: World) -> None:
    secured = make_world(world.store, secure_cookies=True)
    client = secured.browser()
    answer = await client.post(
        "/sign-in", {"password": secured.password}, origin="https://127.0.0.1:8740"
    )
    assert answer.header("set-cookie").startswith("__Host-keepwall=")
    assert "secure" in answer.header("set-cookie").lower()
    assert (await client.get("/")).status == 200
    plain = await client.post("/sign-in", {"password": secured.password})
    assert plain.status == 403  # a page of http cannot speak for one of https


async def test_signing_in_never_keeps_a_session_that_was_planted(world: World) -> None:
    planted = await world.signed_in()
    before = dict(planted.cookies)
    await planted.post("/sign-in", {"password": world.password})
    assert planted.cookies != before
    attacker = world.browser()
    attacker.cookies = before
    assert (await attacker.get("/")).status == 401
    attacker.cookies = {"keepwall": "chosen-by-the-attacker"}
    await attacker.post("/sign-in", {"password": world.password})
    assert attacker.cookies["keepwall"] != "chosen-by-the-attacker"


async def test_a_cookie_replayed_after_sign_out_is_refused(world: World) -> None:
    client = await world.signed_in()
    csrf = world.app.state.services.sessions.get(client.cookies["keepwall"]).csrf
    stolen = dict(client.cookies)
    answer = await client.post("/sign-out", {"csrf": csrf})
    assert answer.status == 303
    assert client.cookies == {}
    client.cookies = stolen
    assert (await client.get("/")).status == 401
    assert (await client.get("/api/v1/status")).status == 401


@pytest.mark.parametrize("forged", ["", "x", "A" * 43, "A" * 5000, '"; drop', "\xff\xfe"])
async def test_a_forged_cookie_is_refused(world: World, forged: str) -> None:
    client = world.browser()
    client.cookies = {"keepwall": forged}
    assert (await client.get("/")).status == 401
    answer = await client.get("/api/v1/findings")
    assert answer.status == 401
    assert answer.header("content-type") == "application/problem+json"


async def test_a_session_ends_when_idle_and_when_old(world: World) -> None:
    client = await world.signed_in()
    world.clock.forward(IDLE - timedelta(seconds=1))
    assert (await client.get("/")).status == 200
    world.clock.forward(IDLE)
    assert (await client.get("/")).status == 401
    client = await world.signed_in()
    for _ in range(int(LIFETIME / IDLE) * 2 - 1):
        world.clock.forward(IDLE / 2)
        assert (await client.get("/")).status == 200
    world.clock.forward(IDLE / 2)
    assert (await client.get("/")).status == 401


async def test_guessing_is_braked_and_recovers(world: World) -> None:
    client = world.browser()
    for _ in range(5):
        assert (await client.post("/sign-in", {"password": "guess"})).status == 401
    answer = await client.post("/sign-in", {"password": world.password})
    assert answer.status == 429
    assert 0 < int(answer.header("retry-after")) <= 60
    elsewhere = world.browser()
    elsewhere.address = "10.0.0.9"
    assert (await elsewhere.post("/sign-in", {"password": world.password})).status == 303
    world.clock.forward(timedelta(seconds=61))
    assert (await client.post("/sign-in", {"password": world.password})).status == 303


def test_the_brake_holds_over_all_addresses_in_bounded_memory(world: World) -> None:
    limiter = SignInLimiter(world.clock, addresses=8, total=20)
    tried = sum(limiter.attempt(f"10.0.{number}.1") == 0 for number in range(500))
    assert tried == 20
    assert len(limiter._by_address) <= 8


def test_success_takes_tries_back(world: World) -> None:
    limiter = SignInLimiter(world.clock, each=2)
    for _ in range(10):
        assert limiter.attempt("10.0.0.1") == 0
        limiter.succeeded("10.0.0.1")


def test_sessions_are_bounded_and_stored_only_as_hashes(world: World) -> None:
    sessions = Sessions(world.clock, limit=3)
    tokens = [sessions.start()[0] for _ in range(5)]
    alive = [sessions.get(token) is not None for token in tokens]
    assert alive == [False, False, True, True, True]
    assert not any(token in str(vars(sessions)) for token in tokens)


def test_only_hashes_of_password_and_token_are_stored(world: World) -> None:
    stored = world.store.settings.get(PASSWORD_SETTING) or ""
    assert stored.startswith("scrypt$")
    assert world.password not in stored
    assert world.token not in (world.store.settings.get(TOKEN_SETTING) or "")
    assert check_password(world.store, world.password)
    assert not check_password(world.store, world.password.upper())
    assert not check_password(world.store, "")
    assert check_api_token(world.store, world.token)
    assert not check_api_token(world.store, new_api_token(world.store)[:-1])
    assert not check_api_token(world.store, world.token)  # it was replaced


def test_before_any_password_is_made_none_is_right(empty: World) -> None:
    empty.store.settings.delete(PASSWORD_SETTING)
    empty.store.settings.delete(TOKEN_SETTING)
    assert not check_password(empty.store, "")
    assert not check_api_token(empty.store, "")


@pytest.mark.parametrize("damaged", ["scrypt$", "scrypt$!!$!!", "plain", "scrypt$AAAA$AAAA$AAAA"])
async def test_a_damaged_password_record_lets_nobody_in(empty: World, damaged: str) -> None:
    empty.store.settings.set(PASSWORD_SETTING, damaged)
    answer = await empty.browser().post("/sign-in", {"password": "x"})
    assert answer.status == 500
    assert "start keepwall up again" in answer.text
    assert "set-cookie" not in dict(answer.headers)


@pytest.mark.parametrize(
    "elsewhere",
    [
        "//evil.example",
        "https://evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "",
        "/a\r\nb",
    ],
)
def test_no_redirect_leads_elsewhere(elsewhere: str) -> None:
    assert local_path(elsewhere) == "/"


async def test_after_signing_in_one_is_where_one_wanted_to_be(world: World) -> None:
    client = world.browser()
    page = await client.get("/findings?severity=high")
    assert 'value="/findings?severity=high"' in page.text
    answer = await client.post(
        "/sign-in", {"password": world.password, "next": "/findings?severity=high"}
    )
    assert answer.header("location") == "/findings?severity=high"
