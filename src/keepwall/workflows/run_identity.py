"""Who a run is: recognised by the registrations of this installation before anything starts."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from keepwall.decide.paths import PathSet
from keepwall.vocabulary.decision import Effect
from keepwall.vocabulary.envelope import Envelope, Subject
from keepwall.vocabulary.errors import ConfigError

_FILES = ("keepwall.toml", "pyproject.toml")
_WORD = b"registrations"
_MOST_BYTES = 1 << 20


def identified(
    envelope: Envelope,
    program: Callable[[], str],
    node: str,
    named: Path | None,
    say: Callable[[str], None],
) -> Envelope:
    """Return `envelope` with the identity as its subject that registrations give to this run.

    Without a registration that fits, the subject stays ``run:<envelope>``; where there are some,
    that is said. `program` returns the program to be started, and `named` is the configuration
    file that was named, if one was.

    Raises:
        ConfigError: two identities fit; the envelope is about somebody else; or the file with the
            registrations is wrong, or lies where the command could have written it.
    """
    subject = envelope.subject
    if subject != Subject() and not subject.spiffe:
        raise ConfigError(
            f"the subject of this envelope is {subject.name}, which keepwall run does not start",
            hint="leave the subject out: keepwall run starts it itself",
        )
    if not (subject.spiffe or named or _speaks(Path(_FILES[0])) or _speaks(Path(_FILES[1]))):
        return envelope
    # Late on purpose: without registrations no start pays for the reader of settings.
    from keepwall.foundation.config import load_config  # noqa: PLC0415
    from keepwall.foundation.registrations import recognised  # noqa: PLC0415

    config = load_config(file=named)
    registration, why = None, "there are no registrations"
    if config.registrations:
        _refuse_own_words(envelope, config.file)
        seen = _selectors(envelope, program(), node)
        registration, why = recognised(config.registrations, seen)
    if subject.spiffe:
        if registration is None or registration.spiffe != subject.spiffe:
            found = f"it is {registration.spiffe}" if registration else why
            raise ConfigError(
                f"this envelope is for {subject.spiffe} and this run is not recognised as it: "
                f"{found}",
                hint="add [[registrations]] to keepwall.toml, or leave the subject out",
            )
        return envelope
    if registration is None:
        if config.registrations:
            say(f"{why}: it runs unregistered, as {envelope.subject_name}")
        return envelope
    return replace(envelope, subject=Subject(spiffe=registration.spiffe))


def _speaks(path: Path) -> bool:
    """Return whether a file can hold registrations; most cannot, and need not be understood."""
    try:
        with path.open("rb") as file:
            return _WORD in file.read(_MOST_BYTES)
    except OSError:
        return False


def _refuse_own_words(envelope: Envelope, file: str) -> None:
    """Refuse registrations that an earlier run inside this envelope may have written itself."""
    rules = envelope.file.write if envelope.file else ()
    writable = PathSet.of((r for r in rules if r.action is not Effect.DENY), os.path.realpath)
    real = os.path.realpath(file)
    if writable.match(real) or writable.match(str(Path(real).parent)):
        raise ConfigError(
            "these registrations lie where this envelope lets the command write",
            place=file,
            hint="keep them elsewhere and name the file: KEEPWALL_CONFIG",
        )


def _selectors(envelope: Envelope, program: str, node: str) -> Mapping[str, str]:
    import grp  # noqa: PLC0415 - late, as above
    import pwd  # noqa: PLC0415 - late, as above

    user, group = os.geteuid(), os.getegid()
    seen = {
        "unix:uid": str(user),
        "unix:program": os.path.realpath(program),
        "keepwall:envelope": envelope.name,
        "keepwall:node": node,
    }
    try:
        seen["unix:user"] = pwd.getpwuid(user).pw_name
        seen["unix:group"] = grp.getgrgid(group).gr_name
    except KeyError:  # numbers without a name, as in a container: nothing is recognised by name
        pass
    return seen


def subjects_of(envelope: Envelope) -> Sequence[str]:
    """Return every name under which a run in `envelope` is contained.

    What was contained before it was registered stays contained.
    """
    return tuple(dict.fromkeys((envelope.subject_name, f"run:{envelope.name}")))
