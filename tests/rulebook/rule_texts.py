"""A small correct rule, and ways to spoil it."""

from __future__ import annotations

RULE = """\
id: KW-REG-900
title: Loads carelessly
severity: high
surface: registry
why: Because.
fix: Load carefully.
message: "{function} with {arguments.mode}"
mappings:
  owasp_llm: [LLM03:2025]
  atlas: [AML.T0010.003]
match:
  fact: code.call
  where:
    function: torch.load
examples:
  failing:
    - facts:
        - {kind: code.call, asset: "project:x", path: a.py, line: 3, value: {function: torch.load}}
  passing:
    - facts:
        - {kind: code.call, asset: "project:x", path: a.py, line: 3, value: {function: torch.save}}
"""


def spoiled(old: str, new: str) -> str:
    """Return the rule with one part replaced, which must be there."""
    assert old in RULE
    return RULE.replace(old, new)
