"""Registrations in a configuration file: what they must say, and whom they recognise."""

from __future__ import annotations

from pathlib import Path

import pytest

from keepwall.foundation.config import load_config
from keepwall.foundation.registrations import SELECTORS, recognised
from keepwall.vocabulary.errors import ConfigError
from keepwall.vocabulary.identity import Registration

GOOD = """
[[registrations]]
spiffe = "spiffe://acme.example/agent/claims"
selectors = {"unix:user" = "ml", "keepwall:envelope" = "claims"}
owner = "claims team"

[[registrations]]
spiffe = "spiffe://acme.example/scorer"
selectors = {"unix:program" = "/usr/bin/scorer"}
owner = "ml"
"""


def load(folder: Path, text: str, name: str = "keepwall.toml") -> tuple[Registration, ...]:
    (folder / name).write_text(text)
    return load_config(directory=folder, environment={}).registrations


def test_registrations_are_read(tmp_path: Path):
    one, two = load(tmp_path, GOOD)
    assert one.selectors == {"unix:user": "ml", "keepwall:envelope": "claims"}
    assert (two.spiffe, two.owner) == ("spiffe://acme.example/scorer", "ml")


def test_registrations_of_a_pyproject(tmp_path: Path):
    text = GOOD.replace("[[registrations]]", "[[tool.keepwall.registrations]]")
    assert len(load(tmp_path, text, "pyproject.toml")) == 2


ENTRY = """[[registrations]]
spiffe = "spiffe://acme.example/a"
selectors = {"unix:user" = "ml"}
owner = "ml"
"""


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("registrations = 7", 1, "are tables"),
        ("registrations = [1]", 1, "are tables"),
        (ENTRY.replace("owner", "owners"), 1, "no field 'owners'"),
        (ENTRY.replace('owner = "ml"', ""), 1, "owner is missing"),
        (ENTRY.replace('"ml"\n', '" "\n'), 1, "owner must be text"),
        (ENTRY.replace('owner = "ml"', "owner = 5"), 1, "owner must be text"),
        (ENTRY.replace('owner = "ml"', 'owner = "a\\nb"'), 1, "owner must be text"),
        (ENTRY.replace('{"unix:user" = "ml"}', "{}"), 1, "selectors is missing or empty"),
        (ENTRY.replace('{"unix:user" = "ml"}', '["unix:user"]'), 1, "selectors are a table"),
        (ENTRY.replace("unix:user", "unix:usr"), 1, "no selector 'unix:usr'"),
        (ENTRY.replace('= "ml"}', "= 5}"), 1, "unix:user must be text"),
        (ENTRY.replace('= "ml"}', '= ""}'), 1, "unix:user must be text"),
        (ENTRY.replace('= "ml"}', '= "' + "x" * 1025 + '"}'), 1, "more than 1024"),
        (ENTRY.replace("unix:user", "unix:program"), 1, "an absolute path"),
        (ENTRY.replace("spiffe://acme.example/a", "acme.example/a"), 1, "does not begin"),
        (ENTRY.replace("acme.example/a", "acme.example"), 1, "is a trust domain"),
        (ENTRY.replace("acme.example/a", "acme.example/a?b"), 1, "no query"),
        (ENTRY.replace("acme.example/a", "Acme/a"), 1, "no trust domain"),
        (ENTRY + ENTRY.replace('"unix:user"', '"unix:shell"'), 5, "registration 2: there is no"),
        (ENTRY + ENTRY, 5, "the same as registration 1"),
        (ENTRY * 1001, 4001, "more than 1000"),
    ],
)
def test_a_wrong_entry_names_its_place(tmp_path: Path, text: str, line: int, says: str):
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    assert says in caught.value.message
    assert caught.value.place.startswith(f"{tmp_path}/keepwall.toml:{line}")


def test_the_one_that_fits():
    known = (
        Registration("spiffe://a/one", {"unix:user": "ml", "unix:program": "/bin/x"}, "o"),
        Registration("spiffe://a/two", {"unix:user": "web"}, "o"),
    )
    seen = {"unix:user": "ml", "unix:program": "/bin/x", "unix:uid": "7"}
    assert recognised(known, seen) == (known[0], "")
    found, why = recognised(known, {"unix:user": "ml"})
    assert found is None
    assert "unix:user=ml" in why
    assert recognised((), seen)[0] is None


def test_two_that_fit_are_an_error_unless_they_say_the_same_identity():
    one = Registration("spiffe://a/one", {"unix:user": "ml"}, "o")
    again = Registration("spiffe://a/one", {"unix:uid": "7"}, "o")
    other = Registration("spiffe://a/two", {"unix:uid": "7"}, "o")
    seen = {"unix:user": "ml", "unix:uid": "7"}
    assert recognised((one, again), seen)[0] == one
    with pytest.raises(ConfigError, match="two registrations fit: spiffe://a/one and spiffe://a/t"):
        recognised((one, other), seen)


def test_every_selector_says_what_it_is():
    assert all(text and not text.endswith(".") for text in SELECTORS.values())
