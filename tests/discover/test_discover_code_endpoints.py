"""Addresses and routes that code writes out: what it calls, and what it only mentions."""

from __future__ import annotations

from pathlib import Path

import pytest

from keepwall.discover.tree import discover_tree
from keepwall.vocabulary.asset import AssetKind


def found(root: Path, name: str, code: str, kind: AssetKind) -> set[str]:
    (root / name).write_text(code)
    return {each.key for each in discover_tree(root).assets if each.kind is kind}


@pytest.mark.parametrize(
    ("code", "endpoint"),
    [
        ("URL = 'https://api.openai.com/v1/chat/completions'\n", "api.openai.com"),
        ("import requests\nrequests.post('https://api.anthropic.com/v1/messages')\n", "anthropic"),
        ("import os\nu = os.getenv('OLLAMA_URL', 'http://localhost:11434')\n", "localhost:11434"),
    ],
)
def test_an_address_that_code_calls_is_an_endpoint(tmp_path: Path, code: str, endpoint: str):
    (key,) = found(tmp_path, "a.py", code, AssetKind.ENDPOINT)
    assert endpoint in key


@pytest.mark.parametrize(
    "code",
    [
        "DOCS_URL = 'https://platform.openai.com/docs/api-reference'\n",
        "HELP = 'see https://api.openai.com/v1 for more'\n",
        "URL = 'https://example.com/v1/chat/completions'\n",
        "HOMEPAGE = 'https://www.anthropic.com/claude'\n",
        "URL = 'http://['\n",
    ],
)
def test_what_is_only_mentioned_is_none(tmp_path: Path, code: str):
    assert not found(tmp_path, "a.py", code, AssetKind.ENDPOINT)


def test_a_list_to_choose_from_names_models_that_are_offered(tmp_path: Path):
    code = """export const models = [
  { id: "anthropic/claude-haiku-4.5", name: "Haiku" },
  { id: "openai/gpt-4.1-mini", name: "Mini" },
  { id: "acme/not-a-model", name: "Other" },
];
"""
    keys = found(tmp_path, "models.ts", code, AssetKind.HOSTED_MODEL)
    assert keys == {"anthropic/claude-haiku-4.5", "openai/gpt-4.1-mini"}


def test_a_table_of_many_models_is_no_use_of_them(tmp_path: Path):
    rows = "".join(f"    'gpt-4.{number}-mini': {number}000,\n" for number in range(30))
    code = f"LIMITS = {{\n{rows}}}\n"
    assert not found(tmp_path, "limits.py", code, AssetKind.HOSTED_MODEL)
