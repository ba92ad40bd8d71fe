"""The frameworks that rules map to: their ids and names, from data."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources
from types import MappingProxyType

FRAMEWORKS: Mapping[str, str] = MappingProxyType(
    {
        "owasp_llm": "OWASP Top 10 for LLM Applications 2025",
        "owasp_agentic": "OWASP Top 10 for Agentic Applications 2026",
        "atlas": "MITRE ATLAS 5.6.0",
        "nist_ai_rmf": "NIST AI Risk Management Framework 1.0",
    }
)
"""The keys of `mappings` in a rule, with the title of each framework."""


@cache
def controls(framework: str) -> Mapping[str, str]:
    """Return the ids that rules may name in `framework` (a key of FRAMEWORKS), with their names.

    ATLAS tactics are left out: a rule maps to techniques and mitigations.
    """
    if framework == "atlas":
        rows = ((row[1], row[2]) for row in _rows("mitre-atlas.tsv") if row[0] != "tactic")
    elif framework == "nist_ai_rmf":
        rows = ((row[0], row[1]) for row in _rows("nist-ai-rmf.tsv"))
    else:
        prefix = {"owasp_llm": "LLM", "owasp_agentic": "ASI"}[framework]
        rows = ((row[0], row[1]) for row in _rows("owasp.tsv") if row[0].startswith(prefix))
    return MappingProxyType(dict(rows))


def _rows(name: str) -> list[list[str]]:
    text = resources.files("keepwall.rulebook").joinpath("data", name).read_text("utf-8")
    return [line.split("\t") for line in text.splitlines() if line and not line.startswith("#")]
