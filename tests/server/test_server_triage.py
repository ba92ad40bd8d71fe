"""Decisions, views and drift over HTTP: who may, what is said, and what the ledger then holds."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from asgi_client import Client
from server_samples import HOSTILE, NOW, findings
from server_world import World

from keepwall.foundation.store.triage import TriageState

WORST, SHELL = findings()[0].fingerprint, findings()[1].fingerprint
ACCEPT = {"state": "accepted", "reason": "firewalled", "owner": "ada", "until": "2026-12-24"}


def csrf(world: World, client: Client) -> str:
    return world.app.state.services.sessions.get(client.cookies["keepwall"]).csrf


async def test_a_page_of_findings_is_accepted_at_once_and_the_ledger_says_by_whom(
    world: World,
) -> None:
    client = await world.signed_in()
    form = {**ACCEPT, "fingerprint": [WORST, SHELL], "next": "/findings?severity=high"}
    answer = await client.post("/findings/triage", {**form, "csrf": csrf(world, client)})
    assert (answer.status, answer.header("location")) == (303, "/findings?severity=high")
    told = [json.loads(record) for record in world.planes.ledger.records]
    assert [(each["about"], each["detail"]["actor"]) for each in told] == [
        (WORST, "console"),
        (SHELL, "console"),
    ]
    page = (await client.get("/findings")).text
    assert "Model runs code" not in page
    assert "until 2026-12-24" in (await client.get("/findings?state=accepted")).text
    one = (await client.get(f"/findings/{WORST}")).text
    assert "expires = 2026-12-24" in one, "the same day for the gate"
    world.clock.forward(timedelta(days=36))  # 26 December
    client = await world.signed_in()
    assert "Model runs code" in (await client.get("/findings")).text


@pytest.mark.parametrize("path", ["/findings/triage", f"/findings/{WORST}/triage"])
async def test_a_decision_that_lacks_something_is_said_on_the_page(world: World, path: str) -> None:
    client = await world.signed_in()
    form = {**ACCEPT, "owner": "", "fingerprint": WORST, "csrf": csrf(world, client)}
    answer = await client.post(path, {**form, "next": "/findings?severity=high"})
    assert answer.status == 400
    assert "an acceptance needs an owner" in answer.text
    answer = await client.post(path, {**form, "until": "tomorrow"})
    assert "not a date" in answer.text
    answer = await client.post(path, {**form, "state": "gone"})
    assert (answer.status, world.planes.ledger.records) == (400, [])


async def test_nobody_decides_without_session_token_or_origin(world: World) -> None:
    form = {**ACCEPT, "fingerprint": WORST}
    assert (await world.browser().post("/findings/triage", form)).status == 401
    client = await world.signed_in()
    assert (await client.post("/findings/triage", form)).status == 403
    elsewhere = await client.post(
        "/findings/triage", {**form, "csrf": csrf(world, client)}, origin="http://evil.example"
    )
    assert elsewhere.status == 403
    body = {"fingerprints": [WORST], "state": "false-positive", "reason": "r"}
    answer = await client.json("POST", "/api/v1/findings/triage", body, origin="http://evil")
    assert (answer.status, world.planes.ledger.records) == (403, [])


async def test_a_redirect_after_a_decision_never_leaves(world: World) -> None:
    client = await world.signed_in()
    form = {**ACCEPT, "fingerprint": WORST, "csrf": csrf(world, client)}
    answer = await client.post("/findings/triage", {**form, "next": "//evil.example/"})
    assert answer.header("location") == "/"


async def test_decisions_over_the_api_need_the_same(world: World) -> None:
    program = world.program()
    order = {"fingerprints": [WORST], "state": "false-positive", "reason": "a fixture"}
    page = (await program.json("POST", "/api/v1/findings/triage", order)).json()
    assert [each["state"] for each in page["items"]] == ["false-positive"]
    history = (await program.get(f"/api/v1/findings/{WORST}/triage")).json()["items"]
    assert [(each["actor"], each["at"]) for each in history] == [("api", "2026-11-20T09:30:00Z")]
    for wrong, status in (
        ({**order, "reason": ""}, 400),
        ({**order, "state": "fixed"}, 400),
        ({**order, "state": "sold"}, 400),
        ({**order, "fingerprints": ["none"]}, 404),
        ([], 400),
        ("[" * 5000, 400),
    ):
        answer = await program.json("POST", "/api/v1/findings/triage", wrong)
        assert answer.status == status, wrong
    assert len(world.planes.ledger.records) == 1


async def test_views_are_saved_shown_and_forgotten(world: World) -> None:
    client = await world.signed_in()
    token = csrf(world, client)
    view = {"name": "<b>worst</b>", "address": "/findings?severity=critical", "csrf": token}
    answer = await client.post("/views", view)
    assert answer.header("location") == "/findings?severity=critical"
    for path in ("/views", "/findings?severity=critical"):
        assert "&lt;b&gt;worst&lt;/b&gt;" in (await client.get(path)).text
    assert "worst" not in (await client.get("/inventory")).text.partition('class="views"')[2][:300]
    for address in ("https://evil.example", "//evil", "javascript:alert(1)", "/a\\b"):
        assert (await client.post("/views", {**view, "address": address})).status == 400
    await client.post("/views/delete", {"name": "<b>worst</b>", "csrf": token})
    assert "No saved views" in (await client.get("/views")).text


async def test_drift_is_shown_with_since_when_and_hostile_names_stay_text(world: World) -> None:
    client = await world.signed_in()
    page = (await client.get("/scans/drift?before=scan-1&after=scan-0")).text
    assert "since <time datetime=" in page
    assert "claims-2025" in page
    assert "owner: nobody → claims-team" in page
    for path in ("/scans/scan-1", "/inventory", "/inventory/graph", "/findings?state=any", "/"):
        text = (await client.get(path)).text
        assert "onerror=alert(1)&gt;" in text, path
        assert "<img src=x" not in text, path
        assert not any(bad in text for bad in ("\x1b", "\u202e", "\udcff")), path
    assert HOSTILE not in page


async def test_the_picture_gets_names_that_hide_nothing(world: World) -> None:
    client = await world.signed_in()
    drawn = (await client.get("/inventory/graph/data")).json()
    (name,) = [node["name"] for node in drawn["nodes"] if node["kind"] == "notebook"]
    assert name == "\\x1b[2J<img src=x onerror=alert(1)>\\u202egnp.\\xff'\"&{{7*7}}.ipynb"
    assert drawn["total"] == len(drawn["nodes"]) == 4
    assert sorted(edge[2] for edge in drawn["edges"]) == ["calls", "reads", "uses"]
    near = await client.get(f"/inventory/graph/near?id={drawn['nodes'][0]['id']}")
    assert near.status == 200


async def test_the_first_screen_is_short_and_hides_nothing_unread(world: World) -> None:
    client = await world.signed_in()
    page = (await client.get("/")).text
    assert "Not read: 2 parts" in page
    assert page.count("<li data-row>") == 6
    assert world.store.finding_search.states(NOW)[TriageState.OPEN] == 6
    assert "no answer of a gate reaches this store yet" in page
