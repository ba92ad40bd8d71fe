"""The two ends of a learning run: a plan that sees all, and the draft it leaves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from keepwall.enforce.runtime import credentials, probe
from keepwall.enforce.runtime.compile import plan
from keepwall.enforce.runtime.draft import draft
from keepwall.enforce.runtime.learn import Used
from keepwall.enforce.runtime.plan import RunPlan
from keepwall.formats.envelope.render import render
from keepwall.vocabulary.decision import Effect, Plane
from keepwall.vocabulary.envelope import (
    Envelope,
    FileSection,
    Mode,
    NetworkSection,
    ProcessSection,
)
from keepwall.vocabulary.errors import ConfigError


def observe_plan(name: str) -> RunPlan:
    """Return a plan under which everything is seen and nothing is refused."""
    envelope = Envelope(
        name=name,
        planes=(Plane.RUNTIME, Plane.NETWORK),
        mode=Mode.OBSERVE,
        process=ProcessSection(default=Effect.ALLOW),
        file=FileSection(default=Effect.ALLOW),
        network=NetworkSection(default=Effect.ALLOW),
    )
    return plan(envelope, probe.support())


def write_draft(used: Used, target: Path, name: str, say: Callable[[str], None]) -> None:
    """Write the envelope of what was used, with what was left out as comments.

    Raises:
        ConfigError: the file cannot be written.
    """
    found = credentials.closed(draft(used, name, str(Path.home())), used)
    lines = [f"# Learned from one run of {name}. Read it, narrow it, then: keepwall run --envelope"]
    lines += [
        f"# Left out: {''.join(c for c in each if c.isprintable())}" for each in found.left_out
    ]
    text = "\n".join(lines) + "\n" + render(found.envelope)
    try:
        with target.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise ConfigError(f"{target} cannot be written: {error.strerror}") from error
    for each in found.left_out:
        say(f"left out: {each}")
    file_section = found.envelope.file
    count = len(file_section.read) + len(file_section.write) if file_section else 0
    say(f"learned {count} path rules into {target}; next: keepwall envelope check {target}")
