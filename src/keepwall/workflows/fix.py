"""``scan --fix``: mechanical fixes, each proven by judging the mended file before it is written."""

from __future__ import annotations

import posixpath
import tempfile
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from keepwall.assess.engine import assess
from keepwall.assess.patch import unified_diff
from keepwall.assess.repair import Edit, chosen, edit_for, edited
from keepwall.discover.tree import discover_tree
from keepwall.formats.lockfile_kinds import lock_reader
from keepwall.rulebook.book import Rulebook
from keepwall.vocabulary.errors import FormatError, IntegrityError
from keepwall.vocabulary.finding import Finding
from keepwall.workflows.file_in_tree import read_in_tree, replace_in_tree

MAX_BYTES = 4 << 20
LOCKS = ("package-lock.json", "npm-shrinkwrap.json", "pnpm-lock.yaml", "yarn.lock", "uv.lock")


@dataclass(frozen=True, slots=True)
class Fix:
    """A file that can be mended: what stands there, what would, and the findings that go."""

    path: str
    before: bytes
    after: bytes
    diff: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """A file that has a mechanical fix and is left as it is, and why."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Fixes:
    """What can be mended below a directory, and what is left as it is."""

    root: Path
    fixes: tuple[Fix, ...]
    refused: tuple[Refused, ...]


def plan_fixes(target: Path, findings: Sequence[Finding], rulebook: Rulebook) -> Fixes:
    """Return the mechanical fixes of `findings`, which a scan of `target` has raised.

    Nothing is written. A fix is left out (and named) where the file is no longer as it was scanned,
    or where the mended file would not be read, would still fail the rule, or would fail another.
    """
    root = target.parent if target.is_file() else target
    rules = {rule.id: rule for rule in rulebook.rules if rule.repairs}
    by_path: dict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        if finding.rule in rules:
            by_path[finding.location.path].append(finding)
    fixes: list[Fix] = []
    refused: list[Refused] = []
    for path, raised in sorted(by_path.items()):
        try:
            fix = _fix(root, path, raised, rulebook)
        except IntegrityError as error:
            refused.append(Refused(path, error.message))
        else:
            fixes += [fix] if fix else []
    return Fixes(root, tuple(fixes), tuple(refused))


def apply_fixes(fixes: Fixes) -> Fixes:
    """Write every fix, each file at once, and return what was written and what was not."""
    done: list[Fix] = []
    refused: list[Refused] = []
    for fix in fixes.fixes:
        try:
            replace_in_tree(fixes.root, fix.path, fix.before, fix.after)
        except IntegrityError as error:
            refused.append(Refused(fix.path, error.message))
        else:
            done.append(fix)
    return Fixes(fixes.root, tuple(done), (*fixes.refused, *refused))


def _fix(root: Path, path: str, raised: Sequence[Finding], rulebook: Rulebook) -> Fix | None:
    before = read_in_tree(root, path, MAX_BYTES)
    try:
        content = before.decode("utf-8")
    except UnicodeDecodeError as error:
        raise IntegrityError("it is not UTF-8 text") from error
    locked = _locked(root, path)
    edits: dict[Edit, Finding] = {}
    for finding in raised:
        rule = rulebook.find(finding.rule)
        edit = rule and edit_for(content, path, finding.location.line, rule.repairs, locked)
        if edit:
            edits[edit] = finding
    kept = chosen(edits)
    after = edited(content, kept).encode()
    if after == before:
        return None
    mended = tuple(edits[edit] for edit in kept)
    _prove(path, before, after, mended, rulebook)
    return Fix(path, before, after, unified_diff(path, content, kept), mended)


def _prove(
    path: str, before: bytes, after: bytes, mended: Sequence[Finding], rulebook: Rulebook
) -> None:
    """Raise IntegrityError unless the mended file is read, and fails less than the one before."""
    old, new = _judged(path, before, rulebook), _judged(path, after, rulebook)
    wanted = Counter(finding.rule for finding in mended)
    if any(old[rule] < count for rule, count in wanted.items()):
        raise IntegrityError("it is not as it was scanned")
    if new[""] > old[""]:
        raise IntegrityError("the mended file could not be read")
    if any(new[rule] > old[rule] - count for rule, count in wanted.items()):
        raise IntegrityError("the mended file would still fail the rule")
    if any(count > old[rule] for rule, count in new.items()):
        raise IntegrityError("the mended file would fail another rule")


def _judged(path: str, content: bytes, rulebook: Rulebook) -> Counter[str]:
    """Return how often each rule fails in a file by itself; below "" what could not be read."""
    with tempfile.TemporaryDirectory(prefix="keepwall-fix-") as folder:
        copy = Path(folder) / "tree" / path
        copy.parent.mkdir(parents=True)
        copy.write_bytes(content)
        inventory = discover_tree(Path(folder) / "tree")
    failed = Counter(
        each.rule for each in assess(inventory, rulebook) if each.location.path == path
    )
    failed[""] = len(inventory.unread)
    return failed


def _locked(root: Path, path: str) -> Mapping[str, str]:
    """Return the versions that the lock files beside `path` or at the root name, by package.

    A package that is locked in two versions is left out.
    """
    versions: dict[str, set[str]] = defaultdict(set)
    for folder in dict.fromkeys((posixpath.dirname(path), "")):
        for name in LOCKS:
            reader = lock_reader(name)
            with suppress(IntegrityError, FormatError):
                data = read_in_tree(root, posixpath.join(folder, name), MAX_BYTES)
                for each in reader(data) if reader else ():
                    versions[each.name].add(each.version)
        if versions:
            break
    return {name: min(found) for name, found in versions.items() if len(found) == 1}
