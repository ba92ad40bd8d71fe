"""Where output goes: data to standard output or a file, everything else to standard error."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import click

from keepwall.formats.plain_text import visible
from keepwall.vocabulary.errors import ConfigError

FALLBACK_WIDTH = 100
PROGRESS_INTERVAL = 0.1


@dataclass(frozen=True, slots=True)
class Options:
    """What was said before the verb; `verbosity` is -1 (quiet) to 2."""

    verbosity: int = 0
    debug: bool = False


def options() -> Options:
    """Return what was said before the verb (the defaults outside of a command)."""
    context = click.get_current_context(silent=True)
    found = context.find_object(Options) if context else None
    return found or Options()


def note(message: str) -> None:
    """Tell a person something on standard error, unless he asked for quiet."""
    if options().verbosity >= 0:
        print(f"keepwall: {visible(message)}", file=sys.stderr)


def color_wanted() -> bool:
    """Return whether standard output is a terminal that may show colour (``NO_COLOR``)."""
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return sys.stdout.isatty() and not plain


def width() -> int:
    """Return the width of the terminal in cells; `FALLBACK_WIDTH` where there is none."""
    import shutil  # late, as `tempfile` below: `run` prints no table and writes no file

    return max(40, shutil.get_terminal_size((FALLBACK_WIDTH, 24)).columns)


def emit(data: bytes, output: Path | None = None) -> None:
    """Write `data` to standard output, or to the file `output` all at once.

    Raises:
        ConfigError: the file cannot be written; what stood there before is left as it was.
        BrokenPipeError: nobody reads standard output any more.
    """
    try:
        if output is not None:
            _replace(output, data)
        else:
            sys.stdout.flush()
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise ConfigError(
            f"{output or 'standard output'} cannot be written: {error.strerror}",
            hint="name another file with -o",
        ) from error


def _replace(path: Path, data: bytes) -> None:
    """Write `path` so that a reader sees the old content or the new, never a part."""
    if path.exists() and not path.is_file():  # /dev/stdout, a pipe: nothing to replace
        path.write_bytes(data)
        return
    import tempfile

    real = path.resolve()
    descriptor, temporary = tempfile.mkstemp(prefix=f".{real.name}.", dir=real.parent)
    try:
        with os.fdopen(descriptor, "wb") as target:
            target.write(data)
            target.flush()
            os.fsync(target.fileno())
            mask = os.umask(0)
            os.umask(mask)
            os.fchmod(target.fileno(), real.stat().st_mode if real.exists() else 0o666 & ~mask)
        Path(temporary).replace(real)
    except OSError:
        with suppress(FileNotFoundError):
            Path(temporary).unlink()
        raise


class Progress:
    """One line on standard error that is rewritten, only on a terminal and unless quiet."""

    def __init__(self) -> None:
        self._shown = sys.stderr.isatty() and options().verbosity >= 0
        self._last = 0.0

    def __call__(self, message: str) -> None:
        """Show `message`, at most ten times a second."""
        now = time.monotonic()
        if not self._shown or now - self._last < PROGRESS_INTERVAL:
            return
        from keepwall.cli.table import fitted

        self._last = now
        sys.stderr.write(f"\r\x1b[2K{fitted(visible(message), width() - 1).rstrip()}")
        sys.stderr.flush()

    def close(self) -> None:
        """Take the line away."""
        if self._shown and self._last:
            sys.stderr.write("\r\x1b[2K")
            sys.stderr.flush()


@contextmanager
def progress() -> Iterator[Progress]:
    """Yield a progress line that is taken away at the end, whatever happens."""
    line = Progress()
    try:
        yield line
    finally:
        line.close()
