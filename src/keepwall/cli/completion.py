"""``keepwall completion``: the completion script of a shell."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from keepwall.cli.output import emit
from keepwall.vocabulary.errors import ConfigError

COMPLETE_VARIABLE = "_KEEPWALL_COMPLETE"


@click.command()
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the completion script of SHELL.

    For example: keepwall completion bash > ~/.local/share/bash-completion/completions/keepwall
    """
    script = get_completion_class(shell)
    if script is None:
        raise ConfigError(f"this click cannot complete for {shell}")
    source = script(ctx.find_root().command, {}, "keepwall", COMPLETE_VARIABLE).source()
    emit(f"{source}\n".encode())
