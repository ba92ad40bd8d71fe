"""Settings of notebook servers: ``jupyter_*_config.py`` and ``.json``."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping

from keepwall.discover.source import FileView, Source, TreeContext, hidden_value
from keepwall.formats.line_index import LineIndex
from keepwall.formats.safe_json import load_json
from keepwall.formats.source.python import read_python
from keepwall.vocabulary.fact import Fact
from keepwall.vocabulary.json_value import JsonValue
from keepwall.vocabulary.scan import Observation

_NAME = re.compile(r"(?:jupyter|ipython|jupyterhub)(?:_\w+)?_config(?:\.d)?\.(?:py|json)$")


def _wants(path: str, _context: TreeContext) -> bool:
    return _NAME.match(posixpath.basename(path).lower()) is not None


def _observe(view: FileView, context: TreeContext) -> Iterator[Observation]:
    for name, value, line in _settings(view):
        shown: Mapping[str, JsonValue] = {
            "name": name,
            "value": hidden_value(name.rpartition(".")[2], value),
        }
        yield Fact("notebook.setting", context.project.id, shown, view.path, line)


def _settings(view: FileView) -> Iterator[tuple[str, JsonValue, int]]:
    if view.name.endswith(".py"):
        for each in read_python(view.data).assignments:
            if each.target.startswith("c."):
                yield each.target[2:], each.value, each.line
        return
    document, lines = load_json(view.data), LineIndex(view.text)
    for section, settings in document.items() if isinstance(document, dict) else ():
        for name, value in settings.items() if isinstance(settings, dict) else ():
            yield f"{section}.{name}", value, lines.at(f'"{name}"')


NOTEBOOK_SETTINGS = Source("notebook-settings", _wants, _observe)
