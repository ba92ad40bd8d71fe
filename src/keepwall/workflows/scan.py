"""A scan: discover, assess, apply the ignores; and what several scans are together."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

from keepwall import __version__
from keepwall.assess.engine import assess
from keepwall.assess.exposure import ranked
from keepwall.discover.limits import Limits
from keepwall.discover.tree import How, discover_tree
from keepwall.foundation.clock import Clock, SystemClock
from keepwall.foundation.config import Config, Ignore, load_config
from keepwall.foundation.store.store import Store
from keepwall.rulebook.book import Rulebook
from keepwall.rulebook.interest import calls_asked_about
from keepwall.vocabulary.asset import Asset, Location
from keepwall.vocabulary.errors import ConfigError
from keepwall.vocabulary.finding import Finding
from keepwall.vocabulary.scan import Inventory, ScanInfo, ScanResult

logger = logging.getLogger(__name__)

_MOST_PROCESSES = 8
HOST = "host"
LATER = ("kube:", "kube-dump:", "image:")


def target_path(target: str) -> Path | None:
    """Return the path that `target` names, or None for ``host``.

    Raises:
        ConfigError: it is neither.
    """
    if target == HOST:
        return None
    path = Path(target)
    if path.exists():
        return path
    if target.startswith(LATER):
        raise ConfigError(
            f"targets that start with {target.partition(':')[0]}: come later",
            hint="scan a path, or host",
        )
    raise ConfigError(f"there is no {target}", hint="name a directory, or host")


def scan(
    target: str,
    *,
    config: Config | None = None,
    clock: Clock | None = None,
    progress: Callable[[str], None] | None = None,
    remember: Path | None = None,
    probe: bool = True,
) -> ScanResult:
    """Return what is in `target` (a path, or ``host``) and what is wrong with it.

    Findings that an ignore of `config` covers are left out and counted (`ScanInfo.ignored`).
    `progress` is called with a line for a person now and then. Below the directory `remember` it is
    kept what each file showed, and only what changed since is read. With `probe`, each server of AI
    on the host is asked once whether it answers without credentials.

    Raises:
        ConfigError: the target does not exist or is of a kind that cannot be scanned.
        RuleError: a rule cannot be loaded.
    """
    clock = clock or SystemClock()
    config = config or load_config()
    tell = progress or _silent
    path = target_path(target)
    name = str(path.resolve()) if path else target  # two directories called "." are two targets
    started = clock.now()
    rulebook = Rulebook.load()
    inventory = _discover(path, tell, remember) if path else _discover_host(tell, probe=probe)
    tell(f"judging {len(inventory.assets)} assets")
    findings = ranked(assess(inventory, rulebook), inventory)
    kept, dropped = without_ignored(findings, config.ignores, started.date())
    return ScanResult(
        assets=inventory.assets,
        relations=inventory.relations,
        findings=kept,
        unread=inventory.unread,
        scan=ScanInfo(
            id=_scan_id(name, started),
            target=name,
            started_at=started,
            finished_at=clock.now(),
            version=__version__,
            files=inventory.files,
            bytes=inventory.bytes,
            rules=len(rulebook.rules),
            ignored=len(dropped),
        ),
    )


def _silent(message: str) -> None:
    del message


def _discover(path: Path, tell: Callable[[str], None], remember: Path | None) -> Inventory:
    def told(count: int, name: str) -> None:
        tell(f"{count:,}: {name}")

    memory = None
    if remember is not None:
        name = hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:32]
        memory = remember / f"{name}.db"
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    processes = min(cores or 1, _MOST_PROCESSES)
    return discover_tree(path, How(Limits(), told, calls_asked_about, memory, processes))


def _discover_host(tell: Callable[[str], None], *, probe: bool) -> Inventory:
    from keepwall.discover.host import discover_host  # noqa: PLC0415 - only where it is wanted
    from keepwall.discover.host_probe import ask  # noqa: PLC0415 - same

    def told(_count: int, name: str) -> None:
        tell(f"this host: {name}")

    return discover_host(ask=ask if probe else None, progress=told)


def _scan_id(target: str, started: datetime) -> str:
    """Return an id that sorts by time, such as ``20260102T030405-1f2e3d4c``."""
    text = f"{target}\x1f{started.isoformat()}"
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{started:%Y%m%dT%H%M%S}-{digest[:8]}"


def without_ignored(
    findings: Sequence[Finding], ignores: Sequence[Ignore], today: date
) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    """Return the findings that count and those that a valid ignore covers."""
    valid = [each for each in ignores if each.expires >= today]
    covered = [any(each.covers(finding) for each in valid) for finding in findings]
    pairs = list(zip(findings, covered, strict=True))
    return tuple(f for f, out in pairs if not out), tuple(f for f, out in pairs if out)


def record(result: ScanResult, url: str) -> None:
    """Keep `result` in the store at the database URL `url`.

    Raises:
        KeepwallError: the store cannot be opened or written.
    """
    with Store.open(url) as store:
        store.scans.record(result)
    logger.info("scan %s is in the store", result.scan.id)


def combined(results: Sequence[ScanResult]) -> ScanResult:
    """Return several scans (at least one) as one; places then start with their target."""
    if len(results) == 1:
        return results[0]
    placed = [_placed(each) for each in results]
    assets: dict[str, Asset] = {}
    for result in placed:
        for asset in result.assets:
            assets[asset.id] = assets[asset.id].merged(asset) if asset.id in assets else asset
    infos = [each.scan for each in placed]
    return ScanResult(
        assets=tuple(assets.values()),
        relations=tuple(dict.fromkeys(edge for each in placed for edge in each.relations)),
        findings=tuple(finding for each in placed for finding in each.findings),
        unread=tuple(part for each in placed for part in each.unread),
        scan=replace(
            infos[0],
            target=" ".join(info.target for info in infos),
            finished_at=infos[-1].finished_at,
            files=sum(info.files for info in infos),
            bytes=sum(info.bytes for info in infos),
            ignored=sum(info.ignored for info in infos),
        ),
    )


def _placed(result: ScanResult) -> ScanResult:
    """Return `result` with every place below its target, as seen from the current directory."""
    target = result.scan.target
    if Path(target).is_file():
        target = str(Path(target).parent)
    if Path(target).is_relative_to(Path.cwd()):
        target = str(Path(target).relative_to(Path.cwd()))

    def moved(location: Location) -> Location:
        if not location.path or location.path.startswith("/") or target == HOST:
            return location
        return Location(str(Path(target) / location.path), location.line)

    return replace(
        result,
        assets=tuple(
            replace(each, locations=tuple(map(moved, each.locations))) for each in result.assets
        ),
        findings=tuple(replace(each, location=moved(each.location)) for each in result.findings),
        unread=tuple(replace(each, path=moved(Location(each.path)).path) for each in result.unread),
    )
