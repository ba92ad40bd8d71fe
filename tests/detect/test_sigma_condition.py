from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sigma_texts import CONNECT, READ, holds

from keepwall.vocabulary.errors import RuleError
from keepwall.vocabulary.event import Event, Process

PATH = "/home/Ana/.aws/credentials"
FILE = replace(READ, target=PATH)


def selection(**fields: Any) -> dict[str, Any]:
    return {"s": {key.replace("__", "|"): value for key, value in fields.items()}, "condition": "s"}


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({"TargetFilename": "/HOME/ana/.AWS/credentials"}, True),
        ({"TargetFilename__cased": "/home/ana/.aws/credentials"}, False),
        ({"TargetFilename__cased": PATH}, True),
        ({"TargetFilename": "/home/*/.aws/credentials"}, True),
        ({"TargetFilename": "/home/???/.aws/c*s"}, True),
        ({"TargetFilename": "/home/??/.aws/*"}, False),
        ({"TargetFilename": ".aws"}, False),
        ({"TargetFilename": "*.aws*"}, True),
        ({"TargetFilename": "*"}, True),
        ({"TargetFilename": "**/HOME**"}, True),
        ({"TargetFilename": ""}, False),
        ({"Envelope": ""}, True),
        ({"Envelope": "*"}, False),
        ({"TargetFilename__contains": "ANA/.a"}, True),
        ({"TargetFilename__contains": "a*.aws?c"}, True),
        ({"TargetFilename__contains__cased": "ANA"}, False),
        ({"TargetFilename__startswith": "/Home/"}, True),
        ({"TargetFilename__startswith": "home/"}, False),
        ({"TargetFilename__endswith": ["/nothing", "/CREDENTIALS"]}, True),
        ({"TargetFilename__endswith": "/.aws"}, False),
        ({"TargetFilename__contains__all": ["home", "aws"]}, True),
        ({"TargetFilename__contains__all": ["home", "azure"]}, False),
        ({"TargetFilename": ["/a", PATH]}, True),
        ({"TargetFilename__re": r"\.aws/cred"}, True),
        ({"TargetFilename__re": r"\.AWS/cred"}, False),
        ({"TargetFilename__re__i": r"\.AWS/cred"}, True),
        ({"TargetFilename__re": r"^/\.aws"}, False),
        ({"Envelope__re": ".*"}, False),
        ({"Envelope": None}, True),
        ({"TargetFilename": None}, False),
        ({"Envelope__exists": False}, True),
        ({"Envelope__exists": True}, False),
        ({"TargetFilename__exists": True}, True),
        ({"ProcessId": 4711}, True),
        ({"ProcessId": "4711"}, True),
        ({"ProcessId": "47*"}, True),
        ({"ProcessId": 4712}, False),
        ({"ProcessId__gt": 4710}, True),
        ({"ProcessId__gte": 4711}, True),
        ({"ProcessId__lt": 4711}, False),
        ({"ProcessId__lte": 4711.5}, True),
        ({"ProcessId__neq": 1}, True),
        ({"TargetFilename__endswith__neq": "/credentials"}, False),
        ({"User": "ana", "Effect": ["deny", "audit"]}, True),
        ({"User": "ana", "Effect": "allow"}, False),
    ],
)
def test_values(fields: dict[str, Any], *, wanted: bool) -> None:
    assert holds(selection(**fields), FILE) is wanted


def test_a_missing_number_compares_with_nothing() -> None:
    nobody = replace(FILE, process=Process())
    for modifier in ("gt", "lt", "gte", "lte"):
        assert not holds(selection(**{f"ProcessId__{modifier}": 0}), nobody)
    assert not holds(selection(ProcessId=0), nobody)
    assert holds(selection(ProcessId=None), nobody)


@pytest.mark.parametrize(
    ("value", "name", "wanted"),
    [
        (r"/tmp/a\*b", "/tmp/a*b", True),
        (r"/tmp/a\*b", "/tmp/axb", False),
        (r"/tmp/a\?b", "/tmp/a?b", True),
        (r"/tmp/a\b", r"/tmp/a\b", True),
        (r"/tmp/a\\*", r"/tmp/a\bcd", True),
        ("/tmp/[a]+(b)*", "/tmp/[a]+(b)c", True),
        ("/tmp/[a]+(b)*c", "/tmp/a(b)c", False),
        ("/tmp/*\n?", "/tmp/x\ny", True),
        ("/tmp/ß?", "/tmp/SSx", True),
        ("/tmp/ΑΣ*", "/tmp/ΑΣΑ", True),
    ],
)
def test_escapes_and_odd_names(value: str, name: str, *, wanted: bool) -> None:
    event = replace(FILE, target=name)
    assert holds(selection(TargetFilename=value), event) is wanted


@pytest.mark.parametrize(
    ("target", "wanted"),
    [
        ("10.3.255.1:443", True),
        ("[::ffff:10.3.0.1]:443", True),
        ("10.4.0.0:443", False),
        ("[fd00::1]:443", False),
        ("ten.example:443", False),
        ("/run/a.sock", False),
    ],
)
def test_cidr(target: str, *, wanted: bool) -> None:
    event = replace(CONNECT, target=target)
    assert (
        holds(selection(DestinationIp__cidr="10.2.0.0/15"), event, "network_connection") is wanted
    )


def test_an_address_is_compared_in_its_canonical_form() -> None:
    event = replace(CONNECT, target="[FD00:0EC2:0::254]:80")
    assert holds(selection(DestinationIp="fd00:ec2::254"), event, "network_connection")
    assert holds(selection(DestinationPort__lte=80), event, "network_connection")


SELECTIONS = {
    "yes_a": {"User": "ana"},
    "yes_b": {"Effect": "deny"},
    "no_a": {"User": "eve"},
    "no_b": [{"User": "eve"}, {"Effect": "allow"}],
    "list_yes": [{"User": "eve"}, {"User": "ana", "Effect": "deny"}],
}


@pytest.mark.parametrize(
    ("condition", "wanted"),
    [
        ("yes_a and yes_b", True),
        ("yes_a and no_a", False),
        ("no_a or yes_b", True),
        ("no_a or no_b", False),
        ("not no_a", True),
        ("not yes_a or no_b", False),
        ("yes_a or no_a and no_b", True),
        ("(yes_a or no_a) and no_b", False),
        ("not (no_a or no_b) and list_yes", True),
        ("1 of yes_*", True),
        ("1 of no_*", False),
        ("all of yes_*", True),
        ("all of them", False),
        ("1 of them", True),
        ("any of no_*", False),
        ("yes_a and not 1 of no_*", True),
        (["no_a", "yes_a"], True),
        (["no_a", "no_b"], False),
    ],
)
def test_conditions(condition: str | list[str], *, wanted: bool) -> None:
    assert holds({**SELECTIONS, "condition": condition}, FILE) is wanted


@pytest.mark.parametrize(
    ("fields", "event", "category", "message"),
    [
        ({"DestinationIp": "10.0.0.1"}, FILE, "file_access", "have no field 'DestinationIp'"),
        ({"CommandLine": "x"}, FILE, "process_creation", "have no field 'CommandLine'"),
        ({"User__cidr": "10.0.0.0/8"}, FILE, "file_access", "User is never CIDRExpression"),
        ({"User__gt": 5}, FILE, "file_access", "User is never CompareExpression"),
        ({"User": True}, FILE, "file_access", "User is never Bool"),
    ],
)
def test_what_cannot_be_is_refused_with_its_line(
    fields: dict[str, Any], event: Event, category: str, message: str
) -> None:
    with pytest.raises(RuleError, match=message) as caught:
        holds(selection(**fields), event, category)
    assert caught.value.place == "rule.yml:9"


def test_a_keyword_is_refused() -> None:
    with pytest.raises(RuleError, match="without a field") as caught:
        holds({"words": ["mimikatz", "netcat"], "condition": "words"}, FILE)
    assert caught.value.place == "rule.yml:7"
