from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from sigma_texts import READ, RULE_ID, rule_text, write_rule

from keepwall.detect.detections import Detections
from keepwall.vocabulary.errors import RuleError
from keepwall.vocabulary.surface import Severity, Surface

DETECTION = {"s": {"TargetFilename|startswith": "/home/ana/"}, "condition": "s"}
EXAMPLES = """\
matching:
  - {target: /home/ana/notes.txt}
not_matching:
  - {target: /opt/agent/main.py}
"""


def refusal(path: Path) -> RuleError:
    with pytest.raises(RuleError) as caught:
        Detections.load([path])
    return caught.value


def test_a_custom_rule_joins_the_built_in_ones(tmp_path: Path) -> None:
    deep = tmp_path / "team"
    deep.mkdir()
    write_rule(deep, rule_text(DETECTION, level="informational", tags=["attack.t1005"]), EXAMPLES)
    built_in = Detections.load()
    found = Detections.load([tmp_path])
    assert len(found.rules) == len(built_in.rules) + 1
    (mine,) = [each for each in found.match(READ) if each.name == "odd_read"]
    assert mine.rule == RULE_ID
    assert (mine.severity, mine.surface, mine.contain) == (Severity.INFO, Surface.AGENT, False)
    assert mine.mappings == {"attack": ("T1005",)}
    assert [each.name for each in found.match(READ)] == sorted(
        each.name for each in found.match(READ)
    )


@pytest.mark.parametrize("ending", ["yml", "yaml"])
def test_a_single_file_is_a_place_too(tmp_path: Path, ending: str) -> None:
    file = write_rule(tmp_path, rule_text(DETECTION), EXAMPLES)
    file = file.rename(tmp_path / f"odd_read.{ending}")
    for place in (file, tmp_path):
        assert [rule.name for rule in Detections.read([(place, tmp_path)]).rules] == ["odd_read"]


def test_a_rule_without_examples(tmp_path: Path) -> None:
    file = write_rule(tmp_path, rule_text(DETECTION))
    error = refusal(file)
    assert "odd_read.examples.yaml is missing" in error.message
    assert "not_matching" in error.hint


@pytest.mark.parametrize(
    ("examples", "message", "line"),
    [
        ("matching: [{target: /x}]\n", "not_matching missing", 1),
        ("matching: []\nnot_matching: [{target: /x}]\n", "at least one entry", 1),
        (EXAMPLES.replace("/home/ana/notes.txt", "/srv/x"), "does not match this example", 2),
        (EXAMPLES.replace("/opt/agent/main.py", "/home/ana/x"), "must not", 4),
        (EXAMPLES.replace("target: /home", "effect: deny, path: /home"), "unknown key 'path'", 2),
        (EXAMPLES.replace("{target", "{effect: maybe, target"), "'maybe' is not one of allow", 2),
        (EXAMPLES.replace("{target", "{class: files, target"), "'files' is not one of file", 2),
        (EXAMPLES.replace("{target", "{process: {pid: x}, target"), "a number is expected", 2),
        (EXAMPLES.replace("{target: /home", "{&a target: /home"), "", 2),
        ("- 1\n", "a mapping is expected", 1),
        ("a: [\n", "not YAML", 2),
        ("", "empty", 1),
    ],
)
def test_examples_that_do_not_hold(tmp_path: Path, examples: str, message: str, line: int) -> None:
    file = write_rule(tmp_path, rule_text(DETECTION), examples)
    if not message:
        assert Detections.load([file]).rules
        return
    error = refusal(file)
    assert message in error.message
    assert error.place == f"{tmp_path}/odd_read.examples.yaml:{line}"


def test_examples_that_are_not_text(tmp_path: Path) -> None:
    file = write_rule(tmp_path, rule_text(DETECTION), "")
    (tmp_path / "odd_read.examples.yaml").write_bytes(b"\xff\xfe")
    assert "not UTF-8" in refusal(file).message


@pytest.mark.parametrize(
    ("changes", "message", "line"),
    [
        ({"keepwall": None}, "says the surface and the response", 1),
        ({"keepwall": "contain"}, "says the surface and the response", 11),
        ({"keepwall": {"surface": "moon", "response": "alert"}}, "says the surface", 11),
        ({"keepwall": {"surface": "agent", "response": "shoot"}}, "says the surface", 11),
        ({"keepwall": {"surface": "agent", "response": "alert", "x": 1}}, "nothing else", 11),
        ({"keepwall": {"surface": ["agent"], "response": "alert"}}, "says the surface", 11),
        ({"logsource": {"category": "registry_set", "product": "keepwall"}}, "the category", 4),
        ({"logsource": {"category": "file_access", "product": "windows"}}, "the product", 4),
        ({"logsource": {"product": "keepwall"}}, "the category is not one of", 4),
        ({"tags": ["atlas.aml.t9999"]}, "AML.T9999 is not in MITRE ATLAS", 14),
    ],
)
def test_rules_that_are_not_ours(
    tmp_path: Path, changes: dict[str, Any], message: str, line: int
) -> None:
    file = write_rule(tmp_path, rule_text(DETECTION, **changes), EXAMPLES)
    error = refusal(file)
    assert message in error.message
    assert error.place == f"{file}:{line}"


def test_two_rules_with_one_id(tmp_path: Path) -> None:
    first = write_rule(tmp_path, rule_text(DETECTION), EXAMPLES, "first")
    write_rule(tmp_path, rule_text(DETECTION), EXAMPLES, "second")
    error = refusal(tmp_path)
    assert f"is taken by {first}:2" in error.message
    assert error.place == f"{tmp_path}/second.yml:2"


def test_a_place_that_does_not_exist(tmp_path: Path) -> None:
    assert "no such file" in refusal(tmp_path / "nowhere").message


def test_a_place_that_cannot_be_looked_at(tmp_path: Path) -> None:
    assert "File name too long" in refusal(tmp_path / ("x" * 300)).message


def test_a_pipe_does_not_keep_us_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "odd_read.yml")
    assert "not a file" in refusal(tmp_path).message


def test_folders_without_end(tmp_path: Path) -> None:
    (tmp_path / "again").symlink_to(tmp_path, target_is_directory=True)
    assert "nested too deeply" in refusal(tmp_path).message
