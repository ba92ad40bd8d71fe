"""``keepwall schema``: the JSON Schemas of everything that leaves the program."""

from __future__ import annotations

from pathlib import Path

import click

from keepwall.cli.output import emit
from keepwall.vocabulary.errors import ConfigError


@click.command()
@click.argument("name", required=False)
@click.option("--list", "list_", is_flag=True, help="Print the names.")
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write to this file."
)
def command(name: str | None, *, list_: bool, output: Path | None) -> None:
    """Print the JSON Schema (2020-12) called NAME."""
    from keepwall.formats.json_text import encode_json
    from keepwall.formats.schemas import NAMES, schema

    if list_:
        emit("".join(f"{each}\n" for each in NAMES).encode(), output)
    elif name:
        emit(encode_json(schema(name)), output)
    else:
        raise ConfigError("which schema?", hint="keepwall schema --list names them")
