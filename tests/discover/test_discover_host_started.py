"""What a host starts by itself: units of systemd, lines of cron, containers."""

import json
import socket
import stat
import threading
from contextlib import contextmanager

import pytest
from made_up_host import EVERYWHERE, Host, facts, ids

from keepwall.discover.host_units import read_unit

SECRET = "gh" + "p_" + "KeepwallFixture7Value3For9Detector2T"
IDENTITY = "ab" * 32


@pytest.fixture
def host(tmp_path):
    return Host(tmp_path)


def edges_of(found):
    return {(each.source, each.kind, each.target) for each in found.relations}


def test_units_that_start_ai(host):
    system = "etc/systemd/system"
    host.write(
        f"{system}/vllm.service",
        "[Unit]\nDescription=x\n[Service]\nUser=ml\nExecStart=/opt/v/bin/vllm serve \\\n"
        f"  acme/claims-7b --api-key {SECRET}\nNoNewPrivileges=yes\nProtectSystem=strict\n"
        "PrivateTmp=no\n",
    )
    (host.root / system / "multi-user.target.wants").mkdir()
    (host.root / system / "multi-user.target.wants/vllm.service").symlink_to("../vllm.service")
    host.write(
        "usr/lib/systemd/system/ollama.service", "[Service]\nExecStart=/usr/bin/ollama serve\n"
    )
    host.write("usr/lib/systemd/system/ssh.service", "[Service]\nExecStart=/usr/sbin/sshd -D\n")
    (host.root / "lib").symlink_to("usr/lib")
    host.write(
        "home/ann/.config/systemd/user/lab.service",
        "[Service]\nExecStart=/home/ann/v/bin/python -m jupyterlab --no-browser\n",
    )
    found = host.discover()
    units = {each["unit"]: each for each in facts(found, "unit.installed")}
    assert set(units) == {"vllm.service", "ollama.service", "lab.service"}
    assert units["vllm.service"] == {
        "unit": "vllm.service",
        "program": "vllm",
        "user": "ml",
        "enabled": True,
        "hardening": ["NoNewPrivileges", "ProtectSystem"],
    }
    assert (units["ollama.service"]["user"], units["ollama.service"]["enabled"]) == ("root", False)
    assert units["lab.service"]["user"] == "ann"
    edges = edges_of(found)
    assert ("workload:node-1/ollama.service", "serves", "inference-server:ollama") in edges
    assert SECRET not in repr(found)
    assert [each.asset for each in found.facts if each.kind == "secret.present"] == [
        "workload:node-1/vllm.service"
    ]


def test_drop_ins_count_and_an_empty_assignment_takes_back():
    unit = read_unit(
        "x.service",
        [
            "[Service]\nExecStart=/a\nUser=root\nCapabilityBoundingSet=CAP_CHOWN",
            "[Service]\nExecStart=\nExecStart=/b\nUser=x\nCapabilityBoundingSet=\n",
        ],
    )
    assert unit.settings["ExecStart"] == ["/b"]
    assert unit.last("User") == "x"
    assert unit.settings["CapabilityBoundingSet"] == []


def test_a_unit_that_is_linked_from_elsewhere_and_one_that_is_masked(host):
    host.write("srv/units/llm.service", "[Service]\nExecStart=/usr/bin/ollama serve\n")
    host.write("etc/systemd/system/a.service", "[Service]\nExecStart=/usr/bin/vllm serve m\n")
    system = host.root / "etc/systemd/system"
    (system / "llm.service").symlink_to(host.root / "srv/units/llm.service")
    (system / "alias.service").symlink_to("a.service")
    (system / "masked.service").symlink_to("/dev/null")
    found = host.discover()
    assert {each["unit"] for each in facts(found, "unit.installed")} == {"llm.service", "a.service"}
    assert found.unread == ()


def test_a_unit_that_runs_a_container_of_ai(host):
    host.write(
        "etc/systemd/system/llm.service",
        "[Service]\nExecStart=-/usr/bin/docker run --rm -p 8000:8000 vllm/vllm-openai:latest\n",
    )
    found = host.discover()
    assert [each["program"] for each in facts(found, "unit.installed")] == ["vllm"]
    assert ids(found, "image") == {"image:docker.io/vllm/vllm-openai:latest"}


@pytest.mark.parametrize(
    "text", ["[Service]\nExecStart=" + "\\\n" * 10_000, "[Service]\nExecStart='ollama", "\x00=\x1b"]
)
def test_hostile_units(host, text):
    host.write("etc/systemd/system/x.service", text)
    assert "\x1b" not in repr(host.discover().facts)


def test_lines_of_cron_that_start_ai(host):
    host.write(
        "etc/crontab", "SHELL=/bin/sh\n# 1 2 3 4 5 root ollama serve\n17 * * * * root run-parts x\n"
    )
    host.write("etc/cron.d/agent", "@reboot ml cd /srv && /usr/bin/ollama serve >x 2>&1\n")
    host.write("var/spool/cron/crontabs/ann", "*/5 * * * * claude -p go\n")
    found = host.discover()
    lines = {
        (each["program"], f.path, f.line)
        for f in found.facts
        if f.kind == "command.line"
        for each in [f.value]
    }
    assert lines == {
        ("ollama", "/etc/cron.d/agent", 1),
        ("claude", "/var/spool/cron/crontabs/ann", 1),
    }


DETAILS = {
    "Id": IDENTITY,
    "Name": "/llm",
    "Path": "vllm",
    "Args": ["serve", "acme/claims-7b"],
    "Config": {
        "Image": "vllm/vllm-openai:v0.6",
        "User": "",
        "Env": [f"GITHUB_TOKEN={SECRET}", "PATH=/bin"],
        "Labels": {"com.docker.compose.project": "claims", "com.docker.compose.service": "llm"},
    },
    "HostConfig": {
        "Privileged": True,
        "NetworkMode": "bridge",
        "ReadonlyRootfs": False,
        "Memory": 1024,
        "DeviceRequests": [{"Count": -1, "Capabilities": [["gpu"]]}],
    },
    "Mounts": [{"Source": "/srv/models", "Destination": "/models", "RW": False}],
    "NetworkSettings": {"Ports": {"8000/tcp": [{"HostIp": EVERYWHERE, "HostPort": "8001"}]}},
}


@contextmanager
def runtime(path, answers):
    """Imitate Docker's API on a Unix socket: `answers` maps paths to bodies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        server.settimeout(0.05)
        over, seen = threading.Event(), []

        def run():
            while not over.is_set():
                try:
                    link, _ = server.accept()
                except TimeoutError:
                    continue
                with link:
                    line = link.recv(4_000).decode().split("\r\n")[0]
                    seen.append(line)
                    body = answers.get(line.split()[1])
                    if body is None:
                        over.wait(10)  # a runtime that never answers
                        continue
                    link.sendall(
                        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
                    )

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield seen
        finally:
            over.set()
            thread.join()


LIST = "/containers/json?limit=1000"
ONE = json.dumps([{"Id": IDENTITY}]).encode()
ODD = {
    "Config": [5],
    "Mounts": {"a": 1},
    "NetworkSettings": {"Ports": {"1/tcp": [{"HostPort": "99999999999"}, 7]}},
}


@pytest.fixture
def short(tmp_path_factory):
    """A root with a short path, for sockets."""
    return Host(tmp_path_factory.mktemp("h"))


def test_containers_of_ai_are_workloads(short):
    other = {"Id": "cd" * 32, "Name": "/shop", "Config": {"Image": "nginx:1"}, "Path": "nginx"}
    answers = {
        LIST: json.dumps([{"Id": IDENTITY}, {"Id": "cd" * 32}, {"Id": "../../x"}, 5]).encode(),
        f"/containers/{IDENTITY}/json": json.dumps(DETAILS).encode(),
        f"/containers/{'cd' * 32}/json": json.dumps(other).encode(),
    }
    short.process(9, "/v/bin/python", "/v/bin/vllm", "serve", "acme/claims-7b")
    short.write("proc/9/cgroup", f"0::/system.slice/docker-{IDENTITY}.scope\n")
    with runtime(short.root / "run/docker.sock", answers) as seen:
        found = short.discover()
    assert all(line.startswith("GET /containers/") for line in seen)
    assert len(seen) == 3
    assert ids(found, "workload") == {"workload:claims/llm"}
    (spec,) = facts(found, "container.spec")
    assert (spec["image"], spec["privileged"], spec["run_as_root"], spec["gpu"]) == (
        "vllm/vllm-openai:v0.6",
        True,
        True,
        True,
    )
    assert spec["ports"] == [f"{EVERYWHERE}:8001:8000"]
    assert spec["mounts"] == ["/srv/models:/models:ro"]
    assert SECRET not in repr(found)
    assert [each["masked"] for each in facts(found, "secret.present")] == ["in $GITHUB_TOKEN"]
    edges = edges_of(found)
    assert ("workload:claims/llm", "uses", "process:node-1/vllm") in edges
    assert ("workload:claims/llm", "exposes", "endpoint:http://node-1:8001") in edges
    (listening,) = facts(found, "endpoint.listening")
    assert (listening["port"], listening["loopback"], listening["program"]) == (8001, False, "vllm")


@pytest.mark.parametrize(
    "answers",
    [
        {LIST: b"[" * 100_000},
        {LIST: b"{}", f"/containers/{IDENTITY}/json": b"[]"},
        {LIST: ONE, f"/containers/{IDENTITY}/json": json.dumps(ODD).encode()},
    ],
)
def test_a_runtime_that_answers_nonsense(short, answers):
    with runtime(short.root / "run/docker.sock", answers):
        found = short.discover()
    assert ids(found, "workload") == set()


def test_a_runtime_that_never_answers_is_named(short):
    with runtime(short.root / "run/podman/podman.sock", {}):
        (unread,) = short.discover().unread
    assert unread.path == "/run/podman/podman.sock"
    assert "did not answer within" in unread.reason


def test_a_runtime_that_is_not_asked_is_named(short):
    path = short.root / "run/containerd/containerd.sock"
    path.parent.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        assert stat.S_ISSOCK(path.stat().st_mode)
        (unread,) = short.discover().unread
    assert unread.path == "/run/containerd/containerd.sock"
