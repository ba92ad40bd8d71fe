"""Rules for every test: sockets only where a test is marked `real`, and no skip unseen.

Every skip is printed with its reason. One that `expected-skips.txt` does not name fails the run, so
a test cannot stop running without someone having decided it.
"""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from os import environ
from pathlib import Path

import pytest
import pytest_socket
from hypothesis import settings

# The same examples in every run: what a change breaks is told from what luck finds. `make fuzz`
# looks for other examples; one that fails there becomes an @example.
settings.register_profile("steady", derandomize=True)
settings.load_profile("default" if environ.get("KEEPWALL_FUZZ") else "steady")

_EXPECTED = Path(__file__).with_name("expected-skips.txt")


class Skips:
    """Collects what was skipped and knows what may be."""

    def __init__(self, expected: Path) -> None:
        self._expected = tuple(_expected(expected))
        self._seen: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped:
            self._seen[report.nodeid] = _reason(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.skipped:
            self._seen[report.nodeid] = _reason(report)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self._unexpected() and session.exitstatus in (
            pytest.ExitCode.OK,
            pytest.ExitCode.NO_TESTS_COLLECTED,
        ):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        unexpected = self._unexpected()
        for nodeid, reason in self._seen.items():
            word = "UNEXPECTED" if nodeid in unexpected else "expected"
            terminalreporter.write_line(f"skip ({word}): {nodeid}: {reason}")
        terminalreporter.write_line(
            f"skips: {len(self._seen)}, of which {len(unexpected)} are not on {_EXPECTED.name}"
        )

    def _unexpected(self) -> set[str]:
        return {
            nodeid
            for nodeid, reason in self._seen.items()
            if not any(
                fnmatchcase(nodeid, pattern) and reason.startswith(allowed)
                for pattern, allowed in self._expected
            )
        }


def _expected(path: Path) -> Iterator[tuple[str, str]]:
    """Yield (pattern of node ids, how the reason begins) for each line of the list."""
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        if line.strip() and not line.startswith("#"):
            pattern, tab, reason = line.partition("\t")
            if not tab or not reason.strip():
                raise pytest.UsageError(f"{path.name}:{number}: needs PATTERN, a tab and a reason")
            yield pattern, reason.strip()


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    """Return why it was skipped; an expected failure (xfail) is a skip as well."""
    if hasattr(report, "wasxfail"):
        return f"expected to fail: {report.wasxfail}"
    where = report.longrepr
    return where[2].removeprefix("Skipped: ") if isinstance(where, tuple) else str(where)


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Skips(_EXPECTED), "expected-skips")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("real"):
        pytest_socket.enable_socket()
    else:
        pytest_socket.disable_socket(allow_unix_socket=True)
