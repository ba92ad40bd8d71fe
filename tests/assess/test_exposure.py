"""What exposes most comes first, and says why."""

from __future__ import annotations

import time
from collections.abc import Iterable

import pytest

from keepwall.assess.exposure import ranked
from keepwall.assess.reach_graph import _MOST_EDGES, reach_graph
from keepwall.vocabulary.asset import Asset, AssetKind, Location, Relation, RelationKind
from keepwall.vocabulary.fact import Fact
from keepwall.vocabulary.finding import Finding
from keepwall.vocabulary.json_value import JsonValue
from keepwall.vocabulary.scan import Inventory
from keepwall.vocabulary.surface import Severity, Surface

PROJECT = Asset(AssetKind.PROJECT, "claims", "claims", Surface.PIPELINE, (Location("."),))


def asset(kind: AssetKind, key: str, path: str = "", **attributes: str) -> Asset:
    places = (Location(path, 1),) if path else ()
    return Asset(kind, key, key, Surface.AGENT, places, attributes=attributes)


def inventory(
    assets: Iterable[Asset] = (),
    relations: Iterable[tuple[Asset, RelationKind, Asset]] = (),
    facts: Iterable[Fact] = (),
) -> Inventory:
    edges = tuple(Relation(source.id, kind, target.id) for source, kind, target in relations)
    return Inventory((PROJECT, *assets), edges, tuple(facts), ())


def finding(
    about: Asset, severity: Severity = Severity.HIGH, path: str = "compose.yaml"
) -> Finding:
    return Finding(
        "KW-X", "t", severity, Surface.AGENT, about.id, Location(path, 3), "m", "w", "f", "0" * 32
    )


def spec(about: Asset, ports: list[JsonValue], **more: JsonValue) -> Fact:
    return Fact("container.spec", about.id, {"ports": ports, **more}, "compose.yaml", 2)


SERVER = asset(AssetKind.WORKLOAD, "claims/server", "compose.yaml")
AGENT = asset(AssetKind.AGENT, "agent.py#agent", "agent.py")
SHELL = asset(AssetKind.TOOL, "agent.py#shell", "agent.py")
CAN_RUN = Fact("code.tool", SHELL.id, {"name": "shell", "capabilities": ["shell"]}, "agent.py", 2)


def test_a_lesser_flaw_that_is_exposed_comes_before_a_worse_one_that_is_not():
    store = asset(AssetKind.VECTOR_STORE, "qdrant")
    seen = inventory(
        [SERVER, store, AGENT],
        [(SERVER, RelationKind.READS, store)],
        [spec(SERVER, ["8080:80"], environment={"OPENAI_API_KEY": None, "MODE": "x"})],
    )
    exposed, hidden = ranked([finding(SERVER, Severity.MEDIUM), finding(AGENT)], seen)
    assert exposed.exposure > hidden.exposure
    assert exposed.reason == (
        "reachable from the published port 8080; reaches 1 credential, 1 vector store"
    )
    assert hidden.reason == ""
    critical, low = ranked([finding(AGENT, Severity.CRITICAL), finding(SERVER, Severity.LOW)], seen)
    assert critical.exposure > low.exposure


def test_the_way_in_is_told_and_weighs_less_the_longer_it_is():
    facts = [spec(SERVER, ["8080:80"]), CAN_RUN]
    relations = [(SERVER, RelationKind.USES, AGENT), (AGENT, RelationKind.CALLS, SHELL)]
    near, far = ranked(
        [finding(AGENT, path="agent.py"), finding(SHELL, path="agent.py")],
        inventory([SERVER, AGENT, SHELL], relations, facts),
    )
    assert near.reason == (
        "reachable from the published port 8080 through claims/server; "
        "reaches 1 tool that runs commands"
    )
    assert far.reason.startswith(
        "reachable from the published port 8080 through claims/server → agent.py#agent"
    )
    assert far.exposure < near.exposure


def test_what_exposes_an_endpoint_is_reached_through_it():
    endpoint = asset(AssetKind.ENDPOINT, "http://0.0.0.0:11434")
    process = asset(AssetKind.PROCESS, "node-1/ollama")
    listening = {"address": "0.0.0.0", "port": 11434, "loopback": False}  # noqa: S104 - test data
    (found,) = ranked(
        [finding(process)],
        inventory(
            [endpoint, process],
            [(process, RelationKind.EXPOSES, endpoint)],
            [Fact("endpoint.listening", endpoint.id, listening)],
        ),
    )
    assert found.reason.startswith("reachable from 0.0.0.0:11434 through ")


def test_nothing_leads_through_the_project():
    other = asset(AssetKind.SECRET, "openai/1")
    seen = inventory(
        [SERVER, AGENT, other],
        [(PROJECT, RelationKind.USES, each) for each in (SERVER, AGENT, other)]
        + [(SERVER, RelationKind.USES, PROJECT)],
        [spec(SERVER, ["8080:80"])],
    )
    assert ranked([finding(AGENT, path="agent.py")], seen)[0].reason == ""
    assert ranked([finding(PROJECT, path="other.py")], seen)[0].reason == ""


def test_code_is_reached_through_the_command_that_starts_it():
    image = asset(AssetKind.BUILD, "Dockerfile", "Dockerfile")
    service = asset(AssetKind.WORKLOAD, "claims/claims", "compose.yaml", build=".")
    start = {"argv": ["uvicorn", "app.main:app", "--host", "0.0.0.0"], "source": "dockerfile"}  # noqa: S104 - test data
    call = Fact("code.call", PROJECT.id, {"function": "joblib.load"}, "app/main.py", 4)
    facts = [
        spec(service, ["80:8000"]),
        Fact("command.line", image.id, start, "Dockerfile", 3),
        call,
    ]
    seen = inventory([image, service], facts=facts)
    (found,) = ranked([finding(PROJECT, path="app/main.py")], seen)
    assert found.reason == (
        "reachable from the published port 80 through claims/claims → Dockerfile"
    )


@pytest.mark.parametrize(
    ("path", "context"),
    [("tests/test_agent.py", "test"), ("docs/guide.py", "docs"), ("a/examples/b.py", "example")],
)
def test_what_lies_beside_the_product_weighs_little(path: str, context: str):
    beside, product = ranked(
        [finding(PROJECT, Severity.CRITICAL, path), finding(PROJECT, Severity.MEDIUM, "app/a.py")],
        inventory(),
    )
    assert beside.exposure <= product.exposure
    assert beside.reason == f"beside the product ({context})"


def test_what_discovery_says_of_an_asset_counts_before_its_path():
    beside = asset(AssetKind.AGENT, "app/demo.py#agent", "app/demo.py", context="example")
    (found,) = ranked([finding(beside, path="app/demo.py")], inventory([beside]))
    assert found.reason == "beside the product (example)"
    product = asset(AssetKind.AGENT, "tests/a.py#agent", "tests/a.py", context="product")
    (found,) = ranked([finding(product, path="tests/a.py")], inventory([product]))
    assert found.reason == ""


def test_names_of_others_cannot_steer_a_terminal():
    hostile = asset(AssetKind.WORKLOAD, "claims/\x1b[2J\u202e", "compose.yaml")
    seen = inventory(
        [hostile, AGENT], [(hostile, RelationKind.USES, AGENT)], [spec(hostile, ["80:80"])]
    )
    (found,) = ranked([finding(AGENT, path="agent.py")], seen)
    assert "\x1b" not in found.reason
    assert "\u202e" not in found.reason


def test_the_order_of_findings_is_kept_and_nothing_else_changes():
    given = [finding(AGENT, severity) for severity in Severity]
    found = ranked(given, inventory([AGENT]))
    assert [each.severity for each in found] == list(Severity)
    scores = [each.exposure for each in found]
    assert scores == sorted(scores)
    assert all(0 <= score <= 100 for score in scores)


def chain(size: int) -> tuple[list[Finding], Inventory]:
    """A tree of `size` workloads, each with a port and an agent, and a finding at each of both."""
    servers = [asset(AssetKind.WORKLOAD, f"claims/{n}", "compose.yaml") for n in range(size // 2)]
    agents = [asset(AssetKind.AGENT, f"a{n}.py#agent", f"a{n}.py") for n in range(size // 2)]
    edges = [
        *(
            (server, RelationKind.USES, agent)
            for server, agent in zip(servers, agents, strict=True)
        ),
        *((servers[n // 2], RelationKind.CALLS, servers[n]) for n in range(1, len(servers))),
    ]
    facts = [spec(each, ["8080:80"]) for each in servers]
    found = [finding(each) for each in (*servers, *agents)]
    return found, inventory([*servers, *agents], edges, facts)


def test_time_grows_with_the_graph_and_no_faster():
    took = {}
    for size in (1_000, 5_000, 20_000):
        findings, seen = chain(size)
        started = time.process_time()
        assert all(each.reason for each in ranked(findings, seen))
        took[size] = (time.process_time() - started) / size
    assert took[20_000] < 4 * took[1_000], took


def test_a_thing_on_which_everything_hangs_is_looked_at_within_bounds():
    hub = asset(AssetKind.AGENT, "a.py#agent", "a.py")
    tools = [asset(AssetKind.TOOL, f"a.py#{n}", "a.py") for n in range(20_000)]
    seen = inventory([hub, *tools], [(hub, RelationKind.CALLS, each) for each in tools])
    assert len(list(reach_graph(seen).within(hub.id, 3))) <= _MOST_EDGES + 1
