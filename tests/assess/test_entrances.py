"""Which facts let somebody from outside in."""

from __future__ import annotations

import pytest

from keepwall.assess.entrances import entrances
from keepwall.assess.reach_graph import ReachGraph
from keepwall.vocabulary.fact import Fact
from keepwall.vocabulary.json_value import JsonValue

EVERYWHERE = "0.0.0.0"  # noqa: S104 - what is looked for


@pytest.mark.parametrize(
    ("kind", "asset", "value", "how"),
    [
        ("container.spec", "workload:x", {"ports": ["8080:80"]}, "the published port 8080"),
        ("container.spec", "workload:x", {"ports": ["0.0.0.0:81:80"]}, "the published port 81"),
        ("container.spec", "workload:x", {"ports": ["80"]}, "the published port 80"),
        ("container.spec", "workload:x", {"ports": ["127.0.0.1:8080:80"]}, ""),
        ("container.spec", "workload:x", {"ports": ["[::1]:8080:80"]}, ""),
        ("container.spec", "kubernetes-object:x", {"ports": ["80"]}, ""),
        ("container.spec", "kubernetes-object:x", {"ports": ["81:80"]}, "the published port 81"),
        ("container.spec", "workload:x", {"host_network": True}, "the network of its host"),
        ("command.line", "x:y", {"argv": ["s", "--host", EVERYWHERE], "source": "host"}, "every"),
        ("command.line", "x:y", {"argv": ["s", "--ip=*"], "source": "script"}, "every"),
        ("command.line", "x:y", {"argv": ["s", "--host", EVERYWHERE], "source": "compose"}, ""),
        ("command.line", "x:y", {"argv": ["s", "--host", "127.0.0.1"], "source": "host"}, ""),
        ("code.call", "x:y", {"function": "uvicorn.run", "arguments": {"host": "::"}}, "every"),
        ("code.call", "x:y", {"function": "d.launch", "arguments": {"share": True}}, "a public"),
        ("code.call", "x:y", {"function": "uvicorn.run", "arguments": {"host": None}}, ""),
        ("notebook.setting", "x:y", {"name": "ServerApp.ip", "value": "*"}, "every"),
        ("notebook.setting", "x:y", {"name": "ServerApp.port", "value": "*"}, ""),
        ("pipeline.workflow", "x:y", {"triggers": ["push", "issues"]}, "issues of strangers"),
        ("pipeline.workflow", "x:y", {"triggers": ["pull_request"]}, ""),
        ("code.flow", "x:y", {"origin": "document"}, "the text of documents"),
        ("code.flow", "x:y", {"origin": "tool"}, ""),
        ("infrastructure.resource", "x:y", {"attributes": {"acl": "public-read"}}, "the internet"),
        ("infrastructure.resource", "x:y", {"attributes": {"acl": "private"}}, ""),
        ("endpoint.listening", "x:y", {"loopback": True, "port": 1}, ""),
        ("container.spec", "workload:x", {"ports": "8080:80"}, ""),
        ("container.spec", "workload:x", {}, ""),
    ],
)
def test_a_way_in(kind: str, asset: str, value: dict[str, JsonValue], how: str):
    found = entrances([Fact(kind, asset, value, "a")], ReachGraph({}, frozenset()))
    assert list(found) == ([asset] if how else [])
    assert found.get(asset, "").startswith(how)


def test_of_a_hub_the_file_is_the_entrance():
    graph = ReachGraph({}, frozenset({"project:x"}))
    fact = Fact("code.flow", "project:x", {"origin": "request"}, "app/a.py", 3)
    assert entrances([fact], graph) == {"file:app/a.py": "requests"}
