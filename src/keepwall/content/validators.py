"""Checksums and structure inside credentials: whether a value of the right shape is a real one.

A value that fails is still reported, as doubtful: an altered credential names a real one nearby.
"""

from __future__ import annotations

import base64
import binascii
import re
import string
import zlib
from collections.abc import Callable, Mapping
from enum import StrEnum

_BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
_CHECKSUM_DIGITS = 6
_ACCOUNT_MASK = 0x7FFFFFFFFF80
_ACCOUNTS = 10**12
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_BECH32_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_STORAGE_KEY_BYTES = 64
_DER_SEQUENCE = 0x30
_PEM_HEAD = re.compile(r"-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----")
_HEAD_CHARACTERS = 64


class Confidence(StrEnum):
    """How sure it is that a value of a known shape is a credential."""

    CERTAIN = "certain"
    LIKELY = "likely"
    DOUBTFUL = "doubtful"


def base62(number: int, width: int) -> str:
    """Return `number` in base 62 (digits, upper case, lower case), `width` digits at least."""
    digits = ""
    while number:
        number, rest = divmod(number, 62)
        digits = _BASE62[rest] + digits
    return digits.rjust(width, "0")


def base62_crc32(value: str) -> bool:
    """Return whether the last six digits are the CRC-32 of those behind the prefix.

    Source: GitHub, "Behind GitHub's new authentication token formats" (2021); npm does the same.
    """
    body = value.partition("_")[2]
    head, tail = body[:-_CHECKSUM_DIGITS], body[-_CHECKSUM_DIGITS:]
    return base62(zlib.crc32(head.encode("utf-8", "replace")), _CHECKSUM_DIGITS) == tail


def aws_account(value: str) -> bool:
    """Return whether an access key id holds the number of an account (12 digits)."""
    try:
        number = int.from_bytes(base64.b32decode(value[4:])[:6], "big")
    except (binascii.Error, ValueError):
        return False
    return 0 < (number & _ACCOUNT_MASK) >> 7 < _ACCOUNTS


def grafana_crc32(value: str) -> bool:
    """Return whether the last eight digits are the CRC-32, low byte first, of what is before."""
    head, _, tail = value.rpartition("_")
    return zlib.crc32(head.encode("utf-8", "replace")).to_bytes(4, "little").hex() == tail.lower()


def bech32(value: str) -> bool:
    """Return whether the checksum of a Bech32 text holds (BIP 173)."""
    prefix, one, data = value.lower().rpartition("1")
    digits = [_BECH32.find(character) for character in data]
    if not one or min(digits, default=-1) < 0:
        return False
    codes = [ord(character) & 0x7F for character in prefix]
    check = 1
    for number in (*(code >> 5 for code in codes), 0, *(code & 31 for code in codes), *digits):
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ number
        for bit, generator in enumerate(_BECH32_GENERATOR):
            check ^= generator if top >> bit & 1 else 0
    return check == 1


def storage_key(value: str) -> bool:
    """Return whether `value` is base64 of 64 bytes, as the keys of Azure storage are."""
    try:
        return len(base64.b64decode(value, validate=True)) == _STORAGE_KEY_BYTES
    except (binascii.Error, ValueError):
        return False


def pem_key(value: str) -> bool:
    r"""Return whether a PEM text, with line ends or ``\n``, starts like a key (DER or OpenSSH)."""
    body = re.sub(r"\\[nr]|\s", "", _PEM_HEAD.sub("", value, count=1))
    try:
        head = base64.b64decode(body[:_HEAD_CHARACTERS], validate=True)
    except (binascii.Error, ValueError):
        return False
    return head[:1] == bytes([_DER_SEQUENCE]) or head.startswith(b"openssh-key-v1")


VALIDATORS: Mapping[str, Callable[[str], bool]] = {
    "base62-crc32": base62_crc32,
    "aws-account": aws_account,
    "grafana-crc32": grafana_crc32,
    "bech32": bech32,
    "storage-key": storage_key,
    "pem-key": pem_key,
}
"""The validators by the names that the catalogue uses."""


def confidence(validator: str, value: str) -> Confidence:
    """Return how sure a value is; likely where its kind has no validator (an empty name)."""
    if not validator:
        return Confidence.LIKELY
    return Confidence.CERTAIN if VALIDATORS[validator](value) else Confidence.DOUBTFUL
