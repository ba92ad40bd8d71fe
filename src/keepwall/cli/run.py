"""`keepwall run`: start a command inside its envelope, or learn one."""

from __future__ import annotations

import gc
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from keepwall.vocabulary.errors import ConfigError, ExitCode, KeepwallError

if TYPE_CHECKING:
    from keepwall.vocabulary.envelope import Envelope


@click.command(
    name="run",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    epilog="Returns the exit code of CMD, or 125 when it could not be started in its envelope.",
)
@click.option("-e", "--envelope", type=click.Path(path_type=Path), help="Enforce this envelope.")
@click.option(
    "--learn", type=click.Path(path_type=Path), help="Write an envelope of what CMD uses."
)
@click.option("--name", default="", help="Name of the learned envelope (default: the file's name).")
@click.option(
    "--accept-weaker", multiple=True, metavar="RULE", help="Accept a rule below the minimum."
)
@click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="KEEPWALL_CONFIG",
    help="Read the registrations of this configuration file.",
)
@click.option("--dry-run", is_flag=True, help="Show how each rule would be carried; start nothing.")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- CMD...")
def command(
    envelope: Path | None,
    learn: Path | None,
    name: str,
    accept_weaker: tuple[str, ...],
    config: Path | None,
    *,
    dry_run: bool,
    command: tuple[str, ...],
) -> int:
    """Start CMD inside its permission envelope; no root needed."""
    gc.disable()  # until all is loaded: of what modules make, nothing is garbage (5 ms)
    from keepwall.foundation.clock import SystemClock
    from keepwall.foundation.state import StateDirectory
    from keepwall.workflows import fence

    if (envelope is None) == (learn is None):
        raise ConfigError(
            "give either --envelope FILE or --learn FILE",
            hint="keepwall run --learn app.yaml -- CMD writes a first envelope",
        )
    surroundings = fence.Surroundings(StateDirectory.default(), SystemClock(), _say, config)
    if dry_run and envelope is not None:
        from keepwall.cli.envelope import show_compiled

        return show_compiled(envelope, accept_weaker)
    try:
        permitted = read_envelope(envelope) if envelope is not None else None
        # This process is this one run, so what is loaded by now lives until its end. Frozen, the
        # fork shares its pages and the collector does not walk it once more (10 ms).
        gc.freeze()
        gc.enable()
        if learn is not None:
            return fence.learn(
                command, learn.absolute(), surroundings, name=name or _name_of(learn)
            )
        if permitted is not None:
            return fence.run(command, permitted, surroundings, accepted=accept_weaker)
    except KeepwallError as error:
        print(f"keepwall: {error.message}", file=sys.stderr)
        if error.hint:
            print(f"hint: {error.hint}", file=sys.stderr)
    return ExitCode.RUN_FAILED


def read_envelope(path: Path) -> Envelope:
    """Return the envelope in a file.

    Raises:
        ConfigError: it cannot be read, or is not a valid envelope.
    """
    from keepwall.formats.envelope.parse import parse

    try:
        return parse(path.read_bytes(), str(path))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error


def _name_of(path: Path) -> str:
    plain = "".join(c if c.isascii() and c.isalnum() else "-" for c in path.stem.lower()).strip("-")
    return plain[:63] or "learned"


def _say(line: str) -> None:
    print(f"keepwall: {line}", file=sys.stderr, flush=True)
