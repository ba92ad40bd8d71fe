import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from made_up_host import EVERYWHERE, Host, as_nobody, facts

from keepwall.discover.host import discover_host
from keepwall.discover.host_sockets import Listener, read_listeners

TOKEN = "gh" + "p_" + "KeepwallFixture7Value3For9Detector2T"


@pytest.fixture
def host(tmp_path):
    return Host(tmp_path)


def test_servers_of_ai_are_found_with_their_sockets(host):
    host.process(7, "/usr/bin/ollama", "serve", uid=1000, sockets=[70, 71])
    host.process(
        8,
        "/usr/bin/python3",
        "-m",
        "vllm.entrypoints.openai.api_server",
        "--api-key",
        "s3cr3t",
        sockets=[80],
    )
    host.process(9, "/usr/sbin/nginx", sockets=[90])
    host.process(10, "/usr/bin/python3", "/usr/local/bin/jupyter-lab", "--ip=::", sockets=[100])
    host.listen("127.0.0.1", 11434, 70, uid=1000)
    host.listen("::1", 11434, 71, uid=1000)
    host.listen(EVERYWHERE, 8000, 80)
    host.listen(EVERYWHERE, 443, 90)
    host.listen("::", 9999, 100)
    found = host.discover()
    assert found.unread == ()
    assert {each.id for each in found.assets if each.kind == "process"} == {
        "process:node-1/ollama",
        "process:node-1/vllm",
        "process:node-1/jupyter-lab",
    }
    endpoints = {
        (each["address"], each["port"]): each for each in facts(found, "endpoint.listening")
    }
    assert set(endpoints) == {
        ("127.0.0.1", 11434),
        ("::1", 11434),
        (EVERYWHERE, 8000),
        ("::", 9999),
    }
    assert endpoints["127.0.0.1", 11434] == {
        "address": "127.0.0.1",
        "port": 11434,
        "loopback": True,
        "program": "ollama",
        "pid": 7,
        "user": "ann",
    }
    assert endpoints[EVERYWHERE, 8000]["loopback"] is False
    assert endpoints[EVERYWHERE, 8000]["program"] == "vllm"
    assert endpoints["::", 9999]["program"] == "jupyter-lab"
    running = {each["program"]: each for each in facts(found, "process.running")}
    assert running["vllm"]["argv"][-2:] == ["--api-key", "***"]
    assert running["ollama"]["user"] == "ann"
    assert "s3cr3t" not in repr(found)
    assert "host:node-1" in {each.id for each in found.assets}


def test_known_ports_count_where_the_process_cannot_be_seen(host):
    host.process(9, "/usr/sbin/nginx", sockets=[90])
    host.process(11, "/usr/bin/docker-proxy", "-host-port", "6333", sockets=[110])
    host.listen(EVERYWHERE, 8888, 1)
    host.listen(EVERYWHERE, 7860, 90)
    host.listen(EVERYWHERE, 6333, 110)
    host.listen(EVERYWHERE, 12345, 2)
    found = {
        (each["port"], each["program"], each["pid"])
        for each in facts(host.discover(), "endpoint.listening")
    }
    assert found == {(8888, "", 0), (6333, "docker-proxy", 11)}


def test_web_servers_count_only_on_ports_of_ai(host):
    host.process(5, "/usr/bin/python3", "-m", "uvicorn", "app:app", sockets=[50])
    host.process(6, "/usr/bin/python3", "-m", "uvicorn", "app:app", sockets=[60])
    host.listen(EVERYWHERE, 80, 50)
    host.listen(EVERYWHERE, 7860, 60)
    found = host.discover()
    assert [each["port"] for each in facts(found, "endpoint.listening")] == [7860]


def test_a_program_counts_by_the_libraries_that_it_has_loaded(host):
    maps = "7f00-7f01 r-xp 0 0:0 1 /srv/venv/lib/python3.11/site-packages/torch/lib/libtorch.so\n"
    host.process(5, "/srv/venv/bin/python", "serve.py", maps=maps)
    host.process(6, "/usr/bin/python3", "other.py")
    (running,) = facts(host.discover(), "process.running")
    assert (running["program"], running["role"]) == ("serve.py", "uses torch")


def test_packages_of_the_system_and_of_running_environments(host):
    for name in (
        "usr/lib/python3/dist-packages/openai-1.0.0.dist-info",
        "usr/lib/python3/dist-packages/requests-2.0.dist-info",
        "srv/venv/lib/python3.11/site-packages/torch-2.1.0+cu121.dist-info",
        "srv/venv/lib/python3.11/site-packages/scikit_learn-1.5.0.dist-info",
        "srv/idle/lib/python3.11/site-packages/vllm-0.6.dist-info",
    ):
        (host.root / name).mkdir(parents=True)
    host.process(5, "/srv/venv/bin/python", "serve.py")
    found = {
        (each["name"], each["version"]) for each in facts(host.discover(), "package.installed")
    }
    assert found == {("openai", "1.0.0"), ("torch", "2.1.0+cu121"), ("scikit-learn", "1.5.0")}


def test_mcp_clients_of_the_users(host):
    server = {"command": "npx", "args": ["-y", "@acme/github"], "env": {"TOKEN": TOKEN}}
    host.write("home/ann/.cursor/mcp.json", json.dumps({"mcpServers": {"gh": server}}))
    host.write("home/ann/.claude.json", "[" * 100_000)
    found = host.discover()
    (server,) = facts(found, "mcp.server")
    assert (server["client"], server["pinned"], server["environment"]) == (
        "cursor",
        False,
        ["TOKEN"],
    )
    (secret,) = [each for each in found.facts if each.kind == "secret.present"]
    assert secret.asset == "mcp-server:npx @acme/github"
    assert TOKEN not in repr(found)
    assert [each.path for each in found.unread] == ["/home/ann/.claude.json"]


def test_a_host_without_anything_is_a_host(tmp_path):
    (tmp_path / "proc").mkdir()
    found = discover_host(proc=tmp_path / "proc", root=tmp_path)
    assert [each.id for each in found.assets] == ["host:localhost"]


def test_a_missing_proc_is_named(tmp_path):
    (unread,) = discover_host(proc=tmp_path / "proc", root=tmp_path).unread
    assert "cannot be listed" in unread.reason


def test_lines_that_the_kernel_did_not_write_are_left_out(tmp_path):
    (tmp_path / "tcp").write_text(
        "head\nx\n 0: ZZ:1 0 0A 0 0 0 0 0 1\n 0: 0100007F:0050 0:0 0A 0:0 0:0 0 0 0 5\n"
        " 0: 0100007F:0051 0:0 01 0:0 0:0 0 0 0 6\n"
    )
    assert read_listeners(tmp_path) == [Listener("127.0.0.1", 80, 0, 5)]
    assert Listener("::ffff:127.0.0.1", 80, 0, 5).loopback


@pytest.mark.real
def test_this_host_for_real(tmp_path):
    """A real process under the name of a known server, on a port of its own, is found."""
    script = tmp_path / "llama-server"
    script.write_text(
        "import socket, sys\ns = socket.socket()\ns.bind(('127.0.0.1', 0))\ns.listen()\n"
        "print(s.getsockname()[1], flush=True)\nsys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        found = discover_host()
        process.communicate("")
    (endpoint,) = [each for each in facts(found, "endpoint.listening") if each["port"] == port]
    assert (endpoint["program"], endpoint["pid"], endpoint["loopback"]) == (
        "llama-server",
        process.pid,
        True,
    )
    assert any(
        each.name == socket.gethostname().lower() or each.kind == "host" for each in found.assets
    )


@pytest.mark.real
def test_without_root_it_is_said_what_was_not_seen():
    """A process of another user runs beside: root's, where the test is root, else number 1."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        _, unread = as_nobody()
        process.communicate(b"\n")
    if os.geteuid() == 0 or Path("/proc/1").stat().st_uid != os.geteuid():
        assert any(each.startswith("/proc/*/fd: the open files of") for each in unread)
        assert any(each.startswith("/proc/*/environ: the environments of") for each in unread)
