"""The entry point: finds the verb without importing the others, and ends with its exit code."""

from __future__ import annotations

import gc
import importlib
import importlib.util
import itertools
import os
import sys
from collections.abc import Mapping, Sequence

import click
from click.shell_completion import CompletionItem, shell_complete

from keepwall import __version__
from keepwall.cli.output import Options
from keepwall.formats.plain_text import visible
from keepwall.foundation.log import configure_log
from keepwall.vocabulary.errors import ExitCode, KeepwallError

VERBS: Mapping[str, Mapping[str, str]] = {
    "Find and judge": {
        "scan": "Find the AI in a path or on this host, and judge it.",
        "rules": "Show the rules, and test them against their own examples.",
        "explain": "Say what a rule, finding, event or incident means.",
    },
    "Enforce": {
        "run": "Start a command inside its permission envelope.",
        "envelope": "Check, compare, compile, apply and roll back envelopes.",
    },
    "Watch and respond": {
        "up": "Start the control plane and its console.",
        "incident": "List, show, contain and release incidents.",
        "range": "Attack this installation as an attacker would, and see what holds.",
    },
    "Prove": {
        "evidence": "Export and verify the evidence that controls were exercised.",
    },
    "This installation": {
        "doctor": "Say what this machine can enforce, and what is missing.",
        "config": "Show the settings that hold here, and where each comes from.",
        "schema": "Print the JSON Schemas of everything that leaves the program.",
        "completion": "Print the completion script of a shell.",
    },
}
"""Every verb with its summary, so that ``--help`` imports none of them."""

COMPLETE_VARIABLE = "_KEEPWALL_COMPLETE"
INTERRUPTED = 130
BROKEN_PIPE = 141


class VerbGroup(click.Group):
    """The verbs that are installed; each module is imported when its verb is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the verbs whose module is there."""
        del ctx
        return [verb for verbs in VERBS.values() for verb in verbs if _installed(verb)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the `command` of ``keepwall/cli/<verb>.py``, or None."""
        if cmd_name not in self.list_commands(ctx):
            return None
        command = importlib.import_module(f"keepwall.cli.{cmd_name}").command
        return command if isinstance(command, click.Command) else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb; one that does not exist gets a suggestion and exit code 2."""
        if args and self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            import difflib  # late: only who mistypes waits for it

            verbs = self.list_commands(ctx)
            close = difflib.get_close_matches(args[0], verbs, n=1)
            hint = f"did you mean {close[0]!r}?" if close else "keepwall --help lists the commands"
            raise click.UsageError(f"there is no command {args[0]!r}; {hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the verbs, stage by stage, from the table alone."""
        there = self.list_commands(ctx)
        for stage, verbs in VERBS.items():
            if rows := [(verb, text) for verb, text in verbs.items() if verb in there]:
                with formatter.section(stage):
                    formatter.write_dl(rows, col_max=12, col_spacing=4)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the verbs that start with `incomplete`, from the table alone."""
        summaries = {verb: text for verbs in VERBS.values() for verb, text in verbs.items()}
        return [
            *(
                CompletionItem(verb, help=summaries[verb])
                for verb in self.list_commands(ctx)
                if verb.startswith(incomplete)
            ),
            *click.Command.shell_complete(self, ctx, incomplete),
        ]


def _installed(verb: str) -> bool:
    return importlib.util.find_spec(f"keepwall.cli.{verb}") is not None


@click.group(
    cls=VerbGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 clean, 1 findings or a refusal, 2 usage, 3 incomplete.",
)
@click.version_option(__version__, prog_name="keepwall")
@click.option("-q", "--quiet", is_flag=True, help="Only data and errors.")
@click.option("-v", "--verbose", count=True, help="Say more; twice for everything.")
@click.option("--debug", is_flag=True, help="Print the traceback of an unexpected error.")
@click.pass_context
def cli(ctx: click.Context, *, quiet: bool, verbose: int, debug: bool) -> None:
    """Zero Trust for AI workloads: find the AI, judge it, fence it, see the attack, prove it."""
    ctx.obj = Options(verbosity=-1 if quiet else verbose, debug=debug)
    configure_log(ctx.obj.verbosity)


def main() -> None:
    """Run the command line of this process and end it with the exit code of the verb."""
    if instruction := os.environ.get(COMPLETE_VARIABLE):
        sys.exit(shell_complete(cli, {}, "keepwall", COMPLETE_VARIABLE, instruction))
    code = run(sys.argv[1:])
    gc.disable()  # the process ends: a last walk over all that was loaded would cost it 5 ms
    sys.exit(code)


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code; errors become lines on standard error."""
    try:
        with cli.make_context("keepwall", list(arguments)) as context:
            result = cli.invoke(context)
            sys.stdout.flush()
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return ExitCode.USAGE
    except KeepwallError as error:
        _complain(error.message, error.hint)
        return error.exit_code
    except click.ClickException as error:
        where = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else ""
        _complain(error.format_message(), f"{where} --help says how" if where else "")
        return ExitCode.USAGE
    except (KeyboardInterrupt, click.Abort):
        _complain("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        # The reader left. Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except Exception as error:  # noqa: BLE001 - the entry point: the one place for the unforeseen
        before_verb = itertools.takewhile(lambda each: each.startswith("-"), arguments)
        return _unexpected(error, debug="--debug" in before_verb)
    return result if isinstance(result, int) else ExitCode.CLEAN


def _complain(message: str, hint: str = "") -> None:
    print(f"keepwall: {visible(message)}", file=sys.stderr)
    if hint:
        print(f"hint: {visible(hint)}", file=sys.stderr)


def _unexpected(error: Exception, *, debug: bool) -> int:
    """Tell about a defect of Keepwall: one line, and the traceback in a private file."""
    import tempfile  # late, as `traceback`: no good start waits for them
    import traceback

    if debug:
        traceback.print_exception(error)
        return ExitCode.INCOMPLETE
    with tempfile.NamedTemporaryFile(
        "w",
        prefix="keepwall-",
        suffix=".traceback",
        delete=False,
        encoding="utf-8",
        errors="backslashreplace",
    ) as file:
        traceback.print_exception(error, file=file)
    _complain(
        f"unexpected {type(error).__name__}; the traceback is in {file.name}",
        "this is a defect of Keepwall: please report it (--debug prints the traceback)",
    )
    return ExitCode.INCOMPLETE
