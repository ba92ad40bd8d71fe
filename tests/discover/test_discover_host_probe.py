"""Real servers on loopback; `imitate` is a small simulator of what AI servers answer."""

import json
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from made_up_host import as_nobody, facts

from keepwall.discover.host import discover_host
from keepwall.discover.host_probe import BYTES, NoReplyError, ask

pytestmark = pytest.mark.real


@contextmanager
def imitate(answers, context=None):
    """Serve `answers` (path to status, headers, body) on loopback; yields the port and requests."""
    seen = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            seen.append((self.command, self.path, dict(self.headers)))
            status, headers, body = answers.get(self.path, (404, {}, b""))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_arguments: None
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.server_address[1], seen
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def raw_server(behave):
    """Accept connections on loopback and let `behave` do what it likes with each."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        over = threading.Event()

        def run():
            server.settimeout(0.05)
            while not over.is_set():
                try:
                    link, _ = server.accept()
                except TimeoutError:
                    continue
                with link:
                    try:
                        behave(link, over)
                    except OSError:
                        continue

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            over.set()
            thread.join()


def test_a_request_is_one_get_without_credentials_and_without_a_proxy(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with imitate({"/v1/models": (200, {}, b"{}")}) as (port, seen):
        found = ask("127.0.0.1", port, "/v1/models")
    assert (found.status, found.body, found.tls) == (200, b"{}", False)
    ((method, path, headers),) = seen
    assert (method, path) == ("GET", "/v1/models")
    assert {"Authorization", "Cookie"} & set(headers) == set()


def test_a_redirect_is_not_followed():
    with imitate({}) as (elsewhere, never):
        location = {"Location": f"http://127.0.0.1:{elsewhere}/x"}
        with imitate({"/": (302, location, b"")}) as (port, _):
            assert ask("127.0.0.1", port, "/").status == 302
    assert never == []


def test_a_server_with_tls_is_asked_without_verification(tmp_path):
    key, certificate = tmp_path / "k.pem", tmp_path / "c.pem"
    command = f"openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=x -keyout {key}".split()
    subprocess.run([*command, "-out", certificate], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with imitate({"/api/tags": (200, {}, b"{}")}, context) as (port, _):
        found = ask("127.0.0.1", port, "/api/tags")
    assert (found.status, found.tls) == (200, True)


def forever(link, over):
    link.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while not over.is_set():
        link.sendall(b"x" * 10_000)


def dripping(link, over):
    link.sendall(b"HTTP/1.1 200 OK\r\nX: ")
    while not over.wait(0.1):
        link.sendall(b"y")


def silent(_link, over):
    over.wait()


def slow_stream(link, over):
    link.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nevent: endpoint\r\n")
    over.wait()


def test_a_server_that_never_answers():
    started = time.monotonic()
    with raw_server(silent) as port, pytest.raises(NoReplyError) as caught:
        ask("127.0.0.1", port, "/")
    assert caught.value.silent
    assert time.monotonic() - started < 4


@pytest.mark.parametrize("behave", [forever, dripping, slow_stream])
def test_a_server_that_never_ends(behave):
    with raw_server(behave) as port:
        for _ in range(5):  # where the machine is so busy that the server has no turn in 2 seconds
            started = time.monotonic()
            with suppress(NoReplyError):
                found = ask("127.0.0.1", port, "/")
                break
        took = time.monotonic() - started
    assert found.status == 200
    assert len(found.body) <= BYTES
    assert took < 4


def test_nothing_listens():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(NoReplyError) as caught:
        ask("127.0.0.1", port, "/")
    assert not caught.value.silent


_SERVER = """
import http.server, json, sys
answers = json.loads(sys.argv[sys.argv.index("--answers") + 1])
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        open(sys.argv[0] + ".asked", "a").close()
        status, body = answers.get(self.path, (404, ""))
        self.send_response(status); self.end_headers(); self.wfile.write(body.encode())
    def log_message(self, *arguments): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[-1])), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
"""


@contextmanager
def program(folder, name, answers, *arguments, port=0):
    """Run a server under the name of a known program; yields its port."""
    script = folder / name
    script.write_text(_SERVER)
    command = [sys.executable, str(script), *arguments, "--answers", json.dumps(answers), str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield int(process.stdout.readline())
        finally:
            process.terminate()


def test_servers_of_this_host_are_asked(tmp_path):
    models = {"object": "list", "data": [{"id": "meta-llama/Llama-3.1-8B", "owned_by": "vllm"}]}
    with (
        program(tmp_path, "ollama", {"/api/tags": (200, '{"models": []}')}, "serve") as ollama,
        program(tmp_path, "vllm", {"/v1/models": (200, json.dumps(models))}, "serve") as vllm,
        program(
            tmp_path, "jupyter-lab", {"/lab1/api/status": (403, "")}, "--base-url=/lab1"
        ) as lab,
    ):
        started = time.monotonic()
        found = discover_host(ask=ask)
        took = time.monotonic() - started
    ours = {f"127.0.0.1:{each}" for each in (ollama, vllm, lab)}
    answers = {
        each["software"]: (each["authenticated"], each["models"])
        for each in facts(found, "endpoint.answered")
        if each["url"].split("/")[2] in ours
    }
    assert answers == {
        "ollama": (False, []),
        "vllm": (False, ["meta-llama/Llama-3.1-8B"]),
        "jupyter": (True, []),
    }
    assert took < 10


def test_an_ordinary_user_sees_what_he_may_and_names_the_rest(tmp_path):
    """The socket of root's server is closed to him; told its port, the server gives itself away."""
    answers = {"/api/tags": (200, '{"models": []}')}
    with (
        program(tmp_path, "ollama", answers, "serve") as unusual,
        socket.create_server(("127.0.0.1", 0)) as free,
    ):
        port = free.getsockname()[1]
        free.close()
        with program(tmp_path, "llama-server", {}, "--port", str(port), port=port):
            answered, unread = as_nobody()
    urls = {each["url"] for each in answered}
    assert f"http://127.0.0.1:{port}/props" in urls
    if os.geteuid() == 0:
        assert f"http://127.0.0.1:{unusual}/api/tags" not in urls
        assert any("which of them listens on which port" in each for each in unread)
    else:
        assert f"http://127.0.0.1:{unusual}/api/tags" in urls


def test_no_probe_sends_nothing(tmp_path):
    """The command, as a user gives it: the same server is asked, and with --no-probe it is not."""
    command = [sys.executable, "-m", "keepwall", "scan", "host", "--no-store", "-f", "json"]
    asked = tmp_path / "ollama.asked"
    with program(tmp_path, "ollama", {"/api/tags": (200, '{"models": []}')}, "serve") as port:
        for more, expected in ((["--no-probe"], False), ([], True)):
            done = subprocess.run(
                [*command, *more], cwd=tmp_path, capture_output=True, check=False, timeout=60
            )
            found = json.loads(done.stdout)
            ports = {each["key"].rpartition(":")[2] for each in found["assets"]}
            assert str(port) in ports
            assert asked.exists() is expected
            told = [each for each in found["findings"] if f":{port}/api/tags" in each["message"]]
            assert bool(told) is expected
