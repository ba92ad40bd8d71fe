"""The words of a comparison: one change, and its sign."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from keepwall.vocabulary.decision import Effect
from keepwall.vocabulary.errors import ConfigError

MOST_QUESTIONS = 5_000_000
"""Questions (rules times regions) that a comparison may take."""


class Sign(StrEnum):
    """Which way a change goes."""

    MORE = "+"
    LESS = "-"
    UNSURE = "±"
    """Some of each, or nobody can tell: counts as both."""
    OTHER = "~"
    """Changes nothing that is allowed."""


@dataclass(frozen=True, slots=True)
class Change:
    """One difference in words, such as ``read /models/**``."""

    section: str
    sign: Sign
    what: str

    def __str__(self) -> str:
        return f"{self.sign} {self.what}"


@dataclass(frozen=True, slots=True)
class Turn:
    """How an answer changes; a watched allow is as much as an allow, but is said."""

    before: Effect
    after: Effect

    @property
    def sign(self) -> Sign | None:
        """The way it goes, or None for no change."""
        if self.before is self.after:
            return None
        if self.before is Effect.DENY:
            return Sign.MORE
        return Sign.LESS if self.after is Effect.DENY else Sign.OTHER

    @property
    def verb(self) -> str:
        """The words before what is concerned."""
        if self.sign is Sign.OTHER:
            return "watches" if self.after is Effect.AUDIT else "no longer watches"
        watched = Effect.AUDIT in (self.before, self.after)
        return "allows (watched)" if watched else "allows"


def affordable(questions: int) -> None:
    """Refuse a comparison that would take for ever.

    Raises:
        ConfigError: it takes more than `MOST_QUESTIONS`.
    """
    if questions > MOST_QUESTIONS:
        raise ConfigError(
            "the envelopes hold too many rules to be compared by meaning",
            hint="compare them as text: diff OLD NEW",
        )
