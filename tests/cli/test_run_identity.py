"""`keepwall run` and registrations: who runs, in events and orders, and who may not."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

from keepwall.formats.ocsf import decode_batch
from keepwall.foundation.bus.signed import Document, seal
from keepwall.foundation.bus.snapshot import SnapshotDirectory
from keepwall.foundation.clock import SystemClock
from keepwall.foundation.state import StateDirectory
from keepwall.foundation.trust.trust import Trust

pytestmark = [pytest.mark.real, pytest.mark.timeout(60)]

CLAIMS, OTHER = "spiffe://acme.example/agent/claims", "spiffe://acme.example/agent/other"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    found = tmp_path / "project"
    found.mkdir()
    return found


def envelope(place: Path, subject: str = "", write: str = "[]") -> None:
    trees = json.dumps(
        [f"{base}/**" for base in ("/usr", "/lib", "/lib64", "/bin", "/etc/ld.so.cache")]
    )
    (place / "app.yaml").write_text(
        "apiVersion: keepwall.dev/v1\nkind: Envelope\nmetadata: {name: app}\nspec:\n"
        f"{subject}  planes: [runtime]\n  minimumStrength: killed-late\n"
        f"  process: {{allow: {trees}}}\n  file: {{read: {trees}, write: {write}}}\n"
    )


def register(place: Path, spiffe: str = CLAIMS, **selectors: str) -> None:
    given = ", ".join(
        f'"{name.replace("_", ":")}" = "{value}"' for name, value in selectors.items()
    )
    with (place / "keepwall.toml").open("a") as file:
        file.write(
            f'[[registrations]]\nspiffe = "{spiffe}"\nselectors = {{{given}}}\nowner = "claims"\n'
        )


def run(place: Path, *options: str, **extra: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "keepwall", "run", "-e", "app.yaml", *options, "--"]
    return subprocess.run(
        [*command, "/bin/cat", str(place / "app.yaml")],
        check=False,
        cwd=place,
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", "KEEPWALL_STATE": str(place.parent / "state"), **extra},
    )


def subjects(place: Path) -> set[str]:
    """Return the subjects of all events so far."""
    return {
        event.subject
        for path in (place.parent / "state/spool").glob("*")
        for event in decode_batch(path.read_bytes())
    }


def user() -> str:
    return pwd.getpwuid(os.geteuid()).pw_name


def test_a_run_that_is_recognised_carries_its_identity_in_its_events(place: Path):
    envelope(place)
    program = os.path.realpath("/bin/cat")
    register(place, unix_user=user(), keepwall_envelope="app", unix_program=program)
    result = run(place)
    assert result.returncode == 1, result.stderr
    assert "is not in this envelope" in result.stderr
    assert subjects(place) == {CLAIMS}


def test_a_run_that_nobody_registered_says_so(place: Path):
    envelope(place)
    register(place, keepwall_envelope="other")
    result = run(place)
    assert "runs unregistered, as run:app" in result.stderr
    assert subjects(place) == {"run:app"}


def test_without_registrations_nothing_is_said(place: Path):
    envelope(place)
    (place / "keepwall.toml").write_text("not even TOML")  # of no concern to a run
    assert "regist" not in run(place).stderr.replace(str(place), "")
    assert subjects(place) == {"run:app"}


def test_two_identities_that_fit_start_nothing(place: Path):
    envelope(place)
    register(place, unix_user=user())
    register(place, OTHER, keepwall_envelope="app")
    result = run(place)
    assert result.returncode == 125
    assert f"two registrations fit: {CLAIMS} and {OTHER}" in result.stderr
    assert not subjects(place)


def test_a_wrong_registration_starts_nothing(place: Path):
    envelope(place)
    register(place, "spiffe://Acme/x", unix_user=user())
    result = run(place)
    assert result.returncode == 125
    assert "keepwall.toml:1: registration 1: spiffe: 'Acme' is no trust domain" in result.stderr


@pytest.mark.parametrize(
    ("who", "code", "says"),
    [
        ({}, 125, "not recognised as it: there are no registrations"),
        ({"spiffe": OTHER, "unix_user": user()}, 125, f"not recognised as it: it is {OTHER}"),
        ({"unix_user": "nobody-else"}, 125, "not recognised as it: no registration fits"),
        ({"unix_user": user()}, 1, "is not in this envelope"),
    ],
)
def test_an_envelope_for_an_identity_is_only_for_that_one(
    place: Path, who: dict[str, str], code: int, says: str
):
    envelope(place, f"  subject: {{spiffe: {CLAIMS}}}\n")
    if who:
        register(place, **who)
    result = run(place)
    assert result.returncode == code, result.stderr
    assert says in result.stderr
    if code == 125:
        assert "hint: add [[registrations]] to keepwall.toml" in result.stderr
        assert len(result.stderr.splitlines()) == 2


@pytest.mark.parametrize("subject", ["{unit: app.service}", '{image: "sha256:aa"}'])
def test_an_envelope_for_what_is_not_started_here(place: Path, subject: str):
    envelope(place, f"  subject: {subject}\n")
    result = run(place)
    assert result.returncode == 125
    assert "which keepwall run does not start" in result.stderr


def test_a_named_file_counts_and_the_one_of_the_directory_does_not(place: Path):
    envelope(place)
    register(place, OTHER, unix_user=user())
    elsewhere = place.parent / "elsewhere"
    elsewhere.mkdir()
    register(elsewhere, unix_user=user())
    run(place, "--config", str(elsewhere / "keepwall.toml"))
    run(place, KEEPWALL_CONFIG=str(elsewhere / "keepwall.toml"))
    assert subjects(place) == {CLAIMS}


@pytest.mark.parametrize("rule", ["{}/**", "{}/keepwall.toml"])
def test_registrations_that_the_command_can_write_are_not_believed(place: Path, rule: str):
    """Else a workload that was taken over would run under another name, and uncontained."""
    envelope(place, write=json.dumps([rule.format(place)]))
    register(place, unix_user=user())
    result = run(place)
    assert result.returncode == 125
    assert "lie where this envelope lets the command write" in result.stderr


@pytest.mark.parametrize("subject", [CLAIMS, "run:app"])
def test_a_contained_identity_does_not_start(place: Path, subject: str):
    """Also what was contained before it was registered."""
    envelope(place)
    register(place, unix_user=user())
    state = StateDirectory(place.parent / "state").ensure()
    signer = Trust.open_or_create(state.trust, "Test", SystemClock()).signer("control")
    at = SystemClock().now().isoformat()
    body = {"incident": "i-1", "subject": subject, "level": "stop", "at": at}
    document = Document(
        "containments", "i-1", 1, body, seal(signer, "containments", "i-1", 1, body)
    )
    SnapshotDirectory(state.snapshots).write(document)
    result = run(place)
    assert result.returncode == 125
    assert f"{CLAIMS} is contained by incident i-1" in result.stderr
