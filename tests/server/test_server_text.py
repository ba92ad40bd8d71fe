"""What was found somewhere shows what it is; colours can be told apart from their ground."""

from __future__ import annotations

import re
import subprocess
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from keepwall.server.console.rendering import HERE
from keepwall.server.console.text import counted, precise, shell, visible, when
from keepwall.server.queries import AssetQuery, parse_query, quote_parameter


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("\x1b[31m", "\\x1b[31m"),
        ("a\u202eb", "a\\u202eb"),
        ("a\u200bb", "a\\u200bb"),
        ("\udc80\udcff", "\\x80\\xff"),
        ("\ud800", "\\ud800"),
        ("x\U000e0041", "x\\U000e0041"),
        ("line\n\ttab", "line\n\ttab"),
        ("Größe 模型 נתון", "Größe 模型 נתון"),
        ("\r\n", "\\x0d\n"),
    ],
)
def test_characters_that_deceive_are_escaped(raw: str, shown: str) -> None:
    assert visible(raw) == shown


def test_markup_of_ours_passes() -> None:
    assert visible(Markup("<b>x</b>")) == "<b>x</b>"


@given(st.text(alphabet=st.characters(), max_size=200))
def test_whatever_is_shown_can_be_sent(text: str) -> None:
    assert visible(text).encode().decode() == visible(visible(text))


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=60))
def test_an_id_survives_the_address(text: str) -> None:
    if not text or "\0" in text:
        return
    assert parse_query(f"id={quote_parameter(text)}".encode(), AssetQuery).id == text


def test_an_id_with_bytes_survives_the_address() -> None:
    name = b"caf\xe9\xff".decode("utf-8", "surrogateescape")
    assert parse_query(f"id={quote_parameter(name)}".encode(), AssetQuery).id == name
    assert quote_parameter("\ud800") == "%5Cud800"


@pytest.mark.parametrize(
    "word", ["a b", "it's", "$(id)", "`id`", "\x1b]0;x\x07", "a\u202eb", "a\nb; id", "\\", "-x"]
)
def test_a_copied_command_passes_exactly_the_word(word: str) -> None:
    command = f"printf '%s' {shell(word)}"
    assert all(character.isprintable() for character in command)
    done = subprocess.run(["bash", "-c", command], capture_output=True, check=True)
    assert done.stdout.decode() == word


def test_counts_and_times() -> None:
    assert counted(1, "part") == "1 part"
    assert counted(1200, "part") == "1,200 parts"
    assert when(None) == "—"
    assert precise(None) == "—"
    assert precise(datetime(2026, 1, 2, 3, 4, 5, 67_890, tzinfo=UTC)) == "2026-01-02 03:04:05.067"
    assert when(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)) == "2026-01-02 03:04:05"


def luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.2."""
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [
        each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in channels
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_text_has_the_contrast_of_wcag_aa_on_every_ground(scheme: int) -> None:
    sheet = (HERE / "static" / "keepwall.css").read_text()
    block = sheet.split("prefers-color-scheme: dark")[scheme]
    colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", block))
    texts = ("text", "faint", "link", "critical", "high", "medium", "low", "info", "good")
    grounds = ("page", "card", "sunk")
    pairs = [(text, ground) for text in texts for ground in grounds]
    pairs += [("on-primary", "primary"), ("card", "critical"), ("text", "bad-card")]
    pairs += [("text", "good-card"), ("faint", "bad-card")]
    for text, ground in pairs:
        light, dark = sorted((luminance(colours[text]), luminance(colours[ground])), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (text, ground)
