import time

import pytest

from keepwall.formats.settings_text import Setting, read_settings


def pairs(name, text):
    return [(each.key, each.value) for each in read_settings(name, text)]


def test_yaml_with_nesting_lists_comments_and_templates():
    text = (
        "llm:\n  model: 'gpt-4o' # note\n  {{- if .x }}\n  tags: [a, \"b\"]\n"
        "models:\n  - name: one\n    id: x\n  - id: y\nenv:\n  - A_B=1\nlast: |\n  text\n"
    )
    assert pairs("x.yaml", text) == [
        ("llm.model", "gpt-4o"),
        ("llm.tags", "a"),
        ("llm.tags", "b"),
        ("models.name", "one"),
        ("models.id", "x"),
        ("models.id", "y"),
        ("A_B", "1"),
    ]


def test_the_environment_of_a_container():
    text = "env:\n  - name: HF_MODEL_ID\n    value: acme/x\n  - name: plain\n    value: y\n"
    found = pairs("x.yml", text)
    assert ("HF_MODEL_ID", "acme/x") in found
    assert ("env.value", "y") in found


def test_json_toml_ini_and_env():
    assert pairs("x.json", '{"a": {"model": "x"},\n "b": ["y"], "c": "z"}') == [
        ("a.model", "x"),
        ("b", "y"),
        ("c", "z"),
    ]
    assert pairs("x.toml", '[tool.x]\nmodel = "a" # b\nlist = ["c", \'d\']\n') == [
        ("tool.x.model", "a"),
        ("tool.x.list", "c"),
        ("tool.x.list", "d"),
    ]
    assert pairs(".env", "export A_KEY='x y'\n#B=1\nC=\n") == [("A_KEY", "x y"), ("C", "")]


def test_lines_are_told():
    assert list(read_settings("x.env", "\n\nA=b\n")) == [Setting("A", "b", 3, 0)]


@pytest.mark.parametrize("name", ["x.yaml", "x.json", "x.toml"])
@pytest.mark.parametrize(
    "text",
    [
        "a:" * 100000,
        "[" * 200000,
        '{"a":' * 50000,
        "- " * 100000,
        " " * 300000 + "a: b",
        "a: b\n" * 50000,
        '"' * 200000,
        "x: [" + "a," * 100000,
        "\n".join(" " * n + "a:" for n in range(400)),
    ],
)
def test_hostile_text_costs_little(name, text):
    started = time.process_time()
    assert len(list(read_settings(name, text))) <= 20_000
    assert time.process_time() - started < 2
