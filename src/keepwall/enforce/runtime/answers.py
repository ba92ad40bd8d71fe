"""The seam between the supervisor and those who answer calls."""

from __future__ import annotations

from typing import Protocol

from keepwall.enforce.runtime.notification import StoppedCall


class Answers(Protocol):
    """Answers the stopped calls of one family (files, sockets), each exactly once."""

    def answer(self, call: StoppedCall, name: str) -> None:
        """Answer one call; an OSError becomes what the caller sees."""
        ...

    def strayed(self, call: StoppedCall) -> bool:
        """Return whether the caller turned out to be what it may not be, and must end."""
        ...

    def close(self) -> None:
        """Let go of what still waits."""
        ...
