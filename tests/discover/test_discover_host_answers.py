import pytest
from made_up_host import EVERYWHERE, Host, facts, ids

from keepwall.discover.host_answers import meaning, question_for
from keepwall.discover.host_data import host_data
from keepwall.discover.host_probe import NoReplyError, Reply, parse_reply


def reply(status, body=b"", head=""):
    return Reply(status, head, body)


@pytest.mark.parametrize(
    ("software", "status", "body", "head", "authenticated", "certain", "models"),
    [
        ("ollama", 200, b'{"models": [{"name": "a:1"}, {"name": 5}]}', "", False, True, ("a:1",)),
        ("ollama", 200, b"<html>", "", None, False, ()),
        ("vllm", 200, b'{"object":"list","data":[{"id":"m"}]}', "", False, True, ("m",)),
        ("vllm", 401, b'{"error":"Unauthorized"}', "", True, False, ()),
        ("vllm", 500, b"", "", None, False, ()),
        ("jupyter", 200, b'{"last_activity": 1}', "", False, True, ()),
        ("jupyter", 403, b"", "Server: TornadoServer/6", True, True, ()),
        ("jupyter", 302, b"", "HTTP/1.1 302\r\nLocation: /hub/login?next=x", True, False, ()),
        ("jupyter", 302, b"", "HTTP/1.1 302\r\nLocation: /elsewhere", None, False, ()),
        ("text-generation-inference", 405, b"", "", False, False, ()),
        ("text-generation-inference", 401, b"", "", True, False, ()),
        ("text-generation-inference", 200, b"", "", None, True, ()),
        (
            "open-webui",
            200,
            b'{"name": "Open WebUI", "features": {"auth": true}}',
            "",
            True,
            True,
            (),
        ),
        (
            "open-webui",
            200,
            b'{"name": "Open WebUI", "features": {"auth": "no"}}',
            "",
            None,
            True,
            (),
        ),
        ("chainlit", 200, b'{"requireLogin": false}', "", False, True, ()),
        ("streamlit", 200, b'{"allowedOrigins": []}', "", None, True, ()),
        ("mcp", 400, b'{"jsonrpc":"2.0","error":{}}', "", False, True, ()),
        ("mlflow", 200, b"{}", "", False, True, ()),
        ("mlflow", 401, b"", 'WWW-Authenticate: Basic realm="mlflow"', True, True, ()),
        ("ollama", 200, b'{"models": ' + b"[" * 60_000, "", False, True, ()),
        ("ollama", 200, b'{"models": "\xff\xfe', "", False, True, ()),
    ],
)
def test_what_an_answer_means(software, status, body, head, authenticated, certain, models):
    found = meaning(question_for(software), reply(status, body, head))
    assert (found.authenticated, found.certain, found.models) == (authenticated, certain, models)


def test_names_of_models_are_hostile():
    name = "\\u001b[2J\\u202e" + "x" * 5_000
    body = f'{{"models": [{", ".join(f"""{{"name": "{i}{name}"}}""" for i in range(900))}]}}'
    found = meaning(question_for("ollama"), reply(200, body.encode()))
    assert len(found.models) == 50
    assert all(len(each) <= 80 and "\x1b" not in each for each in found.models)


def test_every_question_is_a_plain_path_of_one_server():
    for name, entry in host_data("host_probes")["ask"].items():
        assert entry["path"].startswith("/"), name
        assert entry["path"].isascii()
        assert not set(entry["path"]) & set(" \r\n\\")
        assert "shows" in entry or "refuses" in entry or "open" in entry


@pytest.mark.parametrize(
    ("raw", "status", "body"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\nabc", 200, b"abc"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
            200,
            b"abc",
        ),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nabc", 200, b"abc"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\nabc", 200, b"abc"),
        (b"HTTP/1.0 401 No\r\nX: y", 401, b""),
    ],
)
def test_replies_that_are_cut_off(raw, status, body):
    found = parse_reply(raw)
    assert (found.status, found.body) == (status, body)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"SSH-2.0-x\r\n",
        b"HTTP/1.1 xx\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 5_000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"\xff" * 60_000,
    ],
)
def test_what_is_not_http(raw):
    try:
        found = parse_reply(raw)
    except NoReplyError:
        return
    assert found.body in (b"", raw[-4:])


@pytest.fixture
def host(tmp_path):
    made = Host(tmp_path)
    made.process(5, "/usr/bin/ollama", "serve", sockets=[50])
    made.listen(EVERYWHERE, 11434, 50)
    return made


def test_the_answer_becomes_a_fact_and_models_are_served(host):
    asked = []

    def ask(address, port, path):
        asked.append((address, port, path))
        return reply(200, b'{"models": [{"name": "llama3:8b"}, {"name": "phi3:latest"}]}')

    found = host.discover(ask)
    assert asked == [("127.0.0.1", 11434, "/api/tags")]
    assert facts(found, "endpoint.answered") == [
        {
            "url": "http://127.0.0.1:11434/api/tags",
            "software": "ollama",
            "status": 200,
            "authenticated": False,
            "models": ["llama3:8b", "phi3:latest"],
        }
    ]
    edges = {(each.source, each.kind, each.target) for each in found.relations}
    endpoint = "endpoint:http://node-1:11434"
    assert ("process:node-1/ollama", "exposes", endpoint) in edges
    assert (endpoint, "serves", "hosted-model:ollama/llama3:8b") in edges
    assert (endpoint, "serves", "hosted-model:ollama/phi3") in edges
    assert "inference-server:ollama" in ids(found, "inference-server")


def test_without_a_probe_nothing_is_claimed_of_credentials(host):
    found = host.discover()
    assert facts(found, "endpoint.answered") == []
    assert len(facts(found, "endpoint.listening")) == 1


def test_a_server_that_stays_silent_is_named(host):
    def ask(_address, _port, _path):
        raise NoReplyError("did not answer within 2 s", silent=True)

    found = host.discover(ask)
    (unread,) = found.unread
    assert unread.path == f"{EVERYWHERE}:11434"
    assert "whether it asks for credentials is unknown" in unread.reason
    assert len(ids(found, "endpoint")) == 1


def test_a_port_alone_proves_nothing_once_something_else_answers(host):
    host.listen(EVERYWHERE, 8888, 1)
    host.listen(EVERYWHERE, 6333, 2)

    def ask(_address, port, _path):
        if port == 8888:
            return reply(200, b"<html>a shop</html>")
        if port == 6333:
            return reply(200, b'{"result": {"collections": []}}')
        raise NoReplyError("does not speak HTTP", silent=False)

    found = host.discover(ask)
    assert ids(found, "endpoint") == {"endpoint:http://node-1:11434", "endpoint:http://node-1:6333"}
    assert ids(found, "vector-store") == {"vector-store:qdrant"}


def test_a_kernel_on_loopback_is_no_endpoint_of_its_own(host):
    host.process(6, "/v/bin/python", "-m", "ipykernel_launcher", "-f", "k.json", sockets=[60, 61])
    host.listen("127.0.0.1", 41001, 60)
    host.listen("127.0.0.1", 41002, 61)
    found = host.discover()
    assert ids(found, "endpoint") == {"endpoint:http://node-1:11434"}
    assert len(facts(found, "endpoint.listening")) == 3
