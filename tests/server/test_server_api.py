"""The API answers as its own document says, and the document knows every route."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft202012Validator
from server_samples import HOSTILE, SUBJECT, assets, event, findings
from server_world import World
from starlette.routing import Route

from keepwall.server.api.routes import OPERATIONS
from keepwall.vocabulary.decision import Effect

AGENT = "agent:agents/claims.py%23claims"
QUESTIONS = {
    "/status": "/status",
    "/blueprint": "/blueprint",
    "/assets": "/assets?limit=2&sort=newest",
    "/facets": "/facets?surface=agent",
    "/graph": f"/graph?asset={AGENT}",
    "/asset": f"/asset?id={AGENT}",
    "/relations": "/relations",
    "/findings": "/findings?surface=registry",
    "/findings/triage": "/findings/triage",
    "/findings/{id}": f"/findings/{findings()[0].fingerprint}",
    "/findings/{id}/triage": f"/findings/{findings()[0].fingerprint}/triage",
    "/events": "/events?limit=3",
    "/events/{id}": "/events/node-1:boot:3",
    "/incidents": "/incidents?state=open",
    "/incidents/{id}": "/incidents/inc-1",
    "/incidents/{id}/contain": "/incidents/inc-1/contain",
    "/incidents/{id}/release": "/incidents/inc-1/release",
    "/scans": "/scans",
    "/scans/{id}": "/scans/scan-1",
    "/scans/{id}/unread": "/scans/scan-1/unread",
    "/scans/{id}/changes": "/scans/scan-1/changes",
    "/drift": "/drift?before=scan-0&after=scan-1",
    "/changes": f"/changes?about={AGENT}",
    "/views": "/views",
    "/openapi.json": "/openapi.json",
}


BODIES = {
    "/findings/triage": {
        "fingerprints": [findings()[0].fingerprint],
        "state": "false-positive",
        "reason": "the file is a fixture",
    },
    "/views": {"name": "Mine", "address": "/findings?owner=me"},
}


def validator(document: dict[str, Any], schema: dict[str, Any]) -> Draft202012Validator:
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator({**schema, "components": document["components"]})


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: f"{each.method} {each.path}")
async def test_real_answers_are_what_the_document_says(world: World, operation: Any) -> None:
    program = world.program()
    document = (await program.get("/api/v1/openapi.json")).json()
    described = document["paths"][f"/api/v1{operation.path}"][operation.method.lower()]
    path = f"/api/v1{QUESTIONS[operation.path]}"
    if operation.method == "DELETE":
        path += "?name=Mine"
    if operation.body is not None:
        answer = await program.json("POST", path, BODIES[operation.path])
    else:
        answer = await program.send(operation.method, path, {})
    assert answer.status == 200
    assert answer.header("content-type") == "application/json"
    schema = described["responses"]["200"]["content"]["application/json"]["schema"]
    validator(document, schema).validate(answer.json())
    assert described["summary"].endswith(".")


async def test_the_schema_refuses_what_is_not_an_answer(world: World) -> None:
    document = (await world.program().get("/api/v1/openapi.json")).json()
    schema = {"$ref": "#/components/schemas/Finding"}
    assert not validator(document, schema).is_valid({"rule": "x"})


async def test_every_route_is_in_the_document_and_nothing_else_is(world: World) -> None:
    document = (await world.program().get("/api/v1/openapi.json")).json()
    described = {
        (path, method.upper()) for path, methods in document["paths"].items() for method in methods
    }
    served = {
        (route.path, method)
        for route in world.app.routes
        if isinstance(route, Route) and route.path.startswith(("/api", "/healthz"))
        for method in route.methods or ()
        if method != "HEAD"
    }
    assert described == served
    assert document["openapi"].startswith("3.1")
    identities = [
        each["operationId"] for one in document["paths"].values() for each in one.values()
    ]
    assert len(set(identities)) == len(identities)


async def test_parameters_in_the_document_are_those_that_are_checked(world: World) -> None:
    document = (await world.program().get("/api/v1/openapi.json")).json()
    limit = next(
        each
        for each in document["paths"]["/api/v1/findings"]["get"]["parameters"]
        if each["name"] == "limit"
    )
    assert limit["schema"]["maximum"] == 500
    for path in ("/findings?limit=501", "/findings?limit=0", "/findings?limit=ten"):
        answer = await world.program().get(f"/api/v1{path}")
        assert answer.status == 400
        assert "limit" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/findings?severity=worst", 400),
        ("/findings?colour=red", 400),
        ("/assets?offset=-1", 400),
        ("/assets?after=nonsense", 400),
        ("/assets?after=WyJhIiwiYiJd&sort=newest", 400),
        ("/assets?sort=worst", 400),
        ("/graph?asset=none", 404),
        ("/graph?limit=5001", 400),
        ("/drift?before=scan-0", 400),
        ("/drift?before=scan-0&after=none", 404),
        ("/scans/none", 404),
        ("/findings/none/triage", 404),
        ("/findings?state=closed", 400),
        ("/assets?search=%00", 400),
        ("/assets?search=" + "x" * 201, 400),
        ("/events?before=99999999999999999999999", 400),
        ("/asset", 400),
        ("/assets?" + "&".join("limit=1" for _ in range(60)), 400),
        ("/asset?id=none", 404),
        ("/findings/none", 404),
        ("/events/none", 404),
        ("/incidents/none", 404),
        ("/nowhere", 404),
        ("/incidents/inc-1/contain", 405),
    ],
)
async def test_mistakes_are_problems(world: World, path: str, status: int) -> None:
    answer = await world.program().get(f"/api/v1{path}")
    problem = answer.json()
    assert (answer.status, problem["status"]) == (status, status)
    assert answer.header("content-type") == "application/problem+json"
    document = (await world.program().get("/api/v1/openapi.json")).json()
    validator(document, {"$ref": "#/components/schemas/Problem"}).validate(problem)


async def test_pages_follow_one_another_to_the_end(world: World) -> None:
    program = world.program()
    for path, total in (("/findings", 6), ("/assets", 4), ("/events", 8)):
        address, seen = f"/api/v1{path}?limit=3", []
        while address:
            page = (await program.get(address)).json()
            assert len(page["items"]) <= 3
            seen.extend(str(item) for item in page["items"])
            address = page["next"]
        assert len(seen) == len(set(seen)) == total


async def test_filters_travel_with_the_next_page(world: World) -> None:
    page = (await world.program().get("/api/v1/events?limit=1&effect=deny")).json()
    assert "effect=deny" in page["next"]
    following = (await world.program().get(page["next"])).json()
    assert [each["event"]["effect"] for each in following["items"]] == ["deny"]


async def test_names_that_are_not_text_travel_as_escapes(world: World) -> None:
    program = world.program()
    page = await program.get("/api/v1/assets?search=onerror")
    assert page.json()["items"][0]["name"] == HOSTILE
    wanted = page.json()["items"][0]["id"].encode("utf-8", "surrogateescape")
    quoted = "".join(f"%{byte:02x}" for byte in wanted)
    one = await program.get(f"/api/v1/asset?id={quoted}")
    assert one.status == 200
    assert one.json()["id"] == assets()[2].id


async def test_containing_is_an_order_to_the_planes(world: World) -> None:
    program = world.program()
    contained = (await program.post("/api/v1/incidents/inc-1/contain")).json()
    assert contained["state"] == "contained"
    assert world.planes.contained == {"inc-1": SUBJECT}
    assert (await program.post("/api/v1/incidents/none/contain")).status == 404
    assert (await program.post("/api/v1/incidents/inc-1/release")).json()["state"] == "open"
    assert world.planes.contained == {}


async def test_planes_that_do_not_answer_are_said(world: World) -> None:
    world.planes.reachable = False
    answer = await world.program().post("/api/v1/incidents/inc-1/contain")
    assert answer.status == 503
    assert answer.json()["detail"] == "the bus does not answer"
    assert answer.json()["hint"] == "is keepwall up still running?"
    client = await world.signed_in()
    csrf = world.app.state.services.sessions.get(client.cookies["keepwall"]).csrf
    page = await client.post("/incidents/inc-1/contain", {"csrf": csrf})
    assert page.status == 503
    assert "the bus does not answer" in page.text
    assert "Contain now" in page.text


async def test_status_counts_what_is_there(world: World) -> None:
    world.store.events.append([event(100, Effect.ALLOW)])
    status = (await world.program().get("/api/v1/status")).json()
    assert status["findings"] == {"critical": 1, "high": 2, "medium": 1, "low": 1, "info": 1}
    assert status["assets"]["agent"] == 1
    assert status["events"] == 9
    assert status["last_scan"]["id"] == "scan-1"
