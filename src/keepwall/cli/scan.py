"""``keepwall scan``: find the AI in a path or on this host, and judge it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from pathlib import Path

import click

from keepwall.cli.output import color_wanted, emit, note, progress, width
from keepwall.foundation.clock import SystemClock
from keepwall.foundation.config import CHOICES, Config, load_config
from keepwall.foundation.state import StateDirectory
from keepwall.vocabulary.errors import ConfigError, ExitCode, FormatError
from keepwall.vocabulary.scan import ScanResult
from keepwall.workflows.verdict import Verdict, judge

MAX_BASELINE_BYTES = 256 << 20


@click.command(epilog="Exit codes: 0 clean, 1 findings, 2 usage, 3 something was not read.")
@click.argument("targets", nargs=-1, required=True, metavar="TARGET...")
@click.option(
    "-f", "--format", "format_", type=click.Choice(CHOICES["format"]), help="Default: table."
)
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write to this file."
)
@click.option(
    "--fail-on",
    type=click.Choice(CHOICES["fail-on"]),
    help="Fail from this severity on. Default: high.",
)
@click.option(
    "--baseline",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A former --format json; what it has does not count.",
)
@click.option(
    "--config",
    "config_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Trust this configuration file, ignores included.",
)
@click.option("--store", metavar="URL", help="Record the result in this database.")
@click.option("--no-store", is_flag=True, help="Record the result nowhere.")
@click.option("--all", "every", is_flag=True, help="Show every finding, not what exposes most.")
@click.option("--fix", is_flag=True, help="Mend what can be mended mechanically, then scan again.")
@click.option("--dry-run", is_flag=True, help="With --fix: print the changes, write nothing.")
@click.option("--fresh", is_flag=True, help="Read all files again, also those unchanged.")
@click.option("--no-probe", is_flag=True, help="Of a host: send its AI servers no request.")
def command(  # noqa: PLR0913 - one for each option
    targets: tuple[str, ...],
    *,
    format_: str | None,
    output: Path | None,
    fail_on: str | None,
    baseline: Path | None,
    config_file: Path | None,
    store: str | None,
    no_store: bool,
    every: bool,
    fix: bool,
    dry_run: bool,
    fresh: bool,
    no_probe: bool,
) -> ExitCode:
    """Find the AI in each TARGET (a path, or host), and judge it.

    Nothing that is scanned is run, imported or fetched. Of a host, each server of AI gets one
    harmless request over loopback, to see if it asks for credentials. A configuration file inside a
    target has no say: name it with --config to trust it. Findings beat an incomplete answer: the
    exit code is 1 if something fails, even when something else was not read. --fix changes files of
    the target, each after a scan of the mended copy; the report and the exit code are then of what
    is left.
    """
    from keepwall.workflows.scan import combined, target_path

    if dry_run and not fix:
        raise ConfigError("--dry-run says what --fix would do", hint="add --fix")
    paths = [path for path in map(target_path, targets) if path]
    config = load_config(
        {"format": format_, "fail-on": fail_on, "store": store}, file=config_file, targets=paths
    )
    known = _baseline(baseline, paths) if baseline else None
    results = _scanned(targets, config, fresh=fresh, probe=not no_probe)
    if fix:
        from keepwall.cli.fixes import mend

        changed = mend(targets, results, dry_run=dry_run, output=output)
        if dry_run:
            return judge(combined(results), config.fail_on, known or ()).exit_code
        if changed:
            results = _scanned(targets, config, fresh=fresh, probe=not no_probe)
    if not no_store:
        _record(results, config)
    result = combined(results)
    verdict = judge(result, config.fail_on, known or ())
    emit(_rendered(result, verdict, config, known, every=every), output)
    _tell(result, verdict, config, table=config.format == "table" and output is None)
    return verdict.exit_code


def _scanned(
    targets: tuple[str, ...], config: Config, *, fresh: bool, probe: bool
) -> list[ScanResult]:
    """Return the scans of the targets, one for each."""
    from keepwall.workflows.scan import scan

    remember = None if fresh else StateDirectory.default().remembered
    with progress() as tell:
        return [
            scan(target, config=config, progress=tell, remember=remember, probe=probe)
            for target in targets
        ]


def _baseline(path: Path, targets: list[Path]) -> frozenset[str]:
    """Return the fingerprints of a former result; that it lies in a target is said aloud."""
    from keepwall.formats.scan_json import decode_scan

    try:
        with path.open("rb") as source:
            data = source.read(MAX_BASELINE_BYTES + 1)
    except OSError as error:
        raise ConfigError(
            f"the baseline {path} cannot be read: {error.strerror}",
            hint="make one with keepwall scan --format json -o FILE",
        ) from error
    if len(data) > MAX_BASELINE_BYTES:
        raise ConfigError(f"the baseline {path} is larger than 256 MiB")
    try:
        former = decode_scan(data)
    except FormatError as error:
        raise ConfigError(error.message, place=str(path), hint=error.hint) from error
    if any(path.resolve().is_relative_to(target.resolve()) for target in targets):
        note(f"the baseline {path} lies in what is scanned: whoever changes that can change it")
    return frozenset(each.fingerprint for each in former.findings)


def _record(results: list[ScanResult], config: Config) -> None:
    """Keep the results in the store that was asked for, or the default one if it exists."""
    state = StateDirectory.default()
    url = config.store
    if not url and Path(state.database_url.removeprefix("sqlite:///")).is_file():
        url = state.database_url
    if url:
        from keepwall.workflows.scan import record

        for result in results:
            record(result, url)


def _rendered(
    result: ScanResult,
    verdict: Verdict,
    config: Config,
    known: Collection[str] | None,
    *,
    every: bool,
) -> bytes:
    """Return the result in the format that was asked for."""
    if config.format == "json":
        from keepwall.formats.scan_json import encode_scan

        return encode_scan(result)
    if config.format == "sarif":
        from keepwall.formats.sarif import encode_sarif

        return encode_sarif(result, baseline=known)
    if config.format == "cyclonedx":
        from keepwall.formats.cyclonedx import encode_cyclonedx

        return encode_cyclonedx(result)
    if config.format == "junit":
        from keepwall.formats.junit import encode_junit

        return encode_junit(result, fail_on=config.fail_on, baseline=known or ())
    if config.format == "ocsf":
        from keepwall.formats.json_text import encode_json
        from keepwall.formats.ocsf import encode_finding

        at = result.scan.finished_at
        records = [encode_finding(each, at) for each in result.findings]
        return b"".join(encode_json(each, pretty=False) for each in records)
    from keepwall.cli.report import report

    text = report(result, verdict, config.fail_on, width=width(), color=color_wanted(), every=every)
    return text.encode("utf-8", "backslashreplace")


def _tell(result: ScanResult, verdict: Verdict, config: Config, *, table: bool) -> None:
    """Say on standard error what a reader of the data alone would miss."""
    today = SystemClock().now().date()
    if config.untrusted:
        note(
            f"{config.untrusted} lies in what is scanned, so its settings and ignores do not count;"
            " name it with --config to trust it"
        )
        if own := _own_ignores(result, config.untrusted, today):
            note(f"its own ignores cover {own} of the findings, which count all the same")
    for each in config.ignores:
        if each.expires < today:
            note(f"{each.place}: this ignore expired on {each.expires} and has no effect")
    if not table:
        if result.scan.ignored:
            note(f"{result.scan.ignored} findings are ignored by {config.file}")
        if verdict.known:
            note(f"{len(verdict.known)} findings are in the baseline and do not count")
        for part in result.unread[:5]:
            note(f"not read: {part.path}: {part.reason}")
        if len(result.unread) > 5:  # noqa: PLR2004 - as many as fit a glance
            note(f"not read: {len(result.unread) - 5} more; --format json lists them")


def _own_ignores(result: ScanResult, file: str, today: date) -> int:
    """Return how many findings a configuration file of the target would leave out."""
    from keepwall.workflows.scan import without_ignored

    try:
        ignores = load_config(file=Path(file)).ignores
    except ConfigError:
        return 0  # broken or hostile, and without a say
    return len(without_ignored(result.findings, ignores, today)[1])
