"""The plan of one fenced run: what the kernel grants, what the supervisor decides, how strong."""

from __future__ import annotations

from dataclasses import dataclass

from keepwall.decide.paths import PathSet
from keepwall.enforce.runtime.landlock import Access
from keepwall.enforce.runtime.policy import FilePolicy, NetworkPolicy
from keepwall.vocabulary.decision import RuleOutcome
from keepwall.vocabulary.envelope import Envelope


@dataclass(frozen=True, slots=True)
class HostSupport:
    """What this kernel really offers to an unprivileged process."""

    landlock: int
    """Landlock ABI; 0 for none."""
    notify: bool
    """Whether a seccomp listener can be had."""


@dataclass(frozen=True, slots=True)
class RunPlan:
    """Everything that a launch and its supervisor need; made by `compile.plan`."""

    envelope: Envelope
    files: FilePolicy | None
    """None when the runtime plane is not listed."""
    network: NetworkPolicy | None
    """None when the network plane is not listed."""
    grants: tuple[tuple[str, Access], ...]
    """Paths (literal or directory) with the Landlock rights on them."""
    brokered: PathSet
    """Where the supervisor opens for the subject, because Landlock cannot say it."""
    loaders: frozenset[str]
    """Dynamic loaders: needed to start programs, never allowed to be the program."""
    denied_objects: frozenset[tuple[int, int]]
    """(device, inode) of what is denied, so that another name of it is denied as well."""
    outcomes: tuple[RuleOutcome, ...]
    support: HostSupport
