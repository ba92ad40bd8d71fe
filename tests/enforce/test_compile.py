"""How each rule of an envelope would be carried; reads the file system, starts nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from keepwall.enforce.runtime.compile import baseline, plan
from keepwall.enforce.runtime.landlock import READ, WRITE, Access
from keepwall.enforce.runtime.plan import HostSupport, RunPlan
from keepwall.enforce.runtime.policy import Use
from keepwall.vocabulary.decision import Effect, Plane, RuleOutcome, Strength, Tier
from keepwall.vocabulary.envelope import (
    AddressRule,
    Envelope,
    FileSection,
    NetworkSection,
    PathRule,
    ProcessSection,
)

FULL = HostSupport(landlock=7, notify=True)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("open/deep", "open/private", "other"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "file").write_text("x")
    (tmp_path / "open/beside").write_text("x")
    return tmp_path


def rules(*paths: object, action: Effect = Effect.ALLOW) -> tuple[PathRule, ...]:
    return tuple(PathRule(str(path), action) for path in paths)


def made(
    file: FileSection | None = None,
    process: ProcessSection | None = None,
    support: HostSupport = FULL,
) -> tuple[RunPlan, dict[str, RuleOutcome]]:
    found = plan(Envelope("e", (Plane.RUNTIME,), file=file, process=process), support)
    return found, {outcome.rule: outcome for outcome in found.outcomes}


def granted(found: RunPlan, right: Access) -> set[str]:
    return {path for path, access in found.grants if access & right}


def test_a_tree_is_granted_whole(tree: Path):
    found, outcomes = made(FileSection(rules(f"{tree}/open/**"), rules(f"{tree}/other/**")))
    assert (f"{tree}/open", READ) in found.grants
    assert (f"{tree}/other", WRITE) in found.grants
    outcome = outcomes[f"file.read:{tree}/open/**"]
    assert (outcome.tier, outcome.strength) == (Tier.LANDLOCK, Strength.PREVENTED)


def test_every_rule_has_an_outcome_and_every_name_is_used_once(tree: Path):
    found, outcomes = made(
        FileSection(
            (*rules(f"{tree}/open/**"), *rules(f"{tree}/open/deep", action=Effect.DENY)),
            rules(f"{tree}/new"),
            rules(f"{tree}/open/private/**"),
        ),
        ProcessSection(rules("/bin/true", "/nothing/**")),
    )
    expected = {
        f"file.read:{tree}/open/**",
        f"file.read:{tree}/open/deep",
        f"file.write:{tree}/new",
        f"file.deny:{tree}/open/private/**",
        "process.allow:/bin/true",
        "process.allow:/nothing/**",
        "process.loader",
        *(f"{use}:default" for use in Use),
        *(f"baseline:{use}:{path}" for use, path in baseline()),
    }
    assert set(outcomes) == expected
    assert len(found.outcomes) == len(outcomes)


def test_a_denial_inside_is_carved_out(tree: Path):
    found, outcomes = made(
        FileSection(
            rules(f"{tree}/open/**"), rules(f"{tree}/open/**"), rules(f"{tree}/open/private/**")
        )
    )
    for right in (Access.READ_FILE, Access.WRITE_FILE):
        paths = granted(found, right)
        assert {f"{tree}/open/deep", f"{tree}/open/beside"} <= paths
        assert not any(Path(path) in [tree, tree / "open"] for path in paths)
        assert not any("private" in path for path in paths)
    assert found.brokered.match(f"{tree}/open/new")
    assert outcomes[f"file.deny:{tree}/open/private/**"].tier is Tier.BROKER


@pytest.mark.parametrize("allowed", ["open/private/**", "open/private/file", "open/private"])
def test_an_allow_below_a_denial_grants_nothing(tree: Path, allowed: str):
    found, outcomes = made(
        FileSection(
            rules(f"{tree}/{allowed}"), rules(f"{tree}/{allowed}"), rules(f"{tree}/open/**")
        ),
        ProcessSection(rules(f"{tree}/{allowed}")),
    )
    assert not any(path.startswith(str(tree)) for path, _ in found.grants)
    assert not found.brokered.match(f"{tree}/open/private/file")
    assert "denied by another rule" in outcomes[f"file.read:{tree}/{allowed}"].why


def test_a_program_that_may_not_be_read_is_not_granted_as_a_program(tree: Path):
    found, _ = made(
        FileSection(read=rules(f"{tree}/open/beside", action=Effect.DENY)),
        ProcessSection(rules(f"{tree}/open/**")),
    )
    assert f"{tree}/open/beside" not in granted(found, Access.READ_FILE)
    assert f"{tree}/open/deep" in granted(found, Access.EXECUTE)


def test_another_name_of_a_denied_file_is_denied_as_well(tree: Path):
    os.link(tree / "open/private/file", tree / "other/alias")
    found, _ = made(
        FileSection(rules(f"{tree}/other/**"), rules(f"{tree}/other/**"), rules(f"{tree}/open/**"))
    )
    assert f"{tree}/other" not in {path for path, _ in found.grants}
    assert f"{tree}/other/file" in granted(found, Access.READ_FILE)
    assert not found.files.decide(Use.READ, f"{tree}/other/alias").allowed


def test_a_link_that_the_subject_may_have_planted_is_not_followed(tree: Path):
    (tree / "other/cache").symlink_to(tree / "open/private")
    found, outcomes = made(FileSection(rules(f"{tree}/other/cache/**"), rules(f"{tree}/other/**")))
    assert f"{tree}/open/private" not in {path for path, _ in found.grants}
    assert outcomes[f"file.read:{tree}/other/cache/**"].strength is Strength.BLIND
    assert "name what it points to" in outcomes[f"file.read:{tree}/other/cache/**"].why


def test_what_landlock_cannot_say_is_opened_by_the_supervisor(tree: Path):
    found, outcomes = made(FileSection(rules(f"{tree}/open"), rules(f"{tree}/later")))
    for name in (f"file.read:{tree}/open", f"file.write:{tree}/later"):
        assert outcomes[name].tier is Tier.BROKER
    assert not any(path.startswith(str(tree)) for path, _ in found.grants)


@pytest.mark.parametrize(
    "rule", [PathRule("/usr/**", source="/bin/x"), PathRule("/usr/**", owner=True)]
)
def test_a_condition_is_beyond_this_tier(rule: PathRule):
    found, outcomes = made(FileSection((rule,)))
    assert outcomes["file.read:/usr/**"].strength is Strength.BLIND
    assert "/usr" not in {path for path, _ in found.grants}


def test_what_is_claimed_follows_what_the_kernel_offers(tree: Path):
    file = FileSection(rules(f"{tree}/open/**"), (), rules(f"{tree}/open/private/**"))
    _, no_landlock = made(file, support=HostSupport(0, notify=True))
    assert {each.strength for each in no_landlock.values()} <= {
        Strength.BLIND,
        Strength.KILLED_LATE,
    }
    _, no_listener = made(file, support=HostSupport(7, notify=False))
    assert no_listener["process.loader"].strength is Strength.BLIND
    assert no_listener["baseline:file.read:/proc/self/**"].strength is Strength.BLIND


def test_the_loader_is_needed_but_never_the_program():
    found, outcomes = made(process=ProcessSection(rules("/bin/true")))
    assert found.loaders
    assert found.loaders <= granted(found, Access.EXECUTE)
    assert outcomes["process.loader"].strength is Strength.KILLED_LATE


def test_network_rules_say_what_holds_them():
    envelope = Envelope(
        "e",
        (Plane.NETWORK, Plane.GATEWAY),
        network=NetworkSection(
            (AddressRule("10.0.0.1", (443,)), AddressRule("gateway.internal")),
            (AddressRule("10.0.0.0/8"),),
            (AddressRule("127.0.0.1", (80,)), AddressRule("localhost", (80,))),
        ),
    )
    found = {each.rule: each for each in plan(envelope, FULL).outcomes}
    assert found["network.egress:10.0.0.1:443"].strength is Strength.PREVENTED
    assert found["network.listen:127.0.0.1:80"].strength is Strength.PREVENTED
    for blind in (
        "network.egress:gateway.internal:*",
        "network.ingress:10.0.0.0/8:*",
        "network.listen:localhost:80",
        "plane:gateway",
    ):
        assert found[blind].strength is Strength.BLIND
    without = plan(envelope, HostSupport(7, notify=False))
    assert {each.strength for each in without.outcomes} == {Strength.BLIND}
    assert plan(envelope, FULL).files is None
