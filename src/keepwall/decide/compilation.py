"""What a plane says of an envelope before anything is bound to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from keepwall.vocabulary.decision import RuleOutcome, Strength
from keepwall.vocabulary.envelope import Envelope
from keepwall.vocabulary.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Compilation:
    """What a plane would make of an envelope: one outcome per rule, nothing left out."""

    envelope: Envelope
    outcomes: tuple[RuleOutcome, ...]

    def weaker(self, accepted: Sequence[str] = ()) -> tuple[RuleOutcome, ...]:
        """Return the outcomes below the envelope's minimum that were not accepted by name."""
        minimum = self.envelope.minimum_strength.rank
        return tuple(
            outcome
            for outcome in self.outcomes
            if outcome.strength.rank < minimum and outcome.rule not in accepted
        )

    @property
    def strength(self) -> Strength:
        """The weakest strength of any rule: what may be claimed of the whole."""
        return min(
            (outcome.strength for outcome in self.outcomes),
            key=lambda strength: strength.rank,
            default=Strength.BLIND,
        )

    def require(self, accepted: Sequence[str] = ()) -> None:
        """Refuse the whole envelope if any rule falls short.

        Raises:
            ConfigError: names every rule below the minimum, and how to accept it.
        """
        short = self.weaker(accepted)
        if not short:
            return
        lines = "; ".join(f"{each.rule} is {each.strength} ({each.why})" for each in short)
        raise ConfigError(
            f"the envelope asks for {self.envelope.minimum_strength}, but {lines}",
            hint="accept by name: "
            + " ".join(f"--accept-weaker '{each.rule}'" for each in short[:5]),
            place=self.envelope.origin,
        )
