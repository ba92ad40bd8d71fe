"""Envelopes as people write them, and every way to write one wrong, with the line it names."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepwall.formats.envelope.parse import parse
from keepwall.vocabulary.decision import Effect, Plane, Strength
from keepwall.vocabulary.envelope import (
    AddressRule,
    DataSection,
    FileSection,
    Mode,
    ModelRule,
    NetworkSection,
    PathRule,
    ProcessSection,
    Subject,
    ToolRule,
)
from keepwall.vocabulary.errors import ConfigError

DESIGN = """\
apiVersion: keepwall.dev/v1
kind: Envelope
metadata: {name: claims-agent, labels: {surface: agent, zone: production}}
spec:
  subject: {spiffe: spiffe://acme.example/agent/claims}
  # or {workload: {namespace: ml, selector: {app: scorer}}} | {unit: scorer.service}
  planes: [runtime, network, gateway, tools]
  mode: enforce                 # observe | enforce
  minimumStrength: prevented
  process: {allow: [/usr/bin/python3.11, "/opt/agent/**"], capabilities: []}
  file:
    read:  ["/opt/agent/**", "/models/claims/**"]
    write: ["/var/lib/claims/**"]
    deny:  ["/models/claims/training/**"]
  network:
    egress:  [{to: gateway.internal, ports: [443]}, {to: 10.2.0.0/16, ports: [5432]}]
    ingress: [{from: 10.3.0.0/16, ports: [8080]}]
    listen:  ["127.0.0.1:8080"]            # exposing an endpoint is a right of its own
  models: [{name: "gpt-4o*", tokensPerMinute: 50000}]
  tools:  [{server: github, tool: search_issues, when: 'context.args.repo like "acme/*"'}]
  data:   {read: [public, internal], egress: [public], mask: [email, iban]}
"""
HEAD = """\
apiVersion: keepwall.dev/v1
kind: Envelope
metadata: {name: a}
spec:
  planes: [runtime, network, gateway, tools]
"""


def refusal(text: str | bytes) -> ConfigError:
    with pytest.raises(ConfigError) as raised:
        parse(text.encode() if isinstance(text, str) else text, "e.yaml")
    return raised.value


def test_the_example_of_the_design():
    found = parse(DESIGN.encode(), "e.yaml")
    assert found.name == "claims-agent"
    assert found.labels == {"surface": "agent", "zone": "production"}
    assert found.subject == Subject(spiffe="spiffe://acme.example/agent/claims")
    assert found.planes == (Plane.RUNTIME, Plane.NETWORK, Plane.GATEWAY, Plane.TOOLS)
    assert (found.mode, found.minimum_strength) == (Mode.ENFORCE, Strength.PREVENTED)
    assert found.process == ProcessSection(
        (PathRule("/usr/bin/python3.11"), PathRule("/opt/agent/**"))
    )
    assert found.file == FileSection(
        (PathRule("/opt/agent/**"), PathRule("/models/claims/**")),
        (PathRule("/var/lib/claims/**"),),
        (PathRule("/models/claims/training/**"),),
    )
    assert found.network == NetworkSection(
        (AddressRule("gateway.internal", (443,)), AddressRule("10.2.0.0/16", (5432,))),
        (AddressRule("10.3.0.0/16", (8080,)),),
        (AddressRule("127.0.0.1", (8080,)),),
    )
    assert found.models == (ModelRule("gpt-4o*", 50000),)
    assert found.tools == (ToolRule("github", "search_issues", 'context.args.repo like "acme/*"'),)
    assert found.data == DataSection(("public", "internal"), ("public",), ("email", "iban"))
    assert found.file.deny[0].line == 14
    assert found.origin == "e.yaml"


@pytest.mark.parametrize(
    ("subject", "name"),
    [
        ("{spiffe: spiffe://acme.example/a}", "spiffe://acme.example/a"),
        ("{workload: {namespace: ml, selector: {b: x, a: y}}}", "workload:ml/a=y,b=x"),
        ("{unit: scorer.service}", "unit:scorer.service"),
        ("{image: 'sha256:00'}", "image:sha256:00"),
    ],
)
def test_every_kind_of_subject(subject: str, name: str):
    assert parse(f"{HEAD}  subject: {subject}\n".encode(), "e").subject_name == name


def test_without_a_subject_it_is_what_is_started():
    found = parse(HEAD.encode(), "e")
    assert found.subject_name == "run:a"
    assert found.process is found.file is found.network is found.models is found.tools is None


def test_rules_with_everything():
    text = HEAD + (
        "  file:\n"
        "    default: audit\n"
        "    read:\n"
        "      - {path: /a/**, action: audit, from: /bin/x, owner: true}\n"
        "      - /**\n"
        "    deny: []\n"
        "  network:\n"
        "    egress: [{to: '*'}, {to: '::1', ports: [0, 65535], action: deny}]\n"
        "    listen: ['[::1]:80', '10.0.0.1:*', '[::]:*']\n"
    )
    found = parse(text.encode(), "e")
    assert found.file.read == (PathRule("/a/**", Effect.AUDIT, "/bin/x", True), PathRule("/**"))
    assert [rule.line for rule in found.file.read] == [9, 10]
    assert found.file.default is Effect.AUDIT
    assert found.network.egress[1] == AddressRule("::1", (0, 65535), Effect.DENY)
    assert found.network.listen == (
        AddressRule("::1", (80,)),
        AddressRule("10.0.0.1"),
        AddressRule("::"),
    )


@pytest.mark.parametrize(
    ("wrong", "line", "says"),
    [
        ("  planes: []", 6, "twice"),
        ("  file: []", 6, "file must be a mapping, not a list"),
        ("  file:", 6, "file must be a mapping, not nothing"),
        ("  files: {}", 6, "'files' is not a word of spec"),
        ("  file: {reed: []}", 6, "'reed' is not a word of file"),
        ("  file: {read: /a}", 6, "must be a list, not text"),
        ("  file: {read: [7]}", 6, "holds a number, not a path"),
        ("  file: {read: [null]}", 6, "holds nothing, not a path"),
        ("  file:\n    read:\n      - /a\n      - b", 9, "'b' is not absolute"),
        ("  file: {read: [~/a]}", 6, "not absolute"),
        ("  file: {read: ['']}", 6, "not absolute"),
        ("  file: {read: [/a/*/b]}", 6, "holds a pattern"),
        ("  file: {read: ['/a[1]']}", 6, "holds a pattern"),
        ("  file: {read: ['/**/**']}", 6, "holds a pattern"),
        ('  file: {read: ["/a\\0b"]}', 6, "holds a pattern"),
        ("  file: {read: [/a/../b]}", 6, "not normalised"),
        ("  file: {read: [/a/]}", 6, "not normalised"),
        ("  file: {read: [//a]}", 6, "not normalised"),
        (f"  file: {{read: [/{'a' * 4095}]}}", 6, "matches nothing"),
        ("  file: {read: [{path: /a, acton: deny}]}", 6, "not a word of a path rule"),
        ("  file: {read: [{action: deny}]}", 6, "path must be text, not nothing"),
        ("  file: {read: [{path: /a, owner: 1}]}", 6, "true or false"),
        ("  file: {read: [{path: /a, from: b}]}", 6, "not absolute"),
        ("  file: {default: maybe}", 6, "must be one of allow, audit, deny"),
        ("  file: {read: [], read: []}", 6, "'read' stands twice in file"),
        ("  process: {capabilities: [7]}", 6, "holds a number, not text"),
        ("  process: {capabilities: KILL}", 6, "must be a list, not text"),
        ("  network: {egress: [10.0.0.1]}", 6, "must be a mapping, not text"),
        ("  network: {egress: [{to: 10.0.0.1/8}]}", 6, "no address or network"),
        ("  network: {egress: [{to: 10.0.0.256}]}", 6, "no address or network"),
        ("  network: {egress: [{to: 'a b'}]}", 6, "no address, network or host name"),
        ("  network: {egress: [{to: -x}]}", 6, "no address, network or host name"),
        ("  network: {egress: [{to: a, ports: [65536]}]}", 6, "no port (0 to 65535)"),
        ("  network: {egress: [{to: a, ports: [-1]}]}", 6, "no port"),
        ("  network: {egress: [{to: a, ports: [true]}]}", 6, "no port"),
        ("  network: {egress: [{to: a, ports: ['80']}]}", 6, "no port"),
        ("  network: {egress: [{from: a}]}", 6, "'from' is not a word of"),
        ("  network: {ingress: [{to: a}]}", 6, "'to' is not a word of"),
        ("  network:\n    listen:\n      - 8080", 8, "ADDRESS:PORT"),
        ("  network: {listen: ['127.0.0.1:x']}", 6, "'x' is no port"),
        ("  network: {listen: ['127.0.0.1:99999']}", 6, "no port"),
        ("  network: {listen: ['127.0.0.1:٣']}", 6, "no port"),
        ("  models: {name: a}", 6, "must be a list"),
        ("  models: [a]", 6, "must be a mapping"),
        ("  models: [{name: a, tokensPerMinute: -1}]", 6, "a number from 0"),
        ("  models: [{name: a, tokensPerMinute: true}]", 6, "a number from 0"),
        ("  tools: [{server: a}]", 6, "tool must be text, not nothing"),
        ("  tools: [{server: a, tool: b, when: 7}]", 6, "when must be text, not a number"),
        ("  data: {read: [secret]}", 6, "not 'secret'"),
        ("  mode: on", 6, "must be one of observe, enforce"),
        ("  minimumStrength: strong", 6, "must be one of"),
        ("  subject: {}", 6, "exactly one of"),
        ("  subject: {unit: a, image: b}", 6, "exactly one of"),
        ("  subject: {spiffe: http://a}", 6, "no SPIFFE ID"),
        ("  subject: {spiffe: 'spiffe://a/../b c'}", 6, "no SPIFFE ID"),
        ("  subject: {workload: {namespace: a, selector: {}}}", 6, "match everything"),
        ("  subject: {workload: {namespace: a, selector: {a: 1}}}", 6, "map text to text"),
        ("  subject: {unit: 7}", 6, "unit must be text"),
        ("  file: {read: [/a", 7, "not YAML"),
        ("\tx", 6, "not YAML"),
        ("  file: *nobody", 6, "alias"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(wrong: str, line: int, says: str):
    error = refusal(HEAD + wrong + "\n")
    assert error.place == f"e.yaml:{line}", error.message
    assert says in error.message


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("[]", 1, "an envelope must be a mapping, not a list"),
        ("a", 1, "must be a mapping, not text"),
        ("apiVersion: keepwall.dev/v2\nkind: Envelope", 1, "not an Envelope of keepwall.dev/v1"),
        ("apiVersion: keepwall.dev/v1\nkind: Grant", 1, "not an Envelope"),
        ("kind: Envelope", 1, "apiVersion must be text, not nothing"),
        (HEAD.replace("{name: a}", "a"), 3, "metadata must be a mapping"),
        (HEAD.replace("{name: a}", "{name: A}"), 3, "'A' is no name"),
        (HEAD.replace("{name: a}", "{name: '-a'}"), 3, "is no name"),
        (HEAD.replace("{name: a}", f"{{name: {'a' * 64}}}"), 3, "is no name"),
        (HEAD.replace("{name: a}", '{name: "a\\n"}'), 3, "is no name"),
        (HEAD.replace("{name: a}", "{name: a, labels: {b: 1}}"), 3, "map text to text"),
        (HEAD.replace("[runtime, network, gateway, tools]", "[runtime, 7]"), 5, "7 is no plane"),
        (HEAD.replace("[runtime, network, gateway, tools]", "[]"), 5, "at least one plane"),
        (HEAD.replace("[runtime, network, gateway, tools]", "runtime"), 5, "must be a list"),
    ],
)
def test_what_is_wrong_above_the_sections(text: str, line: int, says: str):
    error = refusal(text + "\n")
    assert error.place == f"e.yaml:{line}", error.message
    assert says in error.message


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"", "empty"),
        (b"\xff\xfe", "not UTF-8"),
        (b"# only a comment\n", "empty"),
        (b"a" * ((1 << 20) + 1), "at most 1 MiB"),
        (HEAD.encode() + b"---\n" + HEAD.encode(), "more than 1 documents"),
    ],
)
def test_what_is_wrong_as_a_whole(text: bytes, says: str):
    error = refusal(text)
    assert error.place.startswith("e.yaml")
    assert says in error.message


def test_bombs_are_refused_at_once():
    layers = "a0: &a0 [x]\n" + "".join(
        f"a{i + 1}: &a{i + 1} [{', '.join([f'*a{i}'] * 10)}]\n" for i in range(12)
    )
    assert "values" in refusal(layers).message
    assert "nested" in refusal("[" * 5000).message


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_in_words(data: bytes):
    assert refusal(data).place.startswith("e.yaml")


@given(st.data())
def test_a_damaged_envelope_is_read_or_refused_with_a_place(data: st.DataObject):
    text = bytearray(DESIGN.encode())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text) - 1))
        text[at] = data.draw(st.integers(0, 255))
    try:
        parse(bytes(text), "e.yaml")
    except ConfigError as error:
        assert re.match(r"e\.yaml(:\d+)?\Z", error.place)  # noqa: PT017 - either is right
