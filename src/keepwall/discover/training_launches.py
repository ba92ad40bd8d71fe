"""Command lines that start training: ``torchrun train.py`` in scripts, images and workflows."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from keepwall.discover.source import FileView, Source, TreeContext, asset, uses
from keepwall.vocabulary.asset import AssetKind
from keepwall.vocabulary.scan import Observation
from keepwall.vocabulary.surface import Surface

_LAUNCH = re.compile(
    r"(?:^|[\s;&|\"'=/])(?:torchrun|deepspeed|horovodrun|accelerate\s+launch|llamafactory-cli\s+train"
    r"|python[\d.]*\s+-m\s+(?:torch\.distributed\.(?:launch|run)|accelerate\.commands\.launch|axolotl[\w.]*)"
    r"|axolotl\s+train|tune\s+run|trl\s+(?:sft|dpo|grpo|kto|reward))(?![\w.-])(?P<rest>[^\n#;&|]{0,2000})"
)
_SCRIPT = re.compile(r"(?:^|[\s\"'])([\w./-]{1,200}\.(?:py|ya?ml)|-m\s+[\w.]{1,200})(?:[\s\"']|$)")
_INSTALL = re.compile(
    r"\b(?:pip3?|uv|conda|mamba|apt(?:-get)?|poetry)\s+(?:install|add|pip)\b[^&|;]*$"
)
_NAMES = frozenset({"makefile", "justfile"})


def launches(text: str) -> Iterator[tuple[str, int]]:
    """Yield what each launcher of training in `text` starts (empty if unsaid), with its line."""
    number = 1
    for line in text.replace("\\\n", " \v").split("\n"):
        silent = line.lstrip().startswith("#") or _INSTALL.search(line) is not None
        match = None if silent else _LAUNCH.search(line)
        if match is not None:
            script = _SCRIPT.search(match["rest"].replace("\v", " "))
            yield script[1].removeprefix("-m").strip() if script else "", number
        number += 1 + line.count("\v")


def _wants(path: str, _context: TreeContext) -> bool:
    name = posixpath.basename(path).lower()
    return (
        path.endswith((".sh", ".bash", ".slurm", ".sbatch"))
        or name in _NAMES
        or name.startswith("dockerfile")
        or (".github/workflows/" in f"/{path}" and path.endswith((".yml", ".yaml")))
    )


def _observe(view: FileView, context: TreeContext) -> Iterator[Observation]:
    seen: set[str] = set()
    for script, line in launches(view.text[: 1 << 20]):
        name = script or "train"
        if name not in seen:
            seen.add(name)
            key = f"{view.path}#{name}"
            job = asset(context, AssetKind.TRAINING_JOB, key, name, Surface.PIPELINE, view.at(line))
            yield job
            yield uses(context.project, job)


TRAINING_LAUNCHES = Source("training", _wants, _observe)
