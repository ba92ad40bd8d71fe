"""What lies beside the product."""

from __future__ import annotations

import pytest

from keepwall.assess.surroundings import WEIGHTS, context_of


@pytest.mark.parametrize(
    ("path", "context"),
    [
        ("app/agent.py", ""),
        ("tests/agent.py", "test"),
        ("src/pkg/Tests/agent.py", "test"),
        ("app/test_agent.py", "test"),
        ("app/agent_test.py", "test"),
        ("web/chat.test.ts", "test"),
        ("conftest.py", "test"),
        ("app/testament.py", ""),
        ("latest/agent.py", ""),
        ("docs/guide.ipynb", "docs"),
        ("benchmarks/run.py", "benchmark"),
        ("node_modules/x/index.js", "vendored"),
        ("", ""),
    ],
)
def test_the_path_tells(path: str, context: str):
    assert context_of(path) == context
    assert not context or WEIGHTS[context] < 1
