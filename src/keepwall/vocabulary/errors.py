"""The errors: work that could not be done.

A refusal is never an exception (it is a `Decision`); neither is something unread (it is an
`Unread`). What is raised here carries one line for a person, a hint at the next step and the
exit code that the command line returns.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of the command line, the same for every verb."""

    CLEAN = 0
    FINDINGS = 1
    USAGE = 2
    INCOMPLETE = 3
    RUN_FAILED = 125


class KeepwallError(Exception):
    """The work could not be done.

    `message` is one line for a person, without secrets; `hint` names the next step or is empty;
    `exit_code` is what a command that fails with this error returns.
    """

    exit_code: ExitCode = ExitCode.INCOMPLETE

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class ConfigError(KeepwallError):
    """A setting, a flag or an envelope is wrong; `place` is ``path:line`` where one is known."""

    exit_code = ExitCode.USAGE

    def __init__(self, message: str, *, hint: str = "", place: str = "") -> None:
        super().__init__(f"{place}: {message}" if place else message, hint=hint)
        self.place = place


class RuleError(KeepwallError):
    """A rule cannot be loaded; names the place in the rule as ``path:line``."""

    exit_code = ExitCode.USAGE

    def __init__(self, message: str, *, place: str, hint: str = "") -> None:
        super().__init__(f"{place}: {message}", hint=hint)
        self.place = place


class ConnectError(KeepwallError):
    """Something outside (a server, a socket, a kernel facility) did not answer as it must."""


class FormatError(KeepwallError):
    """Bytes are not what they claim to be; `place` is an offset, a line or a field."""

    def __init__(self, message: str, *, hint: str = "", place: str = "") -> None:
        super().__init__(f"{place}: {message}" if place else message, hint=hint)
        self.place = place


class IntegrityError(KeepwallError):
    """A signature, digest or proof does not hold; the message names the record."""
