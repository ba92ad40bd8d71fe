"""What is read of an installation without its root key: the public one, revocations, names.

Apart from `trust`, because this is on the start path of ``keepwall run``.
"""

from __future__ import annotations

from pathlib import Path

from keepwall.foundation.trust import canonical
from keepwall.foundation.trust.files import read_private
from keepwall.foundation.trust.statement import KEY_BYTES, checked_role
from keepwall.vocabulary.errors import FormatError, IntegrityError

ROOT, CA, ABOUT, REVOCATIONS = "root.key", "ca.pem", "about.json", "revocations.json"
"""Names of the files of an installation."""
KEYS = "keys"
"""The folder with one file per role."""


def installed_root(directory: Path) -> bytes | None:
    """Return the public root key of the installation in `directory`, or None if there is none.

    Raises:
        ConfigError, IntegrityError: there is one, but it cannot be read or is damaged.
    """
    if not (directory / ROOT).exists():
        return None
    return canonical.unhex(about(directory)["root"], KEY_BYTES)


def installed_revocations(directory: Path) -> bytes:
    """Return the signed list of revoked keys of the installation, empty if it never revoked one.

    Raises:
        ConfigError: it cannot be read.
    """
    path = directory / REVOCATIONS
    return read_private(path) if path.exists() else b""


def key_file(directory: Path, role: str) -> Path:
    """Return where the key of `role` is kept.

    Raises:
        ConfigError: `role` is no role.
    """
    return directory / KEYS / f"{checked_role(role).replace('/', '~')}.json"


def about(directory: Path) -> dict[str, str]:
    """Return ``organisation``, ``root`` (hex) and ``trustDomain`` of the installation.

    Raises:
        ConfigError, IntegrityError: they cannot be read, or are damaged.
    """
    try:
        found = canonical.decode_object(
            read_private(directory / ABOUT), "organisation", "root", "trustDomain"
        )
    except FormatError as error:
        raise IntegrityError(f"{directory / ABOUT} is damaged: {error.message}") from error
    return {key: str(value) for key, value in found.items()}
