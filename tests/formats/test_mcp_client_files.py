import json
import shlex

import pytest

from keepwall.formats.mcp_client import fetched_package, read_mcp_client
from keepwall.vocabulary.errors import FormatError


@pytest.mark.parametrize(
    ("command", "package", "pinned"),
    [
        ("npx -y @acme/server", "@acme/server", False),
        ("npx -y @acme/server@1.2.3 /data", "@acme/server", True),
        ("npx -y server@latest", "server", False),
        ("npx --package=@acme/x@1.0.0 x", "@acme/x", True),
        ("cmd /c npx -y server", "server", False),
        ("sh -c 'npx -y server'", "server", False),
        ("uvx acme-server", "acme-server", False),
        ("uvx acme-server==1.2", "acme-server", True),
        ("uvx --from git+https://x/y@" + "a" * 40 + " y", "git+https://x/y", True),
        ("uv tool run acme", "acme", False),
        ("uv run server.py", "", True),
        ("pipx run acme", "acme", False),
        ("docker run -i --rm -e TOKEN mcp/github", "mcp/github", False),
        ("docker run -i mcp/github@sha256:" + "0" * 64, "mcp/github", True),
        ("python -m server", "", True),
        ("/opt/server", "", True),
        ("", "", True),
    ],
)
def test_what_is_fetched_and_whether_it_is_pinned(command, package, pinned):
    assert fetched_package(shlex.split(command)) == (package, pinned)


def test_every_client_shape_is_read():
    server = {"command": "npx", "args": ["-y", "@acme/s@1.0.0"], "env": {"TOKEN": "x"}}
    for shape in (
        {"mcpServers": {"s": server}},
        {"servers": {"s": server}},
        {"mcp": {"servers": {"s": server}}},
        {"projects": {"/p": {"mcpServers": {"s": server}}}},
    ):
        (found,) = read_mcp_client(json.dumps(shape, indent=1).encode())
        assert (found.name, found.transport, found.key) == ("s", "stdio", "npx @acme/s")
        assert found.pinned
        assert list(found.environment) == ["TOKEN"]
        assert found.line > 1


def test_remote_servers_have_their_url_as_key():
    data = b'{// mine\n"mcpServers": {"r": {"url": "https://x.example/mcp"}, "e": {"url": "http://x/sse"},}}'
    first, second = read_mcp_client(data)
    assert (first.key, first.transport, first.pinned) == ("https://x.example/mcp", "http", False)
    assert second.transport == "sse"


@pytest.mark.parametrize("data", [b"[" * 200_000, b"", b"{"])
def test_hostile_configurations_are_refused(data):
    with pytest.raises(FormatError):
        list(read_mcp_client(data))


def test_odd_shapes_yield_nothing():
    for value in ([], {"mcpServers": []}, {"mcpServers": {"a": 1}}, {"mcpServers": {"a": {}}}, 3):
        assert list(read_mcp_client(json.dumps(value).encode())) == []
