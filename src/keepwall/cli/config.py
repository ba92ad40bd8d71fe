"""``keepwall config``: the settings that hold here, and where each comes from."""

from __future__ import annotations

from pathlib import Path

import click

from keepwall.cli.output import color_wanted, emit, width
from keepwall.foundation.clock import SystemClock
from keepwall.foundation.config import Config, load_config


@click.group()
def command() -> None:
    """Show the settings that hold here."""


@command.command()
@click.option("--origin", is_flag=True, help="Say where each value comes from.")
@click.option("-f", "--format", "format_", type=click.Choice(("table", "json")), default="table")
@click.option(
    "--config",
    "config_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Read this configuration file.",
)
def show(*, origin: bool, format_: str, config_file: Path | None) -> None:
    """Print every setting; a flag beats the environment (KEEPWALL_*), and that beats the file."""
    config = load_config(file=config_file)
    emit(_as_json(config) if format_ == "json" else _as_table(config, origin=origin))


def _as_json(config: Config) -> bytes:
    from keepwall.formats.json_text import encode_json

    return encode_json({"settings": config.settings, "ignores": config.ignores})


def _as_table(config: Config, *, origin: bool) -> bytes:
    from keepwall.cli.table import DIM, YELLOW, Cell, render_table

    headers = ("setting", "value", "origin") if origin else ("setting", "value")
    rows = [
        (name, setting.value or Cell("-", DIM), Cell(setting.origin, DIM))[: len(headers)]
        for name, setting in config.settings.items()
    ]
    room, color = width(), color_wanted()
    text = render_table(headers, rows, shrink=((1, 16),), width=room, color=color)
    if config.ignores:
        today = SystemClock().now().date()
        ignores = [
            (
                each.rule or each.fingerprint,
                Cell(f"{each.expires}{' (expired)' if each.expires < today else ''}", YELLOW)
                if each.expires < today
                else str(each.expires),
                each.owner,
                each.reason,
                Cell(each.place, DIM),
            )[: 5 if origin else 4]
            for each in config.ignores
        ]
        titles = ("ignored", "until", "owner", "reason", "origin")[: 5 if origin else 4]
        text += "\n\n" + render_table(titles, ignores, shrink=((3, 16),), width=room, color=color)
    return text.encode("utf-8", "backslashreplace") + b"\n"
