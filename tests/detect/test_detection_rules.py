from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest
from sigma_texts import CONNECT, READ, START

from keepwall.detect.detection import DetectionExample, DetectionRule
from keepwall.detect.detections import Detections
from keepwall.vocabulary.decision import Effect
from keepwall.vocabulary.event import Activity, EventClass
from keepwall.vocabulary.surface import Severity, Surface

DETECTIONS = Detections.load()
CASES = [
    pytest.param(rule, example, wanted, id=f"{rule.name}-{wanted}-{number}")
    for rule in DETECTIONS.rules
    for wanted, examples in ((True, rule.matching), (False, rule.not_matching))
    for number, example in enumerate(examples)
]


@pytest.mark.parametrize(("rule", "example", "wanted"), CASES)
def test_every_rule_answers_its_examples(
    rule: DetectionRule, example: DetectionExample, *, wanted: bool
) -> None:
    names = [found.name for found in DETECTIONS.match(example.event)]
    assert (rule.name in names) is wanted, example.place


@pytest.mark.parametrize("rule", DETECTIONS.rules, ids=lambda rule: rule.name)
def test_every_rule_is_complete(rule: DetectionRule) -> None:
    assert rule.title
    assert len(rule.description) > 60
    assert rule.mappings["attack"]
    assert rule.mappings["atlas"]


@pytest.mark.parametrize("rule", DETECTIONS.rules, ids=lambda rule: rule.name)
@pytest.mark.parametrize("other", list(EventClass))
def test_no_rule_answers_events_of_another_class(rule: DetectionRule, other: EventClass) -> None:
    if other is rule.category.event_class:
        return
    for example in rule.matching:
        assert not rule.matches(replace(example.event, event_class=other))


def test_what_a_detection_says() -> None:
    (found,) = DETECTIONS.match(READ)
    assert found.rule == "3f6f4d0e-6a53-4c0c-9a2e-0f3f1b7f6d11"
    assert found.name == "credential_file_read_by_workload"
    assert (found.severity, found.surface, found.contain) == (
        Severity.HIGH,
        Surface.NOTEBOOK,
        True,
    )
    assert found.event is READ
    assert found.mappings == {
        "attack": ("T1552.001", "T1552.004"),
        "atlas": ("AML.T0055",),
        "owasp_agentic": ("ASI03:2026",),
    }


def test_the_four_answers() -> None:
    loader = replace(START, target="/lib64/ld-linux-x86-64.so.2", rule="process.loader")
    answers = {
        found.name: (found.severity, found.contain)
        for event in (READ, CONNECT, START, loader)
        for found in DETECTIONS.match(event)
    }
    assert answers == {
        "credential_file_read_by_workload": (Severity.HIGH, True),
        "metadata_service_reached": (Severity.HIGH, True),
        "program_through_the_loader": (Severity.HIGH, True),
        "shell_refused": (Severity.MEDIUM, False),
    }


def test_ordinary_work_is_no_detection() -> None:
    ordinary = [
        replace(READ, target="/opt/agent/main.py", effect=Effect.AUDIT),
        replace(READ, activity=Activity.WRITE, target="/var/lib/claims/out.json"),
        replace(START, target="/usr/bin/python3.11", effect=Effect.AUDIT),
        replace(CONNECT, target="10.2.0.5:5432"),
        replace(CONNECT, target=""),
        replace(READ, event_class=EventClass.API, activity=Activity.CALL, target="github/search"),
    ]
    assert [DETECTIONS.match(event) for event in ordinary] == [[]] * len(ordinary)


def test_importing_the_package_does_not_import_pysigma() -> None:
    code = (
        "import sys, keepwall.detect.detections; "
        "sys.exit(any(name.split('.')[0] in ('sigma', 're2') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
