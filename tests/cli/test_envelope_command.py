"""``keepwall envelope`` as a user runs it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from keepwall.cli.main import run
from keepwall.formats.envelope.parse import parse
from keepwall.formats.envelope.render import render
from keepwall.foundation.clock import SystemClock
from keepwall.foundation.spool import Spool
from keepwall.foundation.state import StateDirectory
from keepwall.foundation.store.store import Store
from keepwall.respond.narrow import narrowed
from keepwall.vocabulary.decision import Effect, Plane, Strength, Tier
from keepwall.vocabulary.event import Activity, Event, EventClass
from keepwall.workflows.operator import at_work

Capture = pytest.CaptureFixture[str]

TEXT = """\
# who may do what
apiVersion: keepwall.dev/v1
kind: Envelope
metadata: {name: claims}
spec:
  planes: [runtime, network]
  minimumStrength: blind
  process: {allow: [/bin/sh]}
  file:
    read: ["/etc/hostname", "/usr/lib/**"]
    write: []
"""


def event(number: int, target: str, activity: Activity = Activity.READ) -> Event:
    return Event(
        id=f"node:run:{number}",
        event_class=EventClass.FILE,
        activity=activity,
        at=datetime(2026, 3, 1, tzinfo=UTC),
        node="node",
        subject="run:claims",
        target=target,
        effect=Effect.DENY,
        plane=Plane.RUNTIME,
        tier=Tier.LANDLOCK,
        strength=Strength.PREVENTED,
        message="refused",
        rule="file.read:default",
        envelope="claims",
    )


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StateDirectory:
    monkeypatch.setenv("KEEPWALL_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "claims.yaml").write_text(TEXT)
    return StateDirectory(tmp_path / "state")


def spooled(state: StateDirectory, *events: Event) -> None:
    spool = Spool(state.ensure().spool, "run")
    for each in events:
        spool.emit(each)
    spool.close()


def changed(old: str, new: str, name: str = "new.yaml") -> str:
    assert old in TEXT
    Path(name).write_text(TEXT.replace(old, new))
    return name


def close_path(state: StateDirectory, *path: Event) -> None:
    """Publish what an incident about these events would have closed."""
    with at_work(state, SystemClock(), print) as operator:
        spec = render(narrowed(None, "claims", path))
        asyncio.run(operator.publish("claims#narrowed", spec, "incident inc-1"))


def test_check_names_the_place_of_every_error(state: StateDirectory, capfd: Capture) -> None:
    changed("file:", "fil:", "bad.yaml")
    assert run(["envelope", "check", "bad.yaml", "gone.yaml", "claims.yaml"]) == 2
    out, err = capfd.readouterr()
    assert out == "claims.yaml: ok, envelope claims\n"
    assert "keepwall: bad.yaml:9: 'fil' is not a word of spec" in err
    assert "keepwall: gone.yaml cannot be read: No such file" in err
    assert not state.root.exists()


def test_check_warns_about_rules_that_do_nothing(state: StateDirectory, capfd: Capture) -> None:
    assert state
    changed(
        "    write: []\n",
        '    write: [/nowhere/x, /new-file]\n    deny: ["/usr/**"]\n'
        "  network:\n    egress:\n      - {to: 10.0.0.0/8, ports: [], action: deny}\n"
        "      - {to: 10.1.0.0/16, ports: [443]}\n      - {to: 11.0.0.1}\n",
        "odd.yaml",
    )
    assert run(["envelope", "check", "odd.yaml"]) == 0
    out, err = capfd.readouterr()
    assert out == "odd.yaml: ok, envelope claims\n"
    assert [line.partition("warning: ")[2] for line in err.splitlines()] == [
        "file.read allows /usr/lib/**, but line 12 denies all of it",
        "/nowhere/x matches nothing now: there is no /nowhere",
        "network.egress allows 10.1.0.0/16, but line 15 denies all of it",
    ]


def test_check_does_not_look_for_the_paths_of_others(state: StateDirectory, capfd: Capture) -> None:
    assert state
    changed("/etc/hostname", "/not/here", "elsewhere.yaml")
    text = Path("elsewhere.yaml").read_text()
    Path("elsewhere.yaml").write_text(text.replace("spec:", "spec:\n  subject: {image: x}"))
    assert run(["envelope", "check", "elsewhere.yaml"]) == 0
    assert capfd.readouterr().err == ""


def test_compile_says_how_strong_each_rule_is(state: StateDirectory, capfd: Capture) -> None:
    assert run(["envelope", "compile", "claims.yaml"]) == 0
    out, err = capfd.readouterr()
    assert out.splitlines()[0].split() == ["RULE", "PLANE", "TIER", "STRENGTH", "WHY"]
    assert "file.read:/usr/lib/**" in out
    assert "it would apply" in err
    assert not state.root.exists()


def test_compile_refuses_what_is_too_weak(state: StateDirectory, capfd: Capture) -> None:
    assert state
    weak = changed("planes: [runtime, network]", "planes: [runtime, network, tools]", "weak.yaml")
    Path(weak).write_text(Path(weak).read_text().replace("blind", "seen-only"))
    assert run(["envelope", "compile", weak, "-f", "json"]) == 1
    out, err = capfd.readouterr()
    found = json.loads(out)
    assert found["applies"] is False
    assert {each["rule"] for each in found["rules"]} >= {"plane:tools", "file.read:/usr/lib/**"}
    assert "plane:tools is blind: not a plane of this command" in err
    assert "--accept-weaker 'plane:tools'" in err
    short = [each["rule"] for each in found["rules"] if each["strength"] == "blind"]
    accepted = [word for rule in short for word in ("--accept-weaker", rule)]
    assert run(["envelope", "compile", weak, *accepted]) == 0
    assert run(["envelope", "apply", weak]) == 1
    assert run(["run", "--dry-run", "--envelope", weak, "--", "true"]) == 1
    capfd.readouterr()
    assert run(["envelope", "compile", weak, *accepted, "--accept-weaker", "typo"]) == 0
    assert "--accept-weaker typo: the envelope has no such rule" in capfd.readouterr().err


def test_diff_of_files(state: StateDirectory, capfd: Capture) -> None:
    assert state
    new = changed("/etc/hostname", "/etc/os-release")
    assert run(["envelope", "diff", "claims.yaml", new]) == 1
    out, err = capfd.readouterr()
    assert out == "file\n  - allows read /etc/hostname\n  + allows read /etc/os-release\n"
    assert "new.yaml is narrower and wider than claims.yaml" in err
    assert run(["envelope", "diff", "claims.yaml", "claims.yaml"]) == 0
    assert run(["envelope", "diff", "claims.yaml"]) == 2
    assert run(["envelope", "diff", "claims.yaml", "claims@1"]) == 2
    assert run(["envelope", "diff", "claims.yaml", "nowhere.yaml"]) == 2
    assert run(["envelope", "diff", "claims.yaml", new, "--against-events"]) == 2


def test_diff_against_events(state: StateDirectory, capfd: Capture) -> None:
    assert run(["envelope", "diff", "claims.yaml", "--against-events"]) == 0
    assert not state.root.exists()
    spooled(state, event(1, "/srv/a\x1b[2J"), event(2, "/etc/hostname"))
    with Store.open(state.database_url) as store:
        store.events.append(
            [
                event(1, "/srv/a\x1b[2J"),
                event(3, "/srv/b", Activity.WRITE),
                replace(event(4, "/srv/c"), subject="run:other", envelope="other"),
            ]
        )
    capfd.readouterr()
    assert run(["envelope", "diff", "claims.yaml", "--against-events"]) == 1
    out, err = capfd.readouterr()
    assert [line.split()[:3] for line in out.splitlines()[1:]] == [
        ["read", "/srv/a\\x1b[2J", "file.read:default"],
        ["write", "/srv/b", "file.write:default"],
    ]
    assert "of 3 recorded events of run:claims, 2 kinds of attempt (2 times)" in err
    wide = changed('read: ["/etc/hostname"', 'read: ["/srv/**"').replace("\n", "")
    assert run(["envelope", "diff", wide, "--against-events"]) == 1
    out = capfd.readouterr().out
    assert "/etc/hostname" in out
    assert "/srv/a" not in out


def test_apply_list_and_roll_back(state: StateDirectory, capfd: Capture) -> None:
    assert run(["envelope", "list"]) == 0
    assert run(["envelope", "apply", "claims.yaml", "--dry-run"]) == 0
    assert "claims would be generation 1" in capfd.readouterr().err
    assert not state.root.exists()
    assert run(["envelope", "apply", "claims.yaml"]) == 0
    assert capfd.readouterr().out == "claims generation 1\n"
    assert run(["envelope", "apply", "claims.yaml"]) == 0
    out, err = capfd.readouterr()
    assert (out, "nothing changed" in err) == ("claims generation 1\n", True)
    new = changed("/etc/hostname", "/etc/os-release")
    assert run(["envelope", "apply", new, "--dry-run"]) == 0
    assert "+ allows read /etc/os-release" in capfd.readouterr().err
    assert run(["envelope", "apply", new, "--reason", "a \x1b[2J reason"]) == 0
    assert capfd.readouterr().out == "claims generation 2\n"
    assert run(["envelope", "list"]) == 0
    out = capfd.readouterr().out
    assert [line.split()[:2] for line in out.splitlines()[1:]] == [["claims", "2"]]
    assert "a \\x1b[2J reason" in out
    assert run(["envelope", "list", "-f", "json"]) == 0
    assert [each["generation"] for each in json.loads(capfd.readouterr().out)["envelopes"]] == [2]
    assert run(["envelope", "diff", "claims@1", "claims.yaml"]) == 0
    assert run(["envelope", "diff", "claims@1", "claims@2"]) == 1
    capfd.readouterr()
    assert run(["envelope", "rollback", "claims"]) == 0
    assert capfd.readouterr().out == "claims generation 3\n"
    assert run(["envelope", "diff", "claims@3", "claims.yaml"]) == 0
    assert run(["envelope", "rollback", "claims", "--to", "1"]) == 0
    assert "nothing changed" in capfd.readouterr().err
    assert run(["envelope", "rollback", "claims", "--to", "7"]) == 2
    assert "kept are 3, 2, 1" in capfd.readouterr().err
    assert run(["envelope", "rollback", "other"]) == 2


def test_what_was_applied_keeps_its_comments(state: StateDirectory) -> None:
    assert run(["envelope", "apply", "claims.yaml"]) == 0
    with at_work(state, SystemClock(), print) as operator:
        newest = operator.published.newest("claims")
    assert newest
    assert newest.document.spec == TEXT


def test_rolling_back_before_anything_was_published(state: StateDirectory, capfd: Capture) -> None:
    assert run(["envelope", "rollback", "claims"]) == 2
    assert "nothing was published" in capfd.readouterr().err
    assert run(["envelope", "apply", "claims.yaml"]) == 0
    assert run(["envelope", "rollback", "claims"]) == 2
    assert "claims has no generation before 1" in capfd.readouterr().err
    assert state.root.exists()


def test_re_opening_closed_paths_is_asked_for(state: StateDirectory, capfd: Capture) -> None:
    close_path(state, event(1, "/home/ada/.aws/credentials"))
    assert run(["envelope", "apply", "claims.yaml"]) == 0
    assert "claims#narrowed@1 (incident inc-1) goes on closing" in capfd.readouterr().err
    assert run(["envelope", "rollback", "claims", "--narrowing"]) == 2
    err = capfd.readouterr().err
    assert "+ allows read /home/ada/.aws/**" in err
    assert "re-opens paths that incidents have closed" in err
    assert "--yes" in err
    assert run(["envelope", "rollback", "claims", "--narrowing", "--yes"]) == 0
    assert capfd.readouterr().out == "claims#narrowed generation 2\n"
    assert run(["envelope", "diff", "claims#narrowed@1", "claims#narrowed@2"]) == 1


def test_propose_and_write(state: StateDirectory, capfd: Capture) -> None:
    spooled(state, event(1, "/srv/a"), event(2, "/home/ada/.ssh/id_ed25519"))
    propose = ["envelope", "propose", "node:run:1"]
    assert run(propose) == 2
    assert "name the file of the envelope claims" in capfd.readouterr().err
    assert run([*propose, "--file", "claims.yaml"]) == 0
    out = capfd.readouterr().out
    assert '+    read: ["/etc/hostname", "/usr/lib/**", /srv/a]' in out.splitlines()
    assert Path("claims.yaml").read_text() == TEXT
    assert run([*propose, "--file", "claims.yaml", "--write"]) == 0
    assert Path("claims.yaml").read_text().startswith("# who may do what\n")
    section = parse(Path("claims.yaml").read_bytes(), "claims.yaml").file
    assert section
    assert [rule.path for rule in section.read] == ["/etc/hostname", "/usr/lib/**", "/srv/a"]
    capfd.readouterr()
    assert run([*propose, "--file", "claims.yaml"]) == 0
    assert "allows it already" in capfd.readouterr().err
    assert run(["envelope", "propose", "node:run:2", "--file", "claims.yaml", "--write"]) == 1
    assert "a place of credentials" in capfd.readouterr().err
    assert run(["envelope", "propose", "node:run:9", "--file", "claims.yaml"]) == 2
    assert run([*propose, "--file", "gone.yaml"]) == 2


def test_a_file_that_must_be_rendered_anew_is_said(state: StateDirectory, capfd: Capture) -> None:
    spooled(state, event(1, "/srv/out", Activity.WRITE))
    propose = ["envelope", "propose", "node:run:1", "--file", "claims.yaml"]
    assert run(propose) == 0
    assert "its comments and layout would be lost" in capfd.readouterr().err
    assert run([*propose, "--write"]) == 0
    assert "its comments and layout are lost" in capfd.readouterr().err
    assert run(["envelope", "check", "claims.yaml"]) == 0


def test_a_path_that_an_incident_closed_is_not_proposed(
    state: StateDirectory, capfd: Capture
) -> None:
    close_path(state, event(1, "/srv/secret"))
    spooled(state, event(1, "/srv/secret"))
    assert run(["envelope", "propose", "node:run:1", "--file", "claims.yaml"]) == 1
    err = capfd.readouterr().err
    assert "an incident has closed this path: claims#narrowed generation 1 (incident inc-1)" in err


def test_a_damaged_order_proposes_nothing(state: StateDirectory, capfd: Capture) -> None:
    close_path(state, event(1, "/srv/secret"))
    spooled(state, event(2, "/srv/other"))
    for path in (state.snapshots / "envelopes").glob("*.dsse.json"):
        path.write_bytes(path.read_bytes().replace(b"A", b"B"))
    assert run(["envelope", "propose", "node:run:2", "--file", "claims.yaml"]) == 3
    assert "does not hold" in capfd.readouterr().err


def test_dry_run_counts_what_was_published(state: StateDirectory, capfd: Capture) -> None:
    close_path(state, event(1, "/srv/secret"))
    assert run(["run", "--dry-run", "--envelope", "claims.yaml", "--", "true"]) == 0
    out, err = capfd.readouterr()
    assert "file.deny:/srv/secret" in out
    assert "with the published orders, generation 1" in err
    with at_work(state, SystemClock(), print) as operator:
        asyncio.run(operator.contain("run:claims"))
    assert run(["run", "--dry-run", "--envelope", "claims.yaml", "--", "true"]) == 1
    assert "run:claims is contained by incident" in capfd.readouterr().err


def test_explain_reads_the_spool(state: StateDirectory, capfd: Capture) -> None:
    spooled(state, replace(event(1, "/srv/a"), generation=4))
    for _ in range(2):  # without a store, then with one that does not know it
        assert run(["explain", "node:run:1"]) == 0
        out = capfd.readouterr().out
        assert "run:claims tried to read /srv/a" in out
        assert "deny: prevented by runtime (landlock)" in out
        assert "rule file.read:default of envelope claims, generation 4" in out
        assert "keepwall envelope propose node:run:1 --file FILE" in out
        assert "in the spool" in out
        Store.open(state.database_url).close()
    assert run(["explain", "node:run:2"]) == 2
