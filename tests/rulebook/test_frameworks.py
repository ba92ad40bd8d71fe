from __future__ import annotations

import re

import pytest

from keepwall.rulebook.frameworks import FRAMEWORKS, controls


@pytest.mark.parametrize(
    ("framework", "pattern", "count"),
    [
        ("owasp_llm", r"LLM(0[1-9]|10):2025", 10),
        ("owasp_agentic", r"ASI(0[1-9]|10):2026", 10),
        ("atlas", r"AML\.[TM]\d{4}(\.\d{3})?", 200),
        ("nist_ai_rmf", r"(GOVERN|MAP|MEASURE|MANAGE) \d\.\d{1,2}", 72),
    ],
)
def test_ids_have_their_shape_and_a_name(framework: str, pattern: str, count: int):
    known = controls(framework)
    assert all(re.fullmatch(pattern, control) and name for control, name in known.items())
    assert len(known) >= count
    assert framework in FRAMEWORKS
